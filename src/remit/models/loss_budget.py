"""What routing by cost has given up so far, with its uncertainty, and what it has saved: the two sides of its promise.

What the ablest model would have answered is never seen where another one was asked, so the loss is estimated twice,
over the choices that gave something up (a choice of the ablest model alone loses nothing for certain):

    judged     the ablest model's probability, at a high quantile, less the judged outcome, 1 or 0
    predicted  the same less what was expected of the plan, whether anybody judges or not

`bound()` takes the worse of both and adds `DEVIATIONS` standard errors of the judged mean: few judged outcomes make it
wide. The predicted mean stands in for `PREDICTED_COUNTS` outcomes, so there is an answer before the first one.
What was saved needs no estimate of anybody's ability; it is the share of the ablest model's expected cost.
Old choices are forgotten at the pace of a window, newer ones weigh more.
"""

from __future__ import annotations

import math
from typing import Final

from msgspec import Struct

WINDOW: Final = 4000.0  # choices; a promise about fewer would have to be kept against mere luck
COST_WINDOW: Final = 400.0
DEVIATIONS: Final = 2.0  # a one-sided bound of 97.7 %
PREDICTED_COUNTS: Final = 50.0
PREDICTED_SQUARE: Final = 0.05  # mean square of a loss, before any was judged
_KEEP: Final = 1.0 - 1.0 / WINDOW
_KEEP_COST: Final = 1.0 - 1.0 / COST_WINDOW


class LossBudget(Struct, forbid_unknown_fields=True):
    """Sums over the choices so far; each new choice shrinks the old ones."""

    choices: float = 0.0
    given_up: float = 0.0
    """choices whose plan was not the ablest model alone"""
    predicted: float = 0.0
    """of these: sum of the predicted losses"""
    judged: float = 0.0
    """of these: how many outcomes were judged"""
    lost: float = 0.0
    """of the judged: sum of their losses"""
    squares: float = 0.0
    """and of their squares"""
    spent: float = 0.0
    """nano-dollars that the newest choices were expected to cost"""
    dearest: float = 0.0
    """and what the ablest model would have, in their place"""

    def chose(self, gap: float | None, nano: float, dearest: float) -> None:
        """Count one choice.

        Args:
            gap: the predicted loss of its plan; None = it is the ablest model alone.
            nano: what the plan is expected to cost, nano-dollars.
            dearest: what the ablest model is.
        """
        self.choices = self.choices * _KEEP + 1.0
        self.given_up, self.predicted = self.given_up * _KEEP, self.predicted * _KEEP
        self.judged, self.lost, self.squares = self.judged * _KEEP, self.lost * _KEEP, self.squares * _KEEP
        if gap is not None:
            self.given_up += 1.0
            self.predicted += gap
        self.spent, self.dearest = self.spent * _KEEP_COST + nano, self.dearest * _KEEP_COST + dearest

    def outcome(self, reference: float, accepted: bool, weight: float = 1.0) -> None:
        """Count one judged outcome of a plan that gave something up; `reference` = the ablest model's probability."""
        loss = reference - accepted
        self.judged += weight
        self.lost += weight * loss
        self.squares += weight * loss * loss

    def bound(self) -> float:
        """The most that a choice loses on average, as far as can be said."""
        if not self.given_up:
            return 0.0
        count = self.judged + PREDICTED_COUNTS
        predicted = self.predicted / self.given_up
        mean = max(predicted, (self.lost + PREDICTED_COUNTS * predicted) / count)
        square = (self.squares + PREDICTED_COUNTS * PREDICTED_SQUARE) / count
        return self.given_up / self.choices * (mean + DEVIATIONS * math.sqrt(square / count))

    def saving(self) -> float:
        """The share of the ablest model's cost that the newest choices save."""
        return 1.0 - self.spent / self.dearest if self.dearest else 1.0
