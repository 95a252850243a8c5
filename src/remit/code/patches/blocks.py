"""Two formats without line numbers: search/replace blocks and the patch envelope."""

from __future__ import annotations

import re
from typing import Final

from remit.code.patches.values import ADD, KEEP, REMOVE, FileChange, Hunk
from remit.errors import Invalid

SEARCH: Final = re.compile(r"<{5,9} ?SEARCH\s*$")
_DIVIDER: Final = re.compile(r"={5,9}\s*$")
_REPLACE: Final = re.compile(r">{5,9} ?REPLACE\s*$")
_FILE: Final = re.compile(r"\*\*\* (Add|Update|Delete) File: (.+?)\s*$")
_MOVE: Final = re.compile(r"\*\*\* Move to: (.+?)\s*$")
_END_OF_FILE: Final = "*** End of File"
_FENCE: Final = "```"


def search_replace(lines: list[str]) -> list[FileChange]:
    """Blocks, each after a line with its path (a block without one belongs to the file before)."""
    changes: list[FileChange] = []
    path = ""
    at = 0
    while at < len(lines):
        if not SEARCH.match(lines[at]):
            path = _path_line(lines[at]) or path
            at += 1
            continue
        number = at + 1
        middle = _find(lines, _DIVIDER, at + 1, "a block has no =======")
        end = _find(lines, _REPLACE, middle + 1, "a block has no >>>>>>> REPLACE")
        if not path:
            raise Invalid("patch_invalid", f"line {number}: no line before the block names its file")
        old, new = lines[at + 1 : middle], lines[middle + 1 : end]
        hunk = Hunk((*((REMOVE, text) for text in old), *((ADD, text) for text in new)), number=number, everywhere=True)
        change = FileChange(path if old else None, path, (hunk,), number=number, whole=not old)
        if changes and changes[-1].path == path and old and changes[-1].old_path:
            last = changes.pop()
            change = FileChange(path, path, (*last.hunks, hunk), number=last.number)
        changes.append(change)
        at = end + 1
    return changes


def _path_line(line: str) -> str:
    """The path that a line before a block names; "" when it is something else."""
    text = line.strip().strip("`*#").strip().removesuffix(":")
    if not text or text.startswith(_FENCE) or " " in text or len(text) > 300:
        return ""
    return text if "/" in text or "." in text else ""


def _find(lines: list[str], pattern: re.Pattern[str], at: int, missing: str) -> int:
    for i in range(at, len(lines)):
        if pattern.match(lines[i]):
            return i
        if SEARCH.match(lines[i]):
            break
    raise Invalid("patch_invalid", f"line {at}: {missing}")


def envelope(lines: list[str]) -> list[FileChange]:
    """*** Begin Patch ... *** End Patch; words around it are passed over."""
    at = next(i for i, line in enumerate(lines) if line.startswith("*** Begin Patch")) + 1
    changes: list[FileChange] = []
    while at < len(lines) and not lines[at].startswith("*** End Patch"):
        head = _FILE.match(lines[at])
        if head is None:
            if lines[at].strip():
                raise Invalid("patch_invalid", f"line {at + 1}: expected *** Add, Update or Delete File")
            at += 1
            continue
        end = at + 1
        while end < len(lines) and not (_FILE.match(lines[end]) or lines[end].startswith("*** End Patch")):
            end += 1
        changes.append(_file(head[1], head[2], lines[at + 1 : end], at + 1))
        at = end
    return changes


def _file(kind: str, path: str, body: list[str], number: int) -> FileChange:
    if kind == "Delete":
        return FileChange(path, None, number=number)
    if kind == "Add":
        wrong = next((i for i, line in enumerate(body) if line.strip() and not line.startswith("+")), None)
        if wrong is not None:
            raise Invalid("patch_invalid", f"line {number + 1 + wrong}: a line of an added file begins with +")
        added = tuple((ADD, line[1:]) for line in body if line.startswith("+"))
        return FileChange(None, path, (Hunk(added, 0, 0, number=number),) if added else (), number=number, whole=True)
    target = path
    if body and (move := _MOVE.match(body[0])):
        target, body, number = move[1], body[1:], number + 1
    return FileChange(path, target, tuple(_hunks(body, number)), number=number)


def _hunks(body: list[str], number: int) -> list[Hunk]:
    hunks: list[Hunk] = []
    anchors: list[str] = []
    lines: list[tuple[str, str]] = []
    begun = number + 1

    def close(at_end: bool = False) -> None:
        if lines:
            hunks.append(Hunk(tuple(lines), anchors=tuple(anchors), at_end=at_end, number=begun))
            anchors.clear()
            lines.clear()

    for i, line in enumerate(body):
        place = number + 1 + i
        if line.startswith("@@"):
            close()
            begun = place
            text = line[2:].strip().removesuffix("@@").strip()
            if text.strip(" .…") and not re.match(r"-\d+(,\d+)? \+\d+", text):
                anchors.append(text)
        elif line.startswith(_END_OF_FILE):
            close(at_end=True)
        elif line[0] in (KEEP, ADD, REMOVE):
            lines.append((line[0], line[1:]))
        elif not line.strip():
            lines.append((KEEP, line))
        else:
            raise Invalid("patch_invalid", f"line {place}: a line of a hunk begins with a blank, + or -")
    while lines and lines[-1][0] == KEEP and not lines[-1][1].strip():
        lines.pop()
    close()
    return hunks
