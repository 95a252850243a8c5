"""Workflow files: the same team as in code, and everything wrong with a file refused with its place."""

from __future__ import annotations

import operator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest

from remit import Agent, Invalid, Runtime
from remit.teams.crew import Condition, Crew, Task
from remit.teams.files import load_team, read_file, team_of
from remit.teams.files.building import all_kinds
from remit.teams.files.reading import read_toml, read_yaml
from remit.teams.files.schema import file_schema
from remit.teams.graph import END, START, Graph, node
from remit.testing import FakeClock, FunctionModel
from unit.teams.in_loop import in_loop

ROOT = Path(__file__).resolve().parents[3]

CREW = """
version: 1
agents:
  one: {instructions: "You are one.", model: fast}
  two: {instructions: "You are two."}
team:
  kind: crew
  max_concurrency: 2
  tasks:
    - {name: a, description: First., agent: one}
    - {name: b, description: Second., agent: two, depends_on: [a], when: {task: a, op: contains, value: one}}
"""
GRAPH = """
version = 1
[agents.writer]
instructions = "You are writer."
[team]
kind = "graph"
edges = [["START", "draft", "END"]]
[team.state]
topic = "str"
draft = "str"
notes = { type = "list[str]", reducer = "append" }
[team.nodes.draft]
member = "writer"
prompt = "On {topic}"
"""


def echo(request: Any) -> str:
    return f"{request.messages[0].text[8:-1]}: {request.messages[-1].text}"


async def events(team: Any, task: Any) -> list[Any]:
    """What a run of the team journals, without ids."""
    async with Runtime(clock=FakeClock(), tune_gc=False) as runtime:
        run = await team.run(task)
        assert run.status == "ok", run.error
        found = []
        for row in reversed(runtime.journal.runs()):
            for entry in runtime.journal.read(row.run_id):
                body = msgspec.json.decode(entry.body)
                found.append(msgspec.json.encode(body, order="deterministic").decode().replace(row.run_id, "ID"))
        return [text for text in found if "run_01" not in text]


@in_loop
async def test_a_file_is_the_same_as_code() -> None:
    """A crew and a graph of a file journal, event by event, what the same definitions in code journal."""
    model = FunctionModel(echo, name="function:fast")

    def agent(name: str) -> Agent:
        return Agent(name, model, instructions=f"You are {name}.")

    tasks = [Task("a", "First.", agent("one")),
             Task("b", "Second.", agent("two"), ("a",), when=Condition("a", "contains", "one"))]  # fmt: skip
    from_file = team_of(read_yaml(CREW, "crew.yaml"), model=model, models={"fast": model})
    assert await events(from_file, "go") == await events(Crew(tasks, max_concurrency=2), "go")

    class State(msgspec.Struct):
        topic: str = ""
        draft: str = ""
        notes: Annotated[list[str], operator.add] = []

    graph = Graph(State).edges((START, node(agent("writer"), name="draft", prompt="On {topic}", writes="draft"), END))
    assert await events(team_of(read_toml(GRAPH, "g.toml"), model=model), {"topic": "x"}) == await events(
        graph, {"topic": "x"}
    )


@in_loop
async def test_every_kind_can_be_written_down() -> None:
    """Each pattern and team runs from a file, members may be teams, and ceilings are taken over."""
    agents = {n: {"instructions": f"You are {n}."} for n in "abc"}
    teams = {
        "pipeline": {"stages": ["a", "b"]}, "map_reduce": {"mapper": "a", "reducer": "b", "chunks": 2},
        "debate": {"proponent": "a", "opponent": "b", "judge": "c", "max_rounds": 1},
        "ensemble": {"members": ["a", "b"]}, "supervisor": {"supervisor": "a", "workers": ["b"], "review": "never"},
        "swarm": {"roles": ["a", "b"], "max_iterations": 2}, "crew": {"tasks": [{"name": "x", "agent": "a"}]},
        "orchestra": {"perspectives": [{"member": "a"}, {"member": "b", "weight": 0.5}], "conductor": "c"},
        "router": {"members": {"left": "a", "right": "b"}}, "delegation": {"members": ["a", "b"]},
        "handoffs": {"members": {"a": "a", "b": "b"}}, "conversation": {"first": "a", "second": "b", "turns": 2},
        "graph": {"state": {"text": "str"}, "nodes": {"text": {"member": "a"}}, "edges": [["START", "text", "END"]]},
    }  # fmt: skip
    assert set(teams) == set(all_kinds())
    for kind, fields in teams.items():
        data = {"agents": agents, "teams": {"inner": {"kind": kind, **fields}},
                "team": {"kind": "pipeline", "stages": ["inner", "c"], "name": "outer"},
                "budget": {"model_calls": 20}, "remit": {"deny": ["fs.write:**"]}}  # fmt: skip
        team = team_of(data, model=FunctionModel(echo))
        assert (team.name, team.budget.model_calls) == ("outer", 20)
        async with Runtime(tune_gc=False):
            run = await team.run("Which way?")
        assert run.status == "ok", (kind, run.error)


