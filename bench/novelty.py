"""How well novelty tells new answers from repeated ones: `python bench/novelty.py`. Prints AUCs.

A line of novelty_pairs.txt is a claim, the same claim in other words, and another claim of the same topic: two pairs.
A line of the other sets is `domain|label|earlier|new`, where `=` says nothing new and `+` does. The weights were
fitted on novelty.FITTED (bench/novelty_fit.py); the sets of novelty.KEPT were written before any figure of them was
known, and are looked at for their figure alone: novelty_pairs_mixed.txt twice (what the first look led to was found on
the fitted sets), novelty_pairs_second.txt after the last change.

AUC = how often a pair that says the same is less new than one that does not. Targets: .90, .95 with embeddings (of the
wheels that bench/embedders.py finds).
"""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "src"), str(HERE)]

import remit  # noqa: E402  # the checkout's own package first
from embedders import Embedder, installed  # noqa: E402

TARGET, TARGET_EMBEDDED = 0.90, 0.95
FITTED = (
    "novelty_pairs.txt", "novelty_pairs_fresh.txt", "novelty_pairs_final.txt", "novelty_pairs_kept.txt",
    "novelty_pairs_unseen.txt", "novelty_pairs_styles.txt",
)  # fmt: skip
KEPT = ("novelty_pairs_mixed.txt", "novelty_pairs_second.txt")
Pair = tuple[bool, str, str]
"""whether both say the same, earlier, new"""


def pairs_of(name: str) -> list[Pair]:
    """The pairs of a set."""
    rows = [line.split("|") for line in (HERE / name).read_text().splitlines()]
    if name == "novelty_pairs.txt":
        return [(True, a, b) for a, b, _ in rows] + [(False, a, c) for a, _, c in rows]
    return [(label == "=", earlier, new) for _, label, earlier, new in rows]


def auc(same: Sequence[float], different: Sequence[float]) -> float:
    """0.5 = chance, 1 = perfect."""
    won = sum((s < d) + (s == d) / 2 for s, d in itertools.product(same, different))
    return won / len(same) / len(different)


def figure(pairs: list[Pair], novelty: Callable[[str, str], float]) -> float:
    """The AUC of a set."""
    return auc([novelty(a, b) for same, a, b in pairs if same], [novelty(a, b) for same, a, b in pairs if not same])


def main() -> int:
    """Print the figures; 1 when the sets that are kept apart are below a target."""
    sets = {"fitted on": FITTED, **{f"kept apart, {name}": (name,) for name in KEPT}, "kept apart, all": KEPT}
    reached: dict[str, float] = {}
    embedders: dict[str, Embedder | None] = {"without embeddings": None, **installed()}
    for name, embed in embedders.items():
        target = TARGET if embed is None else TARGET_EMBEDDED
        for title, files in sets.items():
            pairs = [pair for file in files for pair in pairs_of(file)]
            started = time.process_time()
            reached[name] = figure(pairs, lambda a, b, embed=embed: remit.novelty(a, b, embed=embed))
            cost_ms = (time.process_time() - started) / len(pairs) * 1e3
            value = f"AUC {reached[name]:.3f} {name} (target {target})"
            print(f"{title}: {len(pairs)} pairs, {value}, {cost_ms:.2f} ms CPU a pair")
    without = reached.pop("without embeddings")
    if not reached:
        print("with embeddings: not measured, none of the wheels of bench/embedders.py is installed")
        return without < TARGET
    best = max(reached, key=lambda name: reached[name])
    print(f"best embedder on what was kept apart: {best}, AUC {reached[best]:.3f}")
    return without < TARGET or reached[best] < TARGET_EMBEDDED


if __name__ == "__main__":
    sys.exit(main())
