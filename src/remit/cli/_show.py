"""The three views of one run: steps, cost, events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from remit.cli import _output
from remit.cli._open import MAX_LISTED_RUNS, event_line
from remit.core.usage import usd
from remit.journal.projections import cost, transcript
from remit.ports.journal import Entry, Journal

TEXT_WIDTH = 160


def show_events(entries: Sequence[Entry], with_result: bool) -> None:
    """Every event as one JSON line."""
    for entry in entries:
        _output.json_line(event_line(entry))
    if with_result:
        _output.json_line({"type": "result", "status": "ok", "events": len(entries)})


def show_cost(run_id: str, entries: Sequence[Entry], as_json: bool) -> None:
    """Tokens and money by model, and in all."""
    costs = cost.fold(cost.EMPTY, entries)
    rows = [*costs.models.items(), ("total", costs.total)]
    if as_json:
        for name, found in rows[:-1]:
            _output.json_line({"type": "cost", "run_id": run_id, "model": name, **_cost_data(found)})
        _output.json_line({"type": "result", "status": "ok", "run_id": run_id, **_cost_data(costs.total)})
        return
    _output.table(
        ("MODEL", "CALLS", "FAILED", "INPUT", "CACHED", "OUTPUT", "REASONING", "COST"),
        [
            (name, str(c.calls), str(c.failed), str(c.usage.input_tokens), str(c.usage.cached_tokens),
             str(c.usage.output_tokens), str(c.usage.reasoning_tokens), _output.money(c.nano))
            for name, c in rows
        ],
    )  # fmt: skip
    if costs.open_calls(run_id):
        _output.say(f"{costs.open_calls(run_id)} model call(s) began and have no outcome: they may have cost money too")


def show_transcript(run_id: str, entries: Sequence[Entry], journal: Journal, as_json: bool) -> None:
    """Every step: phase, decision, reason, text, label."""
    steps = transcript.fold(transcript.EMPTY, entries).steps
    status = next((row.status for row in journal.runs(MAX_LISTED_RUNS) if row.run_id == run_id), "")
    if as_json:
        for step in steps:
            _output.json_line({"type": "step", "run_id": run_id, **msgspec.to_builtins(step)})
        total = cost.fold(cost.EMPTY, entries).total
        _output.json_line({"type": "result", "status": "ok", "run_id": run_id, "run_status": status,
                           "steps": len(steps), "cost_usd": usd(total.nano)})  # fmt: skip
        return
    _output.data(f"{run_id}  {status}")
    first = entries[0].at_ms if entries else 0
    for step in steps:
        for line in step_lines(step, first):
            _output.data(line)
    if status == "waiting":
        _output.say(f"hint: it waits for a person: remit inbox; then: remit run --resume {run_id}")
    elif status == "interrupted":
        _output.say(f"hint: its process is gone: remit run --resume {run_id}")


def step_lines(step: transcript.Step, first_ms: int) -> list[str]:
    """One step as lines: what, the reason, the hint, the text."""
    name = step.name
    arguments = "" if step.arguments is None or step.phase == "think" else f" {_json(step.arguments)}"
    label = step.label
    trust = "  [untrusted]" if label is not None and label.untrusted else ""
    what = _output.one_line(f"{name}{arguments}{trust}", TEXT_WIDTH)
    head = f"{(step.at_ms - first_ms) / 1000:9.3f} s  {step.phase:<8}{step.decision:<10}{what}"
    lines = [head.rstrip()]
    indent = " " * 15
    if step.reason:
        lines.append(f"{indent}{_output.one_line(step.reason, TEXT_WIDTH)}")
    if step.hint:
        lines.append(f"{indent}hint: {_output.one_line(step.hint, TEXT_WIDTH)}")
    if step.text:
        lines.append(f"{indent}{_output.one_line(step.text, TEXT_WIDTH)}")
    if step.item:
        lines.append(f"{indent}item: {step.item}")
    return lines


def _cost_data(found: cost.Cost) -> dict[str, Any]:
    usage = found.usage
    return {
        "calls": found.calls,
        "failed": found.failed,
        "usage": {
            "input_tokens": usage.input_tokens,
            "cached_tokens": usage.cached_tokens,
            "output_tokens": usage.output_tokens,
            "reasoning_tokens": usage.reasoning_tokens,
        },
        "cost_usd": usd(found.nano),
    }


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
