"""What routing has learnt, and the choice that follows: one object a runtime, its state a file of data.

    choose(task, options, ...) -> Choice      pure in its inputs, its state and the key of the call
    attempted / judged         -> learning    outcomes of the attempts that were made

How `cost` keeps its promise: it takes the plan with the least cost + price * loss, where loss is the success that a
plan gives up against the ablest model. The price is not set by hand: it rises while the bound of what was lost, its
uncertainty included (`LossBudget`), is above `max_loss`, and falls while it is below; and once enough outcomes were
judged it rises no further than `min_saving` allows. It begins at its ceiling, when nothing is known yet.
Estimates are taken at cautious quantiles, the ablest model's high and all others' low, because the plan that looks best
is often the one that was overrated.

The constants below were chosen with bench/routing.py over seeds 40 to 46 of all its families, and checked on others.

Exploring: a share of choices draws the estimates at random instead. Chance is a hash of the run, the call and the
router's seed, so the same call chooses the same again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

import msgspec
from msgspec import Struct

from remit.errors import Invalid
from remit.models import choosing
from remit.models.choosing import Check, Option, Plan, Strategy
from remit.models.features import Task, difficulty, features
from remit.models.loss_budget import LossBudget
from remit.models.predictor import Estimate, Predictor

CAUTION: Final = 0.2  # deviations that a cheaper model's estimate is lowered by, and the ablest one's raised
PRICE_BOUNDS: Final = (5.0, 200.0)  # of a lost answer, in calls of the dearest model
FAIR_PRICE: Final = 10.0  # it falls below this for the sake of min_saving only
PRICE_STEP: Final = 0.005
SAVING_STEP: Final = 0.05
MAX_STEP: Final = 0.02
ENOUGH: Final = 300.0  # judged outcomes; before them the price stays, and saving is no reason to ask a cheaper model
LONG_ENOUGH: Final = 1000.0  # choices; after them predictions alone move the price, where nobody judges
PASSED_WEIGHT: Final = 0.6  # of an outcome that only a check judged
FIRST_OUTPUT: Final = 1.5  # output tokens an input token before any was seen. Source: spec/models.md 6
OUTPUT_PRIOR: Final = 5.0  # calls that this guess counts for
MAX_CHECKS: Final = 256
_NO_COUNTS: Final = [0.0] * 6


class Rules(Struct, frozen=True):
    """How to choose."""

    strategy: Strategy = "cost"
    simple: float = choosing.SIMPLE
    complex: float = choosing.COMPLEX
    max_loss: float = 0.01
    """success that `cost` may give up on average against the ablest model, the uncertainty of that included"""
    explore: float = 0.03
    """share of choices that are made to learn; 0 = none"""
    seed: int = 0
    min_saving: float = 0.58
    """share of the ablest model's cost that it saves, once outcomes are judged; 0 = caution may cost everything"""


class Choice(Struct, frozen=True):
    """A plan, and how it came about."""

    plan: tuple[str, ...]
    difficulty: float
    reason: str
    success: dict[str, float] = {}
    scores: dict[str, float] = {}
    explored: bool = False


class _Output(Struct):
    ratio: float = 0.0
    calls: float = 0.0


class _State(Struct, forbid_unknown_fields=True):
    version: int
    predictor: msgspec.Raw
    price: float
    outputs: dict[str, _Output]
    checks: dict[str, list[float]]
    budget: LossBudget = msgspec.field(default_factory=LossBudget)


