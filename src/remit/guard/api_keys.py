"""API keys of the gateway: one file of the state folder; of a key only its digest is kept.

    remit_ID_SECRET      ID: 16 hex digits, names the key in lists; SECRET: 32 random bytes, base64url

A secret of 256 random bits needs no slow hash: SHA-256 of it can be neither reversed nor searched. Keys of one name
belong to one person: their runs are the person's, so a key can be replaced without losing sight of them.

Invariant: a file that cannot be read lets nobody in.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from collections.abc import Callable
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Struct, structs

from remit.core.remit import UNSET, Remit
from remit.errors import Conflict, Invalid
from remit.guard.private_file import locked, make_folder, read_private, write_private

FILE_NAME: Final = "api_keys"
MAX_BYTES: Final = 4 * 1024 * 1024
SCOPES: Final = ("runs:read", "runs:write", "runs:manage", "admin")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_KEY: Final = re.compile(r"remit_(?P<id>[0-9a-f]{16})_(?P<secret>[A-Za-z0-9_-]{43})")
_NOBODY: Final = "0" * 64  # compared with where there is no such key, so that both take the same time


class ApiKey(Struct, frozen=True, forbid_unknown_fields=True):
    """One key; nothing here opens anything."""

    id: str
    name: str
    """of the person"""
    digest: str
    """SHA-256 of the secret, hex"""
    scopes: tuple[str, ...]
    roles: tuple[str, ...]
    created_ms: int
    expires_ms: int | None = None
    allow: tuple[str, ...] | None = None
    """grants of its runs; None = as the server"""
    deny: tuple[str, ...] = ()
    revoked_ms: int | None = None

    @property
    def remit(self) -> Remit:
        """What its runs may do, to be met with the server's remit."""
        given: Remit = UNSET if self.allow is None else UNSET.allow(*self.allow)
        denied: Remit = given.deny(*self.deny) if self.deny else given
        return denied


class ApiKeys:
    """The keys of one state folder; other processes' changes are seen at the next use."""

    def __init__(self, folder: str) -> None:
        self.path = os.path.join(folder, FILE_NAME)
        self._folder = folder
        self._stamp: tuple[int, ...] = ()
        self._keys: dict[str, ApiKey] = {}

    def add(self, key: ApiKey) -> str:
        """Keep a key (its `id` and `digest` are made here); returns its text, which is nowhere kept.

        Raises: value_invalid (a name or scope that there is not), grant_invalid, disk_failed, record_altered.
        """
        if not _NAME.fullmatch(key.name):
            raise Invalid("value_invalid", f"{key.name!r:.80} is no name; letters a-z, digits, . _ -")
        unknown = [scope for scope in key.scopes if scope not in SCOPES]
        if unknown or not key.scopes:
            raise Invalid("value_invalid", f"scope {(unknown or [''])[0]!r:.40}; one or more of {', '.join(SCOPES)}")
        _ = key.remit  # its grants are well formed
        identity, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
        made = structs.replace(key, id=identity, digest=_digest(secret))
        self._change(lambda keys: (*keys, made))
        return f"remit_{identity}_{secret}"

    def revoke(self, identity: str, now_ms: int) -> ApiKey:
        """End a key; durable before it returns. Raises key_unknown, disk_failed, record_altered."""
        found = next((key for key in self.all() if key.id == identity), None)
        if found is None:
            raise Invalid("key_unknown", f"there is no API key {identity[:40]!r}")
        ended = structs.replace(found, revoked_ms=found.revoked_ms or now_ms)
        self._change(lambda keys: tuple(ended if key.id == identity else key for key in keys))
        return ended

    def all(self) -> tuple[ApiKey, ...]:
        """Every key, ended ones too; raises record_altered, disk_failed."""
        return tuple(self._load().values())

    def find(self, text: str, now_ms: int) -> ApiKey | None:
        """The key that `text` is; None when it is none, expired or revoked. Raises record_altered, disk_failed."""
        matched = _KEY.fullmatch(text)
        key = self._load().get(matched["id"]) if matched else None
        held = _NOBODY if key is None else key.digest
        same = hmac.compare_digest(_digest(matched["secret"] if matched else ""), held)
        if key is None or not same or key.revoked_ms is not None:
            return None
        return None if key.expires_ms is not None and now_ms >= key.expires_ms else key

    def live(self, identity: str, now_ms: int) -> bool:
        """Whether the key of this id still counts."""
        key = self._load().get(identity)
        return key is not None and key.revoked_ms is None and (key.expires_ms is None or now_ms < key.expires_ms)

    def _load(self) -> dict[str, ApiKey]:
        try:
            found = os.stat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
        if stamp != self._stamp:
            self._keys = {key.id: key for key in _read(self.path)}
            self._stamp = stamp
        return self._keys

    def _change(self, change: Callable[[tuple[ApiKey, ...]], tuple[ApiKey, ...]]) -> None:
        make_folder(self._folder)
        with locked(f"{self.path}.lock"):
            write_private(self.path, msgspec.json.encode(change(_read(self.path))))


def _read(path: str) -> tuple[ApiKey, ...]:
    raw = read_private(path, MAX_BYTES, only_owner=True)
    try:
        return () if raw is None else msgspec.json.decode(raw, type=tuple[ApiKey, ...])
    except (msgspec.DecodeError, RecursionError) as error:
        raise Conflict("record_altered", f"{path} is damaged: {error}"[:300]) from None


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
