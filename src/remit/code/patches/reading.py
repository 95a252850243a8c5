"""Reading patches, also as models write them: unified diffs, line-less hunks, blocks, envelopes.

    unified          diff --git / --- / +++ / @@ -1,3 +1,4 @@; git's extended headers
    line-less        @@ ... @@ or @@ alone, or @@ with a line to look for
    search/replace   a path, <<<<<<< SEARCH, old lines, =======, new lines, >>>>>>> REPLACE
    envelope         *** Begin Patch, *** Add|Update|Delete File: PATH, *** Move to: PATH, *** End Patch

Invariants: a hunk's counts decide where it ends only if what follows is a boundary; else the lines
decide. What is not understood is refused with its line number. Nothing here looks at a file.
Source: git-diff(1); POSIX diff -u; the forms that OpenAI's apply_patch and aider's edit blocks use.
"""

from __future__ import annotations

import re
from typing import Final, NoReturn

from remit.code.patches import blocks
from remit.code.patches.lines import split
from remit.code.patches.values import ADD, KEEP, REMOVE, FileChange, Hunk
from remit.errors import Exhausted, Invalid

MAX_FILES: Final = 2_000
MAX_HUNKS: Final = 50_000
_HEADER: Final = re.compile(r"@@+ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@+")
_LINELESS: Final = re.compile(r"@@(?:\s+(?P<text>.*?))??(?:\s*@@.*)?\s*$")
_ESCAPE: Final = re.compile(r'\\([0-7]{3}|[abtnvfr"\\])')
_ESCAPED: Final = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "\\": 92}
_EXTENDED: Final = (
    "index ",
    "old mode ",
    "new mode ",
    "deleted file mode ",
    "new file mode ",
    "similarity index ",
    "dissimilarity index ",
    "rename from ",
    "rename to ",
    "copy from ",
    "copy to ",
)
_NULL: Final = "/dev/null"


def parse(text: str) -> list[FileChange]:
    """The changes of a patch in any of the formats; raises patch_invalid with the line, output_too_large."""
    lines = split(text)
    if any(line.startswith("*** Begin Patch") for line in lines):
        changes = blocks.envelope(lines)
    elif any(blocks.SEARCH.match(line) for line in lines):
        changes = blocks.search_replace(lines)
    else:
        changes = _Reader(lines).read()
    if len(changes) > MAX_FILES or sum(len(change.hunks) for change in changes) > MAX_HUNKS:
        raise Exhausted("output_too_large", f"a patch of {len(changes)} files; at most {MAX_FILES} are read")
    if not changes:
        raise Invalid("patch_invalid", "no change was found in it")
    return changes


