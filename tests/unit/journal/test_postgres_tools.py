"""Transactional tools in Postgres: exactly once, and with no way from their session into the journal."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from postgres_server import ROLE, TOOLS, Server, schema_of
from remit.core.tools import tool
from remit.errors import RemitError
from remit.journal.open import open_journal
from remit.journal.postgres_address import parse_address
from remit.journal.postgres_tools import PostgresTools, PostgresTransaction
from remit.ports.conformance.journal import STARTED, CountingClock

Work = Callable[[PostgresTransaction], str]


@pytest.fixture
def address(postgres: Server) -> str:
    """A journal with one run, and an empty table of the tools' own."""
    with postgres.admin() as admin:
        admin.execute(f"DROP SCHEMA IF EXISTS {TOOLS} CASCADE")
        admin.execute(f"CREATE SCHEMA {TOOLS} AUTHORIZATION {TOOLS}")
        admin.execute(f"CREATE TABLE {TOOLS}.paid (amount bigint)")
        admin.execute(f"ALTER TABLE {TOOLS}.paid OWNER TO {TOOLS}")
    found = f"{postgres.address()}&tools={TOOLS}"

    async def case() -> None:
        journal = open_journal(found, CountingClock())
        await journal.create("run_1", STARTED).release("waiting")
        await journal.aclose()

    asyncio.run(case())
    return found


def once(address: str, key: str, work: Work) -> str:
    """What `PostgresTools.once` gives, its sessions closed afterwards."""
    tools = PostgresTools(parse_address(address))
    try:
        return tools.once(key, work)
    finally:
        tools.close()


def paid(postgres: Server) -> list[int]:
    with postgres.admin() as admin:
        return [amount for (amount,) in admin.execute(f"SELECT amount FROM {TOOLS}.paid ORDER BY 1")]


def pays(amount: int, *more: str) -> Work:
    """Work that pays, then runs statements whose refusal it swallows, as a hostile tool would."""

    def work(lent: PostgresTransaction) -> str:
        lent.execute("INSERT INTO paid VALUES (%s)", (amount,))
        for sql in more:
            try:
                lent.execute(sql)
            except RemitError:
                pass
        return f"paid {amount}"

    return work


def test_a_call_is_done_once(postgres: Server, address: str) -> None:
    """The second time, in another process's session, the result comes from the mark; a failed call leaves nothing."""
    assert once(address, "k1", pays(1)) == "paid 1"
    assert once(address, "k1", pays(2)) == "paid 1"

    def fails(lent: PostgresTransaction) -> str:
        lent.execute("INSERT INTO paid VALUES (3)")
        raise ValueError("after the write")

    with pytest.raises(ValueError, match="after the write"):
        once(address, "k2", fails)
    assert paid(postgres) == [1]
    assert once(address, "k2", pays(4)) == "paid 4"
    assert once(address.replace("tenant=default", "tenant=other"), "k1", pays(5)) == "paid 5"
    assert paid(postgres) == [1, 4, 5]


