"""Verify that nothing in the journal was altered.

`remit audit verify` checks the hash chain of every run (or of RUN) and what is kept beside it. Exit code 0:
intact; 6: every problem is printed.
"""

from __future__ import annotations

from typing import Any


def add(parser: Any) -> None:
    """The flags."""
    actions = parser.add_subparsers(dest="action", metavar="verify", required=True)
    verify = actions.add_parser("verify", help="check the hash chains", allow_abbrev=False)
    verify.add_argument("run", metavar="RUN", nargs="?", default="", help="only this run: id, its beginning, or last")
    verify.add_argument("--json", action="store_true", help="one line a problem, then one result line")
    verify.add_argument("--journal", metavar="SPEC", help="sqlite:PATH")


def run(args: Any) -> int:
    """Verify."""
    from remit.cli import EXIT_OF_FAMILY, _output
    from remit.cli._open import MAX_LISTED_RUNS, find_run, with_journal
    from remit.errors import Conflict

    async def work(journal: Any) -> int:
        run_id = find_run(journal, args.run) if args.run else ""
        problems = list(journal.verify(run_id))
        count = 1 if run_id else len(journal.runs(MAX_LISTED_RUNS))
        error = Conflict("chain_broken", f"{len(problems)} problem(s) in the journal") if problems else None
        if args.json:
            for problem in problems:
                _output.json_line({"type": "problem", "text": problem})
            status = "failed" if error else "ok"
            _output.json_line({"type": "result", "status": status, "intact": not problems, "problems": len(problems),
                               "runs": count, "error": error.for_user() if error else None})  # fmt: skip
        else:
            for problem in problems:
                _output.data(problem)
            if error is None:
                _output.data(f"intact: {count} run(s)")
        if error is not None:
            _output.say_error(error)
            return EXIT_OF_FAMILY[error.family]
        return 0

    return with_journal(args, work)
