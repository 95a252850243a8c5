"""One key a subject: whose data an event holds decides under which key its contents are sealed.

A subject is a name that the program chooses (a customer, a tenant, a patient). The journal keeps a pseudonym of
it, the store `subjects` keeps its key, sealed. `erase` destroys the key: the journal's bytes and hashes
stay as they are, and what was sealed cannot be read again, here or in any copy of the journal.

Erasing is noted in the key ring first, so a key file that somebody puts back stays refused. A copy of the key file
made *before* opens with a copy of the ring and its key-encryption key: keep backups of keys for a short time, or call
`erase(rotate=True)`, which also destroys the key that sealed the key files.
"""

from __future__ import annotations

import re
import secrets
from typing import Final

from msgspec import Struct

from remit.errors import Conflict, Invalid
from remit.guard.envelope import KEY_BYTES, Cipher, Place, header_of
from remit.guard.keys import KeyRing
from remit.guard.stores import EncryptedStore

STORE: Final = "subjects"
NOBODY: Final = ""
MAX_NAME: Final = 256  # characters
MAX_CACHED: Final = 10_000  # subjects whose cipher is kept
_ID: Final = re.compile(r"[0-9a-f]{32}")


class _SubjectKey(Struct, frozen=True, forbid_unknown_fields=True):
    key: bytes
    algorithm: str


class Subjects:
    """Implements ports/payloads.Payloads.

    Args:
        ring: the key ring.
        folder: where the store of subject keys is made.
        sealing: whether new runs are sealed.
        default: the subject of runs that name none.
    """

    def __init__(self, ring: KeyRing, folder: str, *, sealing: bool, default: str = "") -> None:
        self.sealing = sealing
        self._default = default
        self._ring = ring
        self._store = EncryptedStore(ring, folder, STORE)
        self._ciphers: dict[str, Cipher] = {}

    def subject(self, name: str) -> str:
        """See ports/payloads.Payloads; "" is the default subject."""
        subject = self.id_of(name or self._default)
        self._cipher(subject, make=True)
        return subject

    def id_of(self, name: str) -> str:
        """The pseudonym of a name; makes no key. Raises value_invalid."""
        if len(name) > MAX_NAME or not name.isprintable():
            raise Invalid("value_invalid", f"a subject has at most {MAX_NAME} printable characters: {name!r:.60}")
        return self._ring.pseudonym(STORE, name)

    def check(self, subject: str) -> None:
        """See ports/payloads.Payloads."""
        if self._ring.is_erased(subject):
            self._ciphers.pop(subject, None)
            raise Conflict("key_destroyed", "the subject of this run was erased")

    def seal(self, subject: str, plain: bytes, record: str) -> bytes:
        """See ports/payloads.Payloads."""
        return self._cipher(subject).seal(plain, Place("journal", record))

    def open(self, subject: str, sealed: bytes, record: str) -> bytes:
        """See ports/payloads.Payloads."""
        place = Place("journal", record)
        cipher = self._cipher(subject)
        if header_of(sealed, place).key_id != cipher.key_id:
            raise Conflict("record_altered", f"{record}: sealed under another key than the subject's")
        return cipher.open(sealed, place)

    def erase(self, name: str, *, rotate: bool = False) -> bool:
        """Destroy the key of the subject `name`; returns whether there was one.

        rotate: also renew the key that seals all subject keys and destroy the old one, so that copies of the
            erased key file open with no ring of today.
        """
        subject = self.id_of(name)
        if self._ring.is_erased(subject):
            return False
        known = self._store.get(subject) is not None
        self._ring.erase([subject])
        self._store.delete(subject)
        self._ciphers.pop(subject, None)
        if rotate:
            self._store.rotate()
        return known

    def _cipher(self, subject: str, *, make: bool = False) -> Cipher:
        self.check(subject)
        cipher = self._ciphers.get(subject)
        if cipher is None:
            if not _ID.fullmatch(subject):
                raise Conflict("record_altered", f"not the pseudonym of a subject: {subject!r:.60}")
            cipher = self._load(subject, make)
            if len(self._ciphers) >= MAX_CACHED:
                self._ciphers.pop(next(iter(self._ciphers)))
            self._ciphers[subject] = cipher
        return cipher

    def _load(self, subject: str, make: bool) -> Cipher:
        found = self._store.get(subject, _SubjectKey)
        if found is None:
            if not make:
                raise Conflict("record_altered", "the key of a subject is missing and was never destroyed")
            fresh = _SubjectKey(secrets.token_bytes(KEY_BYTES), self._ring.algorithm)
            self._store.put(subject, fresh, only_new=True)  # another process may have been faster: then its key holds
            found = self._store.get(subject, _SubjectKey)
        if found is None:
            raise Conflict("key_destroyed", "the subject was erased meanwhile")
        return Cipher(found.value.key, subject[:16], found.value.algorithm)
