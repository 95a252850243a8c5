"""The Remit: everything an agent may do, as a value that is handed down and only ever narrowed.

A remit is a stack of layers, the root's first. A need is allowed when no denial of any layer reaches
it and every layer that names grants grants it. A meet puts one stack on the other, so it is evaluated
lazily for every verb and cannot widen by construction.

    TOP      no layers, or ceilings only     everything (root administration only), less what ceilings take away
    BOTTOM   one layer with empty grants     nothing
    UNSET    one layer that names no grants  below another layer: as the parent; as the root: nothing

That an UNSET root stays nothing however much a child asks for is why its layer is kept in the stack.

A grant may be bounded (core/bounds.py). Until when and for which arguments is answered here; what is counted is
answered by whoever keeps the counters (`spent`), and `Ruling.charged` says which grants the effect draws on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any, Final

from msgspec import Struct, field, structs

from remit.core.bounds import UNBOUNDED
from remit.core.budget import UNLIMITED, Budget, budget_data, meet_budgets
from remit.core.effects import Need
from remit.core.grants import Grant, parse_denial, parse_grant
from remit.core.rules import FEW, RuleIndex, by_verb
from remit.errors import Denied, Invalid

MAX_DEPTH: Final = 64  # levels of agents that start agents


class Layer(Struct, frozen=True, dict=True, cache_hash=True):
    """Grants that one party gave; `grants` None = it did not say (only denials)."""

    grants: tuple[Grant, ...] | None = None
    denials: tuple[Grant, ...] = ()
    depth: int = 0
    """levels below the root at which it joined; its delegate grants count from there"""
    verbs: tuple[str, ...] | None = None
    """a ceiling over these verbs only: of others it takes nothing away; None = it speaks of all"""

    def silent(self, verb: str) -> bool:
        """Whether its grants say nothing of the verb."""
        return self.grants is None or (self.verbs is not None and verb not in self.verbs)

    @cached_property
    def granting(self) -> dict[str, RuleIndex]:
        """The grants by verb."""
        return by_verb(self.grants or ())

    @cached_property
    def denying(self) -> dict[str, RuleIndex]:
        """The denials by verb."""
        return by_verb(self.denials)

    @cached_property
    def conditional(self) -> bool:
        """Whether any rule of it depends on a call's arguments."""
        return any(rule.bounds.where for rule in (*(self.grants or ()), *self.denials))

    @cached_property
    def timeless(self) -> bool:
        """Whether no rule of it has bounds: what it says of a need never changes."""
        return all(rule.bounds is UNBOUNDED for rule in (*(self.grants or ()), *self.denials))

    @cached_property
    def counted(self) -> tuple[Grant, ...]:
        """The grants with counters."""
        return tuple(g for g in self.grants or () if g.bounds.counted)


class Ruling(Struct, frozen=True, gc=False):
    """What a remit says of one need, and the rule that decided."""

    allowed: bool
    rule: str
    """the granting or denying rule; "" where nothing grants it"""
    denied: bool = False
    """whether a denial decided (as against a missing grant)"""
    charged: tuple[Grant, ...] = ()
    """grants with counters that the effect draws on, one a layer at most"""
    spent: str = ""
    """why the grants that would cover it hold no longer, or not for this"""
    layer: int = 0
    """place in the stack of the layer that decided"""


NOTHING: Final = Ruling(False, "")
Spent = Callable[[Grant], str]
"""a grant with counters -> why nothing is left of it; "" = something is"""


