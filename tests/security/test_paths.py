"""Nothing outside the workspace is read or written, whatever the path looks like and whoever moves links meanwhile.

Each mechanism has a test that fails when it is unplugged: the last section unplugs each one and shows
that the attack then works.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import remit.adapters.files.paths as paths
import remit.adapters.files.workspace as module
from remit.adapters.files.paths import components
from remit.adapters.files.workspace import Workspace, WorkspaceFiles
from remit.errors import Denied, RemitError

SECRET = b"outside secret"

# Forms that some program reads as a path that leaves the workspace (CWE-22 to CWE-39 and OWASP's list).
TRAVERSAL = [
    "..",
    "../outside/secret",
    "../../etc/passwd",
    "src/../../outside/secret",
    "src/..",
    "./../outside/secret",
    "src/./../..//outside/secret",
    "/etc/passwd",
    "//etc/passwd",
    "/proc/self/root/etc/passwd",
    "/proc/self/environ",
    "/dev/stdin",
    "/",
    "..\\outside\\secret",
    "src\\..\\..\\outside",
    "\\etc\\passwd",
    "\\\\server\\share",
    "..\\/outside/secret",
    "../\\outside",
    "C:\\Windows\\win.ini",
    "C:/Windows/win.ini",
    "c:outside",
    "file:///etc/passwd",
    "file:/etc/passwd",
    "http://host/x",
    "~/secret",
    "~",
    "~root/.ssh/id_rsa",
    "%2e%2e/outside/secret",
    "%2e%2e%2foutside%2fsecret",
    "..%2foutside%2fsecret",
    "..%2Foutside/secret",
    "..%5coutside",
    "%2e%2e%5coutside",
    ".%2e/outside/secret",
    "%2e./outside/secret",
    "%252e%252e/outside/secret",
    "%252e%252e%252foutside",
    "%25252e%25252e/outside",
    "src%2f..%2f..%2foutside",
    "src%2fa.py",
    "%2fetc%2fpasswd",
    "%5cetc",
    "%7e/secret",
    "..%00/outside/secret",
    "src/a.py\x00.txt",
    "src/a.py%00.txt",
    "\x00",
    "src/\na.py",
    "src/a.py\r",
    "src/\x1b[31m",
    "src/\x85",
    "\uff0e\uff0e/outside/secret",
    "\u2024\u2024/outside/secret",
    "\u2025/outside/secret",
    "\ufe52\ufe52/outside",
    "..\uff0foutside\uff0fsecret",
    "..\u2215outside\u2215secret",
    "..\u2044outside",
    "src\u29f8..\u29f8..",
    "..\uff3coutside",
    "src\ufe68..",
    "\uff5e/secret",
    "\uff0fetc/passwd",
    "src\u2028x",
    "\ud800/x",
    "...",
    "..../outside",
    "....//....//outside",
    "src/.. /outside",
    "src/..;/outside",
    ".. ",
    " ..",
    "..;",
    ". ./.. ",
    "a/" * 70 + "x",
    "x" * 300,
    "x" * 5000,
]


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A workspace beside a folder that holds a secret."""
    (tmp_path / "ws" / "src").mkdir(parents=True)
    (tmp_path / "ws" / "src" / "a.py").write_bytes(b"inside")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(SECRET)
    return tmp_path


@pytest.fixture
def files(world: Path) -> Iterator[WorkspaceFiles]:
    with Workspace(world / "ws") as workspace:
        yield workspace.files(lambda verb, path: True, lambda: False)


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(RemitError) as caught:
        call()
    return caught.value.code


def test_the_corpus_is_large_enough() -> None:
    """At least 60 different forms are tried."""
    assert len(set(TRAVERSAL)) == len(TRAVERSAL) >= 60


@pytest.mark.parametrize("path", TRAVERSAL, ids=lambda p: ascii(p)[:40])
def test_every_form_is_refused_by_every_method(files: WorkspaceFiles, world: Path, path: str) -> None:
    """path_denied from read, write, remove, info, list and walk; the outside stays as it was."""
    uses: list[Callable[[], object]] = [
        lambda: files.read(path),
        lambda: files.write(path, b"x"),
        lambda: files.remove(path),
        lambda: files.info(path),
        lambda: files.list(path),
        lambda: files.walk(path),
    ]
    assert [refused(use) for use in uses] == ["path_denied"] * len(uses)
    assert sorted(os.listdir(world)) == ["outside", "ws"]
    assert (world / "outside" / "secret").read_bytes() == SECRET


