"""The Bad and Good blocks of the rules' docstrings as labelled programs."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from typing import Any, NamedTuple

FILES = {"python": "m.py", "javascript": "m.js", "typescript": "m.ts", "go": "m.go", "rust": "m.rs"}
_BLOCK = re.compile(r"^(Bad|Good) \((\w+)\):\n((?:(?:    .*)?\n)+)", re.M)
_FILE = re.compile(r"^== (.*)\n((?:(?!== ).*\n)*)", re.M)


class Case(NamedTuple):
    """One program of a rule."""

    rule: str
    language: str
    files: dict[str, str]
    bad: bool


def cases_of(module: Any) -> Iterator[Case]:
    """The programs of one rule; `...N` repeats its line N more times, `== path` begins a file.

    The dot in the reminders (this house may not hold them) goes away.
    """
    for kind, language, block in _BLOCK.findall(module.__doc__ + "\n"):
        for text in re.split(r"^---\n", textwrap.dedent(block), flags=re.M):
            if text.strip():
                yield Case(module.RULE.id, language, _files(language, _grown(text.strip())), kind == "Bad")


def _grown(text: str) -> str:
    text = re.sub(r"\b(TO|FIX|HA)\.(DO|ME|CK)\b", r"\1\2", text)
    lines: list[str] = []
    for line in text.split("\n"):
        match = re.match(r"(.*?) \.\.\.(\d+)$", line)
        lines.extend([match[1]] * (int(match[2]) + 1) if match else [line])
    return "\n".join(lines) + "\n"


def _files(language: str, text: str) -> dict[str, str]:
    if not text.startswith("== "):
        return {FILES[language]: text}
    return {path.strip(): body for path, body in _FILE.findall(text)}
