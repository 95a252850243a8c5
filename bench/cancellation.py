"""Cancel a thousand runs at once, each in the middle of something: how fast they stop, and what is left.

    python bench/cancellation.py [RUNS] [--policy immediate|graceful]

A third each streams from a model that never ends, runs an own tool that never ends, and has a sub-agent that does; a
few run a sandboxed program with a child of its own (where bubblewrap works). Prints p50 and p99 from `cancel()` to the
end of `run()`, and counts: effects by outcome, processes and sockets left. Ends with 1 when something is left or open.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from remit import Agent, Remit, Runtime, ToolCall, tool
from remit.core.events import EffectDenied, EffectDone, EffectFailed, EffectInDoubt, EffectIntent
from remit.core.model import ModelRequest, Reply, StreamEnd, StreamEvent
from remit.journal.chain import decode_event
from remit.models.handle import ModelHandle

PROGRAMS = 4
START_S = 120.0


class Middle:
    """How many runs are in the middle of something."""

    count = 0

    @classmethod
    async def forever(cls) -> None:
        """Never end."""
        cls.count += 1
        await asyncio.Event().wait()


class Endless:
    """A model that calls the agent's first tool, or never answers when it has none."""

    url = ""
    name = "endless:model"

    async def request(self, request: ModelRequest) -> Reply:
        """One call."""
        if not request.tools:
            await Middle.forever()
        arguments = {"argv": ["sh", "-c", "sleep 987 & sleep 986"]} if request.tools[0].name == "shell" else {}
        return Reply((ToolCall("1", request.tools[0].name, arguments),), "tool_calls")

    async def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        """The same."""
        yield StreamEnd(await self.request(request))


async def dribble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A provider whose stream never ends."""
    try:
        await reader.readuntil(b"\r\n\r\n")
        Middle.count += 1
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        while True:
            writer.write(b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n')
            await writer.drain()
            await asyncio.sleep(0.5)
    except (OSError, EOFError, asyncio.CancelledError):
        writer.close()


@tool(effect="unsafe")
async def forever() -> str:
    """Never end."""
    await Middle.forever()
    return ""


sub = Agent("sub", Endless(), tools=[forever])


@tool(effect="idempotent")
async def delegate() -> str:
    """Have another agent do it."""
    return str((await sub.run("x")).output)


def descriptors() -> Counter[str]:
    """This process's open sockets."""
    found: Counter[str] = Counter()
    for name in os.listdir("/proc/self/fd"):
        try:
            found[os.readlink(f"/proc/self/fd/{name}").partition(":")[0]] += 1
        except OSError:
            continue
    return found


def programs() -> int:
    """Sleeping programs of this benchmark that are alive."""
    count = 0
    for pid in os.listdir("/proc"):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes() if pid.isdigit() else b""
        except OSError:
            continue
        count += command.startswith((b"sleep\x00987", b"sleep\x00986"))
    return count


async def under_way(runs: int, sleeping: int) -> None:
    """Return when `runs` runs, and `sleeping` programs of them, are in the middle; raises SystemExit after START_S."""
    until = time.perf_counter() + START_S
    while Middle.count < runs or programs() < sleeping:
        if time.perf_counter() > until:
            raise SystemExit(f"only {Middle.count} runs and {programs()} programs began in {START_S:.0f} s")
        await asyncio.sleep(0.25)
    await asyncio.sleep(1)


async def measure(runs: int, policy: str, folder: Path) -> int:
    """Start, cancel, look."""
    own = descriptors()["socket"]  # the event loop's own pair
    server = await asyncio.start_server(dribble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    handle = ModelHandle("openai-chat:m", base_url=f"http://127.0.0.1:{port}/v1", api_key="k")
    agents = [
        Agent("streams", handle, cancel=policy),
        Agent("works", Endless(), tools=[forever], cancel=policy),
        Agent("delegates", Endless(), tools=[delegate], cancel=policy, remit=Remit.allow("tool:*", "model:**")),
    ]
    sandboxed = PROGRAMS if shutil.which("bwrap") else 0
    shells = Agent("shells", Endless(), tools=["shell"], remit=Remit.allow("shell:sh", "fs.write:**"), cancel=policy)
    took: list[float] = []
    async with Runtime(f"sqlite:{folder}/journal.db", workspace=str(folder), tune_gc=False) as runtime:
        chosen = [agents[n % 3] for n in range(runs)] + [shells] * sandboxed
        ids = [f"run_{n:026}" for n in range(len(chosen))]

        async def one(agent: Any, run_id: str) -> None:
            listener = (lambda *_: None) if agent.name == "streams" else None  # then its replies are streamed
            run = await agent.run("x", run_id=run_id, listener=listener)
            if run.status != "cancelled":
                raise SystemExit(f"{run.id} of {agent.name} ended before it was cancelled: {run.status} {run.error}")
            took.append(time.perf_counter() - begun[run_id])

        begun: dict[str, float] = {}
        async with asyncio.TaskGroup() as group:
            for agent, run_id in zip(chosen, ids, strict=True):
                group.create_task(one(agent, run_id))
            await under_way(runs, 2 * sandboxed)
            alive, sockets = programs(), descriptors()["socket"]
            cpu = time.process_time()
            for run_id in ids:
                begun[run_id] = time.perf_counter()
                if not runtime.cancel(run_id, policy=policy):
                    print(f"{run_id} was not under way")
        cpu = time.process_time() - cpu
        await runtime.outside.aclose()
        effects: dict[tuple[str, str], str] = {}
        for row in runtime.journal.runs(10_000):
            for entry in runtime.journal.read(row.run_id):
                event = decode_event(entry.body)
                if isinstance(event, EffectIntent):
                    effects[row.run_id, event.key] = "open"
                elif isinstance(event, EffectDone | EffectFailed | EffectDenied | EffectInDoubt):
                    effects[row.run_id, event.key] = type(event).__name__
        server.close()
        await asyncio.sleep(1.5)
        left = programs(), descriptors()["socket"]
    outcomes = Counter(effects.values())
    took.sort()
    p99 = took[int(len(took) * 0.99)]
    print(f"{len(took)} runs cancelled ({policy}): p50 {statistics.median(took):.3f} s, p99 {p99:.3f} s")
    print(f"{cpu:.3f} s of CPU from the first to the last")
    print(f"effects: {dict(outcomes)}")
    print(f"programs {alive} -> {left[0]}, sockets {sockets} -> {left[1]}, of which the event loop's {own}")
    return 1 if outcomes["open"] or left[0] or left[1] > own or p99 > 1 or len(took) != len(chosen) else 0


def main() -> int:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", type=int, nargs="?", default=1000)
    parser.add_argument("--policy", default="immediate")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="remit-cancel-") as folder:
        os.environ["REMIT_STATE_DIR"] = folder
        return asyncio.run(measure(given.runs, given.policy, Path(folder)))


if __name__ == "__main__":
    raise SystemExit(main())
