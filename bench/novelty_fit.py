"""Fit the weights of teams/coordination/evidence.py: `python bench/novelty_fit.py [--embed]`; prints them.

Learns from the sets of novelty.FITTED, from these texts with small changes that say nothing new, and from texts of
different subjects; never from the set that is kept apart. With `--embed` one set of weights is learned from all
embedders that bench/embedders.py finds, each pair once for each, so that it holds for others too. Prints the AUC of
ten-fold cross-validation, in which all pairs of a text are in the same fold. The sum is then stretched and shifted
(which changes no AUC) so that it is a likelihood for the easy pairs, which everybody agrees on. Needs numpy.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "src"), str(HERE)]

from novelty import FITTED, auc, pairs_of  # noqa: E402  # the checkout's own package first
from remit.teams.coordination.evidence import OWN, SIGNS, signs, with_own  # noqa: E402
from remit.teams.coordination.meanings import Embed, meaning  # noqa: E402
from remit.teams.coordination.similarity import TOLERANCE, Text, base_of  # noqa: E402

PENALTY = 20.0
EASY = 0.05  # weight of a pair that was made by a change, beside one that somebody wrote; easy ones teach little
ROUNDS = 600
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


def fit(x: Any, y: Any, names: tuple[str, ...], share: Any) -> tuple[Any, float]:
    """Logistic regression with a ridge, by accelerated gradient descent; (weights, bias) for values as they are.

    Args:
        share: weight of each row.
    """
    mean = np.average(x, axis=0, weights=share)
    spread = np.sqrt(np.average((x - mean) ** 2, axis=0, weights=share)) + 1e-9
    z, count = (x - mean) / spread, share.sum()
    sense = np.array([1.0 if name in FOR else -1.0 for name in names])
    step = 1 / (0.25 * np.linalg.eigvalsh((z.T * share) @ z / count).max() + PENALTY / count)
    weights = ahead = np.zeros(x.shape[1])
    bias = bias_ahead = 0.0
    for turn in range(ROUNDS):
        error = share * (1 / (1 + np.exp(-(z @ ahead + bias_ahead))) - y)
        new = ahead - step * (z.T @ error + PENALTY * ahead) / count
        new = sense * np.maximum(sense * new, 0.0)
        new_bias = bias_ahead - 4 * error.sum() / count
        push = turn / (turn + 3)
        ahead, bias_ahead = new + push * (new - weights), new_bias + push * (new_bias - bias)
        weights, bias = new, new_bias
    return weights / spread, bias - float((weights / spread) @ mean)


def values(earlier: str, new: str, embed: Embed | None, *, whole: bool) -> tuple[float, ...]:
    """The signs of a pair as `weighed` takes them."""
    found = None if embed is None else meaning(earlier, new, embed, whole=whole)
    a, b = Text(earlier), Text(new)
    row = signs(a, b, base_of(a, b, None, None if found is None else found.whole, TOLERANCE), TOLERANCE)
    return with_own(row, found)


def learn(rows: list[Row], embeds: dict[str, Embed | None], *, whole: bool) -> None:
    """Print figures and weights of one kind."""
    names = SIGNS if whole or None in embeds.values() else (*SIGNS, *OWN)
    tables = {
        name: np.array([values(a, b, embed, whole=whole) for _, _, a, b in rows]) for name, embed in embeds.items()
    }
    y = np.array([float(same) for _, same, _, _ in rows])
    written = sum(len(pairs_of(title)) for title in FITTED)
    share = np.where(np.arange(len(rows)) < written, 1.0, EASY)
    groups = {group: n for n, group in enumerate(dict.fromkeys(row[0] for row in rows))}
    fold = np.array([groups[row[0]] % 10 for row in rows])
    scores = {name: np.zeros(len(rows)) for name in tables}
    for part in range(10):
        rest = fold != part
        x = np.vstack([table[rest] for table in tables.values()])
        weights, bias = fit(x, np.tile(y[rest], len(tables)), names, np.tile(share[rest], len(tables)))
        for name, table in tables.items():
            scores[name][~rest] = table[~rest] @ weights + bias
    start = 0
    for title in FITTED:
        end = start + len(pairs_of(title))
        label = y[start:end]
        for name, found in scores.items():
            some = found[start:end]
            value = auc([-s for s in some[label == 1]], [-s for s in some[label == 0]])
            print(f"{title}: cross-validated AUC {value:.3f} {name}")
        start = end
    x, label = np.vstack(list(tables.values())), np.tile(y, len(tables))
    weights, bias = fit(x, label, names, np.tile(share, len(tables)))
    easy = np.tile(np.arange(len(rows)) >= written, len(tables))
    slope, shift = fit((x[easy] @ weights + bias)[:, None], label[easy], ("base",), np.ones(easy.sum()))
    weights, bias = slope[0] * weights, slope[0] * bias + shift
    print(", ".join(f"{name} {weight:.2f}" for name, weight in zip(names, weights, strict=True)))
    print(f"    {bias:.2f}, ({', '.join(f'{weight:.2f}' for weight in weights)}),")


def main() -> int:
    """Print figures and weights."""
    own = [(earlier, same, earlier, new) for title in FITTED for same, earlier, new in pairs_of(title)]
    rows = [*own, *changed(sorted({row[2] for row in own}))]
    if "--embed" not in sys.argv:
        learn(rows, {"without embeddings": None}, whole=True)
        return 0
    from embedders import installed

    embeds: dict[str, Embed | None] = dict(installed())
    for whole in (True, False):
        print("whole texts" if whole else "whole texts and what only one says")
        learn(rows, embeds, whole=whole)
    return 0


if __name__ == "__main__":
    sys.exit(main())
