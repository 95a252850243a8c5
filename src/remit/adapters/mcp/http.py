"""A server over streamable HTTP. Every message is one POST through the handle of the call that needs it.

So grants, labels, secrets, the leak guard and the address check are those of any other request of the run; this file
holds no socket. What a server remembers of a client (a session id of the older revisions) is kept between calls.

Source: MCP 2026-07-28 and 2025-11-25, basic/transports, "Streamable HTTP".
"""

from __future__ import annotations

from typing import Any, Final

from remit.errors import Unavailable
from remit.ports.tool import Http
from remit.wire.mcp.http import SESSION, reply_frames, request_headers, session_of
from remit.wire.mcp.messages import Fault, Result, decode
from remit.wire.mcp.revisions import MODERN_ERRORS, STATELESS
from remit.wire.mcp.session import Answer, Session

_GONE: Final = 404  # the server has forgotten the session
_TOO_OLD: Final = frozenset({400, 404, 405, 406})


class HttpServer:
    """What is known of one server between calls."""

    def __init__(self, url: str, headers: dict[str, str], client: dict[str, str]) -> None:
        self.url = url
        self.headers = headers
        self._client = client
        self.session = Session(client)
        self.session_id = ""

    def forget(self) -> None:
        """Negotiate again."""
        self.session, self.session_id = Session(self._client), ""


class HttpConnection:
    """One call's way to a server."""

    def __init__(self, server: HttpServer, http: Http, mirrored: dict[str, str]) -> None:
        self._server = server
        self._http = http
        self._mirrored = mirrored

    @property
    def revision(self) -> str:
        """The revision that both sides speak."""
        return self._server.session.revision

    async def open(self) -> None:
        """Agree on a revision, once."""
        server = self._server
        if server.session.revision:
            return
        answer = await self._exchange("server/discover", {}, *server.session.discover())
        if answer is not None and server.session.discovered(answer):
            return
        first = await self._exchange("initialize", {}, *server.session.initialize())
        if first is None:
            raise Unavailable("mcp_failed", "the MCP server does not answer initialize")
        await self._post("notifications/initialized", {}, server.session.initialized(first))

    async def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """The result of one request."""
        answer = await self._exchange(method, params, *self._server.session.request(method, params))
        if answer is None and self._server.session_id:
            self._server.forget()
            await self.open()
            answer = await self._exchange(method, params, *self._server.session.request(method, params))
        if answer is None:
            raise Unavailable("mcp_failed", "the MCP server gave no answer")
        if isinstance(answer, Fault):
            raise Unavailable("mcp_failed", f"the MCP server says {answer.code}: {answer.message[:1000]}")
        return answer.result

    async def _exchange(self, method: str, params: dict[str, Any], identity: int, data: bytes) -> Result | Fault | None:
        """The answer; None where the server does not know the question, or not any more the session."""
        status, content_type, body = await self._post(method, params, data)
        session = self._server.session
        if status in (200, 201, 202):
            for frame in reply_frames(content_type, body):
                for event in session.receive(frame):
                    if isinstance(event, Answer) and event.id == identity:
                        return event.message
            return None
        fault = _fault(content_type, body)
        if fault is not None and (fault.code in MODERN_ERRORS or method != "server/discover"):
            return fault
        if status in _TOO_OLD and (method == "server/discover" or (status == _GONE and self._server.session_id)):
            return None
        if status in (401, 403):
            hint = 'Give it a credential: headers = {authorization = "Bearer {{secret:NAME}}"}'
            why = f"the MCP server refused with status {status}"
            raise Unavailable("mcp_failed", why, hint=hint, retryable=False)
        raise Unavailable("mcp_failed", f"the MCP server answered with status {status}")

    async def _post(self, method: str, params: dict[str, Any], data: bytes) -> tuple[int, str, bytes]:
        server = self._server
        revision = STATELESS if method == "server/discover" else server.session.revision
        headers = {**server.headers, **request_headers(revision, method, params, server.session_id)}
        if method == "tools/call" and revision == STATELESS:
            headers |= self._mirrored
        reply = await self._http.fetch("POST", server.url, headers=headers, body=data)
        if method == "initialize" and SESSION in reply.headers:
            server.session_id = session_of(reply.headers)
        return reply.status, reply.headers.get("content-type", ""), reply.body


def _fault(content_type: str, body: bytes) -> Fault | None:
    """The JSON-RPC error in the body of a refusal, where there is one."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        return None
    try:
        messages = decode(body)
    except Unavailable:
        return None
    return messages[0] if isinstance(messages[0], Fault) else None
