"""Egress: one resolution, every address judged, the judged one pinned."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from msgspec.structs import replace

from remit.adapters.http.asyncio_http import AsyncioHttp
from remit.adapters.http.egress import Egress
from remit.errors import Denied, Exhausted, Invalid, RemitError, Unavailable
from remit.ports.conformance.http_server import LocalServer
from remit.ports.http import HttpReply, HttpRequest, HttpStream

OK = HttpReply(200, {}, b"ok")


class Recorder:
    """A transport that notes the addresses it is told to connect to; those in `dead` refuse."""

    def __init__(self, *dead: str) -> None:
        self.addresses: list[str] = []
        self.dead = dead

    async def fetch(self, request: HttpRequest) -> HttpReply:
        self.addresses.append(request.address)
        if request.address in self.dead:
            raise Unavailable("network_failed", "refused", details={"phase": "connect"})
        return OK

    def stream(self, request: HttpRequest) -> AbstractAsyncContextManager[HttpStream]:
        raise NotImplementedError

    async def aclose(self) -> None:
        pass


class Names:
    """A resolver that gives each of its answers in turn, the last one for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def fetch(url: str, names: Any, *granted: tuple[str, int], client: Any = None, **options: Any) -> HttpReply:
    async def main() -> HttpReply:
        egress = Egress(client or Recorder(), resolve=names, **options)
        return await egress.fetch(HttpRequest("GET", url), frozenset(granted))

    return asyncio.run(main())


def code_of(call: Callable[[], object]) -> RemitError:
    with pytest.raises(RemitError) as caught:
        call()
    return caught.value


LITERALS = [
    "http://127.0.0.1/", "http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/",
    "http://017700000001/", "http://0/", "http://0.0.0.0/", "http://10.0.0.1/", "http://172.16.0.1/",
    "http://192.168.1.1/", "http://169.254.1.1/", "http://100.64.0.1/", "http://198.18.0.1/", "http://240.0.0.1/",
    "http://255.255.255.255/", "http://224.0.0.1/", "http://[::1]/", "http://[::]/", "http://[fc00::1]/",
    "http://[fe80::1]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "http://[::ffff:169.254.169.254]/",
    "http://169.254.169.254/latest/meta-data", "http://[fd00:ec2::254]/", "http://100.100.100.200/", "http://127.0.0.1./",
]  # fmt: skip


@pytest.mark.parametrize("url", LITERALS)
def test_literal_addresses_are_refused(url: str) -> None:
    """No spelling of an address that is not public gets through without a grant; nothing is resolved or sent."""
    names, client = Names(["93.184.216.34"]), Recorder()
    error = code_of(lambda: fetch(url, names, client=client))
    assert (type(error), error.code, names.asked, client.addresses) == (Denied, "address_denied", [], [])
    assert error.hint and error.details["kind"] in error.message


