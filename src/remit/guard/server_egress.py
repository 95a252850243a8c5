"""The way out of a served program: tunnels to the hosts that its configuration names, and nothing else.

The same judgement as for a program of a run (outgoing.py), on a remit of its own. The calls that use the server need
these hosts too (adapters/mcp), so a run reaches no host through a server that it could not reach itself.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from remit.core import needs
from remit.core.effects import Need
from remit.core.remit import Remit
from remit.errors import Denied
from remit.guard.handles import Lease
from remit.guard.outgoing import way_out

if TYPE_CHECKING:
    from remit.guard.handles import Lenders


def server_way_out(
    hosts: tuple[str, ...], outside: Lenders, now_ms: Callable[[], int]
) -> AbstractAsyncContextManager[str]:
    """The socket of one served program."""
    remit = Remit.allow(*(f"net:CONNECT {host}" for host in hosts))
    lease = Lease(tuple(needs.tunnel(host) for host in hosts), builtin=True, tainted=True, timeout_s=0.0)

    def check(need: Need, size_bytes: int = 0) -> None:
        if not remit.ruling(need, now_ms()).allowed:
            raise Denied("not_granted", f"{need} is not among the server's hosts")

    return way_out(True, check, lease, remit, outside)
