"""The rulebook and the authority of a run: the strictest policy counts, caps hold, handles count too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from remit.config import load
from remit.core import needs
from remit.core.decisions import Facts
from remit.core.effects import Need
from remit.core.remit import Remit
from remit.errors import Denied, Invalid
from remit.guard.handles import Lease
from remit.guard.modes import Mode, Policy
from remit.guard.policy import DAY_MS, HOUR_MS, Rulebook, rulebook_of
from remit.guard.policy_admission import Authority, authority_of, joined
from remit.guard.policy_meter import Revocations
from remit.guard.policy_site import parse_site_policy

WRITE = Facts("tool", "write_file", "write", (needs.fs_write("out/a"),))
READ = Facts("tool", "read_file", "read", (needs.fs_read("a"),))
MODEL = Facts("model", "m", "read", (Need("model", "m"),))
REMIT = Remit.allow("fs.write:out/**", "fs.read:**", "model:m")


def authority(remit: Remit = REMIT, book: Rulebook | None = None, ceiling: Remit | None = None) -> Authority:
    if ceiling is None:
        return authority_of(remit, "r", Revocations(), rulebook=book)
    return authority_of(remit, "r", Revocations(), rulebook=book, ceiling=ceiling)


def perform(
    held: Authority, facts: Facts, now_ms: int = 0, *, remit: Remit = REMIT, nano: int = 0, cost: int = 0
) -> str:
    """As the gate does: admit, take, end; the code of a denial, `ask`, or ``."""
    found = held.admit(remit, facts, now_ms, nano=nano)
    if found.deny is not None:
        return found.deny.code

    class Action:
        draw = held.take(found, facts, now_ms, nano=nano)
        tried = True

    Action.nano = cost  # type: ignore[attr-defined]
    held.settle(Action, None, now_ms)
    return "ask" if found.ask else ""


def test_actions_an_hour_are_capped() -> None:
    """20 effects that act pass in any hour; reads and model calls do not count."""
    held = authority(book=Rulebook(Policy(autonomy="full", actions_per_hour=20)))
    for minute in range(20):
        assert perform(held, WRITE, minute * 60_000) == ""
        assert perform(held, READ, minute * 60_000) == ""
    assert perform(held, WRITE, HOUR_MS - 1) == "cap_reached"
    assert perform(held, WRITE, HOUR_MS) == ""


def test_cents_a_day_are_capped() -> None:
    """What could pass the cap is refused; what was really paid counts for a day."""
    held = authority(book=Rulebook(Policy(cents_per_day=100)))
    assert perform(held, MODEL, nano=900_000_000, cost=600_000_000) == ""
    assert perform(held, MODEL, nano=500_000_000) == "cap_reached"
    assert perform(held, MODEL, nano=400_000_000, cost=400_000_000) == ""
    assert perform(held, MODEL, 1, nano=1) == "cap_reached"
    assert perform(held, MODEL, DAY_MS, nano=900_000_000) == ""


def test_calls_side_by_side_cannot_pass_a_cap() -> None:
    """What is under way holds its worst case."""
    held = authority(book=Rulebook(Policy(cents_per_day=100)))
    found = held.admit(REMIT, MODEL, 0, nano=600_000_000)
    held.take(found, MODEL, 0, nano=600_000_000)
    assert perform(held, MODEL, nano=600_000_000) == "cap_reached"


def test_a_cap_refuses_what_has_no_price() -> None:
    """An unknown price is not a price of nothing."""
    held = authority(book=Rulebook(Policy(cents_per_day=100)))
    found = held.admit(REMIT, MODEL, 0, nano=None)
    assert found.deny is not None and found.deny.code == "cap_reached"


@pytest.mark.parametrize(
    ("mode", "covered", "uncovered"),
    [("strict", "", "not_granted"), ("default", "", "ask"), ("permissive", "", ""),
     ("plan_only", "captured", "not_granted"),
     ("read_only", "mode_denied", "not_granted")],
)  # fmt: skip
def test_modes_reach_the_gate(mode: str, covered: str, uncovered: str) -> None:
    """Each mode's answer to an effect that a grant covers, and to one that none covers."""
    held = authority(book=Rulebook(Policy((Mode(mode),))))
    other = Facts("tool", "write_file", "write", (needs.fs_write("etc/a"),))
    assert (perform(held, WRITE), perform(held, other)) == (covered, uncovered)


