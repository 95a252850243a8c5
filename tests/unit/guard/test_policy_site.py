"""Site policies, TOML and Cedar: default deny, deny first, and only ever taking away."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from remit.core import needs
from remit.core.decisions import Facts
from remit.core.effects import Need
from remit.core.remit import Remit
from remit.errors import Invalid
from remit.guard.policy_site import load_site_policy, parse_site_policy

FILE = b"""
[[rules]]
tool = "*"
filesystem = ["docs/secret/**"]
decision = "deny"

[[rules]]
name = "pushes"
tool = ["shell", "git"]
commands = ["git push *"]
decision = "prompt"

[[rules]]
tool = "read_*"
filesystem = ["read:docs/**", "write:out/**"]
decision = "allow"

[[rules]]
name = "web"
tool = ["http_request", "mine"]
egress = ["GET,POST api.x.org/v1/**"]
commands = ["git *"]
decision = "allow"

[[rules]]
tool = ["shell"]
commands = ["git *", "ls"]
decision = "allow"

[[rules]]
tool = "dangerous_*"
decision = "deny"

[[rules]]
tool = "dangerous_thing"
decision = "allow"
"""
SITE = parse_site_policy(FILE, "site.toml")


def call(name: str, *held: Need, kind: str = "tool") -> Facts:
    return Facts(kind, name, "unsafe", held)


CASES: list[tuple[Facts, str]] = [
    (call("read_file", needs.fs_read("docs/a")), "allow"),
    (call("read_file", needs.fs_read("docs/secret/a")), "deny"),
    (call("read_file", needs.fs_read("src/a")), "deny"),
    (call("read_file", needs.fs_write("docs/a")), "deny"),
    (call("read_patch", needs.fs_read("docs/a"), needs.fs_write("out/a")), "allow"),
    (call("read_patch", needs.fs_read("docs/a"), needs.fs_write("docs/a")), "deny"),
    (call("write_file", needs.fs_write("out/a")), "deny"),
    (call("shell", needs.shell(("git", "status"))), "allow"),
    (call("shell", needs.shell(("git", "push", "origin"))), "ask"),
    (call("shell", needs.shell(("/usr/bin/git", "push"))), "ask"),
    (call("shell", needs.shell(("rm", "x"))), "deny"),
    (call("http_request", needs.net("POST", "https://api.x.org/v1/a")), "allow"),
    (call("http_request", needs.net("DELETE", "https://api.x.org/v1/a")), "deny"),
    (call("http_request", needs.net("GET", "https://api.x.org.evil.net/v1/a")), "deny"),
    (call("mine", Need("tool", "mine")), "allow"),
    (call("unknown", Need("tool", "unknown")), "deny"),
    (call("dangerous_thing"), "deny"),
    (call("read_clock"), "allow"),
    (call("openai:x", Need("model", "openai:x"), kind="model"), "allow"),
]


@pytest.mark.parametrize(("facts", "kind"), CASES, ids=lambda v: v if isinstance(v, str) else f"{v.name}")
def test_each_call_is_judged_by_the_file(facts: Facts, kind: str) -> None:
    """Deny first, then prompt, then allow, else deny; every need must be opened to this very tool."""
    assert SITE.decide(facts).kind == kind


def test_models_are_governed_once_a_rule_names_one() -> None:
    """A file that names models denies the others."""
    site = parse_site_policy(b'[[rules]]\nmodels = ["openai:*"]\ndecision = "allow"\n', "s")
    assert [site.decide(call(n, Need("model", n), kind="model")).kind for n in ("openai:x", "other:y")] == [
        "allow",
        "deny",
    ]


def test_an_empty_file_denies_everything() -> None:
    """Default deny."""
    assert parse_site_policy(b"", "s").decide(call("read_file", needs.fs_read("a"))).kind == "deny"


def test_rules_in_any_order_say_the_same() -> None:
    """Shuffled rules decide alike."""
    rng = random.Random(5)
    for _ in range(20):
        rules = list(SITE.rules)
        rng.shuffle(rules)
        assert [type(SITE)(tuple(rules)).decide(f).kind for f, _ in CASES] == [kind for _, kind in CASES]


def test_the_ceiling_is_what_any_tool_may_reach() -> None:
    """What an own tool's handles and a sandbox get lies below the file; denials for all tools hold there too."""
    held = SITE.ceiling().meet(Remit.allow("fs.read:**", "fs.write:**", "net:*", "shell:*", "tool:mine"))
    asked = [needs.fs_read("docs/a"), needs.fs_read("docs/secret/a"), needs.fs_read("src/a"), needs.fs_write("out/a"),
             needs.fs_write("docs/a"), needs.shell(("ls",)), needs.shell(("rm",)), Need("tool", "mine")]  # fmt: skip
    assert [held.allows(n) for n in asked] == [True, False, False, True, False, True, False, True]


