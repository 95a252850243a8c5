"""Follow a run of another process until it ends.

Events that the journal already holds are shown first. RUN is an id, a unique beginning of one, or `last`.
Ends with the exit code of the run; when its process is gone, with 1.
"""

from __future__ import annotations

from typing import Any

POLL_S = 0.1


def add(parser: Any) -> None:
    """The flags."""
    from remit.cli._open import add_journal_flags

    add_journal_flags(parser)
    parser.add_argument("run", metavar="RUN", help="an id, its beginning, or last")


def run(args: Any) -> int:
    """Follow."""
    import asyncio

    from remit.cli import _output, exit_of
    from remit.cli._open import MAX_LISTED_RUNS, event_line, find_run, with_journal
    from remit.cli._progress import Progress
    from remit.journal.chain import decode_event

    def status_of(journal: Any, run_id: str) -> str:
        return next((row.status for row in journal.runs(MAX_LISTED_RUNS) if row.run_id == run_id), "")

    async def work(journal: Any) -> int:
        run_id = find_run(journal, args.run)
        progress, seen, status = Progress(), 0, "running"
        while True:
            status = status_of(journal, run_id)
            # Read after asking for the status: what was written before the end is shown before it.
            for entry in journal.read(run_id, seen):
                seen = entry.seq
                if args.json:
                    _output.json_line(event_line(entry))
                else:
                    progress.show(decode_event(entry.body))
            if status != "running":
                break
            await asyncio.sleep(POLL_S)
        if args.json:
            _output.json_line({"type": "result", "run_id": run_id, "status": status, "events": seen})
        else:
            _output.say(f"{status}: {run_id}")
        return exit_of(status)

    return with_journal(args, work)
