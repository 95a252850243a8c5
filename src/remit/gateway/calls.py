"""What a route is, and what its handler gets: one call of one principal, decoded strictly within bounds.

A row without an `Access` cannot be written. `Access` says which scope a key needs (one of several), which permission of
a person's role, and is enforced by `admit` before the handler runs; who calls was found out before routing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
from msgspec import Struct
from starlette.requests import ClientDisconnect, Request

from remit.errors import Denied, Exhausted, Invalid

if TYPE_CHECKING:
    from remit.gateway.gateway import Gateway
    from remit.gateway.principals import Principal

MAX_BODY_BYTES: Final = 1_000_000  # Source: spec/operations.md 1
BODY_S: Final = 10.0
"""seconds for a whole body to arrive"""
Body = TypeVar("Body")


class Access(Struct, frozen=True):
    """What a call needs."""

    scopes: tuple[str, ...] = ()
    """one of these, or admin; () = any credential that counts"""
    permission: str = ""
    """of the person's roles"""
    unproven: bool = False
    """whether a token counts before its holder has proved itself"""


ANYBODY: Final = Access()
READ: Final = Access(("runs:read", "runs:write", "runs:manage"), "view_logs")
WRITE: Final = Access(("runs:write", "runs:manage"), "run_agent")
MANAGE: Final = Access(("runs:manage",), "run_agent")


class Row(Struct, frozen=True):
    """One route. `handle` returns a value for JSON, or a whole response."""

    method: str
    path: str
    access: Access
    handle: Callable[[Call], Awaitable[Any]]
    summary: str
    body: type[Struct] | None = None
    """what the request's JSON is decoded as"""
    status: int = 200


class Call:
    """One request under way."""

    def __init__(self, gateway: Gateway, request: Request, principal: Principal) -> None:
        self.gateway = gateway
        self.request = request
        self.principal = principal

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def number(self, name: str, default: int, most: int) -> int:
        """A number of the query, from 0 to `most`; raises request_invalid."""
        text = self.request.query_params.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) < 12 and int(text) <= most):
            raise Invalid("request_invalid", f"{name}={text!r:.40} is no number from 0 to {most}")
        return int(text)

    async def read(self, kind: type[Body]) -> Body:
        """The body; raises request_invalid, request_too_large, request_slow."""
        sent = self.request.headers.get("content-type", "").partition(";")[0].strip().lower()
        raw = await self._raw()
        if sent != "application/json":  # a web page cannot send this type elsewhere without being asked first
            raise Invalid("request_invalid", f"content-type {sent!r:.60}; application/json is needed")
        try:
            return msgspec.json.decode(raw, type=kind)
        except (msgspec.DecodeError, RecursionError) as error:
            raise Invalid("request_invalid", f"the body: {str(error) or 'nested too deeply'}"[:300]) from None

    async def _raw(self) -> bytes:
        length = self.request.headers.get("content-length", "0")
        if not (length.isascii() and length.isdigit()) or int(length) > MAX_BODY_BYTES:
            raise Exhausted("request_too_large", f"a body of {length[:20]} bytes; at most {MAX_BODY_BYTES}")
        found = bytearray()
        try:
            async with asyncio.timeout(BODY_S):
                async for chunk in self.request.stream():
                    found += chunk
                    if len(found) > MAX_BODY_BYTES:
                        raise Exhausted("request_too_large", f"a body of more than {MAX_BODY_BYTES} bytes")
        except TimeoutError:
            raise Exhausted("request_slow", f"the body did not arrive within {BODY_S:g} s") from None
        except ClientDisconnect:
            raise Invalid("request_invalid", "the client went away") from None
        return bytes(found)


def admit(row: Row, principal: Principal, now_ms: int) -> None:
    """Let a call through and count it; raises scope_denied, role_denied, cap_reached, token_unproven."""
    if not principal.proven and not row.access.unproven:
        raise Denied("token_unproven", "the token came without a proof of its holder",
                     hint="POST /v1/challenge, sign it, send X-Remit-Challenge and X-Remit-Proof.")  # fmt: skip
    if row.access.scopes and not principal.scopes & {*row.access.scopes, "admin"}:
        raise Denied("scope_denied", f"{principal.name} has none of the scopes {', '.join(row.access.scopes)}")
    if row.access.permission:
        principal.person.check(row.access.permission, "", now_ms)
