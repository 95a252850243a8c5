"""What a patch says, as values; every format is read into these.

Lines are kept with their ends. `start` of a hunk is the 0-based line that its writer named; None =
the writer named none, so the place must be found.
"""

from __future__ import annotations

from msgspec import Struct

KEEP = " "
REMOVE = "-"
ADD = "+"


class Hunk(Struct, frozen=True):
    """One place of a change."""

    lines: tuple[tuple[str, str], ...]
    """(KEEP | REMOVE | ADD, text with its line end)"""
    start: int | None = None
    """0-based first line in the old file"""
    new_start: int | None = None
    anchors: tuple[str, ...] = ()
    """lines to pass before the place, one after the other"""
    at_end: bool = False
    """the place is the end of the file"""
    number: int = 0
    """line of the patch text where the hunk stands, from 1"""
    everywhere: bool = False
    """search/replace blocks: the old lines are all that is known"""

    @property
    def old(self) -> list[str]:
        """The lines that must be there."""
        return [text for tag, text in self.lines if tag != ADD]

    @property
    def new(self) -> list[str]:
        """The lines that will be there."""
        return [text for tag, text in self.lines if tag != REMOVE]


class FileChange(Struct, frozen=True):
    """What happens to one file."""

    old_path: str | None
    """None = the file is created"""
    new_path: str | None
    """None = the file is deleted"""
    hunks: tuple[Hunk, ...] = ()
    old_mode: str = ""
    new_mode: str = ""
    copy: bool = False
    """the old file stays"""
    number: int = 0
    """line of the patch text where the change begins, from 1"""
    whole: bool = False
    """an added file of an envelope or a block: it may not exist yet"""

    @property
    def path(self) -> str:
        """The path to name it by."""
        return self.new_path or self.old_path or ""

    @property
    def added(self) -> int:
        """Added lines."""
        return sum(tag == ADD for hunk in self.hunks for tag, _ in hunk.lines)

    @property
    def removed(self) -> int:
        """Removed lines."""
        return sum(tag == REMOVE for hunk in self.hunks for tag, _ in hunk.lines)
