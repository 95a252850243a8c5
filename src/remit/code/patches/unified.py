"""Writing unified diffs, as git writes and reads them.

Source: POSIX diff -u; git-diff(1) "Generating patch text with -p"; git's quoting of paths (core.quotePath).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from remit.code.patches.lines import split
from remit.code.patches.myers import edits
from remit.code.patches.sliding import Edit
from remit.code.patches.values import ADD, KEEP, REMOVE, FileChange, Hunk

NO_NEWLINE: Final = "\\ No newline at end of file\n"
_PLAIN_MODE: Final = "100644"
_ESCAPES: Final = {7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 34: '"', 92: "\\"}


def diff(a: str | None, b: str | None, *, path: str, old_path: str = "", context: int = 3) -> str:
    """A unified diff that turns `a` into `b`; "" when nothing changes.

    Args:
        a, b: the texts; None = the file does not exist (the diff creates or deletes it). Bytes that are
            not UTF-8 are written as surrogate escapes.
        path: relative, with forward slashes; the new one where `old_path` names another.
        context: equal lines around each change.
    Raises:
        Exhausted: output_too_large.
    """
    old = old_path or path
    if a == b and old == path:
        return ""
    change = change_of(a, b, old, path, context)
    return "".join(text_of(change))


def change_of(a: str | None, b: str | None, old_path: str, path: str, context: int = 3) -> FileChange:
    """The change as a value."""
    before, after = split(a or ""), split(b or "")
    return FileChange(
        None if a is None else old_path,
        None if b is None else path,
        tuple(hunks_of(before, after, edits(before, after), context)),
        "" if a is None or b is not None else _PLAIN_MODE,
        "" if b is None or a is not None else _PLAIN_MODE,
    )


def hunks_of(a: Sequence[str], b: Sequence[str], script: Sequence[Edit], context: int) -> Iterator[Hunk]:
    """Edits that are near each other, with `context` equal lines around them, as hunks."""
    i = 0
    while i < len(script):
        last = i
        while last + 1 < len(script) and script[last + 1].a0 - script[last].a1 <= 2 * context:
            last += 1
        first_line = max(0, script[i].a0 - context)
        end_line = min(len(a), script[last].a1 + context)
        lines: list[tuple[str, str]] = []
        at = first_line
        for edit in script[i : last + 1]:
            lines += [(KEEP, text) for text in a[at : edit.a0]]
            lines += [(REMOVE, text) for text in a[edit.a0 : edit.a1]]
            lines += [(ADD, text) for text in b[edit.b0 : edit.b1]]
            at = edit.a1
        lines += [(KEEP, text) for text in a[at:end_line]]
        yield Hunk(tuple(lines), first_line, script[i].b0 - (script[i].a0 - first_line))
        i = last + 1


def text_of(change: FileChange) -> Iterator[str]:
    """The pieces of the diff of one file."""
    old = change.old_path if change.old_path is not None else change.new_path or ""
    new = change.new_path if change.new_path is not None else change.old_path or ""
    yield f"diff --git {quoted('a/' + old)} {quoted('b/' + new)}\n"
    if change.old_path is None:
        yield f"new file mode {change.new_mode or _PLAIN_MODE}\n"
    elif change.new_path is None:
        yield f"deleted file mode {change.old_mode or _PLAIN_MODE}\n"
    elif change.old_mode != change.new_mode:
        yield f"old mode {change.old_mode}\nnew mode {change.new_mode}\n"
    if change.old_path is not None and change.new_path is not None and old != new:
        word = "copy" if change.copy else "rename"
        yield f"{word} from {quoted(old)}\n{word} to {quoted(new)}\n"
    if change.hunks:
        yield f"--- {'/dev/null' if change.old_path is None else _named('a/' + old)}\n"
        yield f"+++ {'/dev/null' if change.new_path is None else _named('b/' + new)}\n"
        for hunk in change.hunks:
            yield from _hunk_text(hunk)


def _hunk_text(hunk: Hunk) -> Iterator[str]:
    old = sum(tag != ADD for tag, _ in hunk.lines)
    new = sum(tag != REMOVE for tag, _ in hunk.lines)
    yield f"@@ -{_range(hunk.start, old)} +{_range(hunk.new_start, new)} @@\n"
    for tag, text in hunk.lines:
        yield tag + text if text.endswith("\n") else f"{tag}{text}\n{NO_NEWLINE}"


def _range(start: int | None, count: int) -> str:
    first = (start or 0) + (1 if count else 0)
    return f"{first}" if count == 1 else f"{first},{count}"


def reverse(change: FileChange) -> FileChange:
    """The change that takes this one back."""
    hunks = []
    for hunk in change.hunks:
        lines: list[tuple[str, str]] = []
        added: list[tuple[str, str]] = []
        for tag, text in hunk.lines:  # what was added is removed first: removals stand before additions
            if tag == ADD:
                lines.append((REMOVE, text))
            elif tag == REMOVE:
                added.append((ADD, text))
            else:
                lines += [*added, (KEEP, text)]
                added = []
        hunks.append(Hunk((*lines, *added), hunk.new_start, hunk.start, number=hunk.number))
    return FileChange(
        change.new_path, change.old_path, tuple(hunks), change.new_mode, change.old_mode, number=change.number
    )


def quoted(path: str) -> str:
    """A path as git writes it: in quotes with escapes where it holds what a line cannot."""
    raw = path.encode("utf-8", "surrogateescape")
    if all(32 <= byte < 127 and byte not in (34, 92) for byte in raw):
        return path
    out = []
    for byte in raw:
        if byte in _ESCAPES:
            out.append("\\" + _ESCAPES[byte])
        else:
            out.append(chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}")
    return '"' + "".join(out) + '"'


def _named(path: str) -> str:
    """A path on a --- or +++ line; a blank in it needs a tab behind, or the reader takes a date."""
    text = quoted(path)
    return text + "\t" if " " in text and not text.startswith('"') else text
