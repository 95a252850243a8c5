"""Paths from outside: one canonical relative form, or a refusal.

The idea: a path is split into components once, here; the walk in `workspace.py` opens exactly
these components and nothing interprets the text again. What other programs are known to read as a
separator or a parent (backslashes, percent escapes, full-width forms, drives, `~`) is refused even
where this system would take it as a plain name, because the same text may reach such a program.

Invariant: the components hold no empty name, `.`, `..`, separator or control character.
Source: CWE-22, OWASP Path Traversal, Unicode TR36 3.1 (visually confusable characters).
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final, NoReturn
from urllib.parse import unquote

from remit.errors import Denied

MAX_PATH_CHARS: Final = 4096  # Source: Linux PATH_MAX
MAX_NAME_BYTES: Final = 255  # Source: Linux NAME_MAX
MAX_DEPTH: Final = 64
_DECODE_ROUNDS: Final = 4  # spec asks for one; a name that is escaped more often than this is refused

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# Slashes that NFKC leaves alone: fraction slash, division slash, big solidus, set minus, reverse solidus operators.
_SLASHES: Final = re.compile("[\u2044\u2215\u29f8\u29f5\u2216\u29f9\u2571\u2572\u27cb\u27cd]")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,20}:/|[A-Za-z]:")


def components(path: str, root: str = "") -> tuple[str, ...]:
    """The names from the workspace's root to `path`; `()` is the root itself.

    Args:
        path: as the model wrote it.
        root: absolute path of the workspace, only to say the relative form in a hint; it is never shown.

    Raises:
        Denied: `path_denied` with what is wrong in it.
    """
    if len(path) > MAX_PATH_CHARS:
        _refuse("the path is longer than 4096 characters")
    if path.startswith("/"):
        _refuse_absolute(path, root)
    _check_text(path)
    seen = path
    for _ in range(_DECODE_ROUNDS):
        decoded = unquote(seen, errors="replace")
        if decoded == seen:
            break
        _check_text(decoded)
        if decoded.count("/") != seen.count("/"):
            _refuse(f"{path[:100]!r} hides a slash in a percent escape")
        seen = decoded
    else:
        _refuse(f"{path[:100]!r} is percent-encoded several times over")
    names = tuple(name for name in path.split("/") if name not in ("", "."))
    if len(names) > MAX_DEPTH:
        _refuse(f"the path is deeper than {MAX_DEPTH} folders")
    if any(len(name.encode()) > MAX_NAME_BYTES for name in names):
        _refuse(f"a name in the path is longer than {MAX_NAME_BYTES} bytes")
    return names


def _check_text(text: str) -> None:
    """Refuse what would be another path to some reader of `text` or of its NFKC form."""
    shown = repr(text[:100])
    if _CONTROL.search(text):
        _refuse(f"{shown} holds a control character or a null byte")
    if "\\" in text:
        _refuse(f"{shown} holds a backslash; folders are separated by /")
    if text.startswith("/"):
        _refuse(f"{shown} is absolute")
    if text.startswith("~"):
        _refuse(f"{shown} starts with ~; there is no home folder here")
    if _SCHEME.match(text):
        _refuse(f"{shown} is a URL or a drive, not a path in the workspace")
    if any(map(_only_dots, text.split("/"))):
        _refuse(f"{shown} goes to a parent folder")
    if not text.isascii():
        plain = unicodedata.normalize("NFKC", text)
        if _SLASHES.search(text) or plain.count("/") != text.count("/") or "\\" in plain:
            _refuse(f"{shown} holds a character that looks like a slash")
        if any(map(_only_dots, plain.split("/"))) or plain.startswith(("~", "/")):
            _refuse(f"{shown} holds characters that look like a parent folder")


def _only_dots(name: str) -> bool:
    """`..` and what some systems read as it: `...`, `.. `, `..;`."""
    return name.count(".") > 1 and not name.strip(" .;\t")


def _refuse_absolute(path: str, root: str) -> NoReturn:
    hint = ""
    if root and root != "/" and (path + "/").startswith(root + "/"):
        relative = path[len(root) :].lstrip("/") or "."
        hint = f"Use the path relative to the workspace: {relative}"
    raise Denied("path_denied", "the path is absolute; paths are relative to the workspace", hint=hint)


def _refuse(why: str) -> NoReturn:
    raise Denied("path_denied", why)
