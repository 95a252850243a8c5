"""features.py, predictor.py, choosing.py, router.py: what is known before, what is learnt, and what follows."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from remit.core.messages import Message, Text, ToolResult
from remit.core.model import ModelRequest, ToolSpec
from remit.errors import Invalid
from remit.models import choosing
from remit.models.choosing import Check, Option
from remit.models.features import Task, difficulty, features, task_of
from remit.models.predictor import Predictor
from remit.models.router import Router, Rules

BENCH = Path(__file__).parents[3] / "bench"
OPTIONS = [
    Option("a:fast", "fast", 0.4, 0.5, 1_000_000),
    Option("a:mid", "balanced", 0.8, 3.0, 5_000_000),
    Option("a:big", "powerful", 1.0, 15.0, 25_000_000),
]


def test_the_static_score_is_the_formula_of_the_spec() -> None:
    """Each term counts with its weight, and the sum stays in [0, 1]."""
    assert difficulty(Task("hello")) == 0.0
    assert difficulty(Task("word " * 1000)) == pytest.approx(0.15)
    assert difficulty(Task("x", tools=20, history=50)) == pytest.approx(0.25)
    assert difficulty(Task("prove, analyze and design")) == pytest.approx(0.20 + 0.15 * 4 / 1000)
    assert difficulty(Task("? ? ?")) == pytest.approx(0.10)
    assert difficulty(Task("python")) == pytest.approx(0.15 + 0.15 / 1000)


def test_a_task_is_the_last_user_text_and_what_surrounds_it() -> None:
    """History, tools and results are counted."""
    messages = (
        Message("system", (Text("s"),)), Message("user", (Text("old"),)), Message("user", (Text("do it"),)),
        Message("tool", (ToolResult("1", "t", "r"),)),
    )  # fmt: skip
    task = task_of(ModelRequest(messages, (ToolSpec("t"),)), "coder")
    assert task == Task("do it", "coder", 1, 2, False, 1)
    assert len(features(Task("word " * 10_000))) < 250


def test_before_anything_is_learnt_an_able_model_is_taken_for_the_difficulty() -> None:
    """Strategies: fixed keeps the order, tiered follows the bands, quality takes the ablest, static covers."""
    hard, easy = Task("prove and analyze and design the distributed algorithm? ? ?", tools=20), Task("say hello")
    router = Router()

    def first(task: Task, strategy: choosing.Strategy) -> str:
        return router.choose(task, OPTIONS, Rules(strategy, explore=0)).plan[0]

    assert first(hard, "fixed") == "a:fast"
    assert [first(easy, "tiered"), first(hard, "tiered")] == ["a:fast", "a:big"]
    assert first(hard, "quality") == "a:big"
    assert first(easy, "balanced") == "a:fast"
    assert [choosing.by_static_cost(OPTIONS, d)[0].model for d in (0.1, 0.6, 0.9)] == ["a:fast", "a:mid", "a:big"]
    assert choosing.balanced_score(OPTIONS[0], 0.6) == pytest.approx(0.6 * 0.9 + 0.4 / 1.5)


def test_a_neighbouring_tier_serves_where_one_is_missing() -> None:
    """Without a powerful model tiered takes the balanced one; what is out is never taken."""
    out = [OPTIONS[0], OPTIONS[1], Option("a:big", "powerful", 1.0, 15.0, 25, out="no grant")]
    assert choosing.by_tier(out, 0.9, 0.15, 0.35)[0].model == "a:mid"
    with pytest.raises(Invalid, match="no grant"):
        Router().choose(Task("x"), [out[2]], Rules())


def test_it_learns_which_tasks_a_cheap_model_masters() -> None:
    """After outcomes, the kind that the cheap model fails at goes to a dearer one, the other kind to it."""
    router = Router()
    for n in range(100):
        for option in OPTIONS:
            good = option.model != "a:fast"
            router.judged(Task(f"untangle the knot {n}"), option, good)
            router.judged(Task(f"rinse the dish {n}"), option, True)
    rules = Rules(explore=0)
    easy = router.choose(Task("rinse the dish 999"), OPTIONS, rules)
    hard = router.choose(Task("untangle the knot 999"), OPTIONS, rules)
    assert easy.success["a:fast"] > 0.9 > 0.3 > hard.success["a:fast"]
    assert easy.plan != ("a:big",) and "a:fast" not in hard.plan


def test_a_check_allows_a_cascade_and_its_quality_is_learnt() -> None:
    """With a check that never passes a wrong answer the cheap model is tried first; without one it is not."""
    router = Router()
    for n in range(200):
        right = n % 2 == 0
        router.judged(Task(f"mixed work {n % 7}"), OPTIONS[0], right, check="tests", passed=right)
        router.judged(Task(f"mixed work {n % 7}"), OPTIONS[2], True, check="tests", passed=True)
    found = router.check_quality("tests")
    assert found.passes_wrong < 0.1 and found.fails_right < 0.1
    router.price = 20.0  # it begins at its ceiling
    task, rules = Task("mixed work 3"), Rules(explore=0)
    two = [OPTIONS[0], OPTIONS[2]]
    assert router.choose(task, two, rules, check="tests").plan == ("a:fast", "a:big")
    assert router.choose(task, two, rules).plan == ("a:big",)


def test_a_plan_is_worth_what_its_models_and_its_check_make_of_it() -> None:
    """A perfect check: the row costs the second model only as often as the first one fails."""
    estimates = Predictor()
    success = {"a:fast": 0.5, "a:big": 1.0 - 1e-9}
    rows = choosing.plans([OPTIONS[0], OPTIONS[2]], {"a:fast": estimates.estimate("m", ())}, success, Check(0.0, 0.0))
    row = next(p for p in rows if p.models == ("a:fast", "a:big"))
    assert row.nano == pytest.approx(1_000_000 + 0.5 * 25_000_000)
    assert row.success > 0.99


def test_chance_is_keyed_and_can_be_turned_off() -> None:
    """The same key explores the same way; other keys differ; explore=0 never does."""
    router, task = Router(), Task("anything at all")
    rules = Rules(explore=0.5)
    once = [router.choose(task, OPTIONS, rules, chance=f"run/{i}").explored for i in range(40)]
    assert once == [router.choose(task, OPTIONS, rules, chance=f"run/{i}").explored for i in range(40)]
    assert 5 < sum(once) < 35
    assert not any(router.choose(task, OPTIONS, Rules(explore=0), chance=str(i)).explored for i in range(40))


def test_state_is_data_and_comes_back_the_same() -> None:
    """What is saved is JSON; a loaded router chooses the same; anything else is refused."""
    router = Router()
    for n in range(50):
        router.judged(Task(f"work {n}"), OPTIONS[n % 3], n % 4 > 0, check="c", passed=True)
        router.used(OPTIONS[n % 3].model, 100, 300)
    raw = router.save()
    assert json.loads(raw)["version"] == 1
    again = Router.load(raw)
    for n in range(20):
        task = Task(f"work {n} other")
        assert again.choose(task, OPTIONS, Rules(explore=0)).plan == router.choose(task, OPTIONS, Rules(explore=0)).plan
    assert again.output_tokens("a:big", 100) == router.output_tokens("a:big", 100) > 200
    for damaged in (b"", b"[]", raw[:-5], raw.replace(b'"version":1', b'"version":2'), b'{"version":1}'):
        with pytest.raises(Invalid):
            Router.load(damaged)


def test_the_bench_holds_on_a_small_world() -> None:
    """A small world of the generator: much cheaper than always-powerful, little lost, better than the static rule."""
    sys.path.insert(0, str(BENCH))
    try:
        import routing
        from routing_tasks import generate
    finally:
        sys.path.remove(str(BENCH))
    found = routing.world(generate(3, "logistic", 1200, 0.4), Rules())
    assert found["saving"] > 0.3, found
    assert found["loss"] < 0.04, found
    best_static = max(found["rows"][name]["value"] for name in ("static cost", "static tiers"))
    assert found["rows"]["learnt"]["value"] > best_static
    assert routing.plot({"world": found["regret"]}).startswith("<svg")


def test_regret_is_by_expected_values_and_never_negative() -> None:
    """A cascade is worth what its models and its check make of it; the best plan of all has no regret."""
    sys.path.insert(0, str(BENCH))
    try:
        import routing
        from routing_tasks import generate
    finally:
        sys.path.remove(str(BENCH))
    cases = generate(5, "plateau", 400, 0.4)
    rates = routing.error_rates(cases)
    case = next(c for c in cases if c.check)
    names = sorted(case.success, key=lambda m: case.nano[m])
    cheap, dear = names[0], names[-1]
    p, q, (wrong, right) = case.success[cheap], case.success[dear], rates[case.check]
    again = p * right + (1 - p) * (1 - wrong)
    expected = p * (1 - right) + again * q - (case.nano[cheap] + again * case.nano[dear]) / case.nano[dear] / 10
    assert routing.worth(case, (cheap, dear), rates[case.check]) == pytest.approx(expected)
    for each in cases:
        known = rates.get(each.check)
        plans = [(m,) for m in names] + ([(cheap, dear)] if each.check else [])
        regrets = [routing.regret(each, plan, known) for plan in plans]
        assert min(regrets) >= 0
        if not each.check:
            assert min(regrets) == 0
