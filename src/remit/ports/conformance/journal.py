"""Conformance suite of the journal port: what every journal must do, whatever stores it.

Each `check_*` gets `make`, a function that opens a fresh empty journal on the clock it is given, runs its own event
loop and asserts. What only a store that outlives its process can do is in the store's own tests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from remit.core.events import (
    EffectInDoubt,
    EffectResolved,
    Event,
    Reflected,
    RunDone,
    RunStarted,
    WaitClosed,
    WaitOpened,
)
from remit.errors import RemitError
from remit.ports.clock import Clock
from remit.ports.journal import InboxRow, Journal, RunLog, RunRow

Make = Callable[[Clock], Journal]
STARTED: Final = RunStarted("analyst", "count the words", parent="run_parent")
ASKED: Final = WaitOpened("turn/1/call/0", "item_1", "send_mail", "d1", "Send it?", {"to": "a@b.c"})
DOUBT: Final = EffectInDoubt("turn/1/call/1", "item_2", "write_file", "d2", {"path": "out/x"})


class CountingClock:
    """A clock whose wall time is 1, 2, 3 ... milliseconds."""

    def __init__(self) -> None:
        self._ms = 0

    def now_ms(self) -> int:
        """The next millisecond."""
        self._ms += 1
        return self._ms

    async def sleep(self, seconds: float) -> None:
        """Move the clock, without waiting."""
        self._ms += round(seconds * 1000)

    def monotonic(self) -> float:
        """The same in seconds, without a step."""
        return self._ms / 1000

    def random_bits(self, bits: int) -> int:
        """Always zero."""
        return 0


def approve(row: InboxRow) -> Event:
    """An answer to an approval item."""
    return WaitClosed(row.key, row.id, "approved", row.digest, "ann")


def resolve(row: InboxRow) -> Event:
    """An answer to an in-doubt item."""
    return EffectResolved(row.key, row.id, "done", "ann")


def check_entries_are_a_chain(make: Make) -> None:
    """Appended events get seq 1, 2, 3 ..., each linked to the one before; read gives them back."""

    async def case(journal: Journal) -> None:
        log = journal.create("run_1", STARTED)
        appended = [log.append(Reflected(turn, "none", "none")) for turn in range(5)]
        await log.flush()
        entries = journal.read("run_1")
        assert entries[1:] == appended
        assert [entry.seq for entry in entries] == [1, 2, 3, 4, 5, 6]
        assert entries[0].prev == bytes(32)
        assert [entry.prev for entry in entries[1:]] == [entry.hash for entry in entries[:-1]]
        assert journal.read("run_1", 4) == entries[4:]
        assert journal.read("run_1", 6) == journal.read("run_1", 99) == []
        assert list(journal.verify()) == list(journal.verify("run_1")) == []

    _run(make, case)


def check_large_bodies_come_back_whole(make: Make) -> None:
    """Bodies of any size up to the bound are read back byte-equal and verify."""

    async def case(journal: Journal) -> None:
        log = journal.create("run_1", STARTED)
        sizes = (0, 65_000, 65_536, 65_537, 2_000_000)
        appended = [log.append(Reflected(0, "x" * size, "none")) for size in sizes]
        appended.append(log.append(Reflected(0, "x" * 65_537, "none")))
        await log.flush()
        assert journal.read("run_1", 1) == appended
        assert list(journal.verify()) == []

    _run(make, case)


def check_runs_lists_the_newest_first(make: Make) -> None:
    """runs() shows one whole row a run, the newest first, at most `limit`."""

    async def case(journal: Journal) -> None:
        first = journal.create("run_1", STARTED)
        second = journal.create("run_2", RunStarted("b", "t" * 1000))
        await first.release("waiting")
        second.append(RunDone("failed"))
        await second.release("failed")
        rows = journal.runs()
        assert rows == [
            RunRow("run_2", "b", "t" * 500, "failed", 2, 3, 2, 1),
            RunRow("run_1", "analyst", "count the words", "waiting", 1, 1, 1, 1, "run_parent"),
        ]
        assert journal.runs(1) == rows[:1]
        assert journal.runs(0) == journal.runs(-1) == []

    _run(make, case)


def check_unknown_things_are_refused(make: Make) -> None:
    """Unknown runs and items raise run_unknown and item_unknown; bad run ids value_invalid."""

    async def case(journal: Journal) -> None:
        for name in ("run_none", "", "' OR 1=1 --", "\ud800"):
            assert _code(journal.read, name) == "run_unknown", name
        assert _code(journal.verify, "run_none") == _code(journal.holder, "run_none") == "run_unknown"
        assert await _acode(journal.activate("run_none")) == "run_unknown"
        for item in ("item_none", "", "\ud800"):
            assert await _acode(journal.answer(item, approve)) == "item_unknown", item
        for name in ("", "a b", "run\n", "é", "x" * 129, "\ud800"):
            assert _code(journal.create, name, STARTED) == "value_invalid", name
        assert journal.runs() == []

    _run(make, case)


def check_an_event_that_json_cannot_hold_changes_nothing(make: Make) -> None:
    """A lone surrogate, an object, endless depth: value_invalid, and the chain goes on as if never tried."""

    async def case(journal: Journal) -> None:
        assert _code(lambda: journal.create("run_1", RunStarted("a", "\ud800"))) == "value_invalid"
        log = journal.create("run_1", STARTED)
        deep: Any = {}
        for _ in range(5000):
            deep = {"a": deep}
        for bad in ("\udfff", object(), deep):
            event = WaitOpened("k", "i", "t", "d", "q", bad)
            assert _code(log.append, event) == "value_invalid"
        assert log.append(Reflected(1, "fine", "none")).seq == 2
        await log.flush()
        assert len(journal.read("run_1")) == 2
        assert journal.inbox() == []
        assert list(journal.verify()) == []

    _run(make, case)


def check_a_run_has_one_activation(make: Make) -> None:
    """While a log is not released the run cannot be activated, created again or answered: run_active."""

    async def case(journal: Journal) -> None:
        log = journal.create("run_1", STARTED)
        log.append(ASKED)
        await log.flush()
        assert _code(lambda: journal.create("run_1", STARTED)) == "run_active"
        assert await _acode(journal.activate("run_1")) == "run_active"
        assert await _acode(journal.answer("item_1", approve)) == "run_active"
        assert journal.holder("run_1").count(":") == 2
        await log.release("waiting")
        assert journal.holder("run_1") == ""
        again = await journal.activate("run_1")
        assert (again.run_id, again.epoch) == ("run_1", 2)
        assert await _acode(journal.activate("run_1")) == "run_active"
        assert _code(lambda: log.append(ASKED)) == "stale_epoch"
        await again.release("waiting")
        assert [entry.epoch for entry in journal.read("run_1")] == [1, 1, 2]
        assert list(journal.verify()) == []

    _run(make, case)


def check_a_fenced_activation_writes_nothing_more(make: Make) -> None:
    """fence ends exactly the activation that it names: the old log is stale, the run can be activated again."""

    async def case(journal: Journal) -> None:
        log = journal.create("run_1", STARTED)
        await log.flush()
        holder = journal.holder("run_1")
        assert not await journal.fence("run_1", "")
        assert not await journal.fence("run_1", "1:2:somebody-else")
        assert await _acode(journal.fence("run_none", holder)) == "run_unknown"
        assert await journal.fence("run_1", holder)
        assert not await journal.fence("run_1", holder)
        assert (journal.holder("run_1"), journal.runs()[0].status) == ("", "interrupted")
        again = await journal.activate("run_1")
        seen = len(journal.read("run_1"))
        assert await _acode(_late(log)) == "stale_epoch"
        assert len(journal.read("run_1")) == seen
        again.append(RunDone("ok"))
        await again.release("ok")
        assert not await journal.fence("run_1", holder)
        assert [entry.epoch for entry in journal.read("run_1")] == [1, 2, 3, 3]
        assert list(journal.verify()) == []

    _run(make, case)


def check_parked_runs_are_those_that_can_go_on(make: Make) -> None:
    """parked lists, the oldest first, interrupted and answered runs: no held, asking, ended or child run."""

    async def case(journal: Journal) -> None:
        free = RunStarted("a", "t")
        logs = {
            name: journal.create(name, free) for name in ("run_held", "run_asks", "run_told", "run_cut", "run_done")
        }
        child = journal.create("run_child", STARTED)
        logs["run_asks"].append(ASKED)
        logs["run_told"].append(DOUBT)
        for name, status in (
            ("run_asks", "waiting"),
            ("run_told", "waiting"),
            ("run_cut", "running"),
            ("run_done", "ok"),
        ):
            await logs[name].release(status)
        await child.release("running")
        await logs["run_held"].flush()
        assert journal.parked() == ["run_cut"]
        await journal.answer("item_2", resolve)
        assert journal.parked() == ["run_told", "run_cut"]
        assert journal.parked(1) == ["run_told"]
        assert journal.parked(0) == []

    _run(make, case)


def check_an_ended_run_stays_ended(make: Make) -> None:
    """After run_done a run cannot be activated; its open questions close; releasing as ended writes run_done."""

    async def case(journal: Journal) -> None:
        log = journal.create("run_1", STARTED)
        log.append(ASKED)
        await log.release("cancelled")
        assert [row.status for row in journal.runs()] == ["cancelled"]
        assert len(journal.read("run_1")) == 3
        assert await _acode(journal.activate("run_1")) == "run_active"
        assert await _acode(journal.answer("item_1", approve)) == "approval_used"
        assert journal.inbox() == []
        assert list(journal.verify()) == []
        await log.release("ok")  # a second release changes nothing
        assert [row.status for row in journal.runs()] == ["cancelled"]

    _run(make, case)


def check_only_real_statuses_are_taken(make: Make) -> None:
    """release and run_done refuse a status that no run can have."""

    async def case(journal: Journal) -> None:
        log = journal.create("run_1", STARTED)
        assert await _acode(log.release("fine")) == "value_invalid"
        assert _code(lambda: log.append(RunDone("fine"))) == "value_invalid"
        await log.release("running")
        assert [row.status for row in journal.runs()] == ["interrupted"]

    _run(make, case)


def check_the_inbox_holds_open_questions(make: Make) -> None:
    """Questions and doubts appear oldest first with all that a person needs; answers close them."""

    async def case(journal: Journal) -> None:
        log = journal.create("run_1", STARTED)
        log.append(ASKED)
        log.append(DOUBT)
        await log.release("waiting")
        first = InboxRow("item_1", "approval", "run_1", "send_mail", {"to": "a@b.c"}, ASKED.key, "d1", "Send it?", 2)
        second = InboxRow("item_2", "in_doubt", "run_1", "write_file", {"path": "out/x"}, DOUBT.key, "d2", "", 3)
        assert journal.inbox() == [first, second]
        assert await journal.answer("item_1", approve) == "run_1"
        assert journal.inbox() == [second]
        assert await journal.answer("item_2", resolve) == "run_1"
        assert journal.inbox() == []
        assert [row.status for row in journal.runs()] == ["waiting"]
        assert [entry.epoch for entry in journal.read("run_1")] == [1, 1, 1, 2, 3]
        assert list(journal.verify()) == []

    _run(make, case)


def check_an_answer_counts_once(make: Make) -> None:
    """Of many racing answers one wins; the others get approval_used and write nothing."""

    async def case(journal: Journal) -> None:
        log = journal.create("run_1", STARTED)
        log.append(ASKED)
        await log.release("waiting")
        async with asyncio.TaskGroup() as group:
            tries = [group.create_task(_acode(journal.answer("item_1", approve))) for _ in range(8)]
        assert sorted(each.result() for each in tries) == [""] + ["approval_used"] * 7
        assert len(journal.read("run_1")) == 3

    _run(make, case)


def check_an_answer_must_fit_its_question(make: Make) -> None:
    """An event of another kind, item or key is refused, and so is what `make` raises; the item stays open."""

    async def case(journal: Journal) -> None:
        log = journal.create("run_1", STARTED)
        log.append(ASKED)
        await log.release("waiting")
        for wrong in (
            EffectResolved(ASKED.key, "item_1", "done", "ann"),
            WaitClosed(ASKED.key, "item_2", "approved", "d1", "ann"),
            WaitClosed("turn/9/call/9", "item_1", "approved", "d1", "ann"),
            RunDone("ok"),
        ):
            assert await _acode(journal.answer("item_1", _always(wrong))) == "internal"
        bad = WaitClosed(ASKED.key, "item_1", "approved", "d1", "\ud800")
        assert await _acode(journal.answer("item_1", lambda row: bad)) == "value_invalid"
        assert len(journal.inbox()) == 1
        assert len(journal.read("run_1")) == 2
        assert list(journal.verify()) == []

    _run(make, case)


def check_an_item_belongs_to_its_run(make: Make) -> None:
    """A run that opens or closes an item id of another run does not touch that run's question."""

    async def case(journal: Journal) -> None:
        owner = journal.create("run_1", STARTED)
        owner.append(ASKED)
        await owner.release("waiting")
        thief = journal.create("run_2", STARTED)
        thief.append(Reflected(1, "so that its question has another seq", "none"))
        thief.append(WaitOpened("k", "item_1", "other", "d9", "Harmless?"))
        thief.append(WaitClosed("k", "item_1", "approved", "d9", "thief"))
        await thief.release("ok")
        assert [(row.run_id, row.tool) for row in journal.inbox()] == [("run_1", "send_mail")]
        assert await journal.answer("item_1", approve) == "run_1"

    _run(make, case)


