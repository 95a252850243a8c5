"""Entry hashing and event encoding: fixed bytes, bound to the run, strict both ways."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from remit.core.events import EffectDone, EffectIntent, Event, Reflected, RunStarted
from remit.errors import RemitError
from remit.journal.chain import (
    GENESIS,
    MAX_EVENT_BYTES,
    Tip,
    check_chain,
    decode_event,
    encode_event,
    fault_of,
    hash_of,
)


def chain(count: int = 4, run_id: str = "run_1") -> list[Any]:
    """A valid chain."""
    tip = Tip(run_id, epoch=1)
    return [tip.extend(Reflected(turn, "none", "none"), 1000 + turn) for turn in range(count)]


def test_the_hash_is_the_documented_one() -> None:
    """hash = SHA-256(prev, magic, u16 + run id, seq, epoch, at_ms, u64 length, body), computed here by hand."""
    first, second = chain(2)
    assert first.prev == bytes(32)
    for entry in (first, second):
        header = struct.pack(">H", 5) + b"run_1" + struct.pack(">QQqQ", entry.seq, 1, entry.at_ms, len(entry.body))
        assert entry.hash == hashlib.sha256(entry.prev + b"remit-entry-1" + header + entry.body).digest()
    assert second.prev == first.hash
    assert chain(1, "run_2")[0].hash != first.hash  # the genesis is bound to the run


@pytest.mark.parametrize(
    "change",
    [
        {"run_id": "run_2"},
        {"run_id": "run_"},
        {"seq": 3},
        {"epoch": 2},
        {"at_ms": 0},
        {"at_ms": 2**70},
        {"epoch": -1},
        {"body": b"{}"},
        {"body": b""},
        {"prev": bytes(32)},
        {"hash": bytes(32)},
    ],
)
def test_every_field_of_an_entry_is_protected(change: dict[str, Any]) -> None:
    """Changing any one field of an entry breaks the chain at that entry or the next."""
    entries = chain()
    entries[1] = replace(entries[1], **change)
    with pytest.raises(RemitError, match="chain_broken"):
        list(check_chain(entries))


def test_deleted_and_reordered_entries_are_found() -> None:
    """Every deletion but that of a tail (which anchors show), and every swap, breaks the chain."""
    entries = chain(5)
    assert list(check_chain(entries)) == entries
    for gone in range(4):
        with pytest.raises(RemitError, match="chain_broken"):
            list(check_chain(entries[:gone] + entries[gone + 1 :]))
    for at in range(4):
        swapped = [*entries[:at], entries[at + 1], entries[at], *entries[at + 2 :]]
        with pytest.raises(RemitError, match="chain_broken"):
            list(check_chain(swapped))


def test_an_epoch_never_falls() -> None:
    """An entry of an older epoch after a newer one is refused even when its hash is right."""
    first = Tip("run_1", epoch=2).extend(Reflected(1, "a", "none"), 1)
    zombie = Tip("run_1", epoch=1, seq=1, last=first.hash).extend(Reflected(2, "b", "none"), 2)
    assert hash_of(zombie) == zombie.hash
    assert fault_of(zombie, 1, first.hash, 2) == "epoch 1 follows epoch 2"
    assert fault_of(first, 0, GENESIS, 0) == ""


@pytest.mark.parametrize(
    "event",
    [
        RunStarted("a", "\ud800"),
        RunStarted("a", "t", spec={"\udfff": 1}),
        EffectIntent("k", "tool", "n", "d", "pure", {"x": ["\udc00"]}),
        EffectIntent("k", "tool", "n", "d", "pure", {"x": object()}),
        EffectDone("k", Raw(b'"\\ud800"')),
        EffectDone("k", Raw(b'{"a":')),
        EffectDone("k", Raw(b'1,"key":"other"')),
        EffectDone("k", Raw(b'"\xff"')),
        EffectDone("k", Raw(b"")),
        EffectDone("k", Raw(b"[" * 100_000)),
        Reflected(1, "x" * MAX_EVENT_BYTES, "none"),
    ],
)
def test_what_cannot_be_read_back_is_never_written(event: Event) -> None:
    """Lone surrogates, objects, broken or injected raw JSON, endless depth and size: value_invalid, the tip stays."""
    tip = Tip("run_1", epoch=1)
    with pytest.raises(RemitError) as caught:
        tip.extend(event, 1)
    assert caught.value.code == "value_invalid"
    assert (tip.seq, tip.hash) == (0, GENESIS)
    assert "\\ud" not in str(caught.value).lower()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"type":"teleported"}', "journal_format"),
        (b'{"x":1,"type":"run_ended"}', "journal_format"),
        (b"", "chain_broken"),
        (b"{}", "chain_broken"),
        (b"[]", "chain_broken"),
        (b'{"type":1}', "chain_broken"),
        (b'{"type":"run_started"}', "chain_broken"),
        (b'{"type":"run_started","agent":"a","task":7}', "chain_broken"),
        (b'{"type":"run_started","agent":"a","task":"\\ud800"}', "chain_broken"),
        (b'{"type":"run_started","agent":"a","task":"\xff"}', "chain_broken"),
        (b'{"type":' + b"[" * 100_000, "chain_broken"),
        (b'{"type":"run_started","agent":"a","task":"t","spec":' + b'{"a":' * 5000, "chain_broken"),
        (b" " * (MAX_EVENT_BYTES + 1), "chain_broken"),
    ],
)
def test_strange_bodies_fail_with_their_code(body: bytes, code: str) -> None:
    """An unknown kind is journal_format, everything else that is no event chain_broken."""
    with pytest.raises(RemitError) as caught:
        decode_event(body)
    assert caught.value.code == code


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(st.text(st.characters(exclude_categories=["Cs"])), json_values)
def test_events_come_back_as_they_were(name: str, arguments: Any) -> None:
    """decode_event(encode_event(e)) == e for any text and JSON value."""
    event = EffectIntent(name, "tool", name, "d", "unsafe", arguments)
    assert decode_event(encode_event(event)) == event


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_fail_cleanly(body: bytes) -> None:
    """decode_event raises nothing but its two errors."""
    try:
        decode_event(body)
    except RemitError as error:
        assert error.code in ("chain_broken", "journal_format")
