"""Turn cells into the rows of DESIGN 11: figures, ratios to both floors, and the checks against the targets.

A ratio is always between two systems of the same run. The floor of a check is the loop over wreq unless the check names
another. A check without its figures is "not run", never passed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from measure import Cell, System

Cells = Mapping[tuple[str, str], Cell]
FLOOR, RAW, SUBJECT = "floor wreq", "floor raw", "remit"
DURABLE = "remit+sqlite"


@dataclass(frozen=True)
class Column:
    """One figure of a row, taken from a cell's medians."""

    title: str
    value: Callable[[Cell], float | None]
    digits: int = 2


@dataclass(frozen=True)
class Row:
    """One row of DESIGN 11: a mode, its columns (the first one is compared) and whether more is better."""

    mode: str
    title: str
    columns: tuple[Column, ...]
    more_is_better: bool = False
    ratios: bool = True


def _scaled(figure: str, factor: float) -> Callable[[Cell], float | None]:
    def value(cell: Cell) -> float | None:
        median = cell.median(figure)
        return None if median is None else median * factor

    return value


def _each(figure: str, factor: float) -> Callable[[Cell], float | None]:
    """Return figure / runs x factor."""

    def value(cell: Cell) -> float | None:
        total, runs = cell.median(figure), cell.median("runs")
        return total / runs * factor if total is not None and runs else None

    return value


def _per_second(cell: Cell) -> float | None:
    wall = cell.median("wall")
    runs = cell.median("runs")
    return runs / wall if wall and runs else None


def _live_kb(cell: Cell) -> float | None:
    """Resident memory of one waiting run with its connection: (peak - before) / runs."""
    peak, before, runs = cell.median("rss_peak_kb"), cell.median("rss_before_kb"), cell.median("runs")
    return (peak - before) / runs if peak is not None and before is not None and runs else None


WALL_MS, CPU_MS = Column("wall ms", _scaled("wall", 1e3), 1), Column("CPU ms", _scaled("cpu", 1e3), 1)
PEAK_MB = Column("peak MB", _scaled("rss_peak_kb", 1 / 1024), 0)
AT_ONCE = Column("at once", _scaled("at_once", 1), 0)
ROWS = (
    Row("import", "import, a whole process (bare = an empty one)", (WALL_MS, CPU_MS)),
    Row("help", "CLI help, a whole process", (WALL_MS, CPU_MS)),
    Row("cold", "cold start: process start to the first finished run", (WALL_MS, CPU_MS)),
    Row(
        "seq",
        "run = 2 model calls + 1 tool, sequential",
        (
            Column("p50 ms", _scaled("p50", 1e3), 3),
            Column("p99 ms", _scaled("p99", 1e3), 3),
            Column("CPU ms/run", _each("cpu", 1e3), 3),
        ),
    ),
    Row(
        "concurrent",
        "1,000 concurrent runs, one process",
        (
            Column("runs/s", _per_second, 0),
            Column("CPU ms/run", _each("cpu", 1e3), 3),
            PEAK_MB,
            AT_ONCE,
        ),
        more_is_better=True,
    ),
    Row(
        "waiting",
        "10,000 agents, 2 x 1 s model waits (ideal 2.0 s)",
        (
            Column("wall s", _scaled("wall", 1)),
            Column("CPU s", _scaled("cpu", 1)),
            PEAK_MB,
            Column("KB/run", _live_kb, 1),
            AT_ONCE,
        ),
    ),
    Row(
        "calls",
        "one more tool call in a run; the same run's p50",
        (Column("us/tool call", _scaled("tool", 1e6), 1), Column("run p50 ms", _scaled("few", 1e3), 3)),
        ratios=False,
    ),
    Row("idle", "idle agent with its own tool", (Column("bytes", _scaled("bytes_each", 1), 0),)),
    Row(
        "growth",
        "growth over the counted runs, after warm-up",
        (
            Column("objects", _scaled("grown_objects", 1), 0),
            Column("KB", _scaled("grown_kb", 1), 0),
            Column("runs", _scaled("runs", 1), 0),
        ),
        ratios=False,
    ),
    Row(
        "journal",
        "journal, synchronous=FULL, 1,000 writers",
        (
            Column("events/s", _scaled("events_per_s", 1), 0),
            Column("CPU us/event", _scaled("cpu_us", 1), 1),
            Column("p99 ms", _scaled("p99", 1e3), 1),
        ),
        more_is_better=True,
        ratios=False,
    ),
)


