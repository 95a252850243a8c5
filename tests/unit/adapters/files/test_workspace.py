"""The workspace's Files handle: content, atomicity, grants at every use, revocation, refusals."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import remit.adapters.files.atomic as atomic
import remit.adapters.files.workspace as module
from remit.adapters.files.workspace import Workspace, WorkspaceFiles
from remit.errors import Denied, RemitError
from remit.ports.tool import FileInfo


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "ws"
    (folder / "src" / "deep").mkdir(parents=True)
    (folder / "src" / "a.py").write_bytes(b"alpha\n")
    (folder / "src" / "deep" / "b.py").write_bytes(b"beta\n")
    (folder / "notes.txt").write_bytes(b"0123456789")
    return folder


@pytest.fixture
def workspace(root: Path) -> Iterator[Workspace]:
    with Workspace(root) as made:
        yield made


@pytest.fixture
def files(workspace: Workspace) -> WorkspaceFiles:
    return workspace.files(lambda verb, path: True, lambda: False)


def code(call: Callable[[], object]) -> str:
    with pytest.raises(RemitError) as caught:
        call()
    return caught.value.code


def names(entries: list[FileInfo]) -> list[tuple[str, str]]:
    return [(entry.path, entry.kind) for entry in entries]


def test_read_returns_bytes_from_offset_up_to_limit(files: WorkspaceFiles) -> None:
    """Offset and limit are bytes; beyond the end there is nothing."""
    assert files.read("notes.txt") == b"0123456789"
    assert files.read("notes.txt", 3, 4) == b"3456"
    assert files.read("notes.txt", 8, 50) == b"89"
    assert files.read("notes.txt", 99) == b""
    assert files.read("./src//a.py") == b"alpha\n"


def test_read_of_a_huge_file_needs_a_limit(files: WorkspaceFiles, root: Path) -> None:
    """More than 32 MiB in one read is refused; a page of it is not."""
    with open(root / "big", "wb") as f:
        f.truncate(module.MAX_READ_BYTES + 1)
    assert code(lambda: files.read("big")) == "output_too_large"
    assert files.read("big", module.MAX_READ_BYTES, 10) == b"\0"


@pytest.mark.parametrize(
    ("path", "wanted"),
    [("absent", "tool_failed"), ("src", "value_invalid"), (".", "value_invalid"), ("notes.txt/x", "value_invalid")],
)
def test_read_of_what_is_no_file(files: WorkspaceFiles, path: str, wanted: str) -> None:
    """A missing file, a folder and a path through a file are told apart."""
    assert code(lambda: files.read(path)) == wanted


def test_write_creates_folders_and_replaces(files: WorkspaceFiles, root: Path) -> None:
    """Missing folders are made; a second write replaces; no temporary file stays."""
    files.write("out/x/y.txt", b"one")
    files.write("out/x/y.txt", b"two")
    assert (root / "out/x/y.txt").read_bytes() == b"two"
    assert os.listdir(root / "out/x") == ["y.txt"]


def test_write_keeps_the_mode_but_no_set_id_bits(files: WorkspaceFiles, root: Path) -> None:
    """An executable stays executable; set-user-id does not survive a change of content."""
    target = root / "run.sh"
    target.write_bytes(b"old")
    target.chmod(0o4755)
    files.write("run.sh", b"new")
    assert (target.read_bytes(), stat.S_IMODE(target.stat().st_mode)) == (b"new", 0o755)


def test_failed_write_changes_nothing(files: WorkspaceFiles, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full the old content stays, the temporary file goes, the code is disk_failed."""

    def full(fd: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "write", full)
    assert code(lambda: files.write("notes.txt", b"new")) == "disk_failed"
    monkeypatch.undo()
    assert (root / "notes.txt").read_bytes() == b"0123456789"
    assert sorted(os.listdir(root)) == ["notes.txt", "src"]


def test_write_is_bounded_and_respects_read_only_files(files: WorkspaceFiles, root: Path) -> None:
    """8 MiB a write; a file without write permission is not replaced."""
    assert code(lambda: files.write("x", b"0" * (module.MAX_WRITE_BYTES + 1))) == "output_too_large"
    (root / "notes.txt").chmod(0o444)
    assert code(lambda: files.write("notes.txt", b"x")) == "tool_failed"
    assert (root / "notes.txt").read_bytes() == b"0123456789"


def test_remove_deletes_files_only(files: WorkspaceFiles, root: Path) -> None:
    """A file goes; a folder and a missing file are refused."""
    files.remove("notes.txt")
    assert not (root / "notes.txt").exists()
    assert code(lambda: files.remove("src")) == "value_invalid"
    assert code(lambda: files.remove("notes.txt")) == "tool_failed"


def test_info_sees_links_as_links(files: WorkspaceFiles, root: Path) -> None:
    """Kinds and sizes; None where nothing is."""
    os.symlink("notes.txt", root / "ln")
    found = files.info("notes.txt")
    assert found is not None
    assert (found.path, found.kind, found.size_bytes) == ("notes.txt", "file", 10)
    assert [(i.kind if i else None) for i in map(files.info, ("ln", "src", ".", "none", "notes.txt/x"))] == [
        "link",
        "dir",
        "dir",
        None,
        None,
    ]


