"""Python expressions as plain lists: `[operation, ...]`, which a store keeps and a solver reads.

Operations: n name, a attribute, s subscript, sl slice, c call, k constant, t literal type, L list/tuple/set,
D dictionary, C comprehension, f lambda, o operands without a known result, | one of, y yield, Y yield from,
w await, := named, * starred. Lines count from 1. What nests deeper than MAX_DEPTH raises TooDeep.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Final

MAX_DEPTH: Final = 90
"""Levels of nesting. Source: three solver frames a level stay below Python's own limit of 1,000 frames."""
MAX_CONSTANT: Final = 200
"""Characters of a string that can be a key or a name; longer ones are texts."""
MAX_TABLE: Final = 16
"""Items of plain data that are kept."""
_TYPES: Final = {"float": "Num", "true": "Num", "false": "Num", "none": "None", "ellipsis": "None"}
_LISTS: Final = {
    "list": "List", "tuple": "Tuple", "set": "Set", "expression_list": "Tuple", "pattern_list": "Tuple",
    "tuple_pattern": "Tuple", "list_pattern": "List",
}  # fmt: skip
_COMPREHENSIONS: Final = {
    "list_comprehension": "List", "set_comprehension": "Set", "generator_expression": "Iter",
    "dictionary_comprehension": "Dict",
}  # fmt: skip
_SILENT: Final = ("n", "k", "t")
_OPERATORS: Final = ("binary_operator", "comparison_operator")


class TooDeep(Exception):
    """The file nests deeper than MAX_DEPTH."""


