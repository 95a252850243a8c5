"""Choosing among models: pure functions from options and estimates to a plan. No clock, no I/O, no state.

Strategies (spec/models.md 6):

    cost      the plan that is cheapest for what it loses: cost + price * (success given up against the best plan)
    quality   the highest probability of success; the cheaper of equals
    balanced  .6 * (1 - .5 * excess) + .4 / (1 + input price in $/Mtok), excess = difficulty above capability
    tiered    simple -> fast, complex -> powerful, else balanced; a neighbouring tier where one has no model
    fixed     the order given

A *plan* is a row of models: the next one is asked when the check of an answer says no (cascade). Without a check a
plan is one model. `cost` follows from what was learnt: before anything was, an estimate is capability less difficulty,
so it takes the cheapest model whose capability covers the difficulty, as the static rule does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

from msgspec import Struct

from remit.models.predictor import Estimate, normal_cdf

Strategy = Literal["cost", "quality", "balanced", "tiered", "fixed"]
Tier = Literal["fast", "balanced", "powerful"]
TIERS: Final[tuple[Tier, ...]] = ("fast", "balanced", "powerful")
SIMPLE: Final = 0.15  # Source: spec/models.md 6, bands
COMPLEX: Final = 0.35
PRIOR_LEVEL: Final = 0.5  # probits of a model whose capability just covers the difficulty
PRIOR_SLOPE: Final = 2.5  # probits a unit of capability
SHARED: Final = 0.5  # how much of an outcome's noise is the task's, not the answer's
MAX_PLAN: Final = 3  # models in one cascade


class Option(Struct, frozen=True):
    """One model that may be chosen, and what is known of it beforehand."""

    model: str
    tier: Tier = "balanced"
    capability: float = 0.7
    """the difficulty in [0, 1] that it is thought to master"""
    input_usd: float = 0.0
    """dollars per million input tokens"""
    nano: int | None = None
    """estimated cost of this call; None = unknown"""
    out: str = ""
    """why it cannot be taken; "" = it can"""


class Check(NamedTuple):
    """How well the check of an answer tells right from wrong."""

    passes_wrong: float
    fails_right: float


class Plan(NamedTuple):
    """A row of models with what it is expected to do."""

    models: tuple[str, ...]
    success: float
    nano: float
    score: float


def prior(capability: float, difficulty: float) -> float:
    """The level of a model in probits before anything was learnt of it."""
    return PRIOR_LEVEL + PRIOR_SLOPE * (capability - difficulty)


def plans(
    options: Sequence[Option], estimates: Mapping[str, Estimate], success: Mapping[str, float], check: Check | None
) -> list[Plan]:
    """Every plan worth looking at: single models, and rising rows of them where an answer can be checked."""
    usable = sorted((o for o in options if not o.out), key=lambda o: (o.nano or 0, o.model))
    rows: list[tuple[Option, ...]] = [(o,) for o in usable]
    if check is not None:
        for length in range(2, MAX_PLAN + 1):
            rows += [
                (*row, o)
                for row in [r for r in rows if len(r) == length - 1]
                for o in usable
                if (o.nano or 0) > (row[-1].nano or 0)
            ]
    return [_plan(row, estimates, success, check) for row in rows]


def lowered(success: float) -> float:
    """By how many probits the next model's level falls when an answer that was to be right with `success` is wrong."""
    return SHARED * _surprise(_probit(success))


def _plan(
    row: tuple[Option, ...], estimates: Mapping[str, Estimate], success: Mapping[str, float], check: Check | None
) -> Plan:
    """Expected success and cost of a row. An answer that fails makes the next one likelier to fail as well."""
    reached, good, nano, shift = 1.0, 0.0, 0.0, 0.0
    for number, option in enumerate(row):
        p = success[option.model]
        if shift:
            p = normal_cdf(_probit(p) - shift)
        nano += reached * (option.nano or 0)
        if check is None or number == len(row) - 1:
            good += reached * p
            break
        good += reached * p * (1.0 - check.fails_right)
        rejected = p * check.fails_right + (1.0 - p) * (1.0 - check.passes_wrong)
        wrong = (1.0 - p) * (1.0 - check.passes_wrong) / max(rejected, 1e-12)
        shift += lowered(p) * wrong
        reached *= rejected
    return Plan(tuple([o.model for o in row]), good, nano, 0.0)


def by_cost(found: Sequence[Plan], price: float, reference: float) -> list[Plan]:
    """Plans by cost and by the success given up against `reference`; the first is the choice.

    A unit of success is worth `price` calls of the dearest model; the score is the negative sum in such calls.
    """
    unit = max(1.0, max(p.nano for p in found if len(p.models) == 1))
    scored = [p._replace(score=-p.nano / unit - price * (reference - p.success)) for p in found]
    return sorted(scored, key=lambda p: (-p.score, len(p.models), p.models))


def by_quality(found: Sequence[Plan]) -> list[Plan]:
    """Plans by probability of success."""
    scored = [p._replace(score=p.success) for p in found]
    return sorted(scored, key=lambda p: (-round(p.success, 4), p.nano, p.models))


def balanced_score(option: Option, difficulty: float) -> float:
    """Source: spec/models.md 6, strategy balanced."""
    excess = max(0.0, difficulty - option.capability)
    return 0.6 * (1.0 - 0.5 * excess) + 0.4 / (1.0 + option.input_usd)


def by_tier(options: Sequence[Option], difficulty: float, simple: float, complex_: float) -> list[Option]:
    """Options by distance from the tier that the difficulty asks for; of one tier the cheapest first."""
    wanted = 0 if difficulty <= simple else 2 if difficulty >= complex_ else 1
    usable = [o for o in options if not o.out]
    # Of two neighbours the more able one: a wrong answer costs more than a dear one.
    return sorted(usable, key=lambda o: (abs(TIERS.index(o.tier) - wanted), -TIERS.index(o.tier), o.nano or 0, o.model))


def by_static_cost(options: Sequence[Option], difficulty: float) -> list[Option]:
    """The cheapest option whose capability covers the difficulty; else the most able. Source: spec/models.md 6."""
    usable = [o for o in options if not o.out]
    able = sorted((o for o in usable if o.capability >= difficulty), key=lambda o: (o.nano or 0, o.model))
    return able or sorted(usable, key=lambda o: (-o.capability, o.nano or 0))


def _probit(p: float) -> float:
    """The inverse of the normal distribution function, for p in (0, 1)."""
    from statistics import NormalDist  # only plans of several models need it

    return NormalDist().inv_cdf(min(max(p, 1e-6), 1.0 - 1e-6))


def _surprise(level: float) -> float:
    """By how many probits an unexpected failure lowers what is expected: the mean of the noise below -level."""
    below = normal_cdf(-level)
    return math.exp(-0.5 * level * level) / math.sqrt(2 * math.pi) / max(below, 1e-6)
