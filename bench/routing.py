"""Routing by learnt cost against always-powerful and the static formula: make bench-routing ARGS="--seed 7"

Half of the tasks (bench/routing_tasks.py, or a JSONL file of them) are met one by one: the router chooses, sees only
the answers it paid for, what checks said of them, and the labels of what it delivered. The other half is held out:
nothing is learnt from it, nothing explored. Printed a world: cost and success of each policy on the held-out half, the
saving, and
regret over the first half in ten parts; all worlds' regret as results/routing.svg. Exits 1 when a promise is broken.

    saving    >= 55 % of always-powerful's cost
    success   at most 1 % (of a hundred) below always-powerful's
    static    a higher value than both static rules; value = success less cost, a right answer worth ten dearest calls
    regret    lower in the last three tenths than in the first three; per task, in right answers: the expected value of
              the best plan (single models and cascades, chosen with the true probabilities of the models and the true
              error rates of the check) less the expected value of the plan that was taken. Never below 0, and free of
              the luck of single answers. The first tenth is the cold start, where nothing was judged yet.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent / "src")]
# ruff: noqa: E402  the two folders must be importable first

from remit.models import choosing
from remit.models.choosing import Option
from remit.models.features import Task, difficulty
from remit.models.router import Router, Rules
from routing_tasks import FAMILIES, MODELS, POWERFUL, Case, generate, read

JUDGED = 1.0  # share of delivered answers whose label is shown, while learning; the others are judged by checks only
WORTH = 10.0
Route = Callable[[Case, int], tuple[str, ...]]


def options_of(router: Router, case: Case) -> list[Option]:
    """The models with the cost that the router expects of this call."""
    found = []
    for name, tier, capability, price_in, price_out, *_ in MODELS:
        out = router.output_tokens(name, case.input_tokens)
        nano = round(case.input_tokens * price_in * 1000 + out * price_out * 1000)
        found.append(Option(name, tier, capability, price_in, nano))  # type: ignore[arg-type]
    return found


def follow(case: Case, plan: tuple[str, ...]) -> tuple[list[str], int, bool]:
    """The models asked, what they cost, and whether the last answer was right."""
    asked: list[str] = []
    for model in plan:
        asked.append(model)
        if not case.check or case.passes[model]:
            break
    return asked, sum(case.nano[m] for m in asked), case.right[asked[-1]]


def task_of(case: Case) -> Task:
    """What the router sees."""
    return Task(case.text, "bench", case.tools)


def learn(router: Router, cases: list[Case], rules: Rules) -> list[float]:
    """Meet the cases one by one; the regret of each, in right answers."""
    regrets, rates = [], error_rates(cases)
    for number, case in enumerate(cases):
        options = {o.model: o for o in options_of(router, case)}
        task = task_of(case)
        choice = router.choose(task, list(options.values()), rules, check=case.check, chance=f"learn/{number}")
        asked, _, _ = follow(case, choice.plan)
        for at, model in enumerate(asked):
            router.used(model, case.input_tokens, case.output_tokens[model])
            passed = case.passes[model] if case.check else None
            before = [options[m] for m in asked[:at]]
            if number % 10 < JUDGED * 10 and model == asked[-1]:
                right = case.right[model]
                router.judged(task, options[model], right, check=case.check, passed=passed, after=before)
            elif passed is not None:
                router.checked(task, options[model], passed, case.check, after=before)
        regrets.append(regret(case, choice.plan, rates.get(case.check)))
    return regrets


def value(success: float, nano: float, unit: float) -> float:
    """What a route is worth: a right answer counts WORTH calls of the dearest model."""
    return success - nano / unit / WORTH


Rates = tuple[float, float]
"""of a check: the shares of wrong answers that pass it, and of right ones that fail it"""


def error_rates(cases: list[Case]) -> dict[str, Rates]:
    """Each check's error rates, over what every model answered to every case."""
    seen: dict[str, list[int]] = {}
    for case in cases:
        if case.check:
            row = seen.setdefault(case.check, [0, 0, 0, 0])
            for model, right in case.right.items():
                row[2 * right] += 1
                row[2 * right + 1] += case.passes[model] is not right
    return {name: (row[1] / max(row[0], 1), row[3] / max(row[2], 1)) for name, row in seen.items()}


def worth(case: Case, plan: tuple[str, ...], rates: Rates | None) -> float:
    """The expected value of a plan, by the true probabilities; `rates` of the case's check, None = there is none."""
    reached, good, nano = 1.0, 0.0, 0.0
    for number, model in enumerate(plan):
        p = case.success[model]
        nano += reached * case.nano[model]
        if rates is None or number == len(plan) - 1:
            good += reached * p
            break
        wrong_pass, right_fail = rates
        good += reached * p * (1.0 - right_fail)
        reached *= p * right_fail + (1.0 - p) * (1.0 - wrong_pass)
    return value(good, nano, case.nano[POWERFUL])


def regret(case: Case, plan: tuple[str, ...], rates: Rates | None) -> float:
    """How much less a plan is worth than the best one of single models and, with a check, of rising cascades."""
    names = sorted(case.success, key=lambda m: case.nano[m])
    lengths = range(1, 1 + (choosing.MAX_PLAN if rates is not None else 1))
    best = max(worth(case, row, rates) for length in lengths for row in combinations(names, length))
    return max(0.0, best - worth(case, plan, rates))


def measure(cases: list[Case], route: Route) -> dict[str, float]:
    """Cost and success of a policy over the cases."""
    nano, right, worth = 0, 0, 0.0
    for number, case in enumerate(cases):
        _, cost, ok = follow(case, route(case, number))
        nano, right = nano + cost, right + ok
        worth += value(float(ok), cost, case.nano[POWERFUL])
    return {"usd": nano / 1e9, "success": right / len(cases), "value": worth / len(cases)}


