"""git: what it shows, and that a hostile repository runs nothing."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

import remit.adapters.tools.git as module
from remit.adapters.tools.git import git
from remit.core.effects import Need
from remit.errors import Denied, Invalid, RemitError
from remit.ports.sandbox import SandboxResult

ENV = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@x.org",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@x.org",
    "GIT_AUTHOR_DATE": "2024-05-03T10:00:00Z",
    "GIT_COMMITTER_DATE": "2024-05-03T10:00:00Z",
}


class HostShell:
    """Runs the real git, outside any sandbox: what a hostile repository starts, starts here."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls: list[tuple[str, ...]] = []

    async def run(self, argv: tuple[str, ...], *, cwd: str = ".", stdin: bytes = b"") -> SandboxResult:
        self.calls.append(argv)
        done = subprocess.run(argv, cwd=self.root / cwd, env=ENV, capture_output=True, check=False)
        return SandboxResult(done.returncode, done.stdout, done.stderr)


def setup(bench: Any) -> Any:
    def run(*argv: str) -> None:
        subprocess.run(("git", *argv), cwd=bench.root, env=ENV, check=True, capture_output=True)

    run("init", "-q", "-b", "main")
    bench.put("a.txt", "one\n")
    bench.put(".env", "KEY=hidden\n")
    run("add", ".")
    run("commit", "-q", "-m", "first")
    bench.put("a.txt", "two\n")
    bench.put(".env", "KEY=other\n")
    run("commit", "-q", "-a", "-m", "second")
    bench.put("a.txt", "three\n")
    bench.put("new.txt", "n\n")
    return bench.ctx(shell=HostShell(bench.root))


def call(ctx: Any, operation: str, **options: Any) -> str:
    return str(asyncio.run(git(ctx, operation, **options)))


@pytest.mark.git
def test_status_diff_log_show(bench: Any) -> None:
    """The four operations on a plain repository."""
    ctx = setup(bench)
    assert call(ctx, "status") == "## main\n M a.txt\n?? new.txt\n"
    assert "-two\n+three\n" in call(ctx, "diff")
    assert call(ctx, "diff", staged=True) == "[nothing]"
    assert "-one\n+two\n" in call(ctx, "diff", revision="HEAD~1..HEAD", paths=["a.txt"])
    assert [line.split(" A: ")[1] for line in call(ctx, "log").splitlines()] == ["second", "first"]
    assert len(call(ctx, "log", limit=1).splitlines()) == 1
    shown = call(ctx, "show")
    assert "author A <a@x.org>" in shown and "    second" in shown and "-one\n+two\n" in shown


@pytest.mark.git
def test_files_that_may_not_be_read_are_left_out_of_diffs(bench: Any) -> None:
    """History gives no way around fs.read; what was left out is said."""
    setup(bench)
    ctx = bench.ctx(lambda verb, path: path != ".env", shell=HostShell(bench.root))
    shown = call(ctx, "show", revision="HEAD")
    assert "hidden" not in shown and "KEY=other" not in shown
    assert "-one\n+two\n" in shown
    assert shown.endswith("[left out, not granted: .env]")
    with pytest.raises(Denied) as caught:
        call(ctx, "show", paths=[".env"])
    assert caught.value.code == "not_granted"


@pytest.mark.git
def test_a_changed_file_whose_name_is_no_text_is_refused(bench: Any) -> None:
    """Its grant cannot be checked, so nothing is shown; other files can be named."""
    ctx = setup(bench)
    with open(os.fsencode(bench.root) + b"/\xff", "wb") as f:
        f.write(b"x")
    subprocess.run(("git", "add", "."), cwd=bench.root, env=ENV, check=True)
    with pytest.raises(Invalid, match="not UTF-8"):
        call(ctx, "diff", staged=True)
    assert "+three" in call(ctx, "diff", staged=True, paths=["a.txt"])


@pytest.mark.parametrize(
    "revision", ["--output=/tmp/x", "-p", "HEAD:.env", ":/x", "^HEAD", "a b", "$(x)", "--no-index", "a\nb"]
)
def test_a_revision_is_no_option_and_no_path(bench: Any, revision: str) -> None:
    """What git would take for an option or for a file of a commit is refused before it runs."""
    ctx = bench.ctx(shell=HostShell(bench.root))
    for operation in ("diff", "log", "show"):
        with pytest.raises(Denied) as caught:
            call(ctx, operation, revision=revision)
        assert caught.value.code == "argument_denied"
    assert ctx.shell.calls == []


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", ":(top)x", ":/", "a/../../x", ""])
def test_paths_stay_beneath_the_folder(bench: Any, path: str) -> None:
    """Pathspec magic and parents are refused."""
    with pytest.raises(Denied) as caught:
        call(bench.ctx(shell=HostShell(bench.root)), "diff", paths=[path])
    assert caught.value.code == "path_denied"


