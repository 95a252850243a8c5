"""Every row of egress_bypasses.toml: nothing gets out, and with its one mechanism unplugged it does."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
import textwrap
import tomllib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from remit.adapters.http import broker as broker_module
from remit.adapters.http import egress as egress_module
from remit.adapters.http import request_head as head_module
from remit.adapters.http.broker import Broker
from remit.adapters.http.broker_head import ProxyHead
from remit.adapters.http.broker_hello import Hello
from remit.adapters.http.egress import Egress
from remit.adapters.http.request_head import request_head
from remit.adapters.sandboxes import bubblewrap, plan, process_tree
from remit.adapters.sandboxes.bubblewrap import Bubblewrap
from remit.core import addresses, needs, urls
from remit.core.remit import Remit
from remit.core.urls import Url, parse_url
from remit.errors import RemitError
from remit.guard.handles import Handles, Lease
from remit.guard.leaks import LeakGuard
from remit.guard.outgoing import Outgoing
from remit.ports.http import HttpReply, HttpRequest
from remit.ports.sandbox import SandboxJob

ROWS: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "egress_bypasses.toml").read_text())["bypass"]
ANYTHING = ["net:* https://*:*", "net:* http://*:*"]
ALERT = bytes((21, 3, 1, 0, 2, 2, 112))


class Transport:
    """Connects nowhere; notes what would have been sent, after the transport's own check of the head."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    async def fetch(self, request: HttpRequest) -> HttpReply:
        request_head(request.method, request.url, request.headers)
        self.sent.append((request.address, request.url))
        return HttpReply(302, {"location": "http://127.0.0.1/inside"}, b"")

    @asynccontextmanager
    async def stream(self, request: HttpRequest) -> AsyncIterator[Any]:
        reply = await self.fetch(request)

        class Stream:
            status = 200
            headers = reply.headers

            async def chunks(self) -> AsyncIterator[bytes]:
                yield b"x"

        yield Stream()

    async def aclose(self) -> None:
        pass


class World:
    """One attempt: an egress before a transport that connects nowhere, and the handles of a call."""

    def __init__(self, row: dict[str, Any]) -> None:
        self.row = row
        self.transport = Transport()
        self.answers = [list(a) for a in row.get("names", [["93.184.216.34"]])]
        self.egress = Egress(self.transport, resolve=self.resolve, ttl_s=0)
        self.remit = Remit.allow(*row.get("grants", ANYTHING))
        self.lease = Lease((), builtin=True, tainted=False, timeout_s=5)
        self.handles = Handles(self.remit, self.lease, lambda: 0, outside=self, folder="x")  # type: ignore[arg-type]

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def leaks(self) -> LeakGuard:
        return LeakGuard()

    def broker(self) -> Broker:
        outgoing = Outgoing(self.handles._check, self.lease, self.remit, self.leaks)
        return Broker(self.egress, outgoing.admit, self.lease.touched.append)


Attempt = tuple[bool, str]
"""(whether something got out that must not, what the refusal said)"""


async def request(world: World) -> Attempt:
    row = world.row
    try:
        await world.handles.http.fetch(row.get("method", "GET"), row["url"], headers=row.get("headers"))
    except RemitError as error:
        return bool(world.transport.sent), error.code
    if row["code"] == "pinned":
        return any(address == "127.0.0.1" for address, _ in world.transport.sent), "pinned"
    return bool(world.transport.sent), ""


async def proxy(world: World) -> Attempt:
    connected: list[str] = []

    async def connect(self: Broker, request: HttpRequest, granted: Any) -> Any:
        await world.egress.attempts(request, granted)
        connected.append(request.url)
        raise ConnectionRefusedError

    opened, Broker._open = Broker._open, connect  # type: ignore[method-assign]
    try:
        async with world.broker() as path:
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(world.row["raw"].encode() + b"\r\n\r\n")
            writer.write_eof()
            async with asyncio.timeout(5):
                answer = await reader.read()
            writer.close()
    finally:
        Broker._open = opened  # type: ignore[method-assign]
    found = re.match(rb"HTTP/1.1 (\d{3})", answer)
    return bool(world.transport.sent or connected), found[1].decode() if found else ""


async def tunnel(world: World) -> Attempt:
    """CONNECT to the literal address of a listener of ours, which is granted; its name is granted.test for TLS."""
    got = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.extend(await reader.read(4096))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    world.answers = [["127.0.0.1"]]
    world.remit = Remit.allow(f"net:CONNECT granted.test:{port}")
    world.handles._remit = world.remit
    judge, egress_module._judge = egress_module._judge, lambda *_: None  # the listener is on loopback
    first = world.row["raw"].encode() + b"\r\n" if "raw" in world.row else hello_for(world.row["hello"])
    try:
        async with world.broker() as path:
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(f"CONNECT granted.test:{port} HTTP/1.1\r\n\r\n".encode() + first)
            writer.write_eof()
            async with asyncio.timeout(5):
                answer = await reader.read()
            writer.close()
    finally:
        egress_module._judge = judge
        server.close()
    return bool(got), "alert" if answer.endswith(ALERT) else ""


def hello_for(name: str) -> bytes:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    out = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name or None).do_handshake()
    return out.read()


