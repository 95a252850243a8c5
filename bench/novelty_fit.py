"""Fit the weights of teams/coordination/evidence.py: `python bench/novelty_fit.py [--embed]`; prints them.

Learns from novelty_pairs.txt and novelty_pairs_fresh.txt, from these texts with small changes that say nothing new, and
from texts of different subjects; never from novelty_pairs_final.txt. Prints the AUC of ten-fold cross-validation, in
which both pairs of a text are in the same fold. Needs numpy.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "src"), str(HERE)]

from novelty import auc, labelled, own_pairs  # noqa: E402  # the checkout's own package first
from remit.teams.coordination.evidence import SIGNS, signs  # noqa: E402
from remit.teams.coordination.similarity import TOLERANCE, Text, base_of, cosine  # noqa: E402

PENALTY = 5.0
SMALL = ("also", "indeed", "really", "then")
FOR = ("base", "agrees", "order")
"""signs that can only speak for the same; all others can only speak against it"""
Row = tuple[str, bool, str, str]
"""group, whether both say the same, earlier, new"""


def changed(texts: list[str]) -> list[Row]:
    """Texts beside themselves with changes that say nothing new, and beside other texts."""
    dice = random.Random(1)
    rows: list[Row] = []
    for text in texts:
        words = text.split()
        words.insert(dice.randrange(1, len(words)), dice.choice(SMALL))
        forms = (text.rstrip(".").lower(), " ".join(words), f"In short: {text}", f"So {text[0].lower()}{text[1:]}")
        rows.append((text, True, text, dice.choice(forms)))
        other = dice.choice(texts)
        if other != text:
            rows.append((text, False, text, other))
    return rows


def fit(x: Any, y: Any) -> tuple[Any, float]:
    """Logistic regression with a ridge, by gradient descent; (weights, bias) for values as they are."""
    mean, spread = x.mean(0), x.std(0) + 1e-9
    z, weights, bias = (x - mean) / spread, np.zeros(x.shape[1]), 0.0
    sense = np.array([1.0 if name in FOR else -1.0 for name in SIGNS])
    for _ in range(4_000):
        error = 1 / (1 + np.exp(-(z @ weights + bias))) - y
        weights -= 0.3 * (z.T @ error + PENALTY * weights) / len(y)
        weights = sense * np.maximum(sense * weights, 0.0)
        bias -= 0.3 * error.mean()
    return weights / spread, bias - float((weights / spread) @ mean)


def main() -> int:
    """Print figures and weights."""
    embed = None
    if "--embed" in sys.argv:
        from minilm import installed

        embed = installed()
    own = [(earlier, same, earlier, new) for same, earlier, new in own_pairs()]
    fresh = [(earlier, same, earlier, new) for same, earlier, new in labelled("novelty_pairs_fresh.txt")]
    rows = [*own, *fresh, *changed(sorted({row[2] for row in own + fresh}))]

    def values(earlier: str, new: str) -> tuple[float, ...]:
        meaning = None if embed is None else max(0.0, cosine(*embed((earlier, new))))
        a, b = Text(earlier), Text(new)
        return signs(a, b, base_of(a, b, None, meaning, TOLERANCE), TOLERANCE)

    x, y = np.array([values(a, b) for _, _, a, b in rows]), np.array([float(same) for _, same, _, _ in rows])
    groups = {group: n for n, group in enumerate(dict.fromkeys(row[0] for row in rows))}
    fold = np.array([groups[row[0]] % 10 for row in rows])
    scores = np.zeros(len(rows))
    for part in range(10):
        weights, bias = fit(x[fold != part], y[fold != part])
        scores[fold == part] = x[fold == part] @ weights + bias
    for name, start, end in (("own", 0, len(own)), ("fresh", len(own), len(own) + len(fresh))):
        some, label = scores[start:end], y[start:end]
        print(f"{name}: cross-validated AUC {auc([-s for s in some[label == 1]], [-s for s in some[label == 0]]):.3f}")
    weights, bias = fit(x, y)
    print(f"bias {bias:.2f}")
    print(", ".join(f'"{name}": {weight:.2f}' for name, weight in zip(SIGNS, weights, strict=True)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
