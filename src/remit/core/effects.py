"""Effects: what passes the gate, what it needs, and how it can end.

`Need` is what a grant must cover. `Allow | Deny | Ask` is what one check of the gate answers.
`Done | Failed | Refused | Waiting` is what the gate answers to the one who asked for the effect.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from remit.core.labels import SYSTEM, Label
from remit.errors import RemitError, error_of

Tier = Literal["pure", "idempotent", "transactional", "unsafe"]

# What a tool's author writes -> what happens to an interrupted effect (DESIGN 6).
TIERS: Final[dict[str, Tier]] = {
    "read": "pure",
    "write": "unsafe",
    "idempotent": "idempotent",
    "transactional": "transactional",
    "unsafe": "unsafe",
}


_encode: Final = msgspec.json.Encoder(order="deterministic").encode


def measure_arguments(name: str, arguments: Any) -> tuple[int, str]:
    """Bytes of the canonical JSON, and SHA-256 (hex) of name and JSON; raises ValueError or TypeError for non-JSON."""
    text = _encode(arguments)
    return len(text), sha256(name.encode() + b"\0" + text).hexdigest()


def storable(value: Any) -> Any:
    """`value` when the journal can hold it; else its ASCII form, bounded, so that a refusal can always be written."""
    try:
        _encode(value)
    except (ValueError, TypeError, RecursionError):
        return ascii(value)[:1000]
    return value


class Need(Struct, frozen=True, gc=False):
    """One resource that an effect touches.

    `detail` holds the parsed form that patterns are matched on: the argv for shell; (method,
    scheme, host, port, path) for net; nothing for the other verbs, which match on `resource`.
    """

    verb: str
    resource: str
    detail: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.verb}:{self.resource}"


class Deny(Struct, frozen=True, gc=False):
    """A check's no. `why` is for the model too: no secrets, no host paths."""

    code: str
    check: str
    """resolve | grant | flow | rate | budget | approval"""
    why: str
    hint: str = ""
    rule: str = ""
    """the grant or denial that decided, as text"""

    def error(self) -> RemitError:
        """The same as an exception, for callers that have no value to return."""
        return error_of(self.code, self.why, self.hint)


class Refusal(Exception):  # not an error: a check's no, on its way to the journal
    """A check said no."""

    def __init__(self, deny: Deny) -> None:
        super().__init__(deny.code)
        self.deny = deny


def must(deny: Deny | None) -> None:
    """Go on, or raise Refusal."""
    if deny is not None:
        raise Refusal(deny)


class Parked(BaseException):  # not an Exception: code between the wait and the runtime must not swallow it
    """The run stops here until something outside happens; it leaves the code that waits, and nothing stays behind."""

    def __init__(self, items: tuple[str, ...], due_ms: int = 0) -> None:
        super().__init__(", ".join(items))
        self.items = items
        """inbox items, timers"""
        self.due_ms = due_ms
        """wall clock at which it goes on by itself; 0 = never"""


class Ask(Struct, frozen=True, gc=False):
    """A check's question to a person."""

    question: str
    check: str = "flow"


Verdict = Deny | Ask | None
"""None = allowed."""


class Done(Struct, frozen=True):
    """The effect happened."""

    value: Any
    """a Reply (model) or the text of a tool"""
    label: Label = SYSTEM
    replayed: bool = False


class Failed(Struct, frozen=True):
    """The effect was tried and failed."""

    error: RemitError
    label: Label = SYSTEM


class Refused(Struct, frozen=True):
    """The gate said no; nothing happened."""

    deny: Deny


class Waiting(Struct, frozen=True):
    """Something outside must happen first: mostly a person's answer to `item` of the inbox."""

    item: str
    kind: Literal["approval", "in_doubt", "inside", "breakpoint"] = "approval"
    """inside = the tool's own code waits; breakpoint = whoever debugs the run stopped it here"""


Outcome = Done | Failed | Refused | Waiting