async def program(world: World) -> Attempt:
    import tempfile

    python = os.path.realpath(os.path.join(sys.base_prefix, "bin", "python3"))
    listener = socket.create_server(("127.0.0.1", 0))
    abstract = f"\0remit-bypass-{os.getpid()}"
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(abstract)
    unix.listen()
    code = f"import socket\nPORT = {listener.getsockname()[1]}\nABSTRACT = {abstract!r}\n"
    code += textwrap.dedent(world.row["python"])
    try:
        with tempfile.TemporaryDirectory() as folder:
            async with world.broker() as path:
                job = SandboxJob((python, "-I", "-S", "-c", code), folder, network=path, timeout_s=10)
                result = await Bubblewrap().run(job)
    finally:
        listener.close()
        unix.close()
    said = result.stderr.decode().strip().rpartition("\n")[2]
    return result.stdout.strip() == b"ESCAPED", said.partition(":")[0]


DOORS: dict[str, Callable[[World], Any]] = {"request": request, "proxy": proxy, "tunnel": tunnel, "program": program}


# --- the mechanisms, unplugged ---------------------------------------------------------------------------


def first_reader(text: str) -> Url:
    """One way to read a URL: the host ends at the first odd character; look-alikes are letters."""
    scheme, _, rest = text.partition("://")
    host = re.split(r"[@\\/]", rest.replace("\u0261", "g"))[0]
    return Url(scheme, host, 80)


def second_reader(text: str) -> Url:
    """Another way: the host begins behind the last @."""
    scheme, _, rest = text.partition("://")
    return Url(scheme, rest.rstrip("/").rpartition("@")[2].encode("idna").decode(), 80)


def lax_head(data: bytes) -> tuple[ProxyHead, bytes] | None:
    """A reader of heads that takes the last word on everything, as careless proxies do."""
    if b"\r\n\r\n" not in data:
        return None
    text, _, rest = data.partition(b"\r\n\r\n")
    first, *lines = text.decode().split("\r\n")
    method, target, _ = first.split(" ")
    headers = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    found = dict(headers)
    host = found.get("host") or target.partition("://")[2].split("@")[0].split("/")[0]
    return ProxyHead(method, f"http://{host}/", (), 0, False, False), rest


def setting(place: Any, name: str, value: Any) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: patch.setattr(place, name, value)


def two_readers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(needs, "parse_url", first_reader)
    patch.setattr(egress_module, "parse_url", second_reader)
    patch.setattr(head_module, "parse_url", second_reader)


def _no_filter(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(bubblewrap, "build_filter", lambda *_, **__: b"")
    patch.setattr(process_tree, "confinement_gaps", lambda _: [])


def _resolve_again(patch: pytest.MonkeyPatch) -> None:
    attempts = Egress.attempts

    async def again(self: Egress, request: HttpRequest, granted: Any) -> list[HttpRequest]:
        made = await attempts(self, request, granted)
        answers = await self._resolve(parse_url(request.url).host, 80)
        return [replace(made[0], address=answers[0])]

    patch.setattr(Egress, "attempts", again)


def _follow(patch: pytest.MonkeyPatch) -> None:
    fetch = Transport.fetch

    async def following(self: Transport, request: HttpRequest) -> HttpReply:
        reply = await fetch(self, request)
        target = parse_url(reply.headers["location"])
        return await fetch(self, replace(request, url=str(target), address=target.host))

    patch.setattr(Transport, "fetch", following)


def _no_namespace(patch: pytest.MonkeyPatch) -> None:
    _no_filter(patch)
    patch.setattr(plan, "NAMESPACES", tuple(n for n in plan.NAMESPACES if n != "--unshare-net"))


UNPLUG: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "address-check": setting(egress_module, "_judge", lambda *_: None),
    "metadata": setting(addresses, "_METADATA", frozenset()),
    "one-resolution": _resolve_again,
    "no-redirects": _follow,
    "one-reading": two_readers,
    "canonical-path": setting(urls, "_refuse_hidden_dot_segments", lambda _: None),
    "owned-headers": setting(head_module, "_OWNED", frozenset()),
    "header-values": setting(head_module, "_VALUE", re.compile(r"[\s\S]*")),
    "grants": setting(Handles, "_check", lambda *_: None),
    "strict-head": setting(broker_module, "read_head", lax_head),
    "server-name": setting(broker_module, "read_hello", lambda data: Hello("granted.test") if data else None),
    "call-filter": _no_filter,
    "network-namespace": _no_namespace,
}


def attempt(row: dict[str, Any]) -> Attempt:
    async def main() -> Attempt:
        found: Attempt = await DOORS[row["door"]](World(row))
        return found

    return asyncio.run(main())


def cases() -> list[Any]:
    marks = {"program": (pytest.mark.sandbox,)}
    return [pytest.param(row, id=row["id"], marks=marks.get(row["door"], ())) for row in ROWS]


def _clear() -> None:
    for cached in (parse_url, needs.net, addresses.address_kind, request_head):
        cached.cache_clear()


@pytest.fixture(autouse=True)
def _fresh_caches() -> Any:
    _clear()
    yield
    _clear()


@pytest.mark.parametrize("row", cases())
def test_a_bypass_is_held(row: dict[str, Any]) -> None:
    """Nothing leaves, and the refusal is the one that the row names."""
    assert attempt(row) == (False, row["code"])


@pytest.mark.parametrize("row", cases())
def test_a_bypass_is_real(row: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """With its mechanism unplugged the same attempt gets out: the row is real, and the mechanism holds it."""
    UNPLUG[row["mechanism"]](monkeypatch)
    assert attempt(row)[0] is True


def test_the_corpus_is_large_and_its_ids_are_unique() -> None:
    """At least 40 rows, over every door and mechanism."""
    assert len(ROWS) >= 40 and len({row["id"] for row in ROWS}) == len(ROWS)
    assert {row["door"] for row in ROWS} == set(DOORS)
