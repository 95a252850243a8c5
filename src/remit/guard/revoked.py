"""Revoked grants of a state folder: one file that every process of the user obeys, until it is taken back.

    remit policy revoke GRANT [--run RUN]
    remit token revoke TOKEN                    kept as `token:ID`; every run that stands on the token loses its grants

The idea: as the emergency stop, a file survives crashes and restarts and needs no listener. It is looked at together
with it, before effects and at most every `estop.CHECK_S`. What cannot be read is refused: then no effect happens. Each
revocation is also an event of the journal (`GrantRevoked`), in a run of its own and in the run that it names; a run
that is resumed honours those even when the file is gone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct

from remit.core.effects import Deny
from remit.errors import RemitError
from remit.guard.policy_meter import TOKEN, Revocations
from remit.guard.private_file import locked, make_folder, read_private, write_private

FILE_NAME: Final = "revoked"
MAX_BYTES: Final = 16 * 1024 * 1024


class Revoked(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One revocation."""

    grant: str
    run: str = ""
    """and all that it started; "" = every run"""
    by: str = ""
    reason: str = ""
    at_ms: int = 0


class RevokedGrants:
    """The file of one state folder, and the runtime that obeys it.

    Args:
        folder: the state folder; it need not exist.
        revocations: of the runtime.
        now_ms: wall clock.
    """

    __slots__ = ("_known", "_now_ms", "_revocations", "_stamp", "path")

    def __init__(self, folder: str, revocations: Revocations, now_ms: Callable[[], int]) -> None:
        self.path = os.path.join(folder, FILE_NAME)
        self._revocations = revocations
        self._now_ms = now_ms
        self._stamp: tuple[int, ...] = ()
        self._known: frozenset[tuple[str, str]] = frozenset()

    def check(self) -> Deny | None:
        """Take in what is new; a refusal of everything where the file cannot be read."""
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            return None if isinstance(error, NotADirectoryError) else _unreadable(error.strerror or "")
        stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
        if stamp != self._stamp:
            try:
                entries = read(self.path)
            except RemitError as error:
                return _unreadable(error.message)
            for entry in entries:
                if (entry.grant, entry.run) not in self._known:
                    self._revocations.revoke(entry.grant, self._now_ms(), entry.run)
            self._known = frozenset((entry.grant, entry.run) for entry in entries)
            self._stamp = stamp
        return None


def read(path: str) -> tuple[Revoked, ...]:
    """All revocations of a file; raises record_altered for a damaged one, disk_failed."""
    from remit.errors import Conflict

    raw = read_private(path, MAX_BYTES)
    if raw is None:
        return ()
    try:
        return msgspec.json.decode(raw, type=tuple[Revoked, ...])
    except (msgspec.DecodeError, RecursionError) as error:
        raise Conflict("record_altered", f"{path} is damaged: {error}"[:300]) from None


def revoked_tokens(folder: str) -> frozenset[str]:
    """Revocation ids of tokens (hex) that no longer count; raises record_altered, disk_failed."""
    entries = read(os.path.join(folder, FILE_NAME))
    return frozenset(entry.grant.removeprefix(TOKEN) for entry in entries if entry.grant.startswith(TOKEN))


def add(folder: str, entry: Revoked) -> None:
    """Revoke; durable before it returns. Raises record_altered, disk_failed."""
    make_folder(folder)
    path = os.path.join(folder, FILE_NAME)
    with locked(f"{path}.lock"):
        write_private(path, msgspec.json.encode((*read(path), entry)))


def _unreadable(why: str) -> Deny:
    return Deny("revoked", "grant", f"the list of revoked grants cannot be read: {why}", "Repair or restore it.")
