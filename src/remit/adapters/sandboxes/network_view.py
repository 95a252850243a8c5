"""What a confined program sees of the network: one socket of the egress broker, and a proxy in front of it.

The namespace has no route; `/run/remit/egress.sock` is the only way out. Programs that can only speak to a TCP proxy
(curl, git and pip by their environment) find one on the namespace's own loopback: `forwarder.py`, started inside
before the program, which copies bytes between a connection and the socket and decides nothing.

Source: the variables are those that libcurl, Python's urllib and requests, Go and npm read.
"""

from __future__ import annotations

import os
import shlex
import stat
import sys
from typing import Final

from msgspec import Struct

from remit.adapters.sandboxes.forwarder import PORT, SOCKET
from remit.adapters.sandboxes.system_view import VISIBLE
from remit.errors import Unavailable

FORWARDER: Final = "/run/remit/forwarder.py"
_PROXY: Final = f"http://127.0.0.1:{PORT}"


class NetworkView(Struct, frozen=True):
    """The way out of one sandbox."""

    options: list[str]
    """bubblewrap's"""
    env: dict[str, str]
    gate: str
    """what the first shell runs: wait for the supervisor, start the forwarder, become the program"""
    identity: tuple[int, int]
    """(device, inode) of the broker's socket"""
    path: str = SOCKET


def network_view(socket: str, read_only: tuple[str, ...]) -> NetworkView:
    """The view for the broker at `socket`; raises sandbox_failed where that is no socket."""
    try:
        status = os.lstat(socket)
    except OSError as error:
        raise Unavailable("sandbox_failed", f"the egress socket cannot be used: {error.strerror}") from error
    if not stat.S_ISSOCK(status.st_mode):
        raise Unavailable("sandbox_failed", "the egress socket is no socket")
    options = ["--dir", os.path.dirname(SOCKET), "--ro-bind", socket, SOCKET]
    env = {"REMIT_EGRESS_SOCKET": SOCKET}
    python = _interpreter(read_only)
    if not python:
        return NetworkView(options, env, "", (status.st_dev, status.st_ino))
    script = os.path.join(os.path.dirname(os.path.realpath(__file__)), "forwarder.py")
    options += ["--ro-bind", script, FORWARDER]
    env |= {name: _PROXY for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")}
    start = f"{shlex.quote(python)} -I -S {FORWARDER} </dev/null >/dev/null 2>&1"
    gate = f'echo; read -r _ || exit 125; {start} || exit 125; exec "$@"'
    return NetworkView(options, env, gate, (status.st_dev, status.st_ino))


def _interpreter(read_only: tuple[str, ...]) -> str:
    """A Python that the program can see; "" = there is none, and only the socket is offered."""
    path = os.path.realpath(sys.executable)
    seen = path.split("/")[1] in VISIBLE or any(path.startswith(folder.rstrip("/") + "/") for folder in read_only)
    return path if seen else ""
