"""The check before every connection to the outside: resolve once, refuse, pin.

The idea: a name is turned into addresses exactly once for a request, every one of them is judged,
and the transport is told which of the judged addresses to connect to. A name that changes its
answer between check and connection (DNS rebinding) has no second chance to be asked.

Invariants:
1. The URL that is judged is the URL that is sent (`core.urls` gives both the same spelling).
2. All addresses of a name must pass; one bad address refuses the request.
3. An address that is not public passes only where (canonical host, port) of the URL is granted.
   The host is the URL's own: a name that merely leads to a granted address is refused.
4. Metadata addresses never pass, granted or not (spec/security.md 5).
5. The transport verifies that its peer is the pinned address.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from msgspec.structs import replace

from remit.core.urls import Url, address_kind, canonical_address, parse_url
from remit.errors import Denied, Exhausted, Invalid, RemitError, Unavailable
from remit.ports.http import HttpClient, HttpReply, HttpRequest, HttpStream

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""(host, port) -> IP addresses in order of preference; OSError where the name has none."""

Granted = frozenset[tuple[str, int]]
"""(canonical host, port) that may lead to an address that is not public."""

NOTHING: Final[Granted] = frozenset()
_MAX_NAMES: Final = 256
_MAX_ADDRESSES: Final = 64  # of one name; more is refused, for all of them must be judged
_MAX_ATTEMPTS: Final = 4  # addresses tried, each with its share of connect_s
_TCP: Final = 6  # IPPROTO_TCP, IANA protocol numbers


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """Ask the operating system, in a thread, in its order of preference (RFC 6724)."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, proto=_TCP)
    return [str(entry[4][0]) for entry in found]


class Egress:
    """An `HttpClient` that fills in the address of a request, or refuses it.

    Args:
        client: the transport; it must connect to `request.address` only.
        resolve: how names become addresses (default: the operating system).
        resolve_s: longest wait for a resolution, never beyond the request's connect_s.
        ttl_s: how long an answer is used again; 0 = asked for each request.
    """

    def __init__(
        self, client: HttpClient, *, resolve: Resolve = system_resolve, resolve_s: float = 5.0, ttl_s: float = 30.0
    ) -> None:
        self._client = client
        self._resolve = resolve
        self._resolve_s = resolve_s
        self._ttl_s = ttl_s
        self._known: OrderedDict[str, tuple[float, tuple[str, ...]]] = OrderedDict()
        self._literal: dict[tuple[str, Granted], str] = {}
        """URL with a literal address, and what was granted -> the address, once it has passed"""
        self._asking: dict[tuple[int, str], asyncio.Lock] = {}

    def fetch(self, request: HttpRequest, allow_private: Granted = NOTHING) -> Coroutine[Any, Any, HttpReply]:
        """Check, then send and read the whole answer.

        Args:
            request: its `address` is replaced by the checked one.
            allow_private: the hosts and ports that may be private or loopback.
        Raises:
            Denied: `address_denied`. Invalid: `value_invalid`, the URL. And what the transport raises.
        """
        address = self._literal.get((request.url, allow_private))
        if address is None:
            return self._fetch(request, allow_private)
        return self._client.fetch(replace(request, address=address))

    async def _fetch(self, request: HttpRequest, allow_private: Granted) -> HttpReply:
        url = parse_url(request.url)
        if _is_literal(url.host):  # one address and nobody to ask: its verdict is the same at any time
            _judge(url, (url.host,), (url.host, url.port) in allow_private)
            if len(self._literal) >= _MAX_NAMES:
                self._literal.clear()
            self._literal[request.url, allow_private] = url.host
            return await self._client.fetch(replace(request, address=url.host))
        attempts = await self.attempts(request, allow_private)
        for attempt in attempts[:-1]:
            try:
                reply = await self._client.fetch(attempt)
            except (Unavailable, Exhausted) as error:
                _only_connecting(error)
                self.demote(attempt)
            else:
                return reply
        return await self._client.fetch(attempts[-1])

    def stream(self, request: HttpRequest, allow_private: Granted = NOTHING) -> AbstractAsyncContextManager[HttpStream]:
        """Check, then send and hand out the answer once its headers are there; errors as `fetch`."""
        return _Streaming(self, self._client, request, allow_private)

    async def aclose(self) -> None:
        """Close the transport."""
        self._known.clear()
        await self._client.aclose()

    async def attempts(self, request: HttpRequest, allow_private: Granted) -> list[HttpRequest]:
        """The request once for each address worth trying, each pinned; never empty."""
        url = parse_url(request.url)
        loop = asyncio.get_running_loop()
        began = loop.time()
        addresses = await self._addresses(url, request)
        _judge(url, addresses, (url.host, url.port) in allow_private)
        if len(addresses) == 1:
            connect_s = request.connect_s
        else:
            addresses = addresses[:_MAX_ATTEMPTS]
            connect_s = request.connect_s / len(addresses)
        total_s = request.total_s
        if total_s is not None:
            total_s = max(total_s - (loop.time() - began), 0.0)
        return [replace(request, address=address, connect_s=connect_s, total_s=total_s) for address in addresses]

    async def _addresses(self, url: Url, request: HttpRequest) -> tuple[str, ...]:
        host = url.host
        if _is_literal(host):
            return (host,)
        loop = asyncio.get_running_loop()
        known = self._known.get(host)
        if known is not None and known[0] > loop.time():
            return known[1]
        key = (id(loop), host)
        # One question at a time for a name: a thousand agents that start at once ask once.
        lock = self._asking.setdefault(key, asyncio.Lock()) if self._ttl_s > 0 else asyncio.Lock()
        try:
            async with asyncio.timeout(min(self._resolve_s, request.connect_s)), lock:
                known = self._known.get(host)  # someone else may have asked meanwhile
                if known is not None and known[0] > loop.time():
                    return known[1]
                addresses = await self._ask(url)
                if self._ttl_s > 0:
                    self._known[host] = (loop.time() + self._ttl_s, addresses)
        except TimeoutError:
            message = f"no answer in time: the name {host} was not resolved"
            raise Exhausted("deadline_exceeded", message, retryable=True, details={"phase": "connect"}) from None
        finally:
            self._asking.pop(key, None)
        while len(self._known) > _MAX_NAMES:
            self._known.popitem(last=False)
        return addresses

    async def _ask(self, url: Url) -> tuple[str, ...]:
        try:
            found = await self._resolve(url.host, url.port)
            addresses = tuple(dict.fromkeys(canonical_address(address) for address in found))
        except TimeoutError:
            raise
        except (OSError, UnicodeError):
            raise Unavailable("network_failed", f"the name {url.host} has no address", retryable=True) from None
        except Invalid:
            raise Unavailable("network_failed", f"the resolver's answer for {url.host} is no address") from None
        if not addresses or len(addresses) > _MAX_ADDRESSES:
            raise Unavailable("network_failed", f"the name {url.host} has {len(addresses)} addresses")
        return addresses

    def demote(self, attempt: HttpRequest) -> None:
        """Put the address of `attempt`, which did not connect, behind the other ones of its name."""
        host = parse_url(attempt.url).host
        known = self._known.get(host)
        if known is not None and attempt.address in known[1]:
            rest = tuple(address for address in known[1] if address != attempt.address)
            self._known[host] = (known[0], (*rest, attempt.address))


class OwnAddress:
    """An HttpClient for one model: through the egress; the model's own address is allowed, for the user named it."""

    def __init__(self, egress: Egress, url: str) -> None:
        parsed = parse_url(url)
        self._egress = egress
        self._allowed = frozenset({(parsed.host, parsed.port)})

    def fetch(self, request: HttpRequest) -> Coroutine[Any, Any, HttpReply]:
        """The whole answer."""
        return self._egress.fetch(request, self._allowed)

    def stream(self, request: HttpRequest) -> AbstractAsyncContextManager[HttpStream]:
        """The answer piece by piece."""
        return self._egress.stream(request, self._allowed)

    async def aclose(self) -> None:
        """Close the runtime's connections; it opens new ones when it is asked again."""
        await self._egress.aclose()


