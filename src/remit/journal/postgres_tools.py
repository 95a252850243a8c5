"""Effects of the tier `transactional` in Postgres: what a tool writes into the journal's server, exactly once.

The tool's statements and the mark that its call is done are one transaction of a session that logs in as *another role*
(`?tools=ROLE` in the journal's address). That role has rights on what its owner gave it, and none on the journal.

Why not `SET LOCAL ROLE` in the journal's own session: whoever may run a statement there may run RESET ROLE, also out of
a DO block or set_config('role', ...), and has the journal's rights again; no filter of texts sees that. The rights must
end with the login (docs/adr/0016).

What the tool's SQL could still try is to end the transaction without the mark, or to forge one. The marks stand in a
schema of the journal's role:

    begun    the role may insert here, no more; at COMMIT (a deferred constraint trigger) a row without its mark in
             `done` is an error, so neither COMMIT, COMMIT AND CHAIN nor PREPARE TRANSACTION keeps anything. After a
             ROLLBACK there is no row of this transaction, and `finish` refuses
    finish   writes the mark, for who shows the call's token: SHA-256 of a secret that the role cannot read, and the
             key. The tool's SQL has had its turn when the token is sent
    done     nobody but `finish` writes here, and nobody but the journal's role reads

Statements go by the extended protocol: one at a time. One that ends the transaction ends the session, too.

What remains: such a tool can hold up others (advisory locks, long statements), and where pg_hba.conf trusts logins
without a password, SQL with dblink could log in as somebody else. Results stand in `done` as they are: a journal whose
contents are sealed refuses such tools.

Source: PostgreSQL documentation, SET ROLE, CREATE TRIGGER (constraint triggers), 5.8, and writing SECURITY DEFINER
functions safely (CREATE FUNCTION).
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus

from remit.core.shown import as_text
from remit.core.tools import Tool
from remit.errors import Denied, Invalid
from remit.journal.postgres_address import Address
from remit.journal.postgres_connection import Connection, Lost, mapped
from remit.journal.postgres_schema import TABLES

_UNSAFE: Final = (
    "SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolreplication OR pg_has_role(rolname, %s, 'MEMBER')"
    " FROM pg_roles WHERE rolname = session_user"
)
_RIGHTS: Final = (
    "SELECT coalesce(bool_or(has_schema_privilege(n.oid, 'CREATE')"
    " OR has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')"
    " OR has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')), true)"
    " FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace"
    " WHERE n.nspname = %s AND c.relname = ANY(%s)"
)
# {0} = the schema of the marks; its name is checked: lower case letters, digits, _
_SCHEMA: Final = "CREATE SCHEMA {0}"
_SETUP: Final = """
CREATE TABLE {0}.secret (value bytea NOT NULL);
CREATE TABLE {0}.begun (key text NOT NULL);
CREATE TABLE {0}.done (key text PRIMARY KEY, result text NOT NULL);
CREATE FUNCTION {0}.check_done() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ BEGIN
    IF NOT EXISTS (SELECT FROM {0}.done AS d WHERE d.key = NEW.key) THEN
        RAISE EXCEPTION 'a tool ends no transaction' USING ERRCODE = 'RM001';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER done AFTER INSERT ON {0}.begun DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION {0}.check_done();
