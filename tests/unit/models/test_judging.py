"""Judgements that come after a run: journalled, learnt, written, once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from remit import Agent
from remit.core.events import ModelNote, Routed
from remit.errors import Conflict, Invalid
from remit.journal.chain import decode_event
from remit.models.handle import ModelHandle
from remit.models.policy import Policy
from remit.runtime import Runtime
from remit.testing import FunctionModel

CHEAP, DEAR = "openai:gpt-4o-mini", "anthropic:claude-opus-4-1"


def runtime(journal: str) -> Runtime:
    """A runtime whose models answer without a network."""
    made = Runtime(journal, tune_gc=False)

    def load(handle: Any) -> Any:
        name = handle.name if isinstance(handle, ModelHandle) else "x:y"
        return FunctionModel(lambda _: "an answer", name=name)

    made.outside._plain_model = load  # type: ignore[method-assign]
    return made


def policy(verify: Any = None) -> Policy:
    """Two models, the cheap one taken first."""
    return Policy(models=(CHEAP, DEAR), explore=0.0, verify=verify)


def success_of(run: Any) -> dict[str, float]:
    """The estimates of a run's choice."""
    routed = next(e for e in run.events if isinstance(e, Routed))
    return {c.model: c.success for c in routed.candidates}


def test_a_judgement_is_journalled_learnt_and_kept(tmp_path: Path) -> None:
    """Another process judges; the next choice of a third one sees it."""
    journal = f"sqlite:{tmp_path / 'j.db'}"

    async def one(*judged: tuple[str, bool]) -> tuple[Any, dict[str, float], list[int]]:
        async with runtime(journal) as rt:
            counts = [await rt.judge(run_id, ok, by="ann", reason="read it") for run_id, ok in judged]
            run = await Agent("a", model=policy()).run("Say what you are")
            return run, success_of(run), counts

    first, before, _ = asyncio.run(one())
    _, after, counts = asyncio.run(one((first.id, False)))
    _, kept, _ = asyncio.run(one())
    assert counts == [1]
    assert kept == after != before

    async def read() -> list[Any]:
        async with runtime(journal) as rt:
            return [decode_event(entry.body) for entry in rt.journal.read(f"{first.id}-judged")]

    note = next(e for e in asyncio.run(read()) if isinstance(e, ModelNote))
    assert (note.kind, note.data) == ("judged", {"ok": False, "by": "ann", "run": first.id})
    assert after[note.name] < before[note.name]


def test_a_run_is_judged_once_and_only_when_it_is_known() -> None:
    """A second judgement and an unknown run are errors; a run without routed calls teaches nothing."""

    async def main() -> None:
        async with runtime("memory:") as rt:
            run = await Agent("a", model=policy()).run("Say what you are")
            plain = await Agent("a", model=FunctionModel(lambda _: "x")).run("go")
            assert await rt.judge(run.id, True) == 1
            assert await rt.judge(plain.id, True) == 0
            with pytest.raises(Conflict, match="was judged before"):
                await rt.judge(run.id, False)
            with pytest.raises(Invalid) as unknown:
                await rt.judge("run_none", True)
            assert unknown.value.code == "run_unknown"
            assert sum(rt.outside.policies.routes.router.predictor.outcomes.values()) == 1

    asyncio.run(main())


def test_after_an_escalation_the_model_that_answered_is_judged() -> None:
    """The last model of the plan gave the answer, so the outcome is its."""

    async def main() -> None:
        async with runtime("memory:") as rt:
            run = await Agent("a", model=policy(verify=lambda *_: False)).run("Say what you are")
            routed = next(e for e in run.events if isinstance(e, Routed))
            before = dict(rt.outside.policies.routes.router.predictor.outcomes)
            await rt.judge(run.id, True)
            after = rt.outside.policies.routes.router.predictor.outcomes
            assert after[routed.plan[-1]] == before.get(routed.plan[-1], 0) + 1

    asyncio.run(main())