def check_a_follower_is_told(make: Make) -> None:
    """Whoever follows is told of a run that is parked, and of one that is answered; not after it has ended."""

    async def case(journal: Journal) -> None:
        told: list[str] = []

        async def heard(run_id: str) -> bool:
            async with asyncio.timeout(10):
                while run_id not in told and "" not in told:
                    await asyncio.sleep(0.01)
            told.clear()
            return True

        end = journal.follow(told.append)
        log = journal.create("run_1", STARTED)
        log.append(ASKED)
        await log.release("waiting")
        assert await heard("run_1")
        await journal.answer("item_1", approve)
        assert await heard("run_1")
        end()
        again = await journal.activate("run_1")
        await again.release("waiting")
        await asyncio.sleep(0.05)
        assert told == []

    _run(make, case)


def check_many_writers_at_once(make: Make) -> None:
    """200 runs that append and flush at once each get their own intact chain."""

    async def writer(journal: Journal, number: int) -> None:
        log = journal.create(f"run_{number}", STARTED)
        for turn in range(10):
            log.append(Reflected(turn, f"finding {number}", "none"))
            await log.flush()
        await log.release("ok")

    async def case(journal: Journal) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(200):
                group.create_task(writer(journal, number))
        assert {row.events for row in journal.runs(1000)} == {12}
        assert len(journal.runs(1000)) == 200
        assert list(journal.verify()) == []

    _run(make, case)


CHECKS: Final = tuple(value for name, value in sorted(globals().items()) if name.startswith("check_"))


def _run(make: Make, case: Callable[[Journal], Coroutine[Any, Any, None]]) -> None:
    async def opened() -> None:
        journal = make(CountingClock())
        try:
            async with asyncio.timeout(60):
                await case(journal)
        finally:
            await journal.aclose()

    asyncio.run(opened())


async def _late(log: RunLog) -> None:
    """What a process does that does not know yet that it lost the run."""
    log.append(Reflected(1, "late", "none"))
    await log.flush()


def _always(event: Event) -> Callable[[InboxRow], Event]:
    return lambda row: event


def _code(call: Callable[..., Any], *args: Any) -> str:
    """The error code that `call(*args)` raises; "" when it returns."""
    try:
        call(*args)
    except RemitError as error:
        return error.code
    return ""


async def _acode(call: Coroutine[Any, Any, Any]) -> str:
    """The error code that `call` raises; "" when it returns."""
    try:
        await call
    except RemitError as error:
        return error.code
    return ""
