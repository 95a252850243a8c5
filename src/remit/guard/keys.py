"""The key ring: one data key for each purpose, each wrapped; made on first use, rotated, destroyed.

    key-encryption key (environment, file, keyring, passphrase, KMS)
      wraps the root key            one a ring; changes when the key-encryption key changes
        wraps the data keys         one active a purpose ("journal", "vault", "store/sessions", ...), older ones retired
          seal records              envelope.py: each names its key in the header

So a new key-encryption key costs one small file (`change_source`), and a new data key (`rotate`) leaves every
old record readable until `re_encrypt` of its store has moved it; only then is the old key destroyed.

Invariants: the file is proven (MAC) before anything of it is used; an older ring is refused (keys_ring.py); a
purpose has exactly one active key; a destroyed key never comes back; changes of several processes take turns and
each sees the others'. Purposes that begin with `index/` make names and pseudonyms; they never rotate.

Wiping: keys that this object holds are in bytearrays, overwritten by `close`. What is handed out (`data_key`),
what the cryptography library copies and what the environment holds, Python cannot overwrite.
"""

from __future__ import annotations

import base64
import os
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from remit.errors import Conflict, Invalid
from remit.guard.envelope import ALGORITHMS, KEY_BYTES, Cipher, Place, header_of
from remit.guard.keys_ring import (
    RING_FILE,
    KeyRow,
    Purpose,
    RingFile,
    RingStore,
    RootRow,
    context_of,
    decode_base64,
    wipe,
)
from remit.guard.keys_sources import derive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from remit.ports.keys import KeySource

FindSource = Callable[[Mapping[str, str]], "KeySource"]
"""the key source for a ring's parameters ({} for a new ring)"""
STABLE: Final = "index/"


class KeyInfo(Struct, frozen=True):
    """What may be shown of a data key."""

    purpose: str
    id: str
    state: str
    algorithm: str


