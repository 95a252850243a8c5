"""What is known of a folder: a row a file, which names by their content everything that was found out about it."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from remit.code.graph.tree import Stat
from remit.code.graph.values import Dependency, Symbol

COARSE_NS: Final = 3_000_000_000
FINE_NS: Final = 100_000_000
"""How old an entry must be before its times tell a later change. Source: ext4, xfs and tmpfs count in ticks of at most
10 ms, FAT and some network file systems in 2 s; those have no fraction of a second."""


class Row(Struct, array_like=True):
    """One file."""

    stat: Stat = (0, 0, 0, 0)
    key: bytes = b""
    """of its facts, or of its text where it is a manifest"""
    why: str = ""
    """why it is not read; '' = it is"""
    room: str = ""
    """python, go, javascript, rust, manifest"""
    name: str = ""
    """Python: the dotted name; Go: the package"""
    package: bool = False
    firsts: list[str] = []
    """Python: first parts of the absolute imports"""
    inside: list[str] = []
    """Python: files that it imports"""
    partners: list[str] = []
    """Python: files that it exchanged messages with"""
    cut: bool = False
    view: bytes = b""
    heads: bytes = b""
    history: bytes = b""
    calls: bytes = b""


class View(Struct, array_like=True):
    """What a file says without its calls."""

    symbols: list[Symbol]
    dependencies: list[Dependency] = []
    lines: dict[str, list[int]] = {}
    """{name of a definition, in the file: lines}"""
    declared: dict[str, bytes] = {}
    """Go: {name: digest of all that others may look at}"""


class Snapshot(Struct, array_like=True):
    """A folder."""

    root_name: str = ""
    rows: dict[str, Row] = {}
    order: list[str] = []
    """Python files in the order in which they are solved"""
    implementations: bytes = b""
    """Go: which types an interface means"""


def settled(stat: Stat, began_ns: int) -> bool:
    """Whether an entry is old enough at `began_ns` that every later change gives it other times."""
    newest = max(stat[0], stat[1])
    coarse = stat[0] % 1_000_000_000 == 0 and stat[1] % 1_000_000_000 == 0
    return newest < began_ns - (COARSE_NS if coarse else FINE_NS)
