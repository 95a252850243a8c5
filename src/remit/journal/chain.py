"""Entry hashing and event encoding: the bytes that make a journal provable.

hash = SHA-256( prev[32] || MAGIC || u16 len(run_id) || run_id || u64 seq || u64 epoch || i64 at_ms
                || u64 len(body) || body ), integers big-endian; prev of seq 1 is 32 zero bytes.

The run id is in every header, so a chain, its genesis included, belongs to exactly one run: rows
cannot be moved between runs. All parts have a fixed size or a length in front, so no two different
entries have the same input. The body is hashed as the bytes that were written; it is never encoded
again, so a later encoder cannot break an old chain.

Rejected: hashing a canonical JSON of the whole record (needs a canonicaliser on both sides and a
second encoding per append), BLAKE3 (no standard-library verifier).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from hashlib import sha256
from struct import Struct as Packer
from struct import error as PackError
from typing import TYPE_CHECKING, Any, Final

import msgspec

from remit.core.events import EffectDone, Event
from remit.errors import Conflict, InternalError, Invalid
from remit.ports.journal import Entry

if TYPE_CHECKING:
    from remit.journal.sealed import Seal

GENESIS: Final = bytes(32)
MAGIC: Final = b"remit-entry-1"
MAX_EVENT_BYTES: Final = 32 * 1024 * 1024  # more is a defect of the caller: results are capped far below
MAX_RUN_ID: Final = 128  # characters, printable ASCII

_numbers: Final = Packer(">QQqQ")
_lengths: Final = Packer(">H")
_encoder: Final = msgspec.json.Encoder()
_tag_decoder: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_any_decoder: Final = msgspec.json.Decoder()
_json_encode: Final = _encoder.encode
_TAGS: Final = frozenset(str(kind.__struct_config__.tag) for kind in Event.__args__)


def run_prefix(run_id: str) -> bytes:
    """MAGIC and the length-prefixed run id: the part of the header that is the same for a whole run."""
    raw = run_id.encode("ascii")
    return MAGIC + _lengths.pack(len(raw)) + raw


def check_run_id(run_id: str) -> str:
    """`run_id` itself when it is 1 to 128 printable ASCII characters without blanks, else value_invalid."""
    if not is_run_id(run_id):
        raise Invalid("value_invalid", f"not a run id: {run_id!r:.80}")
    return run_id


def is_run_id(run_id: str) -> bool:
    """Whether a run can have this id."""
    return 0 < len(run_id) <= MAX_RUN_ID and run_id.isascii() and run_id.isprintable() and " " not in run_id


def hash_entry(prev: bytes, prefix: bytes, numbers: tuple[int, int, int], body: bytes) -> bytes:
    """The entry's hash. `prefix` = run_prefix(run_id); `numbers` = (seq, epoch, at_ms)."""
    return sha256(b"".join((prev, prefix, _numbers.pack(*numbers, len(body)), body))).digest()


class Tip:
    """The end of one run's chain, and the only place that makes entries."""

    __slots__ = ("_prefix", "epoch", "hash", "run_id", "seal", "seq")

    def __init__(self, run_id: str, *, epoch: int, seq: int = 0, last: bytes = GENESIS) -> None:
        self._prefix = run_prefix(run_id)
        self.run_id = run_id
        self.epoch = epoch
        self.seq = seq
        self.hash = last
        self.seal: Seal | None = None
        """what the contents of events are sealed with; None = they are not"""

    def extend(self, event: Event, at_ms: int) -> Entry:
        """The entry of `event` after the tip, which becomes the tip; value_invalid leaves the tip alone."""
        body = encode_event(event)
        if self.seal is not None:
            body = self.seal(self.seq + 1, body)
        return self.add(body, at_ms)

    def add(self, body: bytes, at_ms: int) -> Entry:
        """The entry of an encoded event after the tip, which becomes the tip."""
        seq, prev = self.seq + 1, self.hash
        self.hash = hash_entry(prev, self._prefix, (seq, self.epoch, at_ms), body)
        self.seq = seq
        return Entry(self.run_id, seq, self.epoch, at_ms, body, prev, self.hash)


