"""Two states of runs compared: what differs, path by path; and where two runs first went different ways."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct

from remit.journal.projections.state import State, plain

MAX_CHANGES: Final = 1000


class Change(Struct, frozen=True):
    """One difference; a side that has nothing there is None, and says so in `kind`."""

    path: str
    kind: str
    """changed | added | removed"""
    before: Any = None
    after: Any = None


def changes(a: State, b: State) -> list[Change]:
    """What must be changed in `a` to get `b`, in the order of a's keys; at most MAX_CHANGES."""
    found: list[Change] = []
    for change in _walk("", plain(a), plain(b)):
        found.append(change)
        if len(found) >= MAX_CHANGES:
            break
    return found


def divergence(a: State, b: State) -> Change | None:
    """The first thing that one run did otherwise than the other, by structural key; None when they agree so far.

    Keys do not depend on the scheduler, so runs that did the same in another order agree.
    """
    left, right = plain(a), plain(b)
    if left["task"] != right["task"]:
        return Change("task", "changed", left["task"], right["task"])
    for key, place in left["places"].items():
        other = right["places"].get(key)
        if other is None:
            return Change(key, "removed", place)
        if other != place:
            return Change(key, "changed", place, other)
    for key, place in right["places"].items():
        if key not in left["places"]:
            return Change(key, "added", None, place)
    ends = [{name: side[name] for name in ("status", "output")} for side in (left, right)]
    return None if ends[0] == ends[1] else Change("end", "changed", *ends)


def _walk(path: str, a: Any, b: Any) -> Iterator[Change]:
    if isinstance(a, dict) and isinstance(b, dict):
        for name in a:
            at = f"{path}.{name}" if path else name
            if name in b:
                yield from _walk(at, a[name], b[name])
            else:
                yield Change(at, "removed", a[name])
        for name in b:
            if name not in a:
                yield Change(f"{path}.{name}" if path else name, "added", None, b[name])
    elif a != b or type(a) is not type(b):
        yield Change(path, "changed", a, b)
