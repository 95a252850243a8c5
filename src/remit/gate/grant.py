"""Block 2, grant: a held grant covers each need, and no denial does; bounds have room, and policies agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remit.core.effects import Ask, Deny, Need, must
from remit.core.remit import Remit
from remit.gate.budget import BYTES_PER_TOKEN, DEFAULT_MAX_OUTPUT
from remit.guard.policy_admission import facts_of, refusal

if TYPE_CHECKING:
    from remit.gate.resolve import Action
    from remit.gate.scope import Scope
    from remit.guard.ledger import Pricing


def check(remit: Remit, needs: tuple[Need, ...], now_ms: int) -> Deny | None:
    """The first need that is not covered, as a denial: the whole answer where nothing is counted or ruled beside it."""
    for need in needs:
        ruling = remit.ruling(need, now_ms)
        if not ruling.allowed:
            return refusal(need, ruling)
    return None


def check_denials(remit: Remit, need: Need, now_ms: int) -> Deny | None:
    """Only whether a denial reaches the need (a model's own address is granted by naming the model)."""
    ruling = remit.ruling(need, now_ms)
    return refusal(need, ruling) if ruling.denied else None


def admit(action: Action, scope: Scope, now_ms: int, pricing: Pricing) -> Ask | None:
    """The answer with counters, revocations and policies, drawn on at once; raises Refusal."""
    nano: int | None = 0
    if action.request is not None:
        maximum = action.request.settings.max_tokens or DEFAULT_MAX_OUTPUT
        nano = pricing.worst(action.name, action.size // BYTES_PER_TOKEN, maximum, now_ms)
    authority, facts = scope.authority, facts_of(action, scope.agent)
    found = authority.admit(scope.remit, facts, now_ms, size_bytes=action.size, nano=nano)
    must(found.deny)
    action.facts, action.admitted = facts, found
    action.draw = authority.take(found, facts, now_ms, size_bytes=action.size, nano=nano or 0)
    return found.ask