@pytest.mark.parametrize(
    "raw",
    [b"[[rules]]\ndecision = 'maybe'", b"[[rules]]\ntool = 'x'", b"[[rule]]\n", b"\xff", b"[[rules", b"[[rules]]\n"
     b"decision='allow'\nfilesystem=['../x']", b"[[rules]]\ndecision='allow'\negress=['FETCH x.org']",
     b"[[rules]]\ndecision='allow'\ncommands=['git where uses=1']", b"[[rules]]\ndecision='deny'\ntools='x'",
     b"a=" + b"[" * 5000],
)  # fmt: skip
def test_a_file_that_is_wrong_is_refused_whole(raw: bytes) -> None:
    """policy_invalid: a rule that is not understood is never skipped."""
    with pytest.raises(Invalid) as caught:
        parse_site_policy(raw, "site.toml")
    assert caught.value.code == "policy_invalid"
    assert "site.toml" in caught.value.message


def test_a_missing_file_is_no_policy(tmp_path: Path) -> None:
    """It is an error, not an empty policy and not none."""
    with pytest.raises(Invalid):
        load_site_policy(str(tmp_path / "none.toml"))


# --- Cedar -------------------------------------------------------------------------------------------


def cedar(text: str) -> Any:
    pytest.importorskip("cedarpy", reason="needs cedarpy (extra policy)")
    from remit.guard.policy_cedar import CedarPolicy

    return CedarPolicy(text, "site.cedar")


CEDAR = """
permit (principal, action, resource);
@id("no pushes") forbid (principal, action == Action::"shell", resource)
  when { context.program == "git" && context.argv.contains("push") };
@id("one host") forbid (principal, action == Action::"net", resource) unless { context.host == "api.x.org" };
forbid (principal == Agent::"intern", action == Action::"fs.write", resource);
"""


def test_cedar_forbids_beat_permits() -> None:
    """The decision and the name of the rule that made it."""
    policy = cedar(CEDAR)
    facts = [
        call("shell", needs.shell(("git", "push"))),
        call("shell", needs.shell(("git", "status"))),
        call("http_request", needs.net("GET", "https://api.x.org/")),
        call("http_request", needs.net("GET", "https://evil.org/")),
        Facts("tool", "write_file", "write", (needs.fs_write('a"\n::x'),), agent="intern"),
    ]
    decisions = [policy.decide(f) for f in facts]
    assert [d.kind for d in decisions] == ["deny", "allow", "allow", "deny", "deny"]
    assert "no pushes" in decisions[0].rule and "one host" in decisions[3].rule


def test_cedar_denies_by_default_and_on_errors() -> None:
    """Nothing permitted is nothing allowed; a forbid that cannot be evaluated denies instead of being skipped."""
    assert cedar("").decide(call("read_file", needs.fs_read("a"))).kind == "deny"
    broken = cedar(
        "permit (principal, action, resource); forbid (principal, action, resource) when { context.nope == 1 };"
    )
    found = broken.decide(call("read_file", needs.fs_read("a")))
    assert (found.kind, "fails" in found.rule) == ("deny", True)


def test_cedar_text_that_does_not_parse_is_refused() -> None:
    """policy_invalid."""
    with pytest.raises(Invalid) as caught:
        cedar("permit everything")
    assert caught.value.code == "policy_invalid"


def test_cedar_without_the_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """extra_missing, never a policy that is silently left out."""
    import sys

    from remit.errors import Unavailable
    from remit.guard.policy_cedar import CedarPolicy

    monkeypatch.setitem(sys.modules, "cedarpy", None)
    with pytest.raises(Unavailable) as caught:
        CedarPolicy("permit (principal, action, resource);")
    assert caught.value.code == "extra_missing"
