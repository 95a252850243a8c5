"""A gateway as `remit serve` wires it, in the test's own loop on a free port of loopback, and a plain HTTP client.

async with serving(tmp_path, agents) as served:
    status, headers, body = await served.ask("GET", "/v1/runs", key=served.key("runs:read"))
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from remit import Agent
from remit.cli._open import open_runtime
from remit.cli._serve import gateway_of
from remit.config import config_folder, load, state_folder
from remit.gateway.server import Server
from remit.guard.api_keys import ApiKey, ApiKeys
from remit.guard.policy import rulebook_of

CONFIG = """
[model]
name = "builtin:obedient"

[remit]
allow = ["fs.read:docs/**", "tool:*", "model:*"]
deny = ["fs.read:docs/private/**"]
"""


class Served:
    """One running gateway."""

    def __init__(self) -> None:
        self.gateway: Any = None
        self.runtime: Any = None
        self.port = 0
        self.stop = asyncio.Event()
        self.keys = ApiKeys(str(state_folder()))

    def key(self, *scopes: str, name: str = "ann", **options: Any) -> str:
        """A new API key."""
        given = {"roles": ("developer",), "created_ms": 0, **options}
        return self.keys.add(ApiKey("", name, "", scopes or ("runs:read", "runs:write"), **given))

    def connections(self) -> list[Any]:
        """The server's open connections."""
        import gc

        from remit.gateway.connections import Connection

        return [each for each in gc.get_objects() if type(each) is Connection and each.parser is not None]

    async def raw(self, data: bytes, wait_s: float = 10.0) -> bytes:
        """Send bytes, and all that comes back until the server closes (or nothing came for `wait_s`)."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        found = b""
        try:
            writer.write(data)
            async with asyncio.timeout(wait_s):
                while chunk := await reader.read(65536):
                    found += chunk
        except (TimeoutError, ConnectionError):
            pass
        finally:
            writer.close()
        return found

    def head(self, method: str, path: str, headers: Mapping[str, str]) -> bytes:
        """A request's head."""
        fields = {"host": f"127.0.0.1:{self.port}", "connection": "close", **headers}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        return "\r\n".join(lines).encode("latin-1")

    async def ask(
        self, method: str, path: str, body: Any = None, *, key: str = "", headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], Any]:
        """One request: status, headers, decoded JSON (or bytes)."""
        given = dict(headers or {})
        if key:
            given.setdefault("authorization", f"Bearer {key}")
        raw = b""
        if body is not None:
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            given = {"content-type": "application/json", "content-length": str(len(raw)), **given}
        return parsed(await self.raw(self.head(method, path, given) + raw))

    async def run(self, key: str, body: dict[str, Any], *, wait: tuple[str, ...] = ()) -> dict[str, Any]:
        """Submit a run and wait until it has ended or waits; its page."""
        status, _, found = await self.ask("POST", "/v1/runs", body, key=key)
        assert status == 202, found
        return await self.until(key, found["run_id"], wait)

    async def until(self, key: str, run_id: str, wait: tuple[str, ...] = ()) -> dict[str, Any]:
        """The run's page once its status is one of `wait`: an end, or waiting."""
        ends = wait or ("ok", "denied", "failed", "cancelled", "exhausted", "waiting")
        async with asyncio.timeout(30):
            while True:
                status, _, page = await self.ask("GET", f"/v1/runs/{run_id}", key=key)
                assert status == 200, page
                if page["status"] in ends:
                    return dict(page)
                await asyncio.sleep(0.05)

    async def events(self, key: str, run_id: str, last: int = 0, wait_s: float = 10.0) -> list[dict[str, Any]]:
        """The event stream until the server ends it; each event with its id and name."""
        headers = {"authorization": f"Bearer {key}", **({"last-event-id": str(last)} if last else {})}
        raw = await self.raw(self.head("GET", f"/v1/runs/{run_id}/events", headers), wait_s)
        status, _, text = parsed(raw)
        assert status == 200, text
        found = []
        for block in text.decode().split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
            if "data" in fields:
                found.append(fields)
        return found


def parsed(raw: bytes) -> tuple[int, dict[str, str], Any]:
    """Status, headers, and the body: JSON where it is some, else bytes."""
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    if not first:
        return 0, {}, b""
    headers = dict(line.lower().split(": ", 1) for line in lines)
    if headers.get("transfer-encoding") == "chunked":
        body = _joined(body)
    kind = headers.get("content-type", "")
    return int(first.split()[1]), headers, json.loads(body) if body and kind == "application/json" else body


def _joined(body: bytes) -> bytes:
    found = b""
    while body:
        size, _, rest = body.partition(b"\r\n")
        if not size or int(size, 16) == 0:
            break
        found += rest[: int(size, 16)]
        body = rest[int(size, 16) + 2 :]
    return found


@asynccontextmanager
async def serving(
    folder: Path, agents: Mapping[str, Agent] | None = None, *, config: str = CONFIG, journal: str = "", pool: str = ""
) -> AsyncIterator[Served]:
    """A gateway over a journal file in `folder`, working in `folder/work`; ended well on leaving."""
    config_folder().mkdir(parents=True, exist_ok=True)
    (config_folder() / "remit.toml").write_text(config, encoding="utf-8")
    work = folder / "work"
    work.mkdir(exist_ok=True)
    settings = load(str(work), {"journal.path": journal or f"sqlite:{folder / 'journal.db'}"}).check()
    args = SimpleNamespace(host="127.0.0.1", tls_cert=None, pool=pool, concurrency=10)
    served, up = Served(), asyncio.Event()

    def listening(url: str) -> None:
        served.port = int(url.rpartition(":")[2])
        up.set()

    def make(port: int) -> Any:
        served.gateway = gateway_of(args, settings, dict(agents or {}), served.runtime, port)
        return served.gateway

    options = {"limits": settings.limits, "rulebook": rulebook_of(settings)}
    async with open_runtime(settings, workspace=str(work), **options) as runtime, asyncio.TaskGroup() as group:
        served.runtime = runtime
        group.create_task(Server(make, listening).serve("127.0.0.1", 0, None, served.stop))
        await up.wait()
        try:
            yield served
        finally:
            served.stop.set()
