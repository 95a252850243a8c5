"""Permission modes, autonomy levels, and policies that are handed down."""

from __future__ import annotations

from typing import Any

import pytest

from remit.core import needs
from remit.core.decisions import ALLOW, Decision, Facts, strictest
from remit.core.effects import Need
from remit.core.remit import TOP, Remit
from remit.core.sections import PolicyRuleSection, PolicySection
from remit.errors import Invalid
from remit.guard.modes import LEVELS, MODES, Mode, Policy, capped, decide, delegated, policy_of

READ = Facts("tool", "read_file", "read", (needs.fs_read("a"),))
WRITE = Facts("tool", "write_file", "write", (needs.fs_write("a"),))
GET = Facts("tool", "http_request", "read", (needs.net("GET", "https://x.org/"),))
POST = Facts("tool", "http_request", "read", (needs.net("POST", "https://x.org/"),))
OWN = Facts("tool", "mine", "unsafe", (Need("tool", "mine"),))
MODEL = Facts("model", "openai:x", "read", (Need("model", "openai:x"),))
ALL = (READ, WRITE, GET, POST, OWN, MODEL)

# mode -> what it says of ALL when a grant covers them, and of what none covers
MODE_TABLE = {
    "default": (["allow"] * 6, "ask"),
    "strict": (["allow"] * 6, "deny"),
    "permissive": (["allow"] * 6, "allow"),
    "plan_only": (["allow", "capture", "allow", "capture", "capture", "allow"], "deny"),
    "read_only": (["allow", "deny", "allow", "deny", "deny", "allow"], "deny"),
}
LEVEL_TABLE = {
    "full": ["allow"] * 6,
    "supervised": ["allow", "ask", "allow", "ask", "ask", "allow"],
    "read_only": ["allow", "deny", "deny", "deny", "deny", "allow"],
}


@pytest.mark.parametrize("mode", MODE_TABLE)
def test_each_mode_answers_as_its_table(mode: str) -> None:
    """What is covered, what is not: exactly the documented decision."""
    policy = Policy((Mode(mode),))
    covered, uncovered = MODE_TABLE[mode]
    assert [decide(policy, facts, True).kind for facts in ALL] == covered
    assert {decide(policy, facts, False).kind for facts in ALL} == {uncovered}


@pytest.mark.parametrize("level", LEVEL_TABLE)
def test_each_level_answers_as_its_table(level: str) -> None:
    """Reads, network and effects: exactly the documented decision."""
    assert [decide(Policy(autonomy=level), facts, True).kind for facts in ALL] == LEVEL_TABLE[level]


def custom(otherwise: str, *rules: tuple[str, str]) -> Policy:
    section = PolicySection(
        mode="custom",
        otherwise=otherwise,
        rules=tuple(PolicyRuleSection(m, d) for m, d in rules),  # type: ignore[arg-type]
    )
    return policy_of(section)


def test_custom_rules_the_strictest_counts_and_doubt_stops() -> None:
    """deny over capture over ask over allow, in any order; an allow rule covers without doubt only."""
    policy = custom("ask", ("fs.write:**", "allow"), ("fs.write:a", "capture"), ("net:x.org", "deny"),
                    ("tool:mine where arg.n>5", "deny"), ("tool:mine", "allow"))  # fmt: skip
    small = Facts("tool", "mine", "unsafe", (Need("tool", "mine"),), {"n": 1})
    assert decide(policy, WRITE, True).kind == "capture"
    assert decide(policy, GET, True).kind == "deny"
    assert [decide(policy, f, False).kind for f in (READ, small, OWN)] == ["ask", "allow", "deny"]
    assert decide(custom("deny"), READ, False).kind == "deny"


def test_levels_below_full_bring_their_caps() -> None:
    """20 actions an hour and 500 cents a day, unless the policy names its own."""
    assert (capped(Policy()).actions_per_hour, capped(Policy()).cents_per_day) == (None, None)
    low = capped(Policy(autonomy="supervised", cents_per_day=7))
    assert (low.actions_per_hour, low.cents_per_day, low.refuse_unpriced) == (20, 7, True)
    assert capped(Policy(autonomy="read_only")).refuse_unpriced is False