BAD_FILES: list[tuple[dict[str, Any], str]] = [
    ({}, "team"),
    ({"team": {}}, "bad: team: it has no kind"),
    ({"team": {"kind": "dance"}}, "there is no pattern 'dance'"),
    ({"team": {"kind": "pipeline", "stages": ["x"]}}, "bad: team.stages[0]: there is no agent or team 'x'"),
    ({"team": {"kind": "pipeline", "stages": "a"}}, "bad: team: stages: Expected `array`"),
    ({"team": {"kind": "pipeline", "stages": ["a"], "colour": 1}}, "unknown field `colour`"),
    ({"team": {"kind": "pipeline", "stages": ["a"], "retries": 99}}, "retries=99"),
    ({"team": {"kind": "pipeline", "stages": ["a"]}, "version": 2}, "version"),
    ({"team": {"kind": "pipeline", "stages": ["t"]}, "teams": {"t": {"kind": "pipeline", "stages": ["t"]}}},
     "teams within each other: t -> t"),
    ({"team": {"kind": "pipeline", "stages": ["a"]}, "teams": {"a": {"kind": "pipeline", "stages": ["b"]}}},
     "a is an agent and a team"),
    ({"team": {"kind": "pipeline", "stages": ["b"]}, "agents": {"b": {"remit": {"allow": ["everything"]}}}},
     "bad: agents.b.remit"),
    ({"team": {"kind": "pipeline", "stages": ["b"]}, "agents": {"b": {"max_turns": 0}}}, "bad: agents.b: max_turns"),
    ({"team": {"kind": "crew", "tasks": [{"name": "x", "agent": "a", "depends_on": ["y"]}]}}, "it depends on 'y'"),
    ({"team": {"kind": "graph", "state": {"x": "date"}, "nodes": {}, "edges": []}}, "state"),
    ({"team": {"kind": "graph", "state": {"x": "str"}, "nodes": {"x": {"member": "a"}}, "edges": [["START", "y"]]}},
     "bad: team.edges[0]: there is no node 'y'"),
    ({"team": {"kind": "graph", "state": {"x": "str"}, "nodes": {"y": {"member": "a"}}, "edges": [["START", "y"]]}},
     "it writes y, which State has not"),
    ({"team": {"kind": "graph", "state": {"x": "str"}, "nodes": {"x": {"member": "a"}}, "retries": 1,
               "edges": [["START", "x"]]}}, "a graph has no retries"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "message"), BAD_FILES, ids=[m[:40] for _, m in BAD_FILES])
def test_a_bad_file_is_refused(data: dict[str, Any], message: str) -> None:
    """Unknown kinds, members, fields and edges: place, reason and hint."""
    with pytest.raises(Invalid) as caught:
        team_of({"agents": {"a": {}}, **data} if "agents" not in data else data, "bad", model=FunctionModel(echo))
    assert message in caught.value.message
    assert caught.value.message.startswith("bad")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x [1]\nb: *x", "line 1: an anchor or alias"),
        ("a: !!python/object/apply:os.system [id]", "line 1: the tag tag:yaml.org,2002:python/object"),
        ("a: 1\na: 2", "line 2: the key a stands twice"),
        ("[" * 40 + "]" * 40, "deeper than 30 levels"),
        ("a: [1", "line 1"),
        ("? [1]\n: 2", "a key that is no text"),
        ("a: " + "x" * 1_000_001, "more than 1000000 bytes"),
    ],
)  # fmt: skip
def test_hostile_yaml_is_refused(text: str, message: str) -> None:
    """Anchors, tags, repeated keys, depth, size and what is no YAML: refused with the line, nothing constructed."""
    with pytest.raises(Invalid) as caught:
        read_yaml(text, "f")
    assert caught.value.code == "team_invalid"
    assert message in caught.value.message


def test_a_date_stays_text() -> None:
    """Only text, numbers, booleans and null come out of a file."""
    assert read_yaml("a: 2026-01-01\nb: [1, 2.5, true, null, 'x']\nc:", "f") == {
        "a": "2026-01-01", "b": [1, 2.5, True, None, "x"], "c": None,
    }  # fmt: skip


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """A missing file, another kind of file and other bytes are refused."""
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe")
    (tmp_path / "x.toml").write_text("a =")
    for name in ("missing.yaml", "x.json", "x.yaml", "x.toml"):
        with pytest.raises(Invalid, match=name):
            read_file(tmp_path / name)


@pytest.mark.parametrize("name", ["crew", "debate", "graph", "pipeline"])
def test_templates_are_sound(name: str, tmp_path: Path) -> None:
    """Each template builds a team and says what it costs."""
    text = (ROOT / f"src/remit/teams/files/templates/{name}.template").read_text()
    path = tmp_path / f"{name}.yaml"
    path.write_text(text)
    assert load_team(path, model=FunctionModel(echo)).estimate().most > 0


def test_the_schema_is_the_committed_one() -> None:
    """docs/reference/team.schema.json is what the code reads, and its kinds are all kinds."""
    committed = msgspec.json.decode((ROOT / "docs/reference/team.schema.json").read_bytes())
    assert committed == msgspec.json.decode(msgspec.json.encode(file_schema()))
    kinds = {ref["$ref"].removeprefix("#/$defs/team_") for ref in committed["$defs"]["team"]["oneOf"]}
    assert kinds == set(all_kinds())
