"""Where the hunks of a patch go: new content from old, or a refusal that names the place.

The idea: old lines must be there exactly. A unified hunk whose place does not fit is looked for in the
rest of the file and taken only where it fits once; "somewhere near" is never good enough.

Invariant: hunks go from top to bottom and do not overlap; the input is not changed.
"""

from __future__ import annotations

from typing import Final

from remit.adapters.tools._patch import Change, Hunk
from remit.errors import Invalid

MAX_HUNK_LINES: Final = 5000
_SHOWN_PLACES: Final = 5


def apply_hunks(change: Change, content: str) -> str:
    """`content` after the hunks of `change`; raises value_invalid with file, hunk and place."""
    crlf = "\r\n" in content and content.count("\n") == content.count("\r\n")
    if crlf:
        content = content.replace("\r\n", "\n")
    lines = content.split("\n")
    newline = lines[-1] == ""
    if newline:
        lines.pop()
    out: list[str] = []
    at = 0
    for number, hunk in enumerate(change.hunks, 1):
        place = _place(lines, at, hunk, f"hunk {number} of {change.path}")
        out += lines[at:place]
        out += hunk.new
        at = place + len(hunk.old)
        if at == len(lines) and hunk.start is not None:
            newline = _ending(hunk, newline, f"hunk {number} of {change.path}")
    out += lines[at:]
    text = "\n".join(out) + ("\n" if out and (newline or not content) else "")
    return text.replace("\n", "\r\n") if crlf else text


def reversed_change(change: Change) -> Change:
    """The change that undoes the hunks of `change` (paths stay)."""
    shift = 0
    hunks = []
    for h in change.hunks:
        start = None if h.start is None else h.start + shift
        hunks.append(Hunk(h.new, h.old, start, h.anchors, h.at_end, h.new_newline, h.old_newline))
        shift += len(h.new) - len(h.old)
    return Change("update", change.path, tuple(hunks), change.target)


def _ending(hunk: Hunk, newline: bool, where: str) -> bool:
    """Whether the file ends in a line end after a hunk that reaches its end."""
    if hunk.old and hunk.old_newline != newline:
        says = "without" if newline else "with"
        raise Invalid("value_invalid", f"{where}: the patch takes the file to end {says} a line end, which is not so")
    return hunk.new_newline


def _place(lines: list[str], at: int, hunk: Hunk, where: str) -> int:
    """Line at which the old lines of `hunk` stand, at or after `at`."""
    if len(hunk.old) > MAX_HUNK_LINES:
        raise Invalid("value_invalid", f"{where} has more than {MAX_HUNK_LINES} lines")
    anchored = bool(hunk.anchors)
    for anchor in hunk.anchors:
        at = _after_anchor(lines, at, anchor, where)
    if hunk.at_end and hunk.old:
        return _require(lines, len(lines) - len(hunk.old), at, hunk, where)
    if not hunk.old:
        return _insertion(lines, at, hunk, where)
    if hunk.start is not None and hunk.start >= at and _fits(lines, hunk.start, hunk):
        return hunk.start
    places = _places(lines, at, hunk, 1 if anchored else _SHOWN_PLACES)
    if not places:
        raise Invalid("value_invalid", f"{where} does not fit: {_mismatch(lines, at, hunk)}")
    if len(places) > 1:
        shown = ", ".join(str(place + 1) for place in places)
        raise Invalid(
            "value_invalid",
            f"{where} fits at several lines ({shown}); it is ambiguous",
            hint="Give more context lines, or @@ with a line that stands before the place.",
        )
    return places[0]


def _after_anchor(lines: list[str], at: int, anchor: str, where: str) -> int:
    for index in range(at, len(lines)):
        if lines[index].strip() == anchor:
            return index + 1
    # Many models write only the beginning of the line (`def f` for `def f(x):`).
    for index in range(at, len(lines)):
        if lines[index].strip().startswith(anchor):
            return index + 1
    raise Invalid("value_invalid", f"{where}: no line {anchor[:100]!r} after line {at}")


def _insertion(lines: list[str], at: int, hunk: Hunk, where: str) -> int:
    if hunk.at_end:
        return len(lines)
    if hunk.start is not None:
        if at <= hunk.start <= len(lines):
            return hunk.start
        raise Invalid("value_invalid", f"{where} inserts after line {hunk.start}; the file has {len(lines)} lines")
    if hunk.anchors:
        return at
    raise Invalid(
        "value_invalid", f"{where} only adds lines and does not say where", hint="Give context lines around them."
    )


def _require(lines: list[str], place: int, at: int, hunk: Hunk, where: str) -> int:
    if place < at or not _fits(lines, place, hunk):
        raise Invalid("value_invalid", f"{where} does not fit at the end of the file")
    return place


def _fits(lines: list[str], place: int, hunk: Hunk) -> bool:
    return tuple(lines[place : place + len(hunk.old)]) == hunk.old


def _places(lines: list[str], at: int, hunk: Hunk, most: int) -> list[int]:
    first = hunk.old[0]
    found: list[int] = []
    for place in range(at, len(lines) - len(hunk.old) + 1):
        if lines[place] == first and _fits(lines, place, hunk):
            found.append(place)
            if len(found) == most:
                break
    return found


def _mismatch(lines: list[str], at: int, hunk: Hunk) -> str:
    """The first old line that is not where it should be."""
    place = hunk.start
    if place is None or not at <= place < len(lines):
        place = next((i for i in range(at, len(lines)) if lines[i] == hunk.old[0]), None)
    if place is None:
        return f"no line {hunk.old[0][:100]!r} after line {at}"
    for offset, wanted in enumerate(hunk.old):
        have = lines[place + offset] if place + offset < len(lines) else None
        if have != wanted:
            seen = "the file ends" if have is None else f"found {have[:100]!r}"
            return f"line {place + offset + 1} should be {wanted[:100]!r}, {seen}"
    return f"it would overlap what stands before line {at + 1}"