class _Streaming:
    """The block of a stream."""

    def __init__(self, egress: Egress, client: HttpClient, request: HttpRequest, allow_private: Granted) -> None:
        self._egress = egress
        self._client = client
        self._request = request
        self._allow_private = allow_private

    async def __aenter__(self) -> HttpStream:
        attempts = await self._egress.attempts(self._request, self._allow_private)
        for attempt in attempts[:-1]:
            self._block = self._client.stream(attempt)
            try:
                return await self._block.__aenter__()
            except (Unavailable, Exhausted) as error:
                _only_connecting(error)
                self._egress.demote(attempt)
        self._block = self._client.stream(attempts[-1])
        return await self._block.__aenter__()

    async def __aexit__(self, *reason: object) -> None:
        await self._block.__aexit__(*reason)  # type: ignore[arg-type]  # passed on as it came


def _is_literal(host: str) -> bool:
    """Whether a parsed host is an address, canonical already."""
    return ":" in host or (host[-1].isdigit() and host.replace(".", "").isdigit())


def _judge(url: Url, addresses: Sequence[str], granted: bool) -> None:
    for address in addresses:
        kind = address_kind(address)
        if kind == "public" or (granted and kind != "metadata"):
            continue
        if kind == "metadata":
            hint = "Metadata services hand out credentials; no grant opens them."
        elif url.host == address:
            hint = f"Grant this address by name: net:{url.origin}/**"
        else:
            hint = "Private addresses need a grant that names the literal address."
        # The address itself stays out of the message: a model has no use for the inner network's map.
        raise Denied(
            "address_denied",
            f"{url.host} port {url.port} leads to a {kind} address",
            hint=hint,
            details={"host": url.host, "port": url.port, "address": address, "kind": kind},
        )


def _only_connecting(error: RemitError) -> None:
    """Another address may be tried only where nothing was sent to this one."""
    if error.details.get("phase") != "connect":
        raise error
