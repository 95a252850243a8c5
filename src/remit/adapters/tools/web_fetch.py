"""web_fetch: the readable text of a web page."""

from __future__ import annotations

from typing import Any, Final, Literal

from remit.adapters.tools._html import html_text
from remit.adapters.tools._web import body_text, content_type, redirect_of
from remit.core.needs import net
from remit.core.tools import tool
from remit.errors import Invalid, Unavailable
from remit.ports.tool import Context

_PAGE_CHARS: Final = 40_000
_MAX_HTML_CHARS: Final = 4 * 1024 * 1024


@tool(
    effect="read",
    returns="untrusted",
    builtin=True,
    verbs=("net",),
    needs=lambda url, method="GET", **_: (net(method, url),),
)
async def web_fetch(
    ctx: Context[Any], url: str, method: Literal["GET", "HEAD"] = "GET", offset: int = 0, raw: bool = False
) -> str:
    """Fetch a page and return its text (HTML as readable text), at most 40,000 characters a call.

    Redirects are reported, not followed: fetch the new address if it is granted.

    Args:
        url: http or https address
        method: HEAD returns status and headers only
        offset: characters to skip, to go on where the last call was cut
        raw: return HTML as it is
    """
    if offset < 0:
        raise Invalid("value_invalid", "offset is 0 or more")
    accept = {"accept": "text/html,application/xhtml+xml,text/plain,application/json;q=0.9,*/*;q=0.5"}
    reply = await ctx.http.fetch(method, url, headers=accept)
    target = redirect_of(reply)
    if target:
        return f"[redirect {reply.status} to {target}; not followed]"
    if method == "HEAD":
        return "\n".join([f"status: {reply.status}", *(f"{name}: {value}" for name, value in reply.headers.items())])
    if reply.status >= 400:
        raise Unavailable("tool_failed", f"the server answered {reply.status}", retryable=reply.status >= 500)
    text = body_text(reply)
    note = ""
    if "html" in content_type(reply) and not raw:
        if len(text) > _MAX_HTML_CHARS:
            note = f"\n[cut: only the first {_MAX_HTML_CHARS} characters of the page were read]"
        text = html_text(text[:_MAX_HTML_CHARS])
    page = text[offset : offset + _PAGE_CHARS]
    if offset + len(page) < len(text):
        last = offset + len(page)
        note = f"\n[cut: characters {offset}-{last} of {len(text)} shown; go on with offset={last}]{note}"
    return (page or "[no text here]") + note
