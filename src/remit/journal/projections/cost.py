"""Projection: tokens and money per run, per model and per agent.

Money is integer nano-dollars. A call of unknown price makes its sums unknown (None), never smaller;
`known_nano` still says what is known. A call that began and has no outcome is counted in `open_calls`:
after a crash a model call runs again, and its first attempt may have been paid for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct

from remit.core.events import EffectDone, EffectFailed, EffectIntent, RunStarted
from remit.core.usage import NO_USAGE, Usage
from remit.journal.chain import decode_event
from remit.ports.journal import Entry


class Cost(Struct, frozen=True):
    """A sum of model calls."""

    usage: Usage = NO_USAGE
    calls: int = 0
    """finished model calls"""
    failed: int = 0
    unpriced: int = 0
    """calls whose price is unknown"""
    known_nano: int = 0
    duration_ms: int = 0

    @property
    def nano(self) -> int | None:
        """Nano-dollars; None when the price of a call is unknown."""
        return None if self.unpriced else self.known_nano

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.usage + other.usage,
            self.calls + other.calls,
            self.failed + other.failed,
            self.unpriced + other.unpriced,
            self.known_nano + other.known_nano,
            self.duration_ms + other.duration_ms,
        )


class Costs(Struct, frozen=True):
    """All sums. A run's own calls only; the calls of its children are theirs."""

    total: Cost = Cost()
    runs: dict[str, Cost] = {}
    models: dict[str, Cost] = {}
    agents: dict[str, Cost] = {}
    agent_of: dict[str, str] = {}
    """run id -> agent"""
    open: dict[str, dict[str, str]] = {}
    """run id -> key -> model of calls without an outcome"""

    def open_calls(self, run_id: str) -> int:
        """Model calls of the run that began and have no outcome."""
        return len(self.open.get(run_id, {}))


NOTHING: Final = Cost()
EMPTY: Final = Costs()


def fold(state: Costs, entries: Iterable[Entry]) -> Costs:
    """`state` after `entries` (of any runs, each run's in order)."""
    folding = _Folding(state)
    for entry in entries:
        match decode_event(entry.body):
            case RunStarted(agent=agent):
                folding.agent_of[entry.run_id] = agent
            case EffectIntent(kind="model", key=key, name=name):
                folding.open.setdefault(entry.run_id, {})[key] = name
            case EffectDone() as event:
                folding.close(entry.run_id, event.key, _cost_of(event))
            case EffectFailed(key=key, duration_ms=duration_ms):
                folding.close(entry.run_id, key, Cost(failed=1, duration_ms=duration_ms))
            case _:
                pass
    return folding.costs()


class _Folding:
    """Copies of a state's dicts, changed in place during one fold."""

    def __init__(self, state: Costs) -> None:
        self.total = state.total
        self.runs = dict(state.runs)
        self.models = dict(state.models)
        self.agents = dict(state.agents)
        self.agent_of = dict(state.agent_of)
        self.open = {run_id: dict(calls) for run_id, calls in state.open.items()}

    def close(self, run_id: str, key: str, cost: Cost) -> None:
        """Add the outcome of a model call; outcomes of tools cost nothing and are left out."""
        calls = self.open.get(run_id, {})
        model = calls.pop(key, None)
        if not calls:
            self.open.pop(run_id, None)
        if model is None and cost.usage is NO_USAGE:
            return
        agent = self.agent_of.get(run_id, "")
        for sums, name in ((self.runs, run_id), (self.models, model or ""), (self.agents, agent)):
            sums[name] = sums.get(name, NOTHING) + cost
        self.total += cost

    def costs(self) -> Costs:
        """The state reached."""
        return Costs(self.total, self.runs, self.models, self.agents, self.agent_of, self.open)


def _cost_of(event: EffectDone) -> Cost:
    usage = event.usage if event.usage is not None else NO_USAGE
    nano = event.cost_nano
    return Cost(usage, 1, 0, int(nano is None), nano or 0, event.duration_ms)


def calls(entries: Iterable[Entry]) -> Iterable[dict[str, Any]]:
    """Every finished model call of one run, in order: what `remit cost export` prints."""
    run = RunStarted("", "")
    names: dict[str, str] = {}
    for entry in entries:
        event = decode_event(entry.body)
        if isinstance(event, RunStarted):
            run = event
        elif isinstance(event, EffectIntent) and event.kind == "model":
            names[event.key] = event.name
        elif isinstance(event, EffectDone | EffectFailed) and event.key in names:
            done = isinstance(event, EffectDone)
            usage = (event.usage if isinstance(event, EffectDone) else None) or NO_USAGE
            yield {
                "run_id": entry.run_id, "key": event.key, "at_ms": entry.at_ms, "agent": run.agent,
                "model": names[event.key], "status": "ok" if done else "failed", "input_tokens": usage.input_tokens,
                "cached_tokens": usage.cached_tokens, "output_tokens": usage.output_tokens,
                "reasoning_tokens": usage.reasoning_tokens,
                "cost_nano": event.cost_nano if isinstance(event, EffectDone) else None,
                "cache_write_tokens": usage.cache_write_tokens, "estimated": usage.estimated,
            }  # fmt: skip
