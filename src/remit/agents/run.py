"""The result of a run: what came out, what it cost, and where its journal is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from remit.core.messages import Message
from remit.core.partial import PartialResult
from remit.core.usage import NO_USAGE, Usage, usd
from remit.errors import RemitError


class Run:
    """How a run ended, or where it waits.

    `status`: ok | waiting | denied | failed | cancelled | exhausted. `output` is the typed answer
    (the partial text where there is no answer). Nothing is raised for a run that failed; `error`
    says why, and `check()` raises it.
    """

    __slots__ = (
        "_read",
        "cost_nano",
        "denied",
        "due_ms",
        "error",
        "id",
        "messages",
        "output",
        "partials",
        "status",
        "tool_calls",
        "usage",
        "waiting_for",
    )

    def __init__(self, run_id: str, status: str, output: Any = None, error: RemitError | None = None) -> None:
        self.id = run_id
        self.status = status
        self.output = output
        self.error = error
        self.usage: Usage = NO_USAGE
        self.cost_nano: int | None = 0
        self.tool_calls = 0
        self.denied = 0
        self.messages: tuple[Message, ...] = ()
        self.waiting_for: tuple[str, ...] = ()
        """inbox items that must be answered first, timers"""
        self.due_ms = 0
        """wall clock at which a waiting run goes on by itself; 0 = only when it is answered"""
        self.partials: tuple[PartialResult, ...] = ()
        """what there was of each agent when the run ended early (core/partial.py)"""
        self._read: Callable[[str], list[Any]] | None = None

    @property
    def cost_usd(self) -> float | None:
        """Dollars; None when a model's price is not known."""
        return usd(self.cost_nano)

    @property
    def events(self) -> list[Any]:
        """All journal events of the run, decoded, in order."""
        return [] if self._read is None else self._read(self.id)

    @property
    def text(self) -> str:
        """The output when it is text; "" otherwise."""
        return self.output if isinstance(self.output, str) else ""

    def check(self) -> Run:
        """This run when it is ok; raises its error otherwise."""
        if self.error is not None:
            raise self.error
        return self

    def __repr__(self) -> str:
        why = f", error={str(self.error)!r:.200}" if self.error is not None else ""
        return f"Run({self.id}, {self.status}, output={self.output!r:.80}{why})"
