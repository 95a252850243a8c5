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


async def overhead(wire: str, calls: int) -> None:
    """CPU of a call with gate and memory journal, against its HTTP alone and with encode and decode: us a call.

    The three kinds take turns, a batch each, and the median of their batches is shown: what the machine does meanwhile
    meets all three. The server is another process. A batch is a hundred calls at once, as in a process that is busy;
    the last figure is of calls one after the other, between which the process sleeps and its caches grow cold.
    """
    argv = [sys.executable, __file__, "--serve", wire]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None and server.stdin is not None
        base_url = server.stdout.readline().strip()
        busy, idle = await batches(wire, base_url, calls, 100), await batches(wire, base_url, calls // 4, 1)
        server.stdin.close()
    print(
        f"{wire:<20} {busy['http']:.0f} us CPU for HTTP alone; +{busy['codec'] - busy['http']:.0f} us codec; "
        f"+{busy['gate'] - busy['http']:.0f} us beyond HTTP with gate and journal "
        f"(one at a time: {idle['http']:.0f}, +{idle['gate'] - idle['http']:.0f})",
        flush=True,
    )


async def batches(wire: str, base_url: str, calls: int, at_once: int) -> dict[str, float]:
    """us of CPU a call, the median of the batches: HTTP alone, with the codec, with gate and journal."""
    from remit.adapters import providers

    rows: dict[str, list[float]] = {"http": [], "codec": [], "gate": []}
    async with Runtime() as runtime:
        model = remit.model(f"{wire}:m", base_url=base_url, api_key="k")
        bare: Any = providers.make_model(f"{wire}:m", base_url, "k", os.environ, runtime.outside.own_address)
        request = ModelRequest((Message("user", "hi"),))

        async def http_only() -> None:
            await bare._http.fetch(bare._sent(request, False))

        kinds = {"http": http_only, "codec": lambda: bare.request(request), "gate": lambda: model.request("hi")}
        for number in range(max(4, calls // 100) + 1):
            for name, call in kinds.items():
                cpu = time.thread_time()
                for _ in range(100 // at_once):
                    await asyncio.gather(*(call() for _ in range(at_once)))
                if number:  # the first batch warms up
                    rows[name].append((time.thread_time() - cpu) * 1e4)
    return {name: statistics.median(times) for name, times in rows.items()}


def main() -> None:
    """Run both for each wire."""
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2])
        return
    streams = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    for wire in sys.argv[2:] or WIRES:
        asyncio.run(concurrent(wire, streams))
        asyncio.run(overhead(wire, max(200, streams)))


if __name__ == "__main__":
    main()
