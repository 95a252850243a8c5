"""Block 2, grant: a held grant covers each need, and no denial does."""

from __future__ import annotations

from remit.core.effects import Deny, Need
from remit.core.remit import Remit

_HINTS = {
    "fs.read": "--allow 'fs.read:{0}'",
    "fs.write": "--allow 'fs.write:{0}'",
    "shell": "--allow 'shell:{0}'",
    "net": "--allow 'net:{0}'",
}


def check(remit: Remit, needs: tuple[Need, ...], now_ms: int) -> Deny | None:
    """The first need that is not covered, as a denial."""
    for need in needs:
        ruling = remit.ruling(need, now_ms)
        if ruling.allowed:
            continue
        if ruling.rule == "expired":
            return Deny("remit_expired", "grant", "the remit has expired")
        if ruling.denied:
            return Deny("denied_by_rule", "grant", f"{need} is refused by the rule: {ruling.rule}")
        return Deny("not_granted", "grant", f"no grant covers {need}", hint_for(need))
    return None


def check_denials(remit: Remit, need: Need, now_ms: int) -> Deny | None:
    """Only whether a denial reaches the need (a model's own address is granted by naming the model)."""
    ruling = remit.ruling(need, now_ms)
    if ruling.denied:
        return Deny("denied_by_rule", "grant", f"{need} is refused by the rule: {ruling.rule}")
    return None


def hint_for(need: Need) -> str:
    """How a person would grant exactly this need."""
    return "Grant it with " + _HINTS.get(need.verb, "--allow '" + need.verb + ":{0}'").format(need.resource)
