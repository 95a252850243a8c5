"""Expressions, patterns and types of Rust as plain lists."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Final

from remit.code.graph.rust.facts import UNKNOWN

MAX_DEPTH: Final = 100
MAX_MACRO: Final = 20_000
"""Bytes of a macro's call that are read as arguments."""
MAX_NESTED_MACROS: Final = 4


def text(node: Any) -> str:
    """The source of a node."""
    return node.text.decode("utf-8", "replace") if node is not None else ""


def named(node: Any) -> list[Any]:
    """Children without comments."""
    if node is None:
        return []
    return [c for c in node.named_children if c.type not in ("line_comment", "block_comment")]


class Expressions(ABC):
    """Lowers expressions; items are the other half."""

    module = ""
    outer = ""

    def __init__(self, parser: Any) -> None:
        self.parser = parser
        self.deep = 0
        self.macros = 0
        self.first_line = 0

    @abstractmethod
    def item(self, node: Any) -> bool:
        """Lower an item that stands in a block."""

    def line(self, node: Any) -> int:
        """The line from 1."""
        return int(node.start_point[0]) + 1 + self.first_line

    def type_of(self, node: Any) -> list[Any]:
        """A type."""
        if node is None:
            return UNKNOWN
        method = getattr(self, "_k_" + node.type, None)
        return list(method(node)) if method is not None else UNKNOWN

    def _k_reference_type(self, node: Any) -> list[Any]:
        return self.type_of(node.child_by_field_name("type"))

    _k_pointer_type = _k_reference_type

    def _k_type_identifier(self, node: Any) -> list[Any]:
        return ["p", self._segments(node), []]

    _k_scoped_type_identifier = _k_type_identifier
    _k_primitive_type = _k_type_identifier
    _k_identifier = _k_type_identifier
    _k_scoped_identifier = _k_type_identifier

    def _k_dynamic_type(self, node: Any) -> list[Any]:
        return self._bounded(node.child_by_field_name("trait"))

    _k_abstract_type = _k_dynamic_type

    def _k_bounded_type(self, node: Any) -> list[Any]:
        return self._bounded(node)

    def _k_tuple_type(self, node: Any) -> list[Any]:
        return ["tuple", [self.type_of(one) for one in named(node)]]

    _k_unit_type = _k_tuple_type

    def _k_array_type(self, node: Any) -> list[Any]:
        return ["[]", self.type_of(node.child_by_field_name("element") or named(node)[0])]

    _k_slice_type = _k_array_type

    def _k_function_type(self, node: Any) -> list[Any]:
        return ["fn", self.type_of(node.child_by_field_name("return_type"))]

    def _k_parenthesized_type(self, node: Any) -> list[Any]:
        return self.type_of(named(node)[-1]) if named(node) else UNKNOWN

    _k_higher_ranked_trait_bound = _k_parenthesized_type
    _k_removed_trait_bound = _k_parenthesized_type

    def _k_bracketed_type(self, node: Any) -> list[Any]:
        inner = named(node)[0]
        return self.type_of(inner.child_by_field_name("type") if inner.type == "qualified_type" else inner)

    def _k_generic_type(self, node: Any) -> list[Any]:
        arguments = [self.type_of(one) for one in named(node.child_by_field_name("type_arguments"))
                     if one.type not in ("lifetime", "type_binding")]  # fmt: skip
        return ["p", self._segments(node.child_by_field_name("type")), arguments]

    _k_generic_type_with_turbofish = _k_generic_type

    def _bounded(self, node: Any) -> list[Any]:
        bounds = [node] if node is not None and node.type != "bounded_type" else named(node)
        made = [self.type_of(one) for one in bounds if one.type != "lifetime"]
        if any(one[0] == "fn" for one in made):
            return next(one for one in made if one[0] == "fn")
        return ["dyn", [m for one in made for m in (one[1] if one[0] == "dyn" else [one]) if m[0] == "p"]]

    def _segments(self, node: Any) -> list[str]:
        if node is None:
            return []
        if node.type in ("scoped_type_identifier", "scoped_identifier"):
            path = node.child_by_field_name("path")
            if path is not None and path.type == "bracketed_type":
                kind = self.type_of(path)
                return [*(kind[1] if kind[0] == "p" else ["?"]), text(node.child_by_field_name("name"))]
            return [*self._segments(path), text(node.child_by_field_name("name"))]
        if node.type in ("generic_type", "generic_type_with_turbofish"):
            return self._segments(node.child_by_field_name("type"))
        return text(node).split("::")

    def pattern(self, node: Any) -> list[Any]:
        """A pattern: ["bind", name], ["tuple" or "slice" or "or", patterns], ["struct", path, {field: pattern}] or
        ["ts", path, patterns]; ["_"] binds nothing."""
        method = getattr(self, "_p_" + node.type, None) if node is not None else None
        return list(method(node)) if method is not None else ["_"]

    def _p_identifier(self, node: Any) -> list[Any]:
        return ["bind", text(node)]

    _p_shorthand_field_identifier = _p_identifier
    _p_self = _p_identifier

    def _p_ref_pattern(self, node: Any) -> list[Any]:
        inner = [c for c in named(node) if c.type != "mutable_specifier"]
        return self.pattern(inner[0]) if inner else ["_"]

    _p_mut_pattern = _p_ref_pattern
    _p_reference_pattern = _p_ref_pattern
    _p_match_pattern = _p_ref_pattern

    def _p_captured_pattern(self, node: Any) -> list[Any]:
        return ["bind", text(named(node)[0])]

    def _p_tuple_pattern(self, node: Any) -> list[Any]:
        return [node.type.removesuffix("_pattern"), [self.pattern(c) for c in named(node)]]

    _p_slice_pattern = _p_tuple_pattern
    _p_or_pattern = _p_tuple_pattern

    def _p_tuple_struct_pattern(self, node: Any) -> list[Any]:
        kinds = node.child_by_field_name("type")
        return ["ts", self._segments(kinds), [self.pattern(c) for c in named(node) if c != kinds]]

    def _p_struct_pattern(self, node: Any) -> list[Any]:
        fields = {}
        for one in named(node):
            if one.type == "field_pattern":
                inner = one.child_by_field_name("pattern")
                name = text(one.child_by_field_name("name")).removeprefix("ref ").removeprefix("mut ")
                fields[name] = self.pattern(inner) if inner is not None else ["bind", name]
        return ["struct", self._segments(node.child_by_field_name("type")), fields]

    def block(self, node: Any) -> list[Any]:
        """["block", statements]: ["let", pattern, type, value, else], ["e", expression, is the value]."""
        made: list[Any] = []
        children = named(node)
        for child in children:
            if child.type == "let_declaration":
                value, other = child.child_by_field_name("value"), child.child_by_field_name("alternative")
                kind = child.child_by_field_name("type")
                made.append(["let", self.pattern(child.child_by_field_name("pattern")),
                             self.type_of(kind) if kind is not None else None,
                             self.expression(value) if value is not None else None,
                             self.block(other) if other is not None else None])  # fmt: skip
            elif child.type == "expression_statement":
                inner = named(child)[0]
                made.append(["e", self.expression(inner), not text(child).endswith(";") and child == children[-1]])
            elif child.type not in ("label", "empty_statement") and not self.item(child):
                made.append(["e", self.expression(child), child == children[-1]])
        return ["block", made]

    def expression(self, node: Any) -> list[Any]:
        """An expression."""
        if node is None:
            return ["many", []]
        self.deep += 1
        if self.deep > MAX_DEPTH:
            self.deep = 0
            raise RecursionError
        method = getattr(self, "_e_" + node.type, None)
        made: list[Any]
        if method is not None:
            made = method(node)
        elif node.type.endswith("_literal"):
            made = ["lit", node.type]
        else:
            made = ["many", [self.expression(c) for c in named(node)]]
        self.deep -= 1
        return made

    def _all(self, node: Any) -> list[Any]:
        return [self.expression(c) for c in named(node) if c.type != "attribute_item"]

    def _e_identifier(self, node: Any) -> list[Any]:
        return ["id", [text(node)], [], self.line(node)]

    _e_self = _e_identifier

    def _e_scoped_identifier(self, node: Any) -> list[Any]:
        return ["id", self._segments(node), [], self.line(node)]

    def _e_generic_function(self, node: Any) -> list[Any]:
        inner = self.expression(node.child_by_field_name("function"))
        given = [self.type_of(c) for c in named(node.child_by_field_name("type_arguments"))]
        return [*inner[:2], given, *inner[3:]] if inner[0] == "id" else inner

    def _e_call_expression(self, node: Any) -> list[Any]:
        callee = node.child_by_field_name("function")
        given, turbofish = self._all(node.child_by_field_name("arguments")), []
        if callee.type == "generic_function":
            inner = callee.child_by_field_name("function")
            if inner.type == "field_expression":
                turbofish = [self.type_of(c) for c in named(callee.child_by_field_name("type_arguments"))]
                callee = inner
        if callee.type == "field_expression":
            field = callee.child_by_field_name("field")
            return ["method", self.expression(callee.child_by_field_name("value")), text(field), given,
                    self.line(field), turbofish]  # fmt: skip
        return ["call", self.expression(callee), given, self.line(node)]

    def _e_field_expression(self, node: Any) -> list[Any]:
        return ["field", self.expression(node.child_by_field_name("value")), text(node.child_by_field_name("field"))]

    def _last(self, node: Any) -> list[Any]:
        inner = [c for c in named(node) if c.type != "mutable_specifier"]
        return self.expression(inner[-1]) if inner else ["many", []]

    _e_reference_expression = _last
    _e_parenthesized_expression = _last
    _e_unary_expression = _last

    def _e_try_expression(self, node: Any) -> list[Any]:
        return ["unwrap", self._last(node)]

    def _e_await_expression(self, node: Any) -> list[Any]:
        return self._last(node)

    def _e_type_cast_expression(self, node: Any) -> list[Any]:
        return ["cast", self.expression(node.child_by_field_name("value")),
                self.type_of(node.child_by_field_name("type"))]  # fmt: skip

    def _e_index_expression(self, node: Any) -> list[Any]:
        return ["index", self._all(node)]

    def _e_tuple_expression(self, node: Any) -> list[Any]:
        return ["tuple", self._all(node)]

    def _e_array_expression(self, node: Any) -> list[Any]:
        return ["array", self._all(node)]

    def _e_binary_expression(self, node: Any) -> list[Any]:
        chain = [node]
        while chain[-1].child_by_field_name("left").type == "binary_expression":
            chain.append(chain[-1].child_by_field_name("left"))
        parts = [self.expression(chain[-1].child_by_field_name("left"))]
        parts += [self.expression(one.child_by_field_name("right")) for one in reversed(chain)]
        return ["operator", text(node.child_by_field_name("operator")), parts, self.line(node)]

    def _e_assignment_expression(self, node: Any) -> list[Any]:
        return ["set", self.expression(node.child_by_field_name("left")),
                self.expression(node.child_by_field_name("right"))]  # fmt: skip

    def _e_struct_expression(self, node: Any) -> list[Any]:
        fields = []
        for one in named(node.child_by_field_name("body")):
            if one.type == "shorthand_field_initializer":
                fields.append(self.expression(named(one)[-1]))
            elif one.type == "field_initializer":
                fields.append(self.expression(one.child_by_field_name("value")))
            else:
                fields.append(self._last(one))
        return ["struct", self.type_of(node.child_by_field_name("name")), fields]

    def _e_closure_expression(self, node: Any) -> list[Any]:
        params = []
        for one in named(node.child_by_field_name("parameters")):
            if one.type == "parameter":
                params.append([self.pattern(one.child_by_field_name("pattern")),
                               self.type_of(one.child_by_field_name("type"))])  # fmt: skip
            else:
                params.append([self.pattern(one), UNKNOWN])
        return ["closure", params, self.expression(node.child_by_field_name("body"))]

    def _e_block(self, node: Any) -> list[Any]:
        return self.block(node)

    def _e_unsafe_block(self, node: Any) -> list[Any]:
        return self.block(named(node)[-1])

    _e_async_block = _e_unsafe_block
    _e_const_block = _e_unsafe_block

    def _e_if_expression(self, node: Any) -> list[Any]:
        other = node.child_by_field_name("alternative")
        return ["if", self.expression(node.child_by_field_name("condition")),
                self.block(node.child_by_field_name("consequence")),
                self.expression(named(other)[0]) if other is not None else None]  # fmt: skip

    def _e_let_condition(self, node: Any) -> list[Any]:
        return ["is", self.pattern(node.child_by_field_name("pattern")),
                self.expression(node.child_by_field_name("value"))]  # fmt: skip

    def _e_match_expression(self, node: Any) -> list[Any]:
        arms = []
        for arm in named(node.child_by_field_name("body")):
            if arm.type == "match_arm":
                pattern = arm.child_by_field_name("pattern")
                guard = pattern.child_by_field_name("condition") if pattern is not None else None
                arms.append([self.pattern(pattern), self.expression(guard) if guard is not None else None,
                             self.expression(arm.child_by_field_name("value"))])  # fmt: skip
        return ["match", self.expression(node.child_by_field_name("value")), arms]

    def _e_for_expression(self, node: Any) -> list[Any]:
        pattern, value = node.child_by_field_name("pattern"), node.child_by_field_name("value")
        return ["for", self.pattern(pattern), self.expression(value), self.block(node.child_by_field_name("body"))]

    def _e_while_expression(self, node: Any) -> list[Any]:
        return ["if", self.expression(node.child_by_field_name("condition")),
                self.block(node.child_by_field_name("body")), None]  # fmt: skip

    def _e_loop_expression(self, node: Any) -> list[Any]:
        return self.block(node.child_by_field_name("body"))

    def _e_return_expression(self, node: Any) -> list[Any]:
        return ["ret", self._last(node)]

    def _e_macro_invocation(self, node: Any) -> list[Any]:
        """The tokens of a macro's call, read as arguments where they are some."""
        name = text(node.child_by_field_name("macro"))
        tokens = next((c for c in node.named_children if c.type == "token_tree"), None)
        raw = tokens.text[1:-1] if tokens is not None else b""
        given: list[Any] = []
        if raw.strip() and len(raw) <= MAX_MACRO and self.macros < MAX_NESTED_MACROS:
            self.macros += 1
            before, self.first_line = self.first_line, self.line(tokens) - 1
            given = self._parsed(raw)
            self.first_line = before
            self.macros -= 1
        return ["macro", name, given]

    def _parsed(self, raw: bytes) -> list[Any]:
        raw = raw.replace(b"=>", b",") if b"=>" in raw and b"match" not in raw else raw
        for before, after in ((b"fn m(){m(", b");}"), (b"fn m(){", b"}")):
            root = self.parser.parse(before + raw + after).root_node
            if not root.has_error:
                body = root.named_children[0].child_by_field_name("body")
                return [self.block(body)]
        return []
