"""The suite cannot reach the network or the user's own state."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest


@pytest.mark.parametrize("address", ["192.0.2.1", "203.0.113.9", "2001:db8::1"])
def test_connecting_out_is_refused(address: str) -> None:
    """A connection to an address that is not loopback raises before a packet leaves."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as plug, pytest.raises(PermissionError, match="no network"):
        plug.connect((address, 9))


def test_resolving_a_name_is_refused() -> None:
    """A name that is not localhost is not resolved."""
    with pytest.raises(PermissionError, match="no network"):
        socket.getaddrinfo("example.org", 443)


def test_loopback_works() -> None:
    """Tests may serve and connect on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()


def test_state_is_the_tests_own(own_state: Path) -> None:
    """HOME, state and configuration are this test's folders, and no provider key is left."""
    places = ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "REMIT_STATE_DIR", "REMIT_CONFIG_DIR")
    assert all(Path(os.environ[name]).is_relative_to(own_state) for name in places)
    assert not any(name.endswith(("_API_KEY", "_BASE_URL")) for name in os.environ)
