"""The HTTP port on wreq (Rust: hyper, BoringSSL, own threads).

The idea: the same contract as `asyncio_http` over somebody else's engine, as a peer to measure
against and a second opinion on every answer. wreq pins an address per client object, not per
request, so there is one wreq client for each (host, address), in a bounded table.

Invariants: no redirects, no proxies, no cookies, HTTP/1.1 only, no decompression by wreq (it has no
bound; `body_decoding` has); the deadlines of the port are kept by asyncio, because wreq's start at
other moments; leaving a stream early cancels its reads and closes the connection.
Weaker than asyncio_http: an answer's head is bounded by hyper alone (its defaults), the peer's
address is checked after the answer began, a deadline while connecting is told apart only by text.
"""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, TypeVar

import wreq
from wreq import exceptions as failures

from remit.adapters.http.body_decoding import body_decoder, decode_body
from remit.adapters.http.exchange import deadline_exceeded
from remit.adapters.http.request_head import RequestHead, request_head
from remit.core.urls import Url, canonical_address, parse_url
from remit.errors import Denied, Exhausted, Invalid, RemitError, Unavailable
from remit.ports.http import HttpReply, HttpRequest, HttpStream

_MAX_CLIENTS: Final = 64  # (host, address) pairs whose connections are kept
_MAX_HEADERS: Final = 256
_MAX_HEAD_BYTES: Final = 64 * 1024
_FAILURES: Final = tuple(getattr(failures, name) for name in failures.__all__)
_T = TypeVar("_T")


class WreqHttp:
    """`ports.http.HttpClient` on wreq.

    Args:
        ca_pem: certificate authorities to trust instead of wreq's.
        limit: open connections per (host, address).
    """

    def __init__(self, *, ca_pem: str = "", limit: int = 4096) -> None:
        self._ca_pem = ca_pem
        self._limit = limit
        self._clients: OrderedDict[tuple[str, str, float], wreq.Client] = OrderedDict()

    async def fetch(self, request: HttpRequest) -> HttpReply:
        """Send and read the whole answer; see `ports.http.HttpClient`."""
        clock = _Clock(request)
        async with _Streaming(self, request, clock) as stream:
            body = await stream.read_raw()
            if stream.decoder is not None and body:
                body = decode_body(body, stream.decoder)
            return HttpReply(stream.status, stream.headers, body)

    def stream(self, request: HttpRequest) -> AbstractAsyncContextManager[HttpStream]:
        """Send, and hand out the answer once its headers are there; leaving the block closes it."""
        return _Streaming(self, request, _Clock(request))

    async def aclose(self) -> None:
        """Close every connection."""
        clients, self._clients = list(self._clients.values()), OrderedDict()
        for client in clients:
            client.close()

    def client_for(self, host: str, address: str, connect_s: float) -> wreq.Client:
        """The wreq client that resolves `host` to `address`."""
        key = (host, address, connect_s)
        client = self._clients.get(key)
        if client is not None:
            self._clients.move_to_end(key)
            return client
        dns = wreq.DnsOptions()
        dns.add_resolve(host, [ipaddress.ip_address(address)])
        verify = wreq.CertStore.from_pem_stack(self._ca_pem.encode()) if self._ca_pem else True
        client = wreq.Client(
            dns_options=dns,
            redirect=wreq.redirect.Policy.none(),
            no_proxy=True,
            cookie_store=False,
            referer=False,
            http1_only=True,
            tls_verify=verify,
            tls_verify_hostname=True,
            gzip=False,
            brotli=False,
            deflate=False,
            zstd=False,
            connect_timeout=datetime.timedelta(seconds=connect_s),
            pool_max_idle_per_host=self._limit,
        )
        self._clients[key] = client
        if len(self._clients) > _MAX_CLIENTS:
            self._clients.popitem(last=False)
        return client


