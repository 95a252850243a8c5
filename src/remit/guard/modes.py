"""Permission modes and autonomy levels: pure functions of an effect's facts to allow, ask, capture or deny.

    mode         what no grant covers   what is covered
    default      ask                    allow
    strict       deny                   allow                    (what a runtime uses unless told otherwise)
    permissive   allow, journalled      allow
    plan_only    deny                   reads allow, others are captured: told to the model, not done
    read_only    deny                   reads allow, others deny
    custom       `otherwise`            its rules, the strictest that matches; without one: allow

    level        reads   network   others
    read_only    allow   deny      deny
    supervised   allow   allow     ask
    full         allow   allow     allow

Invariants: a denial of the remit or of a policy above always wins; a mode speaks only of what no grant covers or takes
away from what one does; nothing here lets an effect past a layer of the site's ceiling.
Source: spec/security.md 3.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct, structs

from remit.core.decisions import ALLOW, Decision, Facts, Kind, strictest
from remit.core.effects import Need
from remit.core.grants import Grant, parse_denial, parse_grant
from remit.core.remit import TOP, Layer, Remit
from remit.core.sections import PolicySection
from remit.core.sensitive import SENSITIVE
from remit.errors import Invalid

MODES: Final = ("permissive", "default", "strict", "plan_only", "read_only", "custom")
"""from the freest to the strictest; custom has its own rules"""
LEVELS: Final = ("read_only", "supervised", "full")
"""from the lowest"""
ACTIONS_PER_HOUR: Final = 20  # of a level below full. Source: spec/security.md 3
CENTS_PER_DAY: Final = 500
_CODES: Final = {"deny": "mode_denied", "capture": "captured"}


class ModeRule(Struct, frozen=True):
    """One rule of a custom mode."""

    match: Grant
    """what it speaks of: `allow` matches as a grant does, the others as a denial does (every doubt counts)"""
    decision: Kind

    @property
    def text(self) -> str:
        """As written."""
        return f"{self.decision} {self.match}"


class Mode(Struct, frozen=True):
    """A permission mode."""

    name: str
    rules: tuple[ModeRule, ...] = ()
    otherwise: Kind = "deny"
    """custom: what no grant covers and no rule names"""

    def __post_init__(self) -> None:
        if self.name not in MODES:
            raise Invalid("policy_invalid", f"mode={self.name!r:.60}; one of {', '.join(MODES)}")
        if self.name != "custom" and (self.rules or self.otherwise != "deny"):
            raise Invalid("policy_invalid", "rules and otherwise belong to mode=custom")


STRICT: Final = Mode("strict")


class Policy(Struct, frozen=True):
    """What a person or a parent sets over an agent, beside its remit."""

    modes: tuple[Mode, ...] = ()
    """the strictest answer counts; none = strict"""
    autonomy: str = "full"
    actions_per_hour: int | None = None
    """effects that act, in any 60 minutes; None = no cap"""
    cents_per_day: int | None = None
    """US cents of model calls in any 24 hours; None = no cap"""
    forbidden_paths: tuple[str, ...] = ()
    roots: tuple[str, ...] | None = None
    """folders that all files lie in; None = the whole workspace"""
    refuse_unpriced: bool = True
    """whether `cents_per_day` refuses a model without a known price; the cap that a level brings does not"""
    sensitive: bool = True
    """whether sensitive files may be granted by their exact names"""

    def __post_init__(self) -> None:
        if self.autonomy not in LEVELS:
            raise Invalid("policy_invalid", f"autonomy={self.autonomy!r}; one of {', '.join(LEVELS)}")

    def ceiling(self) -> Remit:
        """The paths of this policy as a remit to meet with; of everything else it says nothing.

        Under `roots` a sensitive file stays closed even to a grant of its exact name.
        """
        paths = self.forbidden_paths if self.sensitive else (*self.forbidden_paths, *SENSITIVE)
        denials = tuple(parse_denial(f"{verb}:{path}") for path in paths for verb in ("fs.read", "fs.write"))
        if self.roots is None:
            return Remit((Layer((), denials, verbs=()),)) if denials else TOP
        folders = [root if root in ("**", ".") else f"{root.rstrip('/')}/**" for root in self.roots]
        grants = tuple(parse_grant(f"{verb}:{folder}") for folder in folders for verb in ("fs.read", "fs.write"))
        return Remit((Layer(grants, denials, verbs=("fs.read", "fs.write")),))


UNRESTRICTED: Final = Policy()


def capped(policy: Policy) -> Policy:
    """The policy with the standard caps where its level is below full and it names none."""
    if policy.autonomy == "full":
        return policy
    actions = ACTIONS_PER_HOUR if policy.actions_per_hour is None else policy.actions_per_hour
    if policy.cents_per_day is not None:
        return structs.replace(policy, actions_per_hour=actions)
    return structs.replace(policy, actions_per_hour=actions, cents_per_day=CENTS_PER_DAY, refuse_unpriced=False)


def decide(policy: Policy, facts: Facts, covered: bool) -> Decision:
    """What mode and level say of an effect; `covered` = grants cover all its needs. Denials were checked before."""
    modes = policy.modes or (STRICT,)
    return strictest((by_level(policy.autonomy, facts), *(by_mode(mode, facts, covered) for mode in modes)))


def by_level(level: str, facts: Facts) -> Decision:
    """The autonomy level's answer."""
    match level:
        case "full":
            return ALLOW
        case "supervised":
            return Decision("ask", f"autonomy supervised: {facts.name} acts") if facts.acts else ALLOW
        case _:
            if facts.acts or facts.network:
                what = "acts" if facts.acts else "uses the network"
                return Decision("deny", f"autonomy read_only: {facts.name} {what}", "mode_denied")
            return ALLOW


