"""The listener of `remit serve`, the only one that remit opens, and how it ends, in four phases.

pre_drain   no run begins; /ready says so; event streams end
drain       nobody new is let in; answers under way are finished, at most DRAIN_S
cleanup     runs under way are parked: durable, and gone on with at the next start or by another worker
final       what is left of connections is cut; the caller closes the journal
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import ssl
from collections.abc import Callable
from typing import Final

from remit.core.sections import GatewaySection
from remit.errors import Invalid, Unavailable
from remit.gateway.connections import Connections
from remit.gateway.gateway import Gateway

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 42617  # Source: spec/operations.md 1
DRAIN_S: Final = 5.0
BACKLOG: Final = 128
HANDSHAKE_S: Final = 10.0
_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address; raises value_invalid for a name that is no address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise Invalid("value_invalid", f"--host {host!r:.80} is no address", hint="Give a literal address.") from None


def tls_of(host: str, certificate: str, key: str, production: bool) -> ssl.SSLContext | None:
    """The TLS context; None = plain HTTP on loopback. Raises tls_required, config_invalid."""
    if not certificate and not key:
        if production or not is_loopback(host):
            where = "REMIT_ENV=production" if production else f"{host} is not loopback"
            raise Invalid("tls_required", f"plain HTTP is refused: {where}")
        return None
    is_loopback(host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(os.path.expanduser(certificate), os.path.expanduser(key) or None)
    except (OSError, ssl.SSLError) as error:
        raise Invalid("config_invalid", f"the TLS certificate or its key cannot be used: {error}"[:300]) from None
    return context


def names_of(host: str, port: int, section: GatewaySection, tls: bool) -> tuple[frozenset[str], frozenset[str]]:
    """What Host and Origin may be: the address itself, loopback's names on loopback, and what is configured."""
    scheme, usual = ("https", 443) if tls else ("http", 80)
    own = _LOOPBACK if is_loopback(host) else (f"[{host}]" if ":" in host else host,)
    hosts = {f"{name}:{port}" for name in own} | ({*own} if port == usual else set())
    origins = {f"{scheme}://{name}" for name in hosts}
    hosts |= {name.lower() for name in section.hosts or ()}
    return frozenset(hosts), frozenset(origins | {name.lower() for name in section.origins or ()})


class Server:
    """Serves one gateway until `stop` is set.

    Args:
        make: the gateway, once the port is known.
        listening: told the URL once clients may come.
    """

    def __init__(self, make: Callable[[int], Gateway], listening: Callable[[str], None]) -> None:
        self._make = make
        self._listening = listening

    async def serve(self, host: str, port: int, tls: ssl.SSLContext | None, stop: asyncio.Event) -> None:
        """Raises network_failed (the address is taken)."""
        made: list[Connections] = []
        address = "127.0.0.1" if host == "localhost" else host
        loop = asyncio.get_running_loop()
        timeout = HANDSHAKE_S if tls is not None else None
        try:
            listener = await loop.create_server(
                lambda: made[0].make(), address, port, ssl=tls, backlog=BACKLOG, ssl_handshake_timeout=timeout,
                start_serving=False,
            )  # fmt: skip
        except OSError as error:
            raise Unavailable("network_failed", f"cannot listen on {host}:{port}: {error.strerror or error}",
                              hint="Choose another --port, or end who has it.") from None  # fmt: skip
        port = listener.sockets[0].getsockname()[1]
        gateway = self._make(port)
        made.append(Connections(gateway))
        async with listener, asyncio.TaskGroup() as group:
            work = group.create_task(gateway.work.run())
            await listener.start_serving()
            shown = f"[{address}]" if ":" in address else address
            self._listening(f"{'https' if tls else 'http'}://{shown}:{port}")
            ended = group.create_task(stop.wait())
            await asyncio.wait({ended})
            await _end(gateway, listener, made[0], work)
        await gateway.work.aclose()


async def _end(gateway: Gateway, listener: asyncio.Server, connections: Connections, work: asyncio.Task[None]) -> None:
    gateway.draining = True  # pre_drain
    listener.close()  # drain
    connections.finish()
    deadline = asyncio.get_running_loop().time() + DRAIN_S
    while connections.count and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110  # they have no event
        await asyncio.sleep(0.02)
    work.cancel()  # cleanup
    await asyncio.wait({work})
    connections.abort()  # final
