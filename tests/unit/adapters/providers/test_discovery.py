"""Local model servers: found on loopback within the probe's time, never asked elsewhere."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from remit.adapters.providers import _discovery
from remit.errors import Unavailable
from remit.ports.http import HttpReply, HttpRequest


class Servers:
    """An HttpClient whose answers depend on the port; `asked` holds every URL."""

    def __init__(self, answers: dict[int, Any]) -> None:
        self.answers = answers
        self.asked: list[HttpRequest] = []

    async def fetch(self, request: HttpRequest) -> HttpReply:
        self.asked.append(request)
        port = int(request.url.split(":")[2].split("/")[0])
        if port not in self.answers:
            raise Unavailable("network_failed", "refused")
        status, body = self.answers[port]
        return HttpReply(status, {}, body if isinstance(body, bytes) else json.dumps(body).encode())


def found(answers: dict[int, Any], env: dict[str, str] | None = None) -> tuple[dict[str, Any], Servers]:
    """(state and models by provider, what was asked)."""
    servers = Servers(answers)
    rows = asyncio.run(_discovery.discover(env or {}, lambda url: servers))  # type: ignore[arg-type,return-value]
    return {row["provider"]: (row["state"], row["models"]) for row in rows}, servers


def test_what_answers_is_found() -> None:
    """Models, a key that is wanted, another program, an error, nothing."""
    seen, servers = found(
        {
            11434: (200, {"data": [{"id": "llama3:8b"}]}),
            8080: (401, {"error": {"message": "key"}}),
            1234: (200, b"<html>"),
            30000: (500, {}),
        }
    )
    assert seen["ollama"] == ("running", ["llama3:8b"])
    assert seen["llamacpp"] == ("running (wants a key)", [])
    assert seen["lmstudio"] == ("unknown (something else answers there)", [])
    assert seen["sglang"] == ("unknown (HTTP 500)", [])
    assert seen["vllm"] == ("absent", [])
    for request in servers.asked:
        assert request.method == "GET" and request.url.startswith("http://127.0.0.1:")
        assert request.total_s == _discovery.PROBE_S == 2.0
        assert not any("authorization" in name for name, _ in request.headers)


@pytest.mark.parametrize("host", ["http://192.168.0.9:11434", "box", "https://example.org", "http://169.254.169.254"])
def test_no_address_but_loopback_is_asked(host: str) -> None:
    """A variable that leads elsewhere is named, and nothing is sent there."""
    seen, servers = found({}, {"OLLAMA_HOST": host})
    assert seen["ollama"] == ("not local", [])
    assert all("127.0.0.1" in request.url for request in servers.asked)
    assert len(servers.asked) == len(seen) - 1


def test_all_are_asked_at_once() -> None:
    """Five slow servers take the time of one."""

    class Slow(Servers):
        async def fetch(self, request: HttpRequest) -> HttpReply:
            await asyncio.sleep(0.1)
            return HttpReply(200, {}, b'{"data":[]}')

    began = time.monotonic()
    asyncio.run(_discovery.discover({}, lambda url: Slow({})))  # type: ignore[arg-type,return-value]
    assert time.monotonic() - began < 0.4
