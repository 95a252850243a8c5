"""Questions to a person from a team's own code: journalled, answered once, waited for over restarts.

`remit approve ITEM` answers yes, `--deny` no, `--edit JSON` with values: `{"answer": ...}` for a question, the
changed fields for a gate. An answer that does not fit the asked kind is asked for again.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, Final

from remit.core.effects import measure_arguments
from remit.core.events import WaitClosed, WaitOpened
from remit.core.ids import new_id
from remit.errors import Denied, Invalid
from remit.ports.journal import InboxRow
from remit.teams.outcome import Parked
from remit.teams.work import Work, check_digest

KINDS: Final = ("text", "text_area", "boolean", "number", "select", "multi_select", "date_time", "file", "json")
AGAIN: Final = 3  # times that an answer which does not fit is asked for again


async def question(work: Work, key: str, name: str, text: str, arguments: dict[str, Any]) -> WaitClosed:
    """The answer to one question; raises Parked while there is none, NonDeterminism for another question."""
    digest = measure_arguments(name, [text, arguments])[1]
    record = work.recorded.get(key) if work.recorded is not None else None
    if record is not None and record.wait is not None:
        if record.answer is not None:
            answer: WaitClosed = record.answer
            return answer
        check_digest(key, record, name, digest)
        row = InboxRow(record.item, "approval", work.scope.run_id, name, arguments, key, digest, text)
    else:
        clock = work.runtime.clock
        item = new_id("ask", clock.now_ms(), clock.random_bits(80))
        row = InboxRow(item, "approval", work.scope.run_id, name, arguments, key, digest, text, clock.now_ms())
        work.scope.emit(WaitOpened(key, item, name, digest, text, arguments))
    approver = work.runtime.gate.approver
    if approver is None:
        raise Parked((row.id,))
    await work.scope.log.flush()
    given = await approver.ask(row)
    if given is None:
        raise Parked((row.id,))
    closed = WaitClosed(key, row.id, given.decision, digest, given.by, given.reason, given.arguments)
    work.scope.emit(closed)
    return closed


async def ask(
    work: Work, key: str, text: str, *, kind: str = "", choices: Sequence[Any] = (), default: Any = None
) -> Any:
    """What a person answers.

    Args:
        kind: one of KINDS; by default select where there are choices, else text.
        choices: of select and multi_select.
        default: what a plain yes means; by default the first choice, or True.

    Raises:
        Denied: approval_refused, where no cannot be said otherwise. Parked: while nobody has answered.
    """
    kind = kind or ("select" if choices else "text")
    if kind not in KINDS or (kind in ("select", "multi_select")) != bool(choices):
        raise Invalid("value_invalid", f"ask: kind {kind!r} with {len(choices)} choices; kinds are {', '.join(KINDS)}")
    arguments: dict[str, Any] = {"kind": kind, **({"choices": list(choices)} if choices else {})}
    problem = ""
    for attempt in range(AGAIN + 1):
        shown = f"{text} ({problem})" if problem else text
        answer = await question(work, f"{key}#{attempt}" if attempt else key, "ask", shown, arguments)
        value = _value(answer, kind, choices, default)
        problem = "" if _no(answer) else _misfit(kind, value, choices)
        if not problem:
            return value
    raise Invalid("value_invalid", f"the question {text!r:.80} got no fitting answer: {problem}")


def _no(answer: WaitClosed) -> bool:
    return answer.decision not in ("approved", "edited")


def _value(answer: WaitClosed, kind: str, choices: Sequence[Any], default: Any) -> Any:
    if _no(answer):
        if kind == "boolean":
            return False
        if kind == "select" and len(choices) == 2:
            return choices[1]
        raise Denied("approval_refused", f"a person said no: {answer.reason or 'no reason given'}")
    if answer.decision == "edited":
        return (answer.arguments or {}).get("answer")
    if default is not None:
        return default
    return (
        choices[0]
        if kind == "select"
        else list(choices)
        if kind == "multi_select"
        else True
        if kind == "boolean"
        else ""
    )


def _misfit(kind: str, value: Any, choices: Sequence[Any]) -> str:
    """Why the value is no answer of this kind; "" = it is one."""
    match kind:
        case "select":
            return "" if value in choices else f"answer with one of {list(choices)}"
        case "multi_select":
            fits = isinstance(value, list) and all(v in choices for v in value)
            return "" if fits else f"answer with a list of some of {list(choices)}"
        case "boolean":
            return "" if isinstance(value, bool) else "answer true or false"
        case "number":
            return "" if isinstance(value, int | float) and not isinstance(value, bool) else "answer with a number"
        case "date_time":
            return "" if _is_time(value) else "answer with an ISO 8601 date or time"
        case "json":
            return ""
        case _:
            return "" if isinstance(value, str) else "answer with text"


def _is_time(value: Any) -> bool:
    try:
        datetime.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True
