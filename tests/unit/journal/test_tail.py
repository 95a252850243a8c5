"""Tails: read in pieces they hold what a rebuild from zero holds, to the byte; unread they read nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from remit.core.events import EffectDone, EffectIntent, RunDone, RunStarted, WaitClosed, WaitOpened
from remit.core.usage import Usage
from remit.journal.projections import cost, inbox, run_tree
from remit.journal.sqlite import SqliteJournal
from remit.journal.tail import Tail
from remit.ports.conformance.journal import CountingClock


@pytest.mark.parametrize("projection", [cost, inbox, run_tree], ids=lambda each: each.__name__.rpartition(".")[2])
def test_pieces_and_a_rebuild_give_the_same_bytes(projection: object, tmp_path: Path) -> None:
    """Whenever it is read, a tail folds each entry once, goes on from a kept cursor, and equals a rebuild."""

    async def main() -> None:
        journal = SqliteJournal(tmp_path / "j.db", CountingClock())
        tail, never = Tail(journal, projection), Tail(journal, projection)
        logs = [journal.create(f"run_{n}", RunStarted("a", "t", parent="run_0" if n else "")) for n in range(3)]
        written = len(logs)
        for turn in range(1, 8):
            for number, log in enumerate(logs):
                log.append(EffectIntent(f"turn/{turn}/model", "model", f"m{number}", "d"))
                log.append(
                    EffectDone(f"turn/{turn}/model", msgspec.Raw(b"{}"), usage=Usage(turn, number), cost_nano=turn)
                )
                log.append(WaitOpened(f"k{turn}", f"i{number}.{turn}", "ask", "d", "?"))
                written += 3
                if turn % 2:
                    log.append(WaitClosed(f"k{turn}", f"i{number}.{turn}", "approved", "d", "ann"))
                    written += 1
                await log.flush()
            if turn % 3 == 0:
                tail.read()
                tail = Tail(journal, projection, tail.cursor, tail.state)
        logs[0].append(RunDone("ok"))
        await logs[0].release("ok")
        tail.read()
        whole = Tail(journal, projection)
        whole.read()
        assert tail.encoded() == whole.encoded()
        assert (whole.cursor, whole.folded) == (written + 1, written + 1)
        assert tail.folded < whole.folded
        before = tail.folded
        tail.read()
        assert tail.folded == before
        assert (never.cursor, never.folded) == (0, 0)
        await journal.aclose()

    asyncio.run(main())
