"""The way out of a sandbox: one socket, a proxy in front of it, and nothing where it is not asked for."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.http.asyncio_http import AsyncioHttp
from remit.adapters.http.broker import Broker
from remit.adapters.http.egress import Egress
from remit.adapters.sandboxes import network_view as module
from remit.adapters.sandboxes.bubblewrap import Bubblewrap
from remit.adapters.sandboxes.forwarder import SOCKET
from remit.adapters.sandboxes.network_view import FORWARDER, network_view
from remit.errors import Unavailable
from remit.ports.conformance.http_server import LocalServer, Peer, Seen
from remit.ports.http import HttpRequest
from remit.ports.sandbox import SandboxJob, SandboxResult

PYTHON = os.path.realpath(os.path.join(sys.base_prefix, "bin", "python3"))
BIG = bytes(range(256)) * 12_000  # 3 MB


class Server(LocalServer):
    broker = "the broker's folder"


async def count(peer: Peer, seen: Seen) -> None:
    await peer.answer(BIG if seen.target == "/big" else str(len(seen.body)).encode())


def run(folder: Path, *argvs: tuple[str, ...], network: bool = True) -> tuple[list[SandboxResult], Server]:
    """Programs one after another beside one broker that lets everything through."""

    async def main() -> tuple[list[SandboxResult], Server]:
        async with Server(count) as server:
            address = frozenset({("127.0.0.1", server.port)})
            egress = Egress(AsyncioHttp())

            def admit(request: HttpRequest) -> tuple[HttpRequest, Any]:
                return request, address

            async with Broker(egress, admit, lambda _: None) as path:
                server.broker = os.path.basename(os.path.dirname(path))
                found = []
                for argv in argvs:
                    words = tuple(word.replace("URL", server.url("")) for word in argv)
                    job = SandboxJob(words, str(folder), network=path if network else "", timeout_s=20)
                    found.append(await Bubblewrap().run(job))
            await egress.aclose()
            return found, server

    return asyncio.run(main())


@pytest.fixture
def listening(tmp_path: Path) -> Any:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "s"))
    server.listen()
    yield str(tmp_path / "s")
    server.close()


def test_the_view_binds_one_socket(listening: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Socket and forwarder are bound read-only, and the proxy variables name the forwarder; nothing else is bound."""
    monkeypatch.setattr(module, "_interpreter", lambda _: "/usr/bin/python3")
    view = network_view(listening, ())
    assert view.options[:5] == ["--dir", "/run/remit", "--ro-bind", listening, SOCKET]
    assert view.options[5:6] + view.options[7:] == ["--ro-bind", FORWARDER]
    assert set(view.env.values()) == {"http://127.0.0.1:3128", SOCKET}
    assert view.gate.endswith('|| exit 125; exec "$@"') and "read -r _" in view.gate


def test_without_an_interpreter_inside_there_is_only_the_socket(
    listening: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the program sees no Python, no proxy is promised; the socket is there for those who can use it."""
    monkeypatch.setattr(module.sys, "executable", "/home/nobody/python3")
    view = network_view(listening, ())
    assert (view.env, view.gate, len(view.options)) == ({"REMIT_EGRESS_SOCKET": SOCKET}, "", 5)


def test_what_is_no_socket_is_refused(tmp_path: Path) -> None:
    """A file, a link or nothing in the place of the broker's socket is sandbox_failed."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for name in ("file", "link", "nothing"):
        with pytest.raises(Unavailable) as caught:
            network_view(str(tmp_path / name), ())
        assert caught.value.code == "sandbox_failed"


@pytest.mark.sandbox
def test_large_bodies_pass_both_ways(tmp_path: Path) -> None:
    """Megabytes come through proxy and socket unchanged, by the proxy variables and straight through the socket."""
    (tmp_path / "up").write_bytes(BIG)
    results, server = run(
        tmp_path,
        ("curl", "-sS", "URL/big"),
        ("curl", "-sS", "--data-binary", "@up", "URL/up"),
        ("curl", "-sS", "--unix-socket", SOCKET, "--data-binary", "@up", "URL/up"),
    )
    assert [(r.exit_code, r.stdout[:20]) for r in results[1:]] == [(0, b"3072000"), (0, b"3072000")]
    assert (results[0].exit_code, results[0].stdout, results[0].cut_bytes) == (
        0,
        BIG[: 1024 * 1024],
        len(BIG) - 1024 * 1024,
    )
    assert [seen.body == BIG for seen in server.requests] == [False, True, True]


@pytest.mark.sandbox
def test_without_a_socket_there_is_no_network_at_all(tmp_path: Path) -> None:
    """No variable, no socket, no TCP: a job without a broker is as before."""
    code = "import os,socket; print(sorted(k for k in os.environ if 'proxy' in k.lower()), os.listdir('/run'))\n"
    results, server = run(tmp_path, (PYTHON, "-c", code + "socket.socket(socket.AF_INET)"), network=False)
    assert (results[0].stdout, b"PermissionError" in results[0].stderr) == (b"[] []\n", True)
    assert server.connections == 0


@pytest.mark.sandbox
def test_another_socket_in_its_place_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is bound must be the broker's own socket; a swap during the start is a refusal."""
    view = module.network_view

    def swapped(path: str, read_only: tuple[str, ...]) -> module.NetworkView:
        found = view(path, read_only)
        return module.NetworkView(found.options, found.env, found.gate, (0, 1))

    from remit.adapters.sandboxes import plan

    monkeypatch.setattr(plan, "network_view", swapped)
    with pytest.raises(Unavailable, match="egress socket"):
        run(tmp_path, ("true",))


@pytest.mark.sandbox
def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """The forwarder ends with the program: no process of the sandbox outlives it, however it ended."""
    results, server = run(
        tmp_path, ("true",), ("sh", "-c", "kill -9 $$"), (PYTHON, "-c", "import time; print(1); time.sleep(0)")
    )
    assert [r.exit_code for r in results] == [0, 137, 0]
    assert not [path for path in Path("/proc").glob("[0-9]*/mountinfo") if server.broker in _text(path)]


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""  # it ended while it was looked at
