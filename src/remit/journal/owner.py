"""Who holds a run: `pid:start_time:boot_id` of a process, and whether that process still lives.

A pid alone is used again; with the start time (clock ticks since boot) and the boot id it names one
process of one boot. Where /proc is missing the start time and boot id are "0" and only the pid
counts: a used-again pid then looks alive, so a run may need `remit cancel`, never runs twice.

Limit: processes are looked up in the own PID namespace. Two containers that share a journal file
cannot see each other; the epoch still keeps the later one's events and refuses the earlier one's.

Source: proc(5), /proc/pid/stat fields 3 (state) and 22 (starttime), /proc/sys/kernel/random/boot_id.
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Final

_UNKNOWN: Final = "0"
_GONE: Final = frozenset("ZXx")  # zombie, dead: they will never write again


def _stat(pid: int) -> tuple[str, str] | None:
    """(state, start time) of `pid`; None when there is none or /proc does not tell."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            raw = file.read(4096).decode("ascii", "replace")
    except OSError:
        return None
    # The command name (field 2) is in parentheses and may hold blanks and parentheses itself.
    fields = raw[raw.rfind(")") + 2 :].split()
    return (fields[0], fields[19]) if len(fields) > 19 else None


def _boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read(64).strip() or _UNKNOWN
    except (OSError, UnicodeError):
        return _UNKNOWN


@lru_cache(maxsize=1)
def _owner_of(pid: int) -> str:
    stat = _stat(pid)
    return f"{pid}:{stat[1] if stat else _UNKNOWN}:{_boot_id()}"


class Held(set[str]):
    """The runs that this process holds in one store, and who holders are: here processes of this machine."""

    @property
    def me(self) -> str:
        """The owner string of this process."""
        return this_process()

    def alive(self, owner: str) -> bool:
        """Whether another holder still lives."""
        return alive(owner)


def this_process() -> str:
    """The owner string of this process (right after a fork, too: it is kept per pid)."""
    return _owner_of(os.getpid())


def is_here(owner: str) -> bool:
    """Whether `owner` is a process of this machine, since it was started."""
    return owner.rpartition(":")[2] in (_boot_id(), _UNKNOWN)


def alive(owner: str) -> bool:
    """Whether the process `owner` still runs; "" and what is not an owner string are nobody."""
    pid_text, _, rest = owner.partition(":")
    start, _, boot = rest.partition(":")
    if not (pid_text.isascii() and pid_text.isdigit() and len(pid_text) < 11 and start and boot):
        return False
    if boot != _boot_id():
        return False
    pid = int(pid_text)
    stat = _stat(pid)
    if stat is not None:
        return stat[0] not in _GONE and start in (stat[1], _UNKNOWN)
    if start != _UNKNOWN:
        return False
    return _signalled(pid)


def _signalled(pid: int) -> bool:
    """Whether `pid` exists, asked without /proc."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
