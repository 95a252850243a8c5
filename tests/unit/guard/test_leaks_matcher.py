"""The matcher: every form of a value, in whole texts and in streams, and nothing else."""

from __future__ import annotations

import json
from base64 import b32encode, b64encode, urlsafe_b64encode
from codecs import encode
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.guard.leaks_forms import patterns_of, reduced
from remit.guard.leaks_matcher import Matcher, StreamMask, _Index

VALUE = b'gh-Secret+/token&42"xy'
MATCHER = Matcher([("github", VALUE)])

FORMS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda v: v,
    "upper case": bytes.upper,
    "reversed": lambda v: v[::-1],
    "split by spaces": lambda v: b" ".join(bytes([b]) for b in v),
    "split into strings": lambda v: b'"+"'.join(v[i : i + 5] for i in range(0, len(v), 5)),
    "split by lines": lambda v: b"\r\n".join(v[i : i + 4] for i in range(0, len(v), 4)),
    "zero-width": lambda v: "\u200b".join(v.decode()).encode(),
    "utf-16": lambda v: v.decode().encode("utf-16"),
    "base64": b64encode,
    "base64 shifted by one": lambda v: b64encode(b"x" + v + b"tail"),
    "base64 shifted by two": lambda v: b64encode(b"xy" + v + b"t"),
    "base64 in lines": lambda v: b"\n".join(b64encode(v)[i : i + 8] for i in range(0, 40, 8)),
    "base64 for URLs": urlsafe_b64encode,
    "base64 twice": lambda v: b64encode(b64encode(v)),
    "base64 reversed": lambda v: b64encode(v)[::-1],
    "base32": lambda v: b32encode(b"abc" + v),
    "hex": lambda v: v.hex().encode(),
    "hex upper with colons": lambda v: v.hex(":").upper().encode(),
    "hex reversed": lambda v: v.hex().encode()[::-1],
    "hex escapes": lambda v: "".join(f"\\x{b:02x}" for b in v).encode(),
    "hex array": lambda v: v.hex(",").encode(),
    "decimal codes": lambda v: " ".join(map(str, v)).encode(),
    "percent where needed": lambda v: quote(v, safe="").encode(),
    "percent everywhere": lambda v: "".join(f"%{b:02X}" for b in v).encode(),
    "percent twice": lambda v: quote(quote(v, safe="")).encode(),
    "JSON": lambda v: json.dumps(v.decode()).encode(),
    "JSON in JSON": lambda v: json.dumps(json.dumps(v.decode())).encode(),
    "JSON escapes everywhere": lambda v: "".join(f"\\u{b:04x}" for b in v).encode(),
    "HTML decimal": lambda v: "".join(f"&#{b};" for b in v).encode(),
    "HTML hex": lambda v: "".join(f"&#x{b:x};" for b in v).encode(),
    "rot13": lambda v: encode(v.decode(), "rot13").encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_masked_whole(form: str) -> None:
    """Each form is replaced by the secret's name; no eight characters of it are left."""
    text = FORMS[form](VALUE)
    masked = MATCHER.mask(b"before <" + text + b"> after")
    assert masked.startswith(b"before <") and masked.endswith(b"> after") and b"[secret:github]" in masked
    rest = reduced(masked.replace(b"[secret:github]", b"\n"))
    shown = reduced(text)
    assert not any(shown[i : i + 8] in rest for i in range(len(shown) - 7))


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_masked_across_pieces(form: str) -> None:
    """Wherever a stream is cut in two, the value is masked, and but for its first three letters nothing of it came."""
    data = b"before <" + FORMS[form](VALUE) + b"> after"
    whole = MATCHER.mask(data)
    for cut in range(1, len(data)):
        mask = StreamMask(MATCHER)
        shown = mask.feed(data[:cut]) + mask.feed(data[cut:]) + mask.finish()
        assert b"[secret:github]" in shown and shown.endswith(b"> after")
        escaped = 8 if b"&#" in data or b"\\" in data else 1  # letters of an escape for each letter
        assert len(reduced(shown)) <= len(reduced(whole)) + 3 * escaped


