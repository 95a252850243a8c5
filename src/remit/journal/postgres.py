"""The journal in Postgres: the same tables, chain, signed log and promises as in a file, for many machines.

What differs from sqlite.py: who holds a run, and what a lost session means.

Holder: this process's writing session holds an advisory lock; its number stands in `runs.owner`. The server frees it
when the session ends (a killed process at once, a machine that is gone within 25 s by keep-alive), so liveness needs no
lease and no clock. A process that is frozen keeps its session; its runs are taken by `fence`, which only a dispatcher
calls whose own heartbeat from it stopped. Either way the epoch keeps the old process from writing.

Lost session: a batch whose COMMIT was not answered may be in the log or not. The writer opens a new session (it waits
RECONNECT_S for a server that restarts), asks for the last record of each run, and writes what is missing. So no
acknowledged event is lost and none is written twice, and runs do not notice a restart.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from remit.core.tools import Tool
from remit.errors import Conflict, Invalid
from remit.journal import owner
from remit.journal.commit import Part, write
from remit.journal.encrypted import PLAIN, AtRest
from remit.journal.log import SignedLog
from remit.journal.merkle import Frontier
from remit.journal.postgres_address import Address
from remit.journal.postgres_bus import NotifyBus, channel_of
from remit.journal.postgres_connection import RECONNECT_S, Connection, Lost
from remit.journal.postgres_limits import PostgresLimits
from remit.journal.postgres_schema import prepare
from remit.journal.sealed import Sealing
from remit.journal.signing_key import AuditPlace, SigningKey, default_place
from remit.journal.sqlite import StoredJournal
from remit.journal.takeover import answer
from remit.journal.witness import Witnesses
from remit.journal.writer import Writer
from remit.ports.bus import READY
from remit.ports.clock import Clock

if TYPE_CHECKING:
    from remit.journal.postgres_tools import PostgresTools

OWNER_SPACE: Final = 0x72656D74  # "remt": the first number of owners' advisory locks
_ALIVE: Final = (
    "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 2 AND granted AND classid = ? AND objid = ?"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_WRITTEN: Final = "SELECT 1 FROM events WHERE run_id = ? AND seq = ? AND hash = ?"


class SessionHeld(owner.Held):
    """Holders as sessions of the database: `pid:start_time:boot_id/number`."""

    def __init__(self) -> None:
        super().__init__()
        self._number = int.from_bytes(os.urandom(4), "big")
        self.ask: Any = None
        """runs a statement and gives its first row"""

    @property
    def me(self) -> str:
        """This process, and the number that its session holds."""
        return f"{owner.this_process()}/{self._number}"

    def alive(self, holder: str) -> bool:
        """Whether the session of `holder` still stands."""
        number = holder.rpartition("/")[2]
        if not (number.isascii() and number.isdigit() and len(number) < 11):
            return False
        return self.ask(_ALIVE, (OWNER_SPACE, int(number))) is not None

    def take(self, raw: Any) -> None:
        """Hold the number in a new session. Another live process has it: take another one, and hold nothing more.

        The old session may still be ending on the server: it is waited for, for a moment.
        """
        for _ in range(50):
            found = raw.execute("SELECT pg_try_advisory_lock(%s, %s)", (OWNER_SPACE, _signed(self._number))).fetchone()
            if found[0]:
                return
            time.sleep(0.02)
        self.clear()
        self._number = int.from_bytes(os.urandom(4), "big")
        self.take(raw)


class PostgresLog(SignedLog):
    """The signed log, its end known from the transaction's beginning: other machines write to it as well."""

    def checkpoint(self, connection: Any, groups: Any) -> int:
        """See SignedLog.checkpoint."""
        size, peaks = connection.end
        if self._frontier is None or self._frontier.size != size:
            self.forget()
            try:
                self._frontier = Frontier.load(size, peaks) if size else Frontier()
            except ValueError as error:
                raise Conflict("chain_broken", f"the last checkpoint is damaged: {error}") from None
            if not self.log_id:
                self.reload(connection)
        first = super().checkpoint(connection, groups)
        connection.end = (self._frontier.size, self._frontier.dump())
        return first


class PostgresWriter(Writer):
    """The writer thread, over a session that may be lost at any moment."""

    def _commit(self, parts: Sequence[Part], *, begun: bool) -> dict[str, str]:
        deadline = time.monotonic() + RECONNECT_S
        unsure = False
        while True:
            try:
                if unsure:
                    parts = [part for part in parts if not self._is_written(part)]
                return write(self._connection, self._log, parts, begun=begun) if parts else {}
            except Lost:
                if time.monotonic() > deadline:
                    raise
                unsure = True

    def _is_written(self, part: Part) -> bool:
        """Whether the part's last event is in the log; a release alone is written again, which changes nothing."""
        seq, digest, _ = part.last
        if not part.entries:
            return False
        return self._connection.execute(_WRITTEN, (part.run_id, seq, digest)).fetchone() is not None