def world(cases: list[Case], rules: Rules) -> dict[str, Any]:
    """One world: learn on the first half, judge on the second."""
    router = Router()
    first, held = cases[: len(cases) // 2], cases[len(cases) // 2 :]
    regrets = learn(router, first, rules)
    router = Router.load(router.save())  # what is judged went through its file
    frozen = Rules(rules.strategy, rules.simple, rules.complex, rules.max_loss, 0.0)

    def learnt(case: Case, number: int) -> tuple[str, ...]:
        return router.choose(task_of(case), options_of(router, case), frozen, check=case.check).plan

    def static_cost(case: Case, _: int) -> tuple[str, ...]:
        return (choosing.by_static_cost(options_of(Router(), case), difficulty(task_of(case)))[0].model,)

    def static_tier(case: Case, _: int) -> tuple[str, ...]:
        level = difficulty(task_of(case))
        return (choosing.by_tier(options_of(Router(), case), level, choosing.SIMPLE, choosing.COMPLEX)[0].model,)

    policies: dict[str, Route] = {
        "powerful": lambda *_: (POWERFUL,), "cheapest": lambda *_: (MODELS[0][0],), "static cost": static_cost,
        "static tiers": static_tier, "learnt": learnt,
    }  # fmt: skip
    rows = {name: measure(held, route) for name, route in policies.items()}
    plain = [case for case in held if not case.check]
    tenth = max(1, len(regrets) // 10)
    parts = [round(sum(regrets[i : i + tenth]) / tenth, 4) for i in range(0, tenth * 10, tenth)]
    powerful, mine = rows["powerful"], rows["learnt"]
    return {
        "saving": 1 - mine["usd"] / powerful["usd"], "loss": powerful["success"] - mine["success"], "rows": rows,
        "unchecked": {n: measure(plain, policies[n]) for n in ("powerful", "learnt")} if plain else {},
        "regret": parts,
    }  # fmt: skip


def problems(found: dict[str, Any]) -> list[str]:
    """What a world breaks."""
    rows = found["rows"]
    wrong = []
    if found["saving"] < 0.55:
        wrong.append(f"saving {found['saving']:.1%}")
    if found["loss"] > 0.01:
        wrong.append(f"success {found['loss']:.2%} lower")
    if rows["learnt"]["value"] <= max(rows["static cost"]["value"], rows["static tiers"]["value"]):
        wrong.append("no better than the static rule")
    if sum(found["regret"][-3:]) >= sum(found["regret"][:3]):
        wrong.append("regret does not fall")
    return wrong


def plot(found: dict[str, list[float]]) -> str:
    """Regret over the learning half, a line a world, as SVG."""
    high = max(max(row) for row in found.values()) * 1.05 or 1.0
    colours = ("#1b6ca8", "#c0392b", "#27ae60", "#8e44ad", "#d35400", "#16a085", "#7f8c8d", "#2c3e50")
    lines = []
    for number, (name, row) in enumerate(found.items()):
        points = " ".join(f"{60 + i * 60:.0f},{260 - max(0.0, v) / high * 220:.1f}" for i, v in enumerate(row))
        colour = colours[number % len(colours)]
        lines.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{points}"/>')
        lines.append(f'<text x="{640}" y="{50 + number * 16}" fill="{colour}">{name}</text>')
    ticks = "".join(f'<text x="8" y="{264 - v * 220:.0f}">{v * high:.3f}</text>' for v in (0.0, 0.5, 1.0))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="820" height="300" font-family="sans-serif" font-size="12">'
        '<rect width="820" height="300" fill="white"/><text x="60" y="24">Regret a task, in right answers, over the '
        f'learning half in ten parts</text>{ticks}<line x1="60" y1="260" x2="600" y2="260" stroke="black"/>'
        f"{''.join(lines)}</svg>\n"
    )


def main() -> int:
    """One line of JSON a world, then the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, action="append", help="worlds to draw; by default 0")
    parser.add_argument("--family", choices=FAMILIES, action="append", help="curves; by default all")
    parser.add_argument("--tasks", type=int, default=8000, help="tasks a world; half are held out")
    parser.add_argument("--noise", type=float, default=0.4, help="what of difficulty nobody can see")
    parser.add_argument("--file", help="a JSONL file of labelled tasks in place of the generator")
    parser.add_argument("--svg", default=str(Path(__file__).parent / "results/routing.svg"))
    args = parser.parse_args()
    worlds = {"file": read(args.file)} if args.file else {}
    bad, curves = [], {}
    names = [] if args.file else [(f, s) for f in args.family or FAMILIES for s in args.seed or (0,)]
    for name in [*worlds, *names]:
        cases = worlds["file"] if name == "file" else generate(name[1], name[0], args.tasks, args.noise)  # type: ignore[arg-type]
        found = world(cases, Rules())
        shown = name if isinstance(name, str) else f"{name[0]} seed {name[1]}"
        wrong = problems(found)
        bad += [f"{shown}: {each}" for each in wrong]
        curves[shown] = found["regret"]
        rows = {k: {n: round(v, 4) for n, v in row.items()} for k, row in found["rows"].items()}
        print(json.dumps({"world": shown, "saving": round(found["saving"], 4), "loss": round(found["loss"], 4),
                          "problems": wrong, "regret": found["regret"], "policies": rows,
                          "unchecked": found["unchecked"]}), flush=True)  # fmt: skip
    Path(args.svg).parent.mkdir(parents=True, exist_ok=True)
    Path(args.svg).write_text(plot(curves), encoding="utf-8")
    print(json.dumps({"result": "broken" if bad else "ok", "worlds": len(curves), "problems": bad, "plot": args.svg}))
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
