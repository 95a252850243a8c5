"""Goals: a text becomes a plan of agents, and a supervisor carries it out and replans what fails."""

from __future__ import annotations

from remit.teams.goals.plan import PlannedNode, PlannedWorkflow, read_plan
from remit.teams.goals.supervisor import Goal

__all__ = ["Goal", "PlannedNode", "PlannedWorkflow", "read_plan"]
