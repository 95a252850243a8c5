"""Review rules on labelled twins: true and false positive rate a category, and their difference as the score.

    python bench/review.py [--show] [--language python] [--set NAME] [--category sql] [--speed DIR]

A case counts as found when a finding has its CWE number. The score is the mean over categories of (true positive rate
minus false positive rate) x 100. `--speed DIR` reviews a folder and prints size, CPU seconds and memory.
"""

from __future__ import annotations

import argparse
import importlib
import resource
import time
from collections import defaultdict
from collections.abc import Iterator

from remit.code.graph.tree import sources
from remit.code.review.engine import review
from review_cases import Case

SETS = {"first": "review_cases", "shapes": "review_shapes", "languages": "review_languages", "idioms": "review_idioms",
        "unseen": "review_unseen"}  # fmt: skip
"""The sets of cases, in the order in which they were written; each was written before any of it was measured."""
ALIKE = {328: {328, 327, 916}, 94: {94, 95}, 330: {330, 338}}


def cases(name: str = "") -> Iterator[Case]:
    """The cases of one set, or of all."""
    for one, module in SETS.items():
        if name in ("", one):
            yield from importlib.import_module(module).cases()


def found(case: Case) -> bool:
    """Whether a finding of the case's family is there."""
    report = review(case.files, max_findings=1000)
    wanted = ALIKE.get(case.cwe, {case.cwe})
    return any(one.cwe in wanted for one in report.findings)


def measure(chosen: list[Case], show: bool = False) -> dict[tuple[str, str], list[int]]:
    """{(language, category): [true positives, positives, false positives, negatives]}."""
    table: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for case in chosen:
        row = table[(case.language, case.category)]
        hit = found(case)
        row[0 if case.vulnerable else 2] += hit
        row[1 if case.vulnerable else 3] += 1
        if show and hit != case.vulnerable:
            print("wrong:", case.name)
    return table


def score(rows: list[list[int]]) -> tuple[float, float, float]:
    """(score, mean true positive rate, mean false positive rate), each in percent."""
    tpr = [row[0] / row[1] for row in rows]
    fpr = [row[2] / row[3] for row in rows]
    mean = sum(tpr) / len(tpr), sum(fpr) / len(fpr)
    return 100 * (mean[0] - mean[1]), 100 * mean[0], 100 * mean[1]


def speed(folder: str) -> None:
    """Size, time and memory of one review."""
    texts = {path: text for path, language, text in sources(folder, []) if language != "stub"}
    size = sum(map(len, texts.values()))
    start = time.process_time()
    report = review(texts, max_findings=0)
    used = time.process_time() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{len(texts)} files, {size / 1e6:.2f} MB, {used:.1f} s CPU, {memory} MB, {report.total} findings")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--language", default="")
    parser.add_argument("--category", default="")
    parser.add_argument("--set", default="", choices=["", *SETS])
    parser.add_argument("--speed", default="")
    args = parser.parse_args()
    if args.speed:
        speed(args.speed)
        return
    chosen = [case for case in cases(args.set) if args.language in ("", case.language)]
    table = measure([case for case in chosen if args.category in ("", case.category)], args.show)
    for (language, category), row in sorted(table.items()):
        print(f"{language:11} {category:12} found {row[0]:3}/{row[1]:3}  false {row[2]:3}/{row[3]:3}")
    for language in sorted({one for one, _ in table}):
        total, tpr, fpr = score([row for (one, _), row in table.items() if one == language])
        print(f"{language}: score {total:.1f} (true positives {tpr:.1f} %, false positives {fpr:.1f} %)")


if __name__ == "__main__":
    main()
