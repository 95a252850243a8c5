"""Answers of a person: approvals and what became of effects in doubt. Each is one event of its run, once."""

from __future__ import annotations

import os
import pwd
from base64 import b64encode
from typing import Any, NoReturn

import msgspec

from remit.cli import _output
from remit.cli._open import find_item
from remit.core.effects import measure_arguments
from remit.core.events import EffectResolved, WaitClosed
from remit.core.forms import MAX_FILE_BYTES, describe, form_of, read
from remit.errors import Conflict, Invalid
from remit.guard.waits import closing
from remit.ports.journal import InboxRow, Journal


async def list_items(journal: Journal, as_json: bool) -> int:
    """The open items, oldest first."""
    rows = journal.inbox()
    if as_json:
        for row in rows:
            _output.json_line(_shown(row))
        _output.json_line({"type": "result", "status": "ok", "items": len(rows)})
        return 0
    if not rows:
        _output.say("Nothing waits for you.")
        return 0
    _output.table(
        ("ITEM", "KIND", "RUN", "TOOL", "ARGUMENTS"),
        [(row.id, row.kind, row.run_id, row.tool, _asked(row)) for row in rows],
    )
    if any(row.form for row in rows):
        _output.say("hint: remit inbox answer ITEM VALUE")
    if any(row.kind == "approval" for row in rows):
        _output.say("hint: remit approve ITEM [--deny | --edit JSON]")
    if any(row.kind == "in_doubt" for row in rows):
        _output.say("hint: remit inbox resolve ITEM done|not-done|retry --reason TEXT")
    return 0


def _shown(row: InboxRow) -> dict[str, Any]:
    found = {name: getattr(row, name) for name in ("id", "kind", "run_id", "tool", "arguments")}
    if row.form:
        found |= {"question": row.question, "form": row.form}
    return found | ({"due_ms": row.due_ms} if row.due_ms else {})


def _asked(row: InboxRow) -> str:
    if not row.form:
        return msgspec.json.encode(row.arguments).decode()
    return f"{row.question} ({describe(form_of(row.form))})"


async def give(journal: Journal, args: Any) -> int:
    """Answer a question of a run, or give it the signal that it waits for."""
    row = find_item(journal, args.item)
    if row is None:
        await _closed(journal, args.item)
    if not row.form:
        right = "remit approve ITEM" if row.kind == "approval" else "remit inbox resolve ITEM done|not-done|retry"
        raise Invalid("usage_invalid", f"{row.id} is of kind {row.kind}", hint=f"Answer it with: {right}")
    if args.deny == (args.value is not None):
        raise Invalid("usage_invalid", "give a VALUE, or --deny")
    form = form_of(row.form)
    value = None if args.deny else _file(args.value) if form.kind == "file" else read(form, args.value)
    decision = "denied" if args.deny else "answered"
    run_id = await journal.answer(row.id, lambda asked: closing(asked, decision, value, who(), args.reason))
    return _answered(run_id, row, decision, args.json)


def _file(text: str) -> dict[str, str]:
    """`@PATH` as the value of a file's form."""
    if not text.startswith("@"):
        raise Invalid("answer_invalid", "a file is given as @PATH")
    with open(text[1:], "rb") as file:
        data = file.read(MAX_FILE_BYTES + 1)
    return {"name": os.path.basename(text[1:]), "data": b64encode(data).decode()}


async def approve(journal: Journal, args: Any) -> int:
    """Approve, deny or edit one call."""
    row = await _open_item(journal, args.item, "approval")
    edited = _edited(args.edit)
    decision = "denied" if args.deny else "edited" if edited is not None else "approved"
    by = who() if args.deny else _with_code(row, edited, args.code)

    def make(asked: InboxRow) -> WaitClosed:
        digest = asked.digest if edited is None else measure_arguments(asked.tool, edited)[1]
        return WaitClosed(asked.key, asked.id, decision, digest, by, args.reason, edited)

    return _answered(await journal.answer(row.id, make), row, decision, args.json)


def _with_code(row: InboxRow, edited: dict[str, Any] | None, code: str) -> str:
    """Who answers; raises second_factor when the call is listed and the code does not count."""
    from remit.config import load, state_folder

    section = load(os.getcwd()).second_factor
    if not (section.tools or section.hosts):
        return who()
    from remit.guard.totp import SecondFactor, needs_code
    from remit.runtime import Runtime

    if not needs_code(section, row.tool, row.arguments if edited is None else edited):
        return who()
    SecondFactor(str(state_folder())).verify(code, Runtime("memory:", tune_gc=False).clock.now_ms() // 1000)
    return f"{who()}, code"


def enroll(args: Any) -> int:
    """Make a second factor; its secret is shown this once."""
    from remit.config import state_folder
    from remit.guard.totp import SecondFactor

    uri = SecondFactor(str(state_folder())).enroll(who().removeprefix("user "))
    if args.json:
        _output.json_line({"type": "result", "status": "ok", "uri": uri})
    else:
        _output.data(uri)
        _output.say("hint: put it into your authenticator now; it is not shown again")
    return 0


async def resolve(journal: Journal, args: Any) -> int:
    """Say what became of an effect."""
    if not args.reason.strip():
        raise Invalid("usage_invalid", "--reason is empty: say how you know")
    row = await _open_item(journal, args.item, "in_doubt")

    def make(asked: InboxRow) -> EffectResolved:
        return EffectResolved(asked.key, asked.id, args.resolution, who(), args.reason)

    return _answered(await journal.answer(row.id, make), row, args.resolution, args.json)


def who() -> str:
    """The name of the user at the command line."""
    try:
        return f"user {pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:
        return f"user {os.getuid()}"


async def _open_item(journal: Journal, text: str, kind: str) -> InboxRow:
    row = find_item(journal, text)
    if row is None:
        await _closed(journal, text)
    if row.kind != kind:
        resolve_it = "remit inbox resolve ITEM done|not-done|retry --reason TEXT"
        right = resolve_it if kind == "approval" else "remit approve ITEM"
        raise Invalid("usage_invalid", f"{row.id} is of kind {row.kind}", hint=f"Answer it with: {right}")
    found: InboxRow = row
    return found


async def _closed(journal: Journal, text: str) -> NoReturn:
    """No open item: the journal says whether it was answered before (approval_used) or never was (item_unknown)."""

    def never(asked: InboxRow) -> NoReturn:
        raise Conflict("approval_used", f"{asked.id} was answered in this moment")

    await journal.answer(text, never)
    raise Invalid("item_unknown", f"no inbox item {text!r:.60}")


def _edited(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as e:
        raise Invalid("usage_invalid", f"--edit is not JSON: {e}") from None
    if not isinstance(found, dict):
        raise Invalid("usage_invalid", "--edit is not a JSON object")
    return found


def _answered(run_id: str, row: InboxRow, decision: str, as_json: bool) -> int:
    if as_json:
        _output.json_line({"type": "result", "status": "ok", "item": row.id, "decision": decision, "run_id": run_id})
    else:
        _output.data(f"{row.id}: {decision} ({row.tool})")
        _output.say(f"hint: go on with: remit run --resume {run_id}")
    return 0
