"""The first part of the demo: a survey of the user's tree, shown turn by turn as it happens."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from remit.agents.agent import Agent
from remit.cli import _output
from remit.core.budget import Budget
from remit.core.events import EffectDenied, EffectDone, EffectFailed, WaitOpened
from remit.core.messages import ToolCall
from remit.core.model import Reply
from remit.core.remit import Remit

LINE_WIDTH: Final = 81
"""what a line of progress has for its text"""
REPORT: Final = "out/SURVEY.md"
TASK: Final = f"Survey this tree and write what you find to {REPORT}"
TOOLS: Final = ("list_directory", "glob_search", "content_search", "read_file", "git", "shell", "write_file")
# Exactly the programs that the survey runs: one `find`, at three sizes, and two operations of git.
_PRUNED: Final = (".git", ".venv", ".venvs", "venv", "node_modules", "vendor", "third_party", "target", "build", "dist",
                  "out", ".tox", ".nox", ".cache", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis",
                  "__pycache__")  # fmt: skip
_FIND: Final = f"find . ( {' -o '.join(f'-name {name}' for name in _PRUNED)} ) -prune -o -type f"
GRANTS: Final = (
    "fs.read:**", *(f"shell:{_FIND} -size +{size}k -exec wc -lc {{}} +" for size in (0, 16, 128)),
    "shell:git log", "shell:git status",
)  # fmt: skip
SHOWN_GRANTS: Final = "fs.read:**, fs.write:out/**, shell:git log, shell:git status, one exact shell:find"
# What others wrote is not read, and costs the sandbox one mask instead of a walk.
DENIALS: Final = ("fs.read:**/.venv/**", "fs.read:**/.venvs/*/**", "fs.read:**/node_modules/**")
_decode: Final = msgspec.json.Decoder(Reply).decode
_text: Final = msgspec.json.Decoder(str).decode


class Clock:
    """Seconds since the demo began."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._started = self._loop.time()

    def __str__(self) -> str:
        return f"{self._loop.time() - self._started:5.1f} s"


class TurnProgress:
    """Says each turn of a run in two lines: Think when the model has spoken; Act, with what was observed, when all its
    calls have an outcome."""

    def __init__(self, clock: Clock, say: Callable[[str], None]) -> None:
        self._clock = clock
        self._say = say
        self._names: dict[str, str] = {}
        self._acts: dict[str, str] = {}
        self._left: dict[str, int] = {}
        self._chars: Counter[str] = Counter()
        self._refused: dict[str, list[str]] = {}

    def show(self, entry: Any, event: Any) -> None:
        """One event of the run; deltas are not shown."""
        key = getattr(event, "key", "")
        turn, _, what = key.partition("/call/")
        if entry is None:
            return
        if type(event) is EffectDone and key.endswith("/model"):
            self._spoke(key.removesuffix("/model"), _decode(event.result))
        elif what and isinstance(event, EffectDone | EffectFailed | EffectDenied | WaitOpened):
            self._outcome(turn, key, event)

    def _spoke(self, turn: str, reply: Reply) -> None:
        calls = reply.tool_calls
        if not calls:
            return
        self._line("Think", reply.text)
        self._left[turn] = len(calls)
        for i, call in enumerate(calls):
            self._names[f"{turn}/call/{i}"] = call.name
        self._acts[turn] = described(calls)

    def _outcome(self, turn: str, key: str, event: Any) -> None:
        if type(event) is EffectDone:
            self._chars[turn] += len(_text(event.result))
        else:
            code = getattr(event, "code", "waiting")
            self._refused.setdefault(turn, []).append(f"{self._names.get(key, '')} {code}")
        self._left[turn] -= 1
        if self._left[turn] == 0:
            refused = Counter(self._refused.get(turn, ()))
            said = "".join(f"; {name}{f' ({n} times)' if n > 1 else ''}" for name, n in sorted(refused.items()))
            observed = _output.one_line(f"observed {self._chars[turn]:,} characters{said}", LINE_WIDTH - 22)
            act = _output.one_line(self._acts[turn], LINE_WIDTH - len(observed) - 2)
            self._line("Act", f"{act}; {observed}")

    def _line(self, word: str, text: str) -> None:
        self._say(f"   {self._clock}  {word:<6} {_output.one_line(text, LINE_WIDTH)}")


def described(calls: Sequence[ToolCall]) -> str:
    """`3 read_file, git log, shell find`: calls of one turn in few words."""
    kinds: dict[str, list[ToolCall]] = {}
    for call in calls:
        kinds.setdefault(call.name, []).append(call)
    shown = [_named(each[0]) if len(each) == 1 else f"{len(each)} {name}" for name, each in kinds.items()]
    return ", ".join(shown) + (" (at once)" if len(calls) > 1 else "")


def _named(call: ToolCall) -> str:
    argv = call.arguments.get("argv") or [""]
    return f"{call.name} {call.arguments.get('path') or call.arguments.get('operation') or argv[0]}".strip()


def surveyor(folder: str) -> Agent:
    """The agent that surveys `folder`; it may write only where the user could."""
    grants = (*GRANTS, "fs.write:out/**") if writable(folder) else GRANTS
    return Agent(
        "surveyor",
        "builtin:surveyor",
        tools=TOOLS,
        remit=Remit.allow(*grants).deny(*DENIALS),
        budget=Budget(seconds=120),
        max_parallel=8,
    )


def writable(folder: str) -> bool:
    """Whether out/ in `folder` can be made or written by this user."""
    out = os.path.join(folder, "out")
    return os.access(out if os.path.lexists(out) else folder, os.W_OK | os.X_OK)


def keep_report(run: Any, folder: str) -> str:
    """Where the report lies; what the agent could not write, because DIR is read-only, is written to ./out instead."""
    figures, _, text = run.text.partition("\n\n# Survey")
    if not text:
        return str(os.path.join(folder, REPORT)) if run.status == "ok" else ""
    path = Path.cwd() / REPORT
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_text("# Survey" + text, encoding="utf-8")
    except OSError as e:
        return f"only in the journal ({e.strerror}): remit show {run.id}"
    return f"{path} ({folder} cannot be written)" if figures else ""


def figures(run: Any) -> list[str]:
    """The main figures of the survey's answer, a line each."""
    head = run.text.partition("\n\n# Survey")[0]
    lines = [line for line in head.split("\n")[1:] if line.strip()]
    return [line for line in lines if not line.startswith("report ")]
