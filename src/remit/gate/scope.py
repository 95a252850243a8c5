"""The scope of a run: what the gate knows of whoever asks. One object a run, made by the runtime."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from remit.core.events import Event
from remit.core.labels import USER, Label
from remit.core.remit import Remit
from remit.core.tools import Tool
from remit.guard.handles import Lease
from remit.guard.ledger import Ledger
from remit.guard.policy_admission import Authority, authority_of
from remit.guard.policy_meter import Revocations
from remit.ports.journal import Entry, RunLog

if TYPE_CHECKING:
    from remit.guard.provenance import ValueStore
    from remit.guard.screen import Screen


class Recorder(Protocol):
    """What a resumed run remembers (journal/replay.py)."""

    def get(self, key: str) -> Any:
        """The record of a structural key, or None."""
        ...

    def known_digest(self, key: str, messages: int) -> str:
        """The digest of a recorded model call that need not be computed again; "" = compute it."""
        ...


class Scope:
    """State of one run as the gate sees it."""

    __slots__ = (
        "acting",
        "agent",
        "authority",
        "calm",
        "cleared",
        "control",
        "denied",
        "deps",
        "due_ms",
        "emit",
        "find_tool",
        "forked",
        "handles",
        "label",
        "ledger",
        "listener",
        "log",
        "priority",
        "recorded",
        "remit",
        "run_id",
        "screen",
        "streaming",
        "tool_calls",
        "tools",
        "values",
        "waited",
    )

    def __init__(  # noqa: PLR0913  # made by the runner only, by keyword
        self,
        run_id: str,
        agent: str,
        *,
        remit: Remit,
        log: RunLog,
        ledger: Ledger,
        tools: Mapping[str, Tool],
        find_tool: Callable[[str], Tool | None],
        handles: Callable[[Scope, Lease], Any],
        deps: Any = None,
        recorded: Recorder | None = None,
        listener: Callable[[Entry | None, Any], None] | None = None,
        priority: str = "normal",
        authority: Authority | None = None,
        cleared: set[Any] | None = None,
    ) -> None:
        self.run_id = run_id
        self.agent = agent
        self.remit = remit
        self.authority = authority or authority_of(remit, run_id, Revocations())
        self.cleared = cleared
        """needs that the remit covers at any time, once ruled; None = its rulings may change"""
        self.log = log
        self.emit: Callable[[Event], Any] = log.note if listener is None else self._told
        """journal an event and show it to whoever listens"""
        self.ledger = ledger
        self.tools = tools
        self.find_tool = find_tool
        self.handles = handles
        self.deps = deps
        self.recorded = recorded
        self.listener = listener
        self.priority = priority
        self.label: Label = USER
        self.values: ValueStore | None = None
        """where single values came from; None = no tool of the run has labels"""
        self.streaming = listener is not None  # ask for streamed replies
        self.screen: Screen | None = None  # None = nothing is configured, and no model is remote
        self.tool_calls = 0
        self.denied = 0
        self.forked = False  # unsafe effects ask first: another run may have done them
        self.control: Any = None  # breakpoints of whoever debugs the run; None = there are none
        self.acting = 0  # effects under way that must not be cut
        self.calm: Callable[[], Awaitable[None]] | None = (
            None  # called once none of those is under way; set by a cancellation
        )
        self.due_ms = 0  # wall clock at which a parked run goes on by itself; 0 = never
        self.waited: dict[str, int] = {}  # how many waits each call has asked for

    def _told(self, event: Event) -> None:
        assert self.listener is not None
        self.listener(self.log.append(event), event)