class _Clock:
    """Deadlines of one request, kept with one `asyncio.timeout` per wait."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._ends = None if request.total_s is None else loop.time() + request.total_s

    async def wait(self, awaitable: Awaitable[_T], phase: str, seconds: float) -> _T:
        """Await within `seconds` and the total."""
        when = self._loop.time() + seconds
        if self._ends is not None and self._ends < when:
            when, phase, seconds = self._ends, "total", self._request.total_s or 0.0
        try:
            async with asyncio.timeout_at(when):
                return await awaitable
        except TimeoutError:
            raise deadline_exceeded(phase, seconds) from None


class _Streaming:
    """The block of a stream."""

    def __init__(self, client: WreqHttp, request: HttpRequest, clock: _Clock) -> None:
        self._client = client
        self._request = request
        self._clock = clock

    async def __aenter__(self) -> _Stream:
        request = self._request
        head = request_head(request.method, request.url, request.headers)
        if not request.address:
            raise Invalid("value_invalid", "a request names the address to connect to; Egress fills it in")
        url, address = parse_url(request.url), canonical_address(request.address)
        response = await self._send(url, address, head)
        self._response = response
        try:
            self._check(response, address)
            self._stream = _Stream(response, request, head, self._clock)
        except BaseException:
            await response.close()
            raise
        return self._stream

    async def __aexit__(self, *_: object) -> None:
        if not self._stream.ended:
            await self._stream.close()

    async def _send(self, url: Url, address: str, head: RequestHead) -> Any:
        request = self._request
        host = f"[{url.host}]" if ":" in url.host else url.host
        client = self._client.client_for(host, address, request.connect_s)
        headers = wreq.HeaderMap()
        for name, value in head.headers:
            headers.append(name, value)
        body: Any = {"body": request.body} if request.body or head.sends_length else {}
        sending = client.request(
            getattr(wreq.Method, request.method), str(url), headers=headers, default_headers=False, **body
        )
        try:
            return await self._clock.wait(sending, "first_byte", request.connect_s + request.first_byte_s)
        except RemitError:
            raise
        except Exception as error:  # wreq's errors share no root; what is not one of them is re-raised
            raise _translated(error, request) from None

    def _check(self, response: Any, address: str) -> None:
        peer = response.remote_addr
        if peer is not None and canonical_address(str(peer.ip())) != address:
            raise Denied("address_denied", f"connected to {peer.ip()} instead of {address}")


class _Stream:
    """An answer whose body arrives piece by piece; one reader."""

    def __init__(self, response: Any, request: HttpRequest, head: RequestHead, clock: _Clock) -> None:
        self.status: int = response.status.as_int()
        self.headers = _headers(response.headers)
        self._response = response
        self._request = request
        self._clock = clock
        self._size = 0
        self.ended = False
        self._declared = self.headers.get("content-length", "")
        self._bodiless = head.bodiless or self.status in (204, 304)
        if not self._bodiless and self._declared.isdigit() and int(self._declared) > request.max_bytes:
            raise _too_large(request)
        self.decoder = None if self._bodiless else body_decoder(self.headers, request.max_bytes)
        self._pieces: Iterator[bytes] = iter(())
        self._streamer: Any = None  # made on first use: it takes the body away from response.bytes()

    def chunks(self) -> AsyncIterator[bytes]:
        """The decoded body as it arrives; raises network_failed when it ends before its length."""
        return self

    async def read(self) -> bytes:
        """The rest of the body."""
        return b"".join([piece async for piece in self])

    async def read_raw(self) -> bytes:
        """The rest of the body as it came."""
        parts = []
        while data := await self._arrived():
            parts.append(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def close(self) -> None:
        """End the reading and close the connection."""
        self.ended = True
        if self._streamer is not None:
            await self._streamer.__aexit__(None, None, None)
        await self._response.close()

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        while True:
            for piece in self._pieces:
                return piece
            data = await self._arrived()
            if not data:
                if self.decoder is not None:
                    self.decoder.finish()
                raise StopAsyncIteration
            if self.decoder is None:
                return data
            self._pieces = self.decoder.feed(data)

    async def _arrived(self) -> bytes:
        if self._streamer is None and not self.ended:
            self._streamer = self._response.stream()
        while not self.ended:
            try:
                frame = await self._clock.wait(self._streamer.__anext__(), "idle", self._request.idle_s)
            except StopAsyncIteration:
                self.ended = True
                break
            except RemitError:
                raise
            except Exception as error:  # wreq's errors share no root; what is not one of them is re-raised
                raise _translated(error, self._request) from None
            if isinstance(frame, memoryview) and len(frame):
                self._size += len(frame)
                if self._size > self._request.max_bytes:
                    raise _too_large(self._request)
                return bytes(frame)
        return b""


def _headers(given: Any) -> dict[str, str]:
    headers: dict[str, str] = {}
    size = 0
    for name_bytes, value_bytes in given:
        name, value = bytes(name_bytes).decode("latin-1").lower(), bytes(value_bytes).decode("latin-1")
        size += len(name) + len(value)
        if len(headers) > _MAX_HEADERS or size > _MAX_HEAD_BYTES:
            raise Unavailable("network_failed", "the answer's headers are too large")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    if "content-length" in headers and ("transfer-encoding" in headers or "," in headers["content-length"]):
        raise Unavailable("network_failed", "the answer's length can be read in two ways")
    return headers


def _too_large(request: HttpRequest) -> Exhausted:
    return Exhausted("output_too_large", f"the answer is larger than {request.max_bytes} bytes")


def _translated(error: Exception, request: HttpRequest) -> RemitError:
    if isinstance(error, failures.TimeoutError):
        return deadline_exceeded("connect", request.connect_s)  # wreq keeps only this deadline for us
    text = str(error).lower()
    if isinstance(error, failures.ConnectionError) and "timedout" in text:
        return deadline_exceeded("connect", request.connect_s)
    if isinstance(error, failures.TlsError) or "certificate" in text or "handshake" in text:
        return Unavailable("network_failed", "TLS with the host failed", retryable=False)
    if isinstance(error, failures.ConnectionError):
        message = f"cannot connect to {request.address}"
        return Unavailable("network_failed", message, retryable=True, details={"phase": "connect"})
    if isinstance(error, _FAILURES):
        return Unavailable("network_failed", f"the exchange failed: {text[:200]}", retryable=True)
    raise error
