"""The vault: secrets by name, each bound to where it may go; the store behind `{{secret:NAME}}`.

The idea: models, tools, prompts and the journal hold the handle; the value leaves the vault once for each
request, at the egress, when the request's method, URL and slot fit a binding. Everything that comes back, and
everything else that leaves, is compared with every value (`matcher`).

Invariants: no value is in a repr, an error or a journal; a secret without a binding goes nowhere; an expired one
neither; wildcards in a binding's host are refused; core dumps are off once a value was decrypted. What Python
cannot do: wipe every copy of a value from this process's memory.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from msgspec import structs

from remit.core import needs
from remit.core.grants import Grant, parse_grant
from remit.errors import Conflict, Denied, Invalid
from remit.guard.leaks_matcher import Matcher, StreamMask
from remit.guard.vault_file import Binding, Entry, VaultFile
from remit.ports.secrets import NAME, SLOT, SecretUse

MIN_VALUE_BYTES: Final = 8  # shorter ones are found in ordinary text, so they could not be guarded
MAX_VALUE_BYTES: Final = 16 * 1024
MAX_SECRETS: Final = 1000
MAX_BINDINGS: Final = 32
KEPT_PREVIOUS: Final = 2


class Vault:
    """Implements ports/secrets.Secrets; `remit vault` changes it.

    Args:
        file: where it is kept.
        now_ms: wall clock.
    """

    def __init__(self, file: VaultFile, now_ms: Callable[[], int]) -> None:
        self._file = file
        self._now_ms = now_ms
        self._signature: tuple[int, ...] | None = None
        self._entries: dict[str, Entry] = {}
        self._matcher = Matcher(())
        self.live = file.signature() is not None
        """whether there is a vault, as far as was last seen: without one, no request is looked at"""

    def __repr__(self) -> str:
        return "Vault()"

    # -- use

    def value(self, name: str, use: SecretUse) -> str:
        """The value for exactly this use; raises secret_unknown, secret_denied, vault_locked, vault_damaged."""
        entry = self._entry(name)
        if entry.expires_ms is not None and self._now_ms() >= entry.expires_ms:
            raise Denied("secret_denied", f"the secret {name} has expired", hint=f"remit vault rotate {name}")
        need = needs.net(use.method, use.url)
        if not any(b.slot == use.slot and _target(b.target).covers(need) for b in entry.bindings):
            where = f"{use.method} {need.detail[1]}://{need.detail[2]}:{need.detail[3]}"
            raise Denied("secret_denied", f"the secret {name} is not bound to {where}, {use.slot}")
        self.live = True
        return entry.value

    def mask(self, data: bytes) -> bytes:
        """`data` with every form of every value replaced by `[secret:NAME]`."""
        return self.matcher().mask(data)

    def stream_mask(self) -> StreamMask:
        """A mask for one stream."""
        return StreamMask(self.matcher())

    def matcher(self) -> Matcher:
        """All values in all their forms, also expired and lately replaced ones; empty without a vault."""
        self._refresh()
        return self._matcher

    # -- change

    def add(self, name: str, value: str, bindings: tuple[Binding, ...], lasts_ms: int | None = None) -> None:
        """Keep a new secret, for `lasts_ms` or for ever; raises value_invalid, secret_exists."""
        if NAME.fullmatch(name) is None:
            raise Invalid("value_invalid", f"{name!r:.80} is no name: lower-case letters, digits, . _ - (at most 64)")
        now_ms = self._now_ms()
        entry = _checked(Entry(name, value, bindings, now_ms, now_ms, _end(now_ms, lasts_ms)))
        with self._changing() as entries:
            if name in entries:
                raise Conflict("secret_exists", f"there is a secret {name}")
            if len(entries) >= MAX_SECRETS:
                raise Invalid("value_invalid", f"a vault holds at most {MAX_SECRETS} secrets")
            entries[name] = entry

    def rotate(self, name: str, value: str, lasts_ms: int | None = None) -> None:
        """Replace the value; the bindings stay. Raises secret_unknown, value_invalid."""
        now_ms = self._now_ms()
        with self._changing() as entries:
            old = _known(entries, name)
            previous = tuple(v for v in (old.value, *old.previous) if v != value)[:KEPT_PREVIOUS]
            entries[name] = _checked(
                structs.replace(
                    old,
                    value=value,
                    rotated_ms=now_ms,
                    expires_ms=_end(now_ms, lasts_ms),
                    version=old.version + 1,
                    previous=previous,
                )
            )

    def bind(self, name: str, bindings: tuple[Binding, ...], remove: bool = False) -> None:
        """Add bindings, or take them away; raises secret_unknown, value_invalid."""
        with self._changing() as entries:
            old = _known(entries, name)
            if remove:
                missing = [b for b in bindings if b not in old.bindings]
                if missing:
                    raise Invalid("value_invalid", f"{name} is not bound to {missing[0].target}, {missing[0].slot}")
                kept = tuple(b for b in old.bindings if b not in bindings)
            else:
                kept = tuple(dict.fromkeys((*old.bindings, *bindings)))
            entries[name] = _checked(structs.replace(old, bindings=kept))

    def remove(self, name: str) -> None:
        """Forget a secret; raises secret_unknown."""
        with self._changing() as entries:
            _known(entries, name)
            del entries[name]

    def rows(self) -> list[dict[str, Any]]:
        """What may be shown: name, bindings, times (ms), version, whether it has expired; never a value."""
        self._refresh()
        now_ms = self._now_ms()
        return [
            {
                "name": e.name,
                "bindings": [{"target": b.target, "slot": b.slot} for b in e.bindings],
                "created_ms": e.created_ms,
                "rotated_ms": e.rotated_ms,
                "expires_ms": e.expires_ms,
                "expired": e.expires_ms is not None and now_ms >= e.expires_ms,
                "version": e.version,
            }
            for e in self._entries.values()
        ]

    # -- inside

    def _entry(self, name: str) -> Entry:
        self._refresh()
        return _known(self._entries, name)

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Entry]]:
        with self._file.changing() as entries:
            yield entries
        self.live = True

    def _refresh(self) -> None:
        """Read the file again when it has changed: a rotated value counts at once, a removed one too."""
        signature = self._file.signature()
        if signature == self._signature:
            return
        entries = self._file.read()
        if entries:
            _without_core_dumps()
        self._entries = {entry.name: entry for entry in entries}
        self._matcher = Matcher([(e.name, v.encode()) for e in entries for v in (e.value, *e.previous)])
        self._signature = signature
        self.live = bool(entries)


def _end(now_ms: int, lasts_ms: int | None) -> int | None:
    return None if lasts_ms is None else now_ms + lasts_ms


def _known(entries: dict[str, Entry], name: str) -> Entry:
    entry = entries.get(name)
    if entry is None:
        raise Invalid("secret_unknown", f"there is no secret {name[:64]!a}")
    return entry


def _checked(entry: Entry) -> Entry:
    """The entry, when value and bindings can be used; raises value_invalid without showing the value."""
    size = len(entry.value.encode(errors="replace"))
    if not MIN_VALUE_BYTES <= size <= MAX_VALUE_BYTES or len(set(entry.value)) < 4:
        wanted = f"{MIN_VALUE_BYTES} to {MAX_VALUE_BYTES} bytes, and four different characters"
        raise Invalid("value_invalid", f"the secret's value has {size} bytes; a secret has {wanted}")
    try:
        entry.value.encode()
    except UnicodeEncodeError:
        raise Invalid("value_invalid", "the secret's value is not UTF-8") from None
    if len(entry.bindings) > MAX_BINDINGS:
        raise Invalid("value_invalid", f"a secret has at most {MAX_BINDINGS} bindings")
    for binding in entry.bindings:
        _target(binding.target)
        if SLOT.fullmatch(binding.slot) is None:
            wanted = "header:NAME or body:FIELD, as header:authorization"
            raise Invalid("value_invalid", f"{binding.slot!r:.80} is no slot", hint=f"Write {wanted}.")
        if binding.slot.startswith("header:") and not (entry.value.isascii() and entry.value.isprintable()):
            raise Invalid("value_invalid", "the secret's value holds characters that no header can carry")
    return entry


def _target(text: str) -> Grant:
    """The net pattern of a binding; raises value_invalid for wildcards in the host."""
    grant = parse_grant(f"net:{text}")
    if "*" in grant.parts[2] or grant.parts[3] == "*":
        raise Invalid("value_invalid", f"{text!r:.200}: a secret is bound to one host and port, without wildcards")
    return grant


def _without_core_dumps() -> None:
    """A crash must not write this process's memory, which now holds values, to a file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
