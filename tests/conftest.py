"""What every test gets: a state of its own, no way out to the network, and visible skips.

- HOME, the XDG folders and remit's state and config folders point into a temporary directory, so no
  test reads or writes the user's own; provider keys and base URLs of the environment are removed.
- A name that is not loopback cannot be resolved, an address that is not loopback cannot be connected
  to, by anything that goes through Python's sockets. (Rust and C clients resolve nothing here: remit
  hands them checked addresses, which tests/security covers.)
- `@pytest.mark.sandbox` and `@pytest.mark.git` skip, counted and with the reason, where the program is
  missing or the kernel refuses namespaces.
"""

from __future__ import annotations

import functools
import ipaddress
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
REAL_ENV = dict(os.environ)
PROVIDER_VARIABLES = ("_API_KEY", "_BASE_URL", "_API_BASE")
_numbers = itertools.count()


def _is_local(host: object) -> bool:
    if isinstance(host, bytes | bytearray):
        host = host.decode("ascii", "replace")
    if host is None or host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback or str(host) in ("0.0.0.0", "::")
    except ValueError:
        return False


def _forbid_network(event: str, args: tuple[Any, ...]) -> None:
    """Audit hook: refuse what would leave this machine."""
    if event in ("socket.connect", "socket.sendto"):
        address = args[1]
        if isinstance(address, tuple) and not _is_local(address[0]):
            raise PermissionError(f"tests have no network: {event} {address!r}")
    elif event in ("socket.getaddrinfo", "socket.gethostbyname") and not _is_local(args[0]):
        raise PermissionError(f"tests have no network: {event} {args[0]!r}")


sys.addaudithook(_forbid_network)


@functools.cache
def sandbox_trouble() -> str:
    """Why T3 cannot run here; empty when it can."""
    bwrap = shutil.which("bwrap")
    if sys.platform != "linux" or bwrap is None:
        return "bubblewrap is not installed: apt-get install -y bubblewrap"
    probe = [bwrap, "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "true"]
    done = subprocess.run(probe, capture_output=True, text=True, timeout=20, check=False)
    return "" if done.returncode == 0 else f"bubblewrap cannot make namespaces here: {done.stderr.strip()[:160]}"


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, counted and with the reason, what this machine cannot run."""
    if item.get_closest_marker("sandbox") and sandbox_trouble():
        pytest.skip(sandbox_trouble())
    if item.get_closest_marker("git") and shutil.which("git") is None:
        pytest.skip("git is not installed: apt-get install -y git")


@pytest.fixture(scope="session")
def _scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("user")


@pytest.fixture(autouse=True)
def own_state(_scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The root of this test's HOME, state and config folders (none of them exists yet but HOME)."""
    base = _scratch / str(next(_numbers))
    home = base / "home"
    home.mkdir(parents=True)
    for name in list(os.environ):
        if name.endswith(PROVIDER_VARIABLES) or name.startswith(("REMIT_", "XDG_", "GIT_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / ".local/state"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / ".local/share"))
    monkeypatch.setenv("REMIT_STATE_DIR", str(base / "state"))
    monkeypatch.setenv("REMIT_CONFIG_DIR", str(base / "config"))
    yield base
    shutil.rmtree(base, ignore_errors=True)


@pytest.fixture(scope="session")
def real_env() -> dict[str, str]:
    """The environment as the suite was started, for tests that drive pip."""
    return dict(REAL_ENV)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of recorded data: REMIT_SHARED, or `shared` beside the checkout."""
    folder = Path(REAL_ENV.get("REMIT_SHARED") or ROOT.parent / "shared")
    if not folder.is_dir():
        pytest.skip(f"no recorded data at {folder.name}/ beside the checkout; name it with REMIT_SHARED")
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A Postgres server for the whole session (postgres_server.Server); skips where the package is missing."""
    postgres_server = pytest.importorskip("postgres_server", reason="psycopg is not installed")
    if postgres_server.trouble():
        pytest.skip(postgres_server.trouble())
    with postgres_server.Server() as server:
        yield server


@pytest.fixture(scope="session")
def temporal() -> Iterator[Any]:
    """A Temporal dev server for the whole session (temporal_server.TemporalServer); skips where it is missing."""
    pytest.importorskip("temporalio", reason="temporalio is not installed")
    temporal_server = pytest.importorskip("temporal_server")
    if temporal_server.trouble():
        pytest.skip(temporal_server.trouble())
    with temporal_server.TemporalServer() as server:
        yield server