def test_the_same_call_in_two_processes_is_done_once(postgres: Server, address: str) -> None:
    """Both began before either was done: one of them is rolled back and tells what the other one did."""
    meet = threading.Barrier(2)
    found: list[str] = []

    def work(amount: int) -> Work:
        def both(lent: PostgresTransaction) -> str:
            lent.execute("INSERT INTO paid VALUES (%s)", (amount,))
            meet.wait(20)
            return f"paid {amount}"

        return both

    once(address, "first", pays(0))  # the schema is there
    threads = [threading.Thread(target=lambda n=n: found.append(once(address, "k", work(n)))) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2 and found[0] == found[1]
    assert paid(postgres) == [0, int(found[0].split()[1])]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_answer_of_the_commit_that_was_lost(
    postgres: Server, address: str, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """The session dies around the COMMIT: done once, whether the call is told so now or when it is made again."""
    original = psycopg.Connection.execute
    armed = [True]

    def execute(self: Any, query: Any, *args: Any, **options: Any) -> Any:
        if query == "COMMIT" and armed and self.info.user == TOOLS:
            armed.clear()
            if moment == "after":
                original(self, query, *args, **options)
            self.close()
            raise psycopg.OperationalError("the connection is lost")
        return original(self, query, *args, **options)

    monkeypatch.setattr(psycopg.Connection, "execute", execute)
    if moment == "after":
        assert once(address, "k", pays(1)) == "paid 1"
    else:
        with pytest.raises(RemitError, match="disk_failed"):
            once(address, "k", pays(1))
        assert paid(postgres) == []
    assert once(address, "k", pays(2)) == ("paid 1" if moment == "after" else "paid 2")
    assert len(paid(postgres)) == 1


REFUSED = [
    "SELECT * FROM {s}.events",
    "INSERT INTO {s}.events SELECT * FROM {s}.events",
    "UPDATE {s}.runs SET status = 'ok'",
    "DELETE FROM {s}.checkpoints",
    "TRUNCATE {s}.inbox",
    "DROP TABLE {s}.events",
    "ALTER TABLE {s}.events DISABLE ROW LEVEL SECURITY",
    "CREATE TABLE {s}.mine (x int)",
    "SET ROLE {role}",
    "SET SESSION AUTHORIZATION {role}",
    "SET LOCAL SESSION AUTHORIZATION {role}",
    "SELECT set_config('role', '{role}', false)",
    "SELECT set_config('session_authorization', '{role}', true)",
    "DO $$ BEGIN EXECUTE 'SET ROLE {role}'; DELETE FROM {s}.events; END $$",
    "DO $$ BEGIN EXECUTE 'RESET ROLE'; DELETE FROM {s}.events; END $$",
    "DO $$ BEGIN EXECUTE 'RESET SESSION AUTHORIZATION'; DELETE FROM {s}.events; END $$",
    "SELECT value FROM {s}_done.secret",
    "SELECT result FROM {s}_done.done",
    "INSERT INTO {s}_done.done VALUES ('default/later', 'forged')",
    "DELETE FROM {s}_done.done",
    "DELETE FROM {s}_done.begun",
    "SELECT {s}_done.finish('default/later', 'forged', '\\x00')",
    "SELECT {s}_done.check_done()",
    "ALTER TABLE {s}_done.begun DISABLE TRIGGER ALL",
    "CREATE TRIGGER t BEFORE INSERT ON {s}_done.begun FOR EACH ROW EXECUTE FUNCTION {s}_done.check_done()",
    "CREATE OR REPLACE FUNCTION {s}_done.check_done() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "SET session_replication_role = replica",
    "GRANT ALL ON {s}.events TO {tools}",
    "GRANT {role} TO {tools}",
    "ALTER ROLE {tools} SUPERUSER",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT lo_import('/etc/hostname')",
    "INSERT INTO paid VALUES (98); DELETE FROM {s}.events",
]


@pytest.mark.parametrize("sql", REFUSED)
def test_no_statement_reaches_the_journal(postgres: Server, address: str, sql: str) -> None:
    """Each way out of the role is refused by the server, and the call whose SQL tried it is not done."""
    schema = schema_of(address)
    statement = sql.format(s=schema, role=ROLE, tools=TOOLS)
    seen: list[str] = []

    def work(lent: PostgresTransaction) -> str:
        lent.execute("INSERT INTO paid VALUES (1)")
        try:
            lent.execute(statement)
        except RemitError as error:
            seen.append(error.code)
        return "done"

    once(address, "first", pays(0))
    with pytest.raises(RemitError):
        once(address, "later", work)
    assert seen in (["denied_by_rule"], ["value_invalid"])
    assert paid(postgres) == [0]
    assert once(address, "later", pays(2)) == "paid 2"
    intact(address)


ENDINGS = [
    ("COMMIT",),
    ("ROLLBACK",),
    ("COMMIT AND CHAIN",),
    ("COMMIT", "BEGIN"),
    ("PREPARE TRANSACTION 'remit'",),
    ("SET CONSTRAINTS ALL IMMEDIATE",),
    ("DO $$ BEGIN COMMIT; END $$",),
    ("DO $$ BEGIN ROLLBACK; INSERT INTO paid VALUES (99); COMMIT; END $$",),
    ("CREATE PROCEDURE ends() LANGUAGE plpgsql AS 'BEGIN COMMIT; END'", "CALL ends()"),
    ("SELECT pg_terminate_backend(pg_backend_pid())",),
]


@pytest.mark.parametrize("statements", ENDINGS)
def test_no_statement_keeps_a_write_without_its_mark(
    postgres: Server, address: str, statements: tuple[str, ...]
) -> None:
    """However the tool's SQL ends the transaction: nothing of the call is kept, and made again it is done once."""
    once(address, "first", pays(0))
    with pytest.raises(RemitError):
        once(address, "later", pays(1, *statements))
    assert paid(postgres) == [0]
    assert once(address, "later", pays(2)) == "paid 2"
    assert paid(postgres) == [0, 2]
    intact(address)


def test_a_transaction_begun_again_is_still_one_with_its_mark(postgres: Server, address: str) -> None:
    """ROLLBACK AND CHAIN loses what was before it; alone it is refused, and with a row of `begun` it is whole."""
    once(address, "first", pays(0))
    with pytest.raises(RemitError):
        once(address, "later", pays(1, "ROLLBACK AND CHAIN", "INSERT INTO paid VALUES (2)"))
    assert paid(postgres) == [0]
    begun = f"INSERT INTO {schema_of(address)}_done.begun VALUES ('default/later')"
    again = pays(1, "ROLLBACK AND CHAIN", begun, "INSERT INTO paid VALUES (2)")
    assert once(address, "later", again) == "paid 1"
    assert once(address, "later", pays(3)) == "paid 1"
    assert paid(postgres) == [0, 2]
    intact(address)


def test_nothing_of_a_session_reaches_the_next_call(postgres: Server, address: str) -> None:
    """Settings, temporary tables and locks end with the call; what was lent cannot be used afterwards."""
    tools = PostgresTools(parse_address(address))
    kept: list[PostgresTransaction] = []

    def leaves(lent: PostgresTransaction) -> str:
        kept.append(lent)
        lent.execute("SET search_path = pg_temp")
        lent.execute("CREATE TEMP TABLE paid (amount bigint)")
        lent.execute("SELECT pg_advisory_lock(7)")
        return "left"

    def looks(lent: PostgresTransaction) -> str:
        lent.execute("INSERT INTO paid VALUES (1)")
        return str(lent.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"))

    assert tools.once("a", leaves) == "left"
    assert tools.once("b", looks) == "[(0,)]"
    with pytest.raises(RemitError, match="revoked"):
        kept[0].execute("SELECT 1")
    tools.close()
    assert paid(postgres) == [1]


@pytest.mark.parametrize(
    "right",
    [
        "GRANT {role} TO {tools}",
        "GRANT SELECT ON {s}.events TO {tools}",
        "GRANT UPDATE (status) ON {s}.runs TO {tools}",
        "GRANT CREATE ON SCHEMA {s} TO {tools}",
        "ALTER ROLE {tools} BYPASSRLS",
        "ALTER ROLE {tools} SUPERUSER",
    ],
)
def test_a_role_with_rights_on_the_journal_is_refused(postgres: Server, address: str, right: str) -> None:
    """Whoever gave the tools' role too much hears of it before a tool runs."""
    undo = {"ALTER ROLE {tools} BYPASSRLS": "NOBYPASSRLS", "ALTER ROLE {tools} SUPERUSER": "NOSUPERUSER"}
    named = {"s": schema_of(address), "role": ROLE, "tools": TOOLS}
    with postgres.admin() as admin:
        admin.execute(right.format(**named).encode())
        try:
            with pytest.raises(RemitError, match="config_invalid"):
                once(address, "k", pays(1))
        finally:
            back = f"ALTER ROLE {TOOLS} {undo[right]}" if right in undo else right.format(**named)
            admin.execute(back.replace("GRANT", "REVOKE").replace(f" TO {TOOLS}", f" FROM {TOOLS}").encode())
    assert once(address, "k", pays(1)) == "paid 1"


def test_the_rights_must_end_with_the_login(postgres: Server, address: str) -> None:
    """Why there is a role of its own: in the journal's session, SET LOCAL ROLE is undone by any statement."""
    schema = schema_of(address)
    once(address, "first", pays(0))
    with postgres.admin() as admin:
        admin.execute(f"GRANT {TOOLS} TO {ROLE}")
    connection = psycopg.connect(host=postgres.folder, user=ROLE, dbname="postgres")
    connection.execute("SELECT set_config('remit.tenant', 'default', true)")
    connection.execute(f"SET LOCAL ROLE {TOOLS}")
    taken = f"DO $$ BEGIN PERFORM set_config('role', 'none', true); DELETE FROM {schema}.events; END $$"
    connection.execute(taken.encode())
    assert connection.execute(f"SELECT count(*) FROM {schema}.events".encode()).fetchone() == (0,)
    connection.rollback()
    connection.close()
    with postgres.admin() as admin:
        admin.execute(f"REVOKE {TOOLS} FROM {ROLE}")


def test_the_journal_performs_a_tool(postgres: Server, address: str) -> None:
    """A tool of the tier, through the journal: its context is lent the transaction; async ones and no role: refused."""

    class Lends:
        def __init__(self) -> None:
            self._handles = type("Handles", (), {"transaction": None})()

    lends = Lends()

    @tool(effect="transactional")
    def pay(amount: int) -> str:
        """Pay."""
        lends._handles.transaction.execute("INSERT INTO paid VALUES (%s)", (amount,))
        return "paid"

    @tool(effect="transactional")
    async def later(amount: int) -> str:
        """Pay later."""
        return "paid"

    async def case() -> None:
        journal: Any = open_journal(address, CountingClock())
        for _ in range(2):
            assert await journal.transact("k", pay, {"amount": 7}, lends) == "paid"
        with pytest.raises(RemitError, match="value_invalid"):
            await journal.transact("k2", later, {"amount": 7}, lends)
        await journal.aclose()
        bare: Any = open_journal(address.replace(f"&tools={TOOLS}", ""), CountingClock())
        with pytest.raises(RemitError, match="value_invalid"):
            await bare.transact("k3", pay, {"amount": 7}, lends)
        await bare.aclose()

    asyncio.run(case())
    assert paid(postgres) == [7]


def intact(address: str) -> None:
    """The journal's one run is there, and verifies."""

    async def case() -> None:
        journal = open_journal(address, CountingClock())
        assert [row.run_id for row in journal.runs()] == ["run_1"]
        assert list(journal.verify()) == []
        await journal.aclose()

    asyncio.run(case())
