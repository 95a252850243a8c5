"""The emergency stop: one file in the state folder that every process of the user obeys, until somebody lifts it.

    pause     no run begins; what runs goes on
    effects   no call of a tool or a model is let through either; runs end as soon as they ask for one
    kill      the same, and `remit cancel --all --level kill` also ends every live `remit run` of the user

The idea: a file survives crashes and restarts, needs no listener, and can be made by hand: an empty file
`stop` in the state folder means `effects`. Whatever cannot be read or understood means `effects` too.

Invariants: looked at before every effect, at most every CHECK_S seconds; while a run is held by it nothing of the
run is lost. Lifting is an explicit act; nothing lifts it by itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final, Literal

import msgspec
from msgspec import Struct

from remit.core.effects import Deny
from remit.errors import Denied
from remit.guard.private_file import make_folder, remove_private, write_private

StopLevel = Literal["pause", "effects", "kill"]
FILE_NAME: Final = "stop"
CHECK_S: Final = 0.05  # a stop works within this time; a look costs one stat
MAX_BYTES: Final = 16 * 1024


class Stop(Struct, frozen=True, forbid_unknown_fields=True):
    """What the file says."""

    level: StopLevel
    by: str = ""
    reason: str = ""
    at_ms: int = 0


class EmergencyStop:
    """The stop of one state folder.

    Args:
        folder: the state folder; it need not exist.
        monotonic: seconds, from ports/clock.
    """

    __slots__ = ("_checked", "_monotonic", "_refused", "_stop", "path", "revoked")

    def __init__(self, folder: str, monotonic: Callable[[], float]) -> None:
        self.path = os.path.join(folder, FILE_NAME)
        self._monotonic = monotonic
        self._checked = -CHECK_S
        self._stop: Stop | None = None
        self.revoked: Callable[[], Deny | None] | None = None
        """looked at with the file: revoked grants (guard/revoked.py)"""
        self._refused: Deny | None = None

    def current(self) -> Stop | None:
        """The stop that holds now, or None."""
        now = self._monotonic()
        if now - self._checked >= CHECK_S:
            self._stop = self.read()
            self._checked = now
            if self.revoked is not None:
                self._refused = self.revoked()
        return self._stop

    def read(self) -> Stop | None:
        """The file, read now; what is there but cannot be read means `effects`."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as e:
            # ENOTDIR: a folder above is no folder, so there is no state and no stop.
            return None if isinstance(e, NotADirectoryError) else Stop("effects", reason=f"unreadable: {e.strerror}")
        try:
            with os.fdopen(descriptor, "rb") as file:
                return msgspec.json.decode(file.read(MAX_BYTES), type=Stop)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Stop("effects", reason="made by hand, or damaged")

    def set(self, stop: Stop) -> None:
        """Stop; durable before it returns. Raises disk_failed."""
        make_folder(os.path.dirname(self.path))
        write_private(self.path, msgspec.json.encode(stop))
        self._checked = self._monotonic() - CHECK_S

    def lift(self) -> bool:
        """Let work go on; False when nothing was stopped. Raises disk_failed."""
        self._checked = self._monotonic() - CHECK_S
        return remove_private(self.path)

    def check(self) -> Deny | None:
        """Whether an effect may happen."""
        stop = self.current()
        if stop is None or stop.level == "pause":
            return self._refused
        return Deny("estop", "grant", f"everything is stopped ({_said(stop)})")

    def check_start(self) -> None:
        """Whether a run may begin; raises estop."""
        stop = self.current()
        if stop is not None:
            raise Denied("estop", f"no run begins: everything is stopped ({_said(stop)})")


def _said(stop: Stop) -> str:
    return ", ".join(part for part in (stop.level, f"by {stop.by}" if stop.by else "", stop.reason[:200]) if part)
