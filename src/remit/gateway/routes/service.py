"""The service itself: whether it is ready, who one is, challenges for tokens, and the description of everything."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import Any

import remit
from remit.errors import Invalid
from remit.gateway.calls import ANYBODY, Access, Call, Row


async def ready(call: Call) -> dict[str, Any]:
    """Whether work is taken: the journal answers, and the server is not ending."""
    call.gateway.check_open()
    await asyncio.to_thread(call.gateway.runtime.journal.runs, 1)
    return {"status": "ready"}


async def ping(call: Call) -> dict[str, Any]:
    """Who asks, as the server sees them."""
    who = call.principal
    roles = [role.name for role in who.person.roles]
    return {"status": "ok", "version": remit.__version__, "principal": who.name, "scopes": sorted(who.scopes),
            "roles": roles}  # fmt: skip


async def challenge(call: Call) -> dict[str, Any]:
    """A challenge for the token of the request: sign it, and send it with the next request."""
    if not call.principal.tokens:
        raise Invalid("request_invalid", "a challenge is for a token: Authorization: Biscuit TOKEN")
    return {"challenge": b64encode(call.gateway.principals.challenge()).decode(), "expires_in_s": 60}


async def describe(call: Call) -> dict[str, Any]:
    """OpenAPI 3.1 of all routes."""
    from remit.gateway.openapi import document

    return document(call.gateway.rows)


ROUTES = (
    Row("GET", "/ready", ANYBODY, ready, "Whether work is taken"),
    Row("GET", "/v1/ping", ANYBODY, ping, "Who asks"),
    Row("POST", "/v1/challenge", Access(unproven=True), challenge, "A challenge to prove a token with"),
    Row("GET", "/v1/openapi.json", ANYBODY, describe, "This description"),
)
