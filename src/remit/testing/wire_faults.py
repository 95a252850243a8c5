"""What a failing provider writes: the faults of `WireServer`, byte by byte."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, Literal

from msgspec import Struct

from remit.testing.wire_replies import error_frame, failure

FaultKind = Literal[
    "status", "truncated", "reset", "slow", "stall", "duplicated", "garbage", "error_frame", "html", "oversized",
    "not_utf8", "nan", "silent",
]  # fmt: skip
WaitForm = Literal["", "seconds", "date", "ms", "body"]
_REASONS: Final = {200: "OK", 404: "Not Found", 429: "Too Many Requests", 503: "Service Unavailable"}


class WireFault(Struct, frozen=True):
    """One fault of a provider.

    status      the answer has `status`; `wait_s` is asked for in the form `wait`
    truncated   the body ends cleanly in the middle      reset   the connection is reset in the middle
    slow        `delay_s` before every piece             stall   nothing comes after the middle
    silent      no answer at all                         duplicated   the whole stream comes a second time
    garbage     bytes that mean nothing in the middle    error_frame  an error inside the stream
    html        a web page with status 200               oversized    a body of `size_bytes`
    not_utf8, nan   a body that is no valid JSON
    """

    kind: FaultKind
    status: int = 503
    wait: WaitForm = ""
    wait_s: float = 0.0
    delay_s: float = 0.0
    size_bytes: int = 0
    middle: float = 0.5
    """share of the body that arrives before the fault"""


class Asked(Struct, frozen=True):
    """A request as the server saw it."""

    wire: str
    path: str
    headers: dict[str, str]
    body: Any
    stream: bool


# ---- what is written -----------------------------------------------------------------------------


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}", *(f"{name}: {headers[name]}" for name in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def write_whole(writer: asyncio.StreamWriter, status: int, headers: dict[str, str], body: bytes) -> None:
    """An answer of known length."""
    kept = {
        name: value for name, value in headers.items() if name.lower() not in ("content-length", "transfer-encoding")
    }
    writer.write(_head(status, kept | {"content-length": str(len(body))}) + body)
    await writer.drain()


async def write_chunked(
    writer: asyncio.StreamWriter,
    headers: dict[str, str],
    pieces: Sequence[bytes],
    *,
    delay_s: float = 0.0,
    end: bool = True,
) -> None:
    """An answer in chunks, each piece sent at once."""
    writer.write(_head(200, headers | {"transfer-encoding": "chunked"}))
    for piece in pieces:
        if delay_s:
            await writer.drain()
            await asyncio.sleep(delay_s)
        writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        await writer.drain()
    if end:
        writer.write(b"0\r\n\r\n")
    await writer.drain()


async def write_broken(
    asked: Asked, fault: WireFault, writer: asyncio.StreamWriter, headers: dict[str, str], pieces: Sequence[bytes]
) -> bool:
    """An answer that goes wrong in the middle; returns whether the connection lives on."""
    cut = max(1, int(len(pieces) * fault.middle))
    if not asked.stream:
        body = b"".join(pieces)
        pieces, cut = [body[: int(len(body) * fault.middle)], body[int(len(body) * fault.middle) :]], 1
    shown = list(pieces[:cut])
    if fault.kind == "slow":
        await write_chunked(writer, headers, pieces, delay_s=fault.delay_s)
        return True
    if fault.kind == "garbage":
        shown += [b"\x00\xff{not a frame\n\n" if asked.wire == "bedrock-converse" else b"data: {not json\xff\n\n"]
    elif fault.kind == "error_frame":
        shown += [error_frame(asked.wire, "the service is overloaded")]
    ends = fault.kind in ("truncated", "garbage", "error_frame")
    await write_chunked(writer, headers, shown, end=ends)
    if fault.kind == "reset":
        await asyncio.sleep(0.02)  # what was sent arrives before the reset
        writer.transport.abort()
        return False
    if fault.kind == "stall":
        await asyncio.sleep(fault.delay_s or 3600)
    return ends


async def _status(asked: Asked, fault: WireFault, writer: asyncio.StreamWriter) -> bool:
    headers = {"content-type": "application/json"}
    wait = f"{fault.wait_s:g}"
    if fault.wait == "seconds":
        headers["retry-after"] = wait
    elif fault.wait == "ms":
        headers["retry-after-ms"] = f"{fault.wait_s * 1000:g}"
    elif fault.wait == "date":
        from email.utils import formatdate

        # A fixed date and a hint relative to it: no wall clock is needed to obey.
        headers |= {"date": formatdate(0, usegmt=True), "retry-after": formatdate(fault.wait_s, usegmt=True)}
    body = failure(asked.wire, fault.status, "a fault of the test.", f"{wait}s" if fault.wait == "body" else "")
    await write_whole(writer, fault.status, headers, body)
    return True


async def _silent(asked: Asked, fault: WireFault, writer: asyncio.StreamWriter) -> bool:
    await asyncio.sleep(fault.delay_s or 3600)
    return False


async def _odd(asked: Asked, fault: WireFault, writer: asyncio.StreamWriter) -> bool:
    body = {
        "html": b"<!doctype html><html><head><title>Portal</title></head><body>Sign in</body></html>",
        "not_utf8": b'{"choices":[{"message":{"content":"\xff\xfe"}}]}',
        "nan": b'{"choices":[],"candidates":NaN,"content":NaN,"output":NaN,"message":NaN,"usage":Infinity}',
        "oversized": b" " * fault.size_bytes,
    }[fault.kind]
    kind = "text/html" if fault.kind == "html" else "application/json"
    await write_whole(writer, 200, {"content-type": kind}, body)
    return True


_Instead = Callable[[Asked, WireFault, asyncio.StreamWriter], Coroutine[Any, Any, bool]]
INSTEAD: Final[dict[str, _Instead]] = {
    "status": _status,
    "silent": _silent,
    **dict.fromkeys(("html", "not_utf8", "nan", "oversized"), _odd),
}
