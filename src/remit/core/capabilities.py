"""From [[capabilities]], [policy], [roles] and [[mcp]] of a remit.toml to settings by key."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from typing import Any

from msgspec import structs

from remit.core.grants import parse_denial, parse_grant
from remit.core.sections import CapabilitySection, ConfigFile, PolicySection
from remit.errors import Invalid, RemitError


def capability_texts(entry: CapabilitySection) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(grants, denials), each with the entry's bounds; a denial takes `expires` and `where` only.

    Raises: Invalid grant_invalid for a bad pattern or bound, and for an entry that grants and denies nothing.
    """
    grants = (entry.grant,) if isinstance(entry.grant, str) else entry.grant
    denials = (entry.deny,) if isinstance(entry.deny, str) else entry.deny
    if not grants and not denials:
        raise Invalid("grant_invalid", "a capability needs grant or deny")
    shared = [f"until={entry.expires.isoformat()}"] if entry.expires is not None else []
    shared += [clause if clause.startswith("arg.") else f"arg.{clause}" for clause in entry.where]
    own: list[str] = []
    for name, value in (("uses", entry.uses), ("bytes", entry.bytes), ("usd", entry.usd), ("rate", entry.rate)):
        if value is not None:
            own.append(f"{name}={_number(value)}")
    own += [f'ceiling="{text}"' for text in entry.ceiling]
    allowed = tuple(str(parse_grant(_bounded(text, own + shared))) for text in grants)
    return allowed, tuple(str(parse_denial(_bounded(text, shared))) for text in denials)


def authority_keys(file: ConfigFile, found: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Grants and denials with those of the capabilities; the policy's own part, its files, the roles, MCP servers.

    Args:
        found: the settings that the file's other sections gave.
        place: the file's path; errors name it, and policy files are relative to it.

    Raises: Invalid config_invalid, with the entry.
    """
    allow, deny = tuple(found.get("remit.allow", ())), tuple(found.get("remit.deny", ()))
    for index, entry in enumerate(file.capabilities):
        try:
            grants, denials = capability_texts(entry)
        except RemitError as e:
            raise Invalid("config_invalid", f"{place}: capabilities[{index}]: {e.message}", hint=e.hint) from None
        allow, deny = allow + grants, deny + denials
    out: dict[str, Any] = {key: texts for key, texts in (("remit.allow", allow), ("remit.deny", deny)) if texts}
    for name in ("site", "cedar"):
        path = getattr(file.policy, name)
        if path:
            out[f"policy.{name}"] = os.path.join(os.path.dirname(place), os.path.expanduser(path))
    if file.policy.token_issuer:
        out["policy.token_issuer"] = file.policy.token_issuer
    own = structs.replace(file.policy, site=None, cedar=None, token_issuer=None)
    if own != PolicySection():
        out["policy"] = own
    if file.roles:
        out["roles"] = file.roles
    if file.mcp:
        from remit.core.mcp_servers import mcp_keys  # most files name no server

        out |= mcp_keys(file, place)
    return out


def _bounded(text: str, clauses: list[str]) -> str:
    if not clauses:
        return text
    joined = " and ".join(clauses)
    return f"{text} and {joined}" if " where " in text else f"{text} where {joined}"


def _number(value: Any) -> str:
    return f"{value:.9f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value).replace(" ", "")
