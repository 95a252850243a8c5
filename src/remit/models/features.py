"""Features of a task: what is known before a model is asked, as hashed indicator names.

A task is its last user text with what surrounds it: tools, history, asked form, role. Features are words and
pairs of words (bounded), the shape of the text (length, digits, code, questions, steps) in bands, and the static
complexity score of the spec in bands. Nothing here knows a model, a price or an outcome.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from zlib import crc32

from msgspec import Struct

from remit.core.messages import Text, ToolResult

if TYPE_CHECKING:
    from remit.core.model import ModelRequest

SPACE: Final = 1 << 18  # hashed names
MAX_CHARS: Final = 20_000  # of a text that are read
FIRST_WORDS: Final = 60  # a task says what it wants at its beginning or its end; what lies between is its material
LAST_WORDS: Final = 20
_WORD: Final = re.compile(r"[^\W\d_]{2,24}|\d+")
_CODE: Final = re.compile(r"```|\bdef \w|\bclass \w|[{};]\s*$|=>|->|\w+\(\w*\)", re.M)
_SENTENCE: Final = re.compile(r"[.!?]+(?:\s|$)")
_STEP: Final = re.compile(r"^\s*(?:[-*]|\d+[.)])\s", re.M)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words of the cold-start score. Source: spec/models.md 6 names the two lists without their words; these are ours.
COMPLEX: Final = _words(
    "analyze analyse architecture algorithm compare concurrency debug derive design distributed evaluate formal "
    "implement integrate investigate migrate optimize optimise plan proof prove reason refactor security strategy "
    "synthesize theorem tradeoff"
)
SIMPLE: Final = _words(
    "capital classify convert count define extract format greet hello hi list lookup name rename repeat say spell "
    "summarize summarise translate uppercase"
)
TECHNICAL: Final = _words(
    "api async class code compile cpu database function http json kernel latency memory mutex pointer protocol "
    "python query regex rust schema server sql stack thread type"
)


class Task(Struct, frozen=True):
    """What routing sees of one call."""

    text: str
    """the last user text"""
    role: str = ""
    """the agent's name"""
    tools: int = 0
    history: int = 0
    """messages before the last user text"""
    structured: bool = False
    """an answer of a given form is asked for"""
    results: int = 0
    """tool results since the last user text"""


def task_of(request: ModelRequest, role: str = "") -> Task:
    """The task of a request."""
    text, before, results = "", 0, 0
    for index in range(len(request.messages) - 1, -1, -1):
        message = request.messages[index]
        if message.role == "user":
            text = "".join([p.text for p in message.parts if type(p) is Text])
            before = index
            break
        results += sum(type(p) is ToolResult for p in message.parts)
    return Task(text, role, len(request.tools), before, request.output is not None, results)


def difficulty(task: Task) -> float:
    """The static score in [0, 1]. Source: spec/models.md 6, cold-start difficulty score (length in words)."""
    text = task.text[:MAX_CHARS].lower()
    words = _WORD.findall(text)
    known = set(words)
    score = (
        0.15 * min(1.0, len(words) / 1000)
        + 0.15 * min(1.0, task.tools / 20)
        + 0.10 * min(1.0, task.history / 50)
        + 0.20 * min(1.0, len(known & COMPLEX) / 3)
        - 0.15 * min(1.0, len(known & SIMPLE) / 2)
        + 0.10 * min(1.0, text.count("?") / 3)
        + 0.15 * bool(known & TECHNICAL)
    )
    return min(1.0, max(0.0, score))


def features(task: Task) -> tuple[int, ...]:
    """Indexes below `SPACE` of the task's features, each once; fewer than 200."""
    text = task.text[:MAX_CHARS]
    words = [w.lower() if not w.isdigit() else f"#{min(len(w), 6)}" for w in _WORD.findall(text)]
    count = len(words)
    if count > FIRST_WORDS + LAST_WORDS:
        words = words[:FIRST_WORDS] + words[-LAST_WORDS:]
    names = {f"w {w}" for w in words}
    names |= {f"p {a} {b}" for a, b in pairwise(words)}
    if words:
        names |= {f"first {words[0]}", f"start {' '.join(words[:2])}", f"last {words[-1]}"}
    names |= {f"shape {k} {v}" for k, v in _shape(text, count).items()}
    names |= {
        "bias", f"role {task.role}", f"tools {_band(task.tools)}", f"history {_band(task.history)}",
        f"structured {task.structured}", f"results {_band(task.results)}", f"score {round(difficulty(task) * 10)}",
    }  # fmt: skip
    return tuple({crc32(name.encode("utf-8", "replace")) % SPACE for name in names})


def _shape(text: str, words: int) -> dict[str, int]:
    return {
        "words": _band(words),
        "digits": _band(sum(c.isdigit() for c in text)),
        "code": _band(len(_CODE.findall(text))),
        "questions": _band(text.count("?")),
        "sentences": _band(len(_SENTENCE.findall(text))),
        "steps": _band(len(_STEP.findall(text))),
        "lines": _band(text.count("\n")),
    }


def _band(count: int) -> int:
    """0, 1, 2, 3 to 4, 5 to 8, 9 to 16 ...: a band a doubling."""
    return count if count < 3 else (count - 1).bit_length() + 1
