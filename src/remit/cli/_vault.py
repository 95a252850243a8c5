"""The work of `remit vault`: values from a prompt or a pipe, bindings from flags; nothing here shows a value."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from remit.cli import _keys_steps, _output
from remit.config import Settings, load
from remit.errors import Invalid
from remit.guard.keys_open import open_ring
from remit.guard.vault import MAX_VALUE_BYTES, Vault
from remit.guard.vault_file import Binding
from remit.runtime import Adapters

DAY_MS: Final = 86_400_000
MAX_DAYS: Final = 36_500
DEFAULT_SLOT: Final = "header:authorization"


def run(args: Any) -> int:
    """Do one action and print its result."""
    settings = load(os.getcwd(), {})
    if args.action == "add":
        _keys_steps.make_key_file(settings.encryption)
    rings: list[Any] = []

    def ring() -> Any:
        if not rings:
            rings.append(open_ring(settings.encryption, os.environ, ask=_ask()))
        return rings[0]

    outside = Adapters(ring)
    try:
        result = _ACTIONS[args.action](args, outside.vault, settings)
    finally:
        for held in rings:
            held.close()
    if args.json:
        _output.json_line({"type": "result", "status": "ok", "action": args.action, **result})
    return 0


def _add(args: Any, vault: Vault, _: Settings) -> dict[str, Any]:
    bindings = _bindings(args)
    vault.add(args.name, read_value(args.name), bindings, _expiry(args))
    _say(args, f"kept {args.name}, bound to {len(bindings)} place(s)")
    if not bindings:
        _say(args, f"It goes nowhere yet: remit vault bind {args.name} --to https://HOST")
    return {"name": args.name, "bindings": len(bindings)}


def _rotate(args: Any, vault: Vault, _: Settings) -> dict[str, Any]:
    _row(vault, args.name)  # before a value is asked for
    vault.rotate(args.name, read_value(args.name), _expiry(args))
    row = _row(vault, args.name)
    _say(args, f"{args.name} has a new value (version {row['version']}); its bindings stay")
    return {"name": args.name, "version": row["version"]}


def _bind(args: Any, vault: Vault, _: Settings) -> dict[str, Any]:
    bindings = _bindings(args)
    if not bindings:
        raise Invalid("usage_invalid", "there is no --to TARGET", hint="Write: --to 'GET,POST https://HOST/path/**'")
    vault.bind(args.name, bindings, args.remove)
    count = len(_row(vault, args.name)["bindings"])
    _say(args, f"{args.name} is bound to {count} place(s)")
    return {"name": args.name, "bindings": count}


def _remove(args: Any, vault: Vault, _: Settings) -> dict[str, Any]:
    vault.remove(args.name)
    _say(args, f"{args.name} is gone from the vault; what it opened is not: revoke it where it was issued")
    return {"name": args.name}


def _list(args: Any, vault: Vault, _: Settings) -> dict[str, Any]:
    rows = vault.rows()
    if args.json:
        for row in rows:
            _output.json_line({"type": "secret", **row})
    else:
        _output.table(("NAME", "VERSION", "SET", "EXPIRES", "BOUND TO"), [_cells(row) for row in rows])
    return {"secrets": len(rows)}


_ACTIONS: Final[dict[str, Callable[[Any, Vault, Settings], dict[str, Any]]]] = {
    "add": _add,
    "rotate": _rotate,
    "bind": _bind,
    "remove": _remove,
    "list": _list,
}


def read_value(name: str) -> str:
    """The value from a prompt without echo, or all of a pipe less one line end; raises value_invalid."""
    if sys.stdin.isatty():
        from getpass import getpass

        return getpass(f"Value of {name} (not shown): ")
    raw = sys.stdin.buffer.read(MAX_VALUE_BYTES + 3)
    if raw.endswith(b"\n"):
        raw = raw[:-2] if raw.endswith(b"\r\n") else raw[:-1]
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Invalid("value_invalid", "the secret's value is not UTF-8") from None


def _bindings(args: Any) -> tuple[Binding, ...]:
    if args.slot and not args.to:
        raise Invalid("usage_invalid", "--slot needs --to TARGET", hint="Write: --to https://HOST --slot SLOT")
    slots = [slot.lower() if slot.lower().startswith("header:") else slot for slot in args.slot] or [DEFAULT_SLOT]
    return tuple(Binding(target.strip(), slot) for target in args.to for slot in slots)


def _expiry(args: Any) -> int | None:
    """Milliseconds that the value lasts; None = for ever."""
    if args.expires is None:
        return None
    if not 0 < args.expires <= MAX_DAYS:
        raise Invalid("usage_invalid", f"--expires {args.expires:g}: a number of days, above 0, at most {MAX_DAYS}")
    days: float = args.expires
    return round(days * DAY_MS)


def _row(vault: Vault, name: str) -> dict[str, Any]:
    row = next((row for row in vault.rows() if row["name"] == name), None)
    if row is None:
        raise Invalid("secret_unknown", f"there is no secret {name[:64]!a}")
    return row


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    bound = "; ".join(f"{b['target']} {b['slot']}" for b in row["bindings"]) or "nothing"
    expires = "expired" if row["expired"] else "never" if row["expires_ms"] is None else _day(row["expires_ms"])
    return row["name"], str(row["version"]), _day(row["rotated_ms"]), expires, bound


def _ask() -> Callable[[str], str] | None:
    """Asks for the passphrase of the key ring; None when nobody is there."""
    if not _output.interactive():
        return None
    from getpass import getpass

    return getpass


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()


def _say(args: Any, text: str) -> None:
    if not args.json:
        _output.data(text)
