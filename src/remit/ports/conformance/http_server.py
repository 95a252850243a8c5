"""A local server for the HTTP suite: it says exactly the bytes a check wants, and sees what the client does.

It listens on loopback only. TLS certificates are made on the spot by an authority of its own.
"""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from msgspec import Struct

_DAY_S: Final = 86400


class Seen(Struct, frozen=True):
    """A request as the server read it. Header names are lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Peer:
    """The server's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Write bytes as they are, and wait while the client does not read."""
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self, body: bytes = b"ok", *headers: str, status: str = "200 OK") -> None:
        """Write a whole answer with its length."""
        lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers]
        await self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def gone(self) -> None:
        """Wait until the client has closed."""
        try:
            while await self._reader.read(65536):
                pass
        except ConnectionError:
            pass

    def close(self) -> None:
        """Close in good order."""
        self._writer.close()

    def reset(self) -> None:
        """Close with a reset, as a crashed server's kernel does."""
        sock = self._writer.get_extra_info("socket")
        # SO_LINGER (13) of SOL_SOCKET (1) with time 0: the close sends RST. Source: socket(7), Linux values.
        sock.setsockopt(1, 13, (1).to_bytes(4, "little") + (0).to_bytes(4, "little"))
        self._writer.transport.abort()

    async def read_request(self) -> Seen | None:
        """The next request; None when the client has closed."""
        try:
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.rstrip("\r\n").split("\r\n")
            method, target, _ = first.split(" ")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        return Seen(method, target, headers, body)


Script = Callable[[Peer, Seen], Awaitable[None]]
"""What to do with a request."""


class LocalServer:
    """`async with LocalServer(script) as server`: a server on a free port of 127.0.0.1."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self._script = script
        self._tls = tls
        self._writers: set[asyncio.StreamWriter] = set()
        self.connections = 0
        """accepted so far"""
        self.requests: list[Seen] = []

    @property
    def open(self) -> int:
        """Connections that are open now."""
        return len(self._writers)

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        """The address of `path` here."""
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    async def __aenter__(self) -> LocalServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls, backlog=1024)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        while self._writers:
            await asyncio.sleep(0.005)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        peer = Peer(reader, writer)
        try:
            while (seen := await peer.read_request()) is not None:
                self.requests.append(seen)
                await self._script(peer, seen)
        except ConnectionError:
            pass  # the client went away: some checks want just that
        finally:
            self._writers.discard(writer)
            writer.close()


class Authority:
    """A certificate authority that lives as long as a check."""

    def __init__(self) -> None:
        from cryptography.hazmat.primitives.asymmetric import ec

        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._sign("remit test authority", self._key.public_key(), None)
        self.pem: str = self._pem(self._certificate)

    def server_context(self, host: str, names_seen: list[str | None]) -> ssl.SSLContext:
        """A TLS server that proves to be `host`; the names that clients ask for go to `names_seen`."""
        from cryptography.hazmat.primitives import serialization as form
        from cryptography.hazmat.primitives.asymmetric import ec

        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(host, key.public_key(), host)
        secret = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()).decode()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "server.pem"
            path.write_text(secret + self._pem(certificate))
            context.load_cert_chain(path)

        def on_name(_socket: object, name: str | None, _context: object) -> None:
            names_seen.append(name)

        context.sni_callback = on_name
        return context

    @staticmethod
    def _pem(certificate: object) -> str:
        from cryptography.hazmat.primitives.serialization import Encoding

        return certificate.public_bytes(Encoding.PEM).decode()  # type: ignore[attr-defined,no-any-return]  # cryptography is imported on use

    def _sign(self, name: str, public_key: object, host: str | None) -> object:
        import datetime

        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.x509.oid import NameOID

        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "remit test authority")])
        # Fixed dates: a check must not depend on the clock beyond "between 2020 and 2120".
        start = datetime.datetime(2020, 1, 1)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public_key)  # type: ignore[arg-type]  # cryptography is imported on use
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + datetime.timedelta(seconds=36500 * _DAY_S))
            .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
        )
        if host is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        return builder.sign(self._key, hashes.SHA256())
