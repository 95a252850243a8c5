"""What is meant to break a team: hostile members, thousands of them, hostile files, definitions that cannot work.

Each is refused or bounded, with a code, a reason and a hint; definitions the same in code, YAML and TOML.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit import Agent, Invalid, RemitError, Runtime
from remit.teams import load_team
from remit.teams.crew import Crew, Task
from remit.teams.graph import END, START, Graph, node
from remit.teams.patterns.ensemble import Ensemble
from remit.teams.patterns.map_reduce import MapReduce
from remit.teams.patterns.pipeline import Pipeline
from remit.teams.patterns.swarm import Swarm
from remit.testing import FunctionModel
from unit.teams.in_loop import in_loop


class Odd(BaseException):
    """An error that no `except Exception` sees."""


def echo(request: Any) -> str:
    return "ok"


async def fine(_: str) -> str:
    return "ok"


async def large(_: str) -> str:
    return "x" * 10_000_000


async def odd(_: str) -> str:
    raise Odd("no error, and yet")


async def leaves(_: str) -> str:
    sys.exit(3)


async def half(_: str) -> str:
    return "\ud800"


async def deep(_: str) -> Any:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("member", "code"),
    [(large, "output_too_large"), (odd, "team_failed"), (leaves, "team_failed"), (half, "value_invalid"),
     (deep, "value_invalid")],
)  # fmt: skip
@in_loop
async def test_a_hostile_member_is_a_member_that_failed(member: Any, code: str, tmp_path: Path) -> None:
    """It fails with a code and a hint, the others are kept, and the journal holds an end of every run."""
    async with Runtime(f"sqlite:{tmp_path}/j.db", tune_gc=False) as runtime:
        run = await Ensemble(fine, member, fine, agreement=None).run("go")
        assert (run.status, run.output) == ("ok", "ok")
        [bad] = {a.member: a for a in run.answers if not a.ok}.values()
        assert bad.error is not None
        assert (bad.status, bad.error["code"], bool(bad.error["hint"])) == ("failed", code, True)
        run = await Pipeline(fine, member).run("go")
        assert run.error is not None
        assert (run.error.code, run.output, bool(run.error.hint)) == (code, "ok", True)
        assert all(row.status not in ("running", "interrupted") for row in runtime.journal.runs())
        assert runtime.journal.verify() == []


@in_loop
async def test_an_agents_answer_is_bounded_too() -> None:
    """Ten million characters of a model are not handed on to the next member."""
    asked: list[int] = []

    def last(request: Any) -> str:
        asked.append(len(request.messages[-1].text))
        return "ok"

    first = Agent("a", FunctionModel(lambda r: "y" * 10_000_000, name="function:a"))
    async with Runtime(tune_gc=False):
        run = await Pipeline(first, Agent("b", FunctionModel(last, name="function:b")), retries=0).run("go")
    assert (run.status, run.error.code if run.error else "", asked) == ("failed", "output_too_large", [])


@in_loop
async def test_ten_thousand_members_are_carried_or_refused() -> None:
    """A plain ensemble and a crew carry them; what would compare or read each with each says so when it is made."""
    many = [fine] * 10_000
    async with Runtime(tune_gc=False):
        run = await Ensemble(many, agreement=None).run("go")
        assert (run.status, len(run.answers)) == ("ok", 10_000)
    refused: list[Callable[[], Any]] = [
        lambda: Ensemble(many), lambda: Swarm(many, agreement=None), lambda: Ensemble([fine] * 10_001, agreement=None),
        lambda: Crew([Task(f"t{i}", "x", fine) for i in range(10_001)]), lambda: MapReduce(fine, fine, chunks=10**6),
        lambda: Ensemble(fine, fine, at_once=0),
    ]  # fmt: skip
    for make in refused:
        with pytest.raises(Invalid) as caught:
            make()
        assert caught.value.code == "team_invalid"
        assert caught.value.hint


HOSTILE: dict[str, str | bytes] = {
    "bomb.yaml": "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "merge.yaml": "a: &a {x: 1}\nb:\n  <<: *a\n",
    "anchor.yaml": "team: &x {kind: pipeline}\n", "twice.yaml": "kind: crew\nkind: team\n",
    "tab.yaml": "agents:\n\t- a\n", "nul.yaml": "a: 'x\0y'\n", "hidden_nul.yaml": 'team: {name: "x\\0y"}\n',
    "half.yaml": 'team: {name: "\\ud800"}\n', "tag.yaml": "a: !!python/object/apply:os.system ['id']\n",
    "deep.yaml": "a: " + "[" * 5_000 + "]" * 5_000, "open.yaml": "[" * 100_000, "two.yaml": "a: 1\n---\nb: 2\n",
    "bytes.yaml": b"\xff\xfea", "digits.yaml": "a: " + "9" * 5_000, "many.yaml": "a: [" + "1," * 150_000 + "1]",
    "long.yaml": "a: " + "x" * 1_000_001, "empty.yaml": "", "list.yaml": "- a\n", "key.yaml": "? [1]\n: 2\n",
    "twice.toml": "a = 1\na = 2\n", "table.toml": "[a]\nx = 1\n[a]\ny = 2\n", "nul.toml": 'a = "x\0y"\n',
    "hidden_nul.toml": 'team = {name = "x\\u0000y"}\n', "deep.toml": "a = " + "[" * 5_000 + "]" * 5_000,
    "dotted.toml": ".".join("a" * 5_000) + " = 1", "digits.toml": "a = " + "9" * 5_000, "empty.toml": "",
    "bytes.toml": b"\xff", "long.toml": 'a = "' + "x" * 1_000_001 + '"', "other.json": "{}",
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused(name: str, tmp_path: Path) -> None:
    """Bombs, aliases, repeated keys, tabs, NUL, depth, size: team_invalid with the file's name and a hint."""
    text = HOSTILE[name]
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(RemitError) as caught:
        load_team(path)
    assert (caught.value.code, name in caught.value.message) == ("team_invalid", True)
    assert caught.value.hint