class Router:
    """See the module's text."""

    def __init__(self) -> None:
        self.predictor = Predictor()
        self.price = PRICE_BOUNDS[1]
        self.budget = LossBudget()
        self._ablest: Option | None = None
        self._outputs: dict[str, _Output] = {}
        self._checks: dict[str, list[float]] = {}
        # name -> answers that passed, failed; of the passed: judged, wrong; of the failed: judged, right

    # --- choosing --------------------------------------------------------------------------------

    def choose(
        self, task: Task, options: Sequence[Option], rules: Rules, *, check: str = "", chance: str = ""
    ) -> Choice:
        """The plan for a task.

        Args:
            task: what is known of the call.
            options: the models, those that cannot be taken with the reason in `out`.
            rules: how to choose.
            check: name of what can judge an answer; "" = nothing can, so a plan is one model.
            chance: what exploring is keyed by, as "run/key".

        Raises: model_unknown when no option can be taken.
        """
        usable = [o for o in options if not o.out]
        if not usable:
            why = "; ".join(f"{o.model}: {o.out}" for o in options) or "the policy names no model"
            raise Invalid("model_unknown", f"no model can be taken: {why}"[:2000])
        level = difficulty(task)
        if rules.strategy == "fixed":
            return Choice(tuple([o.model for o in usable]), level, "the order given")
        if rules.strategy == "tiered":
            order = choosing.by_tier(usable, level, rules.simple, rules.complex)
            return Choice(_names(order), level, f"difficulty {level:.2f} asks for {order[0].tier}")
        if rules.strategy == "balanced":
            scores = {o.model: choosing.balanced_score(o, level) for o in usable}
            order = sorted(usable, key=lambda o: (-scores[o.model], o.model))
            return Choice(_names(order), level, "the best of ability and price", scores=scores)
        self.predictor.anchor = max(options, key=lambda o: (o.capability, o.model)).model
        return self._learnt(task, usable, rules, check, chance)

    def _learnt(self, task: Task, usable: list[Option], rules: Rules, check: str, chance: str) -> Choice:
        level, seen = difficulty(task), features(task)
        estimates = {
            o.model: self.predictor.estimate(o.model, seen, choosing.prior(o.capability, level)) for o in usable
        }
        ablest = self._ablest = max(usable, key=lambda o: (o.capability, estimates[o.model].success, o.model))
        draw = _Chance(f"{rules.seed}/{chance}")
        explored = rules.explore > 0 and draw.uniform() < rules.explore
        if explored:
            success = {m: e.drawn(draw.normal()) for m, e in estimates.items()}
        else:
            success = _cautious(estimates, ablest.model)
        quality = self.check_quality(check) if check else None
        found = choosing.plans(usable, estimates, success, quality)
        if rules.strategy == "quality":
            ordered = choosing.by_quality(found)
        else:
            alone = next(p for p in found if p.models == (ablest.model,))
            ordered = choosing.by_cost(found, self.price, alone.success)
            if not explored:
                self._account(ordered[0], alone, rules)
        best = ordered[0]
        scores = {p.models[0]: p.score for p in reversed(ordered)}
        means = {m: round(e.success, 4) for m, e in estimates.items()}
        return Choice(best.models, level, _reason(best, explored), means, scores, explored)

    def _account(self, chosen: Plan, alone: Plan, rules: Rules) -> None:
        """Count a choice against the ablest model alone, and set the price for the next one."""
        gap = None if chosen.models == alone.models else alone.success - chosen.success
        self.budget.chose(gap, chosen.nano, alone.nano)
        judged = self.budget.judged >= ENOUGH
        if not judged and self.budget.choices < LONG_ENOUGH:
            return  # nothing is known yet, and nothing is risked
        step = PRICE_STEP * (self.budget.bound() - rules.max_loss) / max(rules.max_loss, 1e-3)
        if step < 0 and self.price <= FAIR_PRICE:
            step = 0.0
        if judged:
            step = min(step, SAVING_STEP * (self.budget.saving() - rules.min_saving))
        price = self.price * math.exp(min(max(step, -MAX_STEP), MAX_STEP))
        self.price = min(max(price, PRICE_BOUNDS[0]), PRICE_BOUNDS[1])

    def check_quality(self, name: str) -> Check:
        """What is known of a check; cautious before that.

        Answers that failed it are seldom judged, so shares are taken among those that passed and those that failed, and
        weighed by how many did; what all checks showed together is the start.
        """
        own, every = self._checks.get(name, _NO_COUNTS), self._checks.get("", _NO_COUNTS)
        wrong_of_passed = _share(own[3], own[2], _share(every[3], every[2], 0.05, 20.0), 30.0)
        right_of_failed = _share(own[5], own[4], _share(every[5], every[4], 0.15, 20.0), 30.0)
        passed, failed = own[0] + every[0] * 0.01 + 7.0, own[1] + every[1] * 0.01 + 3.0
        wrong_passed, wrong_failed = passed * wrong_of_passed, failed * (1.0 - right_of_failed)
        right_passed, right_failed = passed - wrong_passed, failed * right_of_failed
        return Check(wrong_passed / (wrong_passed + wrong_failed), right_failed / (right_passed + right_failed))

    def output_tokens(self, model: str, input_tokens: int) -> int:
        """How many tokens an answer is expected to have."""
        seen = self._outputs.get(model)
        ratio, calls = (seen.ratio, seen.calls) if seen is not None else (0.0, 0.0)
        return round(input_tokens * (FIRST_OUTPUT * OUTPUT_PRIOR + ratio * calls) / (OUTPUT_PRIOR + calls))

    # --- learning --------------------------------------------------------------------------------

    def used(self, model: str, input_tokens: int, output_tokens: int) -> None:
        """What a call of a model took: the estimate of its cost learns."""
        if len(self._outputs) >= 1024 and model not in self._outputs:
            return
        seen = self._outputs.setdefault(model, _Output())
        seen.calls = min(seen.calls + 1.0, 200.0)
        seen.ratio += (output_tokens / max(input_tokens, 1) - seen.ratio) / seen.calls

    def checked(self, task: Task, option: Option, passed: bool, check: str, *, after: Sequence[Option] = ()) -> None:
        """A check judged an answer: it may be wrong, so it counts for less.

        `after`: the models of this call whose answers failed before; a task that they failed is a harder one.
        """
        self._learn(task, option, passed, PASSED_WEIGHT, after)
        self.count(check, 0 if passed else 1)

    def judged(
        self,
        task: Task,
        option: Option,
        accepted: bool,
        *,
        check: str = "",
        passed: bool | None = None,
        after: Sequence[Option] = (),
    ) -> None:
        """An answer was judged: by a person, a test that decides, or what came of it.

        `check` and `passed` say what the check had said of the same answer: it is known better then.
        """
        ablest = self._ablest
        if ablest is not None and (after or option.model != ablest.model):
            level = difficulty(task)
            known = self.predictor.estimate(ablest.model, features(task), choosing.prior(ablest.capability, level))
            self.budget.outcome(known.cautious(-CAUTION), accepted)
        self._learn(task, option, accepted, 1.0, after)
        if passed is not None:
            self.count(check, 0 if passed else 1)
            self.count(check, 2 if passed else 4)
            if passed != accepted:
                self.count(check, 3 if passed else 5)

    def count(self, check: str, at: int) -> None:
        """One more of what is counted of a check, at the place that `_checks` names."""
        for name in {check, ""}:
            if name in self._checks or len(self._checks) < MAX_CHECKS:
                self._checks.setdefault(name, [0.0] * 6)[at] += 1.0

    def _learn(self, task: Task, option: Option, accepted: bool, weight: float, after: Sequence[Option]) -> None:
        level, seen = difficulty(task), features(task)
        start = choosing.prior(option.capability, level)
        for failed in after:
            known = self.predictor.estimate(failed.model, seen, choosing.prior(failed.capability, level))
            start -= choosing.lowered(known.success)
        self.predictor.learn(option.model, seen, accepted, start, weight)

    # --- state -----------------------------------------------------------------------------------

    def save(self) -> bytes:
        """Everything learnt, as JSON."""
        raw = msgspec.Raw(self.predictor.save())
        return msgspec.json.encode(_State(1, raw, self.price, self._outputs, self._checks, self.budget))

    @staticmethod
    def load(raw: bytes) -> Router:
        """What `save` wrote; raises value_invalid for anything else."""
        try:
            state = msgspec.json.decode(raw, type=_State)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise Invalid("value_invalid", f"not the state of a router: {error}") from None
        router = Router()
        router.predictor = Predictor.load(bytes(state.predictor))
        fine = PRICE_BOUNDS[0] <= state.price <= PRICE_BOUNDS[1] and all(len(c) == 6 for c in state.checks.values())
        if state.version != 1 or not fine:
            raise Invalid("value_invalid", "the state of the router is damaged or of a newer version")
        router.price, router._outputs, router._checks = state.price, state.outputs, state.checks
        router.budget = state.budget
        return router


