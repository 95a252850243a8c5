"""What JavaScript, Go and Rust trees have in common: calls, members, indexes, operators, blocks."""

from __future__ import annotations

from typing import Any

from remit.code.review.ir import (
    Assign,
    Attr,
    Binary,
    Block,
    BlockValue,
    Call,
    Const,
    Evaluate,
    Index,
    Jump,
    Logic,
    Opaque,
    Return,
    Sequence,
    Span,
    Unary,
    Wrap,
)
from remit.code.review.lowering.shared import Lowering, unescaped

_LOGIC = {"&&": "and", "||": "or", "??": "??", "and": "and", "or": "or"}


class BraceLowering(Lowering):
    """Methods that the three languages share; field names differ, so they are looked up in order."""

    def one_of(self, node: Any, *names: str) -> Any:
        """The first of these fields that is there."""
        for name in names:
            found = node.child_by_field_name(name)
            if found is not None:
                return found
        return None

    def value(self, node: Any) -> Any:
        """An expression, or an Opaque for nothing."""
        return Opaque((0, 0, 0, 0), "", []) if node is None else self.expression(node)

    def binary(self, node: Any) -> Any:
        """An operator with two sides."""
        return self.chain(node, self.operator)

    def operator(self, op: str, left: Any, right: Any, span: Span) -> Any:
        """`&&`, `||`, `??` or another."""
        return Logic(span, _LOGIC[op], left, right) if op in _LOGIC else Binary(span, op, left, right)

    def unary(self, node: Any) -> Any:
        """`!a`, `-a`, `&a`, `*a`, `typeof a`."""
        operand = self.one_of(node, "argument", "operand") or (node.named_children[-1] if node.named_children else None)
        operator = self.text(node.children[0])
        inner = self.value(operand)
        if operator in ("&", "*", "&mut", "<-", "delete", "void"):
            return Wrap(self.span(node), "receive" if operator == "<-" else "ref", inner)
        return Unary(self.span(node), "not" if operator == "!" else operator, inner)

    def member(self, node: Any) -> Attr:
        """`a.b`."""
        owner = self.one_of(node, "object", "operand", "value")
        name = self.one_of(node, "property", "field")
        return Attr(self.span(node), self.value(owner), self.text(name).lstrip("#"))

    def index(self, node: Any) -> Any:
        """`a[b]`."""
        inner = [one for one in node.named_children if one.type not in self.COMMENTS]
        owner = self.one_of(node, "object", "operand") or (inner[0] if inner else None)
        key = node.child_by_field_name("index") or (inner[-1] if len(inner) > 1 else None)
        return Index(self.span(node), self.value(owner), self.value(key))

    def call(self, node: Any) -> Call:
        """`f(a)`."""
        callee = self.one_of(node, "function", "constructor")
        kind = "new" if node.type == "new_expression" else ""
        given = node.child_by_field_name("arguments")
        args: list[Any] = []
        names: list[str] = []
        listed = [] if given is None else [given] if given.type == "template_string" else given.named_children
        for one in listed:
            if one.type in self.COMMENTS:
                continue
            made = self.expression(one)
            spread = isinstance(made, Wrap) and made.kind == "spread"
            args.append(made.operand if spread else made)
            names.append("*" if spread else "")
        return Call(self.span(node), self.value(callee), args, names, kind)

    def assign(self, node: Any) -> Any:
        """`a = b`, `a += b`; as a value, the value of `a` after it."""
        left = node.child_by_field_name("left")
        target = self.expression(left)
        operator = self.text(node.child_by_field_name("operator"))
        if not operator:
            operator = next((self.text(one) for one in node.children if not one.is_named), "=")
        value = self.value(node.child_by_field_name("right"))
        if operator not in ("=", ":="):
            shown = target.items[0] if isinstance(target, Sequence) and len(target.items) == 1 else target
            given = value.items[0] if isinstance(value, Sequence) and len(value.items) == 1 else value
            value = self.operator(operator.removesuffix("="), shown, given, self.span(node))
        return BlockValue(self.span(node), [Assign(self.span(node), [target], value)], target)

    def update(self, node: Any) -> Any:
        """`a++`, `a--`."""
        target = self.value(self.one_of(node, "argument") or (node.named_children[0] if node.named_children else None))
        operator = "-" if "--" in self.text(node) else "+"
        value = Binary(self.span(node), operator, target, Const(self.span(node), 1))
        return BlockValue(self.span(node), [Assign(self.span(node), [target], value)], target)

    def evaluate(self, node: Any) -> Any:
        """An expression statement."""
        inner = [one for one in node.named_children if one.type not in self.COMMENTS]
        if not inner:
            return None
        made = self.expression(inner[0])
        if isinstance(made, BlockValue) and len(made.body) == 1 and inner[0].type not in ("block", "unsafe_block"):
            return made.body[0]
        return Evaluate(self.span(node), made)

    def give(self, node: Any) -> Return:
        """return."""
        inner = [one for one in node.named_children if one.type not in self.COMMENTS]
        if not inner:
            return Return(self.span(node))
        made = self.expression(inner[0])
        if isinstance(made, Sequence) and made.kind == "tuple" and len(made.items) == 1:
            made = made.items[0]
        return Return(self.span(node), made)

    def jump(self, node: Any) -> Jump:
        """break, continue, fallthrough."""
        return Jump(self.span(node), node.type.partition("_")[0])

    def block(self, node: Any) -> Block:
        """A block of its own."""
        return Block(self.span(node), "", self.statements(self.inside(node)))

    def inside(self, node: Any) -> list[Any]:
        """The statements of a block, through Go's statement_list."""
        if node is None:
            return []
        made: list[Any] = []
        for one in node.children:
            if one.type == "statement_list":
                made.extend(one.children)
            else:
                made.append(one)
        return made

    def body_of(self, node: Any) -> list[Any]:
        """The statements of a block or of one statement."""
        if node is None:
            return []
        if node.type in ("statement_block", "block", "class_body", "declaration_list"):
            return self.statements(self.inside(node))
        return self.statements([node])

    def broken(self, node: Any) -> Block:
        """What could not be parsed: the statements in it that could."""
        return Block(self.span(node), "broken", self.statements(node.children))

    def quoted(self, node: Any) -> Const:
        """A plain string."""
        said = self.text(node)
        return Const(self.span(node), unescaped(said[1:-1]) if len(said) > 1 else "")

    def doc_before(self, node: Any, *marks: str) -> str:
        """The documentation comment just above a node."""
        lines: list[str] = []
        before = node.prev_sibling
        line = node.start_point[0]
        while before is not None and before.type in (*self.COMMENTS, "attribute_item", "decorator"):
            if before.type in self.COMMENTS:
                text = self.text(before)
                if (before.end_point[0] + 1 < line and not text.endswith("\n")) or not text.startswith(marks):
                    break
                lines.append(text)
            line = before.start_point[0]
            before = before.prev_sibling
        return "\n".join(reversed(lines))
