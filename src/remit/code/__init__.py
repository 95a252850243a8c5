"""Code intelligence: what a code base is made of, what a change touches, and whether it is sound.

    patches/   diff, apply and merge, pure Python
    graph/     symbols, calls and impact of Python and Go, on tree-sitter (extra `code`)
    oracle/    what a test run says, whichever runner wrote it
    planner/   a task as ordered, checked steps

Usable without gate, journal or any model. Public names load on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from remit.code.patches.merging import Merge, merge
    from remit.code.patches.plan import Plan, apply, plan
    from remit.code.patches.unified import diff

__all__ = ["Merge", "Plan", "apply", "diff", "merge", "plan"]

_PLACES: Final = {
    "Merge": "remit.code.patches.merging",
    "merge": "remit.code.patches.merging",
    "Plan": "remit.code.patches.plan",
    "apply": "remit.code.patches.plan",
    "plan": "remit.code.patches.plan",
    "diff": "remit.code.patches.unified",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module remit.code has no attribute {name!r}")
    value = getattr(import_module(_PLACES[name]), name)
    globals()[name] = value
    return value