class _Chance:
    """Random numbers that follow from a key."""

    def __init__(self, key: str) -> None:
        self._key = key.encode("utf-8", "replace")
        self._drawn = 0

    def uniform(self) -> float:
        self._drawn += 1
        digest = sha256(self._key + b"\0%d" % self._drawn).digest()
        return (int.from_bytes(digest[:7]) + 0.5) / 2**56

    def normal(self) -> float:
        """Box-Muller."""
        return math.sqrt(-2.0 * math.log(self.uniform())) * math.cos(2.0 * math.pi * self.uniform())


def _cautious(estimates: dict[str, Estimate], ablest: str) -> dict[str, float]:
    """Success by model at cautious quantiles: the ablest model's high, all others' low."""
    return {m: e.cautious(-CAUTION if m == ablest else CAUTION) for m, e in estimates.items()}


def _share(part: float, whole: float, start: float, weight: float) -> float:
    """A share with a start that counts as much as `weight` observations."""
    return (part + start * weight) / (whole + weight)


def _names(options: Sequence[Option]) -> tuple[str, ...]:
    return tuple([o.model for o in options])


def _reason(plan: Plan, explored: bool) -> str:
    what = f"{' then '.join(plan.models)}: {plan.success:.1%} for ${plan.nano / 1e9:.6f}"
    return f"to learn, {what}" if explored else what


def state_of(router: Router) -> dict[str, Any]:
    """What is known, for people: outcomes a model, the present price of a lost answer."""
    return {"outcomes": dict(router.predictor.outcomes), "price": round(router.price, 3)}
