"""Calls, properties, patterns and type annotations."""

from __future__ import annotations

from typing import Any

from remit.code.graph.javascript import facts as j
from remit.code.graph.javascript.lower_expressions import Expressions, text


class Calls(Expressions):
    """Lowers what calls, reads and takes apart."""

    imports: list[list[Any]]

    def _arguments(self, node: Any) -> list[list[int]]:
        if node is None:
            return []
        if node.type == "template_string":
            return [[0, self.node()], *([0, self.value(c)] for c in node.named_children)]
        made: list[list[int]] = []
        for child in node.named_children:
            if child.type == "spread_element":
                made.append([1, self.value(child.named_children[0])])
            elif child.type != "comment":
                made.append([0, self.value(child)])
        return made

    def _e_call_expression(self, node: Any) -> int:
        # A chain of calls leans to the left: walked, not recursed into.
        chain = [node]
        while (below := self._inner_call(chain[-1])) is not None:
            chain.append(below)
        found = -1
        for one in reversed(chain):
            found = self._one_call(one, found)
        return found

    @staticmethod
    def _inner_call(node: Any) -> Any:
        callee = node.child_by_field_name("function")
        if callee is not None and callee.type == "member_expression":
            inner = callee.child_by_field_name("object")
            return inner if inner.type == "call_expression" else None
        return None

    def _one_call(self, node: Any, base: int) -> int:
        callee = node.child_by_field_name("function")
        while callee.type in ("parenthesized_expression", "non_null_expression"):
            callee = callee.named_children[-1]
        dst, line, here = self.node(), self.line(node), self.function.index
        if callee.type == "import":
            return self._dynamic_import(node)
        if callee.type == "super":
            args = self._arguments(node.child_by_field_name("arguments"))
            self._called(j.CALL, dst, self._e_super(callee), self.function.fact[j.N_THIS], args, line, here)
            return dst
        if callee.type == "member_expression":
            return self._method_call(node, callee, base, dst)
        if callee.type == "subscript_expression":
            base = self.value(callee.child_by_field_name("object"))
            key = self.value(callee.child_by_field_name("index"))
            args = self._arguments(node.child_by_field_name("arguments"))
            self._called(j.METHOD_AT, dst, base, key, args, line, here)
            return dst
        function = self.value(callee)
        args = self._arguments(node.child_by_field_name("arguments"))
        if callee.type == "identifier" and text(callee) == "require" and self.variable("require") is None:
            self._required(node)
        self._called(j.CALL, dst, function, -1, args, line, here)
        return dst

    def _called(self, *op: Any) -> None:
        self.emit(*op)
        self.function.paths.clear()

    def _method_call(self, node: Any, callee: Any, base: int, dst: int) -> int:
        owner = callee.child_by_field_name("object")
        name = text(callee.child_by_field_name("property"))
        line, here = self.line(callee.child_by_field_name("property")), self.function.index
        if base < 0:
            base = self.value(owner)
        stored = self.function.paths.get((base, name))
        args = self._arguments(node.child_by_field_name("arguments"))
        if owner.type == "super":
            found = self.node()
            self.emit(j.LOAD, found, base, name, line, here)
            self._called(j.CALL, dst, found, self.function.fact[j.N_THIS], args, line, here)
        elif stored is not None:
            self._called(j.CALL, dst, stored, base, args, line, here)
        else:
            self._called(j.METHOD, dst, base, name, args, line, here)
        return dst

    def _required(self, node: Any) -> None:
        given = node.child_by_field_name("arguments").named_children
        if len(given) == 1 and given[0].type == "string":
            self.imports.append([self.string(given[0]), [], self.line(node)])

    def _dynamic_import(self, node: Any) -> int:
        args = node.child_by_field_name("arguments").named_children
        dst = self.node()
        if args and args[0].type == "string":
            inner = self.node()
            self.emit(j.IMPORT, inner, self.string(args[0]), "*")
            self.emit(j.OBJECT, dst, "promise")
            self.emit(j.STORE, dst, "\0value", inner, self.line(node), self.function.index)
            self.imports.append([self.string(args[0]), ["*"], self.line(node)])
        return dst

    def _e_new_expression(self, node: Any) -> int:
        function = self.value(node.child_by_field_name("constructor"))
        args = self._arguments(node.child_by_field_name("arguments"))
        dst = self.node()
        self._called(j.NEW, dst, function, args, self.line(node), self.function.index)
        return dst

    def _e_member_expression(self, node: Any) -> int:
        chain = [node]
        while chain[-1].child_by_field_name("object").type == "member_expression":
            chain.append(chain[-1].child_by_field_name("object"))
        base = self.value(chain[-1].child_by_field_name("object"))
        for one in reversed(chain):
            name = text(one.child_by_field_name("property"))
            stored = self.function.paths.get((base, name))
            if stored is not None:
                base = stored
                continue
            dst = self.node()
            self.emit(j.LOAD, dst, base, name, self.line(one), self.function.index)
            base = dst
        return base

    def _e_subscript_expression(self, node: Any) -> int:
        base = self.value(node.child_by_field_name("object"))
        index = node.child_by_field_name("index")
        if index.type in ("string", "number"):
            name = self.string(index) if index.type == "string" else text(index)
            stored = self.function.paths.get((base, name))
            if stored is not None:
                return stored
            dst = self.node()
            self.emit(j.LOAD, dst, base, name, self.line(node), self.function.index)
            return dst
        key, dst = self.value(index), self.node()
        self.emit(j.LOAD_AT, dst, base, key, self.line(node), self.function.index)
        return dst

    def _element(self, node: Any) -> int:
        """JSX: the component is used; what renders it calls it."""
        opening = node if node.type == "jsx_self_closing_element" else node.child_by_field_name("open_tag")
        name = opening.child_by_field_name("name") if opening is not None else None
        if name is not None and (name.type != "identifier" or text(name)[:1].isupper()):
            self.emit(j.USED, self.value(name), self.line(node), self.function.index)
        for child in opening.named_children if opening is not None else []:
            if child != name:
                self._attribute(child)
        for child in node.named_children if node is not opening else ():
            if child.type not in ("jsx_opening_element", "jsx_closing_element", "jsx_text"):
                self.value(child)
        return self.node()

    _e_jsx_element = _element
    _e_jsx_self_closing_element = _element

    def _attribute(self, node: Any) -> None:
        for child in node.named_children:
            if child.type == "jsx_expression":
                for one in child.named_children:
                    self.emit(j.USED, self.value(one), self.line(node), self.function.index)

    def assign_pattern(self, target: Any, src: int) -> None:
        """`target = src`, for every form of target."""
        method = getattr(self, "_t_" + target.type, None)
        if method is not None:
            method(target, src)

    def _t_identifier(self, node: Any, src: int) -> None:
        self.assign(text(node), src)

    _t_shorthand_property_identifier_pattern = _t_identifier

    def _t_member_expression(self, node: Any, src: int) -> None:
        base, name = self.value(node.child_by_field_name("object")), text(node.child_by_field_name("property"))
        self._stored(base, name, src, node)

    def _stored(self, base: int, name: str, src: int, node: Any) -> None:
        self.emit(j.STORE, base, name, src, self.line(node), self.function.index)
        paths = self.function.paths
        for path in [p for p in paths if p[1] == name]:
            del paths[path]
        paths[base, name] = src

    def _t_subscript_expression(self, node: Any, src: int) -> None:
        base, index = self.value(node.child_by_field_name("object")), node.child_by_field_name("index")
        if index.type in ("string", "number"):
            self._stored(base, self.string(index) if index.type == "string" else text(index), src, node)
            return
        self.emit(j.STORE_AT, base, self.value(index), src)
        self.function.paths.clear()

    def _t_non_null_expression(self, node: Any, src: int) -> None:
        self.assign_pattern(node.named_children[0], src)

    _t_parenthesized_expression = _t_non_null_expression
    _t_as_expression = _t_non_null_expression

    def _t_assignment_pattern(self, node: Any, src: int) -> None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        dst = self.node()
        self.copy(dst, src)
        self.copy(dst, self.named_value(right, text(left) if left.type == "identifier" else ""))
        self.assign_pattern(left, dst)

    _t_object_assignment_pattern = _t_assignment_pattern

    def _t_object_pattern(self, node: Any, src: int) -> None:
        for child in node.named_children:
            if child.type == "rest_pattern":
                self.assign_pattern(child.named_children[0], src)
                continue
            key = child.child_by_field_name("key")
            inner = child.child_by_field_name("value") if key is not None else child
            name_node = key or (child.child_by_field_name("left") if "assignment" in child.type else child)
            name, dst = self.property_name(name_node), self.node()
            if name:
                self.emit(j.LOAD, dst, src, name, self.line(child), self.function.index)
            elif name_node is not None and name_node.named_children:
                key_node = self.value(name_node.named_children[0])
                self.emit(j.LOAD_AT, dst, src, key_node, self.line(child), self.function.index)
            if inner is not None:
                self.assign_pattern(inner, dst)

    _t_object = _t_object_pattern

    def _t_array_pattern(self, node: Any, src: int) -> None:
        at = 0
        here = self.function.index
        for child in node.children:
            if child.type == ",":
                at += 1
            if not child.is_named or child.type == "comment":
                continue
            dst = self.node()
            if child.type in ("rest_pattern", "spread_element"):
                self.emit(j.OBJECT, dst, "array")
                rest = self.node()
                self.emit(j.ITERATE, rest, src, f"from {at}", self.line(child), here)
                self.emit(j.STORE, dst, "*", rest, self.line(child), here)
                self.assign_pattern(child.named_children[0], dst)
                continue
            self.emit(j.ITERATE, dst, src, f"at {at}", self.line(child), here)
            self.assign_pattern(child, dst)

    _t_array = _t_array_pattern

    def pattern_names(self, node: Any, into: list[str]) -> None:
        """The names that a pattern binds."""
        if node is None:
            return
        kind = node.type
        if kind in ("identifier", "shorthand_property_identifier_pattern"):
            into.append(text(node))
        elif kind in ("assignment_pattern", "object_assignment_pattern"):
            self.pattern_names(node.child_by_field_name("left"), into)
        elif kind == "pair_pattern":
            self.pattern_names(node.child_by_field_name("value"), into)
        elif kind in ("object_pattern", "array_pattern", "rest_pattern"):
            for child in node.named_children:
                self.pattern_names(child, into)

    def typed(self, node: int, kind: Any) -> None:
        """What an annotation says of a node."""
        found = self.type_node(kind)
        if found >= 0:
            self.emit(j.TYPED, node, found)

    def type_node(self, kind: Any) -> int:
        """The node of the class or interface that a type names, -1 without one."""
        while kind.type in ("type_annotation", "parenthesized_type", "generic_type", "readonly_type"):
            if not kind.named_children:
                return -1
            kind = kind.named_children[0]
        if kind.type not in ("type_identifier", "identifier", "nested_type_identifier"):
            return -1
        parts = text(kind).split(".")
        if len(parts) == 1 and self.variable(parts[0]) is None:
            return -1
        found = self.read(parts[0])
        for part in parts[1:]:
            dst = self.node()
            self.emit(j.LOAD, dst, found, part, self.line(kind), self.function.index)
            found = dst
        return found
