"""What somebody should look at now: eight conditions over the decisions of the log, each with a cool-down.

A fold over the audit records, in their order: no clock of its own, no state beyond a bounded window, so the same log
gives the same alerts. An alert repeats a condition's count, never a text that an agent or a tool wrote.

Source: spec/security.md 10 (eight alert conditions with cool-down); the figures are this project's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from msgspec import Struct

from remit.journal.projections.decisions import Decision

MAX_WINDOW: Final = 1_000


class Condition(Struct, frozen=True):
    """One condition: so many matching decisions within a window."""

    name: str
    why: str
    matches: Callable[[Decision], bool]
    count: int = 1
    window_ms: int = 60_000
    cooldown_ms: int = 300_000


class Alert(Struct, frozen=True):
    """A condition that came true."""

    name: str
    why: str
    time_ms: int
    run_id: str
    """of the decision that made it true"""
    position: int
    count: int
    """matching decisions in the window"""


def _denied(code: str) -> Callable[[Decision], bool]:
    return lambda d: d.decision == "deny" and f":{code}" in d.rule


CONDITIONS: Final = (
    Condition("flow", "data was about to go where its label forbids", _denied("flow_denied")),
    Condition("secret", "something that looks like a secret was about to leave", _denied("secret_leak")),
    Condition("guardrail", "a guardrail blocked", lambda d: d.decision == "block" or ":guardrail_" in d.rule),
    Condition("revoked", "a grant was taken back", lambda d: d.decision == "revoked", cooldown_ms=0),
    Condition("stopped", "the emergency stop holds effects back", _denied("estop")),
    Condition("doubt", "nobody knows whether an effect happened", lambda d: d.decision == "in_doubt"),
    Condition("refusals", "many refusals: an agent tries what it may not", lambda d: d.decision == "deny", count=10),
    Condition("failures", "many failures", lambda d: d.decision == "failed", count=10),
)  # fmt: skip


class Alerts:
    """Feed it every decision in the log's order.

    Args:
        conditions: those of this file by default.
    """

    def __init__(self, conditions: tuple[Condition, ...] = CONDITIONS) -> None:
        self._conditions = conditions
        self._times: dict[str, deque[int]] = {each.name: deque(maxlen=MAX_WINDOW) for each in conditions}
        self._quiet_until: dict[str, int] = {}

    def feed(self, position: int, decision: Decision) -> list[Alert]:
        """The alerts that this decision brings."""
        found = []
        for each in self._conditions:
            if not each.matches(decision):
                continue
            times = self._times[each.name]
            times.append(decision.time_ms)
            while times and times[0] <= decision.time_ms - each.window_ms:
                times.popleft()
            if len(times) >= each.count and decision.time_ms >= self._quiet_until.get(each.name, 0):
                self._quiet_until[each.name] = decision.time_ms + each.cooldown_ms
                found.append(Alert(each.name, each.why, decision.time_ms, decision.run_id, position, len(times)))
        return found
