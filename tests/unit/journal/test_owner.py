"""Who holds a run, and whether that process lives."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from remit.journal import owner


def test_this_process_lives() -> None:
    """The own owner string has three fields and is alive."""
    assert owner.this_process().split(":")[0] == str(os.getpid())
    assert owner.this_process().count(":") == 2
    assert owner.alive(owner.this_process())


@pytest.mark.parametrize("field", [1, 2])
def test_a_used_again_pid_is_not_the_old_process(field: int) -> None:
    """The same pid with another start time, or of another boot, is dead."""
    parts = owner.this_process().split(":")
    parts[field] = parts[field][::-1] + "1"
    assert not owner.alive(":".join(parts))


@pytest.mark.parametrize("text", ["", ":", "::", "x:1:2", "-1:1:2", "1", "0:0:0", "²:1:1", "9" * 30 + ":1:1"])
def test_what_is_no_owner_is_nobody(text: str) -> None:
    """Malformed owner strings (an edited file) are not alive and raise nothing."""
    assert owner.alive(text) is False


def test_a_killed_process_and_a_zombie_are_dead() -> None:
    """A killed child is dead even before its parent has waited for it."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    stat = owner._stat(process.pid)
    assert stat is not None
    name = f"{process.pid}:{stat[1]}:{owner._boot_id()}"
    assert owner.alive(name)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, not reaped: a zombie
    assert not owner.alive(name)
    process.communicate()
    assert not owner.alive(name)


def test_without_proc_the_pid_alone_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where /proc tells nothing, an existing pid is alive and a missing one dead."""
    monkeypatch.setattr(owner, "_stat", lambda pid: None)
    monkeypatch.setattr(owner, "_boot_id", lambda: "0")
    assert owner.alive(f"{os.getpid()}:0:0")
    assert not owner.alive("4194303:0:0")
    assert not owner.alive(f"{os.getpid()}:123:0")
