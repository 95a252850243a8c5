"""Carry out the runs that were submitted to a pool.

A worker takes runs of `remit run --pool POOL` and of programs that submit them, and goes on with them until they end
or wait. Several workers may serve one pool: with [dispatch] temporal in remit.toml a Temporal server hands runs out and
takes them from workers that are lost or frozen; without it each worker looks into the journal itself, which also finds
the runs of killed workers. SIGTERM parks the runs under way: another worker goes on with them.
"""

from __future__ import annotations

from typing import Any


def add(parser: Any) -> None:
    """The flags."""
    from remit.cli._open import add_journal_flags

    add_journal_flags(parser)
    parser.add_argument("--pool", metavar="POOL", default="default", help="whose runs (default: default)")
    parser.add_argument("--tenant", metavar="NAME", action="append", help="serve this tenant (repeat; Postgres only)")
    parser.add_argument("--app", metavar="MODULE:NAME", help="the program's agents and workflows: a dict, or a list")
    parser.add_argument("--concurrency", metavar="N", type=int, default=100, help="runs at once (default: 100)")
    parser.add_argument("--sweep-s", metavar="S", type=float, default=5.0, help="seconds between looks (default: 5)")
    parser.add_argument("--temporal", metavar="HOST:PORT", help="replaces [dispatch] temporal")
    parser.add_argument("--until-idle", action="store_true", help="end once no run of the pool can go on")


def run(args: Any) -> int:
    """Serve until a signal."""
    from remit.cli._worker import start

    return start(args)
