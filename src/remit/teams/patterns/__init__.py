"""The patterns: a file each; this folder is the registry. Outsiders' patterns come by the entry point `remit.patterns`.

A file names its class in `PATTERN` and, as `SPEC`, the fields that a workflow file gives it.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import Any

from remit.errors import Invalid

GROUP = "remit.patterns"


def names() -> tuple[str, ...]:
    """All patterns, built-in ones first; nothing is imported."""
    own = tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")))
    return own + tuple(sorted({point.name for point in _points()} - set(own)))


def load(name: str) -> Any:
    """The module (or the outsider's object) with PATTERN and SPEC; raises team_invalid."""
    if name in {m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_")}:
        return import_module(f"{__name__}.{name}")
    for point in _points():
        if point.name == name:
            return point.load()
    raise Invalid("team_invalid", f"kind: there is no pattern {name!r:.60}", hint=f"One of: {', '.join(names())}")


def _points() -> Any:
    from importlib.metadata import entry_points  # 10 ms, and most programs name no outsider's pattern

    return entry_points(group=GROUP)
