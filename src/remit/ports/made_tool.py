"""Port: where tools are kept that agents write at run time."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from msgspec import Struct


class MadeTool(Struct, frozen=True, forbid_unknown_fields=True):
    """A tool as data: Python that finds its arguments in `arguments` and whose last expression is the result."""

    name: str
    """made_..."""
    description: str
    input_schema: dict[str, Any]
    code: str
    tier: Literal["T1", "T2"]
    """where it runs; there is no other place"""
    author: str = ""
    """the run that made it"""


class ToolStore(Protocol):
    """Keeps made tools."""

    def save(self, tool: MadeTool) -> str:
        """Keep a new version; its digest."""
        ...

    def names(self) -> tuple[str, ...]:
        """All of them, sorted."""
        ...
