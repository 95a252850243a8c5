"""JavaScript and TypeScript trees to the program form."""

from __future__ import annotations

from typing import Any, ClassVar

from remit.code.review.ir import (
    Arm,
    Assign,
    Attr,
    Block,
    BlockValue,
    Call,
    Cast,
    Choice,
    Class,
    Const,
    Define,
    Evaluate,
    Function,
    Handler,
    If,
    Import,
    Lambda,
    Loop,
    Mapping,
    Match,
    Module,
    Name,
    Parameter,
    Raise,
    Sequence,
    Text,
    Try,
    Wrap,
)
from remit.code.review.lowering.braces import BraceLowering
from remit.code.review.lowering.shared import unescaped


def lower(path: str, raw: bytes, tree: Any) -> Module:
    """The program form of one JavaScript or TypeScript file."""
    one = ScriptLowering(path, "javascript", raw)
    one.collect(tree.root_node)
    one.module.body = one.statements(tree.root_node.children)
    comments = one.module.comments
    first = one.module.body[0].span[0] if one.module.body else 1
    one.module.doc = comments[0][1] if comments and comments[0][0] <= first and comments[0][1].startswith("/*") else ""
    return one.module


class ScriptLowering(BraceLowering):
    """The tables and methods for JavaScript and TypeScript."""

    COMMENTS: ClassVar[frozenset[str]] = frozenset({"comment", "html_comment"})
    EXPRESSIONS: ClassVar[dict[str, str]] = {
        "identifier": "name", "property_identifier": "name", "shorthand_property_identifier": "name", "this": "name",
        "super": "name", "shorthand_property_identifier_pattern": "name", "private_property_identifier": "name",
        "number": "number", "true": "true", "false": "false", "null": "none", "undefined": "none", "string": "quoted",
        "template_string": "template", "template_substitution": "inner", "regex": "regex",
        "member_expression": "member", "subscript_expression": "index", "call_expression": "call",
        "new_expression": "call", "binary_expression": "binary", "unary_expression": "unary",
        "ternary_expression": "choice", "parenthesized_expression": "inner", "array": "array",
        "array_pattern": "array", "object": "object", "object_pattern": "object", "arrow_function": "closure",
        "function_expression": "closure", "function": "closure", "generator_function": "closure",
        "await_expression": "awaited", "yield_expression": "awaited", "spread_element": "spread",
        "rest_pattern": "spread", "assignment_expression": "assign", "augmented_assignment_expression": "assign",
        "update_expression": "update", "sequence_expression": "sequence", "as_expression": "cast",
        "satisfies_expression": "cast", "type_assertion": "cast", "non_null_expression": "force",
        "assignment_pattern": "defaulted", "object_assignment_pattern": "defaulted", "class": "class_value",
        "expression_statement": "inner", "jsx_expression": "inner", "jsx_attribute": "attribute",
        "undefined_": "none", "pair_pattern": "inner", "optional_parameter": "inner", "import": "name",
    }  # fmt: skip
    STATEMENTS: ClassVar[dict[str, str]] = {
        "expression_statement": "evaluate", "variable_declaration": "declare", "lexical_declaration": "declare",
        "return_statement": "give", "if_statement": "branch", "for_statement": "loop", "for_in_statement": "each",
        "while_statement": "loop", "do_statement": "loop", "try_statement": "attempt", "switch_statement": "switch",
        "throw_statement": "throw", "break_statement": "jump", "continue_statement": "jump",
        "statement_block": "block", "function_declaration": "define", "generator_function_declaration": "define",
        "class_declaration": "define_class", "abstract_class_declaration": "define_class",
        "interface_declaration": "define_class", "enum_declaration": "define_class", "import_statement": "imports",
        "export_statement": "export", "empty_statement": "nothing", "labeled_statement": "labeled",
        "type_alias_declaration": "nothing", "ambient_declaration": "nothing", "function_signature": "nothing",
        "debugger_statement": "nothing", "hash_bang_line": "nothing", "internal_module": "block", "ERROR": "broken",
        "with_statement": "nothing", "import_alias": "nothing",
    }  # fmt: skip

    def template(self, node: Any) -> Any:
        """`a${b}c`."""
        parts: list[Any] = []
        for one in node.named_children:
            if one.type == "template_substitution":
                parts.append(self.inner(one))
            else:
                parts.append(Const(self.span(one), unescaped(self.text(one))))
        if all(isinstance(one, Const) for one in parts):
            return Const(self.span(node), "".join(str(one.value) for one in parts))
        return Text(self.span(node), parts)

    def regex(self, node: Any) -> Call:
        """/pattern/, as RegExp("pattern")."""
        pattern = Const(self.span(node), self.text(node.child_by_field_name("pattern")))
        return Call(self.span(node), Name(self.span(node), "RegExp"), [pattern], [""], "new")

    def choice(self, node: Any) -> Choice:
        """`a ? b : c`."""
        return Choice(self.span(node), self.field(node, "condition"), self.field(node, "consequence"),
                      self.field(node, "alternative"))  # fmt: skip

    def array(self, node: Any) -> Sequence:
        """`[a, b]`."""
        items: list[Any] = []
        hole = True
        for one in node.children[1:]:
            if one.is_named and one.type not in self.COMMENTS:
                items.append(self.expression(one))
                hole = False
            elif one.type == ",":
                if hole:
                    items.append(Const(self.span(one), None))
                hole = True
        return Sequence(self.span(node), "list", items)

    def sequence(self, node: Any) -> Any:
        """`a, b`."""
        items = [self.expression(one) for one in node.named_children if one.type not in self.COMMENTS]
        return BlockValue(self.span(node), [Evaluate(self.span(node), one) for one in items[:-1]], items[-1])

    def object(self, node: Any) -> Mapping:
        """`{a, b: c, ...d, m() {}}` and the pattern of the same form."""
        keys: list[Any] = []
        values: list[Any] = []
        for one in node.named_children:
            if one.type in ("pair", "pair_pattern"):
                keys.append(self.key(one.child_by_field_name("key")))
                values.append(self.value(one.child_by_field_name("value")))
            elif one.type.startswith("shorthand"):
                keys.append(Const(self.span(one), self.text(one)))
                values.append(self.name(one))
            elif one.type in ("spread_element", "rest_pattern"):
                keys.append(None)
                values.append(self.inner(one))
            elif one.type == "method_definition":
                keys.append(self.key(one.child_by_field_name("name")))
                values.append(Lambda(self.span(one), self.made_function(one, "lambda")))
            elif one.type == "object_assignment_pattern":
                left = one.child_by_field_name("left")
                keys.append(Const(self.span(left), self.text(left)))
                values.append(self.expression(left))
        return Mapping(self.span(node), keys, values)

    def key(self, node: Any) -> Any:
        """A key: a name is a text, `[x]` an expression."""
        if node.type == "computed_property_name":
            return self.inner(node)
        if node.type in ("string", "number"):
            return self.expression(node)
        return Const(self.span(node), self.text(node))

    def defaulted(self, node: Any) -> Any:
        """`a = 1` in a pattern: the name."""
        return self.value(node.child_by_field_name("left"))

    def closure(self, node: Any) -> Lambda:
        """`(a) => b`, `function () {}`."""
        return Lambda(self.span(node), self.made_function(node, "lambda"))

    def made_function(self, node: Any, kind: str, name: str = "") -> Function:
        """A function of any form."""
        name = name or self.text(node.child_by_field_name("name")) or "<lambda>"
        body = node.child_by_field_name("body")
        block = body is not None and body.type == "statement_block"
        given = node.child_by_field_name("parameters") or node.child_by_field_name("parameter")
        params, first = self.parameters(given)
        private = any(one.type == "accessibility_modifier" and self.text(one) != "public" for one in node.children)
        made = Function(self.span(node), name, params, [*first, *(self.body_of(body) if block else [])], kind=kind,
                        is_async=any(one.type == "async" for one in node.children), bare=body is None,
                        public=not private and not name.startswith(("_", "#")), doc=self.doc_before(node, "/**"),
                        returns=self.text(node.child_by_field_name("return_type")).lstrip(": "))  # fmt: skip
        if body is not None and not block:
            made.value = self.expression(body)
        return made

    def parameters(self, node: Any) -> tuple[list[Parameter], list[Any]]:
        """(parameters, what takes patterns apart)."""
        made: list[Parameter] = []
        first: list[Any] = []
        if node is None:
            return made, first
        listed = [node] if node.type == "identifier" else node.named_children
        for at, one in enumerate(listed):
            if one.type in self.COMMENTS:
                continue
            kind = self.text(one.child_by_field_name("type")).lstrip(": ")
            default = one.child_by_field_name("value") or one.child_by_field_name("right")
            inner = one.child_by_field_name("pattern") or one.child_by_field_name("left") or one
            star = "*" if inner.type == "rest_pattern" else ""
            if star:
                inner = inner.named_children[0] if inner.named_children else inner
            if inner.type in ("object_pattern", "array_pattern"):
                name = f"<{at}>"
                first.append(Assign(self.span(inner), [self.expression(inner)], Name(self.span(inner), name), True))
            else:
                name = self.text(inner)
            made.append(Parameter(name, None if default is None else self.expression(default), kind, star))
        return made, first

    def awaited(self, node: Any) -> Wrap:
        """await, yield."""
        return Wrap(self.span(node), node.type.partition("_")[0], self.inner(node))

    def spread(self, node: Any) -> Wrap:
        """`...a`."""
        return Wrap(self.span(node), "spread", self.inner(node))

    def cast(self, node: Any) -> Cast:
        """`a as T`."""
        inner = node.named_children
        kind, value = (inner[0], inner[-1]) if node.type == "type_assertion" else (inner[-1], inner[0])
        said = "const" if len(inner) == 1 else self.text(kind).strip("<>")
        return Cast(self.span(node), f"as {said}", self.expression(value))

    def force(self, node: Any) -> Wrap:
        """`a!`."""
        return Wrap(self.span(node), "force", self.inner(node))

    def attribute(self, node: Any) -> Any:
        """A JSX attribute, as a store into the element."""
        parts = node.named_children
        if len(parts) < 2:
            return self.name(parts[0]) if parts else Const(self.span(node), None)
        target = Attr(self.span(node), Name(self.span(node), "<element>"), self.text(parts[0]))
        return BlockValue(self.span(node), [Assign(self.span(node), [target], self.expression(parts[1]))], target)

    def class_value(self, node: Any) -> Any:
        """A class as an expression."""
        made = self.define_class(node)
        return BlockValue(self.span(node), [made], Name(self.span(node), made.what.name))

    def declare(self, node: Any) -> list[Assign | Define]:
        """let, const, var."""
        constant = any(self.text(one) == "const" for one in node.children[:1])
        made: list[Assign | Define] = []
        for one in node.named_children:
            if one.type == "variable_declarator":
                value = one.child_by_field_name("value")
                target = self.value(one.child_by_field_name("name"))
                if (
                    value is not None
                    and value.type in ("arrow_function", "function_expression")
                    and isinstance(target, Name)
                ):
                    inner = self.made_function(value, "function", target.name)
                    inner.doc = self.doc_before(node, "/**") or self.doc_before(node.parent, "/**")
                    made.append(Define(self.span(node), inner))
                    continue
                made.append(Assign(self.span(one), [target], None if value is None else self.expression(value), True,
                                   self.text(one.child_by_field_name("type")).lstrip(": "), constant))  # fmt: skip
        return made

    def branch(self, node: Any) -> If:
        """if."""
        other = node.child_by_field_name("alternative")
        inner = other.named_children[0] if other is not None and other.named_children else None
        end = self.body_of(inner)
        chained = inner is not None and inner.type == "if_statement"
        if chained and end and isinstance(end[0], If):
            end[0].chained = True
        return If(
            self.span(node), self.field(node, "condition"), self.body_of(node.child_by_field_name("consequence")), end
        )

    def loop(self, node: Any) -> Any:
        """for, while, do."""
        start = node.child_by_field_name("initializer")
        test = node.child_by_field_name("condition")
        update = node.child_by_field_name("increment")
        inner = Loop(self.span(node), None, None, self.test(test), self.body_of(node.child_by_field_name("body")), [],
                     [Evaluate(self.span(update), self.expression(update))] if update is not None else [])  # fmt: skip
        before = self.statements([start]) if start is not None else []
        return [*before, inner]

    def test(self, node: Any) -> Any:
        """A loop's condition."""
        if node is None or node.type == "empty_statement":
            return None
        return (
            self.inner(node)
            if node.type in ("expression_statement", "parenthesized_expression")
            else self.expression(node)
        )

    def each(self, node: Any) -> Loop:
        """for of, for in."""
        return Loop(self.span(node), self.field(node, "left"), self.field(node, "right"), None,
                    self.body_of(node.child_by_field_name("body")), [], [],
                    any(one.type == "await" for one in node.children))  # fmt: skip

    def attempt(self, node: Any) -> Try:
        """try."""
        catch = node.child_by_field_name("handler")
        final = node.child_by_field_name("finalizer")
        handlers = []
        if catch is not None:
            body = catch.child_by_field_name("body")
            remark = body is not None and any(one.type in self.COMMENTS for one in body.children)
            name = self.text(catch.child_by_field_name("parameter"))
            handlers.append(Handler(self.span(catch), None, name, self.body_of(body), remark))
        end = final.child_by_field_name("body") if final is not None else None
        return Try(self.span(node), self.body_of(node.child_by_field_name("body")), handlers, [], self.body_of(end))

    def switch(self, node: Any) -> Match:
        """switch."""
        body = node.child_by_field_name("body")
        arms = []
        for one in body.named_children if body is not None else ():
            if one.type in ("switch_case", "switch_default"):
                value = one.child_by_field_name("value")
                inner = self.statements(one.children_by_field_name("body"))
                arms.append(Arm(self.span(one), [self.expression(value)] if value is not None else [], [], None, inner))
        return Match(self.span(node), self.field(node, "value"), _cases(arms), True)

    def throw(self, node: Any) -> Raise:
        """throw."""
        return Raise(self.span(node), self.inner(node))

    def labeled(self, node: Any) -> list[Any]:
        """A statement with a label."""
        return self.body_of(node.child_by_field_name("body"))

    def define(self, node: Any) -> Define:
        """function."""
        made = self.made_function(node, "function")
        made.doc = made.doc or self.doc_before(node.parent, "/**")
        return Define(self.span(node), made)

    def define_class(self, node: Any) -> Define:
        """class, interface, enum."""
        name = self.text(node.child_by_field_name("name")) or "<class>"
        kind = node.type.partition("_")[0].replace("abstract", "class")
        body: list[Any] = []
        fields: list[str] = []
        inside = node.child_by_field_name("body")
        for one in inside.named_children if inside is not None else ():
            if one.type in ("method_definition", "method_signature", "abstract_method_signature"):
                made = self.made_function(one, "method")
                made.owner = name
                made.params.insert(0, Parameter("this", kind="self"))
                body.append(Define(self.span(one), made))
            elif one.type in ("field_definition", "public_field_definition", "property_signature"):
                field = self.text(self.one_of(one, "property", "name"))
                fields.append(field)
                value = one.child_by_field_name("value")
                if value is not None:
                    body.append(Assign(self.span(one), [Name(self.span(one), field)], self.expression(value), True))
        heritage = [self.expression(inner) for one in node.named_children if one.type == "class_heritage"
                    for inner in one.named_children]  # fmt: skip
        doc = self.doc_before(node, "/**") or self.doc_before(node.parent, "/**")
        return Define(self.span(node), Class(self.span(node), name, heritage, body, kind, True, doc, fields))

    def imports(self, node: Any) -> Any:
        """import."""
        source = node.child_by_field_name("source")
        if source is None:
            return None
        module = self.text(source)[1:-1]
        names: list[tuple[str, str]] = []
        clause = next((one for one in node.named_children if one.type == "import_clause"), None)
        for one in clause.named_children if clause is not None else ():
            if one.type == "identifier":
                names.append(("", self.text(one)))
            elif one.type == "namespace_import":
                names.append(("", self.text(one.named_children[-1])))
            elif one.type == "named_imports":
                for inner in (i for i in one.named_children if i.type == "import_specifier"):
                    wanted = self.text(inner.child_by_field_name("name"))
                    names.append((wanted, self.text(inner.child_by_field_name("alias")) or wanted))
        return Import(self.span(node), module, 0, names)

    def export(self, node: Any) -> list[Any]:
        """export of a declaration or of a value."""
        inner = node.child_by_field_name("declaration")
        if inner is not None:
            return self.statements([inner])
        value = node.child_by_field_name("value")
        return [Evaluate(self.span(node), self.expression(value))] if value is not None else []


def _cases(arms: list[Arm]) -> list[Arm]:
    """Cases that share a body (`case 1: case 2:`) as one arm with several values."""
    made: list[Arm] = []
    waiting: list[Any] = []
    for arm in arms:
        if not arm.body and arm.patterns and arm is not arms[-1]:
            waiting.extend(arm.patterns)
            continue
        if arm.patterns:
            arm.patterns = [*waiting, *arm.patterns]
        waiting = []
        made.append(arm)
    return made


__all__ = ["Block", "ScriptLowering", "lower"]
