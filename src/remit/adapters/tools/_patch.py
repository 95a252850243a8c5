"""Patches as values: two formats read into one form.

    unified diff        --- a/x, +++ b/x, @@ -1,3 +1,4 @@; git's extended headers for new, deleted and renamed files
    envelope            *** Begin Patch, *** Add|Update|Delete File: x, *** Move to: y, @@ a line before, *** End Patch

The idea: parsing names every path, so that the gate sees them before anything is read; `_hunks.py`
computes new contents from old ones without touching a file.

Invariant: a path occurs in one change only. What is not understood is refused with its line number.
Source: POSIX diff -u; git-diff(1) "Generating patch text"; the envelope is that of OpenAI's apply_patch.
"""

from __future__ import annotations

import re
from typing import Final, Literal, NoReturn

from msgspec import Struct

from remit.errors import Invalid

MAX_PATCH_CHARS: Final = 1024 * 1024
MAX_FILES: Final = 200
_HUNK: Final = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
_NULL: Final = "/dev/null"
_NO_NEWLINE: Final = "\\ No newline at end of file"
_ESCAPE: Final = re.compile(r'\\([0-7]{3}|[abtnvfr"\\])')
_ESCAPED: Final = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92}


class Hunk(Struct, frozen=True):
    """One place of a change."""

    old: tuple[str, ...]
    """lines that must be there, without line ends"""
    new: tuple[str, ...]
    start: int | None = None
    """0-based line of the place; None = to be found (envelope)"""
    anchors: tuple[str, ...] = ()
    """lines to look for first, one after the other"""
    at_end: bool = False
    """the place is the end of the file"""
    old_newline: bool = True
    """whether the last old line, where it ends the file, has a line end; the same for the new one below"""
    new_newline: bool = True


class Change(Struct, frozen=True):
    """What happens to one file."""

    kind: Literal["add", "update", "delete"]
    path: str
    hunks: tuple[Hunk, ...] = ()
    target: str = ""
    """new path of a moved file"""
    content: str = ""
    """of an added file"""

    @property
    def paths(self) -> tuple[str, ...]:
        """All paths that the change touches."""
        return (self.path, self.target) if self.target else (self.path,)


def parse_patch(text: str) -> tuple[Change, ...]:
    """The changes of a patch in either format; raises value_invalid with the line that is wrong."""
    if len(text) > MAX_PATCH_CHARS:
        raise Invalid("value_invalid", f"the patch is longer than {MAX_PATCH_CHARS} characters")
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[-1] == "":
        lines.pop()
    first = next((line.strip() for line in lines if line.strip()), "")
    changes = _Envelope(lines).read() if first == "*** Begin Patch" else _Unified(lines).read()
    if not changes:
        raise Invalid("value_invalid", "the patch changes no file", hint="Send a unified diff or *** Begin Patch.")
    if len(changes) > MAX_FILES:
        raise Invalid("value_invalid", f"the patch changes {len(changes)} files; at most {MAX_FILES}")
    seen: set[str] = set()
    for change in changes:
        for path in change.paths:
            if not path or path in seen:
                raise Invalid("value_invalid", f"the patch names {path!r} twice" if path else "a path is empty")
            seen.add(path)
    return tuple(changes)


