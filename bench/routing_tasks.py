"""Labelled tasks with simulated success curves: the generator behind `make bench-routing`.

A task is a text of one of ten kinds (fact, extract, translate, summary, sql, fix, proof, plan, compare, draft). Its
latent difficulty is

    d = level(kind) + sum of effects(markers in the text) + interaction(kind, marker) + noise

Levels, effects (half of the markers have none), interactions and skills are drawn anew a seed, so nothing about a word
is true for every seed. Length is drawn apart from difficulty: half of the tasks carry a long passage that changes
nothing. Noise (`noise`, in the units of d) is what no router can see.

A model answers well with probability curve(ability(model) + skill(model, kind) - d), by family:

    logistic   1 / (1 + exp(-1.7 x))
    probit     the normal distribution function of x
    step       0.97 above 0, 0.06 below, a short ramp between
    plateau    logistic between a floor of 0.15 and a ceiling that rises with ability: 0.90 to 0.98
    crossing   logistic with skills three times as large: a cheap model is the best one at some kinds
    heavy      logistic with Student-t noise (3 degrees of freedom) in d

Of each kind a share of tasks can be checked (a schema, tests): the check passes a wrong answer with probability
0.03 to 0.10 and fails a right one with 0.02 to 0.05, drawn a kind. Outcomes are sampled once a task and model, so every
policy meets the same luck.
"""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FAMILIES = ("logistic", "probit", "step", "plateau", "crossing", "heavy")
# (model, tier, capability, input $, output $ per Mtok, ability in the units of d, output tokens an input token)
MODELS = (
    ("openai:gpt-4o-mini", "fast", 0.4, 0.15, 0.60, 0.9, 0.8),
    ("anthropic:claude-haiku-4-5", "fast", 0.4, 0.80, 4.00, 1.4, 0.9),
    ("anthropic:claude-sonnet-4-6", "balanced", 0.8, 3.00, 15.00, 2.3, 1.1),
    ("anthropic:claude-opus-4-6", "powerful", 1.0, 15.00, 75.00, 3.1, 1.2),
)  # prices and capabilities: spec/models.md 6, example presets
POWERFUL = MODELS[-1][0]
KINDS: dict[str, tuple[str, ...]] = {
    "fact": ("who wrote {n}", "what year was {n} founded", "name the {a} of {n}"),
    "extract": ("pull every {a} out of the record below", "which {a} does this note mention", "fields of {n} as json"),
    "translate": ("turn the {a} note about {n} into spanish", "say this {a} line in german", "french for: {a} {n}"),
    "summary": ("sum up the {a} report on {n}", "three bullets about {n}", "what matters in this {a} text"),
    "sql": ("sql for the {a} rows of {n}", "query that joins {n} with {a} totals", "select {a} from {n} by month"),
    "fix": ("the {a} handler in {n} crashes, repair it", "make the {n} test pass", "bug: {n} returns the {a} twice"),
    "proof": ("show that every {a} number of form {n} is even", "is the {a} bound on {n} tight", "find all {a} {n}"),
    "plan": ("steps to move {n} to the {a} site", "a {a} rollout for {n}", "order of work for {n} with {a} staff"),
    "compare": ("which is safer for {n}: {a} or the other", "weigh the {a} offers of {n}", "{a} clauses against {n}"),
    "draft": ("a {a} letter to {n}", "reply to {n} in a {a} tone", "short {a} post about {n}"),
}  # fmt: skip
NOUNS = ["invoice", "ledger", "harbor", "archive", "orchard", "ticket", "parcel", "sensor", "lattice", "museum",
         "clinic", "festival", "rental", "roster", "atlas", "cache", "pipeline", "bakery", "tunnel"]  # fmt: skip
ADJECTIVES = ["annual", "minor", "regional", "odd", "recent", "plain", "formal", "late", "shared", "monthly"]
MARKERS = ("with overlapping intervals", "across three time zones", "under partial failure", "without recursion",
           "for a child", "in one line", "with edge cases", "as a haiku", "using only integers", "step by step",
           "from memory", "with citations", "given two contradicting sources", "in plain words", "at scale",
           "keeping the old behaviour", "for the board", "with nested groups", "that fits a tweet",
           "under load")  # fmt: skip
PASSAGE = ("The meeting began at nine and the minutes were kept as usual. ", "Nobody objected to the second item. ",
           "A copy went to the office on the first floor. ", "The weather held until the evening. ",
           "Further remarks are attached below for the record. ")  # fmt: skip


