"""The Remit algebra: denial beats grant, a child never exceeds its parent, whatever the order of meets."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.core import needs
from remit.core.budget import Budget
from remit.core.effects import Need
from remit.core.remit import BOTTOM, TOP, UNSET, Remit
from remit.errors import Invalid

GRANTS = [
    "fs.read:**",
    "fs.read:src/**",
    "fs.read:src/a.py",
    "fs.read:.env",
    "fs.write:out/**",
    "fs.write:*",
    "shell:git",
    "shell:git status",
    "shell:git *",
    "shell:*",
    "net:api.example.org",
    "net:GET,POST *.example.org/v1/**",
    "net:http://127.0.0.1:8080/**",
    "net:*",
    "tool:*",
    "tool:mcp__github__*",
    "model:anthropic:*",
    "model:*",
    "memory:project/*",
    "secret:github-token@api.github.com",
    "env:LANG",
    "delegate:2",
]
NEEDS = [
    needs.fs_read("src/a.py"),
    needs.fs_read("src/b/c.py"),
    needs.fs_read(".env"),
    needs.fs_read("x"),
    needs.fs_write("out/a"),
    needs.fs_write("a"),
    needs.shell(("git", "status")),
    needs.shell(("git", "push", "-f")),
    needs.shell(("/bin/rm", "-rf", "x")),
    needs.net("GET", "https://api.example.org/v1/x"),
    needs.net("POST", "https://api.example.org/v1/x"),
    needs.net("GET", "http://127.0.0.1:8080/v1"),
    Need("tool", "mcp__github__list"),
    Need("tool", "population"),
    Need("model", "anthropic:claude"),
    Need("model", "openai:gpt"),
    Need("memory", "project/x"),
    Need("secret", "github-token@api.github.com"),
    Need("env", "LANG"),
    Need("delegate", "1"),
    Need("delegate", "3"),
]
NOW = 1_000
texts = st.lists(st.sampled_from(GRANTS), max_size=6)
layers = st.builds(lambda g, d: (Remit.allow(*g) if g is not None else UNSET).deny(*d), st.none() | texts, texts)
expiring = st.builds(
    lambda r, e: Remit(r.layers, r.limits, e), layers, st.none() | st.sampled_from([NOW - 1, NOW, NOW + 1])
)
remits = st.sampled_from([TOP, BOTTOM, UNSET]) | expiring


def allowed(remit: Remit) -> set[Need]:
    return {n for n in NEEDS if remit.allows(n, NOW)}


@settings(max_examples=400, deadline=None)
@given(st.lists(remits, min_size=1, max_size=6))
def test_a_child_never_exceeds_its_parent_over_random_chains(chain: list[Remit]) -> None:
    """Each hand-down allows a subset of what its parent allowed, and of what was requested where it named grants."""
    held = chain[0]
    for requested in chain[1:]:
        child = held.meet(requested)
        assert allowed(child) <= allowed(held)
        if not requested.unset and requested.layers:
            assert allowed(child) <= allowed(requested)
        held = child


@settings(max_examples=200, deadline=None)
@given(remits, remits, remits)
def test_attenuation_composes_in_any_grouping(a: Remit, b: Remit, c: Remit) -> None:
    """(a meet b) meet c allows exactly what a meet (b meet c) allows."""
    assert allowed(a.meet(b).meet(c)) == allowed(a.meet(b.meet(c)))


@settings(max_examples=200, deadline=None)
@given(texts, texts, st.randoms(use_true_random=False))
def test_denial_wins_whatever_the_order(grants: list[str], denials: list[str], random: object) -> None:
    """A denied need is never allowed, however grants and denials are ordered, before or after."""
    first = Remit.allow(*grants).deny(*denials)
    second = Remit().deny(*reversed(denials)).allow(*reversed(grants))
    assert allowed(first) == allowed(second)
    only = Remit().deny(*denials)
    for need in NEEDS:
        if only.ruling(need).denied:
            assert not first.allows(need)


@settings(max_examples=200, deadline=None)
@given(remits)
def test_the_journal_form_means_the_same(remit: Remit) -> None:
    """A remit read back from its journalled form allows exactly the same."""
    assert allowed(Remit.from_data(remit.data())) == allowed(remit)


def test_top_bottom_and_unset_are_three_values() -> None:
    """TOP allows all, BOTTOM and a root UNSET nothing; as a child UNSET means `as the parent`, BOTTOM nothing."""
    assert allowed(TOP) == set(NEEDS)
    assert allowed(BOTTOM) == allowed(UNSET) == set()
    parent = Remit.allow("fs.read:**")
    assert allowed(parent.meet(UNSET)) == allowed(parent)
    assert allowed(parent.meet(BOTTOM)) == set()
    assert allowed(UNSET.meet(parent)) == set()
    assert (UNSET.unset, BOTTOM.unset, TOP.unset) == (True, False, False)


def test_an_empty_intersection_is_nothing() -> None:
    """Two remits without a common need meet in nothing; there is no fallback."""
    assert allowed(Remit.allow("fs.read:src/**").meet(Remit.allow("net:*"))) == set()


def test_a_deny_only_remit_still_denies() -> None:
    """Denials apply although nothing was granted, also against what is implied at the root."""
    remit = Remit().deny("tool:population").with_implied(["tool:*"])
    assert not remit.allows(Need("tool", "population"))
    assert remit.allows(Need("tool", "other"))


def test_implied_grants_do_not_reach_a_handed_down_remit() -> None:
    """Naming a model or tool grants it at the root only; a child's stack stays as it was handed down."""
    child = Remit.allow("fs.read:**").meet(Remit())
    assert child.with_implied(["tool:x"]) == child
    with pytest.raises(Invalid, match="meet"):
        child.allow("tool:x")


def test_expiry_takes_the_earliest_and_limits_the_least() -> None:
    """A meet keeps the earlier expiry and the smaller of each ceiling."""
    a = Remit(limits=Budget(usd=1.0, tokens=10), expires_ms=5)
    b = Remit(limits=Budget(usd=0.5, tool_calls=3), expires_ms=9)
    met = a.meet(b)
    assert (met.expires_ms, met.limits) == (5, Budget(usd=0.5, tokens=10, tool_calls=3))
    assert Remit.allow("tool:x").ruling(Need("tool", "x"), 0).rule == "tool:x"
    assert not Remit(Remit.allow("tool:x").layers, expires_ms=5).allows(Need("tool", "x"), 5)


def test_granted_folders_never_grow_by_a_meet() -> None:
    """What a sandbox binds is covered by every layer; a top-level glob never becomes a whole tree."""
    parent = Remit.allow("fs.write:out/**", "fs.write:*")
    assert parent.meet(Remit.allow("fs.write:out/sub/**")).granted("fs.write") == ("out/sub/**",)
    assert parent.meet(Remit.allow("fs.write:**")).granted("fs.write") == ("out/**", "*")
    assert parent.meet(BOTTOM).granted("fs.write") == ()
