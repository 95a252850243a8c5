"""The smallest grants that cover what a run did."""

from __future__ import annotations

import random

import pytest

from remit.core import needs
from remit.core.effects import Need
from remit.core.grants import parse_grant
from remit.guard.policy_suggest import suggest, uncovered

FOLDERS = {"src", "docs/api"}


def grants(*used: Need) -> tuple[str, ...]:
    return suggest(used, lambda path: path in FOLDERS)


CASES: list[tuple[tuple[Need, ...], tuple[str, ...]]] = [
    ((needs.fs_read("a.md"),), ("fs.read:a.md",)),
    ((needs.fs_read("d/a.md"), needs.fs_read("d/b.md")), ("fs.read:d/a.md", "fs.read:d/b.md")),
    (tuple(needs.fs_read(f"d/{n}.md") for n in "abc"), ("fs.read:d/*.md",)),
    (
        (*tuple(needs.fs_read(f"d/{n}.md") for n in "abc"), needs.fs_read("d/x.py")),
        ("fs.read:d/*.md", "fs.read:d/x.py"),
    ),
    ((needs.fs_read("src"), needs.fs_read("src/x/y.py")), ("fs.read:src/**",)),
    ((needs.fs_read("."), needs.fs_read("src/a")), ("fs.read:**",)),
    ((needs.fs_read("."), needs.fs_read("k/.env")), ("fs.read:**", "fs.read:k/.env")),
    (tuple(needs.fs_read(f"k/{n}.pem") for n in "abcd"), tuple(f"fs.read:k/{n}.pem" for n in "abcd")),
    ((needs.fs_write("out/a"),), ("fs.write:out/a",)),
    ((needs.net("GET", "https://x.org/v1/a"), needs.net("HEAD", "https://x.org/v1/a")), ("net:x.org/v1/a",)),
    (tuple(needs.net("POST", f"https://x.org/v1/{n}") for n in "abc"), ("net:POST x.org/v1/**",)),
    ((needs.net("GET", "http://127.0.0.1:8080/x"),), ("net:http://127.0.0.1:8080/x",)),
    ((needs.net("GET", "https://[::1]:8443/"),), ("net:https://[::1]:8443/",)),
    ((needs.shell(("git", "status")),), ("shell:git status",)),
    (tuple(needs.shell(("git", "show", n)) for n in "abc"), ("shell:git show *",)),
    ((needs.shell(("grep", "a b", "where", "")),), ("shell:grep a*b wher* *",)),
    ((Need("tool", "mine"), Need("model", "openai:x")), ()),
    ((Need("memory", "project/x"), needs.env("LANG")), ("env:LANG", "memory:project/x")),
    ((Need("delegate", "1", ("qa",)),), ("delegate:qa@1",)),
]


@pytest.mark.parametrize(("used", "expected"), CASES, ids=lambda v: " ".join(map(str, v))[:60])
def test_the_suggestion_is_small_and_covers(used: tuple[Need, ...], expected: tuple[str, ...]) -> None:
    """Exactly these grants, and they cover everything that was used."""
    assert grants(*used) == expected
    assert uncovered(used, expected) == ()


def test_every_suggestion_covers_what_it_was_made_from() -> None:
    """Over 300 random runs, with hostile names: whatever can be spelt is covered, and every text parses."""
    rng = random.Random(11)
    names = ["a", "b.py", "c d", "[x]", "*", "where", "é", ".env", "a.b.c", "**", "q?"]
    for _ in range(300):
        used = []
        for _ in range(rng.randint(1, 12)):
            path = "/".join(rng.choice(names) for _ in range(rng.randint(1, 3)))
            used.append(rng.choice([
                needs.fs_read(path), needs.fs_write(path),
                needs.shell(tuple(rng.choice([*names, "", "x\ty"]) for _ in range(rng.randint(1, 4)))),
                needs.net(rng.choice(["GET", "POST"]), f"https://h{rng.randint(0, 2)}.org/a/{rng.choice('xyz')}"),
            ]))  # fmt: skip
        texts = grants(*used)
        for text in texts:
            parse_grant(text)
        assert all(need.verb == "fs.read" or need.verb == "fs.write" for need in uncovered(used, texts))
        assert not any(need for need in uncovered(used, texts) if not set(need.resource) & set("*?["))