class _Either:
    """`Remit.allow(...)` and `Remit().allow(...)` alike."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __get__(self, instance: Remit | None, owner: type[Remit]) -> Any:
        return (instance or Remit())._add(self.kind)


class Remit(Struct, frozen=True):
    """Grants, denials, ceilings and expiry. Build with `Remit.allow("verb:pattern", ...).deny(...)`."""

    layers: tuple[Layer, ...] = (Layer(),)
    limits: Budget = field(default=UNLIMITED)
    expires_ms: int | None = None
    """wall clock, milliseconds since 1970; None = never"""
    depth: int = 0
    """levels of agents between the root and whoever holds this"""

    allow = _Either("grants")
    deny = _Either("denials")

    def _add(self, kind: str) -> Any:
        def add(*texts: str) -> Remit:
            if len(self.layers) != 1:
                raise Invalid("value_invalid", "a handed-down remit cannot be extended; meet() it with another")
            layer = self.layers[0]
            if kind == "grants":
                layer = structs.replace(layer, grants=(layer.grants or ()) + tuple(parse_grant(t) for t in texts))
            else:
                layer = structs.replace(layer, denials=layer.denials + tuple(parse_denial(t) for t in texts))
            return structs.replace(self, layers=(layer,))

        return add

    @property
    def unset(self) -> bool:
        """Whether the root layer names no grant (denials may be there)."""
        return self._root is not None and self._root.grants is None

    @property
    def _root(self) -> Layer | None:
        """The first layer that speaks of all verbs; None = TOP, or ceilings alone, which are TOP without something."""
        for layer in self.layers:
            if layer.verbs is None:
                return layer
        return None

    def ruling(self, need: Need, now_ms: int = 0, arguments: Any = None, spent: Spent | None = None) -> Ruling:
        """Whether the need is allowed, and by which rule. A denial beats every grant.

        Args:
            need: what is asked for.
            now_ms: wall clock, milliseconds since 1970.
            arguments: of the call, for predicates; None = not known.
            spent: asked for grants with counters; without it they count as unspent.
        """
        if self.expires_ms is not None and now_ms >= self.expires_ms:
            return Ruling(False, "expired", True)
        layers = self.layers
        for layer in layers:
            denial = _denying(layer, need, now_ms, arguments) if layer.denials else None
            if denial is not None:
                return Ruling(False, f"deny {denial}", True, layer=layers.index(layer))
        root = layers[0] if layers and layers[0].verbs is None else self._root
        if root is not None and root.grants is None:
            return NOTHING  # nobody gave the root anything, so there is nothing to hand down
        rule = "" if root is not None else "top"
        charged: tuple[Grant, ...] = ()
        for layer in layers:
            if layer.grants is None or (layer.verbs is not None and need.verb not in layer.verbs):
                continue
            grant, why = _covering(layer, layer.grants, need, now_ms, arguments, spent)
            if grant is None:
                return Ruling(False, "", spent=why, layer=layers.index(layer))
            rule = grant.text
            if grant.bounds is not UNBOUNDED and grant.bounds.counted and grant not in charged:
                charged = (*charged, grant)
        return Ruling(rule != "", rule, charged=charged) if charged else Ruling(rule != "", rule)

    def allows(self, need: Need, now_ms: int = 0) -> bool:
        """Whether the need is allowed."""
        return self.ruling(need, now_ms).allowed

    def meet(self, requested: Remit) -> Remit:
        """What a child gets: never more than this remit, never more than was requested."""
        expiries = [e for e in (self.expires_ms, requested.expires_ms) if e is not None]
        return Remit(
            tuple(dict.fromkeys(self.layers + requested.layers)),
            meet_budgets(self.limits, requested.limits),
            min(expiries) if expiries else None,
            max(self.depth, requested.depth),
        )

    def hand_down(self, requested: Remit, agent: str, now_ms: int = 0) -> Remit:
        """The remit of an agent that this one's holder starts: the meet, one level deeper.

        Delegate grants bound it where a layer names any: depth, the agent's name, their ceiling. A layer that names
        none leaves it to the others, because the meet alone already keeps a child within its parent.

        Raises: Denied `delegation_denied`.
        """
        depth = self.depth + 1
        need = Need("delegate", str(depth), (agent,))
        if depth > MAX_DEPTH:
            raise Denied("delegation_denied", f"agents are started at most {MAX_DEPTH} levels deep")
        ceilings: list[str] = []
        for layer in self.layers:
            at = Need("delegate", str(depth - layer.depth), need.detail)
            denial = _denying(layer, at, now_ms, None)
            if denial is not None:
                raise Denied("delegation_denied", f"{agent} at depth {at.resource}: deny {denial}")
            if layer.silent("delegate") or "delegate" not in layer.granting:
                continue
            held, why = _covering(layer, layer.grants or (), at, now_ms, None, None)
            if held is None:
                why = why or "no delegate grant covers it"
                raise Denied("delegation_denied", f"{agent} at depth {at.resource}: {why}")
            ceilings += held.bounds.ceiling
        child = self.meet(Remit.allow(*ceilings)) if ceilings else self
        shifted = tuple(_at_depth(layer, depth) for layer in requested.layers)
        return structs.replace(child.meet(structs.replace(requested, layers=shifted)), depth=depth)

    def without(self, ids: Iterable[str]) -> Remit:
        """This remit with the grants of these ids taken out of every layer."""
        gone = set(ids)
        layers = tuple(
            structs.replace(layer, grants=tuple(g for g in layer.grants if g.id not in gone))
            if layer.grants is not None else layer
            for layer in self.layers
        )  # fmt: skip
        return structs.replace(self, layers=layers)

    @property
    def quiet(self) -> bool:
        """Whether no rule has a counter or depends on a call's arguments."""
        for layer in self.layers:  # noqa: SIM110  # every run asks, and a generator costs three times as much
            if layer.counted or layer.conditional:
                return False
        return True

    @property
    def timeless(self) -> bool:
        """Whether the ruling of a need is the same at any time."""
        return self.expires_ms is None and all(layer.timeless for layer in self.layers)

    @property
    def counted(self) -> tuple[Grant, ...]:
        """The grants with counters, each once."""
        found = [g for layer in self.layers for g in layer.counted]
        return tuple(dict.fromkeys(found)) if found else ()

    def with_implied(self, texts: Iterable[str]) -> Remit:
        """At the root only: the grants that naming a model or listing an own tool implies (DESIGN 5).

        They join the root's own layer; denials still beat them. TOP and handed-down remits stay as they are.
        """
        if len(self.layers) != 1 or self._root is None:
            return self
        layer = self.layers[0]
        implied = tuple(parse_grant(t) for t in texts)
        return structs.replace(self, layers=(structs.replace(layer, grants=(layer.grants or ()) + implied),))

    def granted(self, verb: str) -> tuple[str, ...]:
        """Path patterns of `verb` that every layer with grants covers whole, bounded ones too."""
        return self._common(verb, bounded=True)

    def bindable(self, verb: str) -> tuple[str, ...]:
        """As `granted`, without bounded grants: what a sandbox binds can no longer be counted or ended."""
        return self._common(verb, bounded=False)

    def _common(self, verb: str, *, bounded: bool) -> tuple[str, ...]:
        if self.unset:
            return ()
        stacks = [
            tuple(g.pattern for g in layer.grants or () if g.verb == verb and (bounded or g.bounds is UNBOUNDED))
            for layer in self.layers
            if not layer.silent(verb)
        ]
        return tuple(
            dict.fromkeys(p for mine in stacks for p in mine if all(_any_beneath(p, others) for others in stacks))
        )

    def denied(self, verb: str) -> tuple[str, ...]:
        """All denied patterns of a verb."""
        return tuple(d.pattern for layer in self.layers for d in layer.denials if d.verb == verb)

    def data(self) -> dict[str, Any]:
        """For the journal: layers as texts."""
        found: dict[str, Any] = {"layers": [_layer_data(layer) for layer in self.layers]}
        if self.limits is not UNLIMITED:
            found["limits"] = budget_data(self.limits)
        if self.expires_ms is not None:
            found["expires_ms"] = self.expires_ms
        if self.depth:
            found["depth"] = self.depth
        return found

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Remit:
        """The inverse of `data()`; raises grant_invalid or value_invalid."""
        layers = []
        for item in data.get("layers", []):
            grants = item.get("grants")
            layers.append(
                Layer(
                    None if grants is None else tuple(parse_grant(g) for g in grants),
                    tuple(parse_denial(d) for d in item.get("denials", [])),
                    item.get("depth", 0),
                    None if item.get("verbs") is None else tuple(item["verbs"]),
                )
            )
        limits = Budget(**data["limits"]) if data.get("limits") else UNLIMITED
        return cls(tuple(layers), limits, data.get("expires_ms"), data.get("depth", 0))


