"""Code intelligence: what a code base is made of, what a change touches, and whether it is sound.

    patches/   diff, apply and merge, pure Python
    graph/     symbols, calls and impact of Python and Go, on tree-sitter (extra `code`)
    oracle/    what a test run says, whichever runner wrote it
    planner/   a task as ordered, checked steps
    review/    rules over syntax, names and data flow (extra `code`)

Usable without gate, journal or any model. Public names load on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from remit.code.patches.merging import Merge, merge
    from remit.code.patches.plan import Plan, apply, plan
    from remit.code.patches.unified import diff
    from remit.code.review.changes import review_changes
    from remit.code.review.engine import review_code
    from remit.code.review.prompts import deep_review_prompt

__all__ = ["Merge", "Plan", "apply", "deep_review_prompt", "diff", "merge", "plan", "review_changes", "review_code"]

_PLACES: Final = {
    "Merge": "remit.code.patches.merging",
    "merge": "remit.code.patches.merging",
    "Plan": "remit.code.patches.plan",
    "apply": "remit.code.patches.plan",
    "plan": "remit.code.patches.plan",
    "diff": "remit.code.patches.unified",
    "review_changes": "remit.code.review.changes",
    "review_code": "remit.code.review.engine",
    "deep_review_prompt": "remit.code.review.prompts",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module remit.code has no attribute {name!r}")
    value = getattr(import_module(_PLACES[name]), name)
    globals()[name] = value
    return value
