"""Python text as facts: statements, functions and classes as plain lists, imports and names of the module.

A function is a list, read by the names F_*: so a store keeps it as it is. Statements: e expression, = assignment,
def, class, ret, if, loop, try, with, raise, import, from, global, del, match, stop (break, continue).
A file with a syntax error is not lowered in part: it is reported as not read, with its line.
"""

from __future__ import annotations

from typing import Any, Final

from remit.code.graph.python.lower_expressions import Expressions, TooDeep, bind, effect, effects, text

(
    F_NAME, F_QUAL, F_LINE, F_END, F_PARAMS, F_DECOR, F_BODY, F_FLAGS, F_RETURNS, F_LOCALS, F_FREE, F_DOC, F_HEAD,
    F_KEY,
) = range(14)  # fmt: skip
"""F_KEY: which of the definitions of this name in the file it is, from 0"""
M_IMPORTS, M_LINES = 13, 14
"""of a module: [level, module, names, line] of every import; {qualified name: lines of its definitions}"""
C_NAME, C_QUAL, C_LINE, C_END, C_BASES, C_DECOR, C_BODY, C_LOCALS, C_FIELDS, C_DOC, C_KEY = range(11)
GENERATOR: Final = 1
ASYNC: Final = 2
LAMBDA: Final = 4
_PLAIN: Final = frozenset(["int", "str", "bool", "float", "bytes", "object", "Any"])
"""Annotations that name no class of a project"""
_PARAMETERS: Final = {
    "identifier": 0, "default_parameter": 0, "typed_parameter": 0, "typed_default_parameter": 0,
    "list_splat_pattern": 2, "dictionary_splat_pattern": 3,
}  # fmt: skip


def lower(source: bytes, parser: Any) -> tuple[list[Any] | None, str]:
    """The module of a Python text as a function-like list, or None and why it was not read."""
    tree = parser.parse(source)
    root = tree.root_node
    if root.has_error:
        return None, f"syntax error at line {first_error(root)}"
    scope = _Scope("", None)
    try:
        body = scope.block(root)
    except TooDeep:
        return None, "nested too deep"
    names = sorted(scope.assigned)
    free = sorted(scope.free)
    return ["", "", 1, root.end_point[0] + 1, [], [], body, 0, None, names, free, _doc(root), "", scope.imports,
            scope.lines], ""  # fmt: skip


def first_error(root: Any) -> int:
    """The line of the first syntax error."""
    node = root
    while True:
        for child in node.children:
            if child.has_error or child.is_missing:
                node = child
                break
        else:
            return int(node.start_point[0]) + 1
        if node.is_error or node.is_missing:
            return int(node.start_point[0]) + 1


