"""What a workflow file holds, as types; docs/reference/team.schema.json is made from them.

version: 1
agents: {NAME: {model, instructions, tools, remit: {allow, deny}, budget, ...}}
teams: {NAME: {kind: ..., ...}}       further teams; they may be members, as agents are
team: {kind: ..., ...}                the one that runs
remit, budget                         ceilings of the whole
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Struct

from remit.core.budget import Budget
from remit.core.model import Settings
from remit.teams.crew.tasks import Condition
from remit.teams.patterns._shared import MemberName

FieldType = Literal[
    "str", "int", "float", "bool", "list[str]", "list[int]", "list[float]", "list[object]", "object", "any"
]
ReducerName = Literal["append", "add", "last", "min", "max", "merge", "union"]


class RemitSpec(Struct, forbid_unknown_fields=True):
    """Grants and denials."""

    allow: list[str] = []
    deny: list[str] = []


class AgentSpec(Struct, forbid_unknown_fields=True):
    """An agent; without a model it has the caller's."""

    model: str = ""
    instructions: str = ""
    tools: list[str] = []
    output: dict[str, FieldType] | None = None
    """fields of a typed answer"""
    remit: RemitSpec | None = None
    budget: Budget | None = None
    settings: Settings = msgspec.field(default_factory=Settings)
    max_turns: int = 10
    conceal: bool = False


class Common(Struct, forbid_unknown_fields=True):
    """What every team of a file may say."""

    name: str = ""
    on_failure: Literal["fail", "continue", "replace", ""] = ""
    replacement: MemberName | None = None
    retries: int | None = None
    timeout_s: float | None = None
    member_timeout_s: float | None = None
    budget: Budget | None = None
    remit: RemitSpec | None = None


class TaskSpec(Struct, forbid_unknown_fields=True):
    """One task of a crew."""

    name: str
    description: str = ""
    agent: MemberName | None = None
    depends_on: list[str] = []
    expected_output: str = ""
    optional: bool = False
    retries: int = 1
    timeout_s: float | None = None
    when: Condition | None = None
    join: Literal["all", "any"] = "all"
    kind: Literal["task", "human_input", "join"] = "task"
    choices: list[str] = []


class CrewSpec(Struct, forbid_unknown_fields=True):
    """kind: crew."""

    tasks: list[TaskSpec]
    process: Literal["sequential", "parallel", "hierarchical", "dag"] = "dag"
    manager: MemberName | None = None
    agents: list[MemberName] = []
    max_concurrency: int = 4
    fail_fast: bool = False


class ViewSpec(Struct, forbid_unknown_fields=True):
    """One perspective of an orchestra."""

    member: MemberName
    weight: float = 1.0
    focus: str = ""


class OrchestraSpec(Struct, forbid_unknown_fields=True):
    """kind: orchestra."""

    perspectives: list[ViewSpec]
    mode: Literal["parallel", "sequential", "wave"] = "parallel"
    synthesis: Literal["comprehensive", "consensus", "best_of", "weighted", "debate", "none"] = "comprehensive"
    conductor: MemberName | None = None
    decompose: bool = False
    wave_size: int = 2
    min_responses: int = 1


class RouterSpec(Struct, forbid_unknown_fields=True):
    """kind: router."""

    members: dict[str, MemberName]
    describe: dict[str, str] = {}
    chooser: MemberName | None = None
    sure: float = 0.95


class TriggerSpec(Struct, forbid_unknown_fields=True):
    """A handoff without the agent's own decision."""

    source: str
    target: str
    kind: Literal["keywords", "pattern", "always"] = "keywords"
    value: list[str] | str = []


class HandoffsSpec(Struct, forbid_unknown_fields=True):
    """kind: handoffs."""

    members: dict[str, MemberName]
    start: str = ""
    targets: dict[str, list[str]] = {}
    triggers: list[TriggerSpec] = []
    transfer: Literal["full", "summary", "minimal"] = "summary"
    summarizer: MemberName | None = None
    max_handoffs: int = 10
    depth: int = 5
    allow_handback: bool = True


