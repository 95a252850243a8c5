"""What one call may send: its grants, its secrets, and the leak guard, in one place for every way out.

A tool's own request (`GrantedHttp`) and a confined program's (the egress broker) are judged by the same function.
Order: the need `net`, private addresses, the leak guard over what the caller wrote, then the secrets that its
handles name, each a need `secret:NAME@host`. The value itself is nowhere here: the egress inserts it afterwards.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from msgspec.structs import replace

from remit.core import needs
from remit.core.effects import Need
from remit.core.remit import Remit
from remit.errors import Denied
from remit.guard.handles import MAX_TOUCHED, literal_host
from remit.ports.secrets import MARK, handle_names

if TYPE_CHECKING:
    from remit.guard.handles import Lease, Lenders
    from remit.guard.leaks import LeakGuard
    from remit.ports.http import HttpRequest

# They carry credentials by their purpose: a key that the user gave to the model may stand there, a vault value not.
_CREDENTIAL_HEADERS: Final = frozenset({"authorization", "x-api-key", "api-key", "cookie", "private-token"})


class Outgoing:
    """Judges requests.

    Args:
        check: (need, bytes sent) notes the need for the journal and raises where the remit does not cover it.
        lease: of the call.
        remit: of the call.
        leaks: makes or finds the leak guard.
    """

    def __init__(self, check: Callable[..., None], lease: Lease, remit: Remit, leaks: Callable[[], LeakGuard]) -> None:
        self._check = check
        self._lease = lease
        self._remit = remit
        self._leaks = leaks

    def admit(self, request: HttpRequest) -> tuple[HttpRequest, frozenset[tuple[str, int]]]:
        """The request as it may be sent, and what of it may lead to a private address.

        Raises:
            Denied: not_granted, denied_by_rule, flow_denied, secret_leak, secret_denied, revoked.
        """
        need = needs.net(request.method, request.url)
        self._check(need, len(request.body))
        if self._lease.tainted and need not in self._lease.needs:
            # The gate asked a person about declared requests only.
            raise Denied("flow_denied", f"{need}: untrusted data is in the context, and the tool did not declare this")
        address = (need.detail[2], int(need.detail[3]))
        private = frozenset({address}) if literal_host(self._remit, need) else frozenset()
        return self._with_secrets(self._without_leaks(request), need.detail[2]), private

    def _without_leaks(self, request: HttpRequest) -> HttpRequest:
        guard = self._leaks()
        guard.refuse_values(request.url.encode("utf-8", "replace"), "the URL")
        body = guard.clean(request.body, "the body") if request.body else b""
        for name, value in request.headers:
            guard.refuse_values(name.encode("utf-8", "replace"), "a header's name")
            place = f"the header {name[:40]}"
            line = f"{name}: {value}".encode("utf-8", "replace")
            guard.refuse_values(line, place)
            if name.lower() not in _CREDENTIAL_HEADERS and guard.clean(line, place) is not line:
                raise Denied("secret_leak", f"{place} holds what looks like a key; it was not sent")
        return request if body is request.body or body == request.body else replace(request, body=body)

    def _with_secrets(self, request: HttpRequest, host: str) -> HttpRequest:
        if MARK in unquote(request.url):
            raise Denied("secret_denied", "a handle stands in a header or in a field of the body, never in a URL")
        in_headers = handle_names("\n".join(value for _, value in request.headers))
        in_body = handle_names(request.body.decode("utf-8", "replace")) if MARK.encode() in request.body else ()
        for name in dict.fromkeys((*in_headers, *in_body)):
            self._check(Need("secret", f"{name}@{host}"))
        used = (*((name, "header") for name in in_headers), *((name, "body") for name in in_body))
        return replace(request, secrets=used) if used else request


@asynccontextmanager
async def way_out(
    wanted: bool, check: Callable[..., None], lease: Lease, remit: Remit, outside: Lenders
) -> AsyncIterator[str]:
    """The egress socket of one program, "" = none: not asked for, nothing granted, or nothing allowed in this context.

    Once untrusted data is in the context, only what the call itself declared (and the gate asked about) is reached.
    """
    declared = any(need.verb == "net" for need in lease.needs)
    if not wanted or not may_reach_out(remit) or (lease.tainted and not declared):
        yield ""
        return

    def note(text: str) -> None:
        if len(lease.touched) < MAX_TOUCHED:
            lease.touched.append(f"egress:{text}")

    async with outside.broker(Outgoing(check, lease, remit, outside.leaks).admit, note) as path:
        yield path


def may_reach_out(remit: Remit) -> bool:
    """Whether every layer that speaks of the network grants some use of it."""
    if remit.unset:
        return False
    layers = [layer.grants or () for layer in remit.layers if not layer.silent("net")]
    return (bool(layers) or not remit.layers) and all(any(g.verb == "net" for g in grants) for grants in layers)
