"""Parties: lines of work of one team that run side by side and may wait for each other.

    await parties(work, {"ann": ann, "bob": bob})      # async functions without arguments

Each is a party of the graph of waits while it runs, with all that it starts; whoever calls this waits for all of them.
When one ends, channels that only it could fill are closed, so that nobody waits for it for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from remit.teams.coordination.waits import PRIORITY
from remit.teams.work import first_error

if TYPE_CHECKING:
    from remit.teams.work import Work


async def parties(work: Work, lines: Mapping[str, Callable[[], Awaitable[Any]]]) -> dict[str, Any]:
    """What each of the lines returns, by name.

    Raises: the first error; the others are cancelled then. Parked: when all others have finished.
    """
    graph = work.waits
    for name in lines:  # all of them are there before the first one waits for another
        party = graph.parties.get(name)
        graph.add(name, PRIORITY if party is None else party.priority)
    running = set(lines)

    async def one(name: str) -> Any:
        try:
            with graph.line(name, graph.parties[name].priority):
                return await lines[name]()
        finally:
            running.discard(name)
            _ended(work, name, running)

    caller = graph.line_of()
    everybody = work.ask_all([partial(one, name) for name in lines], at_once=len(lines))
    if not caller:
        return dict(zip(lines, await everybody, strict=True))
    join: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    try:
        async with asyncio.TaskGroup() as group:  # its own line waits for all of them
            task = group.create_task(everybody)
            task.add_done_callback(lambda _: graph.wake(caller, join))
            await graph.wait(caller, list(lines), every=True, why="waits for all", future=join)
    except BaseExceptionGroup as e:
        raise first_error(e) from None
    return dict(zip(lines, task.result(), strict=True))


def _ended(work: Work, name: str, running: set[str]) -> None:
    if work.mailboxes is not None and name in work.mailboxes.parties:
        work.mailboxes.leave(name)
    for channel in list(work.channels.values()):
        if name in channel.senders and not channel.senders & (running | (work.waits.parties.keys() - {name})):
            channel.close()