class DelegationSpec(Struct, forbid_unknown_fields=True):
    """kind: delegation."""

    members: list[MemberName]
    strategy: Literal["first_success", "all", "fallback", "best_confidence"] = "fallback"


class ConversationSpec(Struct, forbid_unknown_fields=True):
    """kind: conversation."""

    first: MemberName
    second: MemberName
    turns: int = 10
    end: str = "DONE"


class StateField(Struct, forbid_unknown_fields=True):
    """One field of a graph's state."""

    type: FieldType = "str"
    default: Any = None
    reducer: ReducerName | None = None


class NodeSpec(Struct, forbid_unknown_fields=True):
    """One node: a member with a prompt, or a member for every item of a list."""

    member: MemberName
    prompt: str | None = None
    writes: str = ""
    over: str = ""
    """a list field: the member is asked once an item, and `writes` gets the list"""
    at_once: int = 4
    timeout_s: float | None = None
    retries: int = 0
    gate: str = ""
    """a question: a person looks at what the node wrote"""


class WaySpec(Struct, forbid_unknown_fields=True):
    """A conditional edge: the value of a state field decides."""

    source: str = msgspec.field(name="from")
    field: str
    ways: dict[str, str | list[str]]
    otherwise: str | list[str] | None = None


class GraphSpec(Struct, forbid_unknown_fields=True):
    """kind: graph. An edge is a list of node names (START first, END last; a list = side by side) or a way."""

    state: dict[str, FieldType | StateField]
    nodes: dict[str, NodeSpec]
    edges: list[list[str | list[str]] | WaySpec]
    max_steps: int = 100
    pause_before: list[str] = []


class FileSpec(Struct, forbid_unknown_fields=True):
    """The whole file; a team is read in two steps, because its kind says what it holds."""

    team: dict[str, Any]
    version: Literal[1] = 1
    agents: dict[str, AgentSpec] = {}
    teams: dict[str, dict[str, Any]] = {}
    remit: RemitSpec | None = None
    budget: Budget | None = None
    name: str = ""
    description: str = ""


KINDS: dict[str, type[Struct]] = {
    "crew": CrewSpec, "orchestra": OrchestraSpec, "router": RouterSpec, "handoffs": HandoffsSpec,
    "delegation": DelegationSpec, "conversation": ConversationSpec, "graph": GraphSpec,
}  # fmt: skip


def file_schema() -> dict[str, Any]:
    """The JSON Schema of a workflow file, with each kind of team spelt out."""
    from remit.teams.patterns import load, names

    specs = {**{name: load(name).SPEC for name in names()}, **KINDS}
    kinds: list[Any] = [FileSpec, Common, *specs.values()]
    found, definitions = msgspec.json.schema_components(kinds, ref_template="#/$defs/{name}")
    parts: dict[str, Any] = dict(definitions)
    common = parts.pop("Common")["properties"]
    teams = []
    for (kind, spec), ref in zip(specs.items(), found[2:], strict=True):
        own = parts.pop(ref["$ref"].rsplit("/", 1)[1], None) or parts[f"team_{kind}"]
        properties = {"kind": {"const": kind}, **common, **own["properties"]}
        required = ["kind", *own.get("required", [])]
        parts[f"team_{kind}"] = {"title": spec.__doc__, "type": "object", "properties": properties,
                                 "required": required, "additionalProperties": False}  # fmt: skip
        teams.append({"$ref": f"#/$defs/team_{kind}"})
    top = parts.pop("FileSpec")
    parts["team"] = {"oneOf": teams}
    top["properties"]["team"] = {"$ref": "#/$defs/team"}
    top["properties"]["teams"] = {"type": "object", "additionalProperties": {"$ref": "#/$defs/team"}}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **top, "$defs": dict(sorted(parts.items()))}
