"""Journals of earlier formats, as they were written: every event is read, every chain holds, every run replays."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit import Agent, Runtime, ToolCall, tool
from remit.core.events import Event, Reflected, RunDone, RunStarted
from remit.core.model import ModelRequest
from remit.errors import RemitError
from remit.journal.chain import GENESIS, check_chain, decode_event
from remit.journal.memory import MemoryJournal
from remit.journal.projections import cost, decisions, inbox, run_tree, state, transcript
from remit.journal.upcast import UPCASTERS
from remit.ports.journal import Entry
from remit.testing import FakeClock, FunctionModel
from remit.testing.workloads import World, generate

CORPUS = sorted((Path(__file__).resolve().parents[2] / "fixtures" / "journals").glob("*.jsonl"))


def runs_of(path: Path) -> dict[tuple[int, str], list[Entry]]:
    """(seed, run id) -> its entries."""
    found: dict[tuple[int, str], list[Entry]] = {}
    for line in path.read_bytes().splitlines():
        row = msgspec.json.decode(line)
        entries = found.setdefault((row["seed"], row["run_id"]), [])
        prev = entries[-1].hash if entries else GENESIS
        body, digest = row["body"].encode(), bytes.fromhex(row["hash"])
        entries.append(Entry(row["run_id"], row["seq"], row["epoch"], row["at_ms"], body, prev, digest))
    return found


def old_agent() -> tuple[Agent, list[str]]:
    """The program of format-2-agents, and what its tools do when they are called."""
    called: list[str] = []

    @tool(effect="read")
    async def look(what: str) -> str:
        """Read."""
        called.append(what)
        return f"saw {what}"

    @tool(effect="unsafe")
    async def act(what: str) -> str:
        """Act."""
        called.append(what)
        return f"acted {what}"

    @tool(effect="read")
    async def fail(what: str) -> str:
        """Fail."""
        called.append(what)
        raise ValueError("no " + what)

    plan = [
        [ToolCall("a", "look", {"what": "1"}), ToolCall("b", "act", {"what": "2"})],
        [ToolCall("c", "fail", {"what": "3"}), ToolCall("d", "unknown", {})],
        [ToolCall("e", "look", {"what": "4"})],
    ]

    def answer(request: ModelRequest) -> Any:
        turn = sum(1 for m in request.messages if m.role == "tool")
        return plan[turn] if turn < len(plan) else "end"

    return Agent("old", FunctionModel(answer, name="plan:old"), tools=[look, act, fail]), called


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_every_old_entry_is_read(path: Path) -> None:
    """Chains hold over the stored bytes, each event decodes, each projection folds."""
    runs = runs_of(path)
    assert runs
    for entries in runs.values():
        assert len(list(check_chain(entries))) == len(entries)
        for projection in (cost, decisions, run_tree, state, transcript):
            assert projection.fold(projection.EMPTY, entries) != projection.EMPTY
        assert inbox.fold(inbox.EMPTY, entries).waiting() == []


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_every_old_run_replays(path: Path) -> None:
    """Cut before its end, a run of an earlier format ends with today's code as it did, and nothing is done again."""

    async def replayed(seed: int, runs: dict[str, list[Event]]) -> None:
        clock = FakeClock(10**13)
        journal = MemoryJournal(clock)
        root = next(iter(runs))
        for run_id, events in runs.items():
            assert isinstance(events[0], RunStarted)
            log = journal.create(run_id, events[0])
            for event in events[1:]:
                if run_id != root or not isinstance(event, RunDone):
                    log.note(event)
            await log.release("waiting")
        done = runs[root][-1]
        assert isinstance(done, RunDone)
        world = World()
        definition, called = old_agent() if seed == 0 else (generate(seed, world).root, [])
        before = len(journal.read(root))
        async with Runtime(journal, clock=clock, tune_gc=False) as runtime:
            run = await runtime.resume(root, definition)
        assert (run.status, run.output) == (done.status, done.output)
        new = [decode_event(entry.body) for entry in journal.read(root)[before:]]
        assert [type(event).__name__ for event in new] == ["RunResumed", "RunDone"]
        assert called == []
        assert world.state() == World().state()

    seeds: dict[int, dict[str, list[Event]]] = {}
    for (seed, run_id), entries in runs_of(path).items():
        seeds.setdefault(seed, {})[run_id] = [decode_event(entry.body) for entry in entries]
    for seed, runs in seeds.items():
        asyncio.run(replayed(seed, runs))


def test_a_renamed_kind_goes_through_its_upcasters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps are taken one after the other; what an upcaster cannot read, and what none knows, fails closed."""
    monkeypatch.setitem(UPCASTERS, "pondered", lambda fields: {**fields, "type": "thought"})
    monkeypatch.setitem(
        UPCASTERS, "thought", lambda f: {"type": "reflected", "turn": f["turn"], "finding": f["text"], "action": "none"}
    )
    old = b'{"type":"pondered","turn":3,"text":"hm"}'
    assert decode_event(old) == Reflected(3, "hm", "none")
    for body, code in ((b'{"type":"thought"}', "chain_broken"), (b'{"type":"dreamt"}', "journal_format")):
        with pytest.raises(RemitError) as caught:
            decode_event(body)
        assert caught.value.code == code