@pytest.mark.parametrize(
    "path",
    [
        "a..b",
        "..a",
        ".hidden",
        "a.",
        "100%",
        "50%25.txt",
        "sp ace",
        "\u00fcber.txt",
        "\u4e2d/x",
        "a~b",
        "x;y",
        "Wait\u2026.md",
    ],
)
def test_honest_names_pass(files: WorkspaceFiles, path: str) -> None:
    """Refusals do not reach names that only resemble an attack."""
    files.write(path, b"ok")
    assert files.read(path) == b"ok"


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside/secret", "../outside", "/", "src", "src/a.py", "."])
def test_links_are_not_followed_wherever_they_lead(files: WorkspaceFiles, world: Path, target: str) -> None:
    """A link as the last or as an inner component is refused and named, even one that stays inside."""
    os.symlink(target, world / "ws" / "ln")
    for path in ("ln", "ln/secret", "ln/a.py", "ln/etc/passwd"):
        for use in (files.read, lambda p: files.write(p, b"x"), files.remove):
            with pytest.raises(Denied) as caught:
                use(path)
            assert caught.value.code == "path_denied"
            assert "link" in caught.value.message
    for look in (files.list, lambda p: list(files.walk(p))):
        assert refused(lambda look=look: look("ln")) == "path_denied"  # type: ignore[misc]
    assert os.readlink(world / "ws" / "ln") == target


def test_a_write_through_a_dangling_link_makes_nothing(files: WorkspaceFiles, world: Path) -> None:
    """A link to a place outside that does not exist yet is not filled."""
    os.symlink("../outside/new", world / "ws" / "ln")
    assert refused(lambda: files.write("ln", b"x")) == "path_denied"
    assert os.listdir(world / "outside") == ["secret"]


def test_hard_links_are_refused(files: WorkspaceFiles, world: Path) -> None:
    """A second name of a denied file can be neither read nor written under its innocent name."""
    os.link(world / "outside" / "secret", world / "ws" / "innocent.txt")
    assert refused(lambda: files.read("innocent.txt")) == "path_denied"
    assert refused(lambda: files.write("innocent.txt", b"x")) == "path_denied"
    assert (world / "outside" / "secret").read_bytes() == SECRET


def test_pipes_and_devices_are_refused_at_once(files: WorkspaceFiles, world: Path) -> None:
    """A named pipe would block an open for ever; it is refused instead."""
    os.mkfifo(world / "ws" / "pipe")
    assert refused(lambda: files.read("pipe")) == "path_denied"
    assert refused(lambda: files.write("pipe", b"x")) == "path_denied"
    assert stat.S_ISFIFO((world / "ws" / "pipe").stat().st_mode)
    if os.geteuid() == 0:
        os.mknod(world / "ws" / "zero", 0o600 | stat.S_IFCHR, os.makedev(1, 5))
        assert refused(lambda: files.read("zero")) == "path_denied"


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".git/hooks/pre-commit",
        ".git",
        ".git/info/attributes",
        ".GIT/config",
        ".git./config",
        "sub/.git/config",
        "remit.toml",
        "sub/remit.toml",
        "REMIT.TOML",
        ".remit/journal.db",
        ".remit",
        "./.git//config",
        ".\uff47it/config",
    ],
)
def test_state_that_decides_what_runs_is_never_written(files: WorkspaceFiles, world: Path, path: str) -> None:
    """git's and remit's own state stays as it is, with every grant there is."""
    assert refused(lambda: files.write(path, b"x")) == "path_denied"
    assert refused(lambda: files.remove(path)) == "path_denied"
    assert os.listdir(world / "ws") == ["src"]


