"""The Postgres journal: restarts, fencing, holders as sessions, tenants, readers that skip nothing, proofs."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from postgres_server import ROLE, Server, schema_of
from remit.core.events import Reflected, RunStarted
from remit.errors import RemitError
from remit.journal import postgres_connection
from remit.journal.log_reader import read_log
from remit.journal.open import open_journal
from remit.journal.postgres import PostgresJournal
from remit.journal.postgres_address import parse_address
from remit.journal.proofs import bundle, consistency_proof, inclusion_proof
from remit.journal.signing_key import trusted_keys
from remit.ports.conformance.journal import ASKED, STARTED, CountingClock, approve

SOURCE = Path(__file__).resolve().parents[3] / "src"
HOLDER = """
import asyncio, sys
from remit.core.events import Reflected, RunStarted
from remit.journal.open import open_journal
from remit.ports.conformance.journal import CountingClock
async def main():
    journal = open_journal(sys.argv[1], CountingClock())
    log = journal.create("run_1", RunStarted("a", "t"))
    await log.flush()
    print(journal.me, flush=True)
    sys.stdin.readline()
    log.append(Reflected(1, "late", "none"))
    try:
        await log.flush()
    except Exception as error:
        print(error.code, flush=True)
asyncio.run(main())
"""


def run(address: str, case: Callable[[PostgresJournal], Awaitable[None]]) -> None:
    """Run `case` on the journal at `address`, closed afterwards."""

    async def opened() -> None:
        journal = PostgresJournal(parse_address(address), CountingClock())
        try:
            async with asyncio.timeout(60):
                await case(journal)
        finally:
            await journal.aclose()

    asyncio.run(opened())


async def code_of(call: Awaitable[Any]) -> str:
    """The error code of an awaitable; "" when it returns."""
    try:
        await call
    except RemitError as error:
        return error.code
    return ""


@pytest.fixture
def own_server(postgres: Server) -> Any:
    """A server that only this test uses, because it stops it."""
    with Server() as server:
        yield server


def start_holder(address: str) -> subprocess.Popen[str]:
    """A process that holds run_1 and waits for a line."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )


@pytest.mark.slow
@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_a_restart_under_load_loses_and_doubles_nothing(own_server: Server, how: str) -> None:
    """40 runs write while the server restarts twice: no run fails, every event is there once, chains hold."""
    restarts = 2

    async def writer(journal: PostgresJournal, number: int, stop: threading.Event) -> int:
        log = journal.create(f"run_{number}", STARTED)
        count = 0
        while not stop.is_set():
            log.append(Reflected(count, "x" * (number * 7), "none"))
            await log.flush()
            count += 1
        await log.release("ok")
        return count

    async def case(journal: PostgresJournal) -> None:
        stop = threading.Event()

        def restart() -> None:
            for _ in range(restarts):
                time.sleep(0.3)
                own_server.restart(how)
            time.sleep(0.3)
            stop.set()

        async with asyncio.TaskGroup() as group:
            writers = [group.create_task(writer(journal, number, stop)) for number in range(40)]
            group.create_task(asyncio.to_thread(restart))
        for number, task in enumerate(writers):
            events = [entry for entry in journal.read(f"run_{number}") if b'"reflected"' in entry.body]
            assert len(events) == task.result()
        assert journal.verify() == []
        assert {row.status for row in journal.runs(100)} == {"ok"}

    run(own_server.address(), case)