def test_no_mode_lets_past_a_denial_a_ceiling_or_a_bound() -> None:
    """The deny list always wins; a ceiling's missing grant and a used-up bound cannot be asked away."""
    ceiling = Remit.allow("fs.write:out/**", "tool:*")
    remit = ceiling.meet(Remit.allow("fs.write:out/x/** where uses=0").deny("fs.write:out/no"))
    for mode in ("default", "permissive"):
        held = authority(remit, Rulebook(Policy((Mode(mode),))), ceiling)
        paths = {"out/no": "denied_by_rule", "etc/a": "not_granted", "out/x/a": "grant_bound"}
        for path, code in paths.items():
            facts = Facts("tool", "write_file", "write", (needs.fs_write(path),))
            assert perform(held, facts, remit=remit) == code


def test_the_site_file_beats_the_users_mode() -> None:
    """A permissive user stays below the site's file."""
    site = parse_site_policy(b'[[rules]]\ntool="read_file"\nfilesystem=["docs/**"]\ndecision="allow"', "s")
    book = Rulebook(Policy((Mode("permissive"),)), site)
    ceiling = book.ceiling()
    remit = ceiling.meet(REMIT)
    held = authority(remit, book, ceiling)
    docs = Facts("tool", "read_file", "read", (needs.fs_read("docs/a"),))
    assert [perform(held, f, remit=remit) for f in (docs, READ, WRITE)] == ["", "not_granted", "not_granted"]
    assert perform(held, Facts("tool", "other", "read", ()), remit=remit) == "site_denied"


def test_handles_are_judged_and_counted_in_the_call() -> None:
    """An own tool's handle stays below mode and level, draws on bounded grants, and asks nobody."""
    remit = Remit.allow("tool:mine", "fs.read:** where uses=1", "net:* where bytes=10")
    held = authority(remit, Rulebook(Policy(autonomy="supervised")))
    facts = Facts("tool", "mine", "read", (Need("tool", "mine"),), {})
    found = held.admit(remit, facts, 0)
    lease = Lease(facts.needs, builtin=False, tainted=False, timeout_s=1)
    held.equip(lease, found, facts)
    assert [lease.ruling(remit, needs.fs_read(p), 0).allowed for p in ("a", "a", "b")] == [True, True, True]
    second = Lease(facts.needs, builtin=False, tainted=False, timeout_s=1)
    held.equip(second, found, facts)
    assert "all 1 uses" in second.ruling(remit, needs.fs_read("a"), 0).spent
    get, post = needs.net("GET", "https://x.org/"), needs.net("POST", "https://x.org/")
    assert lease.ruling(Remit.allow("net:* x.org"), get, 0).allowed is True
    assert lease.ruling(Remit.allow("net:* x.org"), post, 0).allowed is False


def test_without_policies_everything_is_the_remits_own_answer() -> None:
    """`plain` is what the gate tests to skip all of this."""
    assert authority().plain
    assert not authority(Remit.allow("tool:x where uses=1")).plain
    assert not authority(book=Rulebook()).plain
    held = authority()
    held.meter.revocations.revoke("g_1", 0)
    assert not held.plain


def test_two_questions_become_one() -> None:
    """Neither is lost."""
    from remit.core.effects import Ask

    assert joined(None, None) is None
    assert joined(Ask("a?"), None) == Ask("a?")
    assert joined(Ask("a?", "grant"), Ask("b?")) == Ask("a? b?", "grant")


# --- from configuration ------------------------------------------------------------------------------


def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: str, project: str = "") -> Any:
    monkeypatch.setenv("REMIT_CONFIG_DIR", str(tmp_path / "config"))
    (tmp_path / "config").mkdir()
    (tmp_path / "work").mkdir()
    (tmp_path / "config" / "remit.toml").write_text(user)
    if project:
        (tmp_path / "work" / "remit.toml").write_text(project)
    return load(str(tmp_path / "work"), env={})


