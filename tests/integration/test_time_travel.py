"""scrub, diff, fork and breakpoints, at the command line and in a program."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from integration.command import remit, result, rows
from integration.openai_server import Server, results
from remit import Agent, Runtime, tool
from remit.agents.breakpoints import Breakpoints
from remit.core.messages import ToolCall
from remit.errors import RemitError
from remit.journal.fork import EDITABLE, fork, forks, lineage
from remit.testing import FakeClock, ScriptedModel


def answer(body: dict[str, Any]) -> Any:
    """Reads a file, then says what was in it."""
    found = results(body)
    return f"it says {found[0].splitlines()[0]}" if found else [("read_file", {"path": "note.txt"})]


def test_a_run_is_scrubbed_compared_and_forked(tmp_path: Path) -> None:
    """A fork with an edited result shares the past, calls the tool no second time, and answers with the edit."""
    (tmp_path / "note.txt").write_text("hello\n", encoding="utf-8")
    with Server(answer) as server:
        flags = ("--workspace", str(tmp_path), "--model", "openai-chat:m", "--base-url", server.url, "--json")
        done = result(remit("run", "what does it say?", *flags, "--allow", "fs.read:**"))
        run_id = done["run_id"]
        events = rows("show", run_id, "--events")
        at = next(e["seq"] for e in events if e["type"] == "effect_done" and e["key"] == "turn/1/call/0")
        state = rows("scrub", run_id, "--at", str(at), "--state")[0]
        assert (state["status"], state["places"]["turn/1/call/0"]["state"]) == ("running", "done")
        assert [e["seq"] for e in rows("scrub", f"{run_id}@{at}")] == list(range(1, at + 1))
        edited = remit("fork", run_id, "--edit", "turn/1/call/0=goodbye", "--json")
        new = result(edited)
        assert (new["origin"], new["seq"], new["edits"]) == (run_id, at, ["turn/1/call/0"])
        before = len(server.bodies)
        resumed = result(remit("run", "--resume", new["run_id"], *flags))
        assert (resumed["status"], resumed["output"]) == ("ok", "it says goodbye"), resumed["error"]
        assert len(server.bodies) == before + 1
        again = result(remit("fork", run_id, "--at", "1", "--json"))["run_id"]
        stepped = result(remit("run", "--resume", again, "--step", "1", *flags))
        assert (stepped["status"], len(server.bodies)) == ("waiting", before + 2)
        held = result(remit("run", "--resume", again, "--break", "read_*", *flags))
        assert (held["status"], len(server.bodies)) == ("waiting", before + 2)
        assert result(remit("run", "--resume", again, *flags))["output"] == "it says hello"
    compared = remit("diff", run_id, new["run_id"], "--json")
    assert compared.returncode == 1
    assert result(compared)["divergence"]["path"] == "turn/1/call/0"
    assert remit("diff", run_id, run_id).returncode == 0
    tree = remit("fork", "--list").stdout
    assert f"{run_id}\n  {new['run_id']}  from @{at}, edited turn/1/call/0\n" in tree
    assert remit("audit", "verify").returncode == 0


def test_what_cannot_be_forked_is_refused(tmp_path: Path) -> None:
    """Moments that are not there, edits that fit nothing, and an altered past are refused."""

    async def main() -> None:
        async with Runtime() as runtime:
            run = await Agent("a", ScriptedModel("one")).run("x")
            for seq, edits in ((0, {}), (99, {}), (1, {"turn/1/model": "two"}), (4, {"task": "y"})):
                with pytest.raises(RemitError, match="value_invalid"):
                    await fork(runtime.journal, runtime.clock, run.id, seq, edits)
            new = await fork(runtime.journal, runtime.clock, run.id, 1, {"task": "y"})
            other = await runtime.resume(new, Agent("a", ScriptedModel("two")))
            assert (other.output, [f.origin for f in forks(runtime.journal)]) == ("two", [run.id])
            runtime.journal._runs[run.id].entries.pop(0)  # type: ignore[attr-defined]  # somebody alters the past
            with pytest.raises(RemitError):
                lineage(runtime.journal, new)

    asyncio.run(main())
    assert "task" in EDITABLE


def test_breakpoints_and_steps(tmp_path: Path) -> None:
    """A resumed run parks before the effect that a breakpoint names, or after so many steps; nothing ran twice."""
    done: list[str] = []

    @tool(effect="read")
    def look(what: str) -> str:
        """Look."""
        done.append(what)
        return what

    calls = [ToolCall(str(i), "look", {"what": str(i)}) for i in range(3)]

    async def main() -> None:
        clock = FakeClock()
        async with Runtime(clock=clock) as runtime:
            origin = await Agent("a", ScriptedModel("unused")).run("x")
            run_id = await fork(runtime.journal, clock, origin.id, 1, {})
            agent = Agent("a", ScriptedModel(*calls, "end"), tools=[look])
            stopped = await runtime.resume(run_id, agent, control=Breakpoints("turn/2/call/*"))
            assert (stopped.status, done) == ("waiting", ["0"])
            control = Breakpoints(steps=2)
            stopped = await runtime.resume(run_id, agent, control=control)
            assert (stopped.status, done, control.stopped) == ("waiting", ["0", "1"], ["turn/3/call/0"])
            assert (await runtime.resume(run_id, agent)).output == "end"
            assert done == ["0", "1", "2"]

    asyncio.run(main())
