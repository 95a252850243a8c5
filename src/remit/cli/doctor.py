"""Check what runs need: Python, sandbox, git, journal, keys, disk, clock, configuration.

Each line is ok or missing, with what to do. Exit code 0 when runs are possible; 5 when the journal or the
configuration does not work. A missing sandbox or git only means that the tools that need them are refused.
"""

from __future__ import annotations

from typing import Any


def add(parser: Any) -> None:
    """The flags."""
    from remit.cli._open import add_journal_flags

    add_journal_flags(parser)
    parser.add_argument(
        "--drop-snapshots",
        action="store_true",
        help="delete the cache that makes resuming long runs fast, and check nothing",
    )


def run(args: Any) -> int:
    """Check everything; one failing check never hides another."""
    from msgspec import structs

    from remit.cli import EXIT_OF_FAMILY, _output
    from remit.cli._doctor import examine

    if args.drop_snapshots:
        return _drop(args)
    checks = examine(args.journal)
    healthy = all(check.ok for check in checks if check.needed)
    for check in checks:
        if args.json:
            _output.json_line({"type": "check", **structs.asdict(check)})
        else:
            _output.data(f"{'ok' if check.ok else 'missing':<8} {check.name:<10} {_output.one_line(check.found, 300)}")
            if check.todo:
                _output.data(f"{'':<8} {'':<10} {check.todo}")
    if args.json:
        _output.json_line({"type": "result", "status": "ok" if healthy else "failed", "checks": len(checks),
                           "missing": [check.name for check in checks if not check.ok]})  # fmt: skip
    return 0 if healthy else EXIT_OF_FAMILY["Unavailable"]


def _drop(args: Any) -> int:
    """Delete the snapshots of the journal."""
    from remit.cli import _output
    from remit.cli._open import with_journal

    async def drop(journal: Any) -> int:
        store = getattr(journal, "snapshots", None)
        freed = 0 if store is None else store.forget()
        if args.json:
            _output.json_line({"type": "result", "status": "ok", "bytes": freed})
        else:
            _output.data(f"dropped {freed} bytes of snapshots; runs go on as before, long ones more slowly at first")
        return 0

    return with_journal(args, drop)
