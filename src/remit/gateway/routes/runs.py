"""Runs: submit, list, look at, follow, cancel, go on."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from remit.errors import Conflict, Invalid
from remit.gateway.bounding import RunRequest
from remit.gateway.calls import READ, WRITE, Access, Call, Row
from remit.gateway.streams import EventStream
from remit.journal.heads import FINAL

STATUSES = (*sorted(FINAL), "running", "waiting", "interrupted")


class CancelRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What cancel takes."""

    reason: Annotated[str, Meta(max_length=2000)] = ""


async def submit(call: Call) -> dict[str, Any]:
    """Begin a run; it is durable before the answer comes."""
    call.gateway.check_open()
    request = await call.read(RunRequest)
    agent = call.gateway.bounding.agent(request, call.principal)
    run_id = await call.gateway.work.submit(agent, request.task, by=call.principal.name, subject=request.subject)
    return {"run_id": run_id, "pool": call.gateway.work.pool, "events": f"/v1/runs/{run_id}/events"}


async def listed(call: Call) -> dict[str, Any]:
    """The newest runs that the caller may see."""
    status = call.request.query_params.get("status", "")
    if status and status not in STATUSES:
        raise Invalid("request_invalid", f"status={status!r:.40}; one of {', '.join(STATUSES)}")
    return {"runs": await call.gateway.records.runs(call.principal, call.number("limit", 20, 100), status)}


async def page(call: Call) -> dict[str, Any]:
    """One run: status, output, cost, what it waits for."""
    run_id = call.path("run_id")
    await call.gateway.records.root_of(run_id, call.principal)
    return await call.gateway.records.page(run_id)


async def events(call: Call) -> EventStream:
    """The run's journal as server-sent events; the id of an event is its sequence number."""
    run_id = call.path("run_id")
    await call.gateway.records.root_of(run_id, call.principal)
    last = call.request.headers.get("last-event-id", "")
    if last and not (last.isascii() and last.isdigit() and len(last) < 12):
        raise Invalid("request_invalid", f"Last-Event-ID {last[:40]!r} is no sequence number")
    return EventStream(call.gateway, call.principal, run_id, int(last) if last else call.number("after", 0, 10**11))


async def cancel(call: Call) -> dict[str, Any]:
    """End a run, wherever it stands."""
    run_id, request = call.path("run_id"), await call.read(CancelRequest)
    root = await call.gateway.records.root_of(run_id, call.principal)
    if root != run_id:
        raise Invalid("request_invalid", f"{run_id} is part of {root}: cancel that one")
    status = await call.gateway.records.status(run_id)
    if status in FINAL:
        raise Conflict("run_active", f"run {run_id} has ended: {status}")
    await call.gateway.work.cancel(run_id, call.principal.name, request.reason)
    return {"run_id": run_id, "cancelled": True}


async def resume(call: Call) -> dict[str, Any]:
    """Go on with a parked run now."""
    call.gateway.check_open()
    run_id = call.path("run_id")
    root = await call.gateway.records.root_of(run_id, call.principal)
    status = await call.gateway.records.status(root)
    if status in FINAL or status == "running":
        raise Conflict("run_active", f"run {root} is {status}")
    waiting = [row.id for row in await call.gateway.records.items(call.principal) if row.run_id == root]
    if waiting:
        raise Conflict("run_active", f"run {root} waits for an answer: {', '.join(waiting[:5])}",
                       hint="POST /v1/approvals/ITEM")  # fmt: skip
    await call.gateway.work.go_on(root)
    return {"run_id": root, "resumed": True}


ROUTES = (
    # The permission depends on what is asked for (run_agent, create_agent): bounding.py checks it.
    Row("POST", "/v1/runs", Access(("runs:write", "runs:manage")), submit, "Begin a run", RunRequest, 202),
    Row("GET", "/v1/runs", READ, listed, "The newest runs: ?limit=20&status=waiting"),
    Row("GET", "/v1/runs/{run_id}", READ, page, "One run"),
    Row("GET", "/v1/runs/{run_id}/events", READ, events, "Its events, as server-sent events"),
    Row("POST", "/v1/runs/{run_id}/cancel", WRITE, cancel, "End it", CancelRequest),
    Row("POST", "/v1/runs/{run_id}/resume", WRITE, resume, "Go on with it", None, 202),
)
