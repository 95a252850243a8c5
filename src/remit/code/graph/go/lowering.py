"""Go text as facts: types, functions and bodies as plain lists.

Types: id NAME, q PACKAGE NAME, * T, [] T, map K V, func PARAMS RESULTS, struct FIELDS,
iface METHODS EMBEDDED, ? unknown.
Expressions: n name, a selection, c call, lit composite, & * address and value, i index, fn function, ta assertion,
k basic type, o operands. Statements: def names, set, range, e, ret, scope, switch on types.
"""

from __future__ import annotations

from typing import Any, Final

MAX_DEPTH: Final = 120
_BASIC: Final = {
    "int_literal": "int", "float_literal": "float64", "rune_literal": "rune", "imaginary_literal": "complex128",
    "interpreted_string_literal": "string", "raw_string_literal": "string", "true": "bool", "false": "bool",
    "nil": "nil", "iota": "int",
}  # fmt: skip
G_PACKAGE, G_IMPORTS, G_TYPES, G_FUNCS, G_VARS, G_END = range(6)
N_NAME, N_RECV, N_RECV_NAME, N_PARAMS, N_RESULTS, N_BODY, N_LINE, N_STOP, N_GENERIC, N_COUNT, N_HEAD = range(11)


class TooDeep(Exception):
    """The file nests deeper than MAX_DEPTH."""


def lower(source: bytes, parser: Any) -> tuple[list[Any] | None, str]:
    """The facts of a file, or None and why it was not read."""
    root = parser.parse(source).root_node
    if root.has_error:
        return None, f"syntax error at line {_first_error(root)}"
    try:
        return _File().file(root), ""
    except TooDeep:
        return None, "nested too deep"


def _first_error(root: Any) -> int:
    node = root
    while (child := next((c for c in node.children if c.has_error or c.is_missing), None)) is not None:
        node = child
        if node.is_error:
            break
    return int(node.start_point[0]) + 1


def _text(node: Any) -> str:
    raw: bytes = node.text
    return raw.decode("utf-8", "replace")


def _line(node: Any) -> int:
    return int(node.start_point[0]) + 1


def _named(node: Any) -> list[Any]:
    children: list[Any] = node.named_children
    for child in children:
        if child.type == "comment":
            return [c for c in children if c.type != "comment"]
    return children


class _Types:
    """Lowers type expressions."""

    def type_of(self, node: Any) -> list[Any]:
        """One type."""
        if node is None:
            return ["?"]
        method = getattr(self, "_t_" + node.type, None)
        return method(node) if method is not None else ["?"]

    def _t_type_identifier(self, node: Any) -> list[Any]:
        return ["id", _text(node)]

    _t_identifier = _t_type_identifier

    def _t_qualified_type(self, node: Any) -> list[Any]:
        package, name = node.child_by_field_name("package"), node.child_by_field_name("name")
        return ["q", _text(package), _text(name)]

    def _t_pointer_type(self, node: Any) -> list[Any]:
        return ["*", self.type_of(_named(node)[0])]

    def _t_parenthesized_type(self, node: Any) -> list[Any]:
        return self.type_of(_named(node)[0])

    def _t_generic_type(self, node: Any) -> list[Any]:
        return self.type_of(node.child_by_field_name("type"))

    def _t_slice_type(self, node: Any) -> list[Any]:
        return ["[]", self.type_of(node.child_by_field_name("element"))]

    _t_array_type = _t_slice_type
    _t_implicit_length_array_type = _t_slice_type

    def _t_map_type(self, node: Any) -> list[Any]:
        return ["map", self.type_of(node.child_by_field_name("key")), self.type_of(node.child_by_field_name("value"))]

    def _t_channel_type(self, node: Any) -> list[Any]:
        return ["[]", self.type_of(node.child_by_field_name("value"))]

    def _t_function_type(self, node: Any) -> list[Any]:
        params = self.parameters(node.child_by_field_name("parameters"))
        return ["func", [p[1] for p in params], self.results(node.child_by_field_name("result"))]

    def _t_struct_type(self, node: Any) -> list[Any]:
        fields: list[Any] = []
        for block in _named(node):
            for field in _named(block):
                if field.type != "field_declaration":
                    continue
                kind = self.type_of(field.child_by_field_name("type"))
                names = field.children_by_field_name("name")
                if names:
                    fields.extend([_text(name), kind, 0] for name in names)
                else:
                    fields.append([kind[-1] if kind[0] in ("id", "q") else "?", kind, 1])
        return ["struct", fields]

    def _t_interface_type(self, node: Any) -> list[Any]:
        methods: list[Any] = []
        embedded: list[Any] = []
        for one in _named(node):
            if one.type == "method_elem":
                params = self.parameters(one.child_by_field_name("parameters"))
                results = self.results(one.child_by_field_name("result"))
                methods.append([_text(one.child_by_field_name("name")), [p[1] for p in params], results])
            elif one.type == "type_elem" and len(_named(one)) == 1:
                embedded.append(self.type_of(_named(one)[0]))
        return ["iface", methods, embedded]

    def parameters(self, node: Any) -> list[Any]:
        """[[name, type, variadic]]"""
        made: list[Any] = []
        for one in _named(node) if node is not None else ():
            kind = self.type_of(one.child_by_field_name("type"))
            variadic = one.type == "variadic_parameter_declaration"
            kind = ["[]", kind] if variadic else kind
            names = one.children_by_field_name("name")
            made.extend([[_text(name), kind, variadic] for name in names if name.is_named] or [["_", kind, variadic]])
        return made

    def results(self, node: Any) -> list[Any]:
        """Result types; named ones keep their names in `parameters`."""
        if node is None:
            return []
        if node.type == "parameter_list":
            return [p[1] for p in self.parameters(node)]
        return [self.type_of(node)]


