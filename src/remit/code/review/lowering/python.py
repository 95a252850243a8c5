"""Python trees to the program form."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from remit.code.review.ir import (
    Arm,
    Assign,
    Binary,
    Block,
    Call,
    Class,
    Const,
    Define,
    Delete,
    Evaluate,
    Function,
    Handler,
    If,
    Import,
    Jump,
    Loop,
    Mapping,
    Match,
    Module,
    Name,
    Opaque,
    Outer,
    Raise,
    Return,
    Sequence,
    Try,
    With,
    Wrap,
)
from remit.code.review.lowering.python_expressions import PythonExpressions

_SKIPPED: Final = ("comment", "line_continuation", ":", ",")


def lower(path: str, raw: bytes, tree: Any) -> Module:
    """The program form of one Python file."""
    one = PythonLowering(path, "python", raw)
    one.collect(tree.root_node)
    one.module.body = one.statements(tree.root_node.children)
    one.module.doc = doc_of(one.module.body)
    return one.module


def doc_of(body: list[Any]) -> str:
    """The docstring of a body."""
    first = body[0] if body else None
    if isinstance(first, Evaluate) and isinstance(first.value, Const) and isinstance(first.value.value, str):
        return first.value.value
    return ""


class PythonLowering(PythonExpressions):
    """Statements, definitions, imports."""

    STATEMENTS: ClassVar[dict[str, str]] = {
        "expression_statement": "evaluate", "return_statement": "give", "if_statement": "branch",
        "for_statement": "loop", "while_statement": "loop", "try_statement": "attempt", "with_statement": "using",
        "function_definition": "define", "class_definition": "define_class", "decorated_definition": "decorated",
        "raise_statement": "throw", "break_statement": "jump", "continue_statement": "jump",
        "pass_statement": "jump", "import_statement": "imports", "import_from_statement": "imports_from",
        "future_import_statement": "nothing", "delete_statement": "delete", "match_statement": "match",
        "assert_statement": "check", "global_statement": "outer", "nonlocal_statement": "outer",
        "print_statement": "other_statement", "type_alias_statement": "nothing", "ERROR": "broken",
    }  # fmt: skip

    def evaluate(self, node: Any) -> Any:
        """An expression, an assignment, or several with a comma."""
        inner = [one for one in node.named_children if one.type != "comment"]
        if len(inner) != 1:
            return Evaluate(self.span(node), Sequence(self.span(node), "tuple", [self.expression(i) for i in inner]))
        one = inner[0]
        if one.type == "assignment":
            return self.assign(one)
        if one.type == "augmented_assignment":
            target = self.field(one, "left")
            operator = self.text(one.child_by_field_name("operator")).removesuffix("=")
            value = Binary(self.span(one), operator, target, self.field(one, "right"))
            return Assign(self.span(one), [target], value)
        return Evaluate(self.span(node), self.expression(one))

    def assign(self, node: Any) -> Any:
        """`a = b = c`, `a: T = b`."""
        targets = []
        kind = self.text(node.child_by_field_name("type"))
        whole = node
        while node is not None and node.type == "assignment":
            targets.append(self.field(node, "left"))
            whole, node = node, node.child_by_field_name("right")
        if node is None:
            return Assign(self.span(whole), targets, None, True, kind) if kind else None
        value = self.expression(node)
        constant = all(isinstance(t, Name) and t.name.isupper() for t in targets)
        return Assign(self.span(whole), targets, value, bool(kind), kind, constant)

    def give(self, node: Any) -> Return:
        """return."""
        inner = [one for one in node.named_children if one.type != "comment"]
        return Return(self.span(node), self.expression(inner[0]) if inner else None)

    def branch(self, node: Any) -> If:
        """if / elif / else."""
        arms = [one for one in node.children_by_field_name("alternative") if one.type != "comment"]
        other: list[Any] = []
        for arm in reversed(arms):
            if arm.type == "else_clause":
                other = self.body(arm)
            else:
                other = [If(self.span(arm), self.field(arm, "condition"), self.body(arm, "consequence"), other, True)]
        return If(self.span(node), self.field(node, "condition"), self.body(node, "consequence"), other)

    def body(self, node: Any, field: str = "body") -> list[Any]:
        """The statements of a field."""
        inner = node.child_by_field_name(field) if node is not None else None
        return self.statements(inner.children) if inner is not None else []

    def loop(self, node: Any) -> Loop:
        """for and while."""
        end = node.child_by_field_name("alternative")
        return Loop(self.span(node), self.field(node, "left"), self.field(node, "right"), self.field(node, "condition"),
                    self.body(node), self.body(end) if end is not None else [], [],
                    node.children[0].type == "async")  # fmt: skip

    def attempt(self, node: Any) -> Try:
        """try."""
        handlers: list[Handler] = []
        other: list[Any] = []
        final: list[Any] = []
        for one in node.named_children:
            if one.type in ("except_clause", "except_group_clause"):
                handlers.append(self.handler(one))
            elif one.type == "else_clause":
                other = self.body(one)
            elif one.type == "finally_clause":
                final = self.statements([s for b in one.named_children if b.type == "block" for s in b.children])
        return Try(self.span(node), self.body(node), handlers, other, final)

    def handler(self, node: Any) -> Handler:
        """except."""
        body: list[Any] = []
        kind: Any = None
        name = ""
        remark = False
        for one in node.named_children:
            if one.type == "block":
                body = self.statements(one.children)
                remark = remark or any(inner.type == "comment" for inner in one.children)
            elif one.type == "comment":
                remark = True
            elif one.type == "as_pattern":
                kind = self.expression(one.named_children[0])
                name = self.text(one.named_children[-1])
            else:
                kind = self.expression(one)
        return Handler(self.span(node), kind, name, body, remark)

    def using(self, node: Any) -> With:
        """with."""
        items: list[tuple[Any, Any]] = []
        clause = next((one for one in node.named_children if one.type == "with_clause"), None)
        for item in clause.named_children if clause is not None else ():
            value = item.child_by_field_name("value")
            if value is None:
                continue
            if value.type == "as_pattern":
                items.append((self.expression(value.named_children[0]), self.expression(value.named_children[-1])))
            else:
                items.append((self.expression(value), None))
        return With(self.span(node), items, self.body(node), node.children[0].type == "async")

    def decorated(self, node: Any) -> Any:
        """A definition with its decorators."""
        marks = [self.inner(one) for one in node.named_children if one.type == "decorator"]
        inner = node.child_by_field_name("definition")
        if inner is None:
            return None
        made = self.define(inner) if inner.type == "function_definition" else self.define_class(inner)
        made.what.decorators = marks
        return made

    def define(self, node: Any) -> Define:
        """def."""
        name = self.text(node.child_by_field_name("name"))
        body = self.body(node)
        made = Function(self.span(node), name, self.parameters(node.child_by_field_name("parameters")), body,
                        is_async=node.children[0].type == "async",
                        public=not name.startswith("_") or (name.startswith("__") and name.endswith("__")),
                        doc=doc_of(body), returns=self.text(node.child_by_field_name("return_type")),
                        test=name.startswith("test_"))  # fmt: skip
        return Define(self.span(node), made)

    def define_class(self, node: Any) -> Define:
        """class."""
        name = self.text(node.child_by_field_name("name"))
        bases = node.child_by_field_name("superclasses")
        body = self.body(node)
        fields: list[str] = []
        for one in body:
            if isinstance(one, Define) and isinstance(one.what, Function):
                one.what.kind, one.what.owner = "method", name
            elif isinstance(one, Assign) and one.declares:
                fields.extend(t.name for t in one.targets if isinstance(t, Name))
        listed = [self.expression(one) for one in bases.named_children if one.type not in _SKIPPED] if bases else []
        return Define(self.span(node), Class(self.span(node), name, listed, body, public=not name.startswith("_"),
                                             doc=doc_of(body), fields=fields))  # fmt: skip

    def throw(self, node: Any) -> Raise:
        """raise."""
        cause = self.field(node, "cause")
        inner = [one for one in node.named_children if one.type != "comment"]
        return Raise(self.span(node), self.expression(inner[0]) if inner else None, cause)

    def outer(self, node: Any) -> Outer:
        """global, nonlocal."""
        names = [self.text(one) for one in node.named_children if one.type == "identifier"]
        return Outer(self.span(node), names, node.type.startswith("global"))

    def jump(self, node: Any) -> Jump:
        """pass, break, continue."""
        return Jump(self.span(node), node.type.partition("_")[0])

    def broken(self, node: Any) -> Block:
        """What could not be parsed: the statements in it that could."""
        return Block(self.span(node), "broken", self.statements(node.children))

    def check(self, node: Any) -> Evaluate:
        """assert, as a call of `assert`."""
        inner = [self.expression(one) for one in node.named_children if one.type != "comment"]
        return Evaluate(self.span(node), Call(self.span(node), Name(self.span(node), "assert"), inner,
                                              [""] * len(inner), "assert"))  # fmt: skip

    def delete(self, node: Any) -> Delete:
        """del."""
        return Delete(self.span(node), [self.expression(one) for one in node.named_children])

    def imports(self, node: Any) -> list[Import]:
        """import a.b as c."""
        made = []
        for one in node.children_by_field_name("name"):
            if one.type == "aliased_import":
                module, alias = self.text(one.child_by_field_name("name")), self.text(one.child_by_field_name("alias"))
            else:
                module, alias = self.text(one), ""
            made.append(Import(self.span(node), module, 0, [("", alias)]))
        return made

    def imports_from(self, node: Any) -> Import:
        """from ..a import b as c."""
        source = node.child_by_field_name("module_name")
        said = self.text(source)
        level = len(said) - len(said.lstrip("."))
        names: list[tuple[str, str]] = []
        for one in node.children_by_field_name("name"):
            if one.type == "aliased_import":
                names.append((self.text(one.child_by_field_name("name")), self.text(one.child_by_field_name("alias"))))
            else:
                names.append((self.text(one), self.text(one)))
        if any(one.type == "wildcard_import" for one in node.children):
            names.append(("*", "*"))
        return Import(self.span(node), said[level:], level, names)

    def match(self, node: Any) -> Match:
        """match."""
        arms: list[Arm] = []
        body = node.child_by_field_name("body")
        for one in body.named_children if body is not None else ():
            if one.type != "case_clause":
                continue
            patterns: list[Any] = []
            binds: list[str] = []
            open_ended = False
            listed = [p for p in one.named_children if p.type == "case_pattern"]
            for pattern in listed:
                values, names, whole = self.pattern(pattern)
                patterns.extend(values)
                binds.extend(names)
                open_ended = open_ended or whole
            guard = one.child_by_field_name("guard")
            arms.append(Arm(self.span(one), [] if open_ended else patterns, binds,
                            self.inner(guard) if guard is not None else None, self.body(one, "consequence"),
                            self.form(listed[0]) if len(listed) == 1 else None))  # fmt: skip
        return Match(self.span(node), self.field(node, "subject"), arms)

    def pattern(self, node: Any) -> tuple[list[Any], list[str], bool]:
        """(values it names, names it binds, it takes everything)."""
        if not node.named_children:
            return [], [], True
        inner = node.named_children[0]
        if inner.type in ("union_pattern", "case_pattern"):
            values: list[Any] = []
            names: list[str] = []
            whole = False
            for one in inner.named_children if inner.type == "union_pattern" else [inner]:
                found = self.pattern(one) if one.type == "case_pattern" else ([self.expression(one)], [], False)
                values.extend(found[0])
                names.extend(found[1])
                whole = whole or found[2]
            return values, names, whole
        if inner.type == "dotted_name" and inner.named_child_count == 1:
            return [], [self.text(inner)], True
        if inner.type in ("string", "integer", "float", "true", "false", "none", "concatenated_string"):
            return [self.expression(inner)], [], False
        return [Opaque(self.span(inner), inner.type, [])], _bound(self, inner), False

    def form(self, node: Any) -> Any:
        """A pattern of a sequence or a mapping as a target; None for other patterns."""
        inner = node.named_children[0] if node.named_children else node
        if inner.type in ("list_pattern", "tuple_pattern"):
            return Sequence(self.span(inner), "list", [self.part(one) for one in inner.named_children])
        if inner.type != "dict_pattern":
            return None
        keys: list[Any] = []
        values: list[Any] = []
        for one in inner.named_children:
            if one.type == "case_pattern" and len(values) < len(keys):
                values.append(self.part(one))
            elif one.type in ("string", "integer"):
                keys.append(self.expression(one))
        return Mapping(self.span(inner), keys[: len(values)], values)

    def part(self, node: Any) -> Any:
        """A pattern inside another: a name, a constant, or a form again."""
        inner = node.named_children[0] if node.named_children else node
        if inner.type == "splat_pattern":
            name = inner.named_children[0] if inner.named_children else inner
            return Wrap(self.span(inner), "spread", Name(self.span(inner), self.text(name)))
        if inner.type == "dotted_name" or not node.named_children:
            return Name(self.span(inner), self.text(inner))
        if inner.type in ("string", "integer", "true", "false", "none"):
            return self.expression(inner)
        return self.form(node) or Name(self.span(inner), "_")


def _bound(lowering: PythonLowering, node: Any) -> list[str]:
    found: list[str] = []
    rest = [node]
    while rest:
        one = rest.pop()
        if one.type == "identifier":
            found.append(lowering.text(one))
        rest.extend(one.named_children)
    return found
