"""Dispatchers: `local` in one process, `temporal` over a Temporal server. See ports/dispatcher.py."""

from __future__ import annotations

from remit.core.sections import DispatchSection
from remit.errors import Unavailable
from remit.ports.clock import Clock
from remit.ports.dispatcher import Dispatcher


def make(section: DispatchSection, clock: Clock) -> Dispatcher:
    """The dispatcher that [dispatch] describes; raises extra_missing."""
    if not section.temporal:
        from remit.adapters.dispatchers.local import LocalDispatcher

        return LocalDispatcher(clock)
    try:
        from remit.adapters.dispatchers.temporal import HEARTBEAT_S, TemporalDispatcher
    except ImportError as error:
        raise Unavailable("extra_missing", f"[dispatch] temporal needs temporalio ({error.name})",
                          hint="Install it: pip install 'remit[scale]'") from None  # fmt: skip
    return TemporalDispatcher(
        section.temporal,
        namespace=section.namespace or "default",
        heartbeat_s=section.heartbeat_s or HEARTBEAT_S,
        tls=bool(section.tls),
    )
