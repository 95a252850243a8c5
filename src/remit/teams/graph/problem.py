"""One problem of a graph, and the error that names them all."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from remit.errors import Invalid

SHOWN: Final = 20  # problems that one error names


class Problem(Struct, frozen=True):
    """One thing that is wrong with a graph."""

    where: str
    """node or edge"""
    why: str
    hint: str

    def __str__(self) -> str:
        return f"{self.where}: {self.why}. {self.hint}"


def refuse(name: str, problems: list[Problem]) -> None:
    """Raise graph_invalid for the problems, all of them in `details`."""
    if not problems:
        return
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    listed = [{"where": p.where, "why": p.why, "hint": p.hint} for p in problems[:SHOWN]]
    raise Invalid("graph_invalid", f"{name}, {first.where}: {first.why}{more}", hint=first.hint,
                  details={"problems": listed})  # fmt: skip