def deny_only(*texts: str) -> Remit:
    """A ceiling that takes these away and nothing else; like TOP it is nothing that an agent holds alone."""
    return Remit((Layer((), tuple(parse_denial(t) for t in texts), verbs=()),))


def _layer_data(layer: Layer) -> dict[str, Any]:
    found: dict[str, Any] = {
        "grants": None if layer.grants is None else [str(g) for g in layer.grants],
        "denials": [str(d) for d in layer.denials],
    }
    if layer.depth:
        found["depth"] = layer.depth
    if layer.verbs is not None:
        found["verbs"] = list(layer.verbs)
    return found


def _at_depth(layer: Layer, depth: int) -> Layer:
    """The layer as one that joined there; one without delegate rules stays itself, so that equal layers stay one."""
    rules = (*(layer.grants or ()), *layer.denials)
    if not any(g.verb == "delegate" for g in rules):
        return layer
    return structs.replace(layer, depth=layer.depth + depth)


def _denying(layer: Layer, need: Need, now_ms: int, arguments: Any) -> Grant | None:
    few: Sequence[Grant] = layer.denials
    if len(few) > FEW:
        index = layer.denying.get(need.verb)
        few = () if index is None else index.candidates(need)
    for denial in few:
        if denial.verb == need.verb and denial.denies(need, now_ms, arguments):
            return denial
    return None


def _covering(
    layer: Layer, few: Sequence[Grant], need: Need, now_ms: int, arguments: Any, spent: Spent | None
) -> tuple[Grant | None, str]:
    """The grant that covers the need, one without bounds before one with; else why those that would do not hold."""
    if len(few) > FEW:
        index = layer.granting.get(need.verb)
        few = () if index is None else index.candidates(need)
    best: Grant | None = None
    why = ""
    for grant in few:
        if grant.verb != need.verb or not grant.covers(need):
            continue
        if grant.bounds is UNBOUNDED:
            return grant, ""
        problem = grant.within(now_ms, arguments)
        if not problem and spent is not None and grant.bounds.counted:
            problem = spent(grant)
        if problem:
            why = why or f"{grant}: {problem}"
        elif best is None or best.bounds.counted:
            best = grant
    return best, why


def _any_beneath(pattern: str, others: tuple[str, ...]) -> bool:
    """Whether all that `pattern` can match lies in one of `others`; only whole folders count, so never too wide."""
    for other in others:
        folder = other[:-2]
        if pattern == other or other == "**":
            return True
        if other.endswith("/**") and not any(c in folder for c in "*?[") and pattern.startswith(folder):
            return True
    return False


TOP: Final = Remit(())
BOTTOM: Final = Remit((Layer(()),))
UNSET: Final = Remit()
