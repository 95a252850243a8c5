"""Encrypted records in files: one file a record, a name that tells nothing, sealed to its place.

    FOLDER/STORE/<32 hex>.rec = u64 version || sealed({"id", "value"})      (envelope.py)

The file's name is a keyed hash of the record id, and record, version and store are authenticated: a record that was
changed, renamed, copied over another one or given another version does not open (record_altered). Writes are
atomic and durable, and processes take turns.

`re_encrypt` moves every record to the store's active key, a batch at a time: it may be killed and called
again, records stay readable and writable in between, and old keys are destroyed only after a last look at every file
under the lock found none that needs them.

Limit: an older copy of the *same* record, put back whole, is a valid record; `get(at_least=)` refuses it
where the caller knows the version.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from struct import Struct as Packer
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from remit.errors import Conflict, Invalid, RemitError
from remit.guard.envelope import MAX_PLAIN_BYTES, OVERHEAD_BYTES, Place, altered, header_of
from remit.guard.keys import KeyRing
from remit.guard.private_file import (
    TEMP_PREFIX,
    failed,
    locked,
    make_folder,
    read_private,
    remove_private,
    sync_folder,
    write_private,
)

MAX_ID: Final = 512  # characters
MAX_RECORD_BYTES: Final = 64 * 1024 * 1024
BATCH: Final = 64  # records that one hold of the lock re-encrypts
_SUFFIX: Final = ".rec"
_LOCK: Final = ".lock"
_version: Final = Packer(">Q")
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_FILE: Final = re.compile(r"[0-9a-f]{32}\.rec")
Progress = Callable[[int, int], None]
"""(records done, records in all)"""


class _Content(Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    value: msgspec.Raw


class Record(NamedTuple):
    """One record as it was put."""

    id: str
    value: Any
    version: int
    """1 for a new record, one more with every put"""


class EncryptedStore:
    """See the module's text.

    Args:
        ring: whose keys seal the records: purpose `store/NAME`.
        folder: where the store's own folder is made.
        name: a small letter, then at most 31 letters, digits, `_` or `-`.

    Raises: value_invalid, disk_failed, and the errors of the key ring.
    """

    def __init__(self, ring: KeyRing, folder: str, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise Invalid("value_invalid", f"not the name of a store: {name!r:.60}")
        self.name = name
        self.purpose = f"store/{name}"
        self._ring = ring
        self._folder = os.path.join(folder, name)
        self._lock = os.path.join(self._folder, _LOCK)
        make_folder(self._folder)

    def put(self, record_id: str, value: Any, *, only_new: bool = False) -> int:
        """Write a record durably; returns its version. `value`: whatever msgspec writes as JSON.

        only_new: leave a record that is there as it is, and return its version.

        Raises value_invalid (id, value, size), record_altered (what is there now was altered), disk_failed.
        """
        stem = self._stem(record_id)
        try:
            plain = msgspec.json.encode(_Content(record_id, msgspec.Raw(msgspec.json.encode(value))))
        except (TypeError, ValueError, RecursionError, OverflowError) as error:
            raise Invalid("value_invalid", f"the record cannot be written as JSON: {type(error).__name__}") from None
        if len(plain) > MAX_RECORD_BYTES:
            raise Invalid("value_invalid", f"a record has at most {MAX_RECORD_BYTES} bytes, this one {len(plain)}")
        with locked(self._lock):
            old = self._read(stem)
            if old is not None and only_new:
                return old[1]
            version = old[1] + 1 if old is not None else 1
            self._write(stem, plain, version)
        return version

    def get(self, record_id: str, kind: Any = Any, at_least: int = 0) -> Record | None:
        """The record, its value decoded as `kind`; None when there is none.

        Raises record_altered (also when its version is below `at_least`), key_destroyed, value_invalid (not a `kind`).
        """
        found = self._read(self._stem(record_id))
        if found is None:
            return None
        content, version = found
        if content.id != record_id or version < at_least:
            raise altered(Place(self.purpose, record_id))
        try:
            return Record(record_id, msgspec.json.decode(content.value, type=kind), version)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise Invalid("value_invalid", f"{self.name}: the record is no {kind!r:.60}: {error}") from None

    def delete(self, record_id: str) -> bool:
        """Remove a record durably; False when there was none."""
        with locked(self._lock):
            return remove_private(self._path(self._stem(record_id)))

    def ids(self) -> list[str]:
        """Ids of all records, sorted; raises record_altered at the first one that does not open."""
        return sorted(self._opened(stem)[0].id for stem in self._stems())

    def problems(self) -> list[str]:
        """What does not open, one text each; empty = every record is as it was written."""
        found = []
        for stem in self._stems():
            try:
                self._opened(stem)
            except RemitError as error:
                found.append(f"{self.name}/{stem}{_SUFFIX}: {error.message}")
        return found

    def outdated(self) -> int:
        """How many records are sealed under an older key."""
        return sum(1 for stem in self._stems() if not self._is_current(stem))

    def rotate(self, progress: Progress | None = None) -> int:
        """Take a new key and move every record to it; returns how many were moved. See `re_encrypt`."""
        self._ring.rotate(self.purpose)
        return self.re_encrypt(progress)

    def re_encrypt(self, progress: Progress | None = None) -> int:
        """Move all records to the active key, then destroy the older ones; may be killed and called again.

        Raises record_altered at a record that does not open: nothing is destroyed then.
        """
        stems = list(self._stems())
        moved = 0
        for at in range(0, len(stems), BATCH):
            with locked(self._lock):
                moved += sum([self._move(stem) for stem in stems[at : at + BATCH]])
                self._sync()
            if progress is not None:
                progress(min(at + BATCH, len(stems)), len(stems))
        with locked(self._lock):
            moved += sum([self._move(stem) for stem in self._stems()])  # put by a process with an older view
            self._sync()
            for key in self._ring.listing():
                if key.purpose == self.purpose and key.state == "retired":
                    self._ring.destroy(self.purpose, key.id)
        return moved

    def _move(self, stem: str) -> int:
        if self._is_current(stem):
            return 0
        found = self._read(stem)
        if found is not None:
            self._write(stem, msgspec.json.encode(found[0]), found[1], durable=False)
        return found is not None

    def _is_current(self, stem: str) -> bool:
        raw = read_private(self._path(stem), _MOST)
        return raw is None or self._ring.uses_active_key(self.purpose, raw[_version.size :])

    def _opened(self, stem: str) -> tuple[_Content, int]:
        found = self._read(stem)
        if found is None:
            raise Conflict("record_altered", f"{self.name}: a record vanished while it was read")
        if self._stem(found[0].id) != stem:
            raise altered(Place(self.purpose, stem))
        return found

    def _read(self, stem: str) -> tuple[_Content, int] | None:
        raw = read_private(self._path(stem), _MOST)
        if raw is None:
            return None
        if len(raw) < _version.size + OVERHEAD_BYTES:
            raise altered(Place(self.purpose, stem))
        version: int = _version.unpack_from(raw)[0]
        place = Place(self.purpose, stem, version)
        sealed = raw[_version.size :]
        plain = self._ring.cipher(self.purpose, header_of(sealed, place).key_id).open(sealed, place)
        try:
            return msgspec.json.decode(plain, type=_Content), version
        except (msgspec.MsgspecError, ValueError):
            raise altered(place) from None

    def _write(self, stem: str, plain: bytes, version: int, *, durable: bool = True) -> None:
        raw = _version.pack(version) + self._ring.seal(self.purpose, plain, stem, version)
        write_private(self._path(stem), raw, durable_name=durable)

    def _sync(self) -> None:
        try:
            sync_folder(self._folder)
        except OSError as error:
            raise failed(error, self._folder) from None

    def _stem(self, record_id: str) -> str:
        try:
            fits = bool(record_id.encode()) and len(record_id) <= MAX_ID
        except UnicodeEncodeError:
            fits = False
        if not fits:
            raise Invalid("value_invalid", f"a record id has 1 to {MAX_ID} characters, not {record_id!r:.60}")
        return self._ring.pseudonym(f"names/{self.name}", record_id)

    def _stems(self) -> Iterator[str]:
        try:
            names = sorted(os.listdir(self._folder))
        except OSError as error:
            raise failed(error, self._folder) from None
        for name in names:
            if _FILE.fullmatch(name):
                yield name.removesuffix(_SUFFIX)
            elif name != _LOCK and not name.startswith(TEMP_PREFIX):
                raise Conflict("record_altered", f"{self.name}: a file that is no record: {name!r:.80}")

    def _path(self, stem: str) -> str:
        return os.path.join(self._folder, stem + _SUFFIX)


_MOST: Final = min(MAX_RECORD_BYTES, MAX_PLAIN_BYTES) + OVERHEAD_BYTES + _version.size
