"""A client's side of one connection: ids, negotiation, and what the server may send unasked.

The connection calls `request` and sends the bytes, feeds what arrives to `receive`, and acts on the events. A server
is not trusted to be fair: ids that nobody asked for, late answers, requests of its own and notifications are counted,
and a connection that brings too many is broken.

Invariants: an id is used once; an answer counts only for an id that waits; nothing that the server asks for is done
(no roots, no sampling, no elicitation: the client declares no capability), except `ping`, which is answered.

Source: MCP 2026-07-28, basic/versioning, basic/patterns/cancellation; 2025-11-25, basic/lifecycle.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from remit.errors import Unavailable
from remit.wire.mcp.messages import Fault, Id, Message, Notification, Request, Result, broken, decode, encode
from remit.wire.mcp.revisions import BATCHING, HANDSHAKE, STATELESS, SUPPORTED, UNSUPPORTED_VERSION, request_meta

MAX_STRAYS: Final = 200  # answers that nobody waits for; each cancelled call may bring one
MAX_UNASKED: Final = 5_000  # notifications and requests of the server between two answers
MAX_QUIET_BYTES: Final = 32 * 1024 * 1024  # that a server sends between two answers
_METHOD_NOT_FOUND: Final = -32601
_CHANGED: Final = "notifications/tools/list_changed"


class Answer(Struct, frozen=True):
    """What came back for a request."""

    id: Id
    message: Result | Fault


class Reply(Struct, frozen=True):
    """Bytes to send to the server."""

    data: bytes


class Changed(Struct, frozen=True):
    """The server says that its tools are others now."""


Event = Answer | Reply | Changed


class Session:
    """One connection.

    Args:
        client: name and version that the server is told.
        revision: one to use without negotiation.
    """

    def __init__(self, client: dict[str, str], revision: str = "") -> None:
        self._client = client
        self.revision = revision
        self._waiting: set[Id] = set()
        self._last = 0
        self._strays = 0
        self._unasked = 0
        self._bytes = 0

    def request(self, method: str, params: dict[str, Any], *, revision: str = "") -> tuple[int, bytes]:
        """A new request: its id and its bytes; `params["_meta"]` is completed."""
        self._last += 1
        meta = request_meta(revision or self.revision, self._client) | params.get("_meta", {})
        whole = {**params, "_meta": meta} if meta else params
        self._waiting.add(self._last)
        return self._last, encode(Request(self._last, method, whole))

    def discover(self) -> tuple[int, bytes]:
        """The request that finds out whether the server is of the stateless era."""
        return self.request("server/discover", {}, revision=STATELESS)

    def initialize(self, revision: str = HANDSHAKE[0]) -> tuple[int, bytes]:
        """The request that opens a connection of the older revisions."""
        params = {"protocolVersion": revision, "capabilities": {}, "clientInfo": self._client}
        return self.request("initialize", params)

    def discovered(self, answer: Result | Fault) -> str:
        """Settle the revision by the answer to `discover`; "" = ask `initialize`, by the older revisions.

        Raises:
            Unavailable: mcp_failed when the server speaks no revision that is known here.
        """
        if isinstance(answer, Result):
            offered = answer.result.get("supportedVersions")
        elif answer.code == UNSUPPORTED_VERSION and isinstance(answer.data, dict):
            offered = answer.data.get("supported")
        else:
            return ""
        if not isinstance(offered, list):
            raise broken("it does not say which revisions it speaks")
        if STATELESS in offered:
            self.revision = STATELESS
            return STATELESS
        if any(known in offered for known in HANDSHAKE):
            return ""
        raise _no_revision(offered)

    def initialized(self, answer: Result | Fault) -> bytes:
        """Settle the revision by the answer to `initialize`; the bytes that end the handshake."""
        if isinstance(answer, Fault):
            raise Unavailable("mcp_failed", f"the MCP server refused to start: {answer.message[:300]}")
        found = answer.result.get("protocolVersion")
        if found not in SUPPORTED or found == STATELESS:
            raise _no_revision([found])
        self.revision = str(found)
        return encode(Notification("notifications/initialized"))

    def abandon(self, identity: Id, reason: str) -> bytes:
        """Nobody waits for this answer any more; the bytes that tell the server."""
        self._waiting.discard(identity)
        return encode(Notification("notifications/cancelled", {"requestId": identity, "reason": reason[:200]}))

    def receive(self, data: bytes) -> list[Event]:
        """What one frame of the server means; raises mcp_failed for a broken or a flooding server."""
        self._bytes += len(data)
        if self._bytes > MAX_QUIET_BYTES:
            raise broken(f"it sends more than {MAX_QUIET_BYTES} bytes without an answer")
        events: list[Event] = []
        for message in decode(data, batch=self.revision in BATCHING or not self.revision):
            event = self._event(message)
            if event is not None:
                events.append(event)
        return events

    def _event(self, message: Message) -> Event | None:
        if isinstance(message, Result | Fault):
            if message.id is None or message.id not in self._waiting:
                self._strays += 1
                if self._strays > MAX_STRAYS:
                    raise broken("it answers what nobody asked")
                return None
            self._waiting.discard(message.id)
            self._bytes = self._unasked = 0
            return Answer(message.id, message)
        self._unasked += 1
        if self._unasked > MAX_UNASKED:
            raise broken("it sends too much that nobody asked for")
        if isinstance(message, Notification):
            return Changed() if message.method == _CHANGED else None
        if message.method == "ping":
            return Reply(encode(Result(message.id, {})))
        return Reply(encode(Fault(message.id, _METHOD_NOT_FOUND, "this client gives nothing to servers")))


def _no_revision(offered: list[Any]) -> Unavailable:
    shown = ", ".join(str(each)[:20] for each in offered[:6]) or "none"
    return Unavailable("mcp_failed", f"the MCP server speaks {shown}; known here: {', '.join(SUPPORTED)}",
                       retryable=False)  # fmt: skip
