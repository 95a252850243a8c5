"""The loss controller of routing: a bound on judged outcomes, a price that follows it, and the saving that stops it."""

from __future__ import annotations

import random

import msgspec
import pytest

from remit.errors import Invalid
from remit.models.choosing import Option
from remit.models.features import Task, features
from remit.models.loss_budget import WINDOW, LossBudget
from remit.models.predictor import Predictor
from remit.models.router import ENOUGH, FAIR_PRICE, LONG_ENOUGH, PRICE_BOUNDS, Router, Rules

OPTIONS = [
    Option("a:fast", "fast", 0.4, 0.5, 1_000_000),
    Option("a:mid", "balanced", 0.8, 3.0, 5_000_000),
    Option("a:big", "powerful", 1.0, 15.0, 25_000_000),
]
RULES = Rules(explore=0.0)


def filled(choices: int, wrong: float, *, reference: float = 0.95, gap: float = 0.0) -> LossBudget:
    """A budget of choices that all gave something up, `wrong` of which were judged wrong."""
    budget, chance = LossBudget(), random.Random(7)
    for _ in range(choices):
        budget.chose(gap, 1e7, 4e7)
        budget.outcome(reference, chance.random() >= wrong)
    return budget


def test_nothing_is_lost_by_the_ablest_model() -> None:
    """Choices of it alone have no loss, however many; they thin out the loss of the others."""
    budget = LossBudget()
    for _ in range(100):
        budget.chose(None, 4.0, 4.0)
    assert budget.bound() == 0.0 and budget.saving() == 0.0
    busy = filled(100, 0.2)
    before = busy.bound()
    for _ in range(300):
        busy.chose(None, 4.0, 4.0)
    assert busy.bound() < before / 2


def test_the_bound_is_wide_at_first_and_nears_the_loss() -> None:
    """5 % truly lost: the bound is above it in any case, and less so the more was judged."""
    bounds = [filled(n, 0.10).bound() for n in (20, 200, 3000)]
    assert bounds[0] > bounds[1] > bounds[2] > 0.05
    assert bounds[2] < 0.07 and bounds[0] > 0.1


def test_of_two_estimates_the_worse_one_counts() -> None:
    """Good outcomes do not hide a predicted loss, nor good predictions a judged one."""
    good, predicted, judged = filled(3000, 0.05), filled(3000, 0.05, gap=0.04), filled(3000, 0.09)
    assert predicted.bound() > good.bound() + 0.03 and judged.bound() > good.bound() + 0.03


def test_old_choices_are_forgotten() -> None:
    """After a few windows of good outcomes the bad ones count for nothing; the sums stay bounded."""
    budget = filled(500, 0.5)
    assert budget.bound() > 0.2
    chance = random.Random(3)
    for _ in range(int(4 * WINDOW)):
        budget.chose(0.0, 1.0, 4.0)
        budget.outcome(0.95, chance.random() < 0.95)
    assert budget.bound() < 0.02 and budget.choices <= WINDOW + 1


def drive(router: Router, choices: int, right: dict[str, float], *, rules: Rules = RULES, judge: bool = True) -> None:
    """Tasks of one kind, each judged by how often its model is right."""
    chance = random.Random(11)
    by_name = {o.model: o for o in OPTIONS}
    for n in range(choices):
        task = Task(f"sort pile {n % 50}")
        model = router.choose(task, OPTIONS, rules, chance=str(n)).plan[0]
        if judge:
            router.judged(task, by_name[model], chance.random() < right[model])


def test_the_price_stays_at_its_ceiling_until_enough_is_known() -> None:
    """Nothing is risked before; then it falls, because the cheap model is as good."""
    router = Router()
    chance = random.Random(5)
    rules = Rules(explore=0.5)
    for n in range(int(LONG_ENOUGH) - 1):
        if router.budget.judged >= ENOUGH:
            break
        assert router.price == PRICE_BOUNDS[1]
        task = Task(f"sort pile {n % 50}")
        router.choose(task, OPTIONS, rules, chance=str(n))
        router.judged(task, OPTIONS[0], chance.random() < 0.99)
    drive(router, 2000, {"a:fast": 0.99, "a:mid": 0.99, "a:big": 0.99})
    assert router.price < 30.0 and router.budget.saving() > 0.4


