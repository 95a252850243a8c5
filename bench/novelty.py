"""How well novelty tells new answers from repeated ones: `python bench/novelty.py`. Prints the AUC without embeddings.

A line of novelty_pairs.txt is a claim, the same claim in other words, and another claim of the same topic: two pairs.
AUC = how often a pair of the same claim is less new than a pair of different claims. Target: .90 (.95 with embeddings,
which are not measured here: no embedder comes with remit).
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "src"))

import remit  # noqa: E402  # the checkout's own package first

TARGET = 0.90


def pairs() -> tuple[list[float], list[float]]:
    """(novelty of pairs of the same claim, novelty of pairs of different claims)."""
    rows = [line.split("|") for line in (HERE / "novelty_pairs.txt").read_text().splitlines()]
    return [remit.novelty(a, b) for a, b, _ in rows], [remit.novelty(a, c) for a, _, c in rows]


def auc(same: list[float], different: list[float]) -> float:
    """0.5 = chance, 1 = perfect."""
    won = sum((s < d) + (s == d) / 2 for s, d in itertools.product(same, different))
    return won / len(same) / len(different)


def main() -> int:
    """Print the figure and the pairs that are furthest on the wrong side."""
    same, different = pairs()
    found = auc(same, different)
    print(f"{len(same) + len(different)} pairs, AUC {found:.3f} without embeddings (target {TARGET})")
    return found < TARGET


if __name__ == "__main__":
    sys.exit(main())
