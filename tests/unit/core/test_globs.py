"""remit.core.globs: what a pattern matches, and that matching stays cheap under attack."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from remit.core.globs import GlobSet, compile_glob, glob_match
from remit.errors import Invalid

TABLE = [
    ("src/**", "src", True),
    ("src/**", "src/a/b.py", True),
    ("src/**", "srcx/a", False),
    ("src/**", ".", False),
    ("**", ".", True),
    ("**", "a/b", True),
    ("**/.env", ".env", True),
    ("**/.env", "a/b/.env", True),
    ("**/.env", "a/.env.local", False),
    ("**/.env", "x.env", False),
    ("a/**/b", "a/b", True),
    ("a/**/b", "a/x/y/b", True),
    ("a/**/b", "ab", False),
    ("*.py", "a.py", True),
    ("*.py", "a/b.py", False),
    ("*", ".hidden", True),
    ("*", ".", False),
    ("**/*.py", "a.py", True),
    ("**/*", ".", False),
    ("out/*", "out", False),
    ("out/*", "out/a", True),
    ("out/*", "out/a/b", False),
    ("DIR/**", "dir/a", False),
    ("f?.txt", "f1.txt", True),
    ("f?.txt", "f/.txt", False),
    ("f[0-9].txt", "f5.txt", True),
    ("f[!0-9].txt", "f5.txt", False),
    ("f[!0-9].txt", "f/.txt", False),
    ("f[]].txt", "f].txt", True),
    ("f[a^]", "f^", True),
    ("f[", "f[", True),
    ("a.b", "axb", False),
    ("secret**", "secret/a/b", True),
    ("secret**", "secrets.txt", True),
    ("./src//**/", "src/a", True),
    ("a\nb", "a\nb", True),
    ("a", "a\n", False),
]


@pytest.mark.parametrize(("pattern", "path", "wanted"), TABLE)
def test_table(pattern: str, path: str, wanted: bool) -> None:
    """Each row of the documented semantics holds."""
    assert glob_match(pattern, path) is wanted


@pytest.mark.parametrize("pattern", ["", "../x", "a/../b", "a\0b", "x" * 1025, "[z-a]"])
def test_refused(pattern: str) -> None:
    """A pattern that could reach out of its root, or that has no meaning, is refused."""
    with pytest.raises(Invalid) as caught:
        glob_match(pattern, "a")
    assert caught.value.code == "grant_invalid"


def _oracle(pattern: str, path: str) -> bool:
    """The definition, by plain recursion."""
    if pattern == "**":
        return True
    if path == "":
        return False
    if pattern.endswith("/**"):
        stem = pattern[:-3]
        parts = path.split("/")
        return bool(any(_walk(stem, "/".join(parts[:n])) for n in range(1, len(parts) + 1)))
    return _walk(pattern, path)


def _walk(pattern: str, path: str) -> bool:
    if not pattern:
        return not path
    if pattern.startswith("**/"):
        starts = [0] + [i + 1 for i, c in enumerate(path) if c == "/"]
        return any(_walk(pattern[3:], path[i:]) for i in starts)
    if pattern.startswith("**"):
        return any(_walk(pattern[2:], path[i:]) for i in range(len(path) + 1))
    if pattern[0] == "*":
        end = path.find("/") if "/" in path else len(path)
        return any(_walk(pattern[1:], path[i:]) for i in range(end + 1))
    return bool(path) and path[0] == pattern[0] and _walk(pattern[1:], path[1:])


segment = st.one_of(st.just("**"), st.text("ab*", min_size=1, max_size=5).filter(lambda s: "**" not in s))


@settings(max_examples=400, deadline=None)
@given(st.lists(segment, min_size=1, max_size=5), st.lists(st.text("ab", min_size=1, max_size=4), max_size=6))
@example(["**", "a*b", "**", "*b"], ["ab", "a", "bb"])
def test_against_the_definition(segments: list[str], names: list[str]) -> None:
    """The atomic regular expression finds exactly the matches of the recursive definition."""
    kept = [s for i, s in enumerate(segments) if not (s == "**" and segments[i - 1 : i] == ["**"])]
    pattern, path = "/".join(kept), "/".join(names)
    assert glob_match(pattern, path) is _oracle(pattern, path)


@pytest.mark.parametrize("pattern", ["**/" + "a*" * 200 + "b", "/".join(["**", "*a*"] * 100) + "b", "a**" * 150 + "c"])
def test_hostile_patterns_end(pattern: str) -> None:
    """A pattern full of wildcards against a long near-match ends (it is polynomial, not exponential)."""
    assert compile_glob(pattern).fullmatch("a/" * 200 + "a" * 500) is None


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(["**/.env", "**/x/**", "**/*.pem", "a/**", "**/b/c", "d*", "**/q[0-9]"]), max_size=5),
    st.lists(st.sampled_from(["a", "b", "c", "d1", "x", ".env", "k.pem", "q1"]), min_size=1, max_size=4),
)
def test_set_equals_its_patterns(patterns: list[str], names: list[str]) -> None:
    """A GlobSet says what its patterns say about a path or one of its folders."""
    prefixes = ["/".join(names[: n + 1]) for n in range(len(names))]
    wanted = any(glob_match(pattern, prefix) for pattern in patterns for prefix in prefixes)
    assert GlobSet(patterns).match("/".join(names)) is wanted
