"""The streamable HTTP framing: headers of a request, and the messages of an answer.

Source: MCP 2026-07-28 and 2025-11-25, basic/transports (request metadata, value encoding, server-sent events).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, Final

from remit.errors import ModelError, Unavailable
from remit.wire.mcp.messages import MAX_MESSAGE_BYTES, broken
from remit.wire.mcp.revisions import STATELESS, VERSION_HEADER
from remit.wire.sse import SseParser

ACCEPT: Final = "application/json, text/event-stream"
SESSION: Final = "mcp-session-id"
MAX_FRAMES: Final = 10_000
MAX_MIRRORED: Final = 32
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_PLAIN: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?")
_SESSION_ID: Final = re.compile(r"[\x21-\x7e]{1,512}")
_SAFE_INTEGER: Final = 2**53 - 1


def request_headers(revision: str, method: str, params: Mapping[str, Any], session: str = "") -> dict[str, str]:
    """What a POST carries beside its body."""
    headers = {"accept": ACCEPT, "content-type": "application/json"}
    if revision in VERSION_HEADER:
        headers["mcp-protocol-version"] = revision
    if revision == STATELESS:
        headers["mcp-method"] = method
        name = params.get("name", params.get("uri"))
        if isinstance(name, str):
            headers["mcp-name"] = header_value(name)
    if session:
        headers[SESSION] = session
    return headers


def session_of(headers: Mapping[str, str]) -> str:
    """The session id that a server gives out; raises mcp_failed for what no header can carry."""
    found = headers.get(SESSION, "")
    if found and not _SESSION_ID.fullmatch(found):
        raise broken("its session id is no visible ASCII of at most 512 characters")
    return found


def header_value(value: str) -> str:
    """A value as a header may carry it; base64 in its marker where it is no plain ASCII."""
    if _PLAIN.fullmatch(value) and not (value.startswith("=?base64?") and value.endswith("?=")):
        return value
    return f"=?base64?{base64.b64encode(value.encode('utf-8', 'replace')).decode()}?="


def mirrored_paths(schema: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Header name -> path of the argument that it repeats; raises mcp_failed where an annotation is not allowed."""
    found: dict[str, tuple[str, ...]] = {}
    reached = 0
    left: list[tuple[Mapping[str, Any], tuple[str, ...]]] = [(schema, ())]
    while left:
        each, path = left.pop()
        if "x-mcp-header" in each and path:
            name = each["x-mcp-header"]
            if not isinstance(name, str) or not _TOKEN.fullmatch(name) or len(found) >= MAX_MIRRORED:
                raise broken("a schema names a header that is none")
            if each.get("type") not in ("string", "integer", "boolean") or f"mcp-param-{name.lower()}" in found:
                raise broken(f"a schema may not repeat {'.'.join(path)[:100]!a} in a header")
            found[f"mcp-param-{name.lower()}"] = path
            reached += 1
        inner = each.get("properties", {})
        if isinstance(inner, dict):
            left += [(value, (*path, key)) for key, value in inner.items() if isinstance(value, dict)]
    if reached != _annotations(schema):
        raise broken("a schema repeats in a header what is not reached by properties alone")
    return found


def mirrored(paths: Mapping[str, tuple[str, ...]], arguments: Any) -> dict[str, str]:
    """The headers that repeat arguments of one call."""
    headers: dict[str, str] = {}
    for name, path in paths.items():
        value = arguments
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, bool):
            headers[name] = "true" if value else "false"
        elif isinstance(value, int) and abs(value) <= _SAFE_INTEGER:
            headers[name] = str(value)
        elif isinstance(value, str):
            headers[name] = header_value(value)
    return headers


def reply_frames(content_type: str, body: bytes) -> list[bytes]:
    """The messages of an answer's body, each as JSON bytes; raises mcp_failed."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        return [body] if body.strip() else []
    if kind != "text/event-stream":
        raise Unavailable("mcp_failed", f"the MCP server answered with {kind[:60] or 'nothing'!r}", retryable=False)
    parser = SseParser(MAX_MESSAGE_BYTES)
    try:
        frames = [data for _, data in parser.feed(body) + parser.end() if data.strip()]
    except ModelError as error:
        raise broken(error.message) from None
    if len(frames) > MAX_FRAMES:
        raise broken(f"one answer has more than {MAX_FRAMES} messages")
    return frames


def _annotations(schema: Any) -> int:
    """How many annotations there are anywhere."""
    count, left = 0, [schema]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            count += isinstance(each.get("x-mcp-header"), str | int | float | list | bool) and each is not schema
            left += each.values()
        elif isinstance(each, list):
            left += each
    return count
