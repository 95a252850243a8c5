"""An envelope: what one party of a team sends another. It is data; nothing in it can run."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from remit.core.labels import USER, Label
from remit.core.messages import Part
from remit.teams.coordination.waits import PRIORITY

Kind = Literal["message", "request", "approval", "answer", "error"]


class Envelope(Struct, frozen=True, omit_defaults=True):
    """One message; its key in the team's journal is its id."""

    sender: str
    to: str
    parts: tuple[Part, ...]
    """text, tool call, tool result, image, audio, file, data, as in any message"""
    kind: Kind = "message"
    """request and approval wait for an answer; error says what went wrong in place of one"""
    correlation: str = ""
    """what it belongs to: an answer names the channel of its request"""
    priority: int = PRIORITY
    at_ms: int = 0
    """wall clock"""
    deadline_ms: int = 0
    """wall clock after which nobody needs it; 0 = never"""
    metadata: dict[str, str] = {}
    label: Label = USER
    """trust of what is in it; what the channel knows of it counts, not what the sender wrote"""

    @property
    def text(self) -> str:
        """The text parts together."""
        return "".join(getattr(part, "text", "") for part in self.parts)

    def under(self, label: Label) -> Envelope:
        """The same with another trust."""
        return self if label is self.label else replace(self, label=label)