class _Reader:
    """A unified diff, line by line."""

    def __init__(self, lines: list[str]) -> None:
        headers = [line for line in lines if line.startswith(("@@", "--- ", "+++ "))]
        if headers and all(line.endswith("\r\n") for line in headers):
            lines = [line[:-2] + "\n" if line.endswith("\r\n") else line for line in lines]  # sent as CR LF text
        self.lines = lines
        self.at = 0

    def read(self) -> list[FileChange]:
        changes: list[FileChange] = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.startswith("diff --git "):
                changes.append(self._git())
            elif self._names_files(self.at):
                changes.append(self._plain())
            elif line.startswith("@@"):
                self._fail("a hunk stands before the name of its file")
            else:
                self.at += 1  # words around the patch
        return changes

    def _names_files(self, at: int) -> bool:
        lines = self.lines
        return lines[at].startswith("--- ") and at + 1 < len(lines) and lines[at + 1].startswith("+++ ")

    def _git(self) -> FileChange:
        number = self.at + 1
        names = _git_names(self.lines[self.at][len("diff --git ") :].rstrip("\r\n"))
        self.at += 1
        said: dict[str, str] = {}
        while self.at < len(self.lines) and self.lines[self.at].startswith(_EXTENDED):
            line = self.lines[self.at].rstrip("\r\n")
            key = next(k for k in _EXTENDED if line.startswith(k))
            said[key] = line[len(key) :]
            self.at += 1
        old, new = names or ("", "")
        old = unquoted(said.get("rename from ") or said.get("copy from ") or "") or old
        new = unquoted(said.get("rename to ") or said.get("copy to ") or "") or new
        hunks: tuple[Hunk, ...] = ()
        if self.at < len(self.lines) and self._names_files(self.at):
            plain = self._plain()
            hunks = plain.hunks
            if "rename to " not in said and "copy to " not in said:
                old, new = plain.old_path or "", plain.new_path or ""
        elif self.at < len(self.lines) and self.lines[self.at].startswith(("GIT binary patch", "Binary files ")):
            self._fail("binary contents cannot be read")
        if not (old or new):
            self._fail("the patch names no file")
        return FileChange(
            None if "new file mode " in said else old or None,
            None if "deleted file mode " in said else new or None,
            hunks,
            said.get("old mode ", said.get("deleted file mode ", "")),
            said.get("new mode ", said.get("new file mode ", "")),
            "copy to " in said,
            number,
        )

    def _plain(self) -> FileChange:
        number = self.at + 1
        old, new = (_file_name(self.lines[self.at + i][4:]) for i in (0, 1))
        self.at += 2
        old, new = _without_prefixes(old, new)
        if old == new == _NULL:
            self._fail("both names are /dev/null")
        hunks: list[Hunk] = []
        while self.at < len(self.lines) and self.lines[self.at].startswith("@@"):
            hunk = self._hunk()
            if hunk.lines:
                hunks.append(hunk)
        return FileChange(None if old == _NULL else old, None if new == _NULL else new, tuple(hunks), number=number)

    def _hunk(self) -> Hunk:
        number, line = self.at + 1, self.lines[self.at]
        header = _HEADER.match(line)
        self.at += 1
        if header is None:
            lineless = _LINELESS.match(line)
            text = (lineless["text"] or "") if lineless else ""
            anchors = () if text.strip(" .…") == "" else (text.strip(),)
            return Hunk(tuple(self._loose()), anchors=anchors, number=number)
        start, count, new_start, new_count = (int(g) if g is not None else 1 for g in header.groups())
        lines = self._counted(count, new_count)
        if lines is None:
            lines = self._loose()
            count = sum(tag != ADD for tag, _ in lines)
            new_count = sum(tag != REMOVE for tag, _ in lines)
        return Hunk(
            tuple(lines),
            max(0, start - 1) if count else start,
            max(0, new_start - 1) if new_count else new_start,
            number=number,
        )

    def _counted(self, old: int, new: int) -> list[tuple[str, str]] | None:
        """The lines that the header counts, if a boundary follows them; else None and nothing is taken."""
        lines: list[tuple[str, str]] = []
        at = self.at
        while (old or new) and at < len(self.lines):
            line = self.lines[at]
            tag = line[0]
            if tag in "\r\n":
                tag, line = KEEP, KEEP + line
            if tag == "\\":
                _without_end(lines)
                at += 1
                continue
            if tag not in (KEEP, ADD, REMOVE):
                return None
            old -= tag != ADD
            new -= tag != REMOVE
            if old < 0 or new < 0:
                return None
            lines.append((tag, line[1:]))
            at += 1
        if old or new:
            return None
        if at < len(self.lines) and self.lines[at].startswith("\\"):
            _without_end(lines)
            at += 1
        if not self._boundary(at):
            return None
        self.at = at
        return lines

    def _boundary(self, at: int) -> bool:
        if at >= len(self.lines):
            return True
        line = self.lines[at]
        if line.startswith(("@@", "diff --git ")) or self._names_files(at):
            return True
        return line[0] not in (KEEP, ADD, REMOVE) or line.startswith("-- \n")  # a mail's signature

    def _loose(self) -> list[tuple[str, str]]:
        """Lines up to the next thing that cannot be one of a hunk."""
        lines: list[tuple[str, str]] = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.startswith(("@@", "diff --git ", "```")) or self._names_files(self.at):
                break
            if line.startswith("\\"):
                _without_end(lines)
            elif line[0] in (KEEP, ADD, REMOVE):
                lines.append((line[0], line[1:]))
            elif line.strip() == "":
                lines.append((KEEP, line))  # an empty line whose blank was lost
            else:
                break
            self.at += 1
        while lines and lines[-1] in ((KEEP, "\n"), (KEEP, "\r\n")):
            lines.pop()  # between hunks rather than in them
        return lines

    def _fail(self, why: str) -> NoReturn:
        raise Invalid("patch_invalid", f"line {self.at + 1}: {why}")


def _without_end(lines: list[tuple[str, str]]) -> None:
    if lines:
        tag, text = lines[-1]
        lines[-1] = (tag, text.removesuffix("\n"))


def unquoted(path: str) -> str:
    """A path as git writes it; raises patch_invalid."""
    if not path.startswith('"'):
        return path
    end = len(path) - 1
    if end < 1 or path[end] != '"':
        raise Invalid("patch_invalid", f"a quoted path has no end: {path[:80]!r}")
    raw = bytearray()
    at, inner = 0, path[1:end]
    for match in _ESCAPE.finditer(inner):
        raw += inner[at : match.start()].encode("utf-8", "surrogateescape")
        code = match[1]
        raw.append(_ESCAPED[code] if code in _ESCAPED else int(code, 8) & 255)
        at = match.end()
    raw += inner[at:].encode("utf-8", "surrogateescape")
    return raw.decode("utf-8", "surrogateescape")


def _file_name(text: str) -> str:
    """The name on a --- or +++ line, without a date."""
    text = text.rstrip("\r\n")
    if text.startswith('"'):
        return unquoted(text[: text.rfind('"') + 1])
    return text.split("\t", 1)[0].rstrip()


def _without_prefixes(old: str, new: str) -> tuple[str, str]:
    """Names without git's a/ and b/."""
    marked = (old == _NULL or old.startswith("a/")) and (new == _NULL or new.startswith("b/"))
    if not marked:
        return old, new
    return (old if old == _NULL else old[2:]), (new if new == _NULL else new[2:])


def _git_names(text: str) -> tuple[str, str] | None:
    """Both names of a `diff --git` line; None when blanks make it ambiguous."""
    quoted_pair = re.fullmatch(r'("(?:[^"\\]|\\.)*"|\S+) ("(?:[^"\\]|\\.)*"|\S+)', text)
    if quoted_pair is not None:
        return _without_prefixes(unquoted(quoted_pair[1]), unquoted(quoted_pair[2]))
    half = len(text) // 2
    if text[half : half + 1] == " ":
        pair = _without_prefixes(text[:half], text[half + 1 :])
        if pair[0] == pair[1]:
            return pair
    return None
