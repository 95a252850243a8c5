"""What waits for a person: approvals, questions and signals of runs, effects in doubt; each is answered once.

An edited call passes every check of the gate again. Answering needs runs:manage: whoever may only begin runs does not
approve their effects.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from remit.core.effects import measure_arguments
from remit.core.folders import state_path
from remit.errors import Conflict, Invalid
from remit.gateway.calls import MANAGE, READ, Call, Row
from remit.ports.journal import InboxRow


class AnswerRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What an answer is."""

    decision: Annotated[
        Literal["approved", "denied", "edited", "done", "not-done", "retry", "answered"],
        Meta(description="of an approval: approved, denied, edited; of an effect in doubt: done, not-done, retry; "
             "of a question: answered, denied"),
    ]  # fmt: skip
    arguments: Annotated[dict[str, Any], Meta(description="of edited: the call's new arguments")] | None = None
    value: Annotated[Any, Meta(description="of answered: what the form asks for")] = None
    reason: Annotated[str, Meta(max_length=2000, description="why; in doubt it is needed")] = ""
    digest: Annotated[str, Meta(max_length=200, description="of the arguments that were shown; unset = any")] = ""
    code: Annotated[str, Meta(max_length=16, description="of the authenticator, for listed calls")] = ""


async def listed(call: Call) -> dict[str, Any]:
    """What waits, oldest first."""
    return {"approvals": [_shown(row) for row in await call.gateway.records.items(call.principal)]}


async def answer(call: Call) -> dict[str, Any]:
    """Answer one; a second answer is approval_used, whoever gives it."""
    request = await call.read(AnswerRequest)
    gateway, item = call.gateway, call.path("item")
    row = next((row for row in await gateway.records.items(call.principal) if row.id == item), None)
    if row is None:
        return await _closed(call, item)
    _check(request, row)
    by = await _by(call, request, row)
    value = request.arguments if request.decision == "edited" else request.value
    given = "" if request.decision == "answered" else request.decision
    run_id = await gateway.runtime.answer(item, value, decision=given, by=by, reason=request.reason)
    root = await gateway.records.root_of(run_id, call.principal)
    await gateway.work.answered(root)
    return {"item": item, "decision": request.decision, "run_id": run_id}


def _check(request: AnswerRequest, row: InboxRow) -> None:
    fitting = {"approval": ("approved", "denied", "edited"), "in_doubt": ("done", "not-done", "retry")}
    allowed = fitting.get(row.kind, ("answered", "denied"))
    if request.decision not in allowed:
        raise Invalid("answer_invalid", f"{row.id} is of kind {row.kind}: {', '.join(allowed)}")
    if (request.decision == "edited") != (request.arguments is not None):
        raise Invalid("answer_invalid", "edited, and only edited, comes with arguments")
    if request.digest and request.digest != row.digest:
        raise Conflict("approval_used", f"{row.id} asks for another call than the one with this digest")


async def _by(call: Call, request: AnswerRequest, row: InboxRow) -> str:
    """Who answers; raises second_factor when the call is listed and the code does not count."""
    from remit.guard.totp import SecondFactor, needs_code

    name, section = call.principal.name, call.gateway.second_factor
    shown = row.arguments if request.arguments is None else request.arguments
    if request.decision not in ("approved", "edited") or not (section.tools or section.hosts):
        return name
    if not needs_code(section, row.tool, shown):
        return name
    now_s = call.gateway.runtime.clock.now_ms() // 1000
    await asyncio.to_thread(SecondFactor(state_path()).verify, request.code, now_s)
    return f"{name}, code"


async def _closed(call: Call, item: str) -> dict[str, Any]:
    """No open item: was it answered (approval_used), or was there never one that this caller may see (item_unknown)?"""
    if call.principal.sees_all:

        def never(asked: InboxRow) -> Any:
            raise Conflict("approval_used", f"{asked.id} was answered in this moment")

        await call.gateway.runtime.journal.answer(item, never)
    raise Invalid("item_unknown", f"no item {item[:60]!r} waits", hint="List them with: GET /v1/approvals")


def _shown(row: InboxRow) -> dict[str, Any]:
    names = ("id", "kind", "run_id", "tool", "arguments", "question", "form", "opened_ms", "due_ms")
    digest = row.digest or measure_arguments(row.tool, row.arguments)[1]
    return {**{name: getattr(row, name) for name in names}, "digest": digest}


ROUTES = (
    Row("GET", "/v1/approvals", READ, listed, "What waits for a person"),
    Row("POST", "/v1/approvals/{item}", MANAGE, answer, "Answer it, once", AnswerRequest),
)