CREATE FUNCTION {0}.finish(given text, result text, token bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ BEGIN
    IF token IS DISTINCT FROM (SELECT sha256(s.value || sha256(convert_to(given, 'UTF8'))) FROM {0}.secret AS s) OR NOT
        EXISTS (SELECT FROM {0}.begun AS b WHERE b.key = given AND b.xmin = pg_current_xact_id()::xid) THEN
        RAISE EXCEPTION 'the call is not the one that began here' USING ERRCODE = 'RM001';
    END IF;
    DELETE FROM {0}.begun AS b WHERE b.key = given;
    INSERT INTO {0}.done VALUES (given, result);
END $$;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {0} FROM PUBLIC;
"""
_BEGIN: Final = "INSERT INTO {0}.begun VALUES (%s)"
_FINISH: Final = "SELECT {0}.finish(%s::text, %s::text, %s)"
_DONE: Final = "SELECT result FROM {0}.done WHERE key = ?"
_SECRET: Final = "SELECT value FROM {0}.secret"
_NEW_SECRET: Final = "INSERT INTO {0}.secret VALUES (%s)"
_GRANTS: Final = """
GRANT USAGE ON SCHEMA {0} TO {1};
GRANT INSERT ON {0}.begun TO {1};
GRANT EXECUTE ON FUNCTION {0}.finish(text, text, bytea) TO {1};
"""


class PostgresTransaction:
    """An open transaction, lent to one call. Its statements have %s where SQLite's have a question mark."""

    __slots__ = ("_raw", "revoked")

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        self._raw = raw
        self.revoked = False

    def execute(self, sql: str, values: Any = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows. Raises denied_by_rule (no right, or it ended the transaction),
        value_invalid (anything else that is wrong with it; the transaction is then of no use), revoked.
        """
        if self.revoked:
            raise Denied("revoked", "the call that lent this transaction has returned")
        try:
            found = self._raw.cursor(binary=True).execute(sql, values or None)  # binary: the extended protocol
            rows = found.fetchall() if found.description is not None else []
        except psycopg.errors.InsufficientPrivilege as error:
            raise Denied("denied_by_rule", f"the tools' role may not do this: {_said(error)}") from None
        except psycopg.Error as error:
            self._check()
            raise Invalid("value_invalid", f"SQL: {type(error).__name__}: {_said(error)}") from None
        self._check()
        return [tuple(row) for row in rows]

    def _check(self) -> None:
        """A session that is in no transaction any more is closed: nothing may follow outside."""
        if self._raw.info.transaction_status not in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
            self.revoked = True
            self._raw.close()
            raise Denied("denied_by_rule", "a tool ends no transaction; nothing of this call was kept")


class PostgresTools:
    """The transactions of tools in one tenant's journal; one at a time in a process.

    Args:
        address: of the journal, with the tools' role.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._schema = f"{address.schema}_done"
        self._turn = threading.Lock()
        self._journal: Connection | None = None
        self._raw: psycopg.Connection[Any] | None = None
        self._secret = b""
        self._owner = ""
        """the journal's role"""

    async def perform(self, key: str, tool: Tool, values: dict[str, Any], context: Any) -> str:
        """The tool's result as text, done exactly once for `key`; `context` is lent the transaction.

        Raises: value_invalid (an async tool), config_invalid (a role with too many rights), disk_failed, and what the
            tool raises.
        """
        if tool.signature.is_async:
            raise Invalid("value_invalid", f"{tool.name} is transactional, so it is a plain function, not an async one")

        def work(lent: PostgresTransaction) -> str:
            if context is not None:
                context._handles.transaction = lent
            return as_text(tool.fn(**values), tool.max_chars)

        return await asyncio.to_thread(self.once, key, work)

    def once(self, key: str, work: Callable[[PostgresTransaction], str]) -> str:
        """What `work` returned when it was done for `key`: now, or before. Blocks; call it in a thread."""
        with self._turn:
            marked = f"{self._address.tenant}/{key}"
            journal = self._opened()
            found = self._result(journal, marked)
            if found is not None:
                return found
            try:
                with mapped(journal):
                    return self._work(self._tools(), marked, work)
            except Lost:  # whether the COMMIT counts is unknown
                found = self._result(journal, marked)
                if found is None:
                    raise
                return found
            except _Twice:  # another process was faster: nothing of this one was kept
                found = self._result(journal, marked)
                assert found is not None
                return found

    def close(self) -> None:
        """Close both sessions."""
        with self._turn:
            if self._journal is not None:
                self._journal.close()
            self._leave()

    def _work(self, raw: psycopg.Connection[Any], key: str, work: Callable[[PostgresTransaction], str]) -> str:
        done = False
        try:
            raw.execute("BEGIN")
            raw.execute(self._named(_BEGIN), (key,))
            lent = PostgresTransaction(raw)
            try:
                result = work(lent)
            finally:
                lent.revoked = True
            token = sha256(self._secret + sha256(key.encode()).digest()).digest()
            try:
                raw.execute(self._named(_FINISH), (key, result, token))
            except psycopg.errors.UniqueViolation:
                raise _Twice from None
            raw.execute("COMMIT")
            raw.execute("DISCARD ALL")  # settings, temporary tables, locks: the next call finds none of them
            done = True
            return result
        finally:
            if not done:
                self._leave()  # its end rolls everything back

    def _result(self, journal: Connection, key: str) -> str | None:
        row = journal.execute(_DONE.format(self._schema), (key,)).fetchone()
        return None if row is None else str(row[0])

    def _named(self, statement: str) -> bytes:
        """The statement with the marks' schema."""
        return statement.format(self._schema).encode()

    def _opened(self) -> Connection:
        """The journal's own session; makes the marks' schema at the first use."""
        if self._journal is None:
            journal = Connection(self._address)
            try:
                with mapped(journal), journal.raw.transaction():
                    raw = journal.raw
                    raw.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"remit:{self._schema}",))
                    row = raw.execute(
                        "SELECT current_user, to_regnamespace(%s) IS NULL, to_regclass(%s) IS NULL",
                        (self._schema, f"{self._schema}.done"),
                    ).fetchone()
                    assert row is not None
                    self._owner = str(row[0])
                    if row[1]:
                        raw.execute(self._named(_SCHEMA))
                    if row[2]:
                        raw.execute(self._named(_SETUP))
                        raw.execute(self._named(_NEW_SECRET), (os.urandom(32),))
                    raw.execute(_GRANTS.format(self._schema, f'"{self._address.tools}"').encode())
                    found = raw.cursor(binary=True).execute(self._named(_SECRET))
                    self._secret = bytes((found.fetchone() or (b"",))[0])
            except BaseException:
                journal.close()
                raise
            self._journal = journal
        return self._journal

    def _tools(self) -> psycopg.Connection[Any]:
        """The tools' session, its role checked when it is opened."""
        if self._raw is None or self._raw.closed:
            raw = psycopg.connect(**self._address.tools_connection(), autocommit=True, prepare_threshold=None)
            try:
                unsafe = raw.execute(_UNSAFE, (self._owner,)).fetchone()
                rights = raw.execute(_RIGHTS, (self._address.schema, list(TABLES))).fetchone()
                if unsafe is None or unsafe[0] or rights is None or rights[0]:
                    raise Invalid(
                        "config_invalid",
                        f"the tools' role {self._address.tools} has rights on the journal, or may take its role",
                        hint="Make one as docs/deploy/roles.sql does.",
                    )
            except BaseException:
                raw.close()
                raise
            self._raw = raw
        return self._raw

    def _leave(self) -> None:
        if self._raw is not None:
            with suppress(psycopg.Error):
                self._raw.close()
            self._raw = None


class _Twice(Exception):
    """Another process did the same call."""


def _said(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error).split("\n", 1)[0])[:300]