class Expressions:
    """Lowers expressions; statements and functions are the subclass's."""

    handlers: ClassVar[dict[str, Any]] = {}
    """{kind of a node: the method `_kind`}"""

    def __init_subclass__(cls) -> None:
        names = {name for one in cls.__mro__ for name in vars(one) if name.startswith("_") and name[1:2].isalpha()}
        cls.handlers = {name[1:]: getattr(cls, name) for name in names if not name.startswith("_s_")}

    def __init__(self) -> None:
        self.depth = 0
        self.uses: set[str] = set()
        self.assigned: set[str] = set()
        self.yields = False
        self.lambdas = 0
        self.places = 0

    def place(self) -> int:
        """The number of something that is made in this scope: an edit of another scope does not change it."""
        self.places += 1
        return self.places

    def lambda_of(self, node: Any) -> list[Any]:
        """The function that a lambda makes; the subclass knows scopes."""
        raise AssertionError("scopes are the subclass's")

    def expression(self, node: Any) -> list[Any]:
        """One expression."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TooDeep
        kind = node.type
        if kind == "identifier":
            name = text(node)
            self.uses.add(name)
            made: list[Any] = ["n", name]
        else:
            method = self.handlers.get(kind)
            if method is not None:
                made = method(self, node)
            elif kind in _LISTS:
                items = self._all(node)
                made = ["L", _LISTS[kind], [] if _is_table(items) else items, self.place()]
            elif kind in _COMPREHENSIONS:
                made = self._comprehension(node, _COMPREHENSIONS[kind])
            elif kind in _TYPES:
                made = ["t", _TYPES[kind]]
            else:
                made = ["o", self._all(node)]
        self.depth -= 1
        return made

    def _all(self, node: Any) -> list[Any]:
        return [self.expression(child) for child in node.named_children if child.type != "comment"]

    def optional(self, node: Any) -> list[Any] | None:
        """An expression that may be absent."""
        return None if node is None else self.expression(node)

    def _attribute(self, node: Any) -> list[Any]:
        name = node.child_by_field_name("attribute")
        return ["a", self.expression(node.child_by_field_name("object")), text(name), name.start_point[0] + 1]

    def _subscript(self, node: Any) -> list[Any]:
        keys = [k for k in node.children_by_field_name("subscript") if k.type != "comment"]
        value = self.expression(node.child_by_field_name("value"))
        line = node.start_point[0] + 1
        if len(keys) == 1 and keys[0].type == "slice":
            return ["sl", value, *_bounds(keys[0]), self._all(keys[0]), self.place()]
        key = self.expression(keys[0]) if len(keys) == 1 else ["o", [self.expression(k) for k in keys]]
        return ["s", value, key, line]

    def _call(self, node: Any) -> list[Any]:
        function = self.expression(node.child_by_field_name("function"))
        given = node.child_by_field_name("arguments")
        return ["c", function, self.arguments(given), node.start_point[0] + 1, self.place()]

    def arguments(self, node: Any) -> list[Any]:
        """[[kind, name, expression]]: kind 0 positional, 1 keyword, 2 *, 3 **."""
        if node is None:
            return []
        if node.type == "generator_expression":
            return [[0, "", self.expression(node)]]
        made: list[Any] = []
        for child in node.named_children:
            if child.type == "keyword_argument":
                value = self.expression(child.child_by_field_name("value"))
                made.append([1, text(child.child_by_field_name("name")), value])
            elif child.type in ("list_splat", "dictionary_splat"):
                kind = 2 if child.type == "list_splat" else 3
                made.append([kind, "", self.expression(child.named_children[0])])
            elif child.type != "comment":
                made.append([0, "", self.expression(child)])
        return made

    def _string(self, node: Any) -> list[Any]:
        raw = node.text
        if raw[:1] in b"'\"":
            value = plain_string(raw)
            return ["t", "Str"] if value is None else ["k", value]
        inner = [self.expression(c.child_by_field_name("expression") or c.named_children[0])
                 for c in node.named_children if c.type == "interpolation" and c.named_children]  # fmt: skip
        inner = effects(inner)
        return ["o", inner, "Str"] if inner else ["t", "Str"]

    def _concatenated_string(self, node: Any) -> list[Any]:
        parts = [self.expression(c) for c in node.named_children if c.type == "string"]
        if all(p[0] == "k" for p in parts) and sum(len(p[1]) for p in parts) <= MAX_CONSTANT:
            return ["k", "".join(p[1] for p in parts)]
        return ["o", [p for p in parts if p[0] == "o"], "Str"]

    def _integer(self, node: Any) -> list[Any]:
        try:
            return ["k", int(text(node)[:20].replace("_", ""), 0) & 0x7FFFFFFF]
        except ValueError:
            return ["t", "Num"]

    def _parenthesized_expression(self, node: Any) -> list[Any]:
        inner = [c for c in node.named_children if c.type != "comment"]
        return self.expression(inner[0]) if inner else ["o", []]

    def _binary_operator(self, node: Any) -> list[Any]:
        made = [self.expression(leaf) for leaf in _leaves(node)]
        known = _result(node)
        return ["o", effects(made), *known] if known else ["o", made]

    def _comparison_operator(self, node: Any) -> list[Any]:
        return ["o", effects([self.expression(leaf) for leaf in _leaves(node)])]

    def _boolean_operator(self, node: Any) -> list[Any]:
        return ["|", [self.expression(leaf) for leaf in _leaves(node)]]

    def _unary_operator(self, node: Any) -> list[Any]:
        inner = self.expression(node.child_by_field_name("argument"))
        if inner[0] == "k" and isinstance(inner[1], int) and node.children[0].type == "-":
            return ["k", -inner[1]]
        return ["o", effects([inner])]

    def _conditional_expression(self, node: Any) -> list[Any]:
        parts = self._all(node)
        return ["?", effect(parts[1]), [parts[0], *parts[2:]]] if len(parts) > 1 else ["o", parts]

    def _named_expression(self, node: Any) -> list[Any]:
        name = text(node.child_by_field_name("name"))
        self.assigned.add(name)
        return [":=", ["n", name], self.expression(node.child_by_field_name("value"))]

    def _await(self, node: Any) -> list[Any]:
        return ["w", self.expression(node.named_children[0])]

    def _yield(self, node: Any) -> list[Any]:
        self.yields = True
        inner = self._all(node)
        word = "Y" if any(child.type == "from" for child in node.children) else "y"
        return [word, inner[0] if inner else None]

    def _list_splat(self, node: Any) -> list[Any]:
        return ["*", self.expression(node.named_children[0])]

    _list_splat_pattern = _list_splat

    def _lambda(self, node: Any) -> list[Any]:
        return ["f", self.lambda_of(node)]

    def _dictionary(self, node: Any) -> list[Any]:
        pairs: list[Any] = []
        for child in node.named_children:
            if child.type == "pair":
                key = self.expression(child.child_by_field_name("key"))
                pairs.append([key, self.expression(child.child_by_field_name("value"))])
            elif child.type == "dictionary_splat":
                pairs.append([None, self.expression(child.named_children[0])])
        return ["D", [] if _is_table(p[1] for p in pairs if len(pairs) > MAX_TABLE) else pairs, self.place()]

    def _comprehension(self, node: Any, kind: str) -> list[Any]:
        body = node.child_by_field_name("body")
        made = [self.expression(body)] if body.type != "pair" else self._all(body)
        clauses: list[Any] = []
        for child in node.named_children:
            if child.type == "for_in_clause":
                target = self.expression(child.child_by_field_name("left"))
                bind(target, self.assigned)
                for right in child.children_by_field_name("right"):
                    if right.is_named:
                        clauses.append([target, self.expression(right)])
            elif child.type == "if_clause":
                clauses.append([None, effect(self.expression(child.named_children[0]))])
        return ["C", kind, made, clauses, self.place(), node.start_point[0] + 1]


def effects(items: list[Any]) -> list[Any]:
    """What of expressions whose values nobody needs must still be looked at: what calls or reads an attribute."""
    made: list[Any] = []
    for item in items:
        kind = item[0]
        if kind in ("o", "|"):
            made += effects(item[1])
        elif kind == "L":
            made += effects(item[2])
        elif kind not in _SILENT:
            made.append(item)
    return made


def effect(item: list[Any]) -> list[Any]:
    """The same of one expression."""
    made = effects([item])
    return made[0] if len(made) == 1 else ["o", made]


def _is_table(items: Iterable[Any]) -> bool:
    """Whether these are many items of plain data: nothing in them is called, so nothing is kept of them."""
    listed = list(items)
    return len(listed) > MAX_TABLE and all(_is_data(item) for item in listed)


def _is_data(item: Any) -> bool:
    kind = item[0]
    if kind == "L":
        return all(_is_data(one) for one in item[2])
    if kind == "D":
        return all(_is_data(value) for _, value in item[1])
    return kind in ("k", "t")


def text(node: Any) -> str:
    """The source of a node."""
    raw: bytes = node.text
    return raw.decode("utf-8", "replace")


def bind(target: list[Any], into: set[str]) -> None:
    """Add the names that an assignment target binds."""
    if target[0] == "n":
        into.add(target[1])
    elif target[0] == "*":
        bind(target[1], into)
    elif target[0] == "L":
        for item in target[2]:
            bind(item, into)


def plain_string(raw: bytes) -> str | None:
    """The value of a string that is short and plain, else None."""
    if len(raw) > MAX_CONSTANT or raw[:1] not in b"'\"" or b"\\" in raw:
        return None
    quote = 3 if raw[:3] in (b'"""', b"'''") else 1
    return raw[quote:-quote].decode("utf-8", "replace")


def _leaves(node: Any) -> list[Any]:
    """Operands of a chain of operators, left to right; long chains nest in the tree, not here."""
    found: list[Any] = []
    rest = [node]
    while rest:
        one = rest.pop()
        if one.type in _OPERATORS or (one.type == "boolean_operator" and node.type == one.type):
            rest.extend(reversed([c for c in one.named_children if c.type != "comment"]))
        else:
            found.append(one)
    return found


def _result(node: Any) -> list[str]:
    left = node.named_children[0]
    return ["Str"] if node.type == "binary_operator" and left.type in ("string", "concatenated_string") else []


def _bounds(node: Any) -> list[int | None]:
    """Constant ends of a slice; what is not constant is None."""
    ends: list[int | None] = [None, None]
    at = 0
    for child in node.children:
        if child.type == ":":
            at += 1
        elif at < 2 and child.type == "integer":
            ends[at] = int(text(child)[:6], 0) if text(child)[:6].isdigit() else None
    return ends
