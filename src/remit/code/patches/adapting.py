"""The new lines of a hunk, in the manner of the file: its kept lines, line ends and indentation."""

from __future__ import annotations

from collections.abc import Sequence

from remit.code.patches.matching import EXACT, TRIM
from remit.code.patches.values import ADD, KEEP, Hunk
from remit.errors import Conflict


def adapted(hunk: Hunk, lines: Sequence[str], place: int, level: int) -> list[str]:
    """What stands at `place` afterwards.

    Args:
        level: the pass of matching.py that found the place; what it overlooked is adapted in added lines.
    """
    if level == EXACT:
        return [text for tag, text in hunk.lines if tag != "-"]
    pairs = _pairs(hunk, lines, place)
    crlf = _majority_crlf([real for _, real in pairs.values()])
    out: list[str] = []
    at = place
    for tag, text in hunk.lines:
        if tag == ADD:
            out.append(_added(text, pairs, level, crlf))
            continue
        if tag == KEEP:
            out.append(lines[at])
        at += 1
    last_replaced = at == len(lines) and at > place and not lines[-1].endswith("\n")
    if last_replaced and out and hunk.old and hunk.old[-1].endswith("\n"):
        out[-1] = out[-1].rstrip("\r\n")  # the patch did not know that the file has no line end at its end
    return out


def _pairs(hunk: Hunk, lines: Sequence[str], place: int) -> dict[int, tuple[str, str]]:
    """Index in the hunk -> (the line as the patch has it, as the file has it)."""
    pairs = {}
    at = place
    for i, (tag, text) in enumerate(hunk.lines):
        if tag != ADD:
            pairs[i] = (text, lines[at])
            at += 1
    return pairs


def _majority_crlf(lines: list[str]) -> bool | None:
    """Whether the lines end in CR LF; None = no line has an end."""
    ended = [line for line in lines if line.endswith("\n")]
    return None if not ended else 2 * sum(line.endswith("\r\n") for line in ended) > len(ended)


def _added(text: str, pairs: dict[int, tuple[str, str]], level: int, crlf: bool | None) -> str:
    body = text.rstrip("\r\n")
    end = text[len(body) :]
    if end and crlf is not None:
        end = "\r\n" if crlf else "\n"
    if level >= TRIM and body.strip():
        body = _indented(body, pairs)
    return body + end


def _indented(body: str, pairs: dict[int, tuple[str, str]]) -> str:
    """`body` shifted as the lines around it were shifted; raises patch_conflict when they do not agree."""
    own = _indent(body)
    shifts = {(_indent(given), _indent(real)) for given, real in pairs.values() if given.strip()}
    same = {real for given, real in shifts if given == own}
    if len(same) == 1:
        return same.pop() + body[len(own) :]
    moved = {_shifted(own, was, is_) for was, is_ in shifts}
    if same or len(moved) != 1 or None in moved:
        raise Conflict("patch_conflict", f"the indentation of an added line is not clear: {body.strip()[:80]!r}")
    return f"{moved.pop()}{body[len(own) :]}"


def _shifted(own: str, was: str, is_: str) -> str | None:
    """`own` after the shift from `was` to `is_`; None when it cannot be told."""
    if own.startswith(was):
        return is_ + _converted(own[len(was) :], was, is_)
    if was.startswith(own):
        lost = _converted(was[len(own) :], was, is_)
        return is_.removesuffix(lost) if is_.endswith(lost) else None
    return None


def _converted(piece: str, was: str, is_: str) -> str:
    """Indentation in the unit of the file: a tab for four blanks, or the other way round."""
    if "\t" in is_ and "\t" not in was and set(piece) == {" "} and len(piece) % 4 == 0:
        return "\t" * (len(piece) // 4)
    if "\t" in was and "\t" not in is_ and set(piece) == {"\t"}:
        return "    " * len(piece)
    return piece


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]