def test_list_and_walk_are_sorted_and_follow_nothing(files: WorkspaceFiles, root: Path) -> None:
    """list shows one folder; walk shows files below, depth first by name, without links and .git."""
    os.symlink("/etc", root / "etc")
    os.mkfifo(root / "pipe")
    (root / ".git").mkdir()
    (root / ".git" / "HEAD").write_bytes(b"x")
    listed = [(".git", "dir"), ("etc", "link"), ("notes.txt", "file"), ("pipe", "other"), ("src", "dir")]
    assert names(files.list(".")) == listed
    walked = [("notes.txt", "file"), ("src/a.py", "file"), ("src/deep/b.py", "file")]
    assert names(list(files.walk("."))) == walked
    assert names(list(files.walk("src/deep"))) == [("src/deep/b.py", "file")]
    assert code(lambda: list(files.walk("absent"))) == "tool_failed"


def test_names_that_are_not_text_are_shown_escaped(files: WorkspaceFiles, root: Path) -> None:
    """A name with a line break or with bytes that are not UTF-8 cannot fake a second entry."""
    (root / "a\nb").write_bytes(b"")
    with open(os.fsencode(root) + b"/\xff", "wb"):
        pass
    shown = [entry for entry in files.list(".") if entry.kind == "other"]
    assert sorted(entry.path for entry in shown) == ["\\xff", "a\\nb"]


def test_walk_says_when_it_is_cut(files: WorkspaceFiles, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound an entry of kind cut names the place."""
    monkeypatch.setattr(module, "MAX_WALK_ENTRIES", 3)
    for number in range(9):
        (root / f"f{number}").write_bytes(b"")
    found = list(files.walk("."))
    assert len([entry for entry in found if entry.kind == "file"]) <= 3
    assert [entry for entry in found if entry.kind == "cut"] == [FileInfo(".", "cut")]


def test_grants_are_asked_for_every_path(workspace: Workspace) -> None:
    """Reads and writes without a grant raise not_granted; listing and walking leave such paths out."""
    asked: list[tuple[str, str]] = []

    def allows(verb: str, path: str) -> bool:
        asked.append((verb, path))
        return verb == "fs.read" and path in (".", "src", "src/a.py")

    files = workspace.files(allows, lambda: False)
    assert files.read("./src/a.py") == b"alpha\n"
    assert asked == [("fs.read", "src/a.py")]  # the resolved form
    assert code(lambda: files.read("notes.txt")) == "not_granted"
    assert code(lambda: files.write("src/a.py", b"")) == "not_granted"
    assert code(lambda: files.remove("src/a.py")) == "not_granted"
    assert code(lambda: files.info("notes.txt")) == "not_granted"
    assert code(lambda: files.list("src/deep")) == "not_granted"
    assert names(files.list(".")) == [("src", "dir")]
    assert names(list(files.walk("."))) == [("src/a.py", "file")]


def test_a_revoked_handle_is_dead_everywhere(workspace: Workspace) -> None:
    """After the call every method raises revoked, and so does a walk that is under way."""
    state = {"over": False}
    files = workspace.files(lambda verb, path: True, lambda: state["over"])
    walk = files.walk(".")
    assert next(walk).path == "notes.txt"
    state["over"] = True
    assert code(lambda: next(walk)) == "revoked"
    uses: list[Callable[[], object]] = [
        lambda: files.read("notes.txt"),
        lambda: files.write("x", b""),
        lambda: files.remove("notes.txt"),
        lambda: files.info("notes.txt"),
        lambda: files.list("."),
        lambda: files.walk("."),
    ]
    assert [code(use) for use in uses] == ["revoked"] * 6


def test_no_descriptor_is_left_open(files: WorkspaceFiles, root: Path) -> None:
    """Whatever succeeds or is refused, the process holds as many descriptors after as before."""
    os.symlink("/etc", root / "ln")
    before = len(os.listdir("/proc/self/fd"))
    for path in ("src/deep/b.py", "absent", "ln/passwd", "src", "../x", "notes.txt/x"):
        for use in (files.read, files.info, files.list, files.remove, lambda p: next(files.walk(p), None)):
            try:
                use(path)  # type: ignore[operator]
            except RemitError:
                pass
        try:
            files.write(path, b"x")
        except RemitError:
            pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_closed_workspace_is_revoked(root: Path) -> None:
    """After close() handles raise revoked, and closing twice is harmless."""
    workspace = Workspace(root)
    files = workspace.files(lambda verb, path: True, lambda: False)
    workspace.close()
    workspace.close()
    assert code(lambda: files.read("notes.txt")) == "revoked"


@pytest.mark.parametrize("bad", ["/proc", "/proc/self", "/sys", "/dev", "/nonexistent-folder"])
def test_a_workspace_is_a_real_folder(bad: str) -> None:
    """Kernel trees and missing folders cannot be a workspace."""
    assert code(lambda: Workspace(bad)) == "value_invalid"


def test_kernel_trees_beneath_the_root_folder(files: WorkspaceFiles) -> None:
    """A workspace at / still gives nothing of /proc."""
    with Workspace("/") as workspace:
        handle = workspace.files(lambda verb, path: True, lambda: False)
        assert code(lambda: handle.read("proc/self/environ")) == "path_denied"


def test_messages_hold_no_host_path(files: WorkspaceFiles, root: Path) -> None:
    """What a model reads of a refusal never names the host's folders."""
    for path in ("absent", "src", "../x", str(root / "notes.txt"), "notes.txt/x"):
        with pytest.raises(RemitError) as caught:
            files.read(path)
        assert str(root) not in caught.value.for_model()


def test_an_absolute_path_into_the_workspace_gets_the_relative_form(files: WorkspaceFiles, root: Path) -> None:
    """The hint names what to write instead."""
    with pytest.raises(Denied) as caught:
        files.read(str(root / "src/a.py"))
    assert caught.value.hint == "Use the path relative to the workspace: src/a.py"