def plant(bench: Any) -> Path:
    """A repository that tries to run a program in every way its own files allow."""
    marks = Path(bench.root).parent / "ran"
    marks.mkdir()
    script = Path(bench.root).parent / "run.sh"
    script.write_text(f'#!/bin/sh\ntouch "{marks}/$1"\ncat 2>/dev/null\n')
    script.chmod(0o755)
    settings = {
        "core.fsmonitor": "fsmonitor",
        "core.pager": "pager",
        "core.sshCommand": "ssh",
        "pager.log": "pagerlog",
        "pager.diff": "pagerdiff",
        "diff.external": "external",
        "diff.evil.command": "command",
        "diff.evil.textconv": "textconv",
        "filter.evil.clean": "clean",
        "filter.evil.smudge": "smudge",
        "filter.other.process": "process",
        "gpg.program": "gpg",
        "alias.status": "!alias",
        "core.editor": "editor",
        "credential.helper": "credential",
    }
    for key, mark in settings.items():
        value = f"!{script} {mark[1:]}" if mark.startswith("!") else f"{script} {mark}"
        subprocess.run(("git", "config", key, value), cwd=bench.root, env=ENV, check=True)
    for key, value in {
        "log.showSignature": "true",
        "format.pretty": "%G?",
        "core.hooksPath": str(marks.parent / "hooks"),
        "filter.evil.required": "true",
        "core.worktree": "/etc",
    }.items():
        subprocess.run(("git", "config", key, value), cwd=bench.root, env=ENV, check=True)
    bench.put(".gitattributes", "*.txt diff=evil filter=evil\nnew.txt filter=other\n")
    bench.put("a.txt", "four\n")
    os.utime(bench.root / "a.txt", (1, 1))
    return marks


@pytest.mark.git
def test_a_hostile_repository_runs_nothing(bench: Any) -> None:
    """Monitors, pagers, external diffs, text converters, filters, signers, aliases: none is started."""
    ctx = setup(bench)
    marks = plant(bench)
    for operation in ("status", "diff", "log", "show"):
        call(ctx, operation)
    call(ctx, "diff", revision="HEAD~1")
    assert "+four" in call(ctx, "diff", paths=["a.txt"])  # the work tree is the folder, not /etc
    assert os.listdir(marks) == []


@pytest.mark.git
def test_unplugged_the_hostile_repository_runs(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the settings and without emptied filters the same repository does start programs."""
    ctx = setup(bench)
    marks = plant(bench)

    async def none(self: object) -> list[str]:
        return []

    monkeypatch.setattr(module, "_OFF", ("safe.directory=*",))
    monkeypatch.setattr(module._Repository, "_filter_settings", none)
    for operation in ("status", "diff", "log"):
        try:
            call(ctx, operation)
        except RemitError:
            pass
    assert {"fsmonitor", "clean"} <= set(os.listdir(marks))


@pytest.mark.git
def test_a_filter_with_an_odd_name_is_refused(bench: Any) -> None:
    """A name that cannot be passed safely on a command line stops the tool."""
    ctx = setup(bench)
    subprocess.run(("git", "config", "filter.a=b.clean", "x"), cwd=bench.root, env=ENV, check=True)
    with pytest.raises(Denied) as caught:
        call(ctx, "status")
    assert caught.value.code == "argument_denied"


@pytest.mark.git
def test_a_repository_above_is_not_used(bench: Any) -> None:
    """A folder without .git is no repository, whatever lies above it."""
    ctx = setup(bench)
    bench.put("sub/x", "1")
    with pytest.raises(RemitError) as caught:
        call(ctx, "status", directory="sub")
    assert caught.value.code == "tool_failed"


@pytest.mark.git
def test_a_git_that_is_a_file_leading_nowhere_is_explained(bench: Any) -> None:
    """A linked work tree's .git names a folder outside: refused, and said as what it is."""
    ctx = setup(bench)
    bench.put("linked/.git", "gitdir: /nonexistent/.git/worktrees/linked\n")
    with pytest.raises(RemitError, match="linked holds no git repository of its own") as caught:
        call(ctx, "status", directory="linked")
    assert "linked work tree" in caught.value.hint


def test_needs_name_the_operation_and_every_path() -> None:
    """shell:git OP, the folder, and each named path."""
    assert git.needs is not None
    assert list(git.needs(operation="diff", directory="./sub/", paths=["x", "y/z"])) == [
        Need("shell", "git diff", ("git", "diff")),
        Need("fs.read", "sub"),
        Need("fs.read", "sub/x"),
        Need("fs.read", "sub/y/z"),
    ]
