"""The gateway as an ASGI application: nothing reaches a route that has not passed these checks, in this order.

    1 host       Host is one of the allow-list (DNS rebinding)
    2 origin     Origin, where there is one, too (other people's web pages); there are no CORS headers
    3 health     the one path that anybody may ask for
    4 who        a key or a token that counts (principals.py); else 401, counted by address
    5 how often  600 requests a minute and 50 at once
    6 route      the table (routes/)
    7 may        scope, role, and the role's requests a minute (calls.admit)

Invariant: 4 stands before 6, so a new route cannot forget it.
"""

from __future__ import annotations

from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from remit.core.sections import SecondFactorSection
from remit.errors import Denied, InternalError, Invalid, RemitError, Unavailable
from remit.gateway import routes
from remit.gateway.bounding import Bounding
from remit.gateway.calls import Call, Row, admit
from remit.gateway.principals import Principals, Requests
from remit.gateway.problems import problem, reply
from remit.gateway.records import Records
from remit.gateway.work import Work
from remit.runtime import Runtime

HEALTH: Final = "/health"
NO_CODES: Final = SecondFactorSection()


class Gateway:
    """See the module's text.

    Args:
        runtime: the journal and the clock.
        principals: who counts.
        bounding: makes agents of requests.
        work: carries runs out.
        hosts: what Host may be, in lower case, with port where it is not the scheme's own.
        origins: what Origin may be.
        second_factor: which answers need a code.
    """

    def __init__(  # noqa: PLR0913  # made once, by `remit serve`, each by keyword
        self, runtime: Runtime, *, principals: Principals, bounding: Bounding, work: Work, hosts: frozenset[str],
        origins: frozenset[str], second_factor: SecondFactorSection = NO_CODES,
    ) -> None:  # fmt: skip
        self.runtime = runtime
        self.principals = principals
        self.bounding = bounding
        self.work = work
        self.hosts = hosts
        self.origins = origins
        self.second_factor = second_factor
        self.records = Records(runtime.journal)
        self.draining = False
        """whether the server is ending: no run begins, streams end"""
        self.streams: dict[str, int] = {}
        """open event streams by principal"""
        self.rows = routes.rows()
        self._requests = Requests(runtime.clock.monotonic)
        self._router = Router([Route(row.path, _Endpoint(self, row), methods=[row.method]) for row in self.rows],
                              redirect_slashes=False)  # fmt: skip

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        sent = False

        async def noting(message: Any) -> None:
            nonlocal sent
            sent = True
            await send(message)

        try:
            await self._answer(scope, receive, noting)
        except RemitError as error:
            await problem(error)(scope, receive, noting)
        except BaseException as error:
            if not sent and isinstance(error, Exception):
                await problem(InternalError("internal", type(error).__name__))(scope, receive, noting)
            raise

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        self._check_addressing(request)
        if scope["path"] == HEALTH and request.method in ("GET", "HEAD"):
            await reply({"status": "ok"})(scope, receive, send)
            return
        address = f"address {request.client.host if request.client else ''}"
        try:
            principal = self.principals.of(_single(request))
        except RemitError:
            self._requests.take(address)
            raise
        # Whoever only copied a token must not use up its holder's requests.
        self._requests.take(principal.name if principal.proven else f"unproven {address}")
        scope["principal"] = principal
        scope["app"] = self  # makes the router raise instead of answering in its own words
        try:
            if request.method == "HEAD":
                raise HTTPException(405)
            await self._router(scope, receive, send)
        except HTTPException as error:  # the router's own 404 and 405
            raise Invalid("route_unknown", f"{request.method} {scope['path'][:200]!r}: {error.detail}") from None

    def _check_addressing(self, request: Request) -> None:
        names = [value for name, value in request.scope["headers"] if name == b"host"]
        host = names[0].decode("latin-1").lower() if len(names) == 1 else ""
        if host not in self.hosts:
            raise Denied("host_denied", f"Host {host[:100]!r} is none of this server's names")
        for name, value in request.scope["headers"]:
            if name == b"origin" and value.decode("latin-1").lower() not in self.origins:
                raise Denied("origin_denied", f"Origin {value[:100]!r} may not use this server")

    def check_open(self) -> None:
        """Raises shutting_down once the server is ending."""
        if self.draining:
            raise Unavailable("shutting_down", "the server is ending", retryable=True)


class _Endpoint:
    """One row as an ASGI application: admission, the handler, its value as JSON."""

    def __init__(self, gateway: Gateway, row: Row) -> None:
        self._gateway = gateway
        self._row = row

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        admit(self._row, scope["principal"], self._gateway.runtime.clock.now_ms())
        found = await self._row.handle(Call(self._gateway, request, scope["principal"]))
        response = found if isinstance(found, Response) or callable(found) else reply(found, self._row.status)
        await response(scope, receive, send)


def _single(request: Request) -> dict[str, str]:
    """The headers by lower-case name; raises unauthenticated where a credential stands twice."""
    found: dict[str, str] = {}
    for name, value in request.scope["headers"]:
        text = name.decode("latin-1").lower()
        if text in found and (text == "authorization" or text.startswith("x-remit-")):
            raise Denied("unauthenticated", f"the header {text} stands there twice")
        found[text] = value.decode("latin-1")
    return found
