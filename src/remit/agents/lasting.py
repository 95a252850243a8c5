"""A revocation in the journal: in a run of its own, and in the run that it names while nobody holds that one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remit.core.events import GrantRevoked, RunDone, RunStarted
from remit.core.ids import new_id
from remit.errors import Conflict

if TYPE_CHECKING:
    from remit.agents.runner import Runner


async def journal_revocation(runner: Runner, event: GrantRevoked) -> None:
    """Write it; durable on return. Raises run_unknown, disk_failed."""
    if event.run:
        runner.journal.read(event.run)  # it exists
        try:
            log = await runner.journal.activate(event.run)
        except Conflict as held:
            if held.code != "run_active":
                raise
        else:
            log.append(event)
            await log.release("waiting")
    run_id = new_id("run", runner.clock.now_ms(), runner.clock.random_bits(80))
    started = RunStarted("", f"revoke {event.grant} in {event.run or 'every run'}", parent=event.run)
    own = runner.journal.create(run_id, started)
    own.append(event)
    own.append(RunDone("ok"))
    await own.release("ok")
