"""Texts that hold records: JSON, the block YAML that dumpers write, Python literals, lines with a pattern.

The readers are strict where it matters: text inside a quoted scalar can never become a field, and what
does not parse is no record at all. `None` means unreadable; the caller then takes the text as it is, at
its worst.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

MAX_RECORD_TEXT: Final = 1_000_000  # characters
MAX_DEPTH: Final = 32
MAX_LINE: Final = 2_000  # characters of a line that a pattern is tried on: its time is bounded by it

_KEY: Final = re.compile(
    r"(?:'((?:[^']|'')*)'|\"((?:[^\"\\]|\\.)*)\"|([^\s'\"\[\]{}#&*!|>%@`,-][^:#]*?|-?\d[^:#]*?)):(?:\s+|$)"
)
_INTEGER: Final = re.compile(r"-?\d{1,18}")
_FLOAT: Final = re.compile(r"-?\d{1,18}\.\d{1,18}")
_DECODE: Final = msgspec.json.Decoder().decode


class _Unreadable(ValueError):
    """The text is not what its format says."""


def read_records(text: str, form: str, pattern: str = "") -> Any:
    """The value that a text holds; None = it is not of that form."""
    if len(text) > MAX_RECORD_TEXT:
        return None
    try:
        match form:
            case "json":
                return _DECODE(text)
            case "yaml":
                return _Yaml(text).read()
            case "repr":
                from ast import literal_eval  # literals only: names and calls are refused

                return literal_eval(text.strip())
            case _:
                return _lines(text, pattern)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None


def _lines(text: str, pattern: str) -> list[Any]:
    rule = re.compile(pattern) if pattern else None
    found: list[Any] = []
    for line in text.splitlines():
        if not line.strip():
            continue
        hit = rule.fullmatch(line.strip()) if rule is not None and len(line) <= MAX_LINE else None
        found.append(hit.groupdict() if hit is not None else line.strip())
    return found


class _Yaml:
    """Block mappings, block sequences and scalars, as `yaml.safe_dump` writes them; anything else is unreadable."""

    def __init__(self, text: str) -> None:
        self.lines = [line.rstrip() for line in text.split("\n")]
        self.at = 0

    def read(self) -> Any:
        value = self._block(0, 0)
        self._skip_blank()
        if self.at < len(self.lines):
            raise _Unreadable
        return value

    def _skip_blank(self) -> None:
        while self.at < len(self.lines) and not self.lines[self.at].strip():
            self.at += 1

    def _indent(self) -> int:
        """Leading spaces of the next line that says something; -1 = the end."""
        self._skip_blank()
        if self.at >= len(self.lines):
            return -1
        line = self.lines[self.at]
        return len(line) - len(line.lstrip(" "))

    def _block(self, least: int, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise _Unreadable
        indent = self._indent()
        if indent < least:
            return None
        line = self.lines[self.at][indent:]
        if line == "-" or line.startswith("- "):
            return self._sequence(indent, depth)
        if _KEY.match(line):
            return self._mapping(indent, depth)
        self.at += 1
        return self._scalar(line, indent)

    def _sequence(self, indent: int, depth: int) -> list[Any]:
        items: list[Any] = []
        while self._indent() == indent and (self.lines[self.at][indent:] + " ").startswith("- "):
            rest = self.lines[self.at][indent + 1 :]
            inner = indent + 1 + len(rest) - len(rest.lstrip(" "))
            if not rest.strip():
                self.at += 1
                items.append(self._block(indent + 1, depth + 1))
            elif _KEY.match(rest.lstrip(" ")) or rest.lstrip(" ").startswith("- "):
                self.lines[self.at] = " " * inner + rest.lstrip(" ")  # the item's first line, without its dash
                items.append(self._block(inner, depth + 1))
            else:
                self.at += 1
                items.append(self._scalar(rest.strip(), indent + 1))
        return items

    def _mapping(self, indent: int, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self._indent() == indent:
            line = self.lines[self.at][indent:]
            hit = _KEY.match(line)
            if hit is None:
                break
            key = _key(hit)
            if key in found:
                raise _Unreadable
            rest = line[hit.end() :].strip()
            self.at += 1
            if rest:
                found[key] = self._scalar(rest, indent + 1)
            else:
                # A sequence may stand at the same depth as its key.
                same = self._indent() == indent and (self.lines[self.at][indent:] + " ").startswith("- ")
                found[key] = self._block(indent if same else indent + 1, depth + 1)
        return found

    def _scalar(self, first: str, least: int) -> Any:
        if first[0] in "'\"":
            return self._quoted(first)
        if first in ("[]", "{}"):
            return [] if first == "[]" else {}
        if first[0] in "|>":
            return self._literal(least, fold=first[0] == ">")
        if first[0] in "&*!%@`[{":
            raise _Unreadable
        parts = [first]
        while self._indent() >= least and self.at < len(self.lines):
            line = self.lines[self.at].strip()
            if _KEY.match(line):
                raise _Unreadable
            parts.append(line)
            self.at += 1
        return _plain(" ".join(parts))

    def _quoted(self, first: str) -> str:
        quote = first[0]
        text = first
        closed = re.compile(r"'(?:[^']|'')*'" if quote == "'" else r'"(?:[^"\\]|\\.)*"', re.DOTALL)
        while closed.fullmatch(text) is None:
            if self.at >= len(self.lines):
                raise _Unreadable
            line = self.lines[self.at].strip()
            if quote == '"' and text.endswith("\\"):
                text = text[:-1] + line
            else:
                text = f"{text} {line}" if line else f"{text}\n"
            self.at += 1
        if quote == "'":
            return text[1:-1].replace("''", "'")
        body = re.sub(r"\\([ xeU_aN0].?)", lambda m: m[1] if m[1][0] == " " else m[0], text)
        try:
            return str(_DECODE(body.replace("\n", "\\n")))
        except msgspec.DecodeError:
            return text[1:-1]

    def _literal(self, least: int, *, fold: bool) -> str:
        start = self.at
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if line.strip() and len(line) - len(line.lstrip(" ")) < least:
                break
            self.at += 1
        parts = [line.strip() for line in self.lines[start : self.at]]
        return (" " if fold else "\n").join(parts).strip()


def _plain(text: str) -> Any:
    if text in ("null", "~"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def _key(hit: re.Match[str]) -> str:
    if hit[1] is not None:
        return hit[1].replace("''", "'")
    return hit[3] if hit[2] is None else str(_DECODE(f'"{hit[2]}"'))
