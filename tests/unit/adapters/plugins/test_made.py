"""Made tools: code of a model, kept as data with a digest, run in T1 or T2 only."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit import Agent, Remit, Runtime, ToolCall
from remit.adapters.plugins.made import MadeTools
from remit.config import state_folder
from remit.core.events import EffectDenied, EffectDone, EffectFailed
from remit.errors import RemitError
from remit.ports.made_tool import MadeTool
from remit.testing import ScriptedModel

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
DOUBLE = MadeTool("made_double", "Doubles.", SCHEMA, "arguments['n'] * 2", "T1")


def run(tmp_path: Path, *calls: tuple[str, dict[str, Any]], allow: tuple[str, ...]) -> list[Any]:
    """The outcomes of one agent's calls."""
    script = [*(ToolCall(f"c{i}", name, arguments) for i, (name, arguments) in enumerate(calls)), "done"]

    async def main() -> list[Any]:
        async with Runtime(workspace=str(tmp_path)) as runtime:
            run = await runtime.run(Agent("a", ScriptedModel(script), tools=None, remit=Remit.allow(*allow)), "work")
            found: list[Any] = []
            for event in run.events:
                if isinstance(event, EffectDone) and "/call/" in event.key:
                    found.append(msgspec.json.decode(bytes(event.result)))
                elif isinstance(event, EffectDenied | EffectFailed):
                    found.append(event.code)
            return found

    return asyncio.run(main())


CREATE = {
    "name": "double",
    "description": "Doubles.",
    "code": "arguments['n'] * 2",
    "input_schema": SCHEMA,
    "tier": "T1",
    "example": {"n": 1},
}


def test_a_made_tool_is_called_in_the_same_run(tmp_path: Path) -> None:
    """Made, then called by name under its own grant; arguments are checked against its schema."""
    calls = [("tool_create", CREATE), ("made_double", {"n": 21}), ("made_double", {"n": "x"})]
    created, doubled, wrong = run(tmp_path, *calls, allow=("tool:tool_create", "tool:made_*"))
    assert created.startswith("made_double is kept, sha256 ")
    assert (doubled, wrong) == ("42", "arguments_invalid")


def test_making_and_calling_are_grants_of_their_own(tmp_path: Path) -> None:
    """Whoever may make a tool may not call it by that, and the other way round."""
    calls = [("tool_create", CREATE), ("made_double", {"n": 21})]
    assert run(tmp_path, *calls, allow=("tool:tool_create",))[1] == "not_granted"
    assert run(tmp_path, *calls, allow=("tool:made_double",))[0] == "not_granted"


def test_a_made_tool_has_no_outside(tmp_path: Path) -> None:
    """Its code finds no files, no environment, no handles, also when the run may read everything."""
    for code in ("open('/etc/passwd').read()", "read_file('x')", "ctx", "import os\nos.environ['HOME']"):
        create = {**CREATE, "code": code, "example": None}
        allow = ("tool:tool_create", "tool:made_*", "fs.read:**", "shell:*", "net:*")
        assert run(tmp_path, ("tool_create", create), ("made_double", {"n": 1}), allow=allow)[1] == "tool_failed"


@pytest.mark.parametrize(
    "changes",
    [{"name": "../x"}, {"name": "Double"}, {"name": ""}, {"code": ""}, {"tier": "T0"}, {"tier": "T3"},
     {"input_schema": {"type": "array"}}, {"input_schema": {"patternProperties": {}}}, {"code": "x" * 70_000},
     {"example": {"n": None}}, {"code": "1 / 0"}],
)  # fmt: skip
def test_what_cannot_work_is_not_kept(changes: dict[str, Any], tmp_path: Path) -> None:
    """Bad names, schemas and tiers, and code that fails with its example: refused, nothing is stored."""
    (code,) = run(tmp_path, ("tool_create", {**CREATE, **changes}), allow=("tool:tool_create",))
    assert code in ("value_invalid", "arguments_invalid")
    assert not list((state_folder() / "made_tools").glob("*.json"))


def test_versions_are_kept_and_changed_files_refused(tmp_path: Path) -> None:
    """A new version is a new file; a changed digest, code or name is denied_by_rule."""
    store = MadeTools(str(tmp_path / "made"))
    first = store.save(DOUBLE)
    assert store.save(msgspec.structs.replace(DOUBLE, code="arguments['n'] + arguments['n']")) != first
    assert store.names() == ("made_double",)
    newest = tmp_path / "made" / "made_double.002.json"
    assert "+" in store.load("made_double").code
    good = newest.read_bytes()
    for old, new in ((b" + ", b" - "), (b"Doubles", b"Trebles"), (b"T1", b"T2"), (b'"digest":"', b'"digest":"0')):
        newest.write_bytes(good.replace(old, new, 1))
        with pytest.raises(RemitError) as caught:
            store.load("made_double")
        assert caught.value.code == "denied_by_rule"
    newest.write_bytes(json.dumps({"digest": "x"}).encode())
    with pytest.raises(RemitError) as caught:
        store.tool("made_double")
    assert caught.value.code == "denied_by_rule"
    with pytest.raises(RemitError) as caught:
        store.load("made_absent")
    assert caught.value.code == "tool_unknown"
