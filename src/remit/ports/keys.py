"""Port: what holds a key-encryption key, so that a key management service can stand in for a local key."""

from __future__ import annotations

from typing import Protocol


class KeySource(Protocol):
    """One key-encryption key. It wraps the root key of a key ring; nothing else is ever given to it."""

    @property
    def id(self) -> str:
        """Names the key, not secret: 1 to 64 printable characters; another key has another id."""
        ...

    @property
    def params(self) -> dict[str, str]:
        """What must be kept beside the wrapped key to find the key again (a salt, a key version); not secret."""
        ...

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """`key` (32 B) encrypted and authenticated together with `context`; at most 4 KB."""
        ...

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """The key again; raises key_wrong when it was wrapped by another key or for another context."""
        ...

    def close(self) -> None:
        """Forget the key."""
        ...
