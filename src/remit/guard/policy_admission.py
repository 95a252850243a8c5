"""The authority of one run, as the gate asks it: remit, counters, revocations and policies in one answer.

    admitted = authority.admit(remit, facts, now_ms, size_bytes=..., nano=...)    block 2, pure
    draw = authority.take(admitted, facts, now_ms, ...)                           in the same step of the loop
    authority.equip(lease, admitted, facts)                                       handles count and stop with the call
    authority.settle(draw, ...)                                                   once, whatever happened

Order: denial, missing cover under a ceiling, bound, then the policies; the strictest counts. What a person or the
user's own mode lets through without a grant is in `Admitted.approved`, for this one call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from remit.core.decisions import Facts
from remit.core.effects import Ask, Deny, Done, Failed, Need, Outcome
from remit.core.grants import Grant
from remit.core.remit import TOP, Remit, Ruling
from remit.guard.policy_meter import NO_DRAW, Draw, Meter, Revocations

if TYPE_CHECKING:
    from remit.guard.handles import Lease
    from remit.guard.policy import Rulebook

_FLAG: Final = "Grant it with --allow '{0}'"


class Admitted(Struct, frozen=True):
    """What block 2 found."""

    deny: Deny | None = None
    ask: Ask | None = None
    charged: tuple[Grant, ...] = ()
    """grants with counters to draw on"""
    approved: tuple[Need, ...] = ()
    """needs that no grant covers, and that pass once the question (if any) is answered yes"""
    rules: tuple[str, ...] = ()
    """what allowed it: a rule a need, and the policy's where it spoke"""


class Authority:
    """Made once a run; a child's is made from its parent's."""

    __slots__ = ("_meter", "_parent", "_quiet", "_remit", "_run_id", "fixed", "revocations", "rulebook")

    def __init__(  # made by `authority_of` and `child` only
        self, remit: Remit, run_id: str, revocations: Revocations, rulebook: Rulebook | None, fixed: int,
        parent: Meter | None,
    ) -> None:  # fmt: skip
        self._remit = remit
        self._run_id = run_id
        self._parent = parent
        self._meter: Meter | None = None
        self._quiet = rulebook is None and remit.quiet and (parent is None or not parent.counts)
        self.revocations = revocations
        self.rulebook = rulebook
        self.fixed = fixed
        """how many layers of the remit are the ceiling's: no answer of a person adds to those"""

    @property
    def meter(self) -> Meter:
        """Counters and revocations of the run; most runs never ask for them."""
        if self._meter is None:
            self._meter = Meter(self._remit, revocations=self.revocations, run_id=self._run_id, parent=self._parent)
        return self._meter

    @property
    def quiet(self) -> bool:
        """Whether nothing of it is counted or ruled beside the remit; the same in every activation of a run."""
        return self._quiet

    @property
    def plain(self) -> bool:
        """Whether the remit's ruling of needs is the whole answer: no counter, predicate, revocation, policy."""
        return self._quiet and not self.revocations.active

    def narrowed(self, remit: Remit) -> Remit:
        """The remit without what was revoked."""
        return self.meter.narrowed(remit)

    def child(self, remit: Remit, run_id: str) -> Authority:
        """The authority of a run that this one starts with `remit`: it draws on the same counters."""
        return Authority(remit, run_id, self.revocations, self.rulebook, self.fixed, self.meter)

    def admit(self, remit: Remit, facts: Facts, now_ms: int, *, size_bytes: int = 0, nano: int | None = 0) -> Admitted:
        """Whether the effect may go on.

        Args:
            size_bytes: of the arguments.
            nano: the most that it can cost, in nano-dollars; None = not known.
        """
        if facts.kind == "tool":
            own = Need("tool", facts.name)
            ruling = remit.ruling(own, now_ms, facts.arguments)
            if ruling.denied:
                return Admitted(refusal(own, ruling))
        charged: tuple[Grant, ...] = ()
        uncovered: tuple[Need, ...] = ()
        rules: tuple[str, ...] = ()
        for need in facts.needs:
            ruling = self.meter.ruling(remit, need, now_ms, arguments=facts.arguments, size_bytes=size_bytes, nano=nano)
            if ruling.allowed:
                charged += tuple(g for g in ruling.charged if g not in charged)
                rules += (ruling.rule,)
            elif ruling.denied or ruling.spent or ruling.layer < self.fixed or self.rulebook is None:
                return Admitted(refusal(need, ruling))
            else:
                uncovered += (need,)
        if self.rulebook is None:
            return Admitted(charged=charged, rules=rules)
        return self._ruled(self.rulebook, facts, now_ms, nano, Admitted(None, None, charged, uncovered, rules))

    def _ruled(self, book: Rulebook, facts: Facts, now_ms: int, nano: int | None, found: Admitted) -> Admitted:
        decision = book.decide(facts, not found.approved, now_ms, nano)
        rules = (*found.rules, decision.rule) if decision.rule else found.rules
        named = ", ".join(str(need) for need in found.approved or facts.needs) or facts.name
        match decision.kind:
            case "allow":
                return Admitted(None, None, found.charged, found.approved, rules)
            case "ask":
                question = f"{facts.name}: {decision.rule}. It would use {named}. Allow it?"
                return Admitted(None, Ask(question, "grant"), found.charged, found.approved, rules)
            case "capture":
                why = f"captured, not done ({decision.rule}): {facts.name} with {named}"
                return Admitted(Deny("captured", "grant", why))
            case _:
                if decision.code == "not_granted" and found.approved:
                    return Admitted(refusal(found.approved[0], Ruling(False, "")))
                return Admitted(Deny(decision.code or "mode_denied", "grant", decision.rule))

    def take(self, admitted: Admitted, facts: Facts, now_ms: int, *, size_bytes: int = 0, nano: int = 0) -> Draw:
        """Draw on the grants and the caps; give the result to `settle`."""
        if self.rulebook is not None:
            self.rulebook.caps.begin(facts, now_ms, nano)
        draw = self.meter.take(admitted.charged, now_ms, size_bytes, nano)
        return draw if draw is not NO_DRAW or self.rulebook is None else Draw((), [], 0, nano)

    def recount(self, remit: Remit, action: Any, outcome: Outcome, now_ms: int) -> None:
        """Count an effect that the journal knows to have been tried: a resumed run has used what it used."""
        if self.meter.counts and isinstance(outcome, Done | Failed):
            found = [self.meter.ruling(remit, n, now_ms, arguments=action.arguments) for n in action.needs]
            charged = tuple(dict.fromkeys(grant for ruling in found for grant in ruling.charged))
            self.meter.take(charged, now_ms, action.size, action.nano)

    def equip(self, lease: Lease, admitted: Admitted | None, facts: Facts | None) -> None:
        """Tie a call's handles to this authority."""
        lease.authority = self
        if admitted is None or facts is None:
            return
        lease.arguments = facts.arguments
        lease.held = admitted.charged
        lease.approved = admitted.approved
        book = self.rulebook
        if book is not None:
            asked = admitted.ask is not None
            lease.judge = lambda need, covered, now_ms: book.during(
                facts, need, covered=covered or need in admitted.approved, asked=asked, now_ms=now_ms
            )

    def settle(self, action: Any, outcome: Outcome | None, now_ms: int) -> None:
        """An effect ended: give back what was drawn if it never began, else count what it took. Counts once."""
        draw: Draw = action.draw
        if draw is NO_DRAW or not draw.open:
            return
        done: bool = action.tried
        if self.rulebook is not None:
            self.rulebook.caps.end(now_ms, draw.nano, action.nano if done else 0)
        text = outcome.value if isinstance(outcome, Done) else None
        draw.end(done=done, size_bytes=len(text.encode()) if isinstance(text, str) else 0, nano=action.nano)