@pytest.mark.parametrize(("wrong", "rises"), [(0.15, True), (0.05, False)])
def test_the_price_follows_the_bound(wrong: float, rises: bool) -> None:
    """Above `max_loss` it rises step by step, below it falls, but not under the fair one."""
    router = Router()
    router.price, router.budget = 40.0, filled(2000, wrong, reference=0.90)
    router.budget.choices *= 1.5  # a third of all choices were of the ablest model
    router.choose(Task("sort pile 3"), OPTIONS, RULES)
    assert (router.price > 40.0) is rises and router.price == pytest.approx(40.0, rel=0.021)
    router.price = FAIR_PRICE
    router.choose(Task("sort pile 3"), OPTIONS, RULES)
    assert router.price >= FAIR_PRICE


def test_a_model_that_turns_out_bad_is_left() -> None:
    """What is wrong one time in five is not asked any more."""
    router = Router()
    router.price = 10.0
    drive(router, 600, {"a:fast": 0.80, "a:mid": 0.80, "a:big": 0.99})
    assert router.choose(Task("sort pile 3"), OPTIONS, RULES).plan == ("a:big",)


def test_caution_costs_no_more_than_min_saving_leaves() -> None:
    """Where the bound cannot be kept, the price stops where the saving reaches its floor; with 0 it does not stop."""
    found = {}
    for floor in (0.0, 0.5):
        router = Router()
        rules = Rules(explore=0.0, min_saving=floor)
        router.budget = filled(2000, 0.2)
        router.price = 30.0
        for n in range(600):
            router.choose(Task(f"prove lemma {n % 40}, analyze and design"), OPTIONS, rules, chance=str(n))
        found[floor] = (router.price, router.budget.saving())
    assert found[0.0][0] > found[0.5][0] and found[0.0][1] < 0.4
    assert found[0.5][1] > found[0.0][1]


def learnt(anchor: str) -> tuple[float, float, float]:
    """(small at easy, big at easy, big at hard) after small met easy tasks only, and big hard ones only."""
    predictor, chance = Predictor(), random.Random(2)
    predictor.anchor = anchor
    easy, hard = Task("rinse the blue dish in warm water"), Task("untangle nine knotted ropes without cutting any")
    for _ in range(800):
        predictor.learn("small", features(easy), chance.random() < 0.96, 1.5)
        predictor.learn("big", features(hard), chance.random() < 0.5, 2.0)
    again = Predictor.load(predictor.save())
    found = [again.estimate(m, features(t), p).success for m, t, p in (("small", easy, 1.5), ("big", easy, 2.0),
                                                                      ("big", hard, 2.0))]  # fmt: skip
    return found[0], found[1], found[2]


def test_the_ablest_model_is_not_taken_for_a_bad_one_because_it_gets_the_hard_tasks() -> None:
    """As the anchor it is thought better at what it is never asked than without; at hard tasks both say the same."""
    _, plain, plain_hard = learnt("")
    small, big, hard = learnt("big")
    assert big > plain + 0.05 and big > small - 0.1
    assert hard == pytest.approx(0.5, abs=0.05) and plain_hard == pytest.approx(0.5, abs=0.05)


def test_state_goes_through_its_file_and_older_files_are_read() -> None:
    """Budget, price and anchor come back; a file from before them is no error, a damaged one is."""
    router = Router()
    drive(router, 300, {"a:fast": 0.9, "a:mid": 0.9, "a:big": 0.99})
    again = Router.load(router.save())
    assert again.budget == router.budget and again.price == router.price
    assert again.predictor.anchor == "a:big"
    state = msgspec.json.decode(router.save())
    del state["budget"], state["predictor"]["anchor"]
    older = Router.load(msgspec.json.encode(state))
    assert older.budget == LossBudget() and older.predictor.anchor == ""
    state["budget"] = {"judged": "many"}
    with pytest.raises(Invalid):
        Router.load(msgspec.json.encode(state))
