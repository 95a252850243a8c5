"""From a request to the agent that may be run: never more than the server's remit, the caller's and what was asked for.

    server remit (remit.toml)  meet  the caller's (key or token)  meet  the role's denials  meet  the request's

All layers are journalled with the run and are its ceiling in every activation, also in a worker elsewhere. A caller
names a model or an agent; nothing of that grants it: the meet must cover the model, or the request is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Annotated, Any, Final

from msgspec import Meta, Struct, structs

from remit.agents.agent import Agent
from remit.core.budget import Budget, meet_budgets
from remit.core.effects import Need
from remit.core.remit import UNSET, Remit, deny_only
from remit.core.sections import BudgetSection
from remit.errors import Denied, Invalid
from remit.gateway.principals import Principal
from remit.guard.policy_admission import refusal
from remit.runtime import Runtime

MAX_TASK_CHARS: Final = 100_000  # Source: spec/operations.md 1
NAME: Final = "api"
"""of an agent that is none of the program's"""
Text = Annotated[str, Meta(max_length=MAX_TASK_CHARS)]
Grants = Annotated[tuple[Annotated[str, Meta(max_length=2000)], ...], Meta(max_length=200)]


class RunRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """What POST /v1/runs takes."""

    task: Annotated[str, Meta(min_length=1, max_length=MAX_TASK_CHARS, description="what to do")]
    agent: Annotated[str, Meta(max_length=200, description="one of the server's agents; it has its own model")] = ""
    model: Annotated[str, Meta(max_length=200, description="provider:model; unset = the server's")] = ""
    instructions: Annotated[Text, Meta(description="the system prompt of an agent of your own")] = ""
    tools: (
        Annotated[
            tuple[Annotated[str, Meta(max_length=64)], ...],
            Meta(max_length=200, description="built-in tools to offer; unset = all that the grants reach"),
        ]
        | None
    ) = None
    allow: Annotated[Grants, Meta(description="grants; unset = as the caller")] | None = None
    deny: Annotated[Grants, Meta(description="denials; they beat every grant")] = ()
    budget: Annotated[BudgetSection, Meta(description="ceilings of the run")] = BudgetSection()
    subject: Annotated[str, Meta(max_length=256, description="whose data it is")] = ""

    @property
    def remit(self) -> Remit:
        """What is asked for."""
        given: Remit = UNSET if self.allow is None else UNSET.allow(*self.allow)
        denied: Remit = given.deny(*self.deny) if self.deny else given
        return denied

    @property
    def own(self) -> bool:
        """Whether the caller defines an agent, rather than running one of the server's."""
        return bool(self.instructions or self.model or self.tools is not None)


class Bounding:
    """Makes agents of requests.

    Args:
        runtime: finds models and tools.
        standard: the agent that the server's settings describe; None = they name no model.
        agents: the program's, by name.
    """

    def __init__(self, runtime: Runtime, server: Remit, standard: Agent | None, agents: Mapping[str, Agent]) -> None:
        self._runtime = runtime
        self._server = server
        self._standard = standard
        self._agents = agents

    def agent(self, request: RunRequest, principal: Principal) -> Agent:
        """The bounded agent; raises role_denied, not_granted, model_unknown, tool_unknown, value_invalid."""
        given = self._given(request, principal)
        if self._is_given(request.model, given):
            model = self._runtime.outside.model(given.model)
            name, implied, mine = model.name, _implied(model), _implied(model)
        else:  # nothing of it is made before the meet is known to cover it
            name, implied, mine = request.model, [f"model:{request.model}"], []
        held = principal.remit if principal.tokens else _with_implied(principal.remit, mine)
        remit = self._server.with_implied(mine).meet(held).meet(_with_implied(request.remit, implied))
        for more in (principal.narrowed_by_role(), self._own_part(given, implied) if request.agent else None):
            remit = remit if more is None else remit.meet(more)
        remit = remit.meet(deny_only())  # a second layer: naming the model later on adds nothing to a remit of several
        ruling = remit.ruling(Need("model", name), self._runtime.clock.now_ms())
        if not ruling.allowed:
            raise refusal(Need("model", name), ruling).error()
        agent = copy(given)
        agent.prepared = None
        agent.remit, agent.tokens = remit, principal.tokens
        agent.model = request.model if not mine else given.model
        agent.instructions = request.instructions or given.instructions
        agent.budget = meet_budgets(given.budget, Budget(**structs.asdict(request.budget)))
        if not request.agent:
            agent.tools = self._tools(request.tools if request.tools is not None else given.tools, principal)
        return agent

    @staticmethod
    def _is_given(name: str, given: Agent) -> bool:
        return name in ("", getattr(given.model, "name", given.model))

    def _given(self, request: RunRequest, principal: Principal) -> Agent:
        """The definition that is started from; counts the person's request."""
        now = self._runtime.clock.now_ms()
        if request.agent:
            principal.person.check("run_agent", request.agent, now)
            if request.own:
                raise Invalid("request_invalid", "an agent of the server has its own model, instructions and tools")
            if request.agent not in self._agents:
                raise Invalid("request_invalid", f"the server has no agent {request.agent[:60]!r}",
                              hint=f"It has: {', '.join(sorted(self._agents)) or 'none'}")  # fmt: skip
            return self._agents[request.agent]
        principal.person.check("create_agent" if request.own else "run_agent", "", now)
        if self._standard is None and not request.model:
            raise Invalid("model_unknown", "neither the request nor the server names a model")
        return self._standard or Agent(NAME, request.model, tools=None)

    def _own_part(self, agent: Agent, implied: list[str]) -> Remit:
        tools = [f"tool:{tool.name}" for tool in agent.tools or () if not isinstance(tool, str) and not tool.builtin]
        return agent.remit.with_implied([*implied, *tools])

    def _tools(self, names: Sequence[Any] | None, principal: Principal) -> tuple[Any, ...] | None:
        """The tools that a role leaves; None = all that the grants reach."""
        free = all(role.allowed_skills == ("*",) and not role.denied_skills for role in principal.person.roles)
        if names is None and free:
            return None
        found = self._runtime.outside.tool_names() if names is None else names
        kept = tuple(name for name in found if principal.person.may_use(str(name)))
        if names is not None and len(kept) < len(found):
            lost = next(name for name in found if name not in kept)
            raise Denied("role_denied", f"{principal.name} may not use {lost}")
        return kept


def _implied(model: Any) -> list[str]:
    """What naming a model grants, as in agents/prepare.py."""
    names: tuple[str, ...] = getattr(model, "names", ())
    return [f"model:{model.name}", *(f"model:{n}" for n in names), *([f"model:cache:{model.name}"] if names else [])]


def _with_implied(remit: Remit, implied: list[str]) -> Remit:
    """The remit with the server's own model, where it names grants of its own; an unset one stays unset."""
    return remit if remit.unset or not implied else remit.with_implied(implied)
