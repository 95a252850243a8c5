"""Detectors of personal and secret data."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.guard import pii
from remit.guard.pii import KINDS, Match, find, iban_valid, luhn


def kinds(text: str) -> list[str]:
    """The kinds found in a text, in order."""
    return [match.kind for match in find(text)]


@pytest.mark.parametrize(
    ("digits", "valid"),
    [("79927398713", True), ("79927398710", False), ("4111111111111111", True), ("4111111111111112", False)],
)
def test_luhn(digits: str, valid: bool) -> None:
    """The check digit of ISO/IEC 7812-1 is checked."""
    assert luhn(digits) is valid


@pytest.mark.parametrize(
    ("text", "valid"),
    [("GB82WEST12345698765432", True), ("GB82WEST12345698765433", False), ("DE89370400440532013000", True),
     ("DE8937040044053201300", False), ("XX89370400440532013000", False)],
)  # fmt: skip
def test_iban(text: str, valid: bool) -> None:
    """Country, length and remainder are checked."""
    assert iban_valid(text) is valid


def test_the_most_specific_kind_wins() -> None:
    """A database URL is one thing, not an e-mail address and a host; a key in a header is a key."""
    assert kinds("postgres://ann:pw@db.example.com:5432/x") == ["database_url"]
    assert kinds("Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abcdefghij") == ["jwt"]


def test_a_match_is_the_place_in_the_text() -> None:
    """Kind, range and confidence of each, in order of place."""
    assert find("to ann@x.org from 8.8.8.8") == [Match("email", 3, 12, 0.95), Match("ipv4", 18, 25, 0.8)]


def test_nobodys_address_is_not_personal() -> None:
    """Loopback, unspecified, masks and documentation addresses, versions and impossible ones are left alone."""
    assert kinds("127.0.0.1 0.0.0.0 255.255.255.0 192.0.2.7 version 1.2.3.4 v1.2.3.4 300.1.1.1 1.2.3.4.5") == []


def test_without_its_checksum_every_number_is_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unplugged: without Luhn an order number is taken for a card."""
    assert kinds("order 4111111111111112") == []
    monkeypatch.setattr(pii, "luhn", lambda digits: True)
    assert kinds("order 4111111111111112") == ["card"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_detector(kind: str) -> None:
    """A kind can be asked for alone, and finds nothing in an empty text."""
    assert find("", (kind,)) == []


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("a@.0123456789 -:/%&#;\u200b=eyJskPII"), max_size=300))
def test_matches_never_overlap(text: str) -> None:
    """Whatever the text, matches are in order, within it, and do not overlap."""
    at = 0
    for match in find(text):
        assert at <= match.start < match.end <= len(text)
        at = match.end
