"""Port: what seals the contents of journal events, one key a subject, so that a subject can be erased."""

from __future__ import annotations

from typing import Protocol


class Payloads(Protocol):
    """Seals and opens bytes under the key of a subject. The journal keeps the sealed form and never sees a key."""

    @property
    def sealing(self) -> bool:
        """Whether new runs are sealed; opening works in any case."""
        ...

    def subject(self, name: str) -> str:
        """32 hex digits that stand for the subject `name`; its key is made. Raises key_destroyed once erased."""
        ...

    def check(self, subject: str) -> None:
        """Raise key_destroyed when the subject (32 hex digits) was erased, by whichever process."""
        ...

    def seal(self, subject: str, plain: bytes, record: str) -> bytes:
        """`plain` sealed for the record id; raises key_destroyed."""
        ...

    def open(self, subject: str, sealed: bytes, record: str) -> bytes:
        """What `seal` got; raises key_destroyed, record_altered."""
        ...
