"""Python trees to the program form."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from remit.code.review.ir import (
    Arm,
    Assign,
    Attr,
    Binary,
    Block,
    Call,
    Choice,
    Class,
    Comprehension,
    Const,
    Define,
    Delete,
    Evaluate,
    Function,
    Handler,
    If,
    Import,
    Index,
    Jump,
    Lambda,
    Logic,
    Loop,
    Mapping,
    Match,
    Module,
    Name,
    Opaque,
    Parameter,
    Raise,
    Return,
    Sequence,
    Slice,
    Text,
    Try,
    Unary,
    With,
    Wrap,
)
from remit.code.review.lowering.shared import Lowering, unescaped

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


class PythonLowering(Lowering):
    """The tables and methods for Python."""

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
    STATEMENTS: ClassVar[dict[str, str]] = {
        "expression_statement": "evaluate", "return_statement": "give", "if_statement": "branch",
        "for_statement": "loop", "while_statement": "loop", "try_statement": "attempt", "with_statement": "using",
        "function_definition": "define", "class_definition": "define_class", "decorated_definition": "decorated",
        "raise_statement": "throw", "break_statement": "jump", "continue_statement": "jump",
        "pass_statement": "jump", "import_statement": "imports", "import_from_statement": "imports_from",
        "future_import_statement": "nothing", "delete_statement": "delete", "match_statement": "match",
        "assert_statement": "check", "global_statement": "nothing", "nonlocal_statement": "nothing",
        "print_statement": "other_statement", "type_alias_statement": "nothing", "ERROR": "broken",
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
                        test=name.startswith("test"))  # fmt: skip
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

    def jump(self, node: Any) -> Jump:
        """pass, break, continue."""
        return Jump(self.span(node), node.type.partition("_")[0])

    def nothing(self, node: Any) -> None:
        """A statement without an effect here."""

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
            for pattern in (p for p in one.named_children if p.type == "case_pattern"):
                values, names, whole = self.pattern(pattern)
                patterns.extend(values)
                binds.extend(names)
                open_ended = open_ended or whole
            guard = one.child_by_field_name("guard")
            arms.append(Arm(self.span(one), [] if open_ended else patterns, binds,
                            self.inner(guard) if guard is not None else None, self.body(one, "consequence")))  # fmt: skip
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


def _bound(lowering: PythonLowering, node: Any) -> list[str]:
    found: list[str] = []
    rest = [node]
    while rest:
        one = rest.pop()
        if one.type == "identifier":
            found.append(lowering.text(one))
        rest.extend(one.named_children)
    return found
