"""Statements: declarations, control flow, imports and exports."""

from __future__ import annotations

from typing import Any, Final

from remit.code.graph.javascript import facts as j
from remit.code.graph.javascript.lower_expressions import Expressions, text
from remit.code.graph.javascript.variables import Block

NESTED: Final = frozenset([
    "if_statement", "else_clause", "for_statement", "for_in_statement", "while_statement", "do_statement",
    "try_statement", "catch_clause", "finally_clause", "switch_statement", "switch_body", "switch_case",
    "switch_default", "statement_block", "labeled_statement", "export_statement",
])  # fmt: skip
DEAD: Final = frozenset([
    "type_alias_declaration", "import_alias", "comment", "empty_statement", "break_statement", "continue_statement",
    "debugger_statement", "hash_bang_line", "function_signature", "ambient_declaration",
])  # fmt: skip


class Statements(Expressions):
    """Lowers statements; expressions and functions are the other halves."""

    imports: list[list[Any]]
    symbols: list[list[Any]]
    esm: bool

    def statements(self, node: Any) -> None:
        """The statements of a block, its declarations first."""
        children = node.named_children
        for child in children:
            self._hoist(child)
        for child in children:
            if child.type in ("function_declaration", "generator_function_declaration"):
                self.statement(child)
        for child in children:
            if child.type not in ("function_declaration", "generator_function_declaration"):
                self.statement(child)

    def _hoist(self, node: Any) -> None:
        """Declare what a statement of this block declares."""
        kind = node.type
        if kind == "export_statement":
            declared = node.child_by_field_name("declaration")
            if declared is not None:
                self._hoist(declared)
        elif kind in ("lexical_declaration", "variable_declaration"):
            for one in node.named_children:
                if one.type == "variable_declarator":
                    self.declare_pattern(one.child_by_field_name("name"), hoist=kind == "variable_declaration")
        elif kind.endswith("_declaration") or kind in ("internal_module", "module"):
            name = node.child_by_field_name("name")
            if name is not None and kind not in DEAD:
                self.declare(text(name))
        elif kind in NESTED:
            self._hoist_var(node)

    def _hoist_var(self, node: Any) -> None:
        """Declare `var`s that stand deeper."""
        for child in node.named_children:
            if child.type == "variable_declaration":
                self._hoist(child)
            elif child.type in NESTED:
                self._hoist_var(child)

    def statement(self, node: Any) -> None:
        """One statement."""
        method = getattr(self, "_s_" + node.type, None)
        if method is not None:
            method(node)
        elif node.type not in DEAD:
            self.value(node)

    def scoped(self, node: Any) -> None:
        """A block with names of its own."""
        if node is None:
            return
        outer = self.block
        self.block = Block(self.function, outer, False)
        if node.type in ("statement_block", "switch_case", "switch_default", "program"):
            self.statements(node)
        else:
            self._hoist(node)
            self.statement(node)
        self.block = outer

    _s_statement_block = scoped

    def _s_expression_statement(self, node: Any) -> None:
        for child in node.named_children:
            if child.type == "internal_module":
                self._s_internal_module(child)
            elif child.type != "comment":
                self.value(child)

    def _s_lexical_declaration(self, node: Any) -> None:
        for one in node.named_children:
            if one.type == "variable_declarator":
                self._declarator(one, node)

    _s_variable_declaration = _s_lexical_declaration
    _s_using_declaration = _s_lexical_declaration

    def _declarator(self, node: Any, whole: Any) -> None:
        target, given = node.child_by_field_name("name"), node.child_by_field_name("value")
        kind = node.child_by_field_name("type")
        if target.type == "identifier" and self.function.index == 0 and self.block.top:
            self._note_variable(text(target), node, given, whole)
        if given is not None:
            src = self.named_value(given, text(target) if target.type == "identifier" else "")
            self.assign_pattern(target, src)
        if kind is not None and target.type == "identifier":
            self.typed(self.read(text(target)), kind)

    def _note_variable(self, name: str, node: Any, given: Any, whole: Any) -> None:
        if given is None or given.type not in ("arrow_function", "function_expression", "class", "generator_function"):
            exported = whole.parent is not None and whole.parent.type == "export_statement"
            self.note("constant", name, node, exported, f"{text(whole.children[0])} {name}")

    def _s_if_statement(self, node: Any) -> None:
        self.value(node.child_by_field_name("condition"))
        before = self.save()
        self.scoped(node.child_by_field_name("consequence"))
        first = self.save()
        self.restore(before)
        other = node.child_by_field_name("alternative")
        for child in other.named_children if other is not None else ():
            self.scoped(child)
        leaves = node.child_by_field_name("consequence")
        if other is None and self._leaves(leaves):
            return
        self.join([first, self.save()])

    @staticmethod
    def _leaves(node: Any) -> bool:
        last = node.named_children[-1] if node.type == "statement_block" and node.named_children else node
        return str(last.type) in ("return_statement", "throw_statement", "continue_statement", "break_statement")

    def loop(self, body: Any, head: list[Any]) -> None:
        """A body that may run any number of times, also none."""
        function = self.function
        starts: dict[Any, int] = {}
        for variable, version in list(function.env.items()):
            starts[variable] = function.env[variable] = self.node()
            self.copy(starts[variable], version)
        function.paths.clear()
        before = self.save()
        for one in head:
            self.value(one)
        self.scoped(body)
        for variable, start in starts.items():
            self.copy(start, function.env.get(variable, start))
        self.join([before, self.save()])

    def _s_for_statement(self, node: Any) -> None:
        outer = self.block
        self.block = Block(self.function, outer, False)
        first = node.child_by_field_name("initializer")
        if first is not None:
            self._hoist(first)
            self.statement(first)
        rest = [node.child_by_field_name("condition"), node.child_by_field_name("increment")]
        self.loop(node.child_by_field_name("body"), [one for one in rest if one is not None and one.is_named])
        self.block = outer

    def _s_for_in_statement(self, node: Any) -> None:
        outer = self.block
        self.block = Block(self.function, outer, False)
        left = node.child_by_field_name("left")
        declared = node.child_by_field_name("kind")
        if declared is not None:
            self.declare_pattern(left, hoist=text(declared) == "var")
        src = self.value(node.child_by_field_name("right"))
        dst = self.node()
        of = text(node.child_by_field_name("operator")) == "of"
        kind = "await" if of and any(c.type == "await" for c in node.children) else "of" if of else "in"
        self.emit(j.ITERATE, dst, src, kind, self.line(node), self.function.index)
        self.function.paths.clear()
        self.assign_pattern(left, dst)
        self.loop(node.child_by_field_name("body"), [])
        self.block = outer

    def _s_while_statement(self, node: Any) -> None:
        self.loop(node.child_by_field_name("body"), [node.child_by_field_name("condition")])

    _s_do_statement = _s_while_statement

    def _s_try_statement(self, node: Any) -> None:
        before = self.save()
        self.scoped(node.child_by_field_name("body"))
        states = [self.save()]
        handler, final = node.child_by_field_name("handler"), node.child_by_field_name("finalizer")
        if handler is not None:
            self.join([before, states[0]])
            outer = self.block
            self.block = Block(self.function, outer, False)
            parameter = handler.child_by_field_name("parameter")
            if parameter is not None:
                self.declare_pattern(parameter, hoist=False)
                self.assign_pattern(parameter, self.thrown())
            self.scoped(handler.child_by_field_name("body"))
            self.block = outer
            states.append(self.save())
        self.join(states)
        if final is not None:
            self.scoped(final.child_by_field_name("body"))

    def thrown(self) -> int:
        """The node of everything that is thrown in this file."""
        found = self.block
        while found.outer is not None:
            found = found.outer
        variable = found.names.get("\0thrown")
        if variable is None:
            here, self.block = self.block, found
            variable = self.declare("\0thrown")
            self.block = here
        return variable.whole

    def _s_throw_statement(self, node: Any) -> None:
        for child in node.named_children:
            self.copy(self.thrown(), self.value(child))

    def _s_switch_statement(self, node: Any) -> None:
        self.value(node.child_by_field_name("value"))
        outer = self.block
        self.block = Block(self.function, outer, False)
        before = self.save()
        states = [before]
        cases = node.child_by_field_name("body").named_children
        for case in cases:
            for child in case.named_children:
                self._hoist(child)
        for case in cases:
            self.join([before, self.save()])
            for child in case.named_children:
                self.statement(child)
            states.append(self.save())
        self.join(states)
        self.block = outer

    def _s_labeled_statement(self, node: Any) -> None:
        self.statement(node.child_by_field_name("body"))

    def _s_return_statement(self, node: Any) -> None:
        for child in node.named_children:
            if child.type != "comment":
                self.returned(child)

    def _s_function_declaration(self, node: Any) -> None:
        name = text(node.child_by_field_name("name"))
        self.assign(name, self.define(node, name))

    _s_generator_function_declaration = _s_function_declaration

    def _s_class_declaration(self, node: Any) -> None:
        name = text(node.child_by_field_name("name"))
        self.assign(name, self.define_class(node, name))

    _s_abstract_class_declaration = _s_class_declaration

    def _s_interface_declaration(self, node: Any) -> None:
        name = text(node.child_by_field_name("name"))
        dst = self.node()
        self.emit(j.OBJECT, dst, "interface")
        self.assign(name, dst)
        self.note("interface", name, node, self.is_exported(node), f"interface {name}")

    def _s_enum_declaration(self, node: Any) -> None:
        name = text(node.child_by_field_name("name"))
        dst = self.node()
        self.emit(j.OBJECT, dst, "object")
        self.assign(name, dst)
        self.note("enum", name, node, self.is_exported(node), f"enum {name}")

    def _s_type_alias_declaration(self, node: Any) -> None:
        name = text(node.child_by_field_name("name"))
        self.note("type_alias", name, node, self.is_exported(node), f"type {name}")

    def _s_internal_module(self, node: Any) -> None:
        """`namespace N { ... }`: an object with what is exported in it."""
        name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if body is None or name.type != "identifier":
            return
        dst = self.node()
        self.emit(j.OBJECT, dst, "object")
        self.declare(text(name))
        self.assign(text(name), dst)
        outer, prefix = self.block, self.prefix
        self.block = Block(self.function, outer, False)
        self.prefix = self.inner(text(name))
        self.statements(body)
        for child in body.named_children:
            declared = child.child_by_field_name("declaration") if child.type == "export_statement" else None
            for one in self.names_of(declared) if declared is not None else ():
                self.emit(j.STORE, dst, one, self.read(one), self.line(child), self.function.index)
        self.block, self.prefix = outer, prefix

    _s_module = _s_internal_module

    def _s_import_statement(self, node: Any) -> None:
        self.esm = True
        source = node.child_by_field_name("source")
        required = next((c for c in node.named_children if c.type == "import_require_clause"), None)
        if required is not None:
            source = required.child_by_field_name("source")
            self._import_name(text(required.named_children[0]), self.string(source), "=")
        if source is None:
            return
        names: list[str] = []
        clause = next((c for c in node.named_children if c.type == "import_clause"), None)
        for child in clause.named_children if clause is not None else ():
            if child.type == "identifier":
                names.append("default")
                self._import_name(text(child), self.string(source), "default")
            elif child.type == "namespace_import":
                names.append("*")
                self._import_name(text(child.named_children[0]), self.string(source), "*")
            elif child.type == "named_imports":
                for one in child.named_children:
                    names.append(self._import_one(one, self.string(source)))
        self.imports.append([self.string(source), names, self.line(node)])

    def _import_one(self, node: Any, source: str) -> str:
        name, alias = node.child_by_field_name("name"), node.child_by_field_name("alias")
        if name is None:
            return ""
        imported = self.string(name) if name.type == "string" else text(name)
        self._import_name(text(alias or name), source, imported)
        return imported

    def _import_name(self, alias: str, source: str, name: str) -> None:
        dst = self.node()
        self.emit(j.IMPORT, dst, source, name)
        variable = self.declare(alias)
        self.copy(variable.whole, dst)

    def _s_export_statement(self, node: Any) -> None:
        self.esm = True
        source, declared = node.child_by_field_name("source"), node.child_by_field_name("declaration")
        given = node.child_by_field_name("value")
        default = any(c.type == "default" for c in node.children)
        if declared is not None:
            self.statement(declared)
            names = self.names_of(declared)
            for name in names:
                self._export("default" if default else name, self.read(name), node)
        elif given is not None:
            self._export("default", self.named_value(given, "default"), node)
        elif source is None and any(c.type == "=" for c in node.children):
            src = self.value(node.named_children[-1])
            self.emit(j.STORE, j.MODULE_NODE, "exports", src, self.line(node), self.function.index)
        else:
            self._export_names(node, source)

    def _export(self, name: str, src: int, node: Any) -> None:
        self.emit(j.STORE, j.EXPORTS_NODE, name, src, self.line(node), self.function.index)

    def _export_names(self, node: Any, source: Any) -> None:
        where = self.string(source) if source is not None else ""
        names: list[str] = []
        for child in node.named_children:
            if child.type == "export_clause":
                for one in child.named_children:
                    names.append(self._export_one(one, where, node))
            elif child.type == "namespace_export":
                dst = self.node()
                self.emit(j.IMPORT, dst, where, "*")
                self._export(text(child.named_children[0]), dst, node)
                names.append("*")
        if source is not None:
            if any(c.type == "*" for c in node.children):
                self.emit(j.STAR, where)
                names.append("*")
            self.imports.append([where, names, self.line(node)])

    def _export_one(self, one: Any, where: str, node: Any) -> str:
        name, alias = one.child_by_field_name("name"), one.child_by_field_name("alias")
        if name is None:
            return ""
        inner = self.string(name) if name.type == "string" else text(name)
        outer = inner if alias is None else self.string(alias) if alias.type == "string" else text(alias)
        if where:
            src = self.node()
            self.emit(j.IMPORT, src, where, inner)
        else:
            variable = self.variable(inner)
            src = variable.whole if variable is not None else self.read(inner)
        self._export(outer, src, node)
        return inner
