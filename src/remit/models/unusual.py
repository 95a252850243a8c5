"""What a good reply says that a person should know of: a reason to stop that nobody knows, counts that are estimates.

Each is said once a process, model and matter, as a note in the journal beside the call; nothing depends on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from remit.core.effects import Done
from remit.core.events import ModelNote
from remit.core.model import Reply

if TYPE_CHECKING:
    from remit.gate.scope import Scope

MAX_SAID: Final = 1000
_NAMES: Final = frozenset(("finish_reason", "stop_reason", "finishReason", "stopReason", "status", "reason"))
_said: set[tuple[str, str]] = set()


def tell(key: str, name: str, outcome: Done, scope: Scope) -> None:
    """Note what is unusual in a reply, unless it was noted before or comes from the journal."""
    reply = outcome.value
    if outcome.replayed or not isinstance(reply, Reply):
        return
    found = []
    if reply.stop_reason == "other":
        found.append(f"it stopped for a reason that is not known: {_reason(reply.raw)[:80]!a}")
    if reply.usage.estimated:
        found.append("its server gave no counts; they are estimated at four characters a token")
    for reason in found:
        if (name, reason) not in _said:
            if len(_said) >= MAX_SAID:
                _said.clear()
            _said.add((name, reason))
            scope.emit(ModelNote(key, "unusual", name, reason))


def _reason(raw: Any, depth: int = 0) -> str:
    """The last text under a name that reasons to stop have; "" where there is none."""
    if depth > 6:
        return ""
    inner = raw if isinstance(raw, list) else list(raw.values()) if isinstance(raw, dict) else []
    own = [v for k, v in raw.items() if k in _NAMES and isinstance(v, str) and v] if isinstance(raw, dict) else []
    return own[-1] if own else next((s for each in reversed(inner[-200:]) if (s := _reason(each, depth + 1))), "")
