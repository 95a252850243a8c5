"""Random elections counted by remit and by an independent brute force: tests/simulation/votes.py --ballots 10000.

The brute force shares no code and no idea of an algorithm with remit: Schulze asks for the strength of every path,
enumerated one by one; instant run-off and Borda are counted from sorted lists in exact fractions.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
from fractions import Fraction
from typing import Any

sys.path[:0] = ["src"]

import remit  # noqa: E402  # a script finds the checkout's own package first

Order = list[list[str]]
NAMES = "abcdef"


def an_order(dice: random.Random, standing: str) -> Order:
    """A random ballot: some candidates left out, some tied."""
    named = dice.sample(standing, dice.randint(1, len(standing)))
    order: Order = []
    for name in named:
        if order and dice.random() < 0.15:
            order[-1].append(name)
        else:
            order.append([name])
    return order


def place(order: Order, name: str) -> int:
    """0 = first; who is left out stands after all."""
    return next((i for i, group in enumerate(order) if name in group), len(order))


def by_paths(votes: list[Order], standing: str) -> set[str]:
    """Schulze's winners: every simple path between two candidates is walked."""
    wins = {
        (a, b): sum(place(v, a) < place(v, b) for v in votes) for a, b in itertools.permutations(standing, 2)
    }  # fmt: skip

    def strongest(a: str, b: str) -> int:
        best = 0
        others = [c for c in standing if c not in (a, b)]
        for size in range(len(others) + 1):
            for middle in itertools.permutations(others, size):
                path = [a, *middle, b]
                links = [wins[x, y] if wins[x, y] > wins[y, x] else 0 for x, y in itertools.pairwise(path)]
                best = max(best, min(links))
        return best

    return {a for a in standing if all(strongest(a, b) >= strongest(b, a) for b in standing if b != a)}


def points(votes: list[Order], standing: str) -> dict[str, Fraction]:
    """Borda: how many stand below, half of those that stand beside."""
    found = dict.fromkeys(standing, Fraction(0))
    for vote, name in itertools.product(votes, standing):
        mine = place(vote, name)
        for other in standing:
            if other != name:
                theirs = place(vote, other)
                found[name] += 1 if mine < theirs else Fraction(1, 2) if mine == theirs else 0
    return found


def run_off(votes: list[Order], standing: str) -> list[str]:
    """Instant run-off, best first; ties of the last place: rounds before, then Borda, then the later name goes."""
    borda, left, gone, history = points(votes, standing), set(standing), [], []
    while left:
        firsts = dict.fromkeys(left, Fraction(0))
        for vote in votes:
            top = next((t for group in vote if (t := [c for c in group if c in left])), [])
            for name in top:
                firsts[name] += Fraction(1, len(top))
        history.insert(0, firsts)
        worst = min(sorted(left, reverse=True), key=lambda c: ([counts[c] for counts in history], borda[c]))
        left.remove(worst)
        gone.insert(0, worst)
    return gone


def check(seed: int) -> list[str]:
    """One random election; what is wrong with it."""
    dice = random.Random(seed)
    standing = NAMES[: dice.randint(2, len(NAMES) - (seed % 10 != 0))]
    votes = [an_order(dice, standing) for _ in range(dice.randint(1, 12))]
    given: list[Any] = [[g[0] if len(g) == 1 else g for g in vote] for vote in votes]
    wrong = []
    schulze = remit.vote(given, "schulze", list(standing))
    if set(schulze.groups[0]) != by_paths(votes, standing):
        wrong.append(f"seed {seed}: schulze {schulze.groups}")
    irv = remit.vote(given, "irv", list(standing))
    if list(irv) != run_off(votes, standing):
        wrong.append(f"seed {seed}: irv {irv} {run_off(votes, standing)}")
    borda, mine = remit.vote(given, "borda", list(standing)), points(votes, standing)
    if {c: Fraction(s) for c, s in borda.scores.items()} != mine or list(borda) != sorted(
        standing, key=lambda c: (-mine[c], c)
    ):
        wrong.append(f"seed {seed}: borda {borda.scores} {mine}")
    return wrong


def main() -> int:
    """Print how many elections agree."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--ballots", type=int, default=10_000, help="elections")
    count = parser.parse_args().ballots
    wrong = [problem for seed in range(count) for problem in check(seed)]
    print(f"{count} random elections, 3 methods: {len(wrong)} disagreements with the brute force")
    print(*wrong[:10], sep="\n")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
