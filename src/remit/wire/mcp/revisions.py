"""Revisions of the protocol and what differs between them for a client.

Source: MCP specification 2026-07-28, basic/versioning; 2025-11-25, basic/lifecycle.
"""

from __future__ import annotations

from typing import Any, Final

STATELESS: Final = "2026-07-28"
HANDSHAKE: Final = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""revisions with `initialize`, the newest first"""
SUPPORTED: Final = (STATELESS, *HANDSHAKE)
BATCHING: Final = frozenset({"2025-03-26"})
"""revisions in which several messages may come as one JSON array"""
VERSION_HEADER: Final = frozenset({"2025-06-18", "2025-11-25", STATELESS})

UNSUPPORTED_VERSION: Final = -32022
MODERN_ERRORS: Final = frozenset({-32020, -32021, UNSUPPORTED_VERSION})
"""errors that only a server of the stateless era sends"""

LABEL: Final = "remit/label"
"""the `_meta` key that carries a label {integrity, readers, sources}, in requests and in results"""
_PREFIX: Final = "io.modelcontextprotocol/"


def request_meta(revision: str, client: dict[str, str]) -> dict[str, Any]:
    """The `_meta` fields that every request of the stateless era carries; {} for the others."""
    if revision != STATELESS:
        return {}
    return {
        f"{_PREFIX}protocolVersion": revision,
        f"{_PREFIX}clientInfo": client,
        f"{_PREFIX}clientCapabilities": {},
    }