def test_capabilities_become_bounded_grants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every key of an entry is a bound of its grants; denials take time and predicates."""
    found = settings(
        tmp_path, monkeypatch,
        """
        [remit]
        allow = ["tool:plain"]
        [[capabilities]]
        grant = ["fs.write:out/**", "tool:t"]
        deny = "fs.write:out/keep/**"
        expires = 2027-01-01T00:00:00Z
        uses = 3
        bytes = "10KB"
        rate = "5/m"
        where = ["path~out/*"]
        [[capabilities]]
        grant = "model:m"
        usd = 0.25
        [[capabilities]]
        grant = "delegate:qa@1"
        ceiling = ["fs.read:qa/**"]
        """,
    )  # fmt: skip
    bounds = 'until=2027-01-01T00:00:00.000Z and uses=3 and bytes=10000 and rate=5/60000ms and arg.path~"out/*"'
    assert found["remit.allow"] == (
        "tool:plain", f"fs.write:out/** where {bounds}", f"tool:t where {bounds}", "model:m where usd=0.25",
        'delegate:qa@1 where ceiling="fs.read:qa/**"',
    )  # fmt: skip
    assert found["remit.deny"] == (
        'fs.write:out/keep/** where until=2027-01-01T00:00:00.000Z and arg.path~"out/*"',
    )  # fmt: skip


@pytest.mark.parametrize(
    "entry",
    ["uses = 3", 'grant = "nonsense"', 'grant = "tool:x"\nuses = -1', 'grant = "tool:x"\nbytes = "many"',
     'grant = "tool:x"\nexpires = 2027-01-01T00:00:00', 'grant = "tool:x"\nusd = 1', 'grant = "tool:x"\nextra = 1',
     'grant = "tool:x"\nwhere = ["n ~ 1 or 2"]'],
)  # fmt: skip
def test_a_wrong_capability_is_named(entry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """config_invalid with the entry's place."""
    with pytest.raises(Invalid) as caught:
        settings(tmp_path, monkeypatch, f"[[capabilities]]\n{entry}\n")
    assert caught.value.code == "config_invalid"
    assert "capabilities" in caught.value.message


def test_a_project_file_only_narrows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An untrusted project's capabilities are met with the user's; its policy is the narrower of both."""
    found = settings(
        tmp_path, monkeypatch,
        '[remit]\nallow = ["fs.write:out/**"]\n[policy]\nmode = "default"\nactions_per_hour = 5\n',
        '[[capabilities]]\ngrant = ["fs.write:**"]\nuses = 1\n[policy]\nmode = "permissive"\nactions_per_hour = 9\n'
        'autonomy = "supervised"\n',
    )  # fmt: skip
    remit = found.check().remit("")
    assert [remit.allows(needs.fs_write(p)) for p in ("out/a", "a")] == [True, False]
    assert [str(g) for g in remit.counted] == ["fs.write:** where uses=1"]
    book = rulebook_of(found)
    assert book is not None
    assert (book.policy.actions_per_hour, book.policy.autonomy) == (5, "supervised")
    other = Facts("tool", "write_file", "write", (needs.fs_write("etc/a"),))
    assert book.decide(other, False, 0).kind == "ask"


@pytest.mark.parametrize("key", ['[remit]\nenable = ["write_file"]', '[policy]\nsite = "x.toml"',
                                 '[policy]\ncedar = "x"',
                                 '[roles.mine]\npermissions = ["run_agent"]'])  # fmt: skip
def test_a_project_file_cannot_widen(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flags, policy files and roles of an untrusted project are refused before anything runs."""
    found = settings(tmp_path, monkeypatch, "", key)
    with pytest.raises(Invalid) as caught:
        found.check()
    assert caught.value.code == "config_untrusted"


def test_without_a_policy_there_is_no_rulebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is looked at where nothing is configured; flags count where no grant is named."""
    found = settings(tmp_path, monkeypatch, '[remit]\nenable = ["write_file"]\n')
    assert rulebook_of(found) is None
    assert found.remit("").allows(needs.fs_write("a"))


def test_a_site_file_that_is_gone_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy that cannot be read is an error, never no policy."""
    found = settings(tmp_path, monkeypatch, '[policy]\nsite = "gone.toml"\n')
    with pytest.raises(Invalid):
        rulebook_of(found)


def test_a_revoked_lease_says_so() -> None:
    """What a handle got back after its grant was revoked is not handed out."""
    lease = Lease((), builtin=False, tainted=False, timeout_s=1)
    with pytest.raises(Denied, match="revoked"), lease.using(needs.fs_read("a")):
        lease.revoked = True
