"""every provider: wire, key present or not, features, prices"""

from __future__ import annotations

import os
from typing import Any


def add(parser: Any) -> None:
    """The flags."""
    parser.add_argument("provider", metavar="PROVIDER", nargs="?", default="", help="only this one")


def run(args: Any) -> int:
    """A line a provider."""
    from remit.cli import _output
    from remit.runtime import Adapters

    rows = Adapters().provider_rows(os.environ, args.provider)
    if args.json:
        _output.json_line({"type": "result", "status": "ok", "providers": rows})
        return 0
    shown = [
        [row["name"], row["wire"], row["key"], "local" if row["local"] else "remote", str(row["priced"] or "none"),
         " ".join(row["supports"]), row["address"]]
        for row in rows
    ]  # fmt: skip
    _output.table(["PROVIDER", "WIRE", "KEY", "WHERE", "PRICED", "FEATURES", "ADDRESS"], shown)
    return 0
