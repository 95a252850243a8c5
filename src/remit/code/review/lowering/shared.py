"""What the lowerings share: dispatch on node types, places, literals, bounds on depth."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar, Final

from remit.code.review.ir import Binary, Const, Module, Name, Node, Opaque, Span

MAX_DEPTH: Final = 90
"""Nested constructs; what lies deeper is left out and the file is marked `cut`."""
MAX_CHAIN: Final = 400
"""Operands of one left-nested operator chain."""
NOTHING: Final = "nothing"
"""The row of a statement without an effect here: it has no method."""
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "\\": "\\", "'": "'", '"': '"', "`": "`", "\n": "",
                   "a": "\a", "b": "\b", "f": "\f", "v": "\v"}  # fmt: skip
_ESCAPE: Final = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|u\{[0-9a-fA-F]{1,6}\}|U[0-9a-fA-F]{8}|.|\n)", re.S)


def unescaped(text: str) -> str:
    """A literal's text with its escapes resolved; unknown ones stay."""
    if "\\" not in text:
        return text

    def one(match: re.Match[str]) -> str:
        said = match[1]
        if said in _ESCAPES:
            return _ESCAPES[said]
        digits = said[1:].strip("{}")
        if said[0] in "xuU" and digits:
            code = int(digits, 16)
            return chr(code) if code < 0x110000 else match[0]
        return match[0]

    return _ESCAPE.sub(one, text)


def number(text: str) -> int | float | None:
    """A numeric literal of any of the languages; None when it is none of the usual ones."""
    plain = text.replace("_", "").lower()
    plain = re.sub(r"(?<=[0-9a-f.])(([iu](8|16|32|64|128|size)|f(32|64))|n|l)$", "", plain)
    try:
        if plain[:2] in ("0x", "0b", "0o"):
            return int(plain, 0)
        if plain.isdigit():
            return int(plain) if len(plain) < 40 else None
        return float(plain)
    except ValueError:
        return None


class Lowering:
    """One file's lowering; a subclass fills the tables node type -> method name, or NOTHING."""

    EXPRESSIONS: ClassVar[dict[str, str]] = {}
    STATEMENTS: ClassVar[dict[str, str]] = {}
    COMMENTS: ClassVar[frozenset[str]] = frozenset({"comment"})

    def __init__(self, path: str, language: str, raw: bytes) -> None:
        self.raw = raw
        self.module = Module(path, language, [])
        self.depth = 0
        self._methods: dict[str, Callable[[Any], Any]] = {}

    def text(self, node: Any) -> str:
        """The source text of a node."""
        return "" if node is None else self.raw[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def span(self, node: Any) -> Span:
        """The place of a node."""
        start, end = node.start_point, node.end_point
        return (start[0] + 1, start[1], end[0] + 1, end[1])

    def expression(self, node: Any) -> Any:
        """The value form of a node; never None."""
        name = self.EXPRESSIONS.get(node.type)
        if name is None or self.depth > MAX_DEPTH:
            return self._unknown(node)
        self.depth += 1
        try:
            return self._method(name)(node)
        finally:
            self.depth -= 1

    def statements(self, nodes: Any) -> list[Any]:
        """The statements of a list of nodes; comments go to the module."""
        made: list[Any] = []
        for node in nodes:
            if node is None or not node.is_named or node.type in self.COMMENTS:
                continue
            name = self.STATEMENTS.get(node.type)
            if name == NOTHING:
                continue
            if self.depth > MAX_DEPTH:
                self.module.cut = True
                continue
            self.depth += 1
            try:
                said = self._method(name)(node) if name else self.other_statement(node)
            finally:
                self.depth -= 1
            if isinstance(said, list):
                made.extend(said)
            elif said is not None:
                made.append(said)
        return made

    def other_statement(self, node: Any) -> Any:
        """A statement without a row in the table."""
        from remit.code.review.ir import Evaluate

        return Evaluate(self.span(node), self.expression(node))

    def _method(self, name: str) -> Callable[[Any], Any]:
        found = self._methods.get(name)
        if found is None:
            found = self._methods[name] = getattr(self, name)
        return found

    def _unknown(self, node: Any) -> Any:
        if self.depth > MAX_DEPTH:
            self.module.cut = True
            return Opaque(self.span(node), node.type, [])
        self.depth += 1
        try:
            parts = [self.expression(one) for one in node.named_children if one.type not in self.COMMENTS]
        finally:
            self.depth -= 1
        return Opaque(self.span(node), node.type, parts)

    def field(self, node: Any, name: str) -> Any:
        """The expression of a field, None when it is absent."""
        inner = node.child_by_field_name(name)
        return None if inner is None else self.expression(inner)

    def inner(self, node: Any) -> Any:
        """The expression in a node with one child (parentheses)."""
        inner = [one for one in node.named_children if one.type not in self.COMMENTS]
        return self.expression(inner[0]) if inner else Opaque(self.span(node), node.type, [])

    def name(self, node: Any) -> Name:
        """A name."""
        return Name(self.span(node), self.text(node))

    def number(self, node: Any) -> Node:
        """A number."""
        value = number(self.text(node))
        return Opaque(self.span(node), "number", []) if value is None else Const(self.span(node), value)

    def true(self, node: Any) -> Const:
        """True."""
        return Const(self.span(node), True)

    def false(self, node: Any) -> Const:
        """False."""
        return Const(self.span(node), False)

    def none(self, node: Any) -> Const:
        """None, null, nil, undefined."""
        return Const(self.span(node), None)

    def chain(self, node: Any, make: Callable[[str, Any, Any, Span], Any] | None = None) -> Any:
        """A binary operator; a long left-nested chain of them without recursion."""
        rights: list[Any] = []
        left = node
        while left.type == node.type and len(rights) < MAX_CHAIN:
            rights.append(left)
            left = left.child_by_field_name("left")
        made = self.expression(left)
        for one in reversed(rights):
            operator = self.text(one.child_by_field_name("operator"))
            right = self.expression(one.child_by_field_name("right"))
            span = self.span(one)
            made = make(operator, made, right, span) if make else Binary(span, operator, made, right)
        return made

    def collect(self, root: Any) -> None:
        """Comments, and the lines that did not parse."""
        comments: list[tuple[int, str]] = []
        holes: list[int] = []
        rest = [root]
        while rest:
            node = rest.pop()
            if node.type in self.COMMENTS:
                comments.append((node.start_point[0] + 1, self.text(node)))
            elif node.type == "ERROR" or node.is_missing:
                holes.append(node.start_point[0] + 1)
            if node.child_count:
                rest.extend(reversed(node.children))
        self.module.comments = comments
        self.module.holes = holes
