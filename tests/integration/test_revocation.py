"""Revocations that last: journalled, obeyed by other processes and after restarts; and what a resumed run remembers."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from integration.command import remit as command
from integration.command import result
from remit import Agent, Remit, Runtime, ToolCall, tool
from remit.config import state_folder
from remit.core.events import EffectDenied, GrantRevoked
from remit.core.grants import parse_grant
from remit.core.screening import Rule
from remit.core.sections import GuardrailsSection
from remit.guard.revoked import FILE_NAME, Revoked, add, read
from remit.guard.screening import Screening
from remit.journal.chain import decode_event
from remit.journal.projections import decisions
from remit.testing import ScriptedModel

DONE: list[str] = []
GRANT = parse_grant("tool:note")


@tool(effect="write")
def note(text: str) -> str:
    """Note something."""
    DONE.append(text)
    return text


def agent(*texts: str) -> Agent:
    calls = [ToolCall("c", "note", {"text": text}) for text in texts]
    return Agent("a", ScriptedModel([*calls, "end"]), tools=[note], remit=Remit.allow("tool:note"))


def denials(run: Any) -> list[EffectDenied]:
    return [e for e in run.events if isinstance(e, EffectDenied)]


@pytest.fixture(autouse=True)
def _fresh() -> None:
    DONE.clear()


def test_a_revocation_outlives_its_process(tmp_path: Path) -> None:
    """Revoked in one runtime, refused in the next one; the journal holds who did it and why."""
    spec = f"sqlite:{tmp_path / 'j.db'}"

    async def first() -> None:
        async with Runtime(spec, tune_gc=False) as runtime:
            assert (await runtime.run(agent("one"), "go")).denied == 0
            await runtime.revoke_lastingly(GRANT.id, by="ann", reason="lost laptop")

    async def second() -> tuple[Any, list[Any]]:
        async with Runtime(spec, tune_gc=False) as runtime:
            run = await runtime.run(agent("two"), "go")
            rows = [row for row in runtime.journal.runs() if row.task.startswith("revoke")]
            kept = [decode_event(e.body) for e in runtime.journal.read(rows[0].run_id)]
            return denials(run), kept

    asyncio.run(first())
    refused, kept = asyncio.run(second())
    assert (DONE, [d.code for d in refused]) == (["one"], ["not_granted"])
    assert GrantRevoked(GRANT.id, "ann", "lost laptop") in kept


def test_another_process_obeys_while_it_runs() -> None:
    """A revocation that comes into the state folder is seen before the next effect of a run under way."""

    @tool(effect="write")
    async def slow_note(text: str) -> str:
        """Note, and wait."""
        DONE.append(text)
        add(str(state_folder()), Revoked(parse_grant("tool:slow_note").id))  # as another process would
        await asyncio.sleep(0.1)
        return text

    async def main() -> Any:
        calls = [ToolCall("c", "slow_note", {"text": text}) for text in ("one", "two")]
        async with Runtime("memory:", tune_gc=False) as runtime:
            remit = Remit.allow("tool:slow_note")
            return await runtime.run(Agent("a", ScriptedModel([*calls, "end"]), tools=[slow_note], remit=remit), "go")

    run = asyncio.run(main())
    assert (DONE, [d.code for d in denials(run)]) == (["one"], ["not_granted"])


def test_a_list_that_cannot_be_read_stops_effects() -> None:
    """A damaged file is no empty file: nothing happens until it is repaired."""
    os.makedirs(state_folder(), exist_ok=True)
    (state_folder() / FILE_NAME).write_bytes(b"[{")

    async def main() -> Any:
        async with Runtime("memory:", tune_gc=False) as runtime:
            return await runtime.run(agent("one"), "go")

    run = asyncio.run(main())
    assert (DONE, run.status == "ok") == ([], False)


def test_a_parked_run_keeps_its_revocation_without_the_file(tmp_path: Path) -> None:
    """A run that waits gets the event into its own chain; resumed, it obeys although the file is gone."""
    spec = f"sqlite:{tmp_path / 'j.db'}"

    @tool(effect="read", returns="untrusted")
    def look() -> str:
        """Look."""
        return "something"

    def made() -> Agent:
        calls = [ToolCall("c", "look", {}), ToolCall("d", "note", {"text": "x"}), ToolCall("e", "note", {"text": "y"})]
        return Agent(
            "a", ScriptedModel([*calls, "end"]), tools=[look, note], remit=Remit.allow("tool:look", "tool:note")
        )

    async def main() -> tuple[str, str, set[str]]:
        async with Runtime(spec, tune_gc=False) as runtime:
            run = await runtime.run(made(), "go")
            await runtime.revoke_lastingly(GRANT.id, run.id)
            first = run.status
        (state_folder() / FILE_NAME).unlink()
        async with Runtime(spec, tune_gc=False) as runtime:
            resumed = await runtime.resume(run.id, made())
            return first, resumed.status, {d.code for d in denials(resumed)}

    assert asyncio.run(main()) == ("waiting", "ok", {"not_granted"})
    assert DONE == []


def test_the_command(tmp_path: Path) -> None:
    """`remit policy revoke`: by id, listed, refused for what is no id or no run."""
    assert (
        result(command("policy", "revoke", GRANT.id, "--reason", "test", "--json", cwd=tmp_path))["grant"] == GRANT.id
    )
    assert [e.grant for e in read(str(state_folder() / FILE_NAME))] == [GRANT.id]
    assert result(command("policy", "revoke", "--list", "--json", cwd=tmp_path))["revoked"][0]["reason"] == "test"
    assert command("policy", "revoke", "tool:note", cwd=tmp_path).returncode == 2
    assert command("policy", "revoke", GRANT.id, "--run", "nobody", cwd=tmp_path).returncode == 2


def test_decisions_name_their_grants() -> None:
    """The audit record of an effect holds the ids of the grants that allowed it, of a refusal the rule and its id."""

    async def main() -> list[decisions.Decision]:
        async with Runtime("memory:", tune_gc=False) as runtime:
            plain = await runtime.run(agent("three"), "go")
            denied = Agent("b", ScriptedModel([ToolCall("c", "note", {"text": "x"}), "end"]), tools=[note],
                           remit=Remit.allow("tool:note").deny("tool:n*"))  # fmt: skip
            refused = await runtime.run(denied, "go")
            found = []
            for each in (plain, refused):
                found += decisions.fold(decisions.EMPTY, runtime.journal.read(each.id)).found
            return found

    calls = [d for d in asyncio.run(main()) if d.effect == "note" and d.decision in ("allow", "deny")]
    denial = parse_grant("tool:n*")
    assert [(d.decision, d.grants) for d in calls] == [("allow", (GRANT.id,)), ("deny", (denial.id,))]
    assert (calls[0].rule, calls[1].rule) == ("tool:note", "grant:denied_by_rule: deny tool:n*")


def guarded(level: Any) -> Screening:
    rule = Rule("regex", values=("launch codes",), on=("output",), level=level)
    return Screening(GuardrailsSection(rules=(rule,)))


@pytest.mark.parametrize("level", ["high", "critical"])
def test_what_tripped_has_tripped_after_a_crash(level: str, tmp_path: Path) -> None:
    """An answer withheld before a crash stays withheld, and a tripwire stays tripped, whatever is configured."""
    path = tmp_path / "j.db"

    def made() -> Agent:
        return Agent("a", ScriptedModel(["the launch codes are 1234"]), tools=[note], remit=Remit.allow("tool:note"))

    async def first() -> Any:
        async with Runtime(f"sqlite:{path}", tune_gc=False, screening=guarded(level)) as runtime:
            run = await runtime.run(made(), "go")
            return run, [e for e in runtime.journal.read(run.id) if b'"run_done"' not in e.body]

    async def again(entries: list[Any]) -> Any:
        """The same run in another journal, which its process left before its last event."""
        async with Runtime("memory:", tune_gc=False) as runtime:
            events = [decode_event(e.body) for e in entries]
            log = runtime.journal.create("run_crashed", events[0])
            for event in events[1:]:
                log.append(event)
            await log.release("waiting")
            return await runtime.resume("run_crashed", made())

    ended, entries = asyncio.run(first())
    resumed = asyncio.run(again(entries))
    assert (resumed.status, resumed.error.code) == (ended.status, ended.error.code)
    assert "1234" not in str(resumed.output)
    assert ended.error.code.startswith("guardrail_")