@dataclass(frozen=True)
class Check:
    """A target: `value(figure)` compared with `bound`; None = not run."""

    text: str
    bound: float
    value: float | None
    at_least: bool = False
    informative: bool = False

    @property
    def verdict(self) -> str:
        """PASS, FAIL or not run."""
        if self.value is None:
            return "not run"
        return "PASS" if (self.value >= self.bound if self.at_least else self.value <= self.bound) else "FAIL"


class Results:
    """All cells of one benchmark run, and what is read from them."""

    def __init__(self, systems: list[System], cells: Cells) -> None:
        self.systems = systems
        self.cells = cells

    def figure(self, name: str, mode: str, column: int = 0) -> float | None:
        """Return one figure of a system, or None when it was not measured."""
        cell = self.cells.get((name, mode))
        row = next(row for row in ROWS if row.mode == mode)
        return row.columns[column].value(cell) if cell and cell.rounds else None

    def best_peer(self, mode: str, column: int = 0) -> float | None:
        """Return the best figure among the peers (a slow one may have had a smaller load, which favours it)."""
        row = next(row for row in ROWS if row.mode == mode)
        values = [self.figure(system.name, mode, column) for system in self.systems if system.kind == "peer"]
        known = [value for value in values if value is not None]
        return (max if row.more_is_better else min)(known, default=None)

    def model_overhead_us(self, name: str, floor: str) -> float | None:
        """Return a model call's cost beyond the floor's, us: (run - floor's run - the tools' difference) / 2."""
        parts = [self.figure(name, "calls", 1), self.figure(floor, "calls", 1)]
        tools = [self.figure(name, "calls", 0), self.figure(floor, "calls", 0)]
        if None in parts or None in tools:
            return None
        run_us = (parts[0] - parts[1]) * 1e3  # type: ignore[operator]
        return (run_us - (tools[0] - tools[1])) / 2  # type: ignore[operator]

    def checks(self) -> dict[str, list[Check]]:
        """Return {mode: checks}; the bounds are those of DESIGN 11, spec/claims.md 3 and the issue's speed line."""
        get = self.figure

        def over(value: float | None, reference: float | None) -> float | None:
            return value / reference if value is not None and reference else None

        p50, p99, rate = get(SUBJECT, "seq"), get(SUBJECT, "seq", 1), get(SUBJECT, "concurrent")
        wait, journal = get(SUBJECT, "waiting"), get(SUBJECT, "journal")
        peer = self.best_peer
        return {
            "import": [
                Check("import remit, ms wall", 60, get(SUBJECT, "import")),
                Check("x import of the best peer", 0.63, over(get(SUBJECT, "import"), peer("import"))),
            ],
            "help": [Check("remit --help, ms CPU", 45, get(SUBJECT, "help", 1))],
            "cold": [
                Check("cold start, ms wall", 95, get(SUBJECT, "cold")),
                Check("x cold start of the best peer", 0.97, over(get(SUBJECT, "cold"), peer("cold"))),
            ],
            "seq": [
                Check("p50 x floor wreq", 1.5, over(p50, get(FLOOR, "seq"))),
                Check("p50 x floor raw", 1.5, over(p50, get(RAW, "seq")), informative=True),
                Check("p50 x best peer", 0.85, over(p50, peer("seq"))),
                Check("p99 x floor wreq", 1.5, over(p99, get(FLOOR, "seq", 1)), informative=True),
                Check("p99 x best peer", 0.85, over(p99, peer("seq", 1))),
                Check("CPU x best peer", 0.85, over(get(SUBJECT, "seq", 2), peer("seq", 2))),
            ],
            "concurrent": [
                Check("runs/s x best peer", 2, over(rate, peer("concurrent")), at_least=True),
                Check("runs/s x best peer (stretch)", 3, over(rate, peer("concurrent")), True, True),
                Check(
                    "with the sqlite journal, x best peer",
                    1.3,
                    over(get(DURABLE, "concurrent"), peer("concurrent")),
                    True,
                ),
                Check("peak MB at 1,000", 100, get(SUBJECT, "concurrent", 2)),
            ],
            "waiting": [
                Check("seconds", 2.8, wait),
                Check("x floor wreq", 1.4, over(wait, get(FLOOR, "waiting"))),
                Check("x floor raw", 1.4, over(wait, get(RAW, "waiting")), informative=True),
                Check("peak MB", 200, get(SUBJECT, "waiting", 2)),
                Check("KB per live run (with its connection)", 12, get(SUBJECT, "waiting", 3)),
            ],
            "calls": [
                Check("us per tool call, gate on", 40, get(SUBJECT, "calls")),
                Check("us per model call beyond floor wreq", 100, self.model_overhead_us(SUBJECT, FLOOR)),
                Check(
                    "us per model call beyond floor raw", 100, self.model_overhead_us(SUBJECT, RAW), informative=True
                ),
            ],
            "idle": [Check("bytes per idle agent", 2048, get(SUBJECT, "idle"))],
            "growth": [
                Check("objects kept per 1,000 runs", 1, self._grown_per_thousand(0)),
                Check("KB grown per 1,000 runs", 100, self._grown_per_thousand(1), informative=True),
            ],
            "journal": [
                Check("events/s", 20_000, journal, at_least=True),
                Check("events/s x plain SQLite", 0.44, over(journal, get("sqlite floor", "journal")), at_least=True),
                Check("p99 ms", 150, get(SUBJECT, "journal", 2)),
                Check("CPU us per event", 20, get(SUBJECT, "journal", 1)),
                Check("events/s encrypted", 14_000, get("remit+encrypted", "journal"), at_least=True),
            ],
        }

    def _grown_per_thousand(self, column: int) -> float | None:
        grown, runs = self.figure(DURABLE, "growth", column), self.figure(DURABLE, "growth", 2)
        return grown / runs * 1000 if grown is not None and runs else None


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:,.{digits}f}"


