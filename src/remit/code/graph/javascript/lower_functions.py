"""Functions, classes, patterns: what they bind and what they are called."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from remit.code.graph.javascript import facts as j
from remit.code.graph.javascript.lower_expressions import Expressions, text
from remit.code.graph.javascript.variables import Block, Function

MAX_HEAD: Final = 300
_DECLARATIONS: Final = (
    "class_declaration", "abstract_class_declaration", "function_declaration", "generator_function_declaration",
)  # fmt: skip


class Functions(Expressions):
    """Lowers functions and classes."""

    pending: deque[tuple[Function, Block, Any, str]]
    symbols: list[list[Any]]
    owner = -1
    owner_node = -1
    """the class at work: its function and its node"""

    def inner(self, name: str) -> str:
        """A name as seen from the file."""
        return f"{self.prefix}.{name}" if self.prefix else name

    def anonymous(self) -> str:
        """The name of the next function without one in this scope."""
        self.function.lambdas += 1
        return f"<lambda{self.function.lambdas}>"

    def define(self, node: Any, name: str, *, method: bool = False, cls: list[str] | None = None) -> int:
        """A function as a value; its body is lowered later."""
        own = node.child_by_field_name("name")
        if not name and own is not None and node.type != "method_definition":
            name = text(own)
        arrow = node.type == "arrow_function"
        flags = (j.ARROW if arrow else 0) | (j.METHOD_FLAG if method else 0)
        for child in node.children[:4]:
            flags |= j.ASYNC if child.type == "async" else j.GENERATOR if child.type == "*" else 0
        flags |= j.GENERATOR if "generator" in node.type else 0
        qual = self.inner(name or self.anonymous())
        this = self.function.fact[j.N_THIS] if arrow else self.node()
        fact = [name, qual, self.line(node), node.end_point[0] + 1, [], -1, this, self.node(), -1, flags,
                self.function.index, [], cls or [], -1]  # fmt: skip
        index = len(self.functions)
        self.functions.append(fact)
        function = Function(index, fact, self.function)
        function.super_node = self.function.super_node
        block = Block(function, self.block, True)
        if own is not None and node.type in ("function_expression", "generator_function"):
            here, self.block = self.block, block
            self_node = self.declare(text(own)).whole
            self.block = here
            self.emit(j.FUNC, self_node, index)
        dst = self.node()
        self.emit(j.FUNC, dst, index)
        self.pending.append((function, block, node, qual))
        if name or not arrow:
            self.note("method" if method else "function", name or qual.rpartition(".")[2], node,
                      self.is_exported(node), self.head(node), qual)  # fmt: skip
        return dst

    def body(self, node: Any) -> None:
        """Parameters and body of the function at work."""
        single = node.child_by_field_name("parameter")
        listed = node.child_by_field_name("parameters")
        given = [single] if single is not None else listed.named_children if listed is not None else []
        for child in given:
            self._parameter(child)
        body = node.child_by_field_name("body")
        if body is None:
            return
        if body.type == "statement_block":
            self.statements(body)
        else:
            self.returned(body)

    def _parameter(self, node: Any) -> None:
        fact = self.function.fact
        if node.type in ("comment", "decorator"):
            return
        pattern, kind = node, None
        if node.type in ("required_parameter", "optional_parameter"):
            pattern, kind = node.child_by_field_name("pattern"), node.child_by_field_name("type")
            default = node.child_by_field_name("value")
        else:
            default = node.child_by_field_name("right") if node.type == "assignment_pattern" else None
            pattern = node.child_by_field_name("left") if node.type == "assignment_pattern" else node
        if pattern is None or pattern.type == "this":
            return
        given = self.node()
        if pattern.type == "rest_pattern":
            fact[j.N_REST] = given
            pattern = pattern.named_children[0]
        else:
            fact[j.N_PARAMS].append(given)
        src = given
        if default is not None:
            src = self.node()
            self.copy(src, given)
            self.copy(src, self.named_value(default, text(pattern) if pattern.type == "identifier" else ""))
        self.declare_pattern(pattern, hoist=False)
        if pattern.type == "identifier" and default is None:
            variable = self.declare(text(pattern))
            self.copy(variable.whole, given)
            self.function.env[variable] = given
            variable.versions.append(given)
        else:
            self.assign_pattern(pattern, src)
        if kind is not None:
            self.typed(given, kind)
        if any(c.type in ("accessibility_modifier", "readonly") for c in node.children):
            self.emit(j.STORE, fact[j.N_THIS], text(pattern), given, self.line(node), self.function.index)

    def returned(self, node: Any) -> None:
        """`return node`; a parameter that comes back as it came is noted by its position."""
        src = self.value(node)
        fact = self.function.fact
        if src in fact[j.N_PARAMS] and not fact[j.N_FLAGS] & (j.ASYNC | j.GENERATOR):
            at = fact[j.N_PARAMS].index(src)
            if at not in fact[j.N_IDENTITY]:
                fact[j.N_IDENTITY].append(at)
            return
        self.copy(fact[j.N_RETURN], src)

    def names_of(self, node: Any) -> list[str]:
        """The names that a declaration binds."""
        if node.type in ("lexical_declaration", "variable_declaration"):
            made: list[str] = []
            for one in node.named_children:
                if one.type == "variable_declarator":
                    self.pattern_names(one.child_by_field_name("name"), made)
            return made
        name = node.child_by_field_name("name")
        return [text(name)] if name is not None and node.type != "function_signature" else []

    def define_class(self, node: Any, name: str) -> int:
        """A class as a value: its constructor function, methods on its prototype, fields on its instances."""
        own = node.child_by_field_name("name")
        name = name or (text(own) if own is not None else "")
        qual = self.inner(name or self.anonymous())
        body = node.child_by_field_name("body")
        declared = [text(m.child_by_field_name("name")) for m in body.named_children if m.type == "method_definition"]
        constructor = next((m for m in body.named_children if m.type == "method_definition"
                            and text(m.child_by_field_name("name")) == "constructor"), None)  # fmt: skip
        outer_block, outer_prefix, outer_super = self.block, self.prefix, self.function.super_node
        self.block = Block(self.function, outer_block, False)
        self.note("class", qual.rpartition(".")[2], node, self.is_exported(node), f"class {name}", qual)
        parent = self._heritage(node)
        self.prefix = qual
        if constructor is not None:
            self.function.super_node = parent
            dst = self.define(constructor, "constructor", method=True, cls=declared)
            self.functions[-1][j.N_FLAGS] |= j.CLASS
        else:
            dst = self._implicit(qual, declared, node)
        if own is not None:
            self.copy(self.declare(text(own)).whole, dst)
        prototype = self.node()
        self.emit(j.LOAD, prototype, dst, "prototype", self.line(node), self.function.index)
        self._inherit(node, dst, prototype, parent)
        self._members(body, dst, prototype, parent)
        self.block, self.prefix, self.function.super_node = outer_block, outer_prefix, outer_super
        for child in node.named_children:
            if child.type == "decorator":
                self.decorate(child, dst)
        return dst

    def _implicit(self, qual: str, declared: list[str], node: Any) -> int:
        fact = ["constructor", qual, self.line(node), node.end_point[0] + 1, [], -1, self.node(), self.node(), -1,
                j.CLASS | j.IMPLICIT, self.function.index, [], declared, -1]  # fmt: skip
        self.functions.append(fact)
        dst = self.node()
        self.emit(j.FUNC, dst, len(self.functions) - 1)
        return dst

    def _heritage(self, node: Any) -> int:
        """The node of what it extends, -1 without one."""
        for child in node.named_children:
            if child.type == "class_heritage":
                for one in child.named_children:
                    if one.type == "extends_clause":
                        return self.value(one.child_by_field_name("value"))
                    if one.type != "implements_clause":
                        return self.value(one)
        return -1

    def _inherit(self, node: Any, cls: int, prototype: int, parent: int) -> None:
        if parent >= 0:
            above = self.node()
            self.emit(j.LOAD, above, parent, "prototype", self.line(node), self.function.index)
            self.emit(j.PROTO, prototype, above)
            self.emit(j.PROTO, cls, parent)
        for child in node.named_children:
            for one in child.named_children if child.type == "class_heritage" else ():
                if one.type == "implements_clause":
                    for kind in one.named_children:
                        found = self.type_node(kind)
                        if found >= 0:
                            self.emit(j.IMPLEMENTS, found, cls)

    def _members(self, body: Any, cls: int, prototype: int, parent: int) -> None:
        owner, owner_node = self.owner, self.owner_node
        self.owner, self.owner_node = self.ops_function(cls), cls
        this = self.functions[self.owner][j.N_THIS]
        above = -1
        if parent >= 0:
            above = self.node()
            self.emit(j.LOAD, above, parent, "prototype", self.line(body), self.function.index)
        for member in body.named_children:
            static = any(c.type == "static" for c in member.children[:3])
            target = cls if static else prototype
            self.function.super_node = parent if static else above
            if member.type == "method_definition":
                self._method(member, target)
            elif member.type in ("field_definition", "public_field_definition"):
                self._field(member, cls if static else this)
            elif member.type == "class_static_block":
                self.scoped(member.child_by_field_name("body"))
        self.owner, self.owner_node = owner, owner_node

    def ops_function(self, node: int) -> int:
        """The function that a node was made for by the last operations."""
        return next(int(op[2]) for op in reversed(self.ops) if op[0] == j.FUNC and op[1] == node)

    def _method(self, member: Any, target: int) -> None:
        name_node = member.child_by_field_name("name")
        name = self.property_name(name_node)
        if name == "constructor":
            return
        made = self.define(member, name or self.anonymous(), method=True)
        if target != self.owner_node:
            self.functions[-1][j.N_OWNER] = self.owner
        self.put_member(target, member, name_node, made)
        for child in member.named_children:
            if child.type == "decorator":
                self.decorate(child, made)

    def _field(self, member: Any, target: int) -> None:
        name_node = member.child_by_field_name("property") or member.child_by_field_name("name")
        given, kind = member.child_by_field_name("value"), member.child_by_field_name("type")
        name = self.property_name(name_node)
        this, self.function.fact[j.N_THIS] = self.function.fact[j.N_THIS], target
        src = self.named_value(given, name) if given is not None else self.node()
        self.function.fact[j.N_THIS] = this
        if kind is not None:
            self.typed(src, kind)
        if name:
            self.emit(j.STORE, target, name, src, self.line(member), self.function.index)

    def decorate(self, node: Any, target: int) -> None:
        """`@decorator`: called with what it stands at."""
        callee = self.value(node.named_children[0])
        self.emit(j.CALL, self.node(), callee, -1, [[0, target]], self.line(node), self.function.index)

    def is_exported(self, node: Any) -> bool:
        """Whether it stands in an export, or is a member of a class."""
        for _ in range(3):
            node = node.parent
            if node is None:
                return False
            if node.type in ("export_statement", "class_body"):
                return True
        return False

    def head(self, node: Any) -> str:
        """The text before the body, on one line."""
        body = node.child_by_field_name("body")
        end = body.start_byte - node.start_byte if body is not None else MAX_HEAD
        raw = node.text[: min(end, MAX_HEAD)].decode("utf-8", "replace")
        return " ".join(raw.split()).removesuffix("=>").rstrip(" {")

    def comment_before(self, node: Any) -> str:
        """The first line of the comment that stands before a declaration, or first in a file."""
        found = node.named_children[0] if node.type == "program" and node.named_children else None
        while found is None and node is not None and node.type not in ("program", "class_body", "statement_block"):
            before = node.prev_named_sibling
            if before is not None and before.type == "comment":
                found = before
            if node.type not in ("variable_declarator", "arrow_function", "function_expression", "class",
                                 "lexical_declaration", "variable_declaration", *_DECLARATIONS):  # fmt: skip
                break
            node = node.parent
        if found is None or found.type != "comment":
            return ""
        lines = [line.strip(" \t*/!") for line in text(found)[:2000].split("\n")]
        return next((line[:200] for line in lines if line and not line.startswith("@")), "")

    def note(self, kind: str, name: str, node: Any, exported: bool, head: str, qual: str = "") -> None:
        """Note a symbol."""
        self.symbols.append([kind, qual or self.inner(name), self.line(node), node.end_point[0] + 1, exported, head,
                             self.prefix, self.comment_before(node)])  # fmt: skip