class _Swapper:
    """Swaps a folder of the workspace with a link to the outside, as fast as it can."""

    def __init__(self, world: Path) -> None:
        self.world = world
        self.stop = threading.Event()
        self.swaps = 0
        inside = world / "ws" / "race"
        inside.mkdir()
        (inside / "secret").write_bytes(b"inside")
        os.symlink("../outside", world / "ws" / "evil")
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        ws = self.world / "ws"
        while not self.stop.is_set():
            try:
                os.rename(ws / "race", ws / "kept")
                os.rename(ws / "evil", ws / "race")
                os.rename(ws / "race", ws / "evil")
                os.rename(ws / "kept", ws / "race")
            except OSError:
                with contextlib.suppress(OSError):  # the writer may be faster here too; the next round tidies
                    self._tidy(ws)  # a write made a folder in between
            self.swaps += 1

    def _tidy(self, ws: Path) -> None:
        if (ws / "race").is_symlink() and not (ws / "evil").is_symlink():
            os.rename(ws / "race", ws / "evil")
        elif (ws / "race").is_dir() and (ws / "kept").is_dir():
            os.rename(ws / "race", ws / f"made{self.swaps}")
        if (ws / "kept").is_dir() and not (ws / "race").exists():
            os.rename(ws / "kept", ws / "race")

    def __enter__(self) -> _Swapper:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()


def test_a_folder_that_is_swapped_with_a_link_never_leads_outside(files: WorkspaceFiles, world: Path) -> None:
    """2,000 reads beside a thread that swaps the folder: only inside content or a refusal."""
    seen: set[bytes] = set()
    codes: set[str] = set()
    with _Swapper(world) as swapper:
        for _ in range(2000):
            try:
                seen.add(files.read("race/secret"))
            except RemitError as e:
                codes.add(e.code)
    assert seen <= {b"inside"}
    assert codes <= {"path_denied", "tool_failed", "value_invalid"}
    assert swapper.swaps > 0


def test_writes_and_walks_beside_a_swapping_thread_stay_inside(files: WorkspaceFiles, world: Path) -> None:
    """Nothing is made, changed or seen outside while folders turn into links."""
    with _Swapper(world):
        for number in range(500):
            for use in (lambda n=number: files.write(f"race/new{n}", b"x"), lambda: list(files.walk("race"))):
                try:
                    use()
                except RemitError:
                    pass
    assert os.listdir(world / "outside") == ["secret"]
    assert (world / "outside" / "secret").read_bytes() == SECRET


# ---- unplugged: without the mechanism the attack works --------------------------------------------


def test_unplugged_nofollow_would_read_outside(
    files: WorkspaceFiles, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without O_NOFOLLOW on folders a link is followed: it is that flag which holds."""
    os.symlink("../outside", world / "ws" / "ln")
    monkeypatch.setattr(module, "_DIR", module._DIR & ~os.O_NOFOLLOW)
    assert files.read("ln/secret") == SECRET


def test_unplugged_hard_link_guard_would_read_outside(
    files: WorkspaceFiles, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the guard the second name of the secret is read."""
    os.link(world / "outside" / "secret", world / "ws" / "innocent.txt")
    monkeypatch.setattr(module, "refuse_hard_link", lambda status, shown: None)
    assert files.read("innocent.txt") == SECRET


def test_unplugged_component_check_would_read_outside(files: WorkspaceFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the check of components `..` walks up: the walk itself does not stop it."""
    monkeypatch.setattr(module, "components", lambda path, root: tuple(path.split("/")))
    assert files.read("../outside/secret") == SECRET


def test_unplugged_decoding_would_pass_an_escaped_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without decoding, `%2e%2e` would pass to programs that decode it themselves."""
    monkeypatch.setattr(paths, "unquote", lambda text, errors: text)
    assert components("%2e%2e/x") == ("%2e%2e", "x")


def test_unplugged_own_state_would_be_written(
    files: WorkspaceFiles, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the protection a hook could be planted."""
    monkeypatch.setattr(module, "_OWN_STATE", frozenset())
    monkeypatch.setattr(module, "is_protected", lambda path: False)
    files.write(".git/hooks/pre-commit", b"#!/bin/sh\n")
    assert (world / "ws/.git/hooks/pre-commit").exists()