def _lines(results: Results, row: Row) -> list[list[str]]:
    """Return the table of one row: a header, then a line a system that was asked."""
    floors = [results.figure(name, row.mode) for name in (FLOOR, RAW)]
    against = ["x floor wreq", "x floor raw"] if row.ratios else []
    table = [[row.title, *(column.title for column in row.columns), *against]]
    for name, cell in ((name, cell) for (name, mode), cell in results.cells.items() if mode == row.mode):
        if not cell.rounds:
            table.append([name, cell.reason])
            continue
        main = results.figure(name, row.mode)
        ratios = [_number(main / floor if main is not None and floor else None, 2) for floor in floors if row.ratios]
        table.append([name, *(_number(column.value(cell), column.digits) for column in row.columns), *ratios])
    return table


def markdown(results: Results, head: list[str]) -> str:
    """Return the whole report as Markdown."""
    text = ["# remit bench", "", *head, ""]
    checks = results.checks()
    for row in ROWS:
        header, *body = _lines(results, row)
        if not body:
            continue
        text += ["| " + " | ".join(header) + " |", "|---" + "|---:" * (len(header) - 1) + "|"]
        text += ["| " + " | ".join(line + [""] * (len(header) - len(line))) + " |" for line in body]
        text += ["", *(_check_line(check) for check in checks.get(row.mode, [])), ""]
    return "\n".join(text)


def _check_line(check: Check) -> str:
    relation = ">=" if check.at_least else "<="
    note = " (no target, for information)" if check.informative else ""
    return f"- {check.text} {relation} {check.bound:g}: {_number(check.value, 2)} {check.verdict}{note}"


def plain(results: Results) -> str:
    """Return the whole report for a terminal, in aligned columns."""
    text: list[str] = []
    checks = results.checks()
    for row in ROWS:
        header, *body = _lines(results, row)
        if not body:
            continue
        text += ["", header[0], " " * 24 + "".join(f"{title:>14}" for title in header[1:])]
        for line in body:
            shown = "".join(f"{value:>14}" for value in line[1:]) if len(line) > 2 else "  " + line[1]
            text.append(f"  {line[0]:<22}{shown}")
        text += ["  " + _check_line(check)[2:] for check in checks.get(row.mode, [])]
    return "\n".join(text)


def as_json(results: Results, head: dict[str, Any]) -> dict[str, Any]:
    """Return every raw round and every check."""
    cells = [
        {"system": name, "mode": mode, "rounds": cell.rounds, "reason": "" if cell.rounds else cell.reason}
        for (name, mode), cell in results.cells.items()
    ]
    checks = [
        {"mode": mode, "text": one.text, "bound": one.bound, "value": one.value, "verdict": one.verdict}
        for mode, some in results.checks().items()
        for one in some
    ]
    return head | {"cells": cells, "checks": checks}
