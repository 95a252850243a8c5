"""Time travel at the command line: a run at a moment, two of them compared, and a run that goes on from one."""

from __future__ import annotations

from typing import Any

import msgspec

from remit.cli import _output
from remit.cli._answer import who
from remit.cli._open import event_line, find_run
from remit.cli._show import step_lines
from remit.errors import Invalid
from remit.journal import fork as forking
from remit.journal.compare import Change, changes, divergence
from remit.journal.projections import state as states
from remit.journal.projections import transcript
from remit.ports.journal import Journal

WIDTH = 160


def moment(journal: Journal, text: str) -> tuple[str, int]:
    """`RUN` or `RUN@SEQ` as (run id, seq); without SEQ the last moment. Raises run_unknown, value_invalid."""
    name, at, number = text.rpartition("@") if "@" in text else (text, "", "")
    run_id = find_run(journal, name)
    last = len(journal.read(run_id))
    if not at:
        return run_id, last
    if not number.isascii() or not number.isdigit() or len(number) > 9 or not 1 <= int(number) <= last:
        raise Invalid("value_invalid", f"run {run_id} has the moments 1 to {last}, not {number!r:.20}")
    return run_id, int(number)


async def scrub(journal: Journal, args: Any) -> int:
    """The run up to a moment, or its state there."""
    run_id, seq = moment(journal, args.run if args.at is None else f"{args.run}@{args.at}")
    entries = forking.lineage(journal, run_id, seq)
    state = states.fold(states.EMPTY, entries)
    if args.state:
        if args.json:
            _output.json_line({"type": "state", "run_id": run_id, **msgspec.to_builtins(state)})
            _output.json_line({"type": "result", "status": "ok", "run_id": run_id, "seq": seq})
        else:
            _output.data(msgspec.json.format(msgspec.json.encode(state), indent=2).decode())
        return 0
    if args.json:
        for entry in entries:
            _output.json_line(event_line(entry))
        _output.json_line({"type": "result", "status": "ok", "run_id": run_id, "seq": seq, "run_status": state.status})
        return 0
    steps = transcript.fold(transcript.EMPTY, entries).steps
    for entry, step in zip(entries, steps, strict=True):
        where = f"{entry.seq:>6} " if entry.run_id == run_id else f"{entry.seq:>6}^"
        for number, line in enumerate(step_lines(step, entries[0].at_ms)):
            _output.data((where if number == 0 else " " * 7) + line)
    _output.say(f"{run_id}@{seq}: {state.status}; as data: --state; go on from here: remit fork {run_id} --at {seq}")
    return 0


async def diff(journal: Journal, args: Any) -> int:
    """What differs between two moments, and where two runs first went different ways. 1 when they differ."""
    found = []
    for text in (args.a, args.b):
        run_id, seq = moment(journal, text)
        found.append(states.fold(states.EMPTY, forking.lineage(journal, run_id, seq)))
    first, rows = divergence(*found), changes(*found)
    if args.json:
        for row in rows:
            _output.json_line({"type": "change", **msgspec.to_builtins(row)})
        _output.json_line({"type": "result", "status": "ok", "changes": len(rows),
                           "divergence": None if first is None else msgspec.to_builtins(first)})  # fmt: skip
        return 1 if rows else 0
    if first is not None:
        _output.data(f"first difference: {first.path}")
    for row in rows:
        _show(row)
    if not rows:
        _output.say("no difference")
    return 1 if rows else 0


async def fork(journal: Any, clock: Any, args: Any) -> int:
    """Make a fork, or list all of them as a tree."""
    if args.list:
        return _tree(journal, args)
    run_id = find_run(journal, args.run)
    edits = dict(_edit(text) for text in args.edit)
    own = journal.read(run_id)
    keys = [key for key in edits if key not in forking.EDITABLE]
    seq = args.at
    if seq is None:
        seq = max((forking.seq_of(own, key) for key in keys), default=1 if edits else _last(own))
    new = await forking.fork(journal, clock, run_id, seq, edits, who())
    if args.json:
        _output.json_line({"type": "result", "status": "ok", "run_id": new, "origin": run_id, "seq": seq,
                           "edits": sorted(edits)})  # fmt: skip
    else:
        _output.data(f"{new}: fork of {run_id}@{seq}")
        _output.say(f"hint: go on with: remit run --resume {new}")
    return 0


def _last(own: list[Any]) -> int:
    """The last moment at which the run can go on: before its end, when it has ended."""
    return len(own) - 1 if own[-1].body.startswith(b'{"type":"run_done"') else len(own)


def _edit(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise Invalid("usage_invalid", f"--edit {text!r:.80}: write KEY=VALUE")
    try:
        return key, msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return key, value  # plain text need not be quoted


def _tree(journal: Journal, args: Any) -> int:
    """Forks under what they come from."""
    below: dict[str, list[forking.Fork]] = {}
    found = forking.forks(journal)
    for each in reversed(found):
        below.setdefault(each.origin, []).append(each)
    wanted = find_run(journal, args.run) if args.run else ""
    if args.json:
        for each in found:
            if not wanted or each.origin == wanted:
                _output.json_line({"type": "fork", **msgspec.to_builtins(each)})
        _output.json_line({"type": "result", "status": "ok", "forks": len(found)})
        return 0
    own = {each.run_id for each in found}
    roots = [wanted] if wanted else [origin for origin in below if origin not in own]
    stack = [(0, root, "") for root in reversed(roots)]
    while stack:
        depth, run_id, how = stack.pop()
        _output.data(f"{'  ' * depth}{run_id}{how}")
        for each in reversed(below.get(run_id, [])):
            edits = f", edited {', '.join(each.edits)}" if each.edits else ""
            stack.append((depth + 1, each.run_id, f"  from @{each.seq}{edits}"))
    return 0


def _show(row: Change) -> None:
    if row.kind != "added":
        _output.data(f"- {row.path}: {_output.one_line(_json(row.before), WIDTH)}")
    if row.kind != "removed":
        _output.data(f"+ {row.path}: {_output.one_line(_json(row.after), WIDTH)}")


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
