"""From the data of a workflow file to the team it describes; every refusal names the place in the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct, structs

from remit.agents.agent import Agent
from remit.core.remit import UNSET, Remit
from remit.errors import Invalid, RemitError
from remit.teams import patterns
from remit.teams.crew import Crew, Task
from remit.teams.delegation import Conversation, Delegation
from remit.teams.files.reading import read_file
from remit.teams.files.schema import KINDS, AgentSpec, Common, FileSpec, RemitSpec
from remit.teams.handoff import Handoffs, Trigger
from remit.teams.orchestra import Orchestra, Perspective
from remit.teams.routing import Router

_COMMON: Final = frozenset(Common.__struct_fields__)
_MEMBER_FIELDS: Final = {  # field of a team -> it names members; a pattern's own are found by their title
    "manager", "agents", "conductor", "chooser", "summarizer", "members", "first", "second",
}  # fmt: skip


def load_team(path: str | Path, *, model: Any = None, models: Mapping[str, Any] | None = None) -> Any:
    """The team of a workflow file.

    Args:
        path: a .yaml, .yml or .toml file.
        model: of the agents that name none: `provider:model`, a handle, or a model of remit.testing.
        models: name in the file -> model, for tests and for models that need an address.

    Raises:
        Invalid: team_invalid or graph_invalid, with file, place, reason and hint.
    """
    return team_of(read_file(path), Path(path).name, model=model, models=models)


def team_of(data: Any, name: str = "workflow", *, model: Any = None, models: Mapping[str, Any] | None = None) -> Any:
    """As `load_team`, of data that was read already."""
    spec = decode(data, FileSpec, name)
    building = _Building(spec, name, model, dict(models or {}))
    team = building.team(spec.team, f"{name}: team", spec.name)
    if spec.remit is not None:
        team.remit = remit_of(spec.remit, f"{name}: remit")
    if spec.budget is not None:
        team.budget = spec.budget
    return team


def decode(data: Any, kind: type[Any], where: str) -> Any:
    """Data as a struct, strictly; raises team_invalid with the path."""
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as e:
        text, _, path = str(e).partition(" - at `$")
        place = path.rstrip("`").lstrip(".")
        raise Invalid("team_invalid", f"{where}{': ' + place if place else ''}: {text}"[:500],
                      hint="docs/reference/team.schema.json says what may stand there.") from None  # fmt: skip


def remit_of(spec: RemitSpec | None, where: str) -> Remit:
    """Grants and denials of a file; raises team_invalid for what is none."""
    if spec is None:
        return UNSET
    try:
        made: Remit = UNSET.allow(*spec.allow) if spec.allow else UNSET
        return made.deny(*spec.deny) if spec.deny else made
    except RemitError as e:
        raise Invalid("team_invalid", f"{where}: {e.message}", hint=e.hint) from None


class _Building:
    def __init__(self, spec: FileSpec, name: str, model: Any, models: dict[str, Any]) -> None:
        self.spec, self.name, self.model, self.models = spec, name, model, models
        self.made: dict[str, Any] = {}
        self.open: list[str] = []
        both = set(spec.agents) & set(spec.teams)
        if both:
            raise Invalid("team_invalid", f"{name}: {min(both)} is an agent and a team", hint="Rename one.")

    def member(self, name: str, where: str) -> Any:
        """An agent or team of the file, made once; raises team_invalid for an unknown one or a circle."""
        if name in self.made:
            return self.made[name]
        if name in self.spec.agents:
            self.made[name] = self._agent(name, self.spec.agents[name])
        elif name in self.spec.teams:
            if name in self.open:
                ring = " -> ".join([*self.open[self.open.index(name) :], name])
                raise Invalid("team_invalid", f"{where}: teams within each other: {ring}", hint="Take one out.")
            self.open.append(name)
            self.made[name] = self.team(self.spec.teams[name], f"{self.name}: teams.{name}", name)
            self.open.pop()
        else:
            known = ", ".join(sorted([*self.spec.agents, *self.spec.teams])) or "none"
            raise Invalid(
                "team_invalid", f"{where}: there is no agent or team {name!r:.60}", hint=f"There are: {known}"
            )
        return self.made[name]

    def _agent(self, name: str, spec: AgentSpec) -> Agent:
        where = f"{self.name}: agents.{name}"
        model = self.models.get(spec.model, spec.model) if spec.model else self.model
        if model is None or model == "":
            raise Invalid("team_invalid", f"{where}: it has no model", hint="Name one in the file, or give --model.")
        output = None
        if spec.output is not None:
            from remit.teams.files.graphs import state_struct

            output = state_struct(f"{name}_answer", dict(spec.output))
        extra = {} if spec.budget is None else {"budget": spec.budget}
        try:
            return Agent(name, model, instructions=spec.instructions, tools=spec.tools, output=output,
                         remit=remit_of(spec.remit, f"{where}.remit"), settings=spec.settings,
                         max_turns=spec.max_turns, conceal=spec.conceal, **extra)  # type: ignore[arg-type]  # the budget  # fmt: skip
        except RemitError as e:
            raise Invalid("team_invalid", f"{where}: {e.message}", hint=e.hint) from None

    def team(self, data: dict[str, Any], where: str, name: str) -> Any:
        """A team of any kind."""
        kind = data.get("kind")
        if not isinstance(kind, str):
            raise Invalid("team_invalid", f"{where}: it has no kind", hint=f"One of: {', '.join(all_kinds())}")
        common = decode({k: v for k, v in data.items() if k in _COMMON}, Common, where)
        own = {k: v for k, v in data.items() if k not in _COMMON and k != "kind"}
        options: dict[str, Any] = {"name": common.name or name or kind}
        for field in ("retries", "timeout_s", "member_timeout_s", "budget"):
            value = getattr(common, field)
            if value is not None:
                options[field] = value
        if common.on_failure:
            options["on_failure"] = common.on_failure
        if common.replacement is not None:
            options["replacement"] = self.member(common.replacement, f"{where}.replacement")
        if common.remit is not None:
            options["remit"] = remit_of(common.remit, f"{where}.remit")
        try:
            return self._made(kind, own, options, where)
        except RemitError as e:
            if e.message.startswith(self.name):
                raise
            raise Invalid(e.code, f"{where}: {e.message}", hint=e.hint) from None

    def _made(self, kind: str, own: dict[str, Any], options: dict[str, Any], where: str) -> Any:
        if kind == "graph":
            from remit.teams.files.graphs import graph_of

            return graph_of(decode(own, KINDS[kind], where), options, self.member, where)
        if kind not in KINDS:
            module = patterns.load(kind)
            spec = decode(own, module.SPEC, where)
            return _pattern(module.PATTERN, {f: self._field(f, spec, where) for f in spec.__struct_fields__}, options)
        spec = decode(own, KINDS[kind], where)
        fields = {f: self._field(f, spec, where) for f in spec.__struct_fields__}
        match kind:
            case "crew":
                fields["tasks"] = [self._task(task, f"{where}.tasks[{i}]") for i, task in enumerate(spec.tasks)]
                return Crew(**fields, **options)
            case "orchestra":
                fields["perspectives"] = [
                    Perspective(self.member(v.member, f"{where}.perspectives[{i}]"), v.weight, v.focus)
                    for i, v in enumerate(spec.perspectives)
                ]  # fmt: skip
                return Orchestra(**fields, **options)
            case "handoffs":
                fields["triggers"] = [Trigger(**structs.asdict(t)) for t in spec.triggers]
                fields["targets"] = spec.targets or None
                return Handoffs(**fields, **options)
            case "router":
                return Router(**fields, **options)
            case "delegation":
                return Delegation(**fields, **options)
            case _:
                return Conversation(**fields, **options)

    def _task(self, spec: Any, where: str) -> Task:
        fields = structs.asdict(spec)
        fields |= {"depends_on": tuple(spec.depends_on), "choices": tuple(spec.choices), "when": spec.when}
        fields["agent"] = None if spec.agent is None else self.member(spec.agent, f"{where}.agent")
        return Task(**fields)

    def _field(self, field: str, spec: Struct, where: str) -> Any:
        """A field's value, with the names of members as the members themselves."""
        value = getattr(spec, field)
        if field not in _MEMBER_FIELDS and field not in _members_of(type(spec)):
            return value
        if isinstance(value, str):
            return self.member(value, f"{where}.{field}")
        if isinstance(value, dict):
            return {k: self.member(v, f"{where}.{field}.{k}") for k, v in value.items()}
        return None if value is None else [self.member(v, f"{where}.{field}[{i}]") for i, v in enumerate(value)]


def _members_of(spec: type[Struct]) -> set[str]:
    """The fields of a pattern's SPEC that name members: those whose type is MemberName, or holds it."""
    found = set()
    for info in msgspec.structs.fields(spec):
        if "title='member'" in repr(info.type):
            found.add(info.name)
    return found


def _pattern(made: Any, fields: dict[str, Any], options: dict[str, Any]) -> Any:
    """A pattern of its fields; members that it takes by position come first."""
    for positional in ("stages", "members", "roles"):
        if positional in fields and made.__init__.__code__.co_flags & 0x04:  # Source: CPython code.h, CO_VARARGS
            return made(fields.pop(positional), **fields, **options)
    return made(**fields, **options)


def all_kinds() -> tuple[str, ...]:
    """Everything that may stand behind `kind:`."""
    return (*patterns.names(), *KINDS)
