"""Labels: where a value came from, how far it is trusted, and who may read it.

A label lives beside every text that came from outside. Labels only ever get worse: `join` takes
the lower integrity and the smaller set of readers, so nothing that is computed from a value can
be trusted more, or shown to more people, than the value itself.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

# Lower number = less trusted. user and system are equals (DESIGN 5).
INTEGRITY: Final[dict[str, int]] = {"untrusted": 0, "tool": 1, "system": 2, "user": 2}
MAX_SOURCES: Final = 32  # a label names at most this many origins; the oldest are kept


class Label(Struct, frozen=True, gc=False, omit_defaults=True):
    """Trust and readers of a value."""

    integrity: str = "user"
    """user | system | tool | untrusted"""
    readers: tuple[str, ...] | None = None
    """who may read it, sorted; None = everyone"""
    sources: tuple[str, ...] = ()
    """where it came from, for example tool:read_file"""

    @property
    def untrusted(self) -> bool:
        """Whether nothing in this value may decide an effect."""
        return self.integrity == "untrusted"


USER: Final = Label("user")
SYSTEM: Final = Label("system")


def join(a: Label, b: Label) -> Label:
    """The label of a value made from `a` and `b`: lower integrity, fewer readers, all sources."""
    if a is b:
        return a
    rank_a, rank_b = INTEGRITY[a.integrity], INTEGRITY[b.integrity]
    if rank_a <= rank_b and b.readers is None and not b.sources:
        return a
    if rank_b <= rank_a and a.readers is None and not a.sources:
        return b
    integrity = a.integrity if rank_a <= rank_b else b.integrity
    if a.readers is None or b.readers is None:
        readers = b.readers if a.readers is None else a.readers
    else:
        readers = tuple(sorted(set(a.readers) & set(b.readers)))
    same = a.sources == b.sources
    sources = a.sources if same else tuple(dict.fromkeys(a.sources + b.sources))[:MAX_SOURCES]
    return Label(integrity, readers, sources)
