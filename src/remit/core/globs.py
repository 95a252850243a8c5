"""Glob patterns over slash-separated paths: the one meaning that grants, denials and masks share.

    ?        one character of a name           [abc] [a-z] [!x]   one character of a set
    *        any run within a name             **                 any run, across names
    DIR/**   DIR itself and all beneath        **/NAME            NAME at any depth, the root included
    A/**/B   A/B, A/x/B, A/x/y/B

Matching is case-sensitive, over the whole path, and a leading dot is nothing special (a pattern that
misses hidden files would be a hole in a denial). No wildcard but `**` ever matches a slash.

Idea: a pattern becomes one regular expression whose inner wildcards are atomic groups, so that a
hostile pattern or path cannot make matching exponential. Leftmost-shortest is optimal for a piece
that is followed by a wildcard, so giving up backtracking loses no match.

Invariants: `..`, an empty pattern, a null byte and a malformed set are refused (`grant_invalid`).
Rejected: `fnmatch` (its `*` crosses slashes) and `pathlib.match` (no `**` before Python 3.13).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from remit.core.patterns import lazy
from remit.errors import Invalid

MAX_PATTERN_CHARS: Final = 1024
_HINT: Final = "Write a glob such as src/**, **/.env or docs/*.md; paths are relative and never hold .."
_TOKEN: Final = lazy(r"\*+|\?|\[[!^]?\]?[^\]/]*\]|.", re.DOTALL)
# What a wildcard becomes: within a name, across names, and a free-standing ** with its slash.
_WILDCARDS: Final = {"*": "[^/]*?", "**": ".*?", "**/": "(?:.*?/)??"}


def _normal(pattern: str) -> list[str]:
    """The segments of `pattern` without `.`, empty ones and repeated `**`."""
    if not pattern or "\0" in pattern or len(pattern) > MAX_PATTERN_CHARS:
        raise Invalid("grant_invalid", f"not a path pattern: {pattern[:80]!r}", hint=_HINT)
    segments: list[str] = []
    for segment in pattern.split("/"):
        if segment == "..":
            raise Invalid("grant_invalid", f"a path pattern must not hold '..': {pattern!r}", hint=_HINT)
        if segment in ("", ".") or (segment == "**" and segments[-1:] == ["**"]):
            continue
        segments.append(segment)
    return [""] * pattern.startswith("/") + segments


def _character_set(body: str, pattern: str) -> str:
    """The regular expression of `[body]`."""
    negated = body[0] in "!^"
    inner = re.sub(r"([\\\[&~|^])", r"\\\1", body[1:] if negated else body)
    if inner.startswith("]"):
        inner = "\\" + inner
    text = f"(?!/)[{'^' if negated else ''}{inner}]"
    try:
        re.compile(text)
    except re.error as error:
        raise Invalid("grant_invalid", f"bad set [{body}] in {pattern!r}: {error.msg}", hint=_HINT) from None
    return text


def _tokens(segment: str, pattern: str) -> list[str]:
    """`segment` as regular-expression pieces; `*` and an embedded `**` stay as they are."""
    out: list[str] = []
    for found in _TOKEN.finditer(segment):
        token = found[0]
        if token[0] == "*":
            out.append("*" if len(token) == 1 else "**")
        elif token == "?":
            out.append("[^/]")
        elif token[0] == "[" and len(token) > 1:
            out.append(_character_set(token[1:-1], pattern))
        else:
            out.append(re.escape(token))
    return out


def _translate(pattern: str) -> str:
    """The regular expression of `pattern`, to be matched against a whole path."""
    segments = _normal(pattern)
    if segments == ["**"]:
        return ".*"
    pieces: list[str] = []
    for index, segment in enumerate(segments):
        following = segments[index + 1 :]
        if segment != "**":
            pieces += _tokens(segment, pattern)
            pieces += ["/"] * (bool(following) and following != ["**"])
        else:
            pieces.append("**/" if following else "(?:/.*)?")  # DIR/** is DIR itself too
    return "(?!\\Z)" + _assemble(pieces)  # only a lone ** matches the root


def _assemble(pieces: list[str]) -> str:
    """Join pieces so that what stands between two wildcards is atomic (see the module's idea)."""
    wild = [piece for piece in pieces if piece in _WILDCARDS]
    crossing = sum(piece != "*" for piece in wild)
    text, outer, inner = ("(?>", 1, 0) if crossing else ("", 0, 0)
    for piece in pieces:
        if piece not in _WILDCARDS:
            text += piece
            continue
        wild.pop(0)
        text += ")" * inner
        inner = 0
        if piece == "*":
            inner = int(wild[:1] == ["*"])
            text += "(?>" * inner
        else:
            crossing -= 1
            text += ")" * outer
            outer = int(crossing > 0)
            text += "(?>" * outer
        text += _WILDCARDS[piece]
    return text + ")" * (inner + outer)


@lru_cache(maxsize=4096)
def compile_glob(pattern: str) -> re.Pattern[str]:
    """The compiled matcher of `pattern`; use its `fullmatch` on a relative path, the root being the empty string.

    Raises: Invalid `grant_invalid`.
    """
    return re.compile(_translate(pattern), re.DOTALL)


@lru_cache(maxsize=16384)
def glob_match(pattern: str, path: str) -> bool:
    """Whether `path` (relative, slash-separated; `.` is the root) matches `pattern`.

    Raises: Invalid `grant_invalid`.
    """
    return compile_glob(pattern).fullmatch("" if path == "." else path) is not None


class GlobSet:
    """Many patterns matched at once, fast enough to ask for every entry of a tree.

    Almost every pattern ends in a plain name (`**/NAME`, `A/NAME/**`) or in `*SUFFIX`: one look at the entry's name
    then says whether any pattern has to be tried. `match_entry` is for a walk from the top that stops at a match,
    so it need not look at the ancestors; `match` looks at all.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        names: set[str] = set()
        suffixes: set[str] = set()
        by_name: dict[str, list[str]] = {}
        by_form: list[str] = []
        others: list[str] = []
        for pattern in dict.fromkeys(patterns):
            compiled = compile_glob(pattern).pattern  # refuses a bad pattern, whatever its kind
            segments = _normal(pattern)
            stem = segments[:-1] if segments[-1:] == ["**"] else segments
            last = stem[-1] if stem else "**"
            anywhere = stem[:-1] == ["**"]
            if last in ("", "**"):
                others.append(compiled)
            elif not set(last) & set("*?["):
                names.update([last] * anywhere)
                by_name.setdefault(last, []).extend([compiled] * (not anywhere))
            elif anywhere and last[0] == "*" and last.count("*") == 1 and not set(last) & set("?["):
                suffixes.add(last[1:])
            elif anywhere and "**" not in last:
                by_form.append(compile_glob(last).pattern)
            else:
                others.append(compiled)
        self._names = frozenset(names)
        self._suffixes = tuple(sorted(suffixes))
        self._by_name = {name: _union(texts) for name, texts in by_name.items() if texts}
        self._by_form = _union(by_form) if by_form else None
        self._others = _union(others) if others else None

    def match_entry(self, name: str, path: str) -> bool:
        """Whether the entry `path`, whose last segment is `name`, matches; its ancestors are known not to."""
        if name in self._names or name.endswith(self._suffixes):
            return True
        if self._by_form is not None and self._by_form.fullmatch(name):
            return True
        if name in self._by_name and self._by_name[name].fullmatch(path):
            return True
        return self._others is not None and self._others.fullmatch(path) is not None

    def match(self, path: str) -> bool:
        """Whether `path` or a folder above it matches."""
        at = -1
        while at < len(path):
            end = path.find("/", at + 1)
            end = len(path) if end < 0 else end
            if self.match_entry(path[at + 1 : end], path[:end]):
                return True
            at = end
        return False


def _union(texts: list[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{text})" for text in texts), re.DOTALL)
