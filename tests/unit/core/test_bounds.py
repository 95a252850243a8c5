"""Bounds of grants: their text, their three-valued predicates, and what they do in a ruling."""

from __future__ import annotations

from typing import Any

import pytest

from remit.core import needs
from remit.core.bounds import Bounds, Predicate, parse_bounds
from remit.core.effects import Need
from remit.core.grants import parse_denial, parse_grant
from remit.core.remit import Remit
from remit.errors import Denied, Invalid

TEXTS = {
    "uses=3": Bounds(uses=3),
    "bytes=10KB": Bounds(size_bytes=10_000),
    "bytes=1MiB and uses=0": Bounds(size_bytes=1048576, uses=0),
    "usd=0.50": Bounds(nano=500_000_000),
    "usd=0.000000001": Bounds(nano=1),
    "rate=10/60s": Bounds(rate=(10, 60_000)),
    "rate=20/h": Bounds(rate=(20, 3_600_000)),
    "until=1970-01-01T00:00:01+00:00": Bounds(expires_ms=1000),
    "arg.amount<=100": Bounds(where=(Predicate("amount", "<=", 100),)),
    'arg.to in ["a", "b"] and arg.x.y!="c d"': Bounds(
        where=(Predicate("to", "in", ("a", "b")), Predicate("x.y", "!=", "c d"))
    ),
    "arg.path~out/* and arg.n=5 and arg.s=five": Bounds(
        where=(Predicate("path", "~", "out/*"), Predicate("n", "=", 5), Predicate("s", "=", "five"))
    ),
    'ceiling="fs.read:a/**" and ceiling="net:x.org"': Bounds(ceiling=("fs.read:a/**", "net:x.org")),
}


@pytest.mark.parametrize("text", TEXTS, ids=str)
def test_bounds_are_read_and_written_back(text: str) -> None:
    """A text gives exactly its bounds, and their own text gives them again."""
    assert parse_bounds(text) == TEXTS[text]
    assert parse_bounds(str(TEXTS[text])) == TEXTS[text]


@pytest.mark.parametrize(
    "text",
    ["uses=-1", "uses=x", "uses=3 and uses=4", "uses<3", "bytes=1ZB", "usd=1e3", "usd=-1", "rate=0/s", "rate=5",
     "rate=20000/s", "until=tomorrow", "until=2027-01-01T00:00:00", "arg.x in a", "arg.x in []", "arg.x<a", "nonsense",
     "uses=3 or bytes=4", "uses=3 and", "wide=1", "uses=99999999999999999", "arg.x=[1]", " and ".join(["arg.a=1"] * 17),
     "arg.x in [[1]]", "usd=1 bytes=2", "arg.x=" + "y" * 5000],
)  # fmt: skip
def test_what_is_no_bound_is_refused(text: str) -> None:
    """A wrong bound is grant_invalid; it is never left out, which would widen the grant."""
    with pytest.raises(Invalid) as caught:
        parse_grant(f"tool:x where {text}")
    assert caught.value.code == "grant_invalid"


@pytest.mark.parametrize("text", ["tool:x where usd=1", "fs.read:a where ceiling=\"fs.read:b\"",
                                  "delegate:1 where ceiling=\"nonsense\""])  # fmt: skip
def test_a_bound_of_another_verb_is_refused(text: str) -> None:
    """Money bounds models only, a ceiling delegation only, and a ceiling holds grants."""
    with pytest.raises(Invalid):
        parse_grant(text)


@pytest.mark.parametrize("text", ["tool:x where uses=3", "tool:x where rate=1/s", "fs.read:a where bytes=1"])
def test_a_denial_counts_nothing(text: str) -> None:
    """A denial with a counter would stop denying: it is refused."""
    with pytest.raises(Invalid):
        parse_denial(text)