def test_a_handed_down_policy_is_narrower_in_every_part() -> None:
    """Lowest level, union of forbidden paths, meet of roots, sensitive only if both, lowest rates, both modes."""
    parent = Policy((Mode("default"),), "supervised", 10, None, ("a/**",), ("src", "docs"))
    child = Policy((Mode("permissive"),), "full", 20, 300, ("b/**",), ("src/app", "etc"), sensitive=False)
    assert delegated(parent, child) == Policy(
        (Mode("default"), Mode("permissive")), "supervised", 10, 300, ("a/**", "b/**"), ("src/app",), sensitive=False
    )
    assert delegated(Policy(), Policy((Mode("permissive"),))).modes == (Mode("strict"), Mode("permissive"))
    assert delegated(Policy(roots=("a",)), Policy(roots=("b",))).roots == ()


@pytest.mark.parametrize("parent", [*MODES, ""])
@pytest.mark.parametrize("child", MODES)
def test_no_policy_widens_the_one_above(parent: str, child: str) -> None:
    """For every pair of modes and levels, the child's decision is at least as strict as its parent's."""
    order = ["allow", "ask", "capture", "deny"]
    for level in LEVELS:
        above = Policy((Mode(parent),) if parent else (), level)
        below = delegated(above, Policy((Mode(child),)))
        for facts in ALL:
            for covered in (True, False):
                strict = [order.index(decide(p, facts, covered).kind) for p in (below, above)]
                assert strict[0] >= strict[1]


def test_the_paths_of_a_policy_are_a_ceiling() -> None:
    """Forbidden paths and roots bound every remit; of other verbs the ceiling says nothing."""
    remit = Remit.allow("fs.read:**", "fs.write:**", "tool:x", "fs.read:src/.env")
    held = Policy(forbidden_paths=("src/keep/**",), roots=("src",), sensitive=False).ceiling().meet(remit)
    asked = [needs.fs_read("src/a"), needs.fs_write("src/keep/a"), needs.fs_read("b"), Need("tool", "x"),
             needs.fs_read("src/.env"), Need("tool", "y")]  # fmt: skip
    assert [held.allows(n) for n in asked] == [True, False, False, True, False, False]
    assert Policy().ceiling() == TOP
    open_root = Policy(forbidden_paths=("x",)).ceiling().meet(remit)
    assert [open_root.allows(n) for n in (needs.fs_read("src/.env"), needs.fs_read("x"))] == [True, False]


@pytest.mark.parametrize(
    "section",
    [PolicySection(rules=(PolicyRuleSection("tool:x", "deny"),)), PolicySection(otherwise="ask"),
     PolicySection(mode="strict", otherwise="ask"),
     PolicySection(mode="custom", rules=(PolicyRuleSection("tool:x where uses=1", "deny"),)),
     PolicySection(mode="custom", rules=(PolicyRuleSection("nonsense", "allow"),))],
)  # fmt: skip
def test_a_policy_that_contradicts_itself_is_refused(section: Any) -> None:
    """Rules without the custom mode, counters in a denial, patterns that are none."""
    with pytest.raises(Invalid) as caught:
        policy_of(section)
    assert caught.value.code in ("policy_invalid", "grant_invalid")


def test_unknown_names_are_refused() -> None:
    """A mode or level that there is not is policy_invalid."""
    with pytest.raises(Invalid):
        Mode("yolo")
    with pytest.raises(Invalid):
        Policy(autonomy="some")


def test_the_strictest_of_no_answers_is_allow() -> None:
    """Nothing said is nothing taken away; the first of equals is shown."""
    assert strictest(()) == ALLOW
    assert strictest((Decision("ask", "a"), Decision("ask", "b"))).rule == "a"
