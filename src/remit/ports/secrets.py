"""Port: secrets by handle. Whoever asks for an effect writes `{{secret:NAME}}`; only the egress learns the value.

Invariants: a handle is plain ASCII text, harmless in a prompt, a journal and a log. A value leaves the
store for one request, whose method, URL and slot one of the secret's bindings covers. What comes back is
masked with every value that the store knows.
"""

from __future__ import annotations

from typing import Final, Protocol

from msgspec import Struct

from remit.core.patterns import lazy

HANDLE: Final = lazy(r"\{\{secret:([a-z0-9][a-z0-9._-]{0,63})\}\}")
NAME: Final = lazy(r"[a-z0-9][a-z0-9._-]{0,63}")
SLOT: Final = lazy(r"header:[a-z0-9][a-z0-9-]{0,63}|body:[A-Za-z0-9_-]{1,64}(?:\.[A-Za-z0-9_-]{1,64}){0,7}")
MARK: Final = "{{secret:"


def handle_names(text: str) -> tuple[str, ...]:
    """The names of all handles in `text`, each once, in order."""
    return tuple(dict.fromkeys(HANDLE.findall(text))) if MARK in text else ()


class SecretUse(Struct, frozen=True, gc=False):
    """Where a value would go."""

    method: str
    url: str
    slot: str
    """header:NAME (lower case) or body:FIELD (dotted path of a JSON or form field)"""


class ByteMask(Protocol):
    """Masks values in bytes that arrive piece by piece, also where a value lies across pieces."""

    def feed(self, chunk: bytes) -> bytes:
        """What may be handed on now."""
        ...

    def finish(self) -> bytes:
        """The rest."""
        ...


class Secrets(Protocol):
    """A store of secrets, as the egress sees it."""

    @property
    def live(self) -> bool:
        """Whether there is any secret, so that what leaves and what comes back must be looked at."""
        ...

    def value(self, name: str, use: SecretUse) -> str:
        """The value for exactly this use; raises secret_unknown, secret_denied, vault_locked, vault_damaged."""
        ...

    def mask(self, data: bytes) -> bytes:
        """`data` with every form of every value replaced by `[secret:NAME]`."""
        ...

    def stream_mask(self) -> ByteMask:
        """A mask for one stream."""
        ...
