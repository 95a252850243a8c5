"""Breakpoints: where a run that is looked at closely parks before an effect.

Only a resumed run has them (`runtime.resume(run_id, control=Breakpoints(...))`, `remit run --resume RUN --step`): what
the journal holds is passed, and the run parks before the first effect that is new and matches.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from remit.errors import Invalid


class Breakpoints:
    """Stops before effects.

    Args:
        at: patterns of structural keys (`turn/3/*`, `wf/deploy`) or names of tools and models.
        steps: how many new effects may happen first, whatever they are; None = any number.
    """

    def __init__(self, *at: str, steps: int | None = None) -> None:
        if steps is not None and steps < 0:
            raise Invalid("value_invalid", f"steps={steps}; a number from 0 on")
        self._at = at
        self._left = steps
        self.stopped: list[str] = []
        """keys that the run was stopped at"""

    def stops(self, key: str, name: str) -> bool:
        """Whether the run parks before this effect."""
        hit = any(fnmatchcase(key, pattern) or fnmatchcase(name, pattern) for pattern in self._at)
        if not hit and self._left is not None:
            hit = self._left == 0
            self._left = max(0, self._left - 1)
        if hit:
            self.stopped.append(key)
        return hit
