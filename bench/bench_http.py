"""What one model-like call (POST, JSON answer) costs over remit's HTTP transports, as ratios in one run.

Run: python bench/bench_http.py [--requests N] [--asyncio]

A mock server in a process of its own answers every POST with the same 700 bytes of JSON. Against it:
a raw asyncio.Protocol that sends canned bytes and counts answer bytes (the floor: it checks nothing),
`asyncio_http` and `wreq_http`. Rounds alternate, and the best of three counts; absolute times drift
with the machine, the ratios to the floor are what to read.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

from remit.adapters.http.asyncio_http import AsyncioHttp
from remit.adapters.http.wreq_http import WreqHttp
from remit.ports.http import HttpRequest

BODY = b'{"model":"mock","messages":[{"role":"user","content":"' + b"x" * 400 + b'"}]}'
ANSWER_BODY = b'{"id":"1","choices":[{"message":{"role":"assistant","content":"' + b"y" * 600 + b'"}}]}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(ANSWER_BODY),
    ANSWER_BODY,
)
HEADERS = (("content-type", "application/json"), ("authorization", "Bearer mock"))
WAVES = (1, 100, 1000)


class MockServer(asyncio.Protocol):
    """Answers each POST; reads Content-Length and nothing else."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            mark = head.rfind(b"content-length: ") + 16
            whole = end + 4 + int(head[mark:].split(b"\r\n", 1)[0])
            if len(self.buffer) < whole:
                return
            self.buffer = self.buffer[whole:]
            self.transport.write(ANSWER)  # type: ignore[attr-defined]


async def serve() -> None:
    """Print the port and answer until killed."""
    server = await asyncio.get_running_loop().create_server(MockServer, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class Raw(asyncio.Protocol):
    """The floor: canned bytes out, a byte count in."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def ask(self, loop: asyncio.AbstractEventLoop, request: bytes) -> asyncio.Future[None]:
        self.got = 0
        self.future = loop.create_future()
        self.transport.write(request)  # type: ignore[attr-defined]
        return self.future

    def data_received(self, data: bytes) -> None:
        self.got += len(data)
        if self.got >= len(ANSWER):
            self.future.set_result(None)


Ask = Callable[[], Awaitable[object]]


async def raw_asks(port: int, width: int) -> list[Ask]:
    """One asker a connection."""
    loop = asyncio.get_running_loop()
    request = b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: %d\r\n\r\n%b" % (
        len(BODY),
        BODY,
    )
    protocols = [(await loop.create_connection(Raw, "127.0.0.1", port))[1] for _ in range(width)]
    return [partial(protocol.ask, loop, request) for protocol in protocols]


async def measure(asks: list[Ask], count: int) -> tuple[float, float]:
    """CPU and wall microseconds a request; `len(asks)` at a time."""

    async def worker(ask: Ask) -> None:
        for _ in range(count // len(asks)):
            await ask()

    async def wave() -> None:
        async with asyncio.TaskGroup() as group:
            for ask in asks:
                group.create_task(worker(ask))

    await asyncio.gather(*(ask() for ask in asks))  # connections are open before the clock starts
    done = count // len(asks) * len(asks)
    gc.collect()
    cpu, wall = time.process_time(), time.perf_counter()
    await wave()
    return (time.process_time() - cpu) / done * 1e6, (time.perf_counter() - wall) / done * 1e6


async def compare(port: int, count: int) -> None:
    """Print one table."""
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    request = HttpRequest("POST", url, HEADERS, BODY, address="127.0.0.1")
    ours, theirs = AsyncioHttp(), WreqHttp()
    titles = ("CPU us", "wall us", "req/s", "CPU/floor", "req/s/floor")
    print(f"{'at a time':>9}  {'transport':<13}" + "".join(f"{title:>12}" for title in titles))
    for width in WAVES:
        rows: dict[str, list[tuple[float, float]]] = {"raw floor": [], "asyncio_http": [], "wreq_http": []}
        asks: dict[str, list[Ask]] = {
            "raw floor": await raw_asks(port, width),
            "asyncio_http": [partial(ours.fetch, request)] * width,
            "wreq_http": [partial(theirs.fetch, request)] * width,
        }
        for _ in range(3):
            for name, results in rows.items():
                results.append(await measure(asks[name], max(count, width * 4)))
        floor_cpu, floor_wall = min(rows["raw floor"])[0], min(wall for _, wall in rows["raw floor"])
        for name, results in rows.items():
            cpu, wall = min(results)[0], min(wall for _, wall in results)
            cells = (
                f"{cpu:.1f}",
                f"{wall:.1f}",
                f"{1e6 / wall:.0f}",
                f"{cpu / floor_cpu:.2f}x",
                f"{floor_wall / wall:.2f}x",
            )
            print(f"{width:>9}  {name:<13}" + "".join(f"{cell:>12}" for cell in cells))
    await ours.aclose()
    await theirs.aclose()


def main() -> None:
    """Start the server, compare, stop it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=6000, help="requests per round (default 6000)")
    parser.add_argument("--asyncio", action="store_true", help="asyncio's own loop instead of uvloop")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.asyncio:
        with suppress(ImportError):
            import uvloop

            asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    if options.serve:
        asyncio.run(serve())
        return
    server = subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        asyncio.run(compare(int(server.stdout.readline()), options.requests))
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main()
