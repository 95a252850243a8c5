"""gemini: arguments that arrive in pieces, each with the JSON path of its value.

Source: Vertex AI docs "Streaming of function call arguments" (PartialArg: jsonPath, one value, willContinue).
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any, Final

from remit.wire.reading import bad_reply, text

_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d{1,6})\]|\['((?:[^'\\]|\\.)*)'\]|\[\"((?:[^\"\\]|\\.)*)\"\]")
_VALUES: Final = ("stringValue", "numberValue", "boolValue")
MAX_STEPS: Final = 50
MAX_INDEX: Final = 10_000


def put(arguments: dict[str, Any], piece: dict[str, Any]) -> None:
    """Set, or continue, the value at the piece's path; raises model_bad_reply for a path that leads nowhere."""
    path = text(piece, "jsonPath")
    steps = _steps(path)
    value = next((piece[key] for key in _VALUES if key in piece), None)
    holder: Any = arguments
    for step, following in pairwise(steps):
        holder = _inside(holder, step, [] if type(following) is int else {}, path)
    before = _inside(holder, steps[-1], None, path)
    # A text continues the text that stands there already; every other value is whole.
    holder[steps[-1]] = before + value if type(before) is str and type(value) is str else value


def _steps(path: str) -> list[str | int]:
    if not path.startswith("$"):
        raise bad_reply("a piece of the arguments has no JSON path")
    steps: list[str | int] = []
    at = 1
    while at < len(path) and len(steps) < MAX_STEPS:
        found = _STEP.match(path, at)
        if found is None:
            break
        steps.append(int(found[2]) if found[2] else found[1] or found[3] or found[4] or "")
        at = found.end()
    if at < len(path) or not steps:
        raise bad_reply(f"the JSON path of a piece of the arguments is not understood: {path[:80]}")
    return steps


def _inside(holder: Any, step: str | int, made: Any, path: str) -> Any:
    """What stands at `step`; what is missing is made there."""
    if type(step) is int and type(holder) is list:
        if step > min(len(holder), MAX_INDEX):
            raise bad_reply(f"a piece of the arguments skips items: {path[:80]}")
        if step == len(holder):
            holder.append(made)
        return holder[step]
    if type(step) is str and type(holder) is dict:
        return holder.setdefault(step, made)
    raise bad_reply(f"a piece of the arguments leads through a value: {path[:80]}")
