"""What `remit run --resume` goes on with: the agent of the journal, and where it parks again."""

from __future__ import annotations

import os
from typing import Any

from msgspec import structs

from remit.agents.agent import Agent
from remit.agents.prepare import agent_of
from remit.config import Settings, resolve_secret
from remit.core.budget import Budget
from remit.core.events import RunStarted
from remit.core.grants import parse_grant
from remit.core.remit import Remit
from remit.errors import Invalid
from remit.models.handle import ModelHandle


def breakpoints(args: Any) -> Any:
    """Where a resumed run parks again; None = nowhere."""
    if not args.break_at and args.step is None:
        return None
    from remit.agents.breakpoints import Breakpoints

    return Breakpoints(*args.break_at, steps=args.step)


def resumed_agent(started: RunStarted, settings: Settings, args: Any) -> Agent:
    """The agent of the journal. Flags may narrow it and set new ceilings; its grants stay what they were."""
    _check_kept(started, args)
    spec = started.spec
    key = None
    if settings["model.name"] == started.model and settings["model.api_key"]:
        key = resolve_secret(settings["model.api_key"], os.environ)
    base_url = args.base_url or spec.get("base_url", "")
    model = ModelHandle(started.model, base_url=base_url, api_key=key)
    remit = Remit.from_data(started.remit)
    if args.deny:
        remit = remit.meet(Remit.deny(*args.deny))
    ceilings = {k: v for k, v in (("usd", args.budget_usd), ("seconds", args.deadline_s)) if v is not None}
    budget = structs.replace(Budget(**started.budget), **ceilings)
    return agent_of(started.agent, model, spec, remit, budget)


def _check_kept(started: RunStarted, args: Any) -> None:
    """Refuse flags that would make another run of it; what only repeats the run's own is fine."""
    spec = started.spec
    held = {grant for layer in started.remit.get("layers", []) for grant in layer["grants"] or ()}
    given = {str(parse_grant(text)) for text in args.allow or ()}
    tools = None if args.tools is None else [name.strip() for name in args.tools.split(",") if name.strip()]
    for flag, asked, own in (
        ("TASK", args.task, started.task),
        ("--model", args.model, started.model),
        ("--instructions", args.instructions, spec.get("instructions", "")),
        ("--max-turns", args.max_turns, spec.get("max_turns")),
        ("--tools", tools, spec.get("tools")),
        ("--allow", sorted(given - held) or None, []),
    ):
        if asked is not None and asked != own:
            hint = "Leave it out, or start a new run."
            raise Invalid(
                "usage_invalid", f"{flag} does not go with --resume: a run keeps what it began with", hint=hint
            )