def test_a_commit_whose_answer_was_lost_counts_once(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session dies between COMMIT and its answer, or before COMMIT: the batch is in the log exactly once."""
    address = postgres.address()
    lost: list[str] = []
    original = postgres_connection.Connection._finish

    def finish(self: Any, statement: str) -> None:
        if (
            statement == "COMMIT"
            and not self._streaming
            and when
            and threading.current_thread().name == "remit-journal"
        ):
            moment = when.pop()
            lost.append(moment)
            if moment == "after":
                original(self, statement)
            self._raw.close()
            self.in_transaction = False
            raise postgres_connection.Lost("disk_failed", "the session is gone")
        original(self, statement)

    monkeypatch.setattr(postgres_connection.Connection, "_finish", finish)
    when: list[str] = []

    async def case(journal: PostgresJournal) -> None:
        log = journal.create("run_1", STARTED)
        for turn, moment in enumerate(("before", "after", "before", "after")):
            when.append(moment)
            log.append(Reflected(turn, "", "none"))
            await log.flush()
        when.append("after")
        await log.release("waiting")
        assert len(journal.read("run_1")) == 5
        assert journal.verify() == []
        assert (journal.runs()[0].status, journal.holder("run_1")) == ("waiting", "")

    run(address, case)
    assert lost == ["before", "after", "before", "after", "after"]


def test_a_killed_holder_is_gone_at_once(postgres: Server) -> None:
    """kill -9 ends the session and with it the hold: the run is interrupted and can be activated within a second."""
    address = postgres.address()
    holder = start_holder(address)
    assert holder.stdout is not None
    me = holder.stdout.readline().strip()

    async def case(journal: PostgresJournal) -> None:
        assert journal.holder("run_1") == me
        assert await code_of(journal.activate("run_1")) == "run_active"
        assert journal.parked() == []
        holder.kill()
        holder.wait()
        begun = time.monotonic()
        while not journal.parked() and time.monotonic() < begun + 10:
            await asyncio.sleep(0.01)
        assert time.monotonic() - begun < 1.0
        log = await journal.activate("run_1")
        await log.release("ok")
        assert journal.verify() == []

    try:
        run(address, case)
    finally:
        holder.kill()
        holder.communicate()


def test_a_frozen_holder_is_fenced_and_writes_nothing(postgres: Server) -> None:
    """A stopped process keeps its hold until it is fenced; thawed it gets stale_epoch and has written 0 rows."""
    address = postgres.address()
    holder = start_holder(address)
    assert holder.stdout is not None and holder.stdin is not None
    me = holder.stdout.readline().strip()
    os.kill(holder.pid, signal.SIGSTOP)

    async def case(journal: PostgresJournal) -> None:
        assert await code_of(journal.activate("run_1")) == "run_active"
        assert await journal.fence("run_1", me)
        log = await journal.activate("run_1")
        log.append(Reflected(1, "mine", "none"))
        await log.flush()
        before = journal.read("run_1")
        os.kill(holder.pid, signal.SIGCONT)
        out, _ = await asyncio.to_thread(holder.communicate, "go\n")
        assert out.strip() == "stale_epoch"
        assert journal.read("run_1") == before
        await log.release("ok")
        assert journal.verify() == []

    try:
        run(address, case)
    finally:
        holder.kill()
        holder.wait()


def test_two_machines_share_one_signed_log(postgres: Server, tmp_path: Path) -> None:
    """Journals that write at once, each with a key of its own, make one log; all keys together verify it."""
    from remit.journal.signing_key import AuditPlace

    address = parse_address(postgres.address())

    async def writer(journal: PostgresJournal, name: str) -> None:
        for number in range(10):
            log = journal.create(f"run_{name}_{number}", RunStarted("a", "\0t"))
            log.append(Reflected(1, "", "none"))
            await log.release("ok")

    async def case() -> None:
        places = [AuditPlace(f"{tmp_path}/{name}") for name in ("one", "two")]
        journals = [PostgresJournal(address, CountingClock(), place) for place in places]
        async with asyncio.TaskGroup() as group:
            for journal, name in zip(journals, ("one", "two"), strict=True):
                group.create_task(writer(journal, name))
        names = tuple(line for p in places for line in Path(f"{p.folder}/keys.pub").read_text().splitlines())
        for journal, place in zip(journals, places, strict=True):
            assert any("signature" in problem for problem in journal.verify())
            journal.audit = AuditPlace(place.folder, keys=names)
            assert journal.verify() == []
            await journal.aclose()

    asyncio.run(case())


def test_a_reader_skips_no_row_of_a_late_commit(postgres: Server) -> None:
    """A transaction that commits late holds the later ones back, so positions appear in order and none is skipped."""
    address = postgres.address()

    async def case(journal: PostgresJournal) -> None:
        await journal.create("run_1", STARTED).release("waiting")
        slow = PostgresJournal(parse_address(address), CountingClock())
        begun, go_on = threading.Event(), threading.Event()

        def hold(connection: Any, log: Any) -> None:
            log.insert(connection, [])  # inside its transaction, with the log's lock
            begun.set()
            go_on.wait(10)

        held = asyncio.ensure_future(slow.writer.call(hold))
        await asyncio.to_thread(begun.wait, 10)
        fast = journal.create("run_2", STARTED)
        flushed = asyncio.ensure_future(fast.flush())
        seen: list[int] = []

        def follow() -> None:
            with journal.reading() as connection:
                seen.extend(record.position for record in read_log(connection, seen[-1] if seen else 0))

        await asyncio.sleep(0.1)
        follow()
        assert seen == [1] and not flushed.done()
        late = slow.create("run_3", STARTED)
        go_on.set()
        await asyncio.gather(held, flushed, late.flush())
        for _ in range(5):
            fast.append(Reflected(1, "", "none"))
            late.append(Reflected(1, "", "none"))
            await asyncio.gather(fast.flush(), late.flush())
            follow()
        assert seen == list(range(1, len(seen) + 1))
        assert len(seen) == 13
        await slow.aclose()

    run(address, case)


def test_tenants_do_not_see_each_other(postgres: Server) -> None:
    """Same run ids, item ids and positions side by side: lists, reads, inbox, answers, log and proofs are one's own."""
    first = postgres.address()
    second = first.replace("tenant=default", "tenant=acme")

    async def write(journal: PostgresJournal) -> None:
        log = journal.create("run_1", RunStarted("a", f"of {journal.address.tenant}"))
        log.append(ASKED)
        await log.release("waiting")

    async def look(journal: PostgresJournal) -> None:
        assert [row.task for row in journal.runs()] == [f"of {journal.address.tenant}"]
        assert [entry.seq for entry in journal.read("run_1")] == [1, 2]
        assert await journal.answer("item_1", approve) == "run_1"
        assert journal.inbox() == []
        assert journal.verify() == []

    async def other(journal: PostgresJournal) -> None:
        assert journal.runs() == journal.inbox() == journal.parked() == []
        for call in (journal.activate("run_1"), journal.fence("run_1", "x"), journal.answer("item_1", approve)):
            assert await code_of(call) in ("run_unknown", "item_unknown")

    for address in (first, second):
        run(address, write)
    for address in (first, second):
        run(address, look)
    run(first.replace("tenant=default", "tenant=other"), other)


def test_an_answer_wakes_who_follows_in_another_process(postgres: Server) -> None:
    """A journal that follows is called within a second when another one answers a question of the same tenant."""
    address = postgres.address()

    async def case(journal: PostgresJournal) -> None:
        log = journal.create("run_1", STARTED)
        log.append(ASKED)
        await log.release("waiting")
        called = asyncio.Event()
        stop = journal.follow(lambda _: called.set())
        await asyncio.sleep(0.5)  # its session begins, and wakes once
        called.clear()
        other = PostgresJournal(parse_address(address), CountingClock())
        await other.answer("item_1", approve)
        assert await asyncio.wait_for(called.wait(), 10)
        stop()
        await other.aclose()

    run(address, case)


def test_a_transactional_tool_is_refused(postgres: Server) -> None:
    """There is no authorizer in Postgres, so the journal's session is lent to nobody: value_invalid, nothing runs."""
    from remit import tool

    ran: list[int] = []

    @tool(effect="transactional")
    def write() -> None:
        """Write."""
        ran.append(1)

    async def case(journal: PostgresJournal) -> None:
        assert await code_of(journal.transact("key", write, {}, None)) == "value_invalid"
        assert ran == []

    run(postgres.address(), case)


def test_row_level_security_is_what_keeps_tenants_apart(postgres: Server) -> None:
    """With the policies no row of another tenant can be read or written; without them it can, and remit stops."""
    address = postgres.address()
    schema = schema_of(address)

    async def write(journal: PostgresJournal) -> None:
        await journal.create("run_1", STARTED).release("ok")

    run(address, write)

    def rows(tenant: str | None) -> int:
        with psycopg.connect(host=postgres.folder, user=ROLE, dbname="postgres") as connection:
            if tenant is not None:
                connection.execute("SELECT set_config('remit.tenant', %s, true)", (tenant,))
            return sum(
                connection.execute(f"SELECT count(*) FROM {schema}.{table}").fetchone()[0]  # type: ignore[index]
                for table in ("runs", "events", "checkpoints", "meta")
            )

    assert rows("default") > 3
    assert rows("acme") == rows(None) == 0
    with psycopg.connect(host=postgres.folder, user=ROLE, dbname="postgres") as connection:
        connection.execute("SELECT set_config('remit.tenant', 'acme', true)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"INSERT INTO {schema}.meta VALUES ('default', 'k', 'v')")
    with postgres.admin() as admin:
        admin.execute(f"DROP POLICY tenant ON {schema}.events")
        admin.execute(f"ALTER TABLE {schema}.events DISABLE ROW LEVEL SECURITY")
    assert rows("acme") > 0
    with pytest.raises(RemitError, match="row-level security was altered") as caught:
        open_journal(address, CountingClock())
    assert caught.value.code == "chain_broken"


def test_a_role_that_passes_row_level_security_is_refused(postgres: Server) -> None:
    """A superuser sees all rows whatever the policies say, so remit does not open the journal as one."""
    address = postgres.address().replace(f"//{ROLE}@", "//admin@")
    with pytest.raises(RemitError, match="superuser") as caught:
        open_journal(address, CountingClock())
    assert caught.value.code == "config_invalid"


def test_changed_rows_are_found_and_proofs_hold(postgres: Server) -> None:
    """verify names an event that was edited in the database; inclusion, consistency and bundle come from it too."""
    address = postgres.address()
    schema = schema_of(address)

    async def case(journal: PostgresJournal) -> None:
        log = journal.create("run_1", STARTED)
        await log.flush()
        log.append(Reflected(1, "right", "none"))
        await log.release("ok")
        keys = trusted_keys(journal.audit)
        with journal.reading() as connection:
            assert inclusion_proof(connection, "run_1", 2, keys)["record"]["seq"] == 2
            assert consistency_proof(connection, 1, None, keys)["old"] == 1
            kinds = [line["type"] for line in bundle(connection, "", keys)]
            assert kinds.count("record") == 3 and kinds[0] == "bundle"
        assert journal.verify() == []
        with postgres.admin() as admin:
            wrong = "replace(convert_from(body, 'UTF8'), 'right', 'wrong')::bytea"
            admin.execute(f"UPDATE {schema}.events SET body = {wrong} WHERE seq = 2")
        assert any("run run_1 seq 2" in problem for problem in journal.verify())

    run(address, case)


def test_a_server_that_is_not_there_is_said_with_its_place(tmp_path: Path) -> None:
    """No server: disk_failed with the address and no password; a database that does not exist: config_invalid."""
    with pytest.raises(RemitError, match="postgres://") as caught:
        open_journal(f"postgres://{ROLE}@/nowhere?host={tmp_path}", CountingClock())
    assert caught.value.code == "disk_failed"


def test_a_database_that_does_not_exist_is_said(postgres: Server) -> None:
    """The server answers that there is no such database: config_invalid, at once."""
    with pytest.raises(RemitError) as caught:
        open_journal(postgres.address().replace("@/postgres", "@/nowhere"), CountingClock())
    assert caught.value.code == "config_invalid"
