"""What a run has used, what it has reserved, and its ceilings.

A child's ledger draws on its parent's, so branches that run side by side share one ceiling. The gate
(block 5) reserves and settles; nobody else writes here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from remit.core.budget import Budget
from remit.core.usage import NO_USAGE, Usage


class Pricing(NamedTuple):
    """What models cost, in nano-dollars; None = the price is not known."""

    cost: Callable[[str, Usage, int], int | None]
    """(model, usage, wall clock in ms) -> what it cost"""
    worst: Callable[[str, int, int, int], int | None]
    """(model, input tokens, output tokens, wall clock in ms) -> the most it can cost"""


class Reservation:
    """What one effect may take at most."""

    __slots__ = ("input_tokens", "nano", "output_tokens")

    def __init__(self, nano: int, input_tokens: int, output_tokens: int) -> None:
        self.nano = nano
        self.input_tokens = input_tokens
        self.output_tokens = output_tokens


class Ledger:
    """What a run has used, what it has reserved, and its ceilings."""

    __slots__ = (
        "budget",
        "chain",
        "deadline",
        "limited",
        "model_calls",
        "nano",
        "reserved",
        "tool_calls",
        "unpriced",
        "usage",
    )

    def __init__(self, budget: Budget, *, started: float, parent: Ledger | None = None) -> None:
        self.budget = budget
        self.chain: tuple[Ledger, ...] = (self, *(parent.chain if parent is not None else ()))
        """this ledger and all above it"""
        self.deadline = None if budget.seconds is None else started + budget.seconds
        self.limited: bool = budget.bounded or (parent is not None and parent.limited)
        self.nano = 0
        self.usage = NO_USAGE
        self.model_calls = 0
        self.tool_calls = 0
        self.unpriced = 0
        self.reserved: list[Reservation] = []

    @property
    def cost_nano(self) -> int | None:
        """Money so far; None when a call had no known price."""
        return None if self.unpriced else self.nano

    def settle(self, held: Reservation | None, usage: Usage | None, nano: int | None) -> None:
        """Replace a reservation by what was really used (`usage` None = nothing)."""
        for ledger in self.chain:
            if held is not None and held in ledger.reserved:
                ledger.reserved.remove(held)
            if usage is not None:
                ledger.usage = usage if ledger.usage is NO_USAGE else ledger.usage + usage
                ledger.nano += nano or 0
                ledger.unpriced += nano is None
