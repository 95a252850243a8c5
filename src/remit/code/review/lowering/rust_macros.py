"""Rust macros: their tokens re-read as arguments, formats as texts."""

from __future__ import annotations

import re
from typing import Any

from remit.code.review.ir import Assign, Attr, BlockValue, Call, Const, Name, Opaque, Sequence, Text
from remit.code.review.lowering.braces import BraceLowering

_FORMATS = frozenset(["format", "println", "print", "eprintln", "eprint", "write", "writeln", "panic", "info",
    "warn", "error", "debug", "trace", "bail", "anyhow", "ensure", "log", "unreachable", "todo", "unimplemented",
    "assert"])  # fmt: skip


class MacroLowering(BraceLowering):
    """What a macro's tokens say."""

    def macro(self, node: Any) -> Any:
        """A macro: a format is a text, others are calls."""
        name = self.field(node, "macro")
        tree = next((one for one in node.named_children if one.type == "token_tree"), None)
        last = name.name if isinstance(name, Name | Attr) else ""
        args = self.token_arguments(tree) if tree is not None else []
        if last in _FORMATS:
            at = next((i for i, one in enumerate(args) if isinstance(one, Const) and isinstance(one.value, str)), None)
            if at is not None:
                text = self.formatted(node, args[at], args[at + 1 :])
                if last == "format":
                    return text
                args = [*args[:at], text]
        elif last == "vec":
            return Sequence(self.span(node), "list", args)
        return Call(self.span(node), name, args, [""] * len(args), "macro")

    def formatted(self, node: Any, template: Const, given: list[Any]) -> Text:
        """`"a {} {b}", c` as parts."""
        named: dict[str, Any] = {}
        plain: list[Any] = []
        for one in given:
            if isinstance(one, BlockValue) and isinstance(one.value, Name):
                named[one.value.name] = one.body[0].value
            else:
                plain.append(one)
        parts: list[Any] = []
        for at, piece in enumerate(re.split(r"\{([\w.]*)(?::[^{}]*)?\}", template.value)):
            if at % 2 == 0:
                parts.append(Const(template.span, piece))
            elif piece.isdigit():
                parts.append(
                    plain[int(piece)] if len(piece) < 3 and int(piece) < len(plain) else Opaque(template.span, "", [])
                )
            elif piece:
                parts.append(named.get(piece, Name(template.span, piece.split(".")[0])))
            else:
                parts.append(plain.pop(0) if plain else Opaque(template.span, "", []))
        return Text(self.span(node), [one for one in parts if not (isinstance(one, Const) and not one.value)])

    def token_arguments(self, tree: Any) -> list[Any]:
        """The arguments in a macro's tokens, split at its commas; each re-read as a chain of names and calls."""
        groups: list[list[Any]] = [[]]
        for one in tree.children[1:-1]:
            if not one.is_named and self.text(one) in (",", ";"):
                groups.append([])
            elif one.type not in self.COMMENTS:
                groups[-1].append(one)
        return [self.tokens(group) for group in groups if group]

    def tokens(self, group: list[Any]) -> Any:
        """One argument's tokens."""
        if len(group) > 2 and not group[1].is_named and self.text(group[1]) == "=" and group[0].type == "identifier":
            target = self.name(group[0])
            value = self.tokens(group[2:])
            return BlockValue(target.span, [Assign(target.span, [target], value)], target)
        made: Any = None
        loose: list[Any] = []
        joined = False
        for one in group:
            said = self.text(one)
            if not one.is_named:
                joined = said in (".", "::")
                continue
            if one.type == "token_tree":
                args = self.token_arguments(one) if self.depth < 60 else []
                if made is not None and said.startswith("("):
                    made = Call(self.span(one), made, args, [""] * len(args))
                else:
                    loose.extend(args)
            elif joined and made is not None:
                made = Attr(self.span(one), made, said)
            else:
                if made is not None:
                    loose.append(made)
                made = self.expression(one)
            joined = False
        if made is None or loose:
            return Opaque(self.span(group[0]), "tokens", [*loose, *([made] if made is not None else [])])
        return made