class _Reader:
    """Lines with a place in them."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.at = 0

    def peek(self, ahead: int = 0) -> str | None:
        at = self.at + ahead
        return self.lines[at] if at < len(self.lines) else None

    def fail(self, why: str) -> NoReturn:
        raise Invalid("value_invalid", f"line {self.at + 1} of the patch: {why}")


class _Unified(_Reader):
    """Reader of unified diffs."""

    def read(self) -> list[Change]:
        changes: list[Change] = []
        while (line := self.peek()) is not None:
            if line.startswith("diff --git "):
                changes.extend(self._git_file())
            elif line.startswith("--- ") and (self.peek(1) or "").startswith("+++ "):
                changes.append(self._file({}))
            elif line.startswith(("@@ -", "GIT binary patch")):
                self.fail("a hunk before the names of its file (--- and +++)")
            else:
                self.at += 1  # text around the diff: a mail, "Index:", a commit message
        return changes

    def _git_file(self) -> list[Change]:
        """`diff --git` and its extended headers."""
        self.at += 1
        headers: dict[str, str] = {}
        while (line := self.peek()) is not None and not line.startswith(("diff --git ", "@@ ")):
            if line.startswith("--- ") and (self.peek(1) or "").startswith("+++ "):
                return [self._file(headers)]
            for key in (
                "rename from ",
                "rename to ",
                "new file mode ",
                "deleted file mode ",
                "copy from ",
                "new mode ",
            ):
                if line.startswith(key):
                    headers[key.strip()] = line[len(key) :].strip()
            if line.startswith(("GIT binary patch", "Binary files ", "copy from ")):
                self.fail("binary patches and copies are not supported; only text is patched")
            self._check_mode(headers)
            if not line and headers.keys() & {"rename to"}:
                break
            self.at += 1
        if "rename to" in headers:
            return [Change("update", _unquote(headers["rename from"]), target=_unquote(headers["rename to"]))]
        if "new file mode" in headers or "deleted file mode" in headers:
            self.fail("an empty file is made or deleted without --- and +++ lines; use write_file")
        return []

    def _check_mode(self, headers: dict[str, str]) -> None:
        for mode in (headers.get("new file mode"), headers.get("new mode"), headers.get("deleted file mode")):
            if mode is not None and not mode.startswith("100"):
                self.fail("only regular files are patched, no links and no submodules")

    def _file(self, headers: dict[str, str]) -> Change:
        before, after = _name(self.lines[self.at][4:]), _name(self.lines[self.at + 1][4:])
        self.at += 2
        if (before.startswith("a/") or before == _NULL) and (after.startswith("b/") or after == _NULL):
            before, after = (name if name == _NULL else name[2:] for name in (before, after))
        hunks: list[Hunk] = []
        while (line := self.peek()) is not None and line.startswith("@@"):
            hunks.append(self._hunk())
        if not hunks:
            self.fail("no hunk (@@ -1,3 +1,4 @@) after the names of the file")
        if before == _NULL and after == _NULL:
            self.fail("both names are /dev/null")
        if before == _NULL:
            return self._added(after, hunks)
        if after == _NULL:
            return Change("delete", before, tuple(hunks))
        return Change("update", before, tuple(hunks), target="" if before == after else after)

    def _added(self, path: str, hunks: list[Hunk]) -> Change:
        if len(hunks) != 1 or hunks[0].old:
            self.fail(f"{path} is new, and yet its diff holds old lines")
        hunk = hunks[0]
        return Change("add", path, content="\n".join(hunk.new) + ("\n" if hunk.new_newline and hunk.new else ""))

    def _hunk(self) -> Hunk:
        head = _HUNK.match(self.lines[self.at])
        if head is None:
            self.fail("not a hunk header of the form @@ -1,3 +1,4 @@")
        start, counts = int(head[1]), [int(head[2] or 1), int(head[4] or 1)]
        opened = self.at + 1
        self.at += 1
        old: list[str] = []
        new: list[str] = []
        ends = {"old": True, "new": True}
        while len(old) < counts[0] or len(new) < counts[1] or self.peek() == _NO_NEWLINE:
            line = self.peek()
            if line is None or not self._take(line, (old, new), ends):
                break
            self.at += 1
        if [len(old), len(new)] != counts:
            raise Invalid(
                "value_invalid",
                f"line {opened} of the patch: the header says {counts[0]} old and {counts[1]} new lines, "
                f"the hunk holds {len(old)} and {len(new)}",
                hint="Correct the counts, or use the *** Begin Patch form, which has none.",
            )
        # An insertion names the line that it follows; every other hunk names its first line.
        place = start if counts[0] == 0 else max(start - 1, 0)
        return Hunk(tuple(old), tuple(new), place, (), False, ends["old"], ends["new"])

    def _take(self, line: str, sides: tuple[list[str], list[str]], ends: dict[str, bool]) -> bool:
        """Add one line of a hunk; False where it is none."""
        if line == _NO_NEWLINE:
            last = self.lines[self.at - 1][:1]
            ends.update({"-": {"old": False}, "+": {"new": False}}.get(last, {"old": False, "new": False}))
            return True
        if line[:1] in (" ", "-", ""):  # editors strip the space of an empty context line
            sides[0].append(line[1:])
        if line[:1] in (" ", "+", ""):
            sides[1].append(line[1:])
        return line[:1] in (" ", "-", "+", "")


class _Envelope(_Reader):
    """Reader of the *** Begin Patch form."""

    def read(self) -> list[Change]:
        while (self.peek() or "").strip() != "*** Begin Patch":
            self.at += 1
        self.at += 1
        changes: list[Change] = []
        while (line := self.peek()) is not None:
            if line.strip() == "*** End Patch":
                return changes
            if not line.strip():
                self.at += 1
                continue
            changes.append(self._file(line))
        self.fail("*** End Patch is missing")

    def _file(self, line: str) -> Change:
        verb, colon, path = line.partition(": ")
        path = path.strip()
        if not colon or verb not in ("*** Add File", "*** Update File", "*** Delete File"):
            self.fail("expected *** Add File: PATH, *** Update File: PATH or *** Delete File: PATH")
        self.at += 1
        if verb == "*** Delete File":
            return Change("delete", path)
        if verb == "*** Add File":
            return Change("add", path, content="".join(f"{added}\n" for added in self._added()))
        target = ""
        if (self.peek() or "").startswith("*** Move to: "):
            target = self.lines[self.at][len("*** Move to: ") :].strip()
            self.at += 1
        hunks: list[Hunk] = []
        while (head := self.peek()) is not None and not self._is_header(head):
            hunks.append(self._hunk())
        if not hunks and not target:
            self.fail(f"*** Update File: {path} changes nothing")
        return Change("update", path, tuple(hunks), target=target)

    @staticmethod
    def _is_header(line: str) -> bool:
        return line.startswith("*** ") and line.strip() != "*** End of File"

    def _added(self) -> list[str]:
        added: list[str] = []
        while (line := self.peek()) is not None and not self._is_header(line):
            if not line.startswith("+"):
                self.fail("every line of an added file starts with +")
            added.append(line[1:])
            self.at += 1
        return added

    def _hunk(self) -> Hunk:
        anchors: list[str] = []
        while (line := self.peek()) is not None and line.startswith("@@"):
            if line[2:].strip():
                anchors.append(line[2:].strip())
            self.at += 1
        old: list[str] = []
        new: list[str] = []
        at_end = False
        while (line := self.peek()) is not None and not line.startswith("@@") and not self._is_header(line):
            self.at += 1
            if line.strip() == "*** End of File":
                at_end = True
                break
            if line[:1] not in (" ", "-", "+", ""):
                self.at -= 1
                self.fail("a line of a hunk starts with a space, - or +")
            if line[:1] != "+":
                old.append(line[1:])
            if line[:1] != "-":
                new.append(line[1:])
        if not old and not new:
            self.fail("an empty hunk")
        return Hunk(tuple(old), tuple(new), None, tuple(anchors), at_end)


def _name(text: str) -> str:
    """The path of a --- or +++ line: without the time stamp, unquoted."""
    return _unquote(text.partition("\t")[0].rstrip())


def _unquote(text: str) -> str:
    """git's quoted form of unusual names: octal bytes and C escapes."""
    if len(text) < 2 or not (text.startswith('"') and text.endswith('"')):
        return text
    out = bytearray()
    at, inner = 0, text[1:-1]
    for found in _ESCAPE.finditer(inner):
        out += inner[at : found.start()].encode()
        out.append(_ESCAPED[found[1]] if found[1] in _ESCAPED else int(found[1], 8) & 0xFF)
        at = found.end()
    return (out + inner[at:].encode()).decode(errors="replace")
