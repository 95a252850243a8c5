"""Every wake-up bus keeps the contract of the bus port; the log is followed without a gap whatever the bus loses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from remit.core.events import Reflected
from remit.journal.bus import LocalBus, follow
from remit.journal.postgres import PostgresJournal
from remit.journal.postgres_address import parse_address
from remit.journal.postgres_bus import NotifyBus
from remit.ports.bus import LOG, Bus
from remit.ports.conformance.bus import CHECKS
from remit.ports.conformance.journal import STARTED, CountingClock


@pytest.mark.parametrize("kind", ["local", "postgres"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_bus_conforms(check: Callable[[Any], None], kind: str, request: pytest.FixtureRequest) -> None:
    """The check of the suite holds for this bus."""
    server = request.getfixturevalue("postgres") if kind == "postgres" else None

    def make() -> Bus:
        return LocalBus() if server is None else NotifyBus(parse_address(server.address()))

    check(make)


@pytest.mark.parametrize("lossy", [False, True])
def test_the_log_is_followed_without_a_gap(postgres: Any, lossy: bool) -> None:
    """Of two journals that write at once every record comes once and in order, also when no wake-up arrives."""
    address = parse_address(postgres.address())

    async def write(journal: PostgresJournal, bus: Bus, name: str) -> None:
        for number in range(20):
            log = journal.create(f"run_{name}_{number}", STARTED)
            log.append(Reflected(number, "", "none"))
            await log.release("waiting")
            if not lossy:
                bus.tell(LOG)

    async def case() -> None:
        journals = [PostgresJournal(address, CountingClock()) for _ in range(2)]
        told, heard = NotifyBus(address), NotifyBus(address)
        seen: list[int] = []

        async def read() -> None:
            async for page in follow(journals[0], heard):
                seen.extend(record.position for record in page)
                if len(seen) == 80:
                    return

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(read())
            for journal, name in zip(journals, "ab", strict=True):
                group.create_task(write(journal, told, name))
        assert seen == list(range(1, 81))
        for each in (told, heard, *journals):
            await each.aclose()

    asyncio.run(case())
