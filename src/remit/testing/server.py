"""A local HTTP server that speaks all six wires, and fails as providers do.

It answers with recorded exchanges (each once, the one of the same body first, then in order) or with
canned replies, and injects `faults[n]` into its n-th request. Use it in the test's own loop, or from
a thread for programs that run elsewhere:

    async with WireServer(answer="hello") as server: ...
    with WireServer(answer="hello") as server: ...

`server.base_url("gemini")` is what `remit.model("gemini:any", base_url=...)` takes. Loopback only.
"""

from __future__ import annotations

import asyncio
import threading
from base64 import b64decode
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final

import msgspec

from remit.core.usage import Usage
from remit.errors import Invalid
from remit.testing.answers import as_reply
from remit.testing.replay import Exchange, read_exchanges
from remit.testing.wire_faults import INSTEAD, Asked, WireFault, write_broken, write_chunked, write_whole
from remit.testing.wire_replies import streamed, whole

MAX_REQUEST_BYTES: Final = 64 * 1024 * 1024
USAGE: Final = Usage(10, 4, 0, 5)
_TAILS: Final = (
    ("/chat/completions", "openai-chat"),
    ("/responses", "openai-responses"),
    ("/messages", "anthropic-messages"),
    (":generateContent", "gemini"),
    (":streamGenerateContent", "gemini"),
    ("/converse", "bedrock-converse"),
    ("/converse-stream", "bedrock-converse"),
    ("/chat", "cohere-v2"),
)


class WireServer:
    """A provider on loopback.

    Args:
        recorded: a JSONL file or exchanges, as ReplayModel takes them; None = canned replies.
        answer: the canned reply (a Reply, a string, parts), or a function of the Asked request that returns one.
        faults: faults[n] for the n-th request, None = none; after the last one it works as ever.

    `asked` holds every request, in order; `cut` counts connections that a client closed early.
    """

    def __init__(self, recorded: Any = None, *, answer: Any = "ok", faults: Sequence[WireFault | None] = ()) -> None:
        self.asked: list[Asked] = []
        self.cut = 0
        self._answer = answer
        self._faults = list(faults)
        self._exchanges = None if recorded is None else list(read_exchanges(recorded))
        self._server: asyncio.Server | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    def base_url(self, wire: str) -> str:
        """The base_url of a wire, with its version prefix."""
        codec = import_module(f"remit.wire.{wire.replace('-', '_')}").CODEC
        return f"http://127.0.0.1:{self.port}{codec.version_path}"

    async def __aenter__(self) -> WireServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=4096)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.sleep(0)

    def __enter__(self) -> WireServer:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main(ready)), daemon=True)
        self._thread.start()
        if not ready.wait(10):
            raise Invalid("value_invalid", "the server did not start within 10 s")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None and self._thread is not None
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _main(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        async with self:
            ready.set()
            await self._stop.wait()

    # -- one connection

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            self.cut += 1
        except asyncio.CancelledError:
            pass  # the server ends; nobody waits for this connection
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; returns whether the connection lives on."""
        first = await reader.read(1)
        if not first:
            return False
        line = first + await reader.readline() if first.isalpha() else first
        if line.count(b" ") != 2:  # not HTTP, for example a TLS greeting
            await write_whole(writer, 400, {}, b"not HTTP")
            return False
        path = line.split(b" ")[1].decode("latin-1")
        headers: dict[str, str] = {}
        while (line := await reader.readline()).strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        size = int(headers.get("content-length", "0"))
        if size > MAX_REQUEST_BYTES:
            return False
        raw = await reader.readexactly(size)
        asked = _asked(path, headers, raw)
        number = len(self.asked)
        self.asked.append(asked)
        fault = self._faults[number] if number < len(self._faults) else None
        return await self._reply(asked, fault, writer)

    async def _reply(self, asked: Asked, fault: WireFault | None, writer: asyncio.StreamWriter) -> bool:
        if not asked.wire:
            await write_whole(writer, 404, {}, b'{"error":{"message":"no wire has this path"}}')
            return True
        if fault is not None and fault.kind in INSTEAD:
            return await INSTEAD[fault.kind](asked, fault, writer)
        status, headers, pieces = self._pieces(asked)
        if fault is not None and fault.kind == "duplicated":
            pieces = [*pieces, *pieces] if asked.stream else pieces
            fault = None
        if fault is None:
            if asked.stream and status == 200:
                await write_chunked(writer, headers, pieces)
            else:
                await write_whole(writer, status, headers, b"".join(pieces))
            return True
        return await write_broken(asked, fault, writer, headers, pieces)

    def _pieces(self, asked: Asked) -> tuple[int, dict[str, str], list[bytes]]:
        """(status, headers, the body in pieces) of the answer without a fault."""
        if self._exchanges is not None:
            return _recorded(self._take(asked))
        value = self._answer(asked) if callable(self._answer) else self._answer
        name = asked.body.get("model", "") if isinstance(asked.body, dict) else ""
        reply = as_reply(value, name or "canned")
        reply = msgspec.structs.replace(reply, id=reply.id or "reply_1")
        if reply.usage == Usage():
            reply = msgspec.structs.replace(reply, usage=USAGE)
        if not asked.stream:
            return 200, {"content-type": "application/json"}, [whole(asked.wire, reply)]
        return 200, {"content-type": _stream_type(asked.wire)}, streamed(asked.wire, reply)

    def _take(self, asked: Asked) -> Exchange:
        assert self._exchanges is not None
        fitting = [
            exchange
            for exchange in self._exchanges
            if exchange.wire == asked.wire
            and (exchange.response.streamed == asked.stream or exchange.response.status >= 400)
        ]
        if not fitting:
            raise Invalid("value_invalid", f"no recorded exchange of {asked.wire} is left for {asked.path[:80]}")
        found = next((e for e in fitting if e.request.get("body") == asked.body), fitting[0])
        self._exchanges.remove(found)
        return found


def _asked(path: str, headers: dict[str, str], raw: bytes) -> Asked:
    bare = path.partition("?")[0]
    wire = next((wire for tail, wire in _TAILS if bare.endswith(tail)), "")
    try:
        body = msgspec.json.decode(raw) if raw else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = None
    by_path = "streamGenerateContent" in bare or bare.endswith("/converse-stream")
    stream = by_path or (isinstance(body, dict) and body.get("stream") is True)
    return Asked(wire, path, headers, body, stream)


def _stream_type(wire: str) -> str:
    return "application/vnd.amazon.eventstream" if wire == "bedrock-converse" else "text/event-stream"


def _recorded(exchange: Exchange) -> tuple[int, dict[str, str], list[bytes]]:
    response = exchange.response
    if response.body_b64 is not None:
        raw = b64decode(response.body_b64)
        return response.status, response.headers, [raw[i : i + 64] for i in range(0, len(raw), 64)]
    if response.sse is not None:
        return (
            response.status,
            response.headers,
            [part + b"\n\n" for part in response.sse.encode().split(b"\n\n") if part],
        )
    body = response.text.encode() if response.text is not None else msgspec.json.encode(response.body)
    return response.status, response.headers, [body]
