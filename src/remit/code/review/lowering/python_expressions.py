"""Python expressions to the program form."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from remit.code.review.ir import (
    Assign,
    Attr,
    Binary,
    Call,
    Choice,
    Comprehension,
    Const,
    Function,
    Index,
    Lambda,
    Logic,
    Mapping,
    Opaque,
    Parameter,
    Sequence,
    Slice,
    Text,
    Unary,
    Wrap,
)
from remit.code.review.lowering.shared import Lowering, unescaped

_SKIPPED: Final = ("comment", "line_continuation", ":", ",")


class PythonExpressions(Lowering):
    """Values: literals, displays, operators, calls, functions as values."""

    EXPRESSIONS: ClassVar[dict[str, str]] = {
        "identifier": "name", "integer": "number", "float": "number", "true": "true", "false": "false",
        "none": "none", "string": "string", "concatenated_string": "strings", "attribute": "attribute",
        "subscript": "subscript", "slice": "slice", "call": "call", "binary_operator": "chain",
        "comparison_operator": "comparison", "boolean_operator": "logic", "not_operator": "negation",
        "unary_operator": "unary", "conditional_expression": "choice", "parenthesized_expression": "inner",
        "list": "sequence", "tuple": "sequence", "set": "sequence", "expression_list": "sequence",
        "pattern_list": "sequence", "tuple_pattern": "sequence", "list_pattern": "sequence",
        "dictionary": "mapping", "list_comprehension": "comprehension", "set_comprehension": "comprehension",
        "dictionary_comprehension": "comprehension", "generator_expression": "comprehension", "lambda": "function",
        "await": "awaited", "yield": "yielded", "list_splat": "spread", "list_splat_pattern": "spread",
        "dictionary_splat": "spread", "named_expression": "walrus", "as_pattern": "inner", "type": "inner",
        "interpolation": "interpolation", "as_pattern_target": "inner", "keyword_argument": "keyword",
    }  # fmt: skip

    def string(self, node: Any) -> Any:
        """A string: a constant, or a text of parts."""
        prefix = self.text(node.children[0]).lower().rstrip("\"'") if node.children else ""
        parts: list[Any] = []
        plain = ""
        for one in node.children[1:-1]:
            if one.type == "interpolation":
                if plain:
                    parts.append(Const(self.span(one), plain))
                    plain = ""
                parts.append(self.expression(one))
            else:
                said = self.text(one)
                if "f" in prefix:
                    said = said.replace("{{", "{").replace("}}", "}")
                plain += said if "r" in prefix else unescaped(said)
        if parts:
            return Text(self.span(node), [*parts, Const(self.span(node), plain)] if plain else parts)
        value = plain.encode("utf-8", "surrogateescape") if "b" in prefix else plain
        return Const(self.span(node), value)

    def interpolation(self, node: Any) -> Any:
        """`{x!r:>3}`."""
        inner = node.child_by_field_name("expression")
        return self.expression(inner) if inner is not None else self.inner(node)

    def strings(self, node: Any) -> Any:
        """Adjacent strings."""
        parts: list[Any] = []
        for one in node.named_children:
            if one.type in _SKIPPED:
                continue
            made = self.expression(one)
            parts.extend(made.parts if isinstance(made, Text) else [made])
        if all(isinstance(one, Const) for one in parts):
            values = [one.value for one in parts]
            if all(isinstance(value, str) for value in values):
                return Const(self.span(node), "".join(values))
            return Const(self.span(node), b"".join(v for v in values if isinstance(v, bytes)))
        return Text(self.span(node), parts)

    def attribute(self, node: Any) -> Attr:
        """`a.b`."""
        return Attr(self.span(node), self.field(node, "object"), self.text(node.child_by_field_name("attribute")))

    def subscript(self, node: Any) -> Index:
        """`a[b]`, `a[b, c]`."""
        keys = [self.expression(one) for one in node.children_by_field_name("subscript")]
        key = keys[0] if len(keys) == 1 else Sequence(self.span(node), "tuple", keys)
        return Index(self.span(node), self.field(node, "value"), key)

    def slice(self, node: Any) -> Slice:
        """`a:b:c`."""
        parts: list[Any] = [None]
        for one in node.children:
            if one.type == ":":
                parts.append(None)
            elif one.is_named:
                parts[-1] = self.expression(one)
        return Slice(self.span(node), tuple(parts))

    def call(self, node: Any) -> Call:
        """`f(a, *b, c=d)`."""
        args: list[Any] = []
        names: list[str] = []
        given = node.child_by_field_name("arguments")
        listed = given.named_children if given is not None and given.type == "argument_list" else [given]
        for one in listed:
            if one is None or one.type in _SKIPPED:
                continue
            if one.type == "keyword_argument":
                names.append(self.text(one.child_by_field_name("name")))
                args.append(self.field(one, "value"))
            else:
                names.append({"list_splat": "*", "dictionary_splat": "**"}.get(one.type, ""))
                args.append(self.inner(one) if names[-1] else self.expression(one))
        return Call(self.span(node), self.field(node, "function"), args, names)

    def keyword(self, node: Any) -> Any:
        """`c=d` outside a call (class keywords)."""
        return self.field(node, "value")

    def comparison(self, node: Any) -> Any:
        """`a < b <= c` as a chain of `and`."""
        sides: list[Any] = []
        operators: list[str] = []
        word = ""
        for one in node.children:
            if one.type == "comment":
                continue
            if not one.is_named:
                word = f"{word} {self.text(one)}".strip()
                continue
            if sides:
                operators.append(" ".join(word.split()))
                word = ""
            sides.append(self.expression(one))
        span = self.span(node)
        made: Any = None
        for at, operator in enumerate(operators):
            step = Binary(span, operator, sides[at], sides[at + 1])
            made = step if made is None else Logic(span, "and", made, step)
        return made if made is not None else Opaque(span, "comparison", sides)

    def logic(self, node: Any) -> Any:
        """`a and b`."""
        return self.chain(node, lambda op, left, right, span: Logic(span, op, left, right))

    def negation(self, node: Any) -> Unary:
        """`not a`."""
        return Unary(self.span(node), "not", self.field(node, "argument"))

    def unary(self, node: Any) -> Unary:
        """`-a`."""
        return Unary(self.span(node), self.text(node.child_by_field_name("operator")), self.field(node, "argument"))

    def choice(self, node: Any) -> Choice:
        """`a if b else c`."""
        inner = [self.expression(one) for one in node.named_children if one.type != "comment"]
        if len(inner) != 3:
            return Choice(self.span(node), Opaque(self.span(node), "", []), inner[0], inner[-1])
        return Choice(self.span(node), inner[1], inner[0], inner[2])

    def sequence(self, node: Any) -> Sequence:
        """Displays and patterns."""
        kind = node.type if node.type in ("list", "set") else "list" if node.type == "list_pattern" else "tuple"
        items = [self.expression(one) for one in node.named_children if one.type not in _SKIPPED]
        return Sequence(self.span(node), kind, items)

    def mapping(self, node: Any) -> Mapping:
        """`{a: b, **c}`."""
        keys: list[Any] = []
        values: list[Any] = []
        for one in node.named_children:
            if one.type == "pair":
                keys.append(self.field(one, "key"))
                values.append(self.field(one, "value"))
            elif one.type == "dictionary_splat":
                keys.append(None)
                values.append(self.inner(one))
        return Mapping(self.span(node), keys, values)

    def comprehension(self, node: Any) -> Comprehension:
        """All four kinds."""
        body = node.child_by_field_name("body")
        key = None
        if body.type == "pair":
            key, element = self.field(body, "key"), self.field(body, "value")
        else:
            element = self.expression(body)
        clauses: list[tuple[Any, Any, list[Any]]] = []
        for one in node.named_children:
            if one.type == "for_in_clause":
                clauses.append((self.field(one, "left"), self.field(one, "right"), []))
            elif one.type == "if_clause" and clauses:
                clauses[-1][2].append(self.inner(one))
        return Comprehension(self.span(node), node.type.partition("_")[0], element, key, clauses)

    def awaited(self, node: Any) -> Wrap:
        """`await a`."""
        return Wrap(self.span(node), "await", self.inner(node))

    def yielded(self, node: Any) -> Wrap:
        """`yield a`."""
        return Wrap(self.span(node), "yield", self.inner(node))

    def spread(self, node: Any) -> Wrap:
        """`*a`."""
        return Wrap(self.span(node), "spread", self.inner(node))

    def walrus(self, node: Any) -> Any:
        """`(a := b)`."""
        from remit.code.review.ir import BlockValue

        target = self.field(node, "name")
        value = Assign(self.span(node), [target], self.field(node, "value"))
        return BlockValue(self.span(node), [value], target)

    def function(self, node: Any) -> Lambda:
        """`lambda a: b`."""
        made = Function(self.span(node), "<lambda>", self.parameters(node.child_by_field_name("parameters")), [],
                        kind="lambda", value=self.field(node, "body"))  # fmt: skip
        return Lambda(self.span(node), made)

    def parameters(self, node: Any) -> list[Parameter]:
        """The parameters of a function."""
        made: list[Parameter] = []
        for one in node.named_children if node is not None else ():
            name = one.child_by_field_name("name")
            kind = ""
            if name is None:
                name = one.named_children[0] if one.type in ("typed_parameter", "tuple_pattern") else one
            if name.type in ("list_splat_pattern", "dictionary_splat_pattern"):
                kind = "*" if name.type.startswith("list") else "**"
                name = name.named_children[0] if name.named_children else name
            if name.type == "identifier":
                made.append(Parameter(self.text(name), self.field(one, "value"),
                                      self.text(one.child_by_field_name("type")), kind))  # fmt: skip
        return made