@pytest.mark.parametrize("bad", ["127.0.0.1", "10.1.1.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "fe80::1%eth0"])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_bad_address_refuses(bad: str, place: int) -> None:
    """A name is refused when any of its addresses is not public, wherever it stands in the answer."""
    answer = ["93.184.216.34", "2606:4700::1"]
    answer.insert(place, bad)
    client = Recorder()
    error = code_of(lambda: fetch("https://mixed.example/", Names(answer), client=client))
    assert (error.code, client.addresses) == ("address_denied", [])
    assert error.details["host"] == "mixed.example"
    assert bad not in error.for_model(), "the map of the inner network is not for models"


def test_rebinding_has_no_second_question() -> None:
    """A name that answers public first and loopback next is asked once, and the judged address is used."""
    names, client = Names(["93.184.216.34"], ["127.0.0.1"]), Recorder()
    assert fetch("http://rebind.example/", names, client=client, ttl_s=0) == OK
    assert (names.asked, client.addresses) == ([("rebind.example", 80)], ["93.184.216.34"])


def test_rebinding_is_judged_each_time() -> None:
    """The second request of a name that has turned inward is refused."""

    async def main() -> None:
        egress = Egress(Recorder(), resolve=Names(["93.184.216.34"], ["127.0.0.1"]), ttl_s=0)
        request = HttpRequest("GET", "http://rebind.example/")
        assert await egress.fetch(request) == OK
        with pytest.raises(Denied):
            await egress.fetch(request)

    asyncio.run(main())


def test_connection_goes_to_the_judged_address() -> None:
    """Over a real transport the pinned address is connected to, though the name means nothing."""

    async def main() -> None:
        async with LocalServer(lambda peer, _: peer.answer()) as server:
            egress = Egress(AsyncioHttp(), resolve=Names(["127.0.0.1"], ["203.0.113.9"]))
            reply = await egress.fetch(
                HttpRequest("GET", server.url(host="model.invalid")), frozenset({("model.invalid", server.port)})
            )
            assert (reply.body, server.requests[0].headers["host"]) == (b"ok", f"model.invalid:{server.port}")
            await egress.aclose()

    asyncio.run(main())


def test_caller_cannot_choose_the_address() -> None:
    """An address that a request brings along is replaced by the judged one."""

    async def main() -> None:
        client = Recorder()
        egress = Egress(client, resolve=Names(["93.184.216.34"]))
        await egress.fetch(HttpRequest("GET", "http://a.example/", address="127.0.0.1"))
        assert client.addresses == ["93.184.216.34"]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("url", "granted", "passes"),
    [
        ("http://127.0.0.1:8080/", ("127.0.0.1", 8080), True),
        ("http://127.1:8080/", ("127.0.0.1", 8080), True),
        ("http://[::ffff:127.0.0.1]:8080/", ("127.0.0.1", 8080), True),
        ("http://[::1]:8080/", ("::1", 8080), True),
        ("http://127.0.0.1:8081/", ("127.0.0.1", 8080), False),
        ("http://127.0.0.2:8080/", ("127.0.0.1", 8080), False),
        ("http://localhost:8080/", ("localhost", 8080), True),
        ("http://LOCALHOST.:8080/", ("localhost", 8080), True),
        ("http://localhost:8080/", ("127.0.0.1", 8080), False),
        ("http://evil.example:8080/", ("127.0.0.1", 8080), False),
        ("http://169.254.169.254/", ("169.254.169.254", 80), False),
        ("http://[::ffff:169.254.169.254]/", ("169.254.169.254", 80), False),
    ],
)
def test_grants_name_host_and_port(url: str, granted: tuple[str, int], passes: bool) -> None:
    """A grant opens exactly its host and port; metadata stays closed; a name is not its address."""
    if passes:
        assert fetch(url, Names(["127.0.0.1"]), granted) == OK
    else:
        assert code_of(lambda: fetch(url, Names(["127.0.0.1"]), granted)).code == "address_denied"


def test_granted_name_does_not_open_metadata() -> None:
    """A granted name that leads to a metadata address is refused."""
    error = code_of(lambda: fetch("http://m.example/", Names(["169.254.169.254"]), ("m.example", 80)))
    assert (error.code, error.details["kind"]) == ("address_denied", "metadata")


@pytest.mark.parametrize("url", ["http://a@127.0.0.1/", "http://a\\@b/", "ftp://a.example/", "http://\u0430.example/"])
def test_bad_urls_are_refused(url: str) -> None:
    """A URL that can be read in two ways goes nowhere."""
    error = code_of(lambda: fetch(url, Names(["93.184.216.34"])))
    assert (type(error), error.code) == (Invalid, "value_invalid")


def test_next_address_when_one_does_not_connect() -> None:
    """An address that cannot be connected to is followed by the next judged one, which is remembered."""

    async def main() -> None:
        client = Recorder("2606:4700::1")
        egress = Egress(client, resolve=Names(["2606:4700::1", "93.184.216.34"]))
        request = HttpRequest("GET", "http://two.example/")
        assert [await egress.fetch(request) for _ in range(2)] == [OK, OK]
        assert client.addresses == ["2606:4700::1", "93.184.216.34", "93.184.216.34"]

    asyncio.run(main())


def test_nothing_is_repeated_after_sending() -> None:
    """A failure after the connection stood is not tried on another address."""

    class Cut(Recorder):
        async def fetch(self, request: HttpRequest) -> HttpReply:
            self.addresses.append(request.address)
            raise Unavailable("network_failed", "cut")

    client = Cut()
    error = code_of(lambda: fetch("http://two.example/", Names(["93.184.216.34", "93.184.216.35"]), client=client))
    assert (error.code, client.addresses) == ("network_failed", ["93.184.216.34"])


def test_streams_are_judged_too() -> None:
    """`stream` refuses and pins as `fetch` does."""

    async def main() -> None:
        async with LocalServer(lambda peer, _: peer.answer(b"streamed")) as server:
            egress = Egress(AsyncioHttp())
            request = HttpRequest("GET", server.url())
            with pytest.raises(Denied):
                async with egress.stream(request):
                    pass
            async with egress.stream(request, frozenset({("127.0.0.1", server.port)})) as answer:
                assert await answer.read() == b"streamed"
            localhost = replace(request, url=server.url(host="localhost"))
            async with egress.stream(localhost, frozenset({("localhost", server.port)})) as answer:
                assert await answer.read() == b"streamed"
            assert len(server.requests) == 2
            await egress.aclose()

    asyncio.run(main())


def test_a_hanging_resolver_is_bounded() -> None:
    """A resolver that never answers raises deadline_exceeded in the phase of connecting."""

    async def never(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    error = code_of(lambda: fetch("http://slow.example/", never, resolve_s=0.05))
    assert (type(error), error.code, error.details) == (Exhausted, "deadline_exceeded", {"phase": "connect"})


@pytest.mark.parametrize("answer", [[], ["not an address"], ["93.184.216.34"] * 0, [f"8.8.{n}.1" for n in range(100)]])
def test_lying_resolvers(answer: list[str]) -> None:
    """No address, no IP address, or too many to judge: network_failed, nothing sent."""
    client = Recorder()
    error = code_of(lambda: fetch("http://lie.example/", Names(answer), client=client))
    assert (error.code, client.addresses) == ("network_failed", [])


def test_unknown_names() -> None:
    """A name without an address raises network_failed that names it."""

    async def unknown(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    error = code_of(lambda: fetch("http://nowhere.example/", unknown))
    assert error.code == "network_failed" and "nowhere.example" in error.message


def test_many_ask_once() -> None:
    """A hundred requests for one name at once ask the resolver once."""

    class Slow(Names):
        async def __call__(self, host: str, port: int) -> Sequence[str]:
            await asyncio.sleep(0.01)
            return await super().__call__(host, port)

    async def main() -> None:
        names = Slow(["93.184.216.34"])
        egress = Egress(Recorder(), resolve=names)
        request = HttpRequest("GET", "http://a.example/")
        assert await asyncio.gather(*(egress.fetch(request) for _ in range(100))) == [OK] * 100
        assert names.asked == [("a.example", 80)]

    asyncio.run(main())