@given(
    st.lists(st.sampled_from([VALUE, b64encode(VALUE), VALUE.hex().encode(), b"gh-Secr", b"\n", b"plain text "])),
    st.integers(1, 7),
)
@settings(max_examples=200, deadline=None)
def test_a_stream_shows_what_the_whole_shows(parts: list[bytes], size: int) -> None:
    """Cut into pieces of any size, a stream holds no form that the masked whole does not hold."""
    data = b" ".join(parts)
    mask = StreamMask(MATCHER)
    shown = b"".join(mask.feed(data[i : i + size]) for i in range(0, len(data), size)) + mask.finish()
    assert not MATCHER.find(shown) or MATCHER.find(MATCHER.mask(data))
    assert reduced(VALUE) not in reduced(shown)
    assert shown.count(b"plain text") == data.count(b"plain text")


@given(st.binary(max_size=2000))
@settings(max_examples=300, deadline=None)
def test_what_holds_no_value_is_untouched(data: bytes) -> None:
    """Text without the value passes as the same object, and a stream passes every byte of it."""
    assert MATCHER.mask(data) is data
    mask = StreamMask(MATCHER)
    assert mask.feed(data) + mask.finish() == data


@given(st.binary(min_size=8, max_size=300), st.binary(max_size=40), st.binary(max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_value_is_found(value: bytes, before: bytes, after: bytes) -> None:
    """Whatever bytes a value has and whatever stands around it, its plain form and its hex are found."""
    matcher = Matcher([("x", value)])
    assert value not in matcher.mask(before + value + after)
    assert value.hex().encode() not in matcher.mask(before + b"." + value.hex().encode() + b"." + after)


@pytest.mark.parametrize("form", ["plain", "upper case", "reversed", "split by spaces", "utf-16", "rot13", "base64"])
def test_a_value_of_symbols_is_found_too(form: str) -> None:
    """A value with hardly a letter in it is found with its symbols, whole and across pieces."""
    value = b"!#a$%&*+Z-/=?^_|~9<>{}"
    matcher = Matcher([("odd", value)])
    data = b"x (" + FORMS[form](value) + b") y"
    assert b"[secret:odd]" in matcher.mask(data)
    for cut in range(1, len(data)):
        mask = StreamMask(matcher)
        assert b"[secret:odd]" in mask.feed(data[:cut]) + mask.feed(data[cut:]) + mask.finish()


def test_a_part_of_a_long_value_is_found() -> None:
    """A long value is guarded in pieces: a line of a private key is masked by itself."""
    key = b"\n".join(b64encode(bytes((i * 7 + j) % 251 for j in range(48))) for i in range(20))
    matcher = Matcher([("pem", key)])
    assert matcher.mask(b"x" + key + b"y") == b"x[secret:pem]y"
    assert b"[secret:pem]" in matcher.mask(key[200:330])


def test_a_stream_is_not_held_back_for_nothing() -> None:
    """What cannot become a value is handed on at once: an SSE event does not wait for the next one."""
    mask = StreamMask(MATCHER)
    event = b'data: {"choices":[{"delta":{"content":"hello"}}]}\n\n'
    assert (mask.feed(event), mask.feed(event)) == (event, event)
    assert mask.feed(b"it is gh-Sec") == b"it is "
    assert mask.feed(b"ondary") == b"gh-Secondary"


def test_the_work_does_not_grow_with_the_number_of_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking through a text compares a few candidates, whether there is one value or a thousand."""
    values = [(f"s{i}", b64encode(bytes((i * 31 + j * 17) % 256 for j in range(24)))) for i in range(1000)]
    text = b"The quick brown fox jumps over the lazy dog; " * 2000
    looked: list[int] = []
    hits = _Index.hits
    monkeypatch.setattr(_Index, "hits", lambda index, text, at: looked.append(at) or hits(index, text, at))
    assert Matcher(values).find(text) == []
    assert len(looked) < len(text) / 10


def test_nothing_shows_a_pattern() -> None:
    """The repr of a matcher holds no value; an empty one is false and finds nothing."""
    assert repr(MATCHER) == "Matcher(1 values)"
    assert not Matcher(()) and Matcher(()).find(VALUE) == []
    assert all(len(p) >= 8 for p in patterns_of(VALUE))
