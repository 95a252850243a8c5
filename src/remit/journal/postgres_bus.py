"""The wake-up bus between machines: Postgres' LISTEN and NOTIFY, one channel a tenant.

One thread owns the session. It sends what was told (each topic at most once every SEND_S), hands on what comes, and
opens the session again when it is lost; then all watches are woken, because anything may have been missed.

NOTIFY stands in no transaction that writes events: committing one that notifies takes a lock of the whole server.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from typing import Any, Final

import psycopg

from remit.errors import RemitError
from remit.journal.bus import Listener, LocalBus, LocalWatch, check_topic
from remit.journal.postgres_address import Address

SEND_S: Final = 0.02
RETRY_S: Final = 0.5


def channel_of(address: Address) -> str:
    """The channel of a schema's tenant: at most 63 characters, no two the same."""
    return "remit_" + sha256(f"{address.schema}/{address.tenant}".encode()).hexdigest()[:32]


class NotifyBus:
    """See ports.bus.Bus. Its session is opened with the first `tell` or `watch`."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._channel = channel_of(address)
        self._local = LocalBus()
        self._lock = threading.Lock()
        self._told: dict[str, None] = {}
        self._thread: threading.Thread | None = None
        self._closing = False
        self._wake_out, self._wake_in = os.pipe()
        os.set_blocking(self._wake_in, False)
        os.set_blocking(self._wake_out, False)

    def tell(self, topic: str) -> None:
        """See ports.bus.Bus."""
        check_topic(topic)
        self._local.wake(topic)
        with self._lock:
            self._told[topic] = None
        self._start()
        self._nudge()

    def watch(self, topic: str) -> LocalWatch:
        """See ports.bus.Bus."""
        self._start()
        return self._local.watch(topic)

    def listen(self, topic: str, call: Callable[[], None]) -> Callable[[], None]:
        """Call `call` in this loop whenever `topic` is told, or may have been; returns what ends it."""
        self._start()
        listener = Listener(call)
        self._local.add(check_topic(topic), listener)

        def end() -> None:
            listener.end()
            self._local.remove(topic, listener)

        return end

    async def aclose(self) -> None:
        """See ports.bus.Bus; what was told last is sent first, if the server answers."""
        import asyncio

        with self._lock:
            closed, self._closing = self._closing, True
        self._nudge()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, 5.0)
        await self._local.aclose()
        if not closed:
            os.close(self._wake_in)
            os.close(self._wake_out)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._closing:
                self._thread = threading.Thread(target=self._run, name="remit-bus", daemon=True)
                self._thread.start()

    def _nudge(self) -> None:
        with suppress(BlockingIOError, OSError):
            os.write(self._wake_in, b"!")

    # ---- the thread

    def _run(self) -> None:
        while not self._closing:
            try:
                with psycopg.connect(**self._address.connection(), autocommit=True) as raw:
                    # What comes while a statement runs is psycopg's to hand on; the rest is read in `_hand_on`.
                    raw.add_notify_handler(lambda told: self._wake(told.payload))
                    raw.execute(f'LISTEN "{self._channel}"'.encode())
                    self._local.wake("")
                    self._serve(raw)
            except (psycopg.Error, RemitError, OSError):
                if not self._closing:
                    select.select([self._wake_out], [], [], RETRY_S)
                    time.sleep(SEND_S)

    def _serve(self, raw: psycopg.Connection[Any]) -> None:
        while True:
            with self._lock:
                told, self._told = list(self._told), {}
            for topic in told:
                raw.execute("SELECT pg_notify(%s, %s)", (self._channel, f"{os.getpid()} {topic}"))
            if self._closing:
                return
            self._hand_on(raw)
            readable, _, _ = select.select([raw.fileno(), self._wake_out], [], [])
            if self._wake_out in readable:
                with suppress(BlockingIOError):
                    os.read(self._wake_out, 4096)
                time.sleep(SEND_S)  # what is told in this time is sent together

    def _hand_on(self, raw: psycopg.Connection[Any]) -> None:
        pgconn = raw.pgconn
        pgconn.consume_input()
        while (found := pgconn.notifies()) is not None:
            self._wake(found.extra.decode("utf-8", "replace"))

    def _wake(self, payload: str) -> None:
        self._local.wake(payload.partition(" ")[2] or "?")
