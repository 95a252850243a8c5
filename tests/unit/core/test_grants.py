"""Grants: each verb's pattern language, on parsed resources."""

from __future__ import annotations

import pytest

from remit.core import needs
from remit.core.effects import Need
from remit.core.grants import parse_grant
from remit.errors import Invalid


def net(method: str, url: str) -> Need:
    return needs.net(method, url)


COVERS = [
    ("fs.read:src/**", needs.fs_read("src/a/b.py"), True),
    ("fs.read:src/**", needs.fs_read("src"), True),
    ("fs.read:src/**", needs.fs_read("srcx/a"), False),
    ("fs.read:*.py", needs.fs_read("a.py"), True),
    ("fs.read:*.py", needs.fs_read("d/a.py"), False),
    ("fs.read:**", needs.fs_read("."), True),
    ("fs.read:**", needs.fs_write("a"), False),
    ("fs.read:**", needs.fs_read(".env"), False),
    ("fs.read:**", needs.fs_read("deep/.ssh/id_rsa"), False),
    ("fs.read:.env", needs.fs_read(".env"), True),
    ("fs.read:./src/**", needs.fs_read("src/x"), True),
    ("shell:git", needs.shell(("git", "push")), True),
    ("shell:git status", needs.shell(("git", "status")), True),
    ("shell:git status", needs.shell(("git", "status", "-s")), False),
    ("shell:git status *", needs.shell(("git", "status", "-s", "x")), True),
    ("shell:git status *", needs.shell(("git", "status")), True),
    ("shell:git status *", needs.shell(("git", "stash")), False),
    ("shell:ls", needs.shell(("/tmp/ls",)), False),
    ("shell:git log --oneline*", needs.shell(("git", "log", "--oneline")), True),
    ("net:api.example.org", net("GET", "https://api.example.org/x"), True),
    ("net:api.example.org", net("HEAD", "https://API.example.org./x"), True),
    ("net:api.example.org", net("POST", "https://api.example.org/x"), False),
    ("net:api.example.org", net("GET", "http://api.example.org/x"), False),
    ("net:api.example.org", net("GET", "https://api.example.org:8443/x"), False),
    ("net:api.example.org:8443", net("GET", "https://api.example.org:8443/x"), True),
    ("net:POST api.example.org/v1/**", net("POST", "https://api.example.org/v1/a/b"), True),
    ("net:POST api.example.org/v1/**", net("POST", "https://api.example.org/v2/a"), False),
    ("net:POST api.example.org/v1/**", net("GET", "https://api.example.org/v1/a"), False),
    ("net:*.example.org", net("GET", "https://a.example.org/"), True),
    ("net:*.example.org", net("GET", "https://a.b.example.org/"), True),
    ("net:*.example.org", net("GET", "https://example.org/"), False),
    ("net:*.example.org", net("GET", "https://evilexample.org/"), False),
    ("net:http://127.0.0.1:80/**", net("GET", "http://2130706433/x"), True),
    ("net:[::1]:443", net("GET", "https://[0:0:0:0:0:0:0:1]/"), True),
    ("net:GET,POST https://api.example.org/a", net("POST", "https://api.example.org/a"), True),
    ("net:api.example.org/a/**", net("GET", "https://api.example.org/a/../b"), False),
    ("net:https://api.example.org/", net("GET", "https://api.example.org/"), True),
    ("net:https://api.example.org/", net("GET", "https://api.example.org/a"), False),
    ("tool:mcp__github__*", Need("tool", "mcp__github__list"), True),
    ("tool:mcp__github__*", Need("tool", "mcp__gitlab__list"), False),
    ("model:openrouter:*", Need("model", "openrouter:meta/llama"), True),
    ("delegate:2", Need("delegate", "2"), True),
    ("delegate:2", Need("delegate", "3"), False),
]


@pytest.mark.parametrize(("grant", "need", "expected"), COVERS, ids=lambda v: str(v))
def test_a_grant_covers_exactly_its_pattern(grant: str, need: Need, expected: bool) -> None:
    """A grant reaches what its pattern says and nothing beside it."""
    assert parse_grant(grant).covers(need) is expected


FORBIDS = [
    ("shell:git push", needs.shell(("git", "push", "origin")), True),
    ("shell:rm", needs.shell(("/bin/rm", "-rf")), True),
    ("shell:rm -rf", needs.shell(("rm", "-rf", "/")), True),
    ("shell:rm *", needs.shell(("rm",)), True),
    ("net:evil.example", net("POST", "http://evil.example:8080/x"), True),
    ("net:GET evil.example", net("POST", "https://evil.example/x"), False),
    ("net:evil.example/", net("POST", "https://evil.example/x"), True),
    ("net:*.evil.example", net("PUT", "https://a.evil.example/x"), True),
    ("fs.read:**/.env", needs.fs_read("a/b/.env"), True),
    ("fs.read:**/.env", needs.fs_read(".env"), True),
]


@pytest.mark.parametrize(("denial", "need", "expected"), FORBIDS, ids=lambda v: str(v))
def test_a_denial_counts_every_doubt(denial: str, need: Need, expected: bool) -> None:
    """As a denial, a pattern also reaches further arguments, other spellings of a program, and every port."""
    assert parse_grant(denial).forbids(need) is expected


@pytest.mark.parametrize(
    "text",
    ["", "read:x", "fs.read", "fs.read:", "fs.read:/etc/passwd", "fs.read:../x", "fs.write:a/../../b", "net:a b c",
     "net:FETCH example.org", "net:ex*mple.org", "net:user@example.org", "delegate:many", "tool:a\x00b",
     "fs.read:[z-a]", "net:x.org/[z-a]", "delegate:a b@1", "delegate:@1", "delegate:x@-1"],
)  # fmt: skip
def test_a_wrong_grant_is_refused_with_its_text(text: str) -> None:
    """What is not a grant raises grant_invalid naming it."""
    with pytest.raises(Invalid) as caught:
        parse_grant(text)
    assert caught.value.code in ("grant_invalid", "value_invalid")
