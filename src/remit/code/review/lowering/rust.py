"""Rust trees to the program form."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from remit.code.review.ir import (
    Arm,
    Assign,
    Attr,
    Block,
    BlockValue,
    Call,
    Cast,
    Class,
    Const,
    Define,
    Evaluate,
    Function,
    If,
    Import,
    Lambda,
    Loop,
    Mapping,
    Match,
    Module,
    Name,
    Opaque,
    Parameter,
    Return,
    Sequence,
    Wrap,
)
from remit.code.review.lowering.rust_macros import MacroLowering
from remit.code.review.lowering.shared import unescaped


def lower(path: str, raw: bytes, tree: Any) -> Module:
    """The program form of one Rust file."""
    one = RustLowering(path, "rust", raw)
    one.collect(tree.root_node)
    one.module.body = one.statements(tree.root_node.children)
    one.module.doc = "\n".join(text for _, text in one.module.comments if text.startswith("//!"))
    return one.module


class RustLowering(MacroLowering):
    """The tables and methods for Rust."""

    COMMENTS: ClassVar[frozenset[str]] = frozenset({"line_comment", "block_comment"})
    EXPRESSIONS: ClassVar[dict[str, str]] = {
        "identifier": "name", "field_identifier": "name", "type_identifier": "name", "self": "name",
        "shorthand_field_identifier": "name", "integer_literal": "number", "float_literal": "number",
        "boolean_literal": "boolean", "string_literal": "string", "raw_string_literal": "raw_string",
        "char_literal": "string", "field_expression": "member", "index_expression": "index",
        "call_expression": "call", "binary_expression": "binary", "unary_expression": "unary",
        "reference_expression": "reference", "parenthesized_expression": "inner", "tuple_expression": "tuple_value",
        "array_expression": "tuple_value", "scoped_identifier": "path", "scoped_type_identifier": "path",
        "generic_function": "generic", "generic_type": "generic_type", "macro_invocation": "macro",
        "closure_expression": "closure", "await_expression": "awaited", "try_expression": "tried",
        "type_cast_expression": "cast", "struct_expression": "struct", "if_expression": "branch_value",
        "match_expression": "match_value", "block": "block_value", "unsafe_block": "block_value",
        "async_block": "block_value", "assignment_expression": "assign", "compound_assignment_expr": "assign",
        "return_expression": "returned", "break_expression": "jumped", "continue_expression": "jumped",
        "loop_expression": "looped", "while_expression": "looped", "for_expression": "looped",
        "range_expression": "range", "let_condition": "condition", "tuple_pattern": "tuple_value",
        "tuple_struct_pattern": "unwrapped", "reference_pattern": "inner", "ref_pattern": "inner",
        "mut_pattern": "inner", "captured_pattern": "inner", "let_chain": "let_chain",
        "bracketed_type": "inner", "crate": "name", "super": "name",
    }  # fmt: skip
    STATEMENTS: ClassVar[dict[str, str]] = {
        "expression_statement": "evaluate", "let_declaration": "let", "function_item": "define",
        "function_signature_item": "define", "struct_item": "types", "enum_item": "types", "trait_item": "trait",
        "impl_item": "implementation", "mod_item": "inner_module", "use_declaration": "uses", "const_item": "constant",
        "static_item": "constant", "empty_statement": "nothing", "attribute_item": "nothing",
        "inner_attribute_item": "nothing", "macro_definition": "nothing", "type_item": "nothing",
        "extern_crate_declaration": "nothing", "union_item": "types", "foreign_mod_item": "nothing",
        "associated_type": "nothing", "ERROR": "broken", "visibility_modifier": "nothing",
    }  # fmt: skip

    def boolean(self, node: Any) -> Const:
        """true, false."""
        return Const(self.span(node), self.text(node) == "true")

    def string(self, node: Any) -> Const:
        """\"text\", 'c', b\"bytes\"."""
        return Const(self.span(node), unescaped(self.text(node).lstrip("bc")[1:-1]))

    def raw_string(self, node: Any) -> Const:
        """r#\"text\"#."""
        return Const(self.span(node), self.text(node).lstrip("bcr").strip("#")[1:-1])

    def reference(self, node: Any) -> Wrap:
        """`&a`."""
        return Wrap(self.span(node), "ref", self.field(node, "value"))

    def tuple_value(self, node: Any) -> Sequence:
        """`(a, b)`, `[a, b]`."""
        items = [self.expression(one) for one in node.named_children if one.type not in self.COMMENTS]
        return Sequence(self.span(node), "tuple" if node.type.startswith("tuple") else "list", items)

    def path(self, node: Any) -> Any:
        """`a::b`."""
        owner = node.child_by_field_name("path")
        name = self.text(node.child_by_field_name("name"))
        return Name(self.span(node), name) if owner is None else Attr(self.span(node), self.expression(owner), name)

    def generic(self, node: Any) -> Any:
        """`f::<T>`."""
        return self.field(node, "function")

    def generic_type(self, node: Any) -> Any:
        """`T<U>`."""
        return self.field(node, "type")

    def closure(self, node: Any) -> Lambda:
        """`|a| b`."""
        params = [Parameter(self.text(one.child_by_field_name("pattern") or one).removeprefix("mut "), None,
                            self.text(one.child_by_field_name("type")))
                  for one in (node.child_by_field_name("parameters").named_children
                              if node.child_by_field_name("parameters") is not None else ())]  # fmt: skip
        body = node.child_by_field_name("body")
        made = Function(self.span(node), "<lambda>", params, [], kind="lambda", value=self.value(body))
        return Lambda(self.span(node), made)

    def awaited(self, node: Any) -> Wrap:
        """`a.await`."""
        return Wrap(self.span(node), "await", self.inner(node))

    def tried(self, node: Any) -> Wrap:
        """`a?`."""
        return Wrap(self.span(node), "try", self.inner(node))

    def cast(self, node: Any) -> Cast:
        """`a as T`."""
        return Cast(self.span(node), self.text(node.child_by_field_name("type")), self.field(node, "value"))

    def struct(self, node: Any) -> Mapping:
        """`T { a: b, c, ..d }`."""
        keys: list[Any] = []
        values: list[Any] = []
        body = node.child_by_field_name("body")
        for one in body.named_children if body is not None else ():
            if one.type == "field_initializer":
                field = one.child_by_field_name("field")
                keys.append(Const(self.span(field), self.text(field)))
                values.append(self.field(one, "value"))
            elif one.type == "shorthand_field_initializer":
                keys.append(Const(self.span(one), self.text(one)))
                values.append(self.expression(one.named_children[-1]))
            elif one.type == "base_field_initializer":
                keys.append(None)
                values.append(self.inner(one))
        return Mapping(self.span(node), keys, values, self.field(node, "name"))

    def branch_value(self, node: Any) -> If:
        """if, if let."""
        condition = node.child_by_field_name("condition")
        before = self.bindings(condition)
        other = node.child_by_field_name("alternative")
        inner = other.named_children[0] if other is not None and other.named_children else None
        end: list[Any] = []
        if inner is not None and inner.type == "if_expression":
            chained = self.branch_value(inner)
            chained.chained = True
            end = [chained]
        elif inner is not None:
            end = self.body_of(inner)
        return If(
            self.span(node),
            self.value(condition),
            [*before, *self.body_of(node.child_by_field_name("consequence"))],
            end,
        )

    def bindings(self, condition: Any) -> list[Assign]:
        """What `if let P = v` binds."""
        if condition is None or condition.type != "let_condition":
            return []
        pattern = self.value(condition.child_by_field_name("pattern"))
        return [Assign(self.span(condition), [pattern], self.field(condition, "value"), True)]

    def condition(self, node: Any) -> Opaque:
        """`let P = v` as a test."""
        return Opaque(self.span(node), "let", [self.field(node, "value")])

    def let_chain(self, node: Any) -> Opaque:
        """`let P = v && c`."""
        return Opaque(self.span(node), "let", [self.expression(one) for one in node.named_children])

    def unwrapped(self, node: Any) -> Any:
        """`Some(a)` as a pattern: a; several as a tuple."""
        inner = [self.expression(one) for one in node.named_children[1:] if one.type not in self.COMMENTS]
        return inner[0] if len(inner) == 1 else Sequence(self.span(node), "tuple", inner)

    def match_value(self, node: Any) -> Match:
        """match."""
        arms = []
        body = node.child_by_field_name("body")
        for one in body.named_children if body is not None else ():
            if one.type != "match_arm":
                continue
            patterns, binds, guard = self.arm_pattern(one.child_by_field_name("pattern"))
            value = one.child_by_field_name("value")
            inner = self.body_of(value) if value is not None and value.type == "block" else \
                [self.lone(value)] if value is not None else []  # fmt: skip
            arms.append(Arm(self.span(one), patterns, binds, guard, inner))
        return Match(self.span(node), self.field(node, "value"), arms)

    def lone(self, node: Any) -> Any:
        """An expression as the only statement of an arm."""
        made = self.expression(node)
        if isinstance(made, BlockValue) and len(made.body) == 1 and made.value is None:
            return made.body[0]
        return Evaluate(self.span(node), made)

    def arm_pattern(self, node: Any) -> tuple[list[Any], list[str], Any]:
        """(values that a pattern names, names it binds, guard)."""
        if node is None:
            return [], [], None
        condition = node.child_by_field_name("condition")
        guard = self.expression(condition) if condition is not None else None
        inner = node.named_children[0] if node.named_children else None
        if inner is None or self.text(node) == "_":
            return [], [], guard
        if inner.type == "identifier" and self.text(inner)[:1].islower():
            return [], [self.text(inner)], guard
        listed = inner.named_children if inner.type == "or_pattern" else [inner]
        values: list[Any] = []
        binds: list[str] = []
        for one in listed:
            if one.type in (
                "string_literal",
                "integer_literal",
                "boolean_literal",
                "char_literal",
                "raw_string_literal",
            ):
                values.append(self.expression(one))
                continue
            values.append(Opaque(self.span(one), "pattern", []))
            rest = [one]
            while rest:
                part = rest.pop()
                if part.type == "identifier" and self.text(part)[:1].islower():
                    binds.append(self.text(part))
                rest.extend(part.named_children)
        return values, binds, guard

    def block_value(self, node: Any) -> Any:
        """A block as a value."""
        inside = (
            next((one for one in node.named_children if one.type == "block"), node) if node.type != "block" else node
        )
        body = self.statements(inside.children)
        kind = node.type.removesuffix("_block")
        if kind == "unsafe":
            return BlockValue(self.span(node), [Block(self.span(node), "unsafe", body)], None)
        value = body.pop().value if body and isinstance(body[-1],
            Evaluate) and not self.text(inside).rstrip("} \n").endswith(";") \
            else None  # fmt: skip
        return BlockValue(self.span(node), body, value)

    def returned(self, node: Any) -> BlockValue:
        """`return a`."""
        inner = [one for one in node.named_children if one.type not in self.COMMENTS]
        value = self.expression(inner[0]) if inner else None
        return BlockValue(self.span(node), [Return(self.span(node), value)], None)

    def jumped(self, node: Any) -> BlockValue:
        """break, continue."""
        return BlockValue(self.span(node), [self.jump(node)], None)

    def looped(self, node: Any) -> BlockValue:
        """loop, while, for."""
        body = self.body_of(node.child_by_field_name("body"))
        condition = node.child_by_field_name("condition")
        target = self.field(node, "pattern") if node.type == "for_expression" else None
        iterable = self.field(node, "value") if node.type == "for_expression" else None
        test = self.expression(condition) if condition is not None else None
        made = Loop(self.span(node), target, iterable, test, [*self.bindings(condition), *body], [], [])
        return BlockValue(self.span(node), [made], None)

    def range(self, node: Any) -> Call:
        """`a..b`, `a..=b`."""
        operator = "..=" if "..=" in [self.text(one) for one in node.children] else ".."
        args = [self.expression(one) for one in node.named_children]
        return Call(self.span(node), Name(self.span(node), operator), args, [""] * len(args), "range")

    def let(self, node: Any) -> Any:
        """let, let else."""
        target = self.value(node.child_by_field_name("pattern"))
        value = node.child_by_field_name("value")
        return Assign(self.span(node), [target], None if value is None else self.expression(value), True,
                      self.text(node.child_by_field_name("type")))  # fmt: skip

    def constant(self, node: Any) -> Assign:
        """const, static."""
        value = node.child_by_field_name("value")
        return Assign(self.span(node), [self.field(node, "name")],
        None if value is None else self.expression(value), True,
                      self.text(node.child_by_field_name("type")), True)  # fmt: skip

    def define(self, node: Any) -> Define:
        """fn."""
        name = self.text(node.child_by_field_name("name"))
        body = node.child_by_field_name("body")
        made = Function(self.span(node), name, self.parameters(node.child_by_field_name("parameters")), [],
                        public=self.is_public(node), doc=self.doc_before(node, "///", "/**"), bare=body is None,
                        is_async=any(n.type == "function_modifiers" and "async" in self.text(n) for n in node.children),
                        returns=self.text(node.child_by_field_name("return_type")),
                        test=self.is_test(node))  # fmt: skip
        if body is not None:
            inner = self.block_value(body)
            made.body, made.value = inner.body, inner.value
        return Define(self.span(node), made)

    def is_public(self, node: Any) -> bool:
        """`pub`."""
        return any(one.type == "visibility_modifier" and self.text(one) == "pub" for one in node.children)

    def is_test(self, node: Any) -> bool:
        """Marked as a test."""
        before = node.prev_sibling
        while before is not None and before.type in ("attribute_item", *self.COMMENTS):
            if re.search(r"\b(test|bench|cfg\(test\))\b", self.text(before)):
                return True
            before = before.prev_sibling
        return False

    def parameters(self, node: Any) -> list[Parameter]:
        """`&self, a: T`."""
        made: list[Parameter] = []
        for one in node.named_children if node is not None else ():
            if one.type == "self_parameter":
                made.append(Parameter("self", kind="self"))
            elif one.type == "parameter":
                pattern = one.child_by_field_name("pattern")
                while pattern is not None and pattern.type not in ("identifier", "self") and pattern.named_children:
                    pattern = pattern.named_children[-1]
                made.append(Parameter(self.text(pattern), None, self.text(one.child_by_field_name("type"))))
        return made

    def types(self, node: Any) -> Define:
        """struct, enum."""
        name = self.text(node.child_by_field_name("name"))
        body = node.child_by_field_name("body")
        fields = [self.text(one.child_by_field_name("name")) for one in body.named_children
                  if one.type == "field_declaration"] if body is not None else []  # fmt: skip
        made = Class(self.span(node), name, [], [], node.type.partition("_")[0], self.is_public(node),
                     self.doc_before(node, "///", "/**"), fields)  # fmt: skip
        return Define(self.span(node), made)

    def trait(self, node: Any) -> Define:
        """trait."""
        name = self.text(node.child_by_field_name("name"))
        body = self.methods(node, name)
        return Define(self.span(node), Class(self.span(node), name, [], body, "trait", self.is_public(node),
                                             self.doc_before(node, "///", "/**")))  # fmt: skip

    def methods(self, node: Any, owner: str) -> list[Any]:
        """The methods in a body."""
        body = node.child_by_field_name("body")
        made = self.statements(body.children) if body is not None else []
        for one in made:
            if isinstance(one, Define) and isinstance(one.what, Function):
                one.what.kind, one.what.owner = "method", owner
        return made

    def implementation(self, node: Any) -> list[Any]:
        """impl: methods of a type; those of a trait are not public by themselves."""
        kind = node.child_by_field_name("type")
        owner = self.text(kind).split("<")[0].split("::")[-1]
        made = self.methods(node, owner)
        if node.child_by_field_name("trait") is not None:
            for one in made:
                if isinstance(one, Define) and isinstance(one.what, Function):
                    one.what.public = False
        return made

    def inner_module(self, node: Any) -> Any:
        """mod name { ... }."""
        body = node.child_by_field_name("body")
        made = self.statements(body.children) if body is not None else []
        if self.is_test(node) or self.text(node.child_by_field_name("name")) == "tests":
            for one in made:
                if isinstance(one, Define) and isinstance(one.what, Function):
                    one.what.test = True
        return made

    def uses(self, node: Any) -> list[Import]:
        """use."""
        made: list[Import] = []
        argument = node.child_by_field_name("argument")
        rest = [(argument, "")] if argument is not None else []
        while rest:
            one, before = rest.pop()
            if one.type == "scoped_use_list":
                start = self.text(one.child_by_field_name("path")).replace("::", ".")
                inner = one.child_by_field_name("list")
                rest.extend((part, f"{before}{start}.") for part in (inner.named_children if inner is not None else ()))
            elif one.type == "use_list":
                rest.extend((part, before) for part in one.named_children)
            elif one.type == "use_wildcard":
                made.append(Import(self.span(node), before + self.text(one).removesuffix("::*").replace("::", "."), 0,
                                   [("*", "*")]))  # fmt: skip
            else:
                path, _, alias = self.text(one).partition(" as ")
                whole = (before + path.strip().replace("::", ".")).removesuffix(".self")
                module, _, name = whole.rpartition(".")
                made.append(Import(self.span(node), module, 0, [(name, alias.strip() or name)]) if module
                            else Import(self.span(node), name, 0, [("", alias.strip() or name)]))  # fmt: skip
        return made
