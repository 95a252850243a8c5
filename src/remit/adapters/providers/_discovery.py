"""Model servers that run on this machine: each local provider's own loopback address is asked for its models.

Loopback only: an address from the environment that leads elsewhere is not asked. One GET each, all at
once, at most 2 s; what does not answer is not there, and what answers something else is named so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from remit.adapters import providers
from remit.core.urls import address_kind, parse_url
from remit.errors import Invalid, RemitError
from remit.ports.http import HttpClient, HttpRequest
from remit.ports.provider import Profile
from remit.wire import model_lists

PROBE_S: Final = 2.0
MAX_BYTES: Final = 4 * 1024 * 1024
MAX_MODELS: Final = 200


async def discover(env: Mapping[str, str], http_for: Callable[[str], HttpClient]) -> list[dict[str, Any]]:
    """A row for every local provider: provider, address, state (running | absent | not local | unknown), models."""
    rows = [row for row in map(providers.profile, providers.names()) if row.local]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_probe(row, env, http_for)) for row in rows]
    return [task.result() for task in tasks]


async def _probe(row: Profile, env: Mapping[str, str], http_for: Callable[[str], HttpClient]) -> dict[str, Any]:
    try:
        address = providers.base_url(row, "", env)
    except Invalid as error:
        return _row(row, "", f"unknown ({error.message[:80]})")
    if not _is_loopback(address):
        return _row(row, address, "not local")
    url = f"{address}{row.models_path or '/models'}"
    request = HttpRequest("GET", url, (("accept", "application/json"),), connect_s=PROBE_S, first_byte_s=PROBE_S,
                          idle_s=PROBE_S, total_s=PROBE_S, max_bytes=MAX_BYTES)  # fmt: skip
    try:
        reply = await http_for(url).fetch(request)
    except RemitError:
        return _row(row, address, "absent")
    if reply.status in (401, 403):
        return _row(row, address, "running (wants a key)")
    try:
        names = model_lists.decode(reply.body) if reply.status == 200 else ()
    except RemitError:
        return _row(row, address, "unknown (something else answers there)")
    if reply.status != 200:
        return _row(row, address, f"unknown (HTTP {reply.status})")
    return _row(row, address, "running", names[:MAX_MODELS])


def _is_loopback(url: str) -> bool:
    host = parse_url(url).host
    try:
        return host == "localhost" or address_kind(host) == "loopback"
    except Invalid:  # a name, which may lead anywhere
        return False


def _row(row: Profile, address: str, state: str, models: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"provider": row.name, "address": address, "state": state, "models": list(models)}