class _Expressions(_Types):
    """Lowers expressions."""

    depth = 0

    def expression(self, node: Any) -> list[Any]:
        """One expression."""
        if node is None:
            return ["o", []]
        kind = node.type
        if kind in ("identifier", "package_identifier", "field_identifier"):
            return ["n", _text(node)]
        if kind in _BASIC:
            return ["k", _BASIC[kind]]
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TooDeep
        method = _EXPRESSIONS.get(kind)
        made: list[Any]
        if method is not None:
            made = method(self, node)
        elif kind.endswith("_type"):
            made = ["type", self.type_of(node)]
        else:
            made = ["o", [self.expression(c) for c in _named(node)]]
        self.depth -= 1
        return made

    def _x_selector_expression(self, node: Any) -> list[Any]:
        field = _text(node.child_by_field_name("field"))
        return ["a", self.expression(node.child_by_field_name("operand")), field]

    def _x_call_expression(self, node: Any) -> list[Any]:
        given = node.child_by_field_name("arguments")
        args = [self.expression(c) for c in _named(given)] if given is not None else []
        return ["c", self.expression(node.child_by_field_name("function")), args, _line(node)]

    def _x_type_instantiation_expression(self, node: Any) -> list[Any]:
        return self.expression(node.child_by_field_name("type"))

    def _x_generic_type(self, node: Any) -> list[Any]:
        return ["type", self.type_of(node)]

    def _x_parenthesized_expression(self, node: Any) -> list[Any]:
        return self.expression(_named(node)[0])

    def _x_unary_expression(self, node: Any) -> list[Any]:
        inner = self.expression(node.child_by_field_name("operand"))
        sign = node.children[0].type
        return ["&", inner] if sign == "&" else ["v", inner] if sign == "*" else ["<-", inner] if sign == "<-" else \
            ["same", inner]  # fmt: skip

    def _x_binary_expression(self, node: Any) -> list[Any]:
        leaves: list[Any] = []
        rest = [node]
        while rest:  # long sums nest in the tree, not here
            one = rest.pop()
            if one.type == "binary_expression":
                rest.extend(reversed([c for c in one.named_children if c.type != "comment"]))
            else:
                leaves.append(self.expression(one))
        sign = node.child_by_field_name("operator").type
        return ["o", leaves] if sign in ("==", "!=", "<", ">", "<=", ">=", "&&", "||") else ["sum", leaves]

    def _x_index_expression(self, node: Any) -> list[Any]:
        index = self.expression(node.child_by_field_name("index"))
        return ["i", self.expression(node.child_by_field_name("operand")), index]

    def _x_slice_expression(self, node: Any) -> list[Any]:
        return ["same", self.expression(node.child_by_field_name("operand")),
                *[self.expression(c) for c in _named(node)[1:]]]  # fmt: skip

    def _x_type_assertion_expression(self, node: Any) -> list[Any]:
        kind = self.type_of(node.child_by_field_name("type"))
        return ["ta", self.expression(node.child_by_field_name("operand")), kind]

    def _x_composite_literal(self, node: Any) -> list[Any]:
        body = self._values(node.child_by_field_name("body"))
        return ["lit", self.type_of(node.child_by_field_name("type")), body]

    def _values(self, node: Any) -> list[Any]:
        """[[key or None, value]]; a value without a type of its own is `{}` of the element's."""
        made: list[Any] = []
        for one in _named(node):
            if one.type == "keyed_element":
                key, value = (_named(part)[0] if part.type == "literal_element" else part for part in _named(one)[:2])
                made.append([self._element(key), self._element(value)])
            else:
                inner = _named(one)
                made.append([None, self._element(inner[0] if one.type == "literal_element" and inner else one)])
        return made

    def _element(self, node: Any) -> list[Any]:
        if node.type == "literal_value":
            return ["lit", ["elem"], self._values(node)]
        return self.expression(node)

    def _x_func_literal(self, node: Any) -> list[Any]:
        params = self.parameters(node.child_by_field_name("parameters"))
        results = node.child_by_field_name("result")
        return ["fn", params + self.named_results(results), self.results(results),
                self.block(node.child_by_field_name("body"))]  # fmt: skip

    def named_results(self, node: Any) -> list[Any]:
        """Results with names are variables."""
        return self.parameters(node) if node is not None and node.type == "parameter_list" else []

    def block(self, node: Any) -> list[Any]:
        """Statements; the subclass knows them."""
        raise AssertionError("statements are the subclass's")


