"""What methods of the standard library yield, as far as it carries types along. Source: doc of std 1.8x."""

from __future__ import annotations

from typing import Any, Final

from remit.code.graph.rust.facts import UNKNOWN

WRAPPERS: Final = frozenset(["Box", "Rc", "Arc", "Ref", "RefMut", "MutexGuard", "RwLockReadGuard", "RwLockWriteGuard",
                             "Cow", "Pin"])  # fmt: skip
"""Types that are used as what they hold"""
SEQUENCES: Final = frozenset(["Vec", "VecDeque", "HashSet", "BTreeSet", "BinaryHeap", "Iter", "LinkedList"])
_SAME: Final = frozenset([
    "clone", "to_owned", "as_ref", "as_mut", "iter", "iter_mut", "into_iter", "rev", "filter", "skip", "take",
    "peekable", "cloned", "copied", "by_ref", "inspect", "chain", "borrow", "borrow_mut", "as_deref", "as_deref_mut",
    "to_vec", "skip_while", "take_while", "step_by", "drain", "as_slice", "or", "or_else", "cycle", "fuse",
    "into_boxed_slice",
])  # fmt: skip
_INNER: Final = frozenset([
    "unwrap", "expect", "unwrap_or", "unwrap_or_else", "unwrap_or_default", "unwrap_unchecked", "into_inner", "get_mut",
    "lock", "read", "write", "borrow", "borrow_mut", "take",
])  # fmt: skip
_OPTIONAL: Final = frozenset([
    "next", "first", "last", "pop", "get", "get_mut", "find", "nth", "peek", "first_mut", "last_mut", "pop_front",
    "pop_back", "front", "back", "max_by_key", "min_by_key", "max", "min", "reduce", "max_by", "min_by", "next_back",
])  # fmt: skip
CELLS: Final = frozenset(["Mutex", "RwLock", "RefCell", "Cell", "OnceCell", "OnceLock", "LazyLock"])
_ITEM_CALLBACKS: Final = frozenset([
    "map", "for_each", "filter", "any", "all", "find", "position", "filter_map", "flat_map", "and_then", "map_err",
    "take_while", "skip_while", "inspect", "is_some_and", "partition", "max_by_key", "min_by_key", "sort_by_key",
    "retain", "unwrap_or_else", "map_or", "find_map", "or_else", "then", "is_ok_and",
])  # fmt: skip


def path(name: str, *arguments: Any) -> list[Any]:
    """A type of the standard library."""
    return ["p", [name], list(arguments)]


def item(kind: list[Any]) -> list[Any]:
    """What a collection, an Option or an iterator holds."""
    if kind[0] == "[]":
        return list(kind[1])
    if kind[0] != "p" or not kind[2]:
        return UNKNOWN
    if kind[1][-1] in ("HashMap", "BTreeMap") and len(kind[2]) > 1:
        return ["tuple", kind[2][:2]]
    return list(kind[2][0])


def callback_items(kind: list[Any], name: str) -> list[Any] | None:
    """What the closure given to a method of the standard library receives, None where it receives nothing known."""
    if name in ("fold",):
        return [UNKNOWN, item(kind)]
    return [item(kind)] if name in _ITEM_CALLBACKS else None


def yields(kind: list[Any], name: str, given: list[Any], closure: list[Any]) -> list[Any]:  # noqa: C901 - a table in words
    """The type of `kind.name(given)`; `closure` is what a closure given to it yields."""
    if kind[0] == "[]":
        kind = path("Vec", kind[1])
    if kind[0] != "p":
        return kind if name in _SAME else UNKNOWN
    last, inner = kind[1][-1], item(kind)
    if last in CELLS and name in _INNER:
        return path("Result", inner) if name in ("lock", "read", "write") else inner
    if last in ("HashMap", "BTreeMap"):
        return _of_map(kind, name)
    if last in ("Option", "Result"):
        return _of_option(last, kind, name, closure)
    if name in _OPTIONAL:
        return path("Option", inner)
    if name in ("map", "filter_map", "flat_map", "scan"):
        return path("Iter", closure if name == "map" else item(closure))
    if name == "enumerate":
        return path("Iter", ["tuple", [UNKNOWN, inner]])
    if name == "zip":
        return path("Iter", ["tuple", [inner, item(given[0]) if given else UNKNOWN]])
    if name == "collect":
        return path("Vec", inner)
    if name == "fold":
        return given[0] if given else UNKNOWN
    return kind if name in _SAME else UNKNOWN


def _of_map(kind: list[Any], name: str) -> list[Any]:
    value = kind[2][1] if len(kind[2]) > 1 else UNKNOWN
    if name in ("get", "get_mut", "remove", "insert"):
        return path("Option", value)
    if name in ("values", "values_mut", "into_values"):
        return path("Iter", value)
    if name in ("keys", "into_keys"):
        return path("Iter", kind[2][0] if kind[2] else UNKNOWN)
    if name in ("iter", "iter_mut", "into_iter", "drain"):
        return path("Iter", item(kind))
    if name == "entry":
        return path("Entry", value)
    return kind if name == "clone" else UNKNOWN


def _of_option(last: str, kind: list[Any], name: str, closure: list[Any]) -> list[Any]:
    inner = item(kind)
    if name in _INNER - {"take"}:
        return inner
    if name == "map":
        return path(last, closure)
    if name == "and_then":
        return closure
    if name in ("ok", "ok_or", "ok_or_else", "take", "map_err", "err", "context", "with_context", "replace", "filter"):
        return path("Option", inner) if name != "err" else UNKNOWN
    if name in ("map_or", "map_or_else"):
        return closure
    return kind if name in _SAME else UNKNOWN
