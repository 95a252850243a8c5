"""remit.adapters.sandboxes.tree_masks: what the walk finds, and that it is bounded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from remit.adapters.sandboxes import tree_masks
from remit.adapters.sandboxes.tree_masks import GUARDED_NAMES, TreeMasks, find_masks
from remit.core.sensitive import PROTECTED
from remit.errors import Invalid, Unavailable


def make(root: Path, *paths: str) -> str:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")
    return str(root)


def test_finds_what_is_to_be_masked(tmp_path: Path) -> None:
    """Sensitive and denied entries are found at any depth; a masked folder stands for all that is in it."""
    root = make(
        tmp_path, ".env", "a/b/id_rsa", "a/plain.py", "secret/x/.env", "a/data.csv", ".git/config", "remit.toml"
    )
    make(tmp_path, ".git/hooks/pre-commit")
    os.mkfifo(tmp_path / "pipe")
    wanted = TreeMasks((".env", "a/b/id_rsa", "a/data.csv", "pipe"), (".git/hooks", "secret"), (".git", "remit.toml"))
    assert find_masks(root, ("secret/**", "**/*.csv")) == wanted


def test_links(tmp_path: Path) -> None:
    """Further hard links of a secret, and the target of a link with a secret's name, are masked; none is followed."""
    root = make(tmp_path, ".env", "settings.txt", "far/x.py")
    os.link(tmp_path / ".env", tmp_path / "far" / "other.txt")
    os.symlink("settings.txt", tmp_path / ".env.local")
    os.symlink(tmp_path, tmp_path / "far" / "loop")
    os.symlink("/etc/passwd", tmp_path / ".netrc")
    assert find_masks(root, ()) == TreeMasks((".env", "far/other.txt", "settings.txt"), (), ())


def test_exact_grant_excuses_from_the_list_only(tmp_path: Path) -> None:
    """A file that a grant names exactly is shown, unless a denial names it too."""
    root = make(tmp_path, ".env")
    assert find_masks(root, (), frozenset({".env"})) == TreeMasks((), (), ())
    assert find_masks(root, ("**/.env",), frozenset({".env"})) == TreeMasks((".env",), (), ())


def test_too_many_masks_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the bound nothing is masked in part: the start is refused, with the way out."""
    monkeypatch.setattr(tree_masks, "MAX_MASKS", 3)
    root = make(tmp_path, *(f"{n}.key" for n in range(5)))
    with pytest.raises(Unavailable, match="more than 3") as caught:
        find_masks(root, ())
    assert caught.value.code == "sandbox_failed" and "DIR/**" in caught.value.hint


def test_too_large_a_tree_is_refused(tmp_path: Path) -> None:
    """A tree that takes longer than the budget is refused."""
    root = make(tmp_path, *(f"{n}.py" for n in range(600)))
    with pytest.raises(Unavailable, match="too large"):
        find_masks(root, (), budget_s=0.0)


def test_bad_denial_is_refused(tmp_path: Path) -> None:
    """A denial that cannot be understood stops the run; it is never skipped."""
    with pytest.raises(Invalid):
        find_masks(str(tmp_path), ("../x",))


@pytest.mark.skipif(os.geteuid() == 0, reason="root can list every folder")
def test_folder_that_cannot_be_listed_is_masked(tmp_path: Path) -> None:
    """Files of a folder without read permission could be opened by name, so it is masked whole."""
    root = make(tmp_path, "shut/.env")
    (tmp_path / "shut").chmod(0o311)
    assert find_masks(root, ()) == TreeMasks((), ("shut",), ())
    (tmp_path / "shut").chmod(0o755)


def test_guarded_names_are_the_protected_patterns() -> None:
    """The two lists of what no agent writes agree."""
    assert {p.removeprefix("**/").removesuffix("/**") for p in PROTECTED} == set(GUARDED_NAMES)
