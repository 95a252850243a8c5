"""A small OpenAI-compatible server on loopback, for tests that run the command line in a process of its own.

`Server(answer)` calls `answer(body)` for every POST; what it returns says how to reply: a string (text), a list of
calls `[(name, arguments), ...]`, or an `Odd` for everything that a lying provider may do.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Odd(NamedTuple):
    """A reply as raw bytes: status, body, headers; `delay_s` before it, `hang` = never an end."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    delay_s: float = 0.0
    hang: bool = False


Answer = Callable[[dict[str, Any]], Any]
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "prompt_tokens_details": {"cached_tokens": 4}}


class Server:
    """`with Server(answer) as url:`; `bodies` holds every request, `gets` every other path asked for."""

    def __init__(self, answer: Answer) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.gets: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                server.bodies.append(body)
                odd = _odd(answer(body), bool(body.get("stream")))
                time.sleep(odd.delay_s)
                self.send_response(odd.status)
                self.send_header("content-type", odd.content_type)
                self.send_header("content-length", str(len(odd.body) + (1 if odd.hang else 0)))
                self.end_headers()
                self.wfile.write(odd.body)
                self.wfile.flush()
                if odd.hang:
                    server.ended.wait(60)

            def do_GET(self) -> None:
                server.gets.append(self.path)
                self.send_response(200)
                self.send_header("content-length", "4")
                self.end_headers()
                self.wfile.write(b"seen")

            def log_message(self, *_: object) -> None:
                """Say nothing."""
                assert server.bodies is not None

        self.ended = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._http.shutdown()
        self._http.server_close()

    @property
    def url(self) -> str:
        """base_url for --base-url."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"


def results(body: dict[str, Any]) -> list[str]:
    """What the tools returned so far, in order."""
    return [str(message["content"]) for message in body["messages"] if message["role"] == "tool"]


def _odd(value: Any, stream: bool) -> Odd:
    if isinstance(value, Odd):
        return value
    message: dict[str, Any] = {"role": "assistant", "content": value if isinstance(value, str) else None}
    if not isinstance(value, str):
        message["tool_calls"] = [
            {"index": i, "id": f"c{i}", "type": "function", "function": {"name": n, "arguments": json.dumps(a)}}
            for i, (n, a) in enumerate(value)
        ]
    finish = "stop" if isinstance(value, str) else "tool_calls"
    head = {"id": "x", "model": "m", "created": 1}
    if not stream:
        choice = {"index": 0, "message": message, "finish_reason": finish}
        whole = {**head, "object": "chat.completion", "choices": [choice], "usage": USAGE}
        return Odd(body=json.dumps(whole).encode())
    frames = [
        {**head, "choices": [{"index": 0, "delta": message, "finish_reason": None}]},
        {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]},
        {**head, "choices": [], "usage": USAGE},
    ]
    text = "".join(f"data: {json.dumps(frame)}\n\n" for frame in frames) + "data: [DONE]\n\n"
    return Odd(body=text.encode(), content_type="text/event-stream")