# --- definitions that cannot work: what is wrong -> (graph as data, the same in code, place, reason) -----------------


class State(msgspec.Struct):
    x: str = ""
    y: str = ""


def agent(name: str) -> Agent:
    return Agent(name, FunctionModel(echo, name="function:a"), instructions=name)


def x(name: str = "x") -> Any:
    return node(agent("a"), name=name, writes="x")


def _cycle() -> Any:
    first, second = x("one"), x("two")
    return Graph(State).edges((START, first, second), (second, first))


def _conflict() -> Any:
    first, second = x("one"), x("two")
    return Graph(State).edges((START, [first, second]), ([first, second], END))


def _unknown_member() -> Any:
    return Pipeline("ghost")


def _unknown_field() -> Any:
    return Graph(State).edges((START, node(agent("a"), name="z", writes="z"), END))


def _unreachable() -> Any:
    return Graph(State).edges((START, x("one"), END), (x("two"), END))


def _dependency() -> Any:
    return Crew([Task("a", "x", fine, depends_on=("b",)), Task("b", "x", fine, depends_on=("a",))])


NODES = {"one": {"member": "a", "writes": "x"}, "two": {"member": "a", "writes": "x"}}
STATE = {"x": "str", "y": "str"}


def graph(nodes: dict[str, Any], *edges: Any) -> dict[str, Any]:
    return {"kind": "graph", "state": STATE, "nodes": nodes, "edges": list(edges)}


BAD: dict[str, tuple[dict[str, Any], Callable[[], Any], str, str]] = {
    "a cycle without exit": (
        graph(NODES, ["START", "one", "two"], ["two", "one"]), _cycle, "node ", "cycle without exit"),
    "conflicting writes without a reducer": (
        graph(NODES, ["START", ["one", "two"]], [["one", "two"], "END"]), _conflict, "node ", "it has no reducer"),
    "an unknown agent": ({"kind": "pipeline", "stages": ["ghost"]}, _unknown_member, "stage", ""),
    "an unknown field": (
        graph({"z": {"member": "a"}}, ["START", "z", "END"]), _unknown_field, "node z", "State has not"),
    "a node that nothing leads to": (
        graph(NODES, ["START", "one", "END"], ["two", "END"]), _unreachable, "node two", "no way leads to it"),
    "tasks that wait for each other": (
        {"kind": "crew", "tasks": [{"name": "a", "agent": "a", "depends_on": ["b"]},
                                   {"name": "b", "agent": "a", "depends_on": ["a"]}]}, _dependency, "crew", ""),
}  # fmt: skip


@pytest.mark.parametrize("form", ["code", "yaml", "toml"])
@pytest.mark.parametrize("wrong", BAD)
def test_what_cannot_work_is_refused_at_build(wrong: str, form: str, tmp_path: Path) -> None:
    """The same in all three forms: a code, the place, the reason and what to do."""
    data, make, place, reason = BAD[wrong]
    path = tmp_path / f"bad.{form}"
    if form != "code":
        whole = {"agents": {"a": {"model": "openai:x"}}, "team": data}
        path.write_text(json.dumps(whole) if form == "yaml" else _toml(whole))
    with pytest.raises(RemitError) as caught:
        make() if form == "code" else load_team(path, model=FunctionModel(echo))
    error = caught.value
    assert error.code in ("team_invalid", "graph_invalid")
    assert place in error.message
    assert reason in error.message
    assert error.hint


def _toml(whole: dict[str, Any]) -> str:
    """The data as TOML with inline tables."""

    def value(v: Any) -> str:
        if isinstance(v, dict):
            return "{" + ", ".join(f"{json.dumps(k)} = {value(e)}" for k, e in v.items()) + "}"
        if isinstance(v, list):
            return "[" + ", ".join(map(value, v)) + "]"
        return json.dumps(v)

    return "\n".join(f"{key} = {value(v)}" for key, v in whole.items())
