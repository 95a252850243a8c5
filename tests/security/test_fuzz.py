# ruff: noqa: E501  # hostile data and scripts are one line each
"""Hostile bytes against every decoder: a RemitError or an answer, nothing else; the same targets as fuzz/run.py."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remit.errors import RemitError
from security.fuzz.targets import SEEDS, TARGETS

NASTY = [b"", b"\x00", b"\xff\xfe", b"[" * 5000, b'{"a":' * 5000, b"\xed\xa0\x80", b"9" * 5000, b"-1", b"1e999", b"null",
         b'"\\ud800"', b"NaN", b"\r\n" * 100, b"a" * 70_000, b"\xe2\x80\xae", b"%", b"${x}", b"{{secret:a}}"]  # fmt: skip


def check_answer(name: str, data: bytes) -> None:
    """One input; a RemitError is an answer."""
    try:
        TARGETS[name](data)
    except RemitError as e:
        assert e.code


@st.composite
def mutated(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """A seed with pieces cut, doubled, changed or put in."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data)))
        match draw(st.integers(0, 4)):
            case 0:
                del data[at : at + draw(st.integers(1, 20))]
            case 1:
                data[at:at] = draw(st.binary(min_size=1, max_size=12))
            case 2:
                data[at:at] = draw(st.sampled_from(NASTY))[:300]
            case 3:
                data[at:at] = data[at : at + draw(st.integers(1, 60))]
            case _:
                data[at : at + 1] = bytes([draw(st.integers(0, 255))])
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
def test_nasty_bytes(name: str) -> None:
    """Empty, deep, long, broken UTF-8, lone surrogates, infinities: no decoder falls over."""
    for data in (*NASTY, *SEEDS.get(name, ())):
        check_answer(name, data)


@pytest.mark.parametrize("name", TARGETS)
def test_mutated_bytes(name: str) -> None:
    """Mutations of what the format looks like: no decoder falls over."""
    seeds = SEEDS.get(name, (b'{"error":{"message":"x","code":"y"}}',))

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.one_of(mutated(seeds), st.binary(max_size=200)))
    def check(data: bytes) -> None:
        check_answer(name, data)

    check()


def test_every_target_has_a_seed() -> None:
    """A decoder whose format nobody shows the fuzzer is hardly fuzzed (error bodies share one seed)."""
    assert {name for name in TARGETS if not name.endswith("/error")} <= set(SEEDS)
