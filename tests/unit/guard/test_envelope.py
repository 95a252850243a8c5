"""Sealed records: what opens, and that nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.errors import RemitError
from remit.guard.envelope import ALGORITHMS, OVERHEAD_BYTES, Cipher, Header, Place, header_of, place_bytes

KEY = bytes(range(32))
PLACE = Place("sessions", "record-1", 3)
algorithms = pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))


def cipher(algorithm: str = "aes-256-gcm", key_id: str = "00112233445566ff") -> Cipher:
    """A cipher over a fixed key."""
    return Cipher(KEY, key_id, algorithm)


@algorithms
def test_what_is_sealed_opens_and_names_its_key(algorithm: str) -> None:
    """A sealed record is OVERHEAD_BYTES longer, says algorithm and key id, and opens to the same bytes."""
    sealed = cipher(algorithm).seal(b"secret text", PLACE)
    assert len(sealed) == len(b"secret text") + OVERHEAD_BYTES
    assert header_of(sealed, PLACE) == Header(algorithm, "00112233445566ff")
    assert b"secret" not in sealed
    assert cipher(algorithm).open(sealed, PLACE) == b"secret text"


@algorithms
def test_every_flipped_bit_is_refused(algorithm: str) -> None:
    """Whichever bit of header, nonce, ciphertext or tag is flipped, the record does not open."""
    sealed = cipher(algorithm).seal(b"0123456789", PLACE)
    for bit in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(RemitError, match="record_altered"):
            cipher(algorithm).open(bytes(changed), PLACE)


@pytest.mark.parametrize(
    "place",
    [Place("session", "srecord-1", 3), Place("sessions", "record-2", 3), Place("sessions", "record-1", 2)],
)
def test_a_record_opens_in_its_own_place_only(place: Place) -> None:
    """Store, record id and version are authenticated: a moved record is refused."""
    with pytest.raises(RemitError, match="record_altered"):
        cipher().open(cipher().seal(b"x", PLACE), place)


def test_another_key_or_algorithm_is_refused() -> None:
    """A record of another key, and one of the other algorithm under the same key, do not open."""
    sealed = cipher().seal(b"x", PLACE)
    for other in (Cipher(bytes(32), "00112233445566ff", "aes-256-gcm"), cipher("chacha20-poly1305")):
        with pytest.raises(RemitError, match="record_altered"):
            other.open(sealed, PLACE)


def test_nonces_are_fresh() -> None:
    """The same text sealed a thousand times gives a thousand different nonces."""
    assert len({cipher().seal(b"x", PLACE)[14:26] for _ in range(1000)}) == 1000


@pytest.mark.parametrize(("key", "algorithm"), [(b"short", "aes-256-gcm"), (KEY, "rot13")])
def test_what_is_no_key_is_refused(key: bytes, algorithm: str) -> None:
    """A key has 32 bytes and a known algorithm."""
    with pytest.raises(RemitError, match="key_invalid"):
        Cipher(key, "00112233445566ff", algorithm)


@given(st.binary(max_size=200))
def test_hostile_bytes_are_refused(raw: bytes) -> None:
    """Whatever bytes come, header and opening end in record_altered and nothing else."""
    for attempt in (lambda: header_of(raw, PLACE), lambda: cipher().open(raw, PLACE)):
        try:
            attempt()
        except RemitError as error:
            assert error.code == "record_altered"
        else:
            assert raw.startswith(b"rmte")


@given(st.tuples(st.text(max_size=9), st.text(max_size=9)), st.tuples(st.text(max_size=9), st.text(max_size=9)))
def test_no_two_places_are_alike(first: tuple[str, str], second: tuple[str, str]) -> None:
    """Different places have different authenticated bytes, however their parts are cut."""
    assert (place_bytes(Place(*first)) == place_bytes(Place(*second))) == (first == second)
