"""Port: whoever can answer a question now. Nobody there = None = the run stays waiting, never yes."""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import Struct

from remit.ports.journal import InboxRow


class Answer(Struct, frozen=True):
    """A person's decision on one question."""

    decision: str
    """approved | denied | edited | answered"""
    by: str
    reason: str = ""
    arguments: dict[str, Any] | None = None
    """the changed arguments of an edit; they pass every check of the gate again"""
    code: str = ""
    """what the person typed from an authenticator, where the call needs it; never journalled"""
    value: Any = None
    """of `answered`: what the question's form asks for"""


class Approver(Protocol):
    """Asks a person."""

    async def ask(self, row: InboxRow) -> Answer | None:
        """The answer, or None when nobody can be asked from here."""
        ...