class _Scope(Expressions):
    """Lowers the body of one scope; nested functions get their own."""

    def __init__(self, qual: str, outer: _Scope | None) -> None:
        super().__init__()
        self.qual = qual
        self.outer = outer
        self.depth = outer.depth if outer is not None else 0
        self.free: set[str] = set()
        """names that nested functions read and do not bind"""
        self.declared: set[str] = set()
        self.imports: list[Any] = outer.imports if outer is not None else []
        self.lines: dict[str, list[int]] = outer.lines if outer is not None else {}

    def block(self, node: Any) -> list[Any]:
        """The statements of a block."""
        made: list[Any] = []
        if node is None:
            return made
        self.depth += 1
        for child in node.named_children:
            method = _STATEMENTS.get(child.type)
            if method is not None:
                statement = method(self, child)
                if statement is not None:
                    made.append(statement)
            elif child.type.endswith(("statement", "expression", "call")):
                made.append(["e", ["o", effects(self._all(child))]])
        self.depth -= 1
        return made

    def _key(self, qual: str, node: Any) -> int:
        """Which definition of a name this is; its line is noted."""
        lines = self.lines.setdefault(qual, [])
        lines.append(node.start_point[0] + 1)
        return len(lines) - 1

    def _inner_name(self, name: str) -> str:
        return f"{self.qual}.{name}" if self.qual else name

    def _s_expression_statement(self, node: Any) -> list[Any] | None:
        child = next((c for c in node.named_children if c.type != "comment"), None)
        if child is None or child.type == "string":
            return None
        if child.type == "assignment":
            return self._assignment(child)
        if child.type == "augmented_assignment":
            target = self.expression(child.child_by_field_name("left"))
            bind(target, self.assigned)
            return ["+=", target, self.expression(child.child_by_field_name("right"))]
        made = effects([self.expression(child)] if node.named_child_count == 1 else self._all(node))
        return ["e", made[0] if len(made) == 1 else ["o", made]] if made else None

    def _assignment(self, node: Any) -> list[Any]:
        targets: list[Any] = []
        annotation = None
        value: Any = node
        while value is not None and value.type == "assignment":
            target = self.expression(value.child_by_field_name("left"))
            bind(target, self.assigned)
            targets.append(target)
            if not self.qual and target[0] == "n" and target[1].isupper():  # beside the body, which lines do not change
                self.lines.setdefault("=" + target[1], [value.start_point[0] + 1])
            annotation = annotation or self._type(value.child_by_field_name("type"))
            value = value.child_by_field_name("right")
        return ["=", targets, self.optional(value), annotation]

    def _type(self, node: Any) -> list[Any] | None:
        inner = node.named_children if node is not None else None
        if not inner:
            return None
        made = self.expression(inner[0])
        return ["t", "None"] if made[0] == "n" and made[1] in _PLAIN else made

    def _class_named(self, node: Any) -> list[Any] | None:
        """The annotation of a parameter or a result, where it may name a class of the project."""
        made = self._type(node)
        return None if made is None or made[0] == "t" else made

    def _s_return_statement(self, node: Any) -> list[Any]:
        return ["ret", self.optional(next(iter(node.named_children), None))]

    def _s_if_statement(self, node: Any) -> list[Any]:
        arms = [[effect(self.expression(node.child_by_field_name("condition"))),
                 self.block(node.child_by_field_name("consequence"))]]  # fmt: skip
        other: list[Any] | None = None
        for child in node.children_by_field_name("alternative"):
            if child.type == "elif_clause":
                test = effect(self.expression(child.child_by_field_name("condition")))
                arms.append([test, self.block(child.child_by_field_name("consequence"))])
            else:
                other = self.block(child.child_by_field_name("body"))
        return ["if", arms, other]

    def _s_for_statement(self, node: Any) -> list[Any]:
        target = self.expression(node.child_by_field_name("left"))
        bind(target, self.assigned)
        items = self.expression(node.child_by_field_name("right"))
        body = self.block(node.child_by_field_name("body"))
        return ["loop", target, items, body, self._else(node), node.start_point[0] + 1]

    def _s_while_statement(self, node: Any) -> list[Any]:
        test = effect(self.expression(node.child_by_field_name("condition")))
        return ["loop", None, test, self.block(node.child_by_field_name("body")), self._else(node), 0]

    def _else(self, node: Any) -> list[Any]:
        other = node.child_by_field_name("alternative")
        return [] if other is None else self.block(other.child_by_field_name("body"))

    def _s_try_statement(self, node: Any) -> list[Any]:
        handlers: list[Any] = []
        other: list[Any] = []
        last: list[Any] = []
        for child in node.named_children:
            if child.type in ("except_clause", "except_group_clause"):
                handlers.append(self._handler(child))
            elif child.type == "else_clause":
                other = self.block(child.child_by_field_name("body"))
            elif child.type == "finally_clause":
                last = self.block(next((c for c in child.named_children if c.type == "block"), None))
        return ["try", self.block(node.child_by_field_name("body")), handlers, other, last]

    def _handler(self, node: Any) -> list[Any]:
        kind: list[Any] | None = None
        name = ""
        for child in node.named_children:
            if child.type == "as_pattern":
                kind = self.expression(child.named_children[0])
                name = text(child.named_children[-1])
                self.assigned.add(name)
            elif child.type not in ("block", "comment"):
                if kind is None:
                    kind = self.expression(child)
                elif child.type == "identifier":
                    name = text(child)
                    self.assigned.add(name)
        return [kind, name, self.block(next((c for c in node.named_children if c.type == "block"), None))]

    def _s_with_statement(self, node: Any) -> list[Any]:
        items: list[Any] = []
        for clause in node.named_children:
            if clause.type != "with_clause":
                continue
            for item in clause.named_children:
                if item.type == "with_item":
                    items.append(self._with_item(item.child_by_field_name("value")))
        return ["with", items, self.block(node.child_by_field_name("body")), node.start_point[0] + 1]

    def _with_item(self, node: Any) -> list[Any]:
        if node.type != "as_pattern":
            return [self.expression(node), None]
        goal = node.named_children[-1]
        target = self.expression(goal.named_children[0] if goal.type == "as_pattern_target" else goal)
        bind(target, self.assigned)
        return [self.expression(node.named_children[0]), target]

    def _as_pattern(self, node: Any) -> list[Any]:
        target, value = self._with_item(node)[::-1]
        return [":=", target, value] if target is not None else value

    def _s_raise_statement(self, node: Any) -> list[Any]:
        return ["raise", [self.expression(c) for c in node.named_children if c.type != "comment"],
                node.start_point[0] + 1]  # fmt: skip

    def _s_assert_statement(self, node: Any) -> list[Any]:
        return ["e", ["o", effects(self._all(node))]]

    def _s_delete_statement(self, node: Any) -> list[Any]:
        return ["e", ["o", effects(self._all(node))]]

    def _s_break_statement(self, node: Any) -> list[Any]:
        return ["stop"]

    _s_continue_statement = _s_break_statement

    def _s_global_statement(self, node: Any) -> list[Any]:
        names = [text(c) for c in node.named_children]
        self.declared.update(names)
        return ["global", names]

    def _s_nonlocal_statement(self, node: Any) -> list[Any]:
        names = [text(c) for c in node.named_children]
        self.declared.update(names)
        self.uses.update(names)
        return ["nonlocal", names]

    def _s_import_statement(self, node: Any) -> list[Any]:
        made = []
        for child in node.children_by_field_name("name"):
            if child.type == "aliased_import":
                name, alias = text(child.child_by_field_name("name")), text(child.child_by_field_name("alias"))
            else:
                name, alias = text(child), ""
            self.assigned.add(alias or name.split(".")[0])
            made.append([name, alias])
            self.imports.append([0, name, [], node.start_point[0] + 1])
        return ["import", made, node.start_point[0] + 1]

    def _s_import_from_statement(self, node: Any) -> list[Any]:
        module = node.child_by_field_name("module_name")
        source = text(module).replace(" ", "")
        names: list[Any] = []
        for child in node.children_by_field_name("name"):
            if child.type == "aliased_import":
                pair = [text(child.child_by_field_name("name")), text(child.child_by_field_name("alias"))]
            else:
                pair = [text(child), text(child)]
            self.assigned.add(pair[1])
            names.append(pair)
        if any(c.type == "wildcard_import" for c in node.named_children):
            names.append(["*", "*"])
        level = len(source) - len(source.lstrip("."))
        self.imports.append([level, source.lstrip("."), [pair[0] for pair in names], node.start_point[0] + 1])
        return ["from", level, source.lstrip("."), names, node.start_point[0] + 1]

    def _s_decorated_definition(self, node: Any) -> list[Any] | None:
        marks = [[self.expression(c.named_children[0]), c.start_point[0] + 1]
                 for c in node.named_children if c.type == "decorator" and c.named_children]  # fmt: skip
        inner = node.child_by_field_name("definition")
        if inner.type == "class_definition":
            return self._class(inner, marks)
        return self._function(inner, marks)

    def _s_function_definition(self, node: Any) -> list[Any]:
        return self._function(node, [])

    def _s_class_definition(self, node: Any) -> list[Any]:
        return self._class(node, [])

    def _s_match_statement(self, node: Any) -> list[Any]:
        subject = [self.expression(c) for c in node.children_by_field_name("subject")]
        arms: list[Any] = []
        body = node.child_by_field_name("body") or node
        for child in body.named_children:
            if child.type != "case_clause":
                continue
            for pattern in child.named_children:
                if pattern.type == "case_pattern":
                    _captures(pattern, self.assigned)
            guard = child.child_by_field_name("guard")
            test = ["o", effects(self._all(guard))] if guard is not None else ["t", "None"]
            arms.append([test, self.block(child.child_by_field_name("consequence"))])
        return ["match", subject, arms]

    def _function(self, node: Any, marks: list[Any]) -> list[Any]:
        name = text(node.child_by_field_name("name"))
        self.assigned.add(name)
        flags = ASYNC if node.children[0].type == "async" else 0
        return ["def", self._scope_of(node, name, marks, flags)]

    def lambda_of(self, node: Any) -> list[Any]:
        """A lambda, named by its number in the scope."""
        self.lambdas += 1
        return self._scope_of(node, f"<lambda{self.lambdas}>", [], LAMBDA)

    def _scope_of(self, node: Any, name: str, marks: list[Any], flags: int) -> list[Any]:
        inner = _Scope(self._inner_name(name), self)
        key = self._key(inner.qual, node)
        parameters = self._parameters(node.child_by_field_name("parameters"), inner)
        body_node = node.child_by_field_name("body")
        if flags & LAMBDA:
            body: list[Any] = [["ret", inner.expression(body_node)]]
        else:
            body = inner.block(body_node)
        names = inner.assigned - inner.declared
        # What the inner scope and its own inner scopes read and do not bind comes from here or further out.
        outside = (inner.uses | inner.free) - names
        self.free |= outside | inner.declared
        flags |= GENERATOR if inner.yields else 0
        returns = self._class_named(node.child_by_field_name("return_type"))
        head = "" if flags & LAMBDA else _head(node)
        doc = "" if flags & LAMBDA else _doc(body_node)
        return [name, inner.qual, node.start_point[0] + 1, node.end_point[0] + 1, parameters, marks, body, flags,
                returns, sorted(names), sorted(inner.free & names), doc, head, key]  # fmt: skip

    def _parameters(self, node: Any, inner: _Scope) -> list[Any]:
        made: list[Any] = []
        after = 0
        for child in node.named_children if node is not None else ():
            if child.type == "keyword_separator":
                after = 1
            kind = _PARAMETERS.get(child.type)
            if kind is None:
                continue
            named = child.child_by_field_name("name") or child
            if child.type == "typed_parameter":
                named = child.named_children[0]
                kind = _PARAMETERS.get(named.type, 0)
            name = text(named).lstrip("*")
            inner.assigned.add(name)
            default = self.optional(child.child_by_field_name("value"))
            made.append([name, kind or after, default, self._class_named(child.child_by_field_name("type"))])
            if kind == 2:
                after = 1
        return made

    def _class(self, node: Any, marks: list[Any]) -> list[Any]:
        name = text(node.child_by_field_name("name"))
        self.assigned.add(name)
        bases = self.arguments(node.child_by_field_name("superclasses"))
        inner = _Scope(self._inner_name(name), self)
        key = self._key(inner.qual, node)
        body_node = node.child_by_field_name("body")
        body = inner.block(body_node)
        names = inner.assigned - inner.declared
        # Class variables are not seen by the methods: what those read comes from further out.
        self.free |= inner.free
        self.uses |= inner.uses - names | (inner.uses & names)
        fields = [s[1][0][1] for s in body if s[0] == "=" and s[3] is not None and s[1][0][0] == "n"]
        return ["class", [name, inner.qual, node.start_point[0] + 1, node.end_point[0] + 1, bases, marks, body,
                          sorted(names), fields, _doc(body_node), key]]  # fmt: skip


_STATEMENTS: Final[dict[str, Any]] = {
    name.removeprefix("_s_"): method for name, method in vars(_Scope).items() if name.startswith("_s_")
}


def _captures(node: Any, into: set[str]) -> None:
    """Names that a pattern may bind; a name that is only read does no harm there."""
    for child in node.named_children:
        if child.type in ("dotted_name", "identifier") and child.named_child_count <= 1:
            into.add(text(child))
        elif child.named_child_count and child.type != "class_pattern":
            _captures(child, into)


def _doc(block: Any) -> str:
    """The first line of a docstring."""
    first = next((c for c in block.named_children if c.type != "comment"), None) if block is not None else None
    if first is None or first.type != "expression_statement" or first.named_children[0].type != "string":
        return ""
    lines = text(first.named_children[0])[:2000].strip("rRbBuUfF").strip("\"'").strip().split("\n")
    return lines[0].strip()[:200]


def _head(node: Any) -> str:
    """The signature as written, on one line."""
    end = node.child_by_field_name("body").start_byte
    raw = node.text[: max(0, end - node.start_byte)].decode("utf-8", "replace")
    return " ".join(raw[:400].split()).rstrip(": ")
