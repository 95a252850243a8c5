"""One small program form for all four languages: what the rules and the flow engine read.

A lowering (lowering/) turns a parse tree into these values; whatever a language has that is not listed becomes the
nearest of them, or an `Opaque` that only hands its parts on. Spans are (first line, first column, last line, last
column), lines from 1, columns from 0 in bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct

Span = tuple[int, int, int, int]
NOWHERE: Span = (0, 0, 0, 0)


class Node(Struct, gc=False):
    """Anything with a place."""

    span: Span


class Const(Node, gc=False):
    """A literal; `value` is a str, bytes, int, float, bool or None."""

    value: Any


class Name(Node, gc=False):
    """A name that is read or bound."""

    name: str


class Attr(Node, gc=False):
    """`object.name`; also a Rust path and a Go selector."""

    object: Any
    name: str


class Index(Node, gc=False):
    """`object[key]`."""

    object: Any
    key: Any


class Slice(Node, gc=False):
    """`lower:upper:step`, each may be None."""

    parts: tuple[Any, ...]


class Call(Node, gc=False):
    """A call; `names[i]` is the keyword of argument i, "" by position, "*" and "**" spread."""

    callee: Any
    args: list[Any]
    names: list[str]
    kind: str = ""
    """"" or new, macro, go, defer"""


class Binary(Node, gc=False):
    """An operator with two sides: arithmetic, text, comparison (in, not in, is, ==, ...)."""

    op: str
    left: Any
    right: Any


class Unary(Node, gc=False):
    """`not`, `-`, `+`, `~`."""

    op: str
    operand: Any


class Logic(Node, gc=False):
    """`and` / `or` of two sides; also `??`."""

    op: str
    left: Any
    right: Any


class Choice(Node, gc=False):
    """A conditional expression."""

    test: Any
    then: Any
    other: Any


class Text(Node, gc=False):
    """Text put together of parts: f-string, template, format macro."""

    parts: list[Any]


class Sequence(Node, gc=False):
    """list, tuple or set display."""

    kind: str
    items: list[Any]


class Mapping(Node, gc=False):
    """dict display, object or struct literal; a key of None spreads its value. `type` names the struct."""

    keys: list[Any]
    values: list[Any]
    type: Any = None


class Comprehension(Node, gc=False):
    """list, set, dict or generator comprehension; clauses are (target, iterable, conditions)."""

    kind: str
    element: Any
    key: Any
    clauses: list[tuple[Any, Any, list[Any]]]


class Lambda(Node, gc=False):
    """A function as a value."""

    function: Function


class Cast(Node, gc=False):
    """A conversion to a named type."""

    type: str
    operand: Any


class Wrap(Node, gc=False):
    """await, yield, spread, ref, try (Rust `?`), force (TS `!`), walrus targets are assignments."""

    kind: str
    operand: Any


class BlockValue(Node, gc=False):
    """Statements whose last value is the value (Rust blocks, match and if as expressions, walrus)."""

    body: list[Any]
    value: Any = None


class Opaque(Node, gc=False):
    """Something else: its parts are evaluated, its value is unknown."""

    kind: str
    parts: list[Any]


class Assign(Node, gc=False):
    """targets = value, one after the other; `declares` for a declaration, `type` its annotation."""

    targets: list[Any]
    value: Any
    declares: bool = False
    type: str = ""
    constant: bool = False


class Evaluate(Node, gc=False):
    """An expression as a statement."""

    value: Any


class Return(Node, gc=False):
    """return."""

    value: Any = None


class If(Node, gc=False):
    """if; an else-if is an If alone in `other` (`chained`)."""

    test: Any
    then: list[Any]
    other: list[Any]
    chained: bool = False


class Arm(Node, gc=False):
    """One arm of a match; no patterns = everything."""

    patterns: list[Any]
    binds: list[str]
    guard: Any
    body: list[Any]
    form: Any = None
    """the pattern as a target, where it takes a sequence or a mapping apart"""


class Match(Node, gc=False):
    """match or switch; `falls` = an arm without a break runs into the next (JavaScript)."""

    subject: Any
    arms: list[Arm]
    falls: bool = False


class Loop(Node, gc=False):
    """for or while; a for over something has target and iterable, others a test (None = forever)."""

    target: Any
    iterable: Any
    test: Any
    body: list[Any]
    other: list[Any]
    update: list[Any]
    is_async: bool = False


class Handler(Node, gc=False):
    """except / catch; `type` is None for everything."""

    type: Any
    name: str
    body: list[Any]
    remark: bool = False
    """a comment stands in the body"""


class Try(Node, gc=False):
    """try."""

    body: list[Any]
    handlers: list[Handler]
    other: list[Any]
    final: list[Any]


class With(Node, gc=False):
    """with; items are (expression, target or None)."""

    items: list[tuple[Any, Any]]
    body: list[Any]
    is_async: bool = False


class Block(Node, gc=False):
    """A scope of its own: `unsafe`, a plain block, a label."""

    kind: str
    body: list[Any]


class Raise(Node, gc=False):
    """raise, throw."""

    value: Any = None
    cause: Any = None


class Jump(Node, gc=False):
    """break, continue, fallthrough, pass."""

    kind: str


class Delete(Node, gc=False):
    """del."""

    targets: list[Any]


class Outer(Node, gc=False):
    """`nonlocal` and `global`: names that are bound further out."""

    names: list[str]
    whole: bool
    """in the module"""


class Import(Node, gc=False):
    """import; names are (name, alias); ("*", "*") brings all, ("", alias) the module itself."""

    module: str
    level: int
    names: list[tuple[str, str]]


class Parameter(Struct, gc=False):
    """One parameter; kind is "" or * / ** / self."""

    name: str
    default: Any = None
    type: str = ""
    kind: str = ""


class Function(Node, gc=False):
    """A function, method or closure."""

    name: str
    params: list[Parameter]
    body: list[Any]
    kind: str = "function"
    """function, method, lambda"""
    is_async: bool = False
    public: bool = True
    doc: str = ""
    decorators: list[Any] = []
    returns: str = ""
    owner: str = ""
    """the type that a method belongs to"""
    value: Any = None
    """what a lambda, or a Rust body without `return`, gives back"""
    test: bool = False
    bare: bool = False
    """declared without a body"""


class Class(Node, gc=False):
    """class, struct, interface, trait, enum."""

    name: str
    bases: list[Any]
    body: list[Any]
    kind: str = "class"
    public: bool = True
    doc: str = ""
    fields: list[str] = []
    decorators: list[Any] = []


class Define(Node, gc=False):
    """A function or class statement."""

    what: Any


class Module(Struct):
    """One file; `comments` are (line, text), `holes` the lines that did not parse."""

    path: str
    language: str
    body: list[Any]
    doc: str = ""
    comments: list[tuple[int, str]] = []
    holes: list[int] = []
    package: str = ""
    cut: bool = False
    """something was nested too deep to be read"""


_LEAVES: Final = frozenset(
    ("span", "op", "kind", "name", "names", "level", "doc", "returns", "owner", "public", "bare", "is_async",
     "declares", "constant", "chained", "falls", "remark", "binds", "fields", "whole", "module")
)  # fmt: skip
"""Fields that never hold nodes."""


_BRANCHES: dict[type, tuple[str, ...]] = {}


def _branches(kind: type) -> tuple[str, ...]:
    """The fields of a kind of node that may hold nodes."""
    found = _BRANCHES.get(kind)
    if found is None:
        fields: tuple[str, ...] = kind.__struct_fields__  # type: ignore[attr-defined]  # msgspec gives every Struct this
        found = _BRANCHES[kind] = tuple(name for name in fields if name not in _LEAVES)
    return found


def parts_of(node: Any) -> list[Any]:
    """The nodes directly beneath a node, in their order."""
    made: list[Any] = []
    for name in _branches(type(node)):
        value = getattr(node, name)
        if isinstance(value, Node | Parameter):
            made.append(value)
        elif value and isinstance(value, list | tuple):
            _collect(value, made)
    return made


def _collect(values: Any, made: list[Any]) -> None:
    for one in values:
        if isinstance(one, Node | Parameter):
            made.append(one)
        elif isinstance(one, list | tuple):
            _collect(one, made)


def walk(root: Any) -> Iterator[Any]:
    """Every node beneath `root` (a node or a list), itself included, without recursion, in the order of the text."""
    rest = list(reversed(root)) if isinstance(root, list) else [root]
    while rest:
        node = rest.pop()
        if node is None:
            continue
        if not isinstance(node, Parameter):
            yield node
        rest.extend(reversed(parts_of(node)))


def within(root: Any) -> Iterator[Any]:
    """As `walk`, but not into the functions and classes beneath."""
    rest = list(reversed(root)) if isinstance(root, list) else [root]
    while rest:
        node = rest.pop()
        if node is None:
            continue
        if not isinstance(node, Parameter):
            yield node
        if not isinstance(node, Define | Lambda):
            rest.extend(reversed(parts_of(node)))


def dotted(node: Any) -> str:
    """`a.b.c` of nested attributes, "" when something else is in it; a call is `f()`."""
    parts: list[str] = []
    while True:
        if isinstance(node, Attr):
            parts.append(node.name)
            node = node.object
        elif isinstance(node, Call):
            inner = dotted(node.callee)
            return ".".join([f"{inner}()", *reversed(parts)]) if inner else ""
        elif isinstance(node, Wrap):
            node = node.operand
        elif isinstance(node, Name):
            return ".".join([node.name, *reversed(parts)])
        else:
            return ""


def last_name(node: Any) -> str:
    """The last name of an expression: `c` of `a.b.c` and of `f().c`."""
    while isinstance(node, Wrap):
        node = node.operand
    return node.name if isinstance(node, Name | Attr) else ""
