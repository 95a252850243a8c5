"""1,000 concurrent streams in one process, each byte accounted for; and what a model call costs beyond its HTTP.

    python bench/models_overhead.py [STREAMS] [WIRE ...]

Asserted are counts: every stream's text arrives whole and once, the deltas add up to the reply, the server saw exactly
one request a stream, no connection is left. Reported are times and their ratio to the same bytes read without remit.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

import remit
from remit.core.messages import Message
from remit.core.model import ModelRequest, Reply, StreamEnd, StreamReset, TextDelta
from remit.core.usage import Usage
from remit.runtime import Runtime
from remit.testing import WireServer

WIRES = ("openai-chat", "openai-responses", "anthropic-messages", "gemini", "bedrock-converse", "cohere-v2")
KINDS = ("http", "codec", "gate")
CHARS = 2_000


def text_of(number: int) -> str:
    """A text of its own for every stream, so that a byte in the wrong stream is seen."""
    return "".join(f"{number}:{i};" for i in range(CHARS // 8))


async def one(model: Any, number: int) -> tuple[int, int]:
    """(bytes of text, deltas) of one stream; raises where a byte is lost, repeated or another stream's."""
    shown: list[str] = []
    reply: Reply | None = None
    async with model.stream(str(number)) as stream:
        async for event in stream:
            if type(event) is TextDelta:
                shown.append(event.text)
            elif type(event) is StreamReset:
                raise AssertionError(f"stream {number} began again: {event.reason}")
            elif type(event) is StreamEnd:
                reply = event.reply
    expected = text_of(number)
    assert reply is not None and reply.text == expected == "".join(shown), f"stream {number} is not whole"
    assert reply.usage == Usage(7, 0, 0, 9), f"stream {number} has other counts"
    return len(expected.encode()), len(shown)


async def concurrent(wire: str, streams: int) -> None:
    """All streams of one wire at once."""

    def answer(asked: Any) -> Reply:
        said = str(asked.body)
        number = int("".join(c for c in said.split("stream-", 1)[1] if c.isdigit())[:6]) - 100_000
        return Reply(text_of(number), usage=Usage(7, 0, 0, 9))

    with WireServer(answer=answer) as server:
        async with Runtime():
            model = remit.model(f"{wire}:m", base_url=server.base_url(wire), api_key="k")

            async def ask(number: int) -> tuple[int, int]:
                class Named:
                    """The handle, asked with a text that names its stream."""

                    @staticmethod
                    def stream(_: str) -> Any:
                        return model.stream(f"stream-{number + 100_000}")

                return await one(Named, number)

            began, cpu = time.perf_counter(), time.process_time()
            done = await asyncio.gather(*(ask(number) for number in range(streams)))
            took, used = time.perf_counter() - began, time.process_time() - cpu
        assert len(server.asked) == streams and all(asked.stream for asked in server.asked)
        assert server.cut == 0, f"{server.cut} connections were cut"
    size, deltas = sum(row[0] for row in done), sum(row[1] for row in done)
    print(
        f"{wire:<20} {streams} streams  {size} bytes of text, all accounted for  {deltas} deltas  {took:.2f} s  "
        f"{used / deltas * 1e6:.1f} us CPU a delta (client and server in one process)"
    )


def serve(wire: str) -> None:
    """A server of its own process: print its address, and answer until stdin ends."""
    with WireServer(answer=Reply("ok", usage=Usage(7, 0, 0, 9))) as server:
        print(server.base_url(wire), flush=True)
        sys.stdin.read()


async def overhead(wires: Sequence[str], calls: int) -> None:
    """CPU of a call with gate and memory journal, against its HTTP alone and with encode and decode: us a call.

    The three kinds of every wire take turns, a batch each, so that what the machine does meanwhile meets all of them
    alike; shown is the lower quartile of the batches, and their median. The servers are other processes. A batch is a
    hundred calls at once, as in a process that is busy; the last figure is of calls one after the other, between which
    the process sleeps and its caches grow cold.
    """
    argv = [sys.executable, __file__, "--serve"]
    servers = [subprocess.Popen([*argv, w], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for w in wires]
    urls = [server.stdout.readline().strip() for server in servers if server.stdout is not None]
    try:
        busy = await batches(dict(zip(wires, urls, strict=True)), calls, 100)
        idle = await batches(dict(zip(wires, urls, strict=True)), calls // 4, 1)
    finally:
        for server in servers:
            server.communicate()
    for wire in wires:
        http, codec, gate = (quartile(busy[wire, kind]) for kind in KINDS)
        beyond = statistics.median(busy[wire, "gate"]) - statistics.median(busy[wire, "http"])
        alone = quartile(idle[wire, "http"])
        print(
            f"{wire:<20} {http:.0f} us CPU for HTTP alone; +{codec - http:.0f} us codec; "
            f"+{gate - http:.0f} us beyond HTTP with gate and journal (median {beyond:.0f}; "
            f"one at a time: {alone:.0f}, +{quartile(idle[wire, 'gate']) - alone:.0f})",
            flush=True,
        )


def quartile(times: list[float]) -> float:
    """The time below which a quarter of the batches stay."""
    return statistics.quantiles(times, n=4)[0]


async def batches(urls: dict[str, str], calls: int, at_once: int) -> dict[tuple[str, str], list[float]]:
    """us of CPU a call, batch by batch: HTTP alone, with the codec, with gate and journal."""
    from remit.adapters import providers

    rows: dict[tuple[str, str], list[float]] = {(wire, kind): [] for wire in urls for kind in KINDS}
    async with Runtime() as runtime:
        request = ModelRequest((Message("user", "hi"),))
        kinds: dict[tuple[str, str], Any] = {}
        for wire, url in urls.items():
            model = remit.model(f"{wire}:m", base_url=url, api_key="k")
            bare: Any = providers.make_model(f"{wire}:m", url, "k", os.environ, runtime.outside.own_address)
            kinds[wire, "http"] = lambda bare=bare: bare._http.fetch(bare._sent(request, False))
            kinds[wire, "codec"] = lambda bare=bare: bare.request(request)
            kinds[wire, "gate"] = lambda model=model: model.request("hi")
        for number in range(max(4, calls // 100) + 1):
            for name, call in kinds.items():
                cpu = time.thread_time()
                for _ in range(100 // at_once):
                    await asyncio.gather(*(call() for _ in range(at_once)))
                if number:  # the first batch warms up
                    rows[name].append((time.thread_time() - cpu) * 1e4)
    return rows


def main() -> None:
    """Run both for each wire."""
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2])
        return
    streams = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    wires = sys.argv[2:] or WIRES
    for wire in wires if streams else ():
        asyncio.run(concurrent(wire, streams))
    asyncio.run(overhead(wires, max(1_000, streams)))


if __name__ == "__main__":
    main()
