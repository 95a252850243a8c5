"""Port: other agents, as a tool reaches them. What is handed over is never more than whoever hands it over holds."""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import Struct


class AgentRow(Struct, frozen=True, omit_defaults=True):
    """One agent that can be reached."""

    name: str
    about: str = ""
    """what it is for"""
    reach: str = "delegate"
    """delegate (a task is given to it) | message (it has a mailbox in this team) | both"""
    status: str = ""
    """of a mailbox: alive | stale | dead"""
    inbox: int = 0
    """messages in its mailbox"""


class Less(Struct, frozen=True, omit_defaults=True):
    """What a delegate is not given of what it could have."""

    tools: tuple[str, ...] | None = None
    """of its own tools only these; None = all"""
    within: tuple[str, ...] = ()
    """grants that it stays within; () = those of its definition and its caller"""
    usd: float | None = None
    tokens: int | None = None
    """input and output together"""


class Agents(Protocol):
    """The other agents of one call."""

    async def delegate(self, ctx: Any, name: str, task: str, less: Less) -> Any:
        """An agent's answer to a task. Raises delegation_denied, prompt_altered, recipient_unknown, grant_invalid."""
        ...

    async def converse(self, ctx: Any, name: str, message: str, conversation: str) -> tuple[str, str, int]:
        """(conversation, what the other says, turns left). Raises as `delegate`; turns_exceeded."""
        ...

    async def message(self, ctx: Any, action: str, *, to: str, text: str, route: str, correlation: str) -> str:
        """What came of one act with the mailboxes of the team that the caller is a member of. Raises value_invalid."""
        ...

    def rows(self, ctx: Any) -> list[AgentRow]:
        """Whom the caller can reach."""
        ...