# predicate, arguments, what a grant answers, whether a denial stands
PREDICATES: list[tuple[str, Any, bool, bool]] = [
    ("arg.n<=5", {"n": 5}, True, True),
    ("arg.n<=5", {"n": 6}, False, False),
    ("arg.n<=5", {"n": "4"}, False, True),
    ("arg.n<=5", {}, False, True),
    ("arg.n<=5", None, False, True),
    ("arg.n<=5", {"n": True}, False, True),
    ("arg.n<=5", {"n": [1, 2]}, True, True),
    ("arg.n<=5", {"n": [1, 9]}, False, True),
    ("arg.n<=5", {"n": []}, False, True),
    ("arg.n<=5", {"n": float("nan")}, False, True),
    ('arg.to in ["a","b"]', {"to": "a"}, True, True),
    ('arg.to in ["a","b"]', {"to": ["a", "c"]}, False, True),
    ('arg.to in ["a","b"]', {"to": "c"}, False, False),
    ('arg.to="a"', {"to": "A"}, False, False),
    ('arg.to!="a"', {"to": "b"}, True, True),
    ('arg.to!="a"', {"to": {"x": 1}}, False, True),
    ("arg.p~out/*", {"p": "out/x"}, True, True),
    ("arg.p~out/*", {"p": "in/out/x"}, False, False),
    ("arg.p~*a*a*b", {"p": "a" * 3000}, False, False),
    ("arg.o.force=true", {"o": {"force": True}}, True, True),
    ("arg.o.force=true", {"o": "x"}, False, True),
]


@pytest.mark.parametrize(("clause", "arguments", "grants", "denies"), PREDICATES, ids=str)
def test_a_predicate_doubts_against_the_call(clause: str, arguments: Any, grants: bool, denies: bool) -> None:
    """What cannot be said of an argument never covers, and never takes a denial away."""
    need = Need("tool", "t")
    assert (parse_grant(f"tool:t where {clause}").within(0, arguments) == "") is grants
    assert parse_denial(f"tool:t where {clause}").denies(need, 0, arguments) is denies


def test_a_grant_ends_at_its_time_and_a_denial_too() -> None:
    """Before `until` both stand; from it on the grant covers nothing and the denial stops nothing."""
    remit = Remit.allow("tool:a where until=1970-01-01T00:00:01Z", "tool:b").deny(
        "tool:b where until=1970-01-01T00:00:01Z"
    )
    at = {now: [remit.allows(Need("tool", n), now) for n in ("a", "b")] for now in (999, 1000)}
    assert at == {999: [True, False], 1000: [False, True]}


def test_an_unbounded_grant_is_used_before_a_bounded_one() -> None:
    """Whatever the order, a counter is drawn on only where nothing else covers; the ruling names it."""
    bounded, plain = "fs.read:a/** where uses=1", "fs.read:a/b"
    for order in ((bounded, plain), (plain, bounded)):
        remit = Remit.allow(*order)
        assert remit.ruling(needs.fs_read("a/b")).charged == ()
        assert remit.ruling(needs.fs_read("a/c")).charged == (parse_grant(bounded),)


def test_a_bounded_grant_is_never_bound_into_a_sandbox() -> None:
    """What a program could use uncounted is left out of what a sandbox gets; it is still shown as granted."""
    remit = Remit.allow("fs.write:a/** where uses=1", "fs.write:b/**")
    assert (remit.granted("fs.write"), remit.bindable("fs.write")) == (("a/**", "b/**"), ("b/**",))


def test_a_grant_has_the_same_id_everywhere() -> None:
    """The id depends on the meaning, not on how the text was spaced; another bound is another id."""
    one, same = parse_grant("tool:x where uses=3 and bytes=1KB"), parse_grant("tool:x  where  bytes=1000 and uses=3")
    assert one.id == same.id != parse_grant("tool:x where uses=4 and bytes=1KB").id


def test_delegation_is_bounded_by_depth_name_and_ceiling() -> None:
    """A delegate grant says whom, how deep from its holder, and what the started agent never exceeds."""
    root = Remit.allow("fs.read:**", "delegate:qa_*@2", 'delegate:doc@1 where ceiling="fs.read:docs/**"')
    child = root.hand_down(Remit.allow("fs.read:**", "delegate:1"), "qa_one")
    grandchild = child.hand_down(Remit.allow("fs.read:**"), "qa_two")
    assert (child.depth, grandchild.depth) == (1, 2)
    assert grandchild.allows(needs.fs_read("x"))
    for holder, agent in ((root, "other"), (grandchild, "qa_three"), (child, "doc")):
        with pytest.raises(Denied) as caught:
            holder.hand_down(Remit(), agent)
        assert caught.value.code == "delegation_denied"
    writer = root.hand_down(Remit(), "doc")
    assert [writer.allows(needs.fs_read(p)) for p in ("docs/a", "src/a")] == [True, False]


def test_a_denied_agent_is_never_started() -> None:
    """A delegate denial beats a grant, also one that a parent set."""
    root = Remit.allow("delegate:3").deny("delegate:evil*@9")
    with pytest.raises(Denied):
        root.hand_down(Remit(), "evil_twin")
    with pytest.raises(Denied):
        root.hand_down(Remit(), "good").hand_down(Remit(), "evil_twin")