class PostgresJournal(StoredJournal):
    """The journal of one tenant in Postgres.

    Args:
        address: where it is, and whose (postgres_address.py).
        clock: wall time of the entries.
        audit: where the signing key and the kept heads lie; by default the state folder. Each machine signs with its
            own key: `verify` needs all of their keys.pub lines.
        at_rest: what seals the contents of events. Pages are the server's: their key is refused.

    Raises: disk_failed, config_invalid, value_invalid, journal_format, chain_broken, encryption_mismatch.
    """

    def __init__(
        self, address: Address, clock: Clock, audit: AuditPlace | None = None, at_rest: AtRest = PLAIN
    ) -> None:
        if at_rest.keys and (at_rest.payloads is None or not at_rest.payloads.sealing):
            raise Conflict(
                "encryption_mismatch",
                'a Postgres journal has no file of its own to encrypt; [encryption] mode = "full" seals contents',
                hint="Encrypt the server's volume, and set mode to full or off.",
            )
        self.address = address
        self.path = address.name
        self.audit = audit or default_place()
        self._clock = clock
        self._live = SessionHeld()
        self._logs = {}
        self._ring = self._parked
        self._sealing = Sealing(at_rest.payloads) if at_rest.payloads is not None else None
        self._bus: NotifyBus | None = None
        self._sealed = at_rest.payloads is not None and at_rest.payloads.sealing
        self._tools: PostgresTools | None = None
        self._limits = PostgresLimits(address)
        self._read_lock = threading.RLock()
        self._reader = Connection(address)
        self._live.ask = self._ask
        try:
            prepare(self._reader)
            connection: Any = Connection(address, self._live.take)
        except BaseException:
            self._reader.close()
            raise
        log = PostgresLog(SigningKey(self.audit.folder), Witnesses(self.audit.folder, self.path, self.audit.witness))
        self.writer = PostgresWriter(connection, self.path, log)

    async def answer(self, item: str, make: Any) -> str:
        """See ports.journal.Journal; workers and hosts are told with the commit."""

        def command(connection: Any, log: SignedLog) -> str:
            run_id = answer(connection, log, self._clock, self._live, item, make, self._sealing)
            connection.execute("SELECT pg_notify(?, ?)", (channel_of(self.address), f"{os.getpid()} {READY}"))
            return run_id

        return await self.writer.call(command)

    async def transact(self, key: str, tool: Tool, values: dict[str, Any], context: Any) -> str:
        """Perform a transactional tool under the role that the address names for them; see postgres_tools.py.

        Raises value_invalid where it names none, or contents are sealed (the result would stand there in the open).
        """
        if not self.address.tools or self._sealed:
            raise Invalid(
                "value_invalid",
                f"{tool.name} is transactional: in Postgres that needs a role of its own, and no sealed contents",
                hint="Add ?tools=ROLE to the journal's address (docs/how-to/scale-out.md), or declare it idempotent.",
            )
        if self._tools is None:
            from remit.journal.postgres_tools import PostgresTools  # few journals have such tools

            self._tools = PostgresTools(self.address)
        return await self._tools.perform(key, tool, values, context)

    def follow(self, listener: Callable[[str], None]) -> Callable[[], None]:
        """Call `listener("")` ("look at all runs") in this loop when any process submits or answers one.

        Returns what ends it. It may call too often, and may lose a call.
        """
        if self._bus is None:
            self._bus = self.bus()
        return self._bus.listen(READY, lambda: listener(""))

    def _parked(self, run_id: str) -> None:
        """A run was parked here: tell whoever follows, where somebody of this process does (the session is open)."""
        if self._bus is not None:
            self._bus.tell(READY)

    async def aclose(self) -> None:
        """See ports.journal.Journal."""
        if self._bus is not None:
            await self._bus.aclose()
        self._limits.close()
        if self._tools is not None:
            self._tools.close()
        await super().aclose()

    def limits(self) -> PostgresLimits:
        """Where the rate limits of all processes of this tenant stand; closed with the journal."""
        return self._limits

    def bus(self) -> NotifyBus:
        """A wake-up bus between all who use this tenant's journal."""
        return NotifyBus(self.address)

    @contextmanager
    def reading(self) -> Iterator[Any]:
        """A reading session of its own."""
        connection = Connection(self.address)
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def _reading(self) -> Iterator[Any]:
        with self._read_lock:
            yield self._reader

    def _close_readers(self) -> None:
        with self._read_lock:
            self._reader.close()

    def _ask(self, statement: str, values: Sequence[Any]) -> Any:
        with self._read_lock:
            return self._reader.execute(statement, values).fetchone()


def _signed(number: int) -> int:
    """The unsigned 32-bit number as Postgres' integer; pg_locks shows it unsigned again."""
    return number - (1 << 32) if number >= 1 << 31 else number
