"""Make a run that goes on from a moment of another one, with results edited if you like.

The fork shares its past by reference: nothing of it is run again. Before an unsafe effect it asks, because the other
run may have done it. KEY is a structural key (`turn/1/call/0`, `wf/fetch`; `remit scrub RUN --state` lists them), or
at the first moment task, input, instructions, model or version. Then go on with: remit run --resume FORK
"""

from __future__ import annotations

from typing import Any


def add(parser: Any) -> None:
    """The flags."""
    from remit.cli._open import add_journal_flags

    add_journal_flags(parser)
    parser.add_argument("run", metavar="RUN", nargs="?", default="", help="an id, its beginning, or last")
    parser.add_argument("--at", metavar="SEQ", type=int, help="the moment; by default the last, or that of the edit")
    parser.add_argument("--edit", metavar="KEY=VALUE", action="append", default=[], help="another result; JSON or text")
    parser.add_argument("--list", action="store_true", help="all forks as a tree, of RUN or of all runs")


def run(args: Any) -> int:
    """Fork or list."""
    from remit.cli._open import open_runtime, settings_here
    from remit.cli._travel import fork
    from remit.errors import Invalid
    from remit.ports.stream import run_loop

    if not args.run and not args.list:
        raise Invalid("usage_invalid", "name the RUN to fork, or --list")
    settings = settings_here(args)

    async def main() -> int:
        async with open_runtime(settings) as runtime:
            return await fork(runtime.journal, runtime.clock, args)

    code: int = run_loop(main())
    return code