def hash_of(entry: Entry) -> bytes:
    """The hash that `entry` must have."""
    numbers = (entry.seq, entry.epoch, entry.at_ms)
    return hash_entry(entry.prev, run_prefix(entry.run_id), numbers, entry.body)


def encode_event(event: Event) -> bytes:
    """The event as JSON; value_invalid when it holds what JSON cannot (lone surrogates, objects, depth)."""
    try:
        body = _json_encode(event)
        if type(event) is EffectDone and type(event.result) is msgspec.Raw:
            # Raw is copied unread by the encoder; what cannot be decoded again must not enter a chain.
            _any_decoder.decode(event.result)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        kind = type(event).__name__
        raise Invalid("value_invalid", f"the event cannot be written as JSON ({kind}: {_reason(error)})") from None
    if len(body) > MAX_EVENT_BYTES:
        raise Invalid("value_invalid", f"the event has {len(body)} bytes; at most {MAX_EVENT_BYTES} fit")
    return body


@cache
def _decoder() -> msgspec.json.Decoder[Event]:
    """Made when something is read: a run that only writes needs none."""
    return msgspec.json.Decoder(Event)


def decode_event(body: bytes) -> Event:
    """The event of a stored body.

    Raises journal_format (a kind of event that this version does not know), key_missing (its contents are sealed,
    and whoever read it opened nothing: sealed.py) and chain_broken (not an event).
    """
    if len(body) > MAX_EVENT_BYTES:
        raise Conflict("chain_broken", f"an event of {len(body)} bytes; at most {MAX_EVENT_BYTES} are written")
    try:
        event: Event = _decoder().decode(body)
    except (ValueError, RecursionError) as error:
        tag = _tag_of(body)
        if tag and tag not in _TAGS:
            from remit.journal.upcast import upcast  # only an old journal has such events

            older = upcast(tag, body)
            if older is not None:
                return decode_event(older)
            raise InternalError("journal_format", f"unknown kind of event: {tag!r:.60}") from None
        from remit.journal.sealed import stand_in  # only what is sealed or damaged comes here

        if tag and stand_in(body) is not body:
            raise Invalid("key_missing", f"the contents of the {tag} event are sealed") from None
        raise Conflict("chain_broken", f"not an event: {_reason(error)}") from None
    return event


def check_chain(entries: Iterable[Entry], seq: int = 0, prev: bytes = GENESIS, epoch: int = 0) -> Iterator[Entry]:
    """The same entries while they continue the chain after `seq`; chain_broken at the first that does not.

    Args:
        entries: of one run, in the order stored.
        seq, prev, epoch: of the entry before the first.
    """
    for entry in entries:
        reason = fault_of(entry, seq, prev, epoch)
        if reason:
            raise Conflict("chain_broken", f"run {entry.run_id} seq {entry.seq}: {reason}")
        seq, prev, epoch = entry.seq, entry.hash, entry.epoch
        yield entry


def fault_of(entry: Entry, seq: int, prev: bytes, epoch: int) -> str:
    """Why `entry` cannot follow the entry (seq, hash=prev, epoch); "" when it can."""
    if entry.seq != seq + 1:
        return f"seq {seq + 1} is missing" if entry.seq > seq else "out of order"
    if entry.prev != prev:
        return "prev is not the hash of the entry before"
    if entry.epoch < max(epoch, 1):
        return f"epoch {entry.epoch} follows epoch {epoch}"
    try:
        right = entry.hash == hash_of(entry)
    except (ValueError, ArithmeticError, PackError):
        right = False  # a number that no header can hold
    return "" if right else "the hash does not match the content"


def _tag_of(body: bytes) -> str:
    try:
        tag: Any = _any_decoder.decode(_tag_decoder.decode(body).get("type", b"null"))
    except (ValueError, RecursionError):
        return ""
    return tag if isinstance(tag, str) else ""


def _reason(error: Exception) -> str:
    # A UnicodeEncodeError's text would show the value; values of events may be private.
    return "a lone surrogate" if isinstance(error, UnicodeError) else str(error)[:200]
