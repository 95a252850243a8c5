"""Events whose contents are sealed under their subject's key: the chain holds the ciphertext.

    {"type":"effect_done","key":"turn/1/call/0",...,"sealed":{"subject":"<32 hex>","data":"<base64>"}}

All fields that are not in PUBLIC are inside `data`, so a new field is sealed until somebody decides otherwise.
What stays readable says that something happened, when, by which tool and how it ended, never with what:
arguments, their digest (short arguments could be guessed from it), results, paths, reasons, labels are inside.

`opened` gives the event's body again, for whoever reads a run; once the subject's key is destroyed every sealed
field reads `[erased]`. `stand_in` does the same without any key (`[sealed]`), so that the chain, the list and the
inbox can be verified by whoever holds no key. The record id is run id and seq: contents cannot change places.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from remit.core.events import Event, RunStarted
from remit.core.labels import Label
from remit.errors import Conflict, Invalid, RemitError
from remit.ports.payloads import Payloads

PUBLIC: Final = frozenset(
    (
        *("type", "agent", "model", "parent", "epoch", "key", "kind", "name", "tier", "check", "code", "retryable"),
        *("item", "resolution", "decision", "by", "status", "turn", "action", "usage", "cost_nano", "duration_ms"),
        *("stage", "rule", "severity", "level", "count"),
    )
)
ERASED: Final = "[erased]"
SEALED: Final = "[sealed]"
MAX_SEALED_BYTES: Final = 32 * 1024 * 1024  # of a whole event, as chain.MAX_EVENT_BYTES
Seal = Callable[[int, bytes], bytes]
"""(seq, body) -> the body to store"""

_MARK: Final = b'"sealed":{'
_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode: Final = msgspec.json.Encoder().encode
_NULL: Final = msgspec.Raw(b"null")
_EMPTY: Final[dict[Any, msgspec.Raw]] = {
    kind: msgspec.Raw(_encode(kind())) for kind in (bool, int, float, tuple, list, dict, set, frozenset)
}
_ANYBODY: Final = msgspec.Raw(_encode(Label("untrusted")))


class Box(Struct, frozen=True, forbid_unknown_fields=True):
    """The sealed part of an event."""

    subject: Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
    data: str


_box: Final = msgspec.json.Decoder(Box)
_started: Final = msgspec.json.Decoder(RunStarted)


class Sealing:
    """What one journal does with contents."""

    def __init__(self, payloads: Payloads) -> None:
        self._payloads = payloads

    def begin(self, run_id: str, started: RunStarted, parent: Seal | None) -> Seal | None:
        """The seal of a new run: that of its parent's subject, or of its own; None = not sealed."""
        if isinstance(parent, RunSeal) and not started.subject:
            return RunSeal(self._payloads, parent.subject, run_id)
        if not self._payloads.sealing:
            return None
        return RunSeal(self._payloads, self._payloads.subject(started.subject), run_id)

    def resume(self, run_id: str, first: bytes) -> Seal | None:
        """The seal of a run that goes on: that of its first event. Raises key_destroyed once it was erased."""
        box = box_of(first)
        if box is None:
            return None
        self._payloads.check(box.subject)
        return RunSeal(self._payloads, box.subject, run_id)

    def opened(self, run_id: str, seq: int, body: bytes) -> bytes:
        """The event's whole body; `[erased]` in its sealed fields when the subject's key is destroyed.

        Raises record_altered (sealed elsewhere, or changed), key_wrong and the other errors of the key ring.
        """
        box = box_of(body)
        if box is None:
            return body
        try:
            plain = self._payloads.open(box.subject, _data(box), f"{run_id}/{seq}")
        except RemitError as error:
            if error.code != "key_destroyed":
                raise
            return stand_in(body, ERASED)
        fields = _fields.decode(body)
        del fields["sealed"]
        fields.update(_fields.decode(plain))
        return _encode({name: fields[name] for name in _order(fields) if name in fields})


class RunSeal:
    """Seals the events of one run."""

    __slots__ = ("_payloads", "_run_id", "subject")

    def __init__(self, payloads: Payloads, subject: str, run_id: str) -> None:
        self._payloads = payloads
        self._run_id = run_id
        self.subject = subject

    def __call__(self, seq: int, body: bytes) -> bytes:
        """The body to store; raises key_destroyed, value_invalid (too large once sealed)."""
        fields = _fields.decode(body)
        inside = {name: value for name, value in fields.items() if name not in PUBLIC}
        if not inside:
            return body
        kept: dict[str, Any] = {name: value for name, value in fields.items() if name in PUBLIC}
        data = self._payloads.seal(self.subject, _encode(inside), f"{self._run_id}/{seq}")
        kept["sealed"] = Box(self.subject, b64encode(data).decode())
        stored = _encode(kept)
        if len(stored) > MAX_SEALED_BYTES:
            raise Invalid("value_invalid", f"the sealed event has {len(stored)} bytes; at most {MAX_SEALED_BYTES} fit")
        return stored


def box_of(body: bytes) -> Box | None:
    """The sealed part of a stored body, None when there is none; raises record_altered when it is no such part."""
    if _MARK not in body:
        return None
    try:
        raw = _fields.decode(body).get("sealed")
        return None if raw is None else _box.decode(raw)
    except (ValueError, RecursionError):
        raise Conflict("record_altered", "the sealed part of an event was altered") from None


def stand_in(body: bytes, text: str = SEALED) -> bytes:
    """The body with `text` in place of what is sealed; the body itself when nothing is."""
    if box_of(body) is None:
        return body
    fields = _fields.decode(body)
    del fields["sealed"]
    kind = _KINDS.get(bytes(fields.get("type", b"")))
    if kind is None:
        return body
    for field in msgspec.structs.fields(kind):
        if field.name in PUBLIC:
            continue
        if field.type in (str, Any, msgspec.Raw):
            fields[field.name] = msgspec.Raw(_encode(text))
        elif field.type is Label:
            fields[field.name] = _ANYBODY  # the default would be the highest trust
        elif field.required:
            fields[field.name] = _EMPTY.get(getattr(field.type, "__origin__", field.type), _NULL)
    return _encode(fields)


def shown(body: bytes) -> RunStarted:
    """What the list may hold of a sealed run_started event."""
    return _started.decode(stand_in(body))


def _order(fields: dict[str, msgspec.Raw]) -> list[str]:
    """The names in the order in which the event was written, so that opening gives back its very bytes."""
    kind = _KINDS.get(bytes(fields.get("type", b"")))
    return list(fields) if kind is None else ["type", *kind.__struct_fields__]


def _data(box: Box) -> bytes:
    try:
        return b64decode(box.data, validate=True)
    except ValueError:
        raise Conflict("record_altered", "the sealed part of an event was altered") from None


_KINDS: Final[dict[bytes, Any]] = {_encode(str(kind.__struct_config__.tag)): kind for kind in Event.__args__}