def by_mode(mode: Mode, facts: Facts, covered: bool) -> Decision:
    """The permission mode's answer."""
    uncovered = Decision("deny", f"mode {mode.name}: no grant covers it", "not_granted")
    match mode.name:
        case "strict":
            return ALLOW if covered else uncovered
        case "default":
            return ALLOW if covered else Decision("ask", "mode default: no grant covers it")
        case "permissive":
            return ALLOW if covered else Decision("allow", "mode permissive: no grant covers it")
        case "custom":
            return _custom(mode, facts, covered)
        case _ if not covered:
            return uncovered
        case "plan_only" if facts.acts:
            return Decision("capture", f"mode plan_only: {facts.name} acts", "captured")
        case "read_only" if facts.acts:
            return Decision("deny", f"mode read_only: {facts.name} acts", "mode_denied")
        case _:
            return ALLOW


def delegated(parent: Policy, child: Policy) -> Policy:
    """The policy of whom a holder of `parent` starts with `child`: in every part the narrower."""
    return Policy(
        modes=tuple(dict.fromkeys((*(parent.modes or (STRICT,)), *child.modes))),
        autonomy=min(parent.autonomy, child.autonomy, key=LEVELS.index),
        actions_per_hour=_least(parent.actions_per_hour, child.actions_per_hour),
        cents_per_day=_least(parent.cents_per_day, child.cents_per_day),
        forbidden_paths=tuple(dict.fromkeys((*parent.forbidden_paths, *child.forbidden_paths))),
        roots=_meet_roots(parent.roots, child.roots),
        refuse_unpriced=parent.refuse_unpriced and child.refuse_unpriced,
        sensitive=parent.sensitive and child.sensitive,
    )


def policy_of(section: PolicySection) -> Policy:
    """The policy that a [policy] section describes; raises policy_invalid, grant_invalid."""
    modes: tuple[Mode, ...] = ()
    if section.mode is not None:
        rules = tuple(_rule(rule.match, rule.decision) for rule in section.rules)
        modes = (Mode(section.mode, rules, section.otherwise or "deny"),)
    elif section.rules or section.otherwise:
        raise Invalid("policy_invalid", 'policy.rules and policy.otherwise need policy.mode = "custom"')
    return Policy(
        modes,
        section.autonomy or "full",
        section.actions_per_hour,
        section.cents_per_day,
        section.forbidden_paths,
        section.roots,
        sensitive=section.sensitive is not False,
    )


def _rule(match: str, decision: Kind) -> ModeRule:
    return ModeRule(parse_grant(match) if decision == "allow" else parse_denial(match), decision)


def _custom(mode: Mode, facts: Facts, covered: bool) -> Decision:
    found = [
        Decision(rule.decision, f"mode custom: {rule.text}", _CODES.get(rule.decision, ""))
        for rule in mode.rules
        if rule.decision != "allow" and any(rule.match.denies(need, 0, facts.arguments) for need in facts.needs)
    ]
    if not covered and not all(_allowed(mode, facts, need) for need in facts.needs):
        why = f"mode custom: no grant covers it, otherwise {mode.otherwise}"
        found.append(Decision(mode.otherwise, why, "not_granted" if mode.otherwise == "deny" else "captured"))
    return strictest(found)


def _allowed(mode: Mode, facts: Facts, need: Need) -> bool:
    """Whether a rule allows it: matched as a grant is, without doubt."""
    rules = [rule.match for rule in mode.rules if rule.decision == "allow"]
    return any(grant.covers(need) and not grant.within(0, facts.arguments) for grant in rules)


def _least(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else min(a, b)


def _meet_roots(a: tuple[str, ...] | None, b: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The folders that lie in both; nothing in common is nothing at all."""
    if a is None or b is None:
        return b if a is None else a
    both = [x for x in a if any(_beneath(x, y) for y in b)] + [y for y in b if any(_beneath(y, x) for x in a)]
    return tuple(dict.fromkeys(both))


def _beneath(inner: str, outer: str) -> bool:
    return inner == outer or inner.startswith(outer.rstrip("/") + "/")
