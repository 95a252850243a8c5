"""remit.adapters.sandboxes.bubblewrap and plan: what is refused, and what doctor is told."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.sandboxes.bubblewrap import Bubblewrap
from remit.adapters.sandboxes.plan import check_job, environment_options
from remit.errors import Denied, Invalid, RemitError, Unavailable
from remit.ports.sandbox import SandboxJob, SandboxResult

BAD_JOBS: list[tuple[dict[str, Any], str]] = [
    ({"argv": ()}, "value_invalid"),
    ({"argv": ("",)}, "value_invalid"),
    ({"argv": ("-c",)}, "value_invalid"),
    ({"argv": ("a\0b",)}, "value_invalid"),
    ({"argv": ("x" * 200_000,)}, "value_invalid"),
    ({"timeout_s": 0.0}, "value_invalid"),
    ({"timeout_s": float("nan")}, "value_invalid"),
    ({"max_processes": 0}, "value_invalid"),
    ({"max_memory_bytes": 5}, "value_invalid"),
    ({"workspace": "relative"}, "value_invalid"),
    ({"workspace": "/no/such/folder"}, "value_invalid"),
    ({"workspace": "/"}, "path_denied"),
    ({"workspace": "/proc/self"}, "path_denied"),
    ({"cwd": ".."}, "path_denied"),
    ({"cwd": "/etc"}, "path_denied"),
    ({"env": {"LD_PRELOAD": "x.so"}}, "value_invalid"),
    ({"env": {"BASH_ENV": "x"}}, "value_invalid"),
    ({"env": {"A B": "x"}}, "value_invalid"),
    ({"env": {"A": "x\0y"}}, "value_invalid"),
    ({"env": {"A": "x" * 70_000}}, "value_invalid"),
    ({"writable": ("*.txt",)}, "path_denied"),
    ({"writable": ("out/*/x/**",)}, "path_denied"),
    ({"writable": ("missing.txt",)}, "path_denied"),
    ({"writable": ("../x/**",)}, "path_denied"),
    ({"writable": ("/etc/**",)}, "path_denied"),
    ({"writable": (".git/**",)}, "path_denied"),
    ({"writable": ("remit.toml",)}, "path_denied"),
    ({"writable": ("linked.txt",)}, "path_denied"),
    ({"writable": ("shut/**",), "denied": ("shut/**",)}, "path_denied"),
    ({"cwd": "shut", "denied": ("shut/**",)}, "path_denied"),
    ({"denied": ("a/../b",)}, "grant_invalid"),
]


@pytest.mark.sandbox
@pytest.mark.parametrize(("fields", "code"), BAD_JOBS)
def test_refused_before_anything_starts(tmp_path: Path, fields: dict[str, Any], code: str) -> None:
    """A job that cannot be confined as asked is refused with its code, and nothing runs."""
    (tmp_path / "one.txt").write_text("x")
    os.link(tmp_path / "one.txt", tmp_path / "linked.txt")
    (tmp_path / "shut").mkdir()
    job = SandboxJob(**{"argv": ("touch", "/ran"), "workspace": str(tmp_path), **fields})
    with pytest.raises(RemitError) as caught:
        Bubblewrap().run_blocking(job)
    assert caught.value.code == code
    assert isinstance(caught.value, Denied if code == "path_denied" else Invalid)


def test_missing_bubblewrap(tmp_path: Path) -> None:
    """Without bubblewrap a run is refused with the line that installs it; there is no fallback."""
    sandbox = Bubblewrap(programs=(str(tmp_path / "bwrap"),))
    with pytest.raises(Unavailable) as caught:
        asyncio.run(sandbox.run(SandboxJob(("true",), str(tmp_path))))
    assert (caught.value.code, caught.value.retryable) == ("sandbox_missing", False)
    assert "apt-get install -y bubblewrap" in caught.value.hint
    described = sandbox.describe()
    assert (described["healthy"], described["needs"]) == (False, "apt-get install -y bubblewrap")


def test_path_hides_bubblewrap_and_never_adds_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PATH without the usual folders leaves no bubblewrap, whatever else it leads to."""
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\nexit 0\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable) as caught:
        Bubblewrap().run_blocking(SandboxJob(("true",), str(tmp_path)))
    assert caught.value.code == "sandbox_missing"


def test_bubblewrap_that_others_can_change_is_not_trusted(tmp_path: Path) -> None:
    """A program that is not root's alone is not used as the sandbox."""
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\nexit 0\n")
    fake.chmod(0o777)
    with pytest.raises(Unavailable) as caught:
        Bubblewrap(programs=(str(fake),)).run_blocking(SandboxJob(("true",), str(tmp_path)))
    assert caught.value.code == "sandbox_missing"


@pytest.mark.skipif(os.geteuid() != 0, reason="the false program must belong to root")
def test_bubblewrap_that_does_not_confine(tmp_path: Path) -> None:
    """A bubblewrap that cannot start, or starts the program unconfined, is a refusal with the reason."""
    for script, said in (("echo no namespaces >&2; exit 1", "no namespaces"), ("echo; read x; touch ran", "in /proc")):
        fake = tmp_path / "bwrap"
        fake.write_text(f"#!/bin/sh\ncd {tmp_path}\n{script}\n")
        fake.chmod(0o755)
        with pytest.raises(Unavailable, match=said) as caught:
            Bubblewrap(programs=(str(fake),)).run_blocking(SandboxJob(("true",), str(tmp_path)))
        assert caught.value.code == "sandbox_failed"
    assert not (tmp_path / "ran").exists()


@pytest.mark.sandbox
def test_results(tmp_path: Path) -> None:
    """Exit codes, signals, both outputs, a working folder and a missing program are reported as they are."""
    (tmp_path / "sub").mkdir()
    sandbox = Bubblewrap()

    def run(*argv: str, **more: Any) -> SandboxResult:
        return sandbox.run_blocking(SandboxJob(argv, str(tmp_path), **more))

    done = run("sh", "-c", "pwd; cat; echo bad >&2; exit 3", cwd="sub", stdin=b"in")
    assert (done.exit_code, done.stdout, done.stderr) == (3, f"{tmp_path}/sub\nin".encode(), b"bad\n")
    assert run("sh", "-c", "kill -TERM $$").exit_code == 128 + 15
    assert run("printf", "%s", "a b;$(id)*").stdout == b"a b;$(id)*"
    with pytest.raises(Unavailable) as caught:
        run("no-such-program")
    assert caught.value.code == "program_missing"
    assert run("touch", "a", writable=("**",)).exit_code == 0
    assert sorted(os.listdir(tmp_path)) == ["a", "sub"]
    assert run("sh", "-c", "echo 1 > a; echo 2 > b", writable=("a",)).exit_code == 2
    assert (tmp_path / "a").read_text() == "1\n"
    assert sandbox.describe()["healthy"] is True


def test_environment_and_job_are_plain_values(tmp_path: Path) -> None:
    """The environment is the minimal one with the job's over it; folders are resolved."""
    options = environment_options({"LANG": "de", "X": "1"})
    values = dict(zip(options[1::3], options[2::3], strict=True))
    wanted = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/tmp/home", "LANG": "de", "TERM": "dumb", "X": "1"}
    assert values == wanted
    (tmp_path / "real" / "sub").mkdir(parents=True)
    os.symlink("real", tmp_path / "link")
    job = SandboxJob(("true",), str(tmp_path / "link"), cwd="sub")
    assert check_job(job) == (str(tmp_path / "real"), str(tmp_path / "real" / "sub"))
