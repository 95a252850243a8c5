"""The emergency stop from the command line: set it, look at it, lift it."""

from __future__ import annotations

import asyncio
from typing import Any

from remit.cli import _output
from remit.cli._answer import who
from remit.cli._cancel import ask_to_end
from remit.cli._open import MAX_LISTED_RUNS, with_journal
from remit.config import state_folder
from remit.errors import RemitError
from remit.guard.estop import EmergencyStop, Stop
from remit.ports.journal import Journal


def status(args: Any) -> int:
    """What holds now."""
    found = _stop().read()
    if args.json:
        _output.json_line({"type": "result", "status": "ok", "level": found.level if found else "",
                           "by": found.by if found else "", "reason": found.reason if found else ""})  # fmt: skip
    else:
        _output.data("nothing is stopped" if found is None else f"{found.level} {found.by} {found.reason}".rstrip())
    return 0


def lift(args: Any) -> int:
    """Let work go on."""
    was = _stop().lift()
    if args.json:
        _output.json_line({"type": "result", "status": "ok", "lifted": was})
    else:
        _output.data("lifted" if was else "nothing was stopped")
    return 0


def stop_all(args: Any) -> int:
    """Stop everything; with level kill, end the live `remit run`s of this user too."""
    from remit.runtime import Runtime

    now_ms = Runtime("memory:", tune_gc=False).clock.now_ms()
    _stop().set(Stop(args.level, who(), args.reason, now_ms))
    ended: list[str] = []
    if args.level == "kill":
        with_journal(args, lambda journal: _end_all(journal, ended))
    if args.json:
        _output.json_line({"type": "result", "status": "ok", "level": args.level, "ended": ended})
    else:
        _output.data(f"stopped: {args.level}" + (f", {len(ended)} run(s) ended" if args.level == "kill" else ""))
        _output.say("hint: let work go on with: remit cancel --lift")
    return 0


async def _end_all(journal: Journal, ended: list[str]) -> int:
    for row in journal.runs(MAX_LISTED_RUNS):
        if row.status == "running":
            try:
                ask_to_end(row.run_id, journal.holder(row.run_id))
                ended.append(row.run_id)
            except RemitError as e:  # held by a program of its own: the stop itself ends it at its next effect
                _output.say(f"{row.run_id}: {e.message}")
            await asyncio.sleep(0)
    return 0


def _stop() -> EmergencyStop:
    from remit.runtime import Runtime

    return EmergencyStop(str(state_folder()), Runtime("memory:", tune_gc=False).clock.monotonic)
