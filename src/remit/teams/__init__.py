"""Teams: several agents at one piece of work, as definitions that the runtime carries out under one run.

    from remit.teams import Debate, Graph, START, END

Names are loaded on first use, so that a program pays for the team it uses.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

_PUBLIC: Final[dict[str, str]] = {
    **dict.fromkeys(("END", "OTHERWISE", "START", "Go", "Graph", "each", "gate", "loop", "node", "retry", "subgraph"),
                    "graph"),
    **dict.fromkeys(("Condition", "Crew", "Task"), "crew"),
    **dict.fromkeys(("Conversation", "Delegation", "agent_tool"), "delegation"),
    **dict.fromkeys(("Handoffs", "Trigger"), "handoff"),
    **dict.fromkeys(("Envelope", "Mailboxes", "Presence", "RecordedChannel", "parties"), "messaging"),
    **dict.fromkeys(("Orchestra", "Perspective", "preset"), "orchestra"),
    **dict.fromkeys(("KeywordRouter", "Router"), "routing"),
    **dict.fromkeys(("Answer", "Dissent", "Estimate", "TeamRun"), "values"),
    "Debate": "patterns.debate", "Ensemble": "patterns.ensemble", "MapReduce": "patterns.map_reduce",
    "Pipeline": "patterns.pipeline", "Stage": "patterns.pipeline", "Supervisor": "patterns.supervisor",
    "Swarm": "patterns.swarm", "Goal": "goals", "Lock": "coordination.locks", "Team": "team", "load_team": "files",
}  # fmt: skip
__all__ = [*_PUBLIC]  # names of the table


def __getattr__(name: str) -> Any:
    module = _PUBLIC.get(name)
    if module is None:
        raise AttributeError(f"module 'remit.teams' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"remit.teams.{module}"), name)
    return value


def __dir__() -> list[str]:
    return sorted(_PUBLIC)