def joined(first: Ask | None, second: Ask | None) -> Ask | None:
    """Both questions as one."""
    if first is None or second is None:
        return first or second
    return Ask(f"{first.question} {second.question}", first.check)


def authority_of(
    remit: Remit, run_id: str, revocations: Revocations, *, rulebook: Rulebook | None = None, root: Meter | None = None,
    ceiling: Remit = TOP,
) -> Authority:  # fmt: skip
    """The authority of a run that no agent started; `root` = the runtime's own meter, for the ceiling's grants."""
    return Authority(remit, run_id, revocations, rulebook, len(ceiling.layers), root)


def refusal(need: Need, ruling: Ruling) -> Deny:
    """The denial of a need that a ruling does not allow."""
    if ruling.rule == "expired":
        return Deny("remit_expired", "grant", "the remit has expired")
    if ruling.denied:
        return Deny("denied_by_rule", "grant", f"{need} is refused by the rule: {ruling.rule}", rule=ruling.rule)
    if ruling.spent:
        return Deny("grant_bound", "grant", f"{need} is not covered now: {ruling.spent}", rule=ruling.rule)
    return Deny("not_granted", "grant", f"no grant covers {need}", hint_for(need))


def hint_for(need: Need) -> str:
    """How a person would grant exactly this need."""
    return _FLAG.format(need)


def facts_of(action: Any, agent: str) -> Facts:
    """The facts of a resolved action of the gate."""
    tool = action.tool
    if tool is None:
        return Facts("model", action.name, "read", action.needs, None, agent)
    return Facts("tool", tool.name, tool.effect, action.needs, action.arguments, agent)
