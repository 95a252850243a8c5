"""remit.adapters.sandboxes.tree_masks: what the walk finds, and that it is bounded."""

from __future__ import annotations

import os
import time
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


def watched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The folders that walks list from now on."""
    listed: list[str] = []
    listing = tree_masks._Walk.listing
    monkeypatch.setattr(tree_masks._Walk, "listing", lambda self, at: (listed.append(at), listing(self, at))[1])
    return listed


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


def test_a_second_walk_lists_only_what_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is listed again when an entry of it is made, renamed or removed, or when it is another folder."""
    monkeypatch.setattr(tree_masks, "_STEADY_NS", 0)
    root = make(tmp_path, ".env", "a/x.py", "b/id_rsa", "b/c/y.py", "remit.toml")
    time.sleep(0.03)  # times of the file system have a grain
    first = find_masks(root, ("**/*.csv",))
    assert first == TreeMasks((".env", "b/id_rsa"), (), ("remit.toml",))
    listed = watched(monkeypatch)
    assert (find_masks(root, ("**/*.csv",)), sorted(listed)) == (first, ["", "b"])  # folders with secrets, always
    listed.clear()
    make(tmp_path, "b/c/data.csv")
    (tmp_path / "b" / "id_rsa").rename(tmp_path / "a" / "id_rsa")
    assert find_masks(root, ("**/*.csv",)).files == (".env", "a/id_rsa", "b/c/data.csv")
    assert sorted(listed) == ["", "a", "b", "b/c"]
    time.sleep(0.03)
    make(tmp_path, "d/.npmrc")
    (tmp_path / "b").rename(tmp_path / "e")
    (tmp_path / "d").rename(tmp_path / "b")
    assert find_masks(root, ("**/*.csv",)).files == (".env", "a/id_rsa", "b/.npmrc", "e/c/data.csv")


def test_a_folder_that_has_just_changed_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two changes within the grain of the file system's times look like one, so such a folder is listed again."""
    root = make(tmp_path, "a/x.py")
    find_masks(root, ())
    listed = watched(monkeypatch)
    find_masks(root, ())
    assert listed == ["", "a"]


def test_links_are_looked_at_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a link with a secret's name points to, and the further names of a secret, stand in other folders."""
    monkeypatch.setattr(tree_masks, "_STEADY_NS", 0)
    root = make(tmp_path, "a/.env", "b/x.txt", "c/settings.txt")
    os.symlink("../c/settings.txt", tmp_path / "a" / ".env.local")
    os.link(tmp_path / "a" / ".env", tmp_path / "b" / "y.txt")
    time.sleep(0.03)
    assert find_masks(root, ()).files == ("a/.env", "b/y.txt", "c/settings.txt")
    (tmp_path / "c" / "settings.txt").rename(tmp_path / "c" / "other.txt")
    os.link(tmp_path / "a" / ".env", tmp_path / "b" / "z.txt")
    assert find_masks(root, ()).files == ("a/.env", "b/y.txt", "b/z.txt")


def test_a_later_name_of_a_secret_is_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hard link made in another folder leaves the secret's own folder as it was, and is found all the same."""
    monkeypatch.setattr(tree_masks, "_STEADY_NS", 0)
    root = make(tmp_path, "a/.env", "b/x.txt")
    time.sleep(0.03)
    assert find_masks(root, ()).files == ("a/.env",)
    os.link(tmp_path / "a" / ".env", tmp_path / "b" / "y.txt")
    assert find_masks(root, ()).files == ("a/.env", "b/y.txt")


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
