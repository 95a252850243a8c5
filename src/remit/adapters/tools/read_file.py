"""read_file: one page of a text file."""

from __future__ import annotations

from typing import Any, Final

from remit.adapters.tools._text import PAGE_BYTES, decoded, is_binary, tidy
from remit.core.needs import fs_read
from remit.core.tools import tool
from remit.errors import Exhausted, Invalid
from remit.ports.tool import Context, Files

_MAX_SKIP_BYTES: Final = 64 * 1024 * 1024  # lines are skipped by reading them; beyond this, byte_offset is the way
_HEX_BYTES: Final = 8 * 1024


@tool(
    effect="read", returns="untrusted", builtin=True, verbs=("fs.read",), needs=lambda path, **_: (fs_read(tidy(path)),)
)
def read_file(
    ctx: Context[Any], path: str, offset: int = 0, limit: int = 2000, byte_offset: int = 0, binary: bool = False
) -> str:
    """Read a text file, at most 64 KiB a call; a last line in brackets says when there is more and how to go on.

    Args:
        path: file, relative to the workspace
        offset: lines to skip
        limit: most lines to return
        byte_offset: bytes to skip before lines are counted, to go on inside a very long line
        binary: return a hex dump instead of text (8 KiB a call, from byte_offset)
    """
    if offset < 0 or byte_offset < 0 or limit < 1:
        raise Invalid("value_invalid", "offset and byte_offset are 0 or more, limit is 1 or more")
    if binary:
        return _hex_page(ctx.files, path, byte_offset)
    start = _skip_lines(ctx.files, path, byte_offset, offset)
    page = ctx.files.read(path, start, PAGE_BYTES + 1)
    if is_binary(page):
        kind = " (it looks like UTF-16)" if page[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
        raise Invalid("value_invalid", f"{path} is not text{kind}; binary=true returns a hex dump")
    return _text_page(page, offset, limit, start)


def _skip_lines(files: Files, path: str, start: int, count: int) -> int:
    """Byte position after `count` lines from `start`."""
    first = start
    while count > 0:
        chunk = files.read(path, start, 1024 * 1024)
        if not chunk:
            return start
        if start - first > _MAX_SKIP_BYTES:
            raise Exhausted("output_too_large", "too many lines to skip", hint="Use byte_offset.")
        breaks = chunk.count(b"\n")
        if breaks < count:
            count -= breaks
            start += len(chunk)
            continue
        at = -1
        for _ in range(count):
            at = chunk.index(b"\n", at + 1)
        return start + at + 1
    return start


def _text_page(page: bytes, offset: int, limit: int, start: int) -> str:
    more = len(page) > PAGE_BYTES
    data = _whole_characters(page[:PAGE_BYTES]) if more else page
    lines = _lines(data)
    if not lines:
        return "[empty]" if offset == 0 and start == 0 else "[no lines here: the file ends before]"
    if more and len(lines) <= limit and not data.endswith(b"\n") and len(lines) > 1:
        lines.pop()  # an unfinished line belongs to the next page
    elif more and len(lines) == 1 and not data.endswith(b"\n"):
        text, note = decoded(data)
        place = f"{len(data)} bytes of one long line shown; go on with byte_offset={start + len(data)}"
        return f"{text}\n{note and note + chr(10)}[cut: {place}]"
    shown = lines[:limit]
    text, note = decoded(b"".join(shown))
    if start == 0 and text.startswith("\ufeff"):
        text = text[1:]
    cut = ""
    if more or len(shown) < len(lines):
        last = offset + len(shown)
        cut = f"[cut: lines {offset + 1}-{last} shown; go on with offset={last}]"
    tail = "\n".join(filter(None, (note, cut)))
    if not tail:
        return text
    return f"{text}{'' if text.endswith(chr(10)) else chr(10)}{tail}"


def _lines(data: bytes) -> list[bytes]:
    """Lines as `offset` counts them: a line feed ends one, nothing else does."""
    pieces = data.split(b"\n")
    lines = [piece + b"\n" for piece in pieces[:-1]]
    return [*lines, pieces[-1]] if pieces[-1] else lines


def _whole_characters(data: bytes) -> bytes:
    """`data` without the beginning of a UTF-8 character at its end."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return data[:-back] if length > back else data
        if byte & 0xC0 != 0x80:
            break
    return data


def _hex_page(files: Files, path: str, start: int) -> str:
    data = files.read(path, start, _HEX_BYTES + 1)
    rows = []
    for at in range(0, min(len(data), _HEX_BYTES), 16):
        row = data[at : at + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        rows.append(f"{start + at:08x}  {row.hex(' '):<47}  {text}")
    if len(data) > _HEX_BYTES:
        rows.append(f"[cut: {_HEX_BYTES} bytes shown; go on with byte_offset={start + _HEX_BYTES}]")
    return "\n".join(rows) or "[no bytes here]"
