"""Rust text as facts: items with their module, bodies as expression trees (their forms: facts.py).

The tokens of a macro's call are read as arguments where they are some. A file with a syntax error is reported as not
read, with its line.
"""

from __future__ import annotations

from typing import Any, Final

from remit.code.graph.python.lowering import first_error
from remit.code.graph.rust import facts as r
from remit.code.graph.rust.lower_expressions import Expressions, named, text

MAX_HEAD: Final = 300


def lower(source: bytes, parser: Any) -> tuple[list[Any] | None, str]:
    """The facts of a text, or None and why it was not read."""
    root = parser.parse(source).root_node
    if root.has_error:
        return None, f"syntax error at line {first_error(root)}"
    try:
        return _File(parser).file(root), ""
    except RecursionError:
        return None, "nested too deep"


class _File(Expressions):
    """Lowers one file."""

    def file(self, root: Any) -> list[Any]:
        """All facts of the file."""
        self.facts: list[list[Any]] = [[] for _ in range(7)]
        self.items(root, "")
        return [*self.facts, root.end_point[0] + 1, self._inner_doc(root)]

    def items(self, node: Any, module: str, outer: str = "") -> None:
        """The items of a file, a module or a block."""
        self.module, self.outer = module, outer
        for child in named(node):
            self.item(child)

    def item(self, node: Any) -> bool:
        """One item; False when it is none."""
        method = getattr(self, "_i_" + node.type, None)
        if method is None:
            return node.type in ("attribute_item", "inner_attribute_item", "macro_definition", "empty_statement")
        method(node)
        return True

    def _i_use_declaration(self, node: Any) -> None:
        self._use(node.child_by_field_name("argument"), [], node)

    def _use(self, node: Any, prefix: list[str], whole: Any) -> None:
        kind = node.type
        if kind == "use_list":
            for child in named(node):
                self._use(child, prefix, whole)
        elif kind == "scoped_use_list":
            path = node.child_by_field_name("path")
            self._use(node.child_by_field_name("list"), prefix + (text(path).split("::") if path else []), whole)
        elif kind == "use_as_clause":
            path = prefix + text(node.child_by_field_name("path")).split("::")
            self._used(path, text(node.child_by_field_name("alias")), whole)
        elif kind == "use_wildcard":
            inner = named(node)
            self._used(prefix + (text(inner[0]).split("::") if inner else []), "*", whole)
        else:
            path = prefix + text(node).split("::")
            path = path[:-1] if path[-1] == "self" and len(path) > 1 else path
            self._used(path, path[-1], whole)

    def _used(self, path: list[str], alias: str, whole: Any) -> None:
        self.facts[r.R_USES].append([self.module, path, alias, self._public(whole), self.line(whole)])

    def _i_mod_item(self, node: Any) -> None:
        name, body = text(node.child_by_field_name("name")), node.child_by_field_name("body")
        self.facts[r.R_MODS].append([self.module, name, body is not None])
        if body is not None:
            module, outer = self.module, self.outer
            self.items(body, f"{module}.{name}" if module else name)
            self.module, self.outer = module, outer

    def _i_struct_item(self, node: Any) -> None:
        self._type(node, "struct", self._fields(node.child_by_field_name("body")), {})

    _i_union_item = _i_struct_item

    def _i_enum_item(self, node: Any) -> None:
        variants = {}
        for one in named(node.child_by_field_name("body")):
            if one.type == "enum_variant":
                variants[text(one.child_by_field_name("name"))] = self._fields(one.child_by_field_name("body"))
        self._type(node, "enum", {}, variants)

    def _i_type_item(self, node: Any) -> None:
        self._type(node, "type_alias", {"": self.type_of(node.child_by_field_name("type"))}, {})

    def _type(self, node: Any, kind: str, fields: dict[str, Any], variants: dict[str, Any]) -> None:
        name = text(node.child_by_field_name("name"))
        self.facts[r.R_TYPES].append([
            self.module, name, kind, self.line(node), node.end_point[0] + 1, self._public(node), fields, variants,
            self.generics(node), f"{kind.replace('type_alias', 'type')} {name}", self.doc(node),
        ])  # fmt: skip

    def _fields(self, body: Any) -> dict[str, Any]:
        made: dict[str, Any] = {}
        at = 0
        for one in named(body) if body is not None else ():
            if one.type == "field_declaration":
                made[text(one.child_by_field_name("name"))] = self.type_of(one.child_by_field_name("type"))
            elif one.type not in ("visibility_modifier", "attribute_item", "line_comment", "block_comment"):
                made[str(at)] = self.type_of(one)
                at += 1
        return made

    def _i_const_item(self, node: Any) -> None:
        value = node.child_by_field_name("value")
        self.facts[r.R_CONSTANTS].append([
            self.module, text(node.child_by_field_name("name")), self.type_of(node.child_by_field_name("type")),
            self.expression(value) if value is not None else ["lit", ""], self.line(node), self._public(node),
        ])  # fmt: skip

    _i_static_item = _i_const_item

    def _i_trait_item(self, node: Any) -> None:
        bounds = node.child_by_field_name("bounds")
        self.facts[r.R_TRAITS].append([
            self.module, text(node.child_by_field_name("name")), self.line(node), node.end_point[0] + 1,
            self._public(node), self._bounds(bounds), self.doc(node),
        ])  # fmt: skip
        at = len(self.facts[r.R_TRAITS]) - 1
        for one in named(node.child_by_field_name("body")):
            if one.type in ("function_item", "function_signature_item"):
                self._function(one, -1, at)

    def _i_impl_item(self, node: Any) -> None:
        trait = node.child_by_field_name("trait")
        over = self.type_of(trait) if trait is not None else None
        kind = self.type_of(node.child_by_field_name("type"))
        self.facts[r.R_IMPLS].append([self.module, kind, over, self.generics(node)])
        at = len(self.facts[r.R_IMPLS]) - 1
        body = node.child_by_field_name("body")
        for one in named(body) if body is not None else ():
            if one.type == "function_item":
                self._function(one, at, -1)

    def _i_function_item(self, node: Any) -> None:
        self._function(node, -1, -1)

    def _i_foreign_mod_item(self, node: Any) -> None:
        return

    def _function(self, node: Any, impl: int, trait: int) -> None:
        name, body = text(node.child_by_field_name("name")), node.child_by_field_name("body")
        receiver, params = False, []
        for one in named(node.child_by_field_name("parameters")):
            if one.type == "self_parameter":
                receiver = True
            elif one.type == "parameter":
                kind = self.type_of(one.child_by_field_name("type"))
                pattern = self.pattern(one.child_by_field_name("pattern"))
                if pattern == ["bind", "self"]:
                    receiver = True
                else:
                    params.append([pattern, kind])
        result = node.child_by_field_name("return_type")
        fact = [name, self.module, self.line(node), node.end_point[0] + 1, receiver, params,
                self.type_of(result) if result is not None else ["tuple", []], None, self.generics(node),
                self._public(node) or trait >= 0 or self._of_trait(impl), self._head(node, body), self.doc(node), impl,
                trait, self.outer, self._marks(node)]  # fmt: skip
        self.facts[r.R_FUNCTIONS].append(fact)
        if body is not None:
            outer, self.outer = self.outer, f"{self.outer}.{name}" if self.outer else name
            fact[r.N_BODY] = self.block(body)
            self.outer = outer

    def _of_trait(self, impl: int) -> bool:
        return impl >= 0 and self.facts[r.R_IMPLS][impl][2] is not None

    def generics(self, node: Any) -> dict[str, list[Any]]:
        """{parameter: bounds} of type parameters and where clauses."""
        made: dict[str, list[Any]] = {}
        listed = node.child_by_field_name("type_parameters")
        for one in named(listed) if listed is not None else ():
            if one.type in ("type_parameter", "constrained_type_parameter", "optional_type_parameter"):
                name = one.child_by_field_name("name") or one.child_by_field_name("left") or one
                made.setdefault(text(name).split(":")[0].strip(), []).extend(
                    self._bounds(one.child_by_field_name("bounds"))
                )
        for child in named(node):
            for one in named(child) if child.type == "where_clause" else ():
                left = one.child_by_field_name("left")
                if left is not None:
                    made.setdefault(text(left), []).extend(self._bounds(one.child_by_field_name("bounds")))
        return made

    def _bounds(self, node: Any) -> list[Any]:
        made = [self.type_of(one) for one in named(node)] if node is not None else []
        return [one for one in made if one[0] in ("p", "fn")]

    def _public(self, node: Any) -> bool:
        return any(child.type == "visibility_modifier" for child in node.children[:3])

    def _head(self, node: Any, body: Any) -> str:
        end = body.start_byte - node.start_byte if body is not None else MAX_HEAD
        return " ".join(node.text[: min(end, MAX_HEAD)].decode("utf-8", "replace").split())

    def _marks(self, node: Any) -> list[str]:
        """The attributes that stand before an item."""
        made = []
        before = node.prev_named_sibling
        while before is not None and before.type in ("attribute_item", "line_comment"):
            if before.type == "attribute_item":
                made.append(text(before).strip("#[] \n")[:60])
            before = before.prev_named_sibling
        return made

    def doc(self, node: Any) -> str:
        """The first line of its documentation."""
        found = ""
        before = node.prev_named_sibling
        while before is not None and before.type in ("attribute_item", "line_comment", "block_comment"):
            if text(before)[:3] in ("///", "/**"):
                found = text(before)[3:].strip(" *\n/").split("\n")[0]
            before = before.prev_named_sibling
        return found.strip()[:200]

    @staticmethod
    def _inner_doc(root: Any) -> str:
        first = root.named_children[0] if root.named_children else None
        return text(first)[3:].strip()[:200] if first is not None and text(first)[:3] == "//!" else ""