@dataclass(slots=True)
class Case:
    """One labelled task: what each model would do with it, and what a check would say."""

    text: str
    kind: str
    tools: int
    input_tokens: int
    check: str
    """name of what can judge the answer; "" = nothing can"""
    success: dict[str, float]
    right: dict[str, bool] = field(default_factory=dict)
    passes: dict[str, bool] = field(default_factory=dict)
    nano: dict[str, int] = field(default_factory=dict)
    output_tokens: dict[str, int] = field(default_factory=dict)


class World:
    """Everything that is drawn once a seed."""

    def __init__(self, seed: int, family: str, noise: float) -> None:
        self.rng = rng = random.Random(f"{seed}/{family}/{noise}")
        self.family = family
        self.noise = noise
        levels = [-2.6, -2.2, -1.8, -1.4, -1.0, -0.6, -0.2, 0.5, 1.2, 1.8]  # most work is simple work
        rng.shuffle(levels)
        self.level = {kind: levels[i] + rng.gauss(0, 0.2) for i, kind in enumerate(KINDS)}
        self.effect = {m: rng.choice((0.0, rng.gauss(0, 0.8))) for m in MARKERS}
        self.both = {(k, m): rng.gauss(0, 0.6) for k in KINDS for m in MARKERS if rng.random() < 0.2}
        spread = 0.9 if family == "crossing" else 0.3
        self.skill = {(m[0], k): rng.gauss(0, spread) for m in MODELS for k in KINDS}
        self.checkable = {k: rng.choice((0.0, 0.5, 0.9, 0.9)) for k in KINDS}
        self.check = {k: (rng.uniform(0.03, 0.10), rng.uniform(0.02, 0.05)) for k in KINDS}

    def case(self) -> Case:
        """The next task."""
        rng = self.rng
        kind = rng.choice(list(KINDS))
        marks = rng.sample(MARKERS, rng.choice((0, 1, 1, 2, 3)))
        text = rng.choice(KINDS[kind]).format(n=rng.choice(NOUNS), a=rng.choice(ADJECTIVES))
        text = " ".join([text, *marks])
        if rng.random() < 0.5:
            text += ".\n" + "".join(rng.choice(PASSAGE) for _ in range(rng.randint(2, 40)))
        noise = rng.gauss(0, self.noise)
        if self.family == "heavy":
            noise = self.noise * rng.gauss(0, 1) / math.sqrt(sum(rng.gauss(0, 1) ** 2 for _ in range(3)) / 3)
        d = self.level[kind] + sum(self.effect[m] + self.both.get((kind, m), 0.0) for m in marks) + noise
        check = f"{kind}-check" if rng.random() < self.checkable[kind] else ""
        case = Case(text, kind, rng.choice((0, 0, 2, 8)), len(text) // 4 + 200, check, {})
        wrong, right = self.check[kind]
        for name, _, _, price_in, price_out, ability, wordy in MODELS:
            p = self.curve(ability + self.skill[name, kind] - d, ability)
            case.success[name] = p
            case.right[name] = rng.random() < p
            case.passes[name] = rng.random() < (1 - right if case.right[name] else wrong)
            out = max(20, round(case.input_tokens * wordy * rng.lognormvariate(0, 0.4)))
            case.output_tokens[name] = out
            case.nano[name] = round(case.input_tokens * price_in * 1000 + out * price_out * 1000)
        return case

    def curve(self, x: float, ability: float) -> float:
        """Probability of a good answer."""
        if self.family == "probit":
            return 0.5 * math.erfc(-x / math.sqrt(2))
        if self.family == "step":
            return min(0.97, max(0.06, 0.5 + 2.0 * x))
        logistic = 1 / (1 + math.exp(-max(-30.0, min(30.0, 1.7 * x))))
        if self.family == "plateau":
            return 0.15 + (0.90 + 0.08 * (ability - 0.9) / 2.2 - 0.15) * logistic
        return logistic


def generate(seed: int, family: str, count: int, noise: float) -> list[Case]:
    """`count` tasks of one world."""
    world = World(seed, family, noise)
    return [world.case() for _ in range(count)]


def read(path: str) -> list[Case]:
    """Tasks from a JSONL file: the fields of `Case`, one object a line; models are those of MODELS."""
    cases = []
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        data: dict[str, Any] = json.loads(line)
        cases.append(Case(**data))
    return cases
