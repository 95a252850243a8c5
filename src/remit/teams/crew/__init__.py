"""Crews: tasks with dependencies, given to agents, carried out as soon as what they wait for is done."""

from __future__ import annotations

from remit.teams.crew.crew import Crew
from remit.teams.crew.tasks import Condition, Task

__all__ = ["Condition", "Crew", "Task"]
