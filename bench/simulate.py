"""Simulations of several processes with faults everywhere, one a seed; what must always hold is looked at in each.

    python bench/simulate.py [--seeds N] [--first SEED] [--twice EVERY]

Every EVERY-th seed (default 10) is run a second time and must give the same bytes. Prints each violation with its seed,
`python bench/simulate.py --first SEED --seeds 1` shows it again; ends with 1 when there was one.
"""

from __future__ import annotations

import argparse
import time
import warnings

from remit.testing.simulate import simulate


def main() -> int:
    """Simulate and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--twice", type=int, default=10)
    given = parser.parse_args()
    warnings.simplefilter("error")
    begun = time.process_time()
    violations = other = again = 0
    found = []
    for seed in range(given.first, given.first + given.seeds):
        one = simulate(seed)
        found.append(one)
        violations += bool(one.problems)
        for problem in one.problems:
            print(problem)
        if seed % given.twice == 0:
            again += 1
            if simulate(seed) != one:
                other += 1
                print(f"seed {seed}: other bytes the second time")
    deaths, doubts = sum(each.deaths for each in found), sum(each.doubts for each in found)
    days = sum(each.span_s for each in found) / 86_400
    print(
        f"{len(found)} seeds, {deaths} deaths, {doubts} doubts settled, {sum(each.steps for each in found)} steps, "
        f"{days:.0f} virtual days, {time.process_time() - begun:.0f} s of CPU"
    )
    print(f"{violations} violations; {again} seeds run twice, {other} with other bytes")
    return 1 if violations or other else 0


if __name__ == "__main__":
    raise SystemExit(main())
