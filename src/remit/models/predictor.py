"""The difficulty predictor: features of a task -> probability that a model's answer is accepted. It learns online.

Bayesian probit regression with a Gaussian a weight, updated by assumed-density filtering: one pass over a task's
features an outcome, closed form, no learning rate, no data kept. A feature has a weight that all models share (how hard
are such tasks?) and one a model (is it better or worse at these than it is in general?), so an outcome of one model
teaches something about the others. One model, the anchor, has none of its own: what all share is its level, and the
others differ from it. Otherwise a model that is asked the hard tasks only, as the ablest is, could not be told from one
that is worse at all of them. Where nothing is known the prior speaks: capability less static difficulty.
Source: Graepel et al., "Web-Scale Bayesian Click-Through Rate Prediction (adPredictor)", ICML 2010, section 3.

State is data (`save`, `load`): two numbers a weight in a JSON object, bounded; weights that say least go first.
Updates are exact arithmetic of the same inputs in the same order, so a replay that reads the recorded choices
needs none of this.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

from remit.errors import Invalid
from remit.models.features import SPACE

BETA: Final = 1.0  # noise of an outcome, in probits
PRIOR_SHARED: Final = 0.012  # variance of a weight before it was seen
PRIOR_OWN: Final = 0.008
PRIOR_LEVEL: Final = 0.3  # of the level of all models
PRIOR_MODEL: Final = 0.7  # of a model's own level
MAX_WEIGHTS: Final = 400_000
MAX_MODELS: Final = 64
_EPSILON: Final = 1e-9


class Estimate(Struct, frozen=True, gc=False):
    """What is known of one model on one task, in probits."""

    mean: float
    deviation: float
    """of the mean: how little is known"""

    @property
    def success(self) -> float:
        """Probability that the answer is accepted."""
        return normal_cdf(self.mean / math.sqrt(BETA * BETA + self.deviation * self.deviation))

    def cautious(self, deviations: float) -> float:
        """The probability with the mean lowered by so many of its deviations."""
        spread = math.sqrt(BETA * BETA + self.deviation * self.deviation)
        return normal_cdf((self.mean - deviations * self.deviation) / spread)

    def drawn(self, normal: float) -> float:
        """The probability under one draw of the weights (`normal` of a standard normal): for exploring."""
        return normal_cdf((self.mean + self.deviation * normal) / BETA)


class _State(Struct, forbid_unknown_fields=True):
    version: int = 1
    outcomes: dict[str, int] = {}
    weights: dict[int, tuple[float, float]] = {}
    anchor: str = ""


class Predictor:
    """Weights of all models; a weight that was never touched is its prior and takes no space."""

    def __init__(self) -> None:
        self._weights: dict[int, tuple[float, float]] = {}
        self.outcomes: dict[str, int] = {}
        """how many outcomes of a model were learnt"""
        self.anchor = ""
        """the model whose level all share; the ablest one that may be asked"""

    def estimate(self, model: str, features: Iterable[int], prior: float = 0.0) -> Estimate:
        """The estimate for `model`; `prior` is its level (probits) before anything was learnt."""
        mean, variance = prior, 0.0
        weights = self._weights
        for index, start in _indexes(model, features, self.anchor):
            known = weights.get(index)
            if known is not None:
                mean += known[0]
                variance += known[1]
            elif start == PRIOR_MODEL:  # a name that was never seen says nothing, for or against
                variance += start
        return Estimate(mean, math.sqrt(variance))

    def learn(
        self, model: str, features: Iterable[int], accepted: bool, prior: float = 0.0, weight: float = 1.0
    ) -> None:
        """Take in one judged outcome; `weight` below 1 for a judge that is often wrong."""
        if model not in self.outcomes and len(self.outcomes) >= MAX_MODELS:
            return
        indexes = list(_indexes(model, features, self.anchor))
        weights = self._weights
        mean = prior + sum([weights[i][0] for i, _ in indexes if i in weights])
        variance = BETA * BETA / max(weight, 0.05) + sum([weights.get(i, (0.0, start))[1] for i, start in indexes])
        sign = 1.0 if accepted else -1.0
        deviation = math.sqrt(variance)
        t = sign * mean / deviation
        v = _ratio(t)
        w = v * (v + t)
        for index, start in indexes:
            old_mean, old_variance = weights.get(index, (0.0, start))
            share = old_variance / variance
            new_mean = old_mean + sign * old_variance / deviation * v
            weights[index] = (new_mean, max(_EPSILON, old_variance * (1.0 - share * w)))
        self.outcomes[model] = self.outcomes.get(model, 0) + 1
        if len(weights) > MAX_WEIGHTS:
            self._prune()

    def save(self) -> bytes:
        """The state as JSON."""
        rounded = {i: (round(m, 5), round(v, 6)) for i, (m, v) in self._weights.items()}
        return msgspec.json.encode(_State(1, self.outcomes, rounded, self.anchor))

    @staticmethod
    def load(raw: bytes) -> Predictor:
        """What `save` wrote; raises value_invalid for anything else."""
        try:
            state = msgspec.json.decode(raw, type=_State)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise Invalid("value_invalid", f"not the state of a router: {error}") from None
        finite = all(math.isfinite(m) and 0 < v < 100 for m, v in state.weights.values())
        if state.version != 1 or not finite or len(state.weights) > 2 * MAX_WEIGHTS:
            raise Invalid("value_invalid", "the state of the router is damaged or of a newer version")
        predictor = Predictor()
        predictor._weights, predictor.outcomes, predictor.anchor = state.weights, state.outcomes, state.anchor
        return predictor

    def _prune(self) -> None:
        """Forget the weights that say least: a mean near nothing."""
        kept = sorted(self._weights.items(), key=lambda item: -abs(item[1][0]))[: MAX_WEIGHTS * 3 // 4]
        self._weights = dict(kept)


def _indexes(model: str, features: Iterable[int], anchor: str) -> Iterable[tuple[int, float]]:
    """The weights that a model's answer to a task rests on, with their prior variance."""
    from zlib import crc32

    yield SPACE, PRIOR_LEVEL
    if model == anchor:
        for feature in features:
            yield feature, PRIOR_SHARED
        return
    salt = crc32(model.encode())
    yield (SPACE * (2 + salt), PRIOR_MODEL)
    for feature in features:
        yield feature, PRIOR_SHARED
        yield SPACE * (1 + salt) + feature, PRIOR_OWN


def normal_cdf(x: float) -> float:
    """The standard normal's distribution function."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def _ratio(t: float) -> float:
    """Density over distribution function of the standard normal at t; its limit -t far below 0."""
    below = normal_cdf(t)
    if below < 1e-12:
        return -t
    return math.exp(-0.5 * t * t) / math.sqrt(2.0 * math.pi) / below