class _File(_Expressions):
    """Lowers statements and declarations."""

    def file(self, root: Any) -> list[Any]:
        """The whole file."""
        package, imports, types, functions, variables = "", [], [], [], []
        for node in _named(root):
            if node.type == "package_clause":
                package = _text(_named(node)[0])
            elif node.type == "import_declaration":
                imports.extend(self._imports(node))
            elif node.type == "type_declaration":
                types.extend(self._types(node))
            elif node.type in ("function_declaration", "method_declaration"):
                functions.append(self._function(node))
            elif node.type in ("var_declaration", "const_declaration"):
                variables.extend(self._variables(node))
        return [package, imports, types, functions, variables, root.end_point[0] + 1]

    def _imports(self, node: Any) -> list[Any]:
        made = []
        rest = _named(node)
        while rest:
            one = rest.pop(0)
            if one.type == "import_spec_list":
                rest.extend(_named(one))
            else:
                name = one.child_by_field_name("name")
                path = _text(one.child_by_field_name("path")).strip('"`')
                made.append([_text(name) if name is not None else "", path, _line(one)])
        return made

    def _types(self, node: Any) -> list[Any]:
        made = []
        for one in _named(node):
            if one.type in ("type_spec", "type_alias"):
                name = _text(one.child_by_field_name("name"))
                kind = self.type_of(one.child_by_field_name("type"))
                made.append([name, kind, one.type == "type_alias", _line(one), one.end_point[0] + 1])
        return made

    def _generics(self, node: Any) -> list[Any]:
        made: list[Any] = []
        for one in _named(node) if node is not None else ():
            kind = one.child_by_field_name("type")
            inner = _named(kind) if kind is not None else []
            made.extend([_text(name), self.type_of(inner[0]) if len(inner) == 1 else ["?"]]
                        for name in one.children_by_field_name("name"))  # fmt: skip
        return made

    def _function(self, node: Any) -> list[Any]:
        receiver = self.parameters(node.child_by_field_name("receiver"))
        result = node.child_by_field_name("result")
        body = node.child_by_field_name("body")
        params = self.parameters(node.child_by_field_name("parameters"))
        head = node.text[: (body.start_byte - node.start_byte) if body is not None else 300].decode("utf-8", "replace")
        return [
            _text(node.child_by_field_name("name")), receiver[0][1] if receiver else None,
            receiver[0][0] if receiver else "", params + self.named_results(result), self.results(result),
            self.block(body), _line(node), node.end_point[0] + 1,
            self._generics(node.child_by_field_name("type_parameters")), len(params), " ".join(head[:300].split()),
        ]  # fmt: skip

    def _variables(self, node: Any) -> list[Any]:
        made = []
        rest = _named(node)
        while rest:
            one = rest.pop(0)
            if one.type == "var_spec_list":
                rest[:0] = _named(one)
            elif one.type in ("var_spec", "const_spec"):
                names = [_text(n) for n in one.children_by_field_name("name") if n.is_named]
                kind = one.child_by_field_name("type")
                value = one.child_by_field_name("value")
                made.append([names, self.type_of(kind) if kind is not None else None, self._list(value), _line(one)])
        return made

    def _list(self, node: Any) -> list[Any]:
        if node is None:
            return []
        return [self.expression(c) for c in _named(node)] if node.type == "expression_list" else [self.expression(node)]

    def block(self, node: Any) -> list[Any]:
        """The statements of a block."""
        made: list[Any] = []
        if node is None:
            return made
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TooDeep
        for child in _named(node):
            if child.type == "statement_list":
                made.extend(self.block(child))
            else:
                made.append(self.statement(child))
        self.depth -= 1
        return made

    def statement(self, node: Any) -> list[Any]:
        """One statement."""
        method = _STATEMENTS.get(node.type)
        if method is not None:
            return method(self, node)  # type: ignore[no-any-return]  # the table's values are untyped
        if node.type.endswith(("statement", "clause", "_case", "block")):
            return ["scope", self.block(node)]
        return ["e", [self.expression(node)]]

    def _s_short_var_declaration(self, node: Any) -> list[Any]:
        names = [_text(n) for n in _named(node.child_by_field_name("left"))]
        return ["def", names, None, self._list(node.child_by_field_name("right"))]

    def _s_var_declaration(self, node: Any) -> list[Any]:
        return ["many", [["def", one[0], one[1], one[2]] for one in self._variables(node)]]

    _s_const_declaration = _s_var_declaration

    def _s_assignment_statement(self, node: Any) -> list[Any]:
        return ["set", self._list(node.child_by_field_name("left")), self._list(node.child_by_field_name("right"))]

    def _s_type_declaration(self, node: Any) -> list[Any]:
        return ["types", self._types(node)]

    def _s_for_statement(self, node: Any) -> list[Any]:
        inner: list[Any] = []
        for child in _named(node):
            if child.type == "range_clause":
                left = child.child_by_field_name("left")
                names = [_text(n) if n.type == "identifier" else "_" for n in _named(left)] if left is not None else []
                inner.append(["range", names, self.expression(child.child_by_field_name("right"))])
            elif child.type == "for_clause":
                inner.extend(self.statement(c) for c in _named(child))
            elif child.type == "block":
                inner.extend(self.block(child))
            else:
                inner.append(["e", [self.expression(child)]])
        return ["scope", inner]

    def _s_type_switch_statement(self, node: Any) -> list[Any]:
        alias = node.child_by_field_name("alias")
        cases = []
        for child in _named(node):
            if child.type == "type_case":
                kinds = [self.type_of(c) for c in child.children_by_field_name("type")]
                lists = [c for c in _named(child) if c.type == "statement_list"]
                cases.append([kinds, [s for c in lists for s in self.block(c)]])
            elif child.type == "default_case":
                cases.append([[], self.block(child)])
        name = _text(_named(alias)[0]) if alias is not None else ""
        return ["switch", name, self.expression(node.child_by_field_name("value")), cases]


_EXPRESSIONS: Final[dict[str, Any]] = {
    name.removeprefix("_x_"): method for name, method in vars(_Expressions).items() if name.startswith("_x_")
}
_STATEMENTS: Final[dict[str, Any]] = {
    name.removeprefix("_s_"): method for name, method in vars(_File).items() if name.startswith("_s_")
}
