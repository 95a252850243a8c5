"""The processes of one sandbox, as /proc shows them: how many, how much memory, and are they confined.

All processes of a sandbox descend from the first process of its namespace (an orphan goes to that one), so
following `children` from there finds them all. Killing that process ends all of them: the kernel does it.

Source: proc(5), pid_namespaces(7).
"""

from __future__ import annotations

import os
from typing import Final

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
NAMESPACE_NAMES: Final = ("user", "pid", "net", "mnt", "ipc", "uts")


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read(65536)


def children(pid: int) -> list[int]:
    """The child processes of all threads of `pid`; empty when it is gone."""
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            found += map(int, _read(f"/proc/{pid}/task/{task}/children").split())
    except OSError:
        pass  # it ended while it was looked at
    return found


def descendants(pid: int, at_most: int) -> list[int]:
    """The descendants of `pid` (itself left out); stops once there are more than `at_most`."""
    found: list[int] = []
    pending = [pid]
    while pending and len(found) <= at_most:
        step = children(pending.pop())
        found += step
        pending += step
    return found


def threads(pid: int) -> int:
    """How many threads `pid` has."""
    try:
        return os.stat(f"/proc/{pid}/task").st_nlink - 2
    except OSError:
        return 0


def resident_bytes(pid: int) -> int:
    """Resident memory of `pid`, pages shared with others included."""
    try:
        return int(_read(f"/proc/{pid}/statm").split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def proportional_bytes(pid: int) -> int:
    """Resident memory of `pid`, a shared page divided by its users (slower than `resident_bytes`)."""
    try:
        for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # it ended, or it may not be looked at
    return resident_bytes(pid)


def confinement_gaps(pid: int) -> list[str]:
    """Which parts of the confinement `pid` lacks; empty when it has them all."""
    lines = _read(f"/proc/{pid}/status").decode("ascii", "replace").splitlines()
    status = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
    wanted = {"Seccomp": "2", "NoNewPrivs": "1", "CapEff": "0" * 16, "CapPrm": "0" * 16, "CapBnd": "0" * 16}
    gaps = [name for name, value in wanted.items() if status.get(name) != value]
    for name in NAMESPACE_NAMES:
        if os.readlink(f"/proc/{pid}/ns/{name}") == os.readlink(f"/proc/self/ns/{name}"):
            gaps.append(f"{name} namespace")
    return gaps