class KeyRing:
    """See the module's text. Safe for several threads.

    Args:
        folder: where `keys.ring` lies (the state folder).
        anchor: path of the anchor file, in another folder (the configuration folder).
        find: gives the key-encryption key for the ring's parameters.
        algorithm: of new data keys.
        create: make a ring when there is none.
        accept: a person vouches for a ring that looks put back.

    Raises: key_missing, key_invalid, key_wrong, key_rollback, record_altered, disk_failed.
    """

    def __init__(
        self,
        folder: str,
        anchor: str,
        find: FindSource,
        *,
        algorithm: str = "aes-256-gcm",
        create: bool = True,
        accept: bool = False,
    ) -> None:
        if algorithm not in ALGORITHMS:
            raise Invalid("value_invalid", f"algorithm {algorithm!r:.40}: one of {', '.join(ALGORITHMS)}")
        self.algorithm = algorithm
        self._file = RingStore(os.path.join(folder, RING_FILE), anchor)
        self._guard = threading.RLock()
        self._held: dict[tuple[str, str], bytearray] = {}
        self._ciphers: dict[tuple[str, str], Cipher] = {}
        self._root = bytearray()
        self._source = find(self._file.params())
        with self._file.locked():
            if not self._read(accept):
                self._create(create)

    # ---- keys

    def data_key(self, purpose: str) -> bytes:
        """The active key of `purpose`, 32 B, made on first use. Raises value_invalid (not a purpose)."""
        with self._guard:
            self._look()
            return bytes(self._key(self._active(purpose)))

    def keys(self, purpose: str) -> tuple[bytes, ...]:
        """The active key and the retired ones, newest first: for stores whose records cannot name their key."""
        with self._guard:
            self._look()
            self._active(purpose)
            rows = [row for row in self._ring.keys if row.purpose == purpose and row.state != "destroyed"]
            rows.sort(key=lambda row: row.state != "active")  # stable: the file lists newest first
            return tuple(bytes(self._key(row)) for row in rows)

    def cipher(self, purpose: str, key_id: str = "") -> Cipher:
        """The cipher of the active key, or of `key_id`; raises key_destroyed, record_altered (no such key)."""
        with self._guard:
            self._look()
            if not key_id:
                return self._cipher(self._active(purpose))
            row = self._row(purpose, key_id)
            if row is None:
                raise Conflict("record_altered", f"{purpose}: sealed under key {key_id}, which this ring never had")
            return self._cipher(row)

    def seal(self, purpose: str, plain: bytes, record: str, version: int = 1) -> bytes:
        """`plain` sealed under the active key for (purpose, record, version)."""
        return self.cipher(purpose).seal(plain, Place(purpose, record, version))

    def open(self, purpose: str, sealed: bytes, record: str, version: int = 1) -> bytes:
        """What `seal` got, whichever key of the purpose sealed it; raises record_altered, key_destroyed."""
        place = Place(purpose, record, version)
        return self.cipher(purpose, header_of(sealed, place).key_id).open(sealed, place)

    def uses_active_key(self, purpose: str, sealed: bytes) -> bool:
        """Whether a sealed record needs no re-encryption."""
        with self._guard:
            self._look()
            return header_of(sealed, Place(purpose, "")).key_id == self._active(purpose).id

    def pseudonym(self, purpose: str, name: str) -> str:
        """32 hex digits that stand for `name`: the same always, and nobody without the ring can guess back."""
        import hmac

        return hmac.digest(self.data_key(f"{STABLE}{purpose}"), name.encode(), "sha256")[:16].hex()

    def listing(self) -> tuple[KeyInfo, ...]:
        """All data keys, without the keys."""
        with self._guard:
            self._look()
            return tuple(KeyInfo(row.purpose, row.id, row.state, row.algorithm) for row in self._ring.keys)

    @property
    def generation(self) -> int:
        """How often the ring was changed."""
        return self._ring.generation

    @property
    def source_id(self) -> str:
        """Id of the key-encryption key."""
        return self._ring.root.source

    # ---- changes

    def rotate(self, purpose: str) -> str:
        """Make a new active key for `purpose`; the old one is retired and still opens. Returns the new id."""
        if purpose.startswith(STABLE):
            raise Invalid("value_invalid", f"{purpose} names things; with another key nothing would be found")
        with self._changing():
            rows = [replace(r, state="retired") if r.purpose == purpose and r.state == "active" else r
                    for r in self._ring.keys]  # fmt: skip
            fresh = self._fresh(purpose)
            self._write(replace(self._ring, keys=(fresh, *rows)))
        return fresh.id

    def destroy(self, purpose: str, key_id: str) -> None:
        """Destroy a retired key: what it sealed is gone. Raises value_invalid (active or unknown)."""
        with self._changing():
            row = self._row(purpose, key_id)
            if row is None or row.state != "retired":
                raise Invalid("value_invalid", f"{purpose}: only a retired key can be destroyed, not {key_id!r:.40}")
            gone = replace(row, state="destroyed", wrapped="")
            self._write(replace(self._ring, keys=tuple(gone if r is row else r for r in self._ring.keys)))
            self._forget((purpose, key_id))

    def change_source(self, source: KeySource) -> None:
        """Wrap everything anew for another key-encryption key, under a new root key: the old one opens nothing more.

        A copy of the old ring that somebody kept still opens with the old key; rotate the data keys as well when
        the old key may be known to others.
        """
        with self._changing():
            held = {row: self._key(row) for row in self._ring.keys if row.state != "destroyed"}
            old, self._root = self._root, bytearray(secrets.token_bytes(KEY_BYTES))
            try:
                rows = tuple(replace(row, wrapped=self._wrap(row, held[row])) if row in held else row
                             for row in self._ring.keys)  # fmt: skip
                self._write(replace(self._ring, root=self._root_row(source, self._ring.ring), keys=rows))
            except BaseException:
                self._root = old
                raise
            wipe(old)
            self._source.close()
            self._source = source

    def erase(self, pseudonyms: Iterable[str]) -> None:
        """Note destroyed subjects, so that a key file of theirs that is put back stays refused."""
        with self._changing():
            known = set(self._ring.erased)
            fresh = tuple(p for p in dict.fromkeys(pseudonyms) if p not in known)
            if fresh:
                self._write(replace(self._ring, erased=self._ring.erased + fresh))

    def is_erased(self, pseudonym: str) -> bool:
        """Whether a subject was destroyed, by whichever process."""
        with self._guard:
            self._look()
            return pseudonym in self._erased

    def close(self) -> None:
        """Overwrite the keys that are held here, and forget the source."""
        with self._guard:
            for key in self._held.values():
                wipe(key)
            wipe(self._root)
            self._held.clear()
            self._ciphers.clear()
            self._root = bytearray()
            self._source.close()

    # ---- under the lock

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._guard, self._file.locked():
            self._refresh()
            yield

    def _look(self) -> None:
        """Take over what another process has written since the last look; a stat where nothing was."""
        if not self._root or self._file.changed():
            self._refresh()

    def _refresh(self) -> None:
        if not self._root:
            raise Invalid("key_missing", "the key ring is closed")
        if not self._read():
            raise Conflict("key_rollback", f"the key ring is gone: {self._file.path}")

    def _read(self, accept: bool = False) -> bool:
        found = self._file.read(self._source, accept)
        if found is None:
            return False
        wipe(self._root)
        ring, self._root = found
        self._take(ring)
        return True

    def _create(self, allowed: bool) -> None:
        self._file.check_new()
        if not allowed:
            where = f"there is no key ring yet: {self._file.path}"
            raise Invalid("key_missing", where, hint="Make one: remit vault keys init")
        name = secrets.token_hex(8)
        self._root = bytearray(secrets.token_bytes(KEY_BYTES))
        self._write(RingFile(1, name, 0, self._root_row(self._source, name)))

    def _write(self, ring: RingFile) -> None:
        ring = replace(ring, generation=ring.generation + 1)
        self._file.write(ring, self._root)
        self._take(ring)

    def _take(self, ring: RingFile) -> None:
        self._ring = ring
        self._erased = frozenset(ring.erased)
        for row in ring.keys:
            if row.state == "destroyed":
                self._forget((row.purpose, row.id))

    def _root_row(self, source: KeySource, name: str) -> RootRow:
        wrapped = base64.b64encode(source.wrap(bytes(self._root), context_of(name))).decode()
        return RootRow(source.id, wrapped, dict(source.params))

    def _active(self, purpose: str) -> KeyRow:
        row = next((r for r in self._ring.keys if r.purpose == purpose and r.state == "active"), None)
        if row is None:
            with self._changing():
                row = next((r for r in self._ring.keys if r.purpose == purpose and r.state == "active"), None)
                if row is None:
                    row = self._fresh(purpose)
                    self._write(replace(self._ring, keys=(row, *self._ring.keys)))
        return row

    def _fresh(self, purpose: str) -> KeyRow:
        try:
            msgspec.convert(purpose, Purpose)
        except msgspec.ValidationError:
            raise Invalid("value_invalid", f"not a purpose: {purpose!r:.80}") from None
        bare = KeyRow(secrets.token_hex(8), purpose, "active", "aes-256-gcm", "")
        bare = replace(bare, algorithm=self.algorithm)
        return replace(bare, wrapped=self._wrap(bare, bytearray(secrets.token_bytes(KEY_BYTES))))

    def _row(self, purpose: str, key_id: str) -> KeyRow | None:
        return next((r for r in self._ring.keys if r.purpose == purpose and r.id == key_id), None)

    def _cipher(self, row: KeyRow) -> Cipher:
        place = (row.purpose, row.id)
        if place not in self._ciphers:
            self._ciphers[place] = Cipher(self._key(row), row.id, row.algorithm)
        return self._ciphers[place]

    def _key(self, row: KeyRow) -> bytearray:
        place = (row.purpose, row.id)
        if row.state == "destroyed":
            raise Conflict("key_destroyed", f"{row.purpose}: the key {row.id} was destroyed")
        if place not in self._held:
            self._held[place] = bytearray(self._wrapper().open(decode_base64(row.wrapped), self._place(row)))
        return self._held[place]

    def _wrap(self, row: KeyRow, key: bytearray) -> str:
        return base64.b64encode(self._wrapper().seal(bytes(key), self._place(row))).decode()

    def _wrapper(self) -> Cipher:
        if not self._root:
            raise Invalid("key_missing", "the key ring is closed")
        return Cipher(derive(self._root, b"remit data keys 1"), self._ring.ring, "aes-256-gcm")

    def _place(self, row: KeyRow) -> Place:
        return Place("ring", f"{self._ring.ring} {row.purpose} {row.id} {row.algorithm}")

    def _forget(self, place: tuple[str, str]) -> None:
        self._ciphers.pop(place, None)
        wipe(self._held.pop(place, bytearray()))
