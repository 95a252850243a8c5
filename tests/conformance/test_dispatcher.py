"""Every dispatcher keeps the contract of the dispatcher port: in this process, and over a Temporal server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from remit.adapters.clock import SystemClock
from remit.adapters.dispatchers.local import LocalDispatcher
from remit.ports.conformance.dispatcher import CHECKS
from remit.ports.dispatcher import Dispatcher


@pytest.mark.parametrize("kind", ["local", "temporal"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_dispatcher_conforms(check: Callable[[Any], None], kind: str, request: pytest.FixtureRequest) -> None:
    """The check of the suite holds for this dispatcher."""
    server = request.getfixturevalue("temporal") if kind == "temporal" else None

    def make() -> Dispatcher:
        if server is None:
            return LocalDispatcher(SystemClock())
        from remit.adapters.dispatchers.temporal import TemporalDispatcher

        return TemporalDispatcher(server.address, heartbeat_s=3.0, grace_s=0.2)

    check(make)
