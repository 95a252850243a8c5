"""The Remit: everything an agent may do, as a value that is handed down and only ever narrowed.

A remit is a stack of layers, the root's first. A need is allowed when no denial of any layer reaches
it and every layer that names grants grants it. A meet puts one stack on the other, so it is evaluated
lazily for every verb and cannot widen by construction.

    TOP      no layers                       everything (root administration only)
    BOTTOM   one layer with empty grants     nothing
    UNSET    one layer that names no grants  below another layer: as the parent; as the root: nothing

That an UNSET root stays nothing however much a child asks for is why its layer is kept in the stack.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct, field, structs

from remit.core.budget import UNLIMITED, Budget, budget_data, meet_budgets
from remit.core.effects import Need
from remit.core.grants import Grant, parse_grant
from remit.errors import Invalid


class Layer(Struct, frozen=True):
    """Grants that one party gave; `grants` None = it did not say (only denials)."""

    grants: tuple[Grant, ...] | None = None
    denials: tuple[Grant, ...] = ()


class Ruling(Struct, frozen=True, gc=False):
    """What a remit says of one need, and the rule that decided."""

    allowed: bool
    rule: str
    """the granting or denying rule; "" where nothing grants it"""
    denied: bool = False
    """whether a denial decided (as against a missing grant)"""


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

    allow = _Either("grants")
    deny = _Either("denials")

    def _add(self, kind: str) -> Any:
        def add(*texts: str) -> Remit:
            if len(self.layers) != 1:
                raise Invalid("value_invalid", "a handed-down remit cannot be extended; meet() it with another")
            layer = self.layers[0]
            new = tuple(parse_grant(t) for t in texts)
            if kind == "grants":
                layer = Layer((layer.grants or ()) + new, layer.denials)
            else:
                layer = Layer(layer.grants, layer.denials + new)
            return structs.replace(self, layers=(layer,))

        return add

    @property
    def unset(self) -> bool:
        """Whether the root layer names no grant (denials may be there)."""
        return bool(self.layers) and self.layers[0].grants is None

    def ruling(self, need: Need, now_ms: int = 0) -> Ruling:
        """Whether the need is allowed, and by which rule. A denial beats every grant."""
        if self.expires_ms is not None and now_ms >= self.expires_ms:
            return Ruling(False, "expired", True)
        for layer in self.layers:
            for d in layer.denials:
                if d.forbids(need):
                    return Ruling(False, f"deny {d}", True)
        if self.layers and self.layers[0].grants is None:
            return Ruling(False, "")  # nobody gave the root anything, so there is nothing to hand down
        rule = "" if self.layers else "top"
        for layer in self.layers:
            if layer.grants is None:
                continue
            for g in layer.grants:
                if g.covers(need):
                    rule = str(g)
                    break
            else:
                return Ruling(False, "")
        return Ruling(bool(rule), rule)

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
        )

    def with_implied(self, texts: Iterable[str]) -> Remit:
        """At the root only: the grants that naming a model or listing an own tool implies (DESIGN 5).

        They join the root's own layer; denials still beat them. TOP and handed-down remits stay as they are.
        """
        if len(self.layers) != 1:
            return self
        layer = self.layers[0]
        implied = tuple(parse_grant(t) for t in texts)
        return structs.replace(self, layers=(Layer((layer.grants or ()) + implied, layer.denials),))

    def granted(self, verb: str) -> tuple[str, ...]:
        """Path patterns of `verb` that every layer with grants covers whole (used to bind folders in a sandbox)."""
        if self.unset:
            return ()
        stacks = [
            tuple(g.pattern for g in layer.grants if g.verb == verb)
            for layer in self.layers
            if layer.grants is not None
        ]
        return tuple(
            dict.fromkeys(p for mine in stacks for p in mine if all(_any_beneath(p, others) for others in stacks))
        )

    def denied(self, verb: str) -> tuple[str, ...]:
        """All denied patterns of a verb."""
        return tuple(d.pattern for layer in self.layers for d in layer.denials if d.verb == verb)

    def data(self) -> dict[str, Any]:
        """For the journal: layers as texts."""
        found: dict[str, Any] = {
            "layers": [
                {
                    "grants": None if layer.grants is None else [str(g) for g in layer.grants],
                    "denials": [str(d) for d in layer.denials],
                }
                for layer in self.layers
            ]
        }
        if self.limits is not UNLIMITED:
            found["limits"] = budget_data(self.limits)
        if self.expires_ms is not None:
            found["expires_ms"] = self.expires_ms
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
                    tuple(parse_grant(d) for d in item.get("denials", [])),
                )
            )
        return cls(tuple(layers), Budget(**data.get("limits", {})), data.get("expires_ms"))


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
