"""Expressions: the node that holds their value, and what they do on the way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Final

from remit.code.graph.javascript import facts as j
from remit.code.graph.javascript.variables import Variables

MAX_DEPTH: Final = 120
"""Expressions inside each other; what is deeper is a syntax tree that no person wrote."""
MAX_TEXT: Final = 200
_FUNCTIONS: Final = ("arrow_function", "function_expression", "generator_function", "function")
_INERT: Final = frozenset([
    "number", "true", "false", "null", "undefined", "regex", "comment", "property_identifier", "type_annotation",
    "type_arguments", "meta_property", "type_identifier", "predefined_type", "jsx_text", "html_character_reference",
])  # fmt: skip


def text(node: Any) -> str:
    """The source of a node."""
    return node.text.decode("utf-8", "replace") if node is not None else ""


class Expressions(Variables, ABC):
    """Lowers expressions; `value` yields a node."""

    prefix: str
    deep = 0

    @abstractmethod
    def inner(self, name: str) -> str:
        """A name as seen from the file."""
        raise NotImplementedError

    @abstractmethod
    def define(self, node: Any, name: str, *, method: bool = False, cls: list[str] | None = None) -> int:
        """A function as a value."""
        raise NotImplementedError

    @abstractmethod
    def define_class(self, node: Any, name: str) -> int:
        """A class as a value."""
        raise NotImplementedError

    @abstractmethod
    def statements(self, node: Any) -> None:
        """The statements of a block."""
        raise NotImplementedError

    @abstractmethod
    def scoped(self, node: Any) -> None:
        """A block with names of its own."""
        raise NotImplementedError

    @abstractmethod
    def returned(self, node: Any) -> None:
        """A returned expression."""
        raise NotImplementedError

    @abstractmethod
    def names_of(self, node: Any) -> list[str]:
        """The names that a declaration binds."""
        raise NotImplementedError

    @abstractmethod
    def is_exported(self, node: Any) -> bool:
        """Whether it stands in an export."""
        raise NotImplementedError

    @abstractmethod
    def note(self, kind: str, name: str, node: Any, exported: bool, head: str, qual: str = "") -> None:
        """Note a symbol."""
        raise NotImplementedError

    @staticmethod
    def line(node: Any) -> int:
        """The line from 1."""
        return int(node.start_point[0]) + 1

    @staticmethod
    def string(node: Any) -> str:
        """The text of a string literal, without its quotes."""
        return text(node)[1:-1][:MAX_TEXT]

    def value(self, node: Any) -> int:
        """The node of an expression."""
        method = getattr(self, "_e_" + node.type, None)
        if method is None:
            return self.node() if node.type in _INERT else self._children(node)
        self.deep += 1
        if self.deep > MAX_DEPTH:
            self.deep -= 1
            raise RecursionError
        found = method(node)
        self.deep -= 1
        return int(found)

    def named_value(self, node: Any, name: str) -> int:
        """An expression that gives its name to a function or class without one."""
        inner = node
        while inner.type in ("parenthesized_expression", "as_expression", "satisfies_expression"):
            inner = inner.named_children[0]
        if name and inner.type in _FUNCTIONS and inner.child_by_field_name("name") is None:
            return self.define(inner, name)
        if name and inner.type == "class" and inner.child_by_field_name("name") is None:
            return self.define_class(inner, name)
        if name and inner.type == "object":
            outer, self.prefix = self.prefix, self.inner(name)
            found = self._e_object(inner)
            self.prefix = outer
            return found
        return self.value(node)

    def _children(self, node: Any) -> int:
        """Something whose own value is not followed."""
        for child in node.named_children:
            self.value(child)
        return self.node()

    def _e_identifier(self, node: Any) -> int:
        return self.read(text(node))

    _e_jsx_identifier = _e_identifier

    def _e_this(self, node: Any) -> int:
        return int(self.function.fact[j.N_THIS])

    def _e_super(self, node: Any) -> int:
        return self.function.super_node if self.function.super_node >= 0 else self.node()

    def _e_string(self, node: Any) -> int:
        dst = self.node()
        self.emit(j.CONST, dst, self.string(node))
        return dst

    def _e_template_string(self, node: Any) -> int:
        if not any(c.type == "template_substitution" for c in node.named_children):
            return self._e_string(node)
        return self._children(node)

    def _e_number(self, node: Any) -> int:
        dst = self.node()
        self.emit(j.CONST, dst, text(node)[:MAX_TEXT])
        return dst

    def _last(self, node: Any) -> int:
        found = -1
        for child in node.named_children:
            if child.type != "comment":
                found = self.value(child)
        return found if found >= 0 else self.node()

    _e_sequence_expression = _last

    def _first(self, node: Any) -> int:
        return self.value(node.named_children[0]) if node.named_children else self.node()

    _e_parenthesized_expression = _last
    _e_as_expression = _first
    _e_satisfies_expression = _first
    _e_non_null_expression = _first
    _e_type_assertion = _last
    _e_instantiation_expression = _first

    def _e_ternary_expression(self, node: Any) -> int:
        self.value(node.child_by_field_name("condition"))
        dst = self.node()
        before = self.save()
        self.copy(dst, self.value(node.child_by_field_name("consequence")))
        first = self.save()
        self.restore(before)
        self.copy(dst, self.value(node.child_by_field_name("alternative")))
        self.join([first, self.save()])
        return dst

    def _e_binary_expression(self, node: Any) -> int:
        # A long chain of operators leans to the left: walked, not recursed into.
        chain = [node]
        while chain[-1].child_by_field_name("left").type == "binary_expression":
            chain.append(chain[-1].child_by_field_name("left"))
        found = self.value(chain[-1].child_by_field_name("left"))
        for one in reversed(chain):
            right = self.value(one.child_by_field_name("right"))
            operator = text(one.child_by_field_name("operator"))
            dst = self.node()
            if operator in ("||", "??"):
                self.copy(dst, found)
            if operator in ("||", "??", "&&"):
                self.copy(dst, right)
            found = dst
        return found

    def _e_assignment_expression(self, node: Any) -> int:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        src = self.named_value(right, self._target_name(left))
        self.assign_pattern(left, src)
        return src

    def _target_name(self, left: Any) -> str:
        """What an assigned function is called: its variable, or Type.method of what it is put on."""
        if left.type == "identifier":
            return text(left)
        if left.type != "member_expression":
            return ""
        parts = [p.strip() for p in text(left)[:MAX_TEXT].replace("?.", ".").split(".")]
        if not all(part.isidentifier() or part.replace("$", "a").isidentifier() for part in parts):
            return ""
        if parts[:2] == ["module", "exports"] or parts[0] == "exports":
            parts = parts[2:] if parts[0] == "module" else parts[1:]
        return ".".join(p for p in parts if p not in ("prototype", "this"))

    def _e_augmented_assignment_expression(self, node: Any) -> int:
        left = node.child_by_field_name("left")
        old, src = self.value(left), self.value(node.child_by_field_name("right"))
        if text(node.child_by_field_name("operator")) not in ("||=", "&&=", "??="):
            return self.node()
        dst = self.node()
        self.copy(dst, old)
        self.copy(dst, src)
        self.assign_pattern(left, dst)
        return dst

    def _e_arrow_function(self, node: Any) -> int:
        return self.define(node, "")

    _e_function_expression = _e_arrow_function
    _e_generator_function = _e_arrow_function

    def _e_class(self, node: Any) -> int:
        return self.define_class(node, "")

    def _e_array(self, node: Any) -> int:
        dst = self.node()
        self.emit(j.OBJECT, dst, "array")
        at: int | None = 0
        for child in node.named_children:
            if child.type == "comment":
                continue
            if child.type == "spread_element":
                src, at = self.node(), None
                self.emit(j.ITERATE, src, self.value(child.named_children[0]), "of", self.line(child),
                          self.function.index)  # fmt: skip
            else:
                src = self.value(child)
            name = "*" if at is None or at > 200 else str(at)
            self.emit(j.STORE, dst, name, src, self.line(child), self.function.index)
            at = None if at is None else at + 1
        return dst

    def _e_object(self, node: Any) -> int:
        dst = self.node()
        self.emit(j.OBJECT, dst, "object")
        for child in node.named_children:
            kind = child.type
            if kind == "pair":
                self._pair(dst, child)
            elif kind == "shorthand_property_identifier":
                self.emit(j.STORE, dst, text(child), self.read(text(child)), self.line(child), self.function.index)
            elif kind == "method_definition":
                name_node = child.child_by_field_name("name")
                outer, self.function.super_node = self.function.super_node, -1
                made = self.define(child, self.property_name(name_node), method=True)
                self.function.super_node = outer
                self.copy(self.functions[-1][j.N_THIS], dst)
                self.put_member(dst, child, name_node, made)
            elif kind == "spread_element":
                self.emit(j.PROTO, dst, self.value(child.named_children[0]))
        return dst

    def _pair(self, dst: int, node: Any) -> None:
        key, given = node.child_by_field_name("key"), node.child_by_field_name("value")
        name = self.property_name(key)
        src = self.named_value(given, name)
        if name == "__proto__":
            self.emit(j.PROTO, dst, src)
        else:
            self._put(dst, key, name, src, node)

    def put_member(self, dst: int, member: Any, name_node: Any, made: int) -> None:
        """Put a method, getter or setter on an object."""
        name = self.property_name(name_node)
        for child in member.children[:4]:
            if child.type in ("get", "set") and name:
                self.emit(j.ACCESSOR, dst, f"{child.type} {name}", made)
                return
        self._put(dst, name_node, name, made, member)

    def _put(self, dst: int, key: Any, name: str, src: int, node: Any) -> None:
        if name:
            self.emit(j.STORE, dst, name, src, self.line(node), self.function.index)
        elif text(key).replace(" ", "") in ("[Symbol.iterator]", "[Symbol.asyncIterator]"):
            self.emit(j.STORE, dst, "@@iterator", src, self.line(node), self.function.index)
        elif key.named_children:
            self.emit(j.STORE_AT, dst, self.value(key.named_children[0]), src)

    def property_name(self, node: Any) -> str:
        """The constant name of a property, '' for a computed one."""
        if node is None:
            return ""
        if node.type in ("string", "template_string"):
            return self.string(node)
        if node.type == "computed_property_name":
            inner = node.named_children[0]
            return self.string(inner) if inner.type == "string" else ""
        return text(node)[:MAX_TEXT]

    def _e_await_expression(self, node: Any) -> int:
        dst = self.node()
        self.emit(j.AWAIT, dst, self._first(node))
        return dst

    def _e_yield_expression(self, node: Any) -> int:
        if not node.named_children:
            return self.node()
        src = self.value(node.named_children[-1])
        if any(c.type == "*" for c in node.children):
            inner = self.node()
            self.emit(j.ITERATE, inner, src, "of", self.line(node), self.function.index)
            src = inner
        self.emit(j.YIELD, self.function.index, src)
        dst = self.node()
        self.emit(j.LOAD, dst, self.function.fact[j.N_THIS], "\0sent", self.line(node), self.function.index)
        return dst

    def declare_pattern(self, node: Any, *, hoist: bool) -> None:
        """Declare every name of a pattern."""
        names: list[str] = []
        self.pattern_names(node, names)
        for name in names:
            self.declare(name, hoist=hoist)

    @abstractmethod
    def pattern_names(self, node: Any, into: list[str]) -> None:
        """The names that a pattern binds."""
        raise NotImplementedError

    @abstractmethod
    def assign_pattern(self, target: Any, src: int) -> None:
        """`target = src`, for every form of target."""
        raise NotImplementedError

    @abstractmethod
    def typed(self, node: int, kind: Any) -> None:
        """What an annotation says of a node."""
        raise NotImplementedError

    @abstractmethod
    def type_node(self, kind: Any) -> int:
        """The node of the class or interface that a type names, -1 without one."""
        raise NotImplementedError
