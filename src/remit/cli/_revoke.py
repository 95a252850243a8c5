"""Taking a grant back from outside of the process that uses it."""

from __future__ import annotations

import re
from typing import Any, Final

from remit.cli import _output
from remit.cli._answer import who
from remit.cli._open import find_run, open_runtime, settings_here
from remit.config import state_folder
from remit.errors import Invalid
from remit.guard.revoked import FILE_NAME, read

_ID: Final = re.compile(r"g_[0-9a-f]{16}")


def revoke(args: Any) -> int:
    """Revoke, or list what is revoked."""
    if args.list:
        return _list(args)
    if not _ID.fullmatch(args.grant):
        raise Invalid("usage_invalid", f"{args.grant[:40]!r} is no id of a grant",
                      hint="remit policy explain RUN prints the ids: g_ and 16 hex digits.")  # fmt: skip
    from remit.ports.stream import run_loop

    async def main() -> str:
        async with open_runtime(settings_here(args)) as runtime:
            run_id = find_run(runtime.journal, args.run) if args.run else ""
            await runtime.revoke_lastingly(args.grant, run_id, by=who(), reason=args.reason)
            return run_id

    run_id: str = run_loop(main())
    if args.json:
        _output.json_line({"type": "result", "status": "ok", "grant": args.grant, "run_id": run_id})
    else:
        _output.data(f"{args.grant} is revoked in {run_id or 'every run'}")
    return 0


def _list(args: Any) -> int:
    entries = read(str(state_folder() / FILE_NAME))
    if args.json:
        rows = [{"grant": e.grant, "run_id": e.run, "by": e.by, "reason": e.reason, "at_ms": e.at_ms} for e in entries]
        _output.json_line({"type": "result", "status": "ok", "revoked": rows})
    else:
        _output.table(
            ["GRANT", "RUN", "BY", "REASON"], [[e.grant, e.run or "every run", e.by, e.reason] for e in entries]
        )
    return 0
