"""The policies of a runtime, together: mode and level, site files, caps. The gate asks `Rulebook.decide` in block 2.

Idea: each part answers alone and the strictest answer counts (core/decisions.py). The caps are the only state: what
acted in the last hour, and what model calls cost in the last day, over all runs of the runtime.

Invariant: a rulebook can refuse, ask or capture what a remit covers; what no grant covers it lets through only where
the user's own mode says so, and never past a layer of the ceiling.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from msgspec import structs

from remit.config import Settings
from remit.core.decisions import Decision, Facts, strictest
from remit.core.effects import Need
from remit.core.remit import TOP, Remit
from remit.core.sections import PolicySection
from remit.core.usage import NANO
from remit.guard.modes import UNRESTRICTED, Policy, capped, decide, delegated, policy_of
from remit.guard.policy_cedar import CedarPolicy, load_cedar_policy
from remit.guard.policy_site import SitePolicy, load_site_policy

HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000


class Rulebook:
    """Every policy that stands beside the remits of one runtime."""

    def __init__(
        self, policy: Policy = UNRESTRICTED, site: SitePolicy | None = None, cedar: CedarPolicy | None = None
    ) -> None:
        self.policy = capped(policy)
        self.site = site
        self.cedar = cedar
        self.caps = Caps(self.policy)

    def ceiling(self) -> Remit:
        """What all remits are met with: the policy's paths and the site file's resources."""
        own = self.policy.ceiling()
        return own if self.site is None else (self.site.ceiling().meet(own) if own is not TOP else self.site.ceiling())

    def decide(self, facts: Facts, covered: bool, now_ms: int, nano: int | None = 0) -> Decision:
        """The strictest answer.

        Args:
            covered: whether grants cover all needs; denials and ceilings were checked before.
            now_ms: wall clock.
            nano: the most that a model call can cost, nano-dollars; None = not known.
        """
        answers = [decide(self.policy, facts, covered)]
        if self.site is not None:
            answers.append(self.site.decide(facts))
        if self.cedar is not None:
            answers.append(self.cedar.decide(facts))
        answers.append(self.caps.check(facts, now_ms, nano))
        found = strictest(answers)
        if found.kind == "allow":
            return next((a for a in answers if a.rule), found)
        return found

    def during(self, facts: Facts, need: Need, *, covered: bool, asked: bool, now_ms: int) -> str:
        """Why a handle may not do this in a call that was let through; "" = it may.

        Nobody can be asked during a call: what would ask passes only where a person has allowed the call itself.
        """
        inner = structs.replace(facts, needs=(need,), effect="read")
        answers = [decide(self.policy, inner, covered)]
        answers += [part.decide(inner) for part in (self.site, self.cedar) if part is not None]
        found = strictest(answers)
        return "" if found.kind == "allow" or (found.kind == "ask" and asked) else found.rule


def rulebook_of(settings: Settings) -> Rulebook | None:
    """The rulebook that the settings describe; None = nothing stands beside the grants.

    An untrusted project file's policy only narrows the user's.
    Raises: policy_invalid, grant_invalid, config_invalid, extra_missing.
    """
    own, narrowed = settings["policy"], settings["policy.narrowed"]
    site, cedar = settings["policy.site"], settings["policy.cedar"]
    if own == PolicySection() and narrowed is None and not site and not cedar:
        return None
    policy = policy_of(own)
    if narrowed is not None:
        policy = delegated(policy, policy_of(narrowed))
    return Rulebook(policy, load_site_policy(site) if site else None, load_cedar_policy(cedar) if cedar else None)


class Caps:
    """Actions an hour and money a day."""

    __slots__ = ("_actions", "_held", "_nano", "_policy", "_spent")

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._actions: deque[int] = deque()
        self._spent: deque[tuple[int, int]] = deque()
        self._nano = 0
        self._held = 0

    @property
    def counts(self) -> bool:
        """Whether there is a cap at all."""
        return self._policy.actions_per_hour is not None or self._policy.cents_per_day is not None

    def check(self, facts: Facts, now_ms: int, nano: int | None) -> Decision:
        """Whether one more fits."""
        calls, cents = self._policy.actions_per_hour, self._policy.cents_per_day
        if calls is not None and facts.acts:
            while self._actions and self._actions[0] <= now_ms - HOUR_MS:
                self._actions.popleft()
            if len(self._actions) >= calls:
                minutes = (self._actions[0] + HOUR_MS - now_ms) // 60_000 + 1 if self._actions else 60
                return Decision("deny", f"{calls} actions an hour are used; the next in {minutes} min", "cap_reached")
        if cents is not None and facts.kind == "model":
            while self._spent and self._spent[0][0] <= now_ms - DAY_MS:
                self._nano -= self._spent.popleft()[1]
            if nano is None and self._policy.refuse_unpriced:
                return Decision("deny", f"{facts.name} has no known price, and {cents} cents a day hold", "cap_reached")
            if (self._nano + self._held + (nano or 0)) * 100 > cents * NANO:
                return Decision("deny", f"this could pass {cents} cents a day", "cap_reached")
        return Decision("allow")

    def begin(self, facts: Facts, now_ms: int, nano: int) -> None:
        """An effect begins that may cost `nano` at most."""
        if self._policy.actions_per_hour is not None and facts.acts:
            self._actions.append(now_ms)
        self._held += nano

    def end(self, now_ms: int, held: int, nano: int) -> None:
        """An effect ended: what was held for it is free again, what it cost counts for a day."""
        self._held -= held
        if self._policy.cents_per_day is not None and nano:
            self._spent.append((now_ms, nano))
            self._nano += nano
