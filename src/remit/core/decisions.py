"""What policies look at and what they answer: `Facts` of one effect, and a `Decision` about it.

Idea: every policy (mode, autonomy level, site file, Cedar) is a function of the same facts to the same four answers;
the strictest answer counts. So policies can be added in any number and order, and none of them can widen another.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal

from msgspec import Struct

from remit.core.effects import Need

Kind = Literal["allow", "ask", "capture", "deny"]
STRICTNESS: Final[dict[str, int]] = {"allow": 0, "ask": 1, "capture": 2, "deny": 3}
_READING_METHODS: Final = ("GET", "HEAD")


class Facts(Struct, frozen=True):
    """What is known of an effect before it happens."""

    kind: str
    """model | tool"""
    name: str
    """the tool's name, or provider:model"""
    effect: str = "read"
    """what the tool's author declared: read | write | idempotent | transactional | unsafe"""
    needs: tuple[Need, ...] = ()
    arguments: Any = None
    agent: str = ""

    @property
    def network(self) -> bool:
        """Whether it sends anything out, a model call apart."""
        return any(need.verb == "net" for need in self.needs)

    @property
    def acts(self) -> bool:
        """Whether it may change anything, here or elsewhere."""
        if self.kind == "model":
            return False
        return self.effect != "read" or any(_changes(need) for need in self.needs)


class Decision(Struct, frozen=True):
    """A policy's answer."""

    kind: Kind
    rule: str = ""
    """which policy and which rule of it"""
    code: str = ""
    """error code of a denial"""


ALLOW: Final = Decision("allow")


def strictest(decisions: Iterable[Decision]) -> Decision:
    """The strictest answer, the first of equals; allow where there is none."""
    return max(decisions, key=lambda d: STRICTNESS[d.kind], default=ALLOW)


def _changes(need: Need) -> bool:
    if need.verb == "net":
        return need.detail[:1] not in [(method,) for method in _READING_METHODS]
    return need.verb in ("fs.write", "secret")
