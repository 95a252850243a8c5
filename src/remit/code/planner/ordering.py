"""The order of steps: Kahn's algorithm, in waves whose write sets are disjoint.

Source: A. Kahn, "Topological sorting of large networks" (1962); spec/code.md 4.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from remit.code.planner.values import MAX_STEPS, Step
from remit.errors import Invalid


def waves(
    steps: Sequence[Step], *, max_steps: int = MAX_STEPS, touches: Callable[[str], frozenset[str]] | None = None
) -> tuple[tuple[int, ...], ...]:
    """Orders of the steps, wave by wave; raises value_invalid for unknown, own and circular dependencies.

    Args:
        touches: file -> files that a change of it reaches (the code graph's dependents); two steps that reach
            the same file are not in one wave. By default a step reaches what it writes.
    """
    if len(steps) > max_steps:
        raise Invalid("value_invalid", f"the plan has {len(steps)} steps; at most {max_steps} are allowed")
    by_order = {step.order: step for step in steps}
    if len(by_order) != len(steps):
        raise Invalid("value_invalid", "two steps have the same number")
    for step in steps:
        if step.order in step.depends_on:
            raise Invalid("value_invalid", f"step {step.order} depends on itself")
        for needed in step.depends_on:
            if needed not in by_order:
                raise Invalid("value_invalid", f"step {step.order} depends on step {needed}, which does not exist")
    out: list[tuple[int, ...]] = []
    done: set[int] = set()
    while len(done) < len(by_order):
        ready = [
            step for order, step in sorted(by_order.items()) if order not in done and done.issuperset(step.depends_on)
        ]
        if not ready:
            left = ", ".join(str(order) for order in sorted(by_order.keys() - done))
            raise Invalid("value_invalid", f"the steps {left} wait for each other")
        wave = _disjoint(ready, touches)
        out.append(wave)
        done.update(wave)
    return tuple(out)


def _disjoint(ready: list[Step], touches: Callable[[str], frozenset[str]] | None) -> tuple[int, ...]:
    """As many of the ready steps as touch no file twice, lowest number first."""
    taken: set[str] = set()
    wave = []
    for step in ready:
        reached = set(step.writes)
        if touches is not None:
            reached.update(*(touches(file) for file in step.writes))
        if not reached & taken:
            wave.append(step.order)
            taken |= reached
    return tuple(wave)
