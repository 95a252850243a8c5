"""http_request: any HTTP request, answer and headers as text."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

from remit.adapters.tools._text import clip
from remit.adapters.tools._web import body_text
from remit.core.needs import net
from remit.core.tools import tool
from remit.errors import Denied, Invalid
from remit.ports.tool import Context

_BODY_CHARS: Final = 40_000
_MAX_HEADERS: Final = 50
_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")  # Source: RFC 9110 5.6.2 token
_VALUE: Final = re.compile(r"[\x20-\x7e\x80-\xff\t]{0,8192}")
# They frame the message or name its destination; the transport writes them, nobody else.
_FIXED_NAMES: Final = (
    "host content-length transfer-encoding connection upgrade te trailer expect keep-alive "
    "proxy-authorization proxy-connection"
)
_FIXED: Final = frozenset(_FIXED_NAMES.split())


def _reconcile(ctx: Context[Any], method: str, **_: Any) -> str:
    """After a crash: a request that only reads may run again; of any other nobody knows."""
    return "not-done" if method in ("GET", "HEAD", "OPTIONS") else "unknown"


@tool(
    effect="unsafe",
    returns="untrusted",
    builtin=True,
    verbs=("net",),
    needs=lambda method, url, **_: (net(method, url),),
    reconcile=_reconcile,
)
async def http_request(
    ctx: Context[Any],
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
    url: str,
    headers: dict[str, str] | None = None,
    body: str = "",
) -> str:
    """Send one HTTP request and return status, headers and body (at most 40,000 characters); redirects stay unfollowed.

    Args:
        method: of the request
        url: http or https address
        headers: names and values
        body: text of the request
    """
    sent = _headers(headers or {})
    if body and method in ("GET", "HEAD"):
        raise Invalid("value_invalid", f"{method} takes no body")
    reply = await ctx.http.fetch(method, url, headers=sent, body=body.encode(errors="replace"))
    lines = [f"status: {reply.status}", *(f"{name}: {value}" for name, value in reply.headers.items())]
    head = clip("\n".join(lines), 8192)
    if not reply.body:
        return head
    try:
        text = body_text(reply)
    except Invalid as e:
        return f"{head}\n\n[{e.message}; not shown]"
    return f"{head}\n\n{clip(text, _BODY_CHARS)}"


def _headers(headers: dict[str, str]) -> dict[str, str]:
    if len(headers) > _MAX_HEADERS:
        raise Invalid("value_invalid", f"{len(headers)} headers; at most {_MAX_HEADERS}")
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise Invalid("value_invalid", f"header {name[:100]!r} holds a character that a header cannot hold")
        if name.lower() in _FIXED:
            raise Denied("argument_denied", f"header {name} is written by the transport, not by a tool")
    return headers
