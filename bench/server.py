"""The mock model server of the benchmark: OpenAI chat completions with canned answers, in a process of its own.

The idea: the answer depends on nothing but the role of the last message. After a user message it asks for the tool
`population`; after a tool result it gives the final text. So a correct run of any system makes two requests and one
tool call, and the counters at /stats prove that it did. Requests are not parsed as JSON: the last `"role"` key is found
in the bytes, which keeps one core above 20,000 requests a second, so the server is not what is measured.

Paths: /v1/chat/completions, with optional prefixes /delay/MS (answer MS milliseconds later) and /tools/K (ask for K
tool calls at once). It listens on several ports, so that ten thousand closed connections of one measurement do not hold
the local ports of the next. Prints one JSON line {"ports": [...]} when it is ready and stops when its stdin closes.

Source: https://platform.openai.com/docs/api-reference/chat/create (reply fields).
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import sys
from functools import lru_cache
from typing import Any

import httptools
import uvloop

BACKLOG = (
    16_384  # connection attempts in a burst of ten thousand must not be dropped; the kernel caps this at somaxconn
)
MAX_BODY_BYTES = 1 << 20
PATH = re.compile(rb"(?:/delay/(\d{1,5}))?(?:/tools/(\d{1,3}))?/v1/chat/completions")
STATS = {"requests": 0, "first": 0, "final": 0, "refused": 0, "connections": 0, "open": 0}


def _reply(message: dict[str, Any], finish: str) -> bytes:
    """Return a whole HTTP response that carries one chat completion."""
    body = json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": "mock",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
            "usage": {"prompt_tokens": 42, "completion_tokens": 17, "total_tokens": 59},
        }
    ).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)


@lru_cache(maxsize=128)
def first_reply(tool_calls: int) -> bytes:
    """Return the answer that asks for `tool_calls` calls of `population`, each for another city (no repeated call)."""
    cities = ["Rome", *(f"Rome {i}" for i in range(1, tool_calls))]
    calls = [
        {
            "id": f"call_{i}",
            "type": "function",
            "function": {"name": "population", "arguments": json.dumps({"city": c})},
        }
        for i, c in enumerate(cities)
    ]
    return _reply({"role": "assistant", "content": None, "tool_calls": calls}, "tool_calls")


FINAL = _reply({"role": "assistant", "content": "Rome has 2,800,000 people."}, "stop")
REFUSED = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


class Connection(asyncio.Protocol):
    """One keep-alive connection; requests on it are answered in order (clients of HTTP/1.1 without pipelining)."""

    __slots__ = ("body", "loop", "parser", "transport", "url")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.parser = httptools.HttpRequestParser(self)
        self.body = b""
        self.url = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        STATS["connections"] += 1
        STATS["open"] += 1

    def connection_lost(self, exc: Exception | None) -> None:
        STATS["open"] -= 1

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.close()

    def on_message_begin(self) -> None:
        self.body = self.url = b""

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_body(self, body: bytes) -> None:
        self.body += body
        if len(self.body) > MAX_BODY_BYTES:
            self.transport.close()

    def on_message_complete(self) -> None:
        if self.url == b"/stats":
            body = json.dumps(STATS).encode()
            self.transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
            return
        STATS["requests"] += 1
        path = PATH.fullmatch(self.url)
        if path is None or b'"stream":true' in self.body or b'"stream": true' in self.body:
            STATS["refused"] += 1
            self.transport.write(REFUSED)
            return
        delay_ms, tools = path.groups()
        at = self.body.rfind(b'"role"')
        if b'"tool"' in self.body[at + 6 : at + 16]:
            STATS["final"] += 1
            reply = FINAL
        else:
            STATS["first"] += 1
            reply = first_reply(int(tools or 1))
        if delay_ms:
            self.loop.call_later(int(delay_ms) / 1000, self.transport.write, reply)
        else:
            self.transport.write(reply)


async def serve(ports: int) -> None:
    """Listen on `ports` free loopback ports until stdin is closed."""
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(lambda: Connection(loop), "127.0.0.1", 0, backlog=BACKLOG) for _ in range(ports)
    ]
    print(json.dumps({"ports": [server.sockets[0].getsockname()[1] for server in servers]}), flush=True)
    stopped = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), lambda: None if os.read(0, 4096) else stopped.set())
    await stopped.wait()


if __name__ == "__main__":
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 8))
