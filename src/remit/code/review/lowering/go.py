"""Go trees to the program form."""

from __future__ import annotations

from typing import Any, ClassVar

from remit.code.review.ir import (
    Arm,
    Assign,
    Attr,
    Binary,
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
    Index,
    Lambda,
    Loop,
    Mapping,
    Match,
    Module,
    Name,
    Parameter,
    Sequence,
    Slice,
    Wrap,
)
from remit.code.review.lowering.braces import BraceLowering
from remit.code.review.lowering.shared import unescaped

_NUMERIC = frozenset(
    [
        "int",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "float32",
        "float64",
        "byte",
        "rune",
        "uintptr",
    ]
)


def lower(path: str, raw: bytes, tree: Any) -> Module:
    """The program form of one Go file."""
    one = GoLowering(path, "go", raw)
    one.collect(tree.root_node)
    one.module.body = one.statements(tree.root_node.children)
    clause = next((n for n in tree.root_node.children if n.type == "package_clause"), None)
    if clause is not None:
        one.module.package = one.text(clause.named_children[0]) if clause.named_children else ""
        one.module.doc = one.doc_before(clause, "//", "/*")
    return one.module


class GoLowering(BraceLowering):
    """The tables and methods for Go."""

    EXPRESSIONS: ClassVar[dict[str, str]] = {
        "identifier": "name", "package_identifier": "name", "field_identifier": "name", "type_identifier": "name",
        "blank_identifier": "name", "int_literal": "number", "float_literal": "number", "true": "true",
        "false": "false", "nil": "none", "interpreted_string_literal": "quoted", "raw_string_literal": "raw_string",
        "rune_literal": "quoted", "selector_expression": "member", "index_expression": "index",
        "slice_expression": "slice", "call_expression": "call", "binary_expression": "binary",
        "unary_expression": "unary", "parenthesized_expression": "inner", "expression_list": "listed",
        "composite_literal": "composite", "func_literal": "closure", "type_assertion_expression": "assertion",
        "type_conversion_expression": "conversion", "literal_element": "inner", "qualified_type": "qualified",
        "literal_value": "literal", "variadic_argument": "spread", "pointer_type": "inner", "iota": "none",
        "generic_type": "generic",
    }  # fmt: skip
    STATEMENTS: ClassVar[dict[str, str]] = {
        "expression_statement": "evaluate", "short_var_declaration": "short", "assignment_statement": "assignment",
        "var_declaration": "variables", "const_declaration": "variables", "return_statement": "give",
        "if_statement": "branch", "for_statement": "loop", "expression_switch_statement": "switch",
        "type_switch_statement": "type_switch", "select_statement": "select", "block": "block",
        "break_statement": "jump", "continue_statement": "jump", "fallthrough_statement": "jump",
        "function_declaration": "define", "method_declaration": "define", "type_declaration": "types",
        "import_declaration": "imports", "package_clause": "nothing", "go_statement": "start",
        "defer_statement": "start", "inc_statement": "step", "dec_statement": "step", "labeled_statement": "labeled",
        "empty_statement": "nothing", "send_statement": "send", "goto_statement": "nothing",
        "ERROR": "broken",
    }  # fmt: skip

    def raw_string(self, node: Any) -> Const:
        """`text` without escapes."""
        return Const(self.span(node), self.text(node)[1:-1])

    def quoted(self, node: Any) -> Const:
        """\"text\"."""
        return Const(self.span(node), unescaped(self.text(node)[1:-1]))

    def listed(self, node: Any) -> Any:
        """`a, b`; one alone is itself."""
        items = [self.expression(one) for one in node.named_children if one.type not in self.COMMENTS]
        return items[0] if len(items) == 1 else Sequence(self.span(node), "tuple", items)

    def slice(self, node: Any) -> Index:
        """`a[b:c]`."""
        parts = tuple(self.field(node, name) for name in ("start", "end"))
        return Index(self.span(node), self.field(node, "operand"), Slice(self.span(node), parts))

    def composite(self, node: Any) -> Any:
        """`T{...}`."""
        kind = node.child_by_field_name("type")
        body = node.child_by_field_name("body")
        made = self.literal(body)
        if isinstance(made, Mapping) and kind is not None and kind.type in ("type_identifier", "qualified_type"):
            made.type = self.expression(kind)
        return made

    def literal(self, node: Any) -> Any:
        """`{a, b}` or `{k: v}`."""
        keys: list[Any] = []
        values: list[Any] = []
        for one in node.named_children:
            if one.type == "keyed_element":
                key = self.expression(one.named_children[0])
                keys.append(Const(key.span, key.name) if isinstance(key, Name) else key)
                values.append(self.expression(one.named_children[-1]))
            elif one.type not in self.COMMENTS:
                values.append(self.expression(one))
        if keys or not values:
            return Mapping(self.span(node), keys, values[: len(keys)])
        return Sequence(self.span(node), "list", values)

    def closure(self, node: Any) -> Lambda:
        """`func(a) {}`."""
        return Lambda(self.span(node), self.made_function(node, "<lambda>", "lambda"))

    def made_function(self, node: Any, name: str, kind: str) -> Function:
        """A function of any form."""
        body = node.child_by_field_name("body")
        return Function(self.span(node), name, self.parameters(node.child_by_field_name("parameters")),
                        self.body_of(body), kind=kind, public=name[:1].isupper(), bare=body is None,
                        doc=self.doc_before(node, "//", "/*"), returns=self.text(node.child_by_field_name("result")),
                        test=name.startswith(("Test", "Benchmark", "Fuzz", "Example")))  # fmt: skip

    def parameters(self, node: Any) -> list[Parameter]:
        """`a, b T, c ...U`."""
        made: list[Parameter] = []
        for one in node.named_children if node is not None else ():
            if one.type not in ("parameter_declaration", "variadic_parameter_declaration"):
                continue
            kind = self.text(one.child_by_field_name("type"))
            star = "*" if one.type.startswith("variadic") else ""
            for name in one.children_by_field_name("name"):
                made.append(Parameter(self.text(name), None, kind, star))
        return made

    def assertion(self, node: Any) -> Wrap:
        """`a.(T)`."""
        return Wrap(self.span(node), "assertion", self.field(node, "operand"))

    def conversion(self, node: Any) -> Cast:
        """`[]byte(a)`."""
        return Cast(self.span(node), self.text(node.child_by_field_name("type")), self.field(node, "operand"))

    def call(self, node: Any) -> Any:
        """A call, or a conversion to a number."""
        made = BraceLowering.call(self, node)
        if isinstance(made.callee, Name) and made.callee.name in _NUMERIC and len(made.args) == 1:
            return Cast(made.span, made.callee.name, made.args[0])
        return made

    def qualified(self, node: Any) -> Attr:
        """`p.T` as a type."""
        return Attr(self.span(node), self.field(node, "package"), self.text(node.child_by_field_name("name")))

    def generic(self, node: Any) -> Any:
        """`T[U]`."""
        return self.field(node, "type")

    def spread(self, node: Any) -> Wrap:
        """`a...`."""
        return Wrap(self.span(node), "spread", self.inner(node))

    def short(self, node: Any) -> Assign:
        """`a, b := c`."""
        return Assign(self.span(node), [self.field(node, "left")], self.field(node, "right"), True)

    def assignment(self, node: Any) -> Any:
        """`a = b`, `a += b`."""
        made = self.assign(node)
        return made.body[0]

    def variables(self, node: Any) -> list[Assign]:
        """var, const."""
        constant = node.type == "const_declaration"
        made: list[Assign] = []
        rest = list(node.named_children)
        while rest:
            one = rest.pop(0)
            if one.type == "var_spec_list":
                rest = list(one.named_children) + rest
            elif one.type in ("var_spec", "const_spec"):
                names = [self.name(name) for name in one.children_by_field_name("name") if name.is_named]
                target = names[0] if len(names) == 1 else Sequence(self.span(one), "tuple", names)
                made.append(Assign(self.span(one), [target], self.field(one, "value"), True,
                                   self.text(one.child_by_field_name("type")), constant))  # fmt: skip
        return made

    def branch(self, node: Any) -> Any:
        """if, with its own statement before."""
        other = node.child_by_field_name("alternative")
        end = self.body_of(other)
        if other is not None and other.type == "if_statement" and len(end) == 1 and isinstance(end[0], If):
            end[0].chained = True
        made = If(
            self.span(node), self.field(node, "condition"), self.body_of(node.child_by_field_name("consequence")), end
        )
        start = node.child_by_field_name("initializer")
        return [*self.statements([start]), made] if start is not None else made

    def loop(self, node: Any) -> Any:
        """for in its four forms."""
        body = self.body_of(node.child_by_field_name("body"))
        clause = next((one for one in node.named_children if one.type in ("for_clause", "range_clause")), None)
        if clause is None:
            tests = [one for one in node.named_children if one.type not in ("block", *self.COMMENTS)]
            return Loop(self.span(node), None, None, self.expression(tests[0]) if tests else None, body, [], [])
        if clause.type == "range_clause":
            left = self.field(clause, "left")
            target = left.items[1] if isinstance(left, Sequence) and len(left.items) == 2 else left
            return Loop(self.span(node), target, self.field(clause, "right"), None, body, [], [])
        start, update = clause.child_by_field_name("initializer"), clause.child_by_field_name("update")
        made = Loop(self.span(node), None, None, self.field(clause, "condition"), body, [],
                    self.statements([update]) if update is not None else [])  # fmt: skip
        return [*(self.statements([start]) if start is not None else []), made]

    def switch(self, node: Any) -> Any:
        """switch over a value, or over conditions."""
        subject = node.child_by_field_name("value")
        arms = [self.arm(one) for one in node.named_children if one.type in ("expression_case", "default_case")]
        start = node.child_by_field_name("initializer")
        before = self.statements([start]) if start is not None else []
        value = self.expression(subject) if subject is not None else Const(self.span(node), True)
        ordered = [one for one in arms if one.patterns] + [one for one in arms if not one.patterns]
        return [*before, Match(self.span(node), value, ordered)]

    def arm(self, node: Any) -> Arm:
        """case, default."""
        given = node.child_by_field_name("value") or node.child_by_field_name("communication")
        value = self.expression(given) if given is not None and given.type == "expression_list" else None
        patterns = value.items if isinstance(value, Sequence) else [value] if value is not None else []
        inner = [one for one in node.named_children if one.type == "statement_list"]
        return Arm(self.span(node), patterns, [], None, self.statements([s for one in inner for s in one.children]))

    def type_switch(self, node: Any) -> Match:
        """switch x := y.(type)."""
        from remit.code.review.ir import Opaque

        alias = node.child_by_field_name("alias")
        subject = self.field(node, "value")
        names = [self.text(one) for one in alias.named_children] if alias is not None else []
        arms = []
        for one in node.named_children:
            if one.type in ("type_case", "default_case"):
                inner = [s for b in one.named_children if b.type == "statement_list" for s in b.children]
                arms.append(Arm(self.span(one), [Opaque(self.span(one), "type", [])] if one.type == "type_case" else [],
                                names, None, self.statements(inner)))  # fmt: skip
        return Match(self.span(node), subject, [a for a in arms if a.patterns] + [a for a in arms if not a.patterns])

    def select(self, node: Any) -> Block:
        """select: one of its cases."""
        from remit.code.review.ir import Opaque

        arms = []
        for one in node.named_children:
            if one.type in ("communication_case", "default_case"):
                inner = [s for b in one.named_children if b.type == "statement_list" for s in b.children]
                said = one.child_by_field_name("communication")
                before = self.statements([said]) if said is not None else []
                arms.append(Arm(self.span(one), [Opaque(self.span(one), "", [])], [], None,
                                [*before, *self.statements(inner)]))  # fmt: skip
        return Block(self.span(node), "", [Match(self.span(node), Const(self.span(node), 0), arms)])

    def define(self, node: Any) -> Define:
        """func, and a method with its receiver as first parameter."""
        name = self.text(node.child_by_field_name("name"))
        receiver = node.child_by_field_name("receiver")
        made = self.made_function(node, name, "function" if receiver is None else "method")
        if receiver is not None:
            own = self.parameters(receiver)
            first = own[0] if own else Parameter("_", kind="self")
            made.owner = first.type.lstrip("*").split("[")[0]
            first.kind = "self"
            made.params.insert(0, first)
        return Define(self.span(node), made)

    def types(self, node: Any) -> list[Define]:
        """type."""
        made = []
        for one in node.named_children:
            if one.type != "type_spec":
                continue
            name = self.text(one.child_by_field_name("name"))
            inner = one.child_by_field_name("type")
            kind = inner.type.removesuffix("_type") if inner is not None else ""
            fields = []
            if kind == "struct":
                for row in (r for part in inner.named_children for r in part.named_children):
                    names = row.children_by_field_name("name")
                    fields.extend(
                        [self.text(n) for n in names] or [self.text(row)] if row.type == "field_declaration" else []
                    )
            doc = self.doc_before(one, "//", "/*") or self.doc_before(node, "//", "/*")
            made.append(
                Define(self.span(one), Class(self.span(one), name, [], [], kind, name[:1].isupper(), doc, fields))
            )
        return made

    def imports(self, node: Any) -> list[Import]:
        """import."""
        made = []
        rest = list(node.named_children)
        while rest:
            one = rest.pop(0)
            if one.type == "import_spec_list":
                rest = list(one.named_children) + rest
            elif one.type == "import_spec":
                path = self.text(one.child_by_field_name("path"))[1:-1]
                alias = self.text(one.child_by_field_name("name")) or _package(path)
                made.append(Import(self.span(one), path, 0, [("", alias)]))
        return made

    def start(self, node: Any) -> Evaluate:
        """go, defer."""
        made = self.inner(node)
        if isinstance(made, Call):
            made.kind = node.type.partition("_")[0]
        return Evaluate(self.span(node), made)

    def send(self, node: Any) -> Evaluate:
        """`c <- a`, as a call of `c.send`."""
        span = self.span(node)
        callee = Attr(span, self.field(node, "channel"), "send")
        return Evaluate(span, Call(span, callee, [self.field(node, "value")], [""]))

    def step(self, node: Any) -> Assign:
        """a++, a--."""
        target = self.inner(node)
        operator = "+" if node.type == "inc_statement" else "-"
        return Assign(self.span(node), [target], Binary(self.span(node), operator, target, Const(self.span(node), 1)))

    def labeled(self, node: Any) -> list[Any]:
        """A statement with a label."""
        return self.statements(node.named_children[1:])


def _package(path: str) -> str:
    """The name that an import path is used by: its last part, without a version."""
    parts = [part for part in path.split("/") if not (part[:1] == "v" and part[1:].isdigit())]
    return parts[-1].removeprefix("go-").split(".")[0].replace("-", "_") if parts else path


__all__ = ["BlockValue", "GoLowering", "lower"]
