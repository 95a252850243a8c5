"""The work of `remit serve keys`: API keys are shown once, and only their digest is kept."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any, Final

from remit.cli import _output
from remit.cli._token import now_ms
from remit.config import load, state_folder
from remit.errors import Invalid
from remit.guard.api_keys import ApiKey, ApiKeys
from remit.guard.roles import roles_of

DAY_MS: Final = 86_400_000
MAX_DAYS: Final = 36_500


def run(args: Any) -> int:
    """Do one action and print its result."""
    result = {"add": _add, "list": _list, "revoke": _revoke}[args.action](args, ApiKeys(str(state_folder())))
    if args.json:
        _output.json_line({"type": "result", "status": "ok", "action": args.action, **result})
    return 0


def _add(args: Any, keys: ApiKeys) -> dict[str, Any]:
    known = roles_of(load(os.getcwd(), {})["roles"])
    roles = tuple(args.role) or ("developer",)
    unknown = [role for role in roles if role not in known]
    if unknown:
        raise Invalid("usage_invalid", f"--role {unknown[0]!r:.60}; there are {', '.join(sorted(known))}")
    if args.days is not None and not 0 < args.days <= MAX_DAYS:
        raise Invalid("usage_invalid", f"--days {args.days:g}: above 0, at most {MAX_DAYS}")
    now = now_ms()
    expires = None if args.days is None else now + round(args.days * DAY_MS)
    scopes = tuple(dict.fromkeys(args.scope)) or ("runs:read",)
    allow = None if args.allow is None else tuple(args.allow)
    text = keys.add(ApiKey("", args.name, "", scopes, roles, now, expires, allow, tuple(args.deny)))
    if not args.json:
        _output.data(text)
        _output.say("hint: keep it now; it is not shown again")
    return {"key": text, "id": text.split("_")[1], "name": args.name}


def _list(args: Any, keys: ApiKeys) -> dict[str, Any]:
    rows = [
        {"id": key.id, "name": key.name, "scopes": key.scopes, "roles": key.roles, "allow": key.allow,
         "deny": key.deny, "expires_ms": key.expires_ms, "revoked": key.revoked_ms is not None}
        for key in keys.all()
    ]  # fmt: skip
    if not args.json:
        _output.table(("ID", "NAME", "SCOPES", "ROLES", "STATE"), [_cells(key) for key in keys.all()])
    return {"keys": rows}


def _revoke(args: Any, keys: ApiKeys) -> dict[str, Any]:
    ended = keys.revoke(args.id, now_ms())
    if not args.json:
        _output.data(f"{ended.id} of {ended.name} is revoked")
    return {"id": ended.id, "name": ended.name}


def _cells(key: ApiKey) -> tuple[str, ...]:
    state = "never expires"
    if key.revoked_ms is not None:
        state = "revoked"
    elif key.expires_ms is not None:
        state = f"until {datetime.fromtimestamp(key.expires_ms / 1000, UTC).date().isoformat()}"
    return key.id, key.name, " ".join(key.scopes), " ".join(key.roles), state
