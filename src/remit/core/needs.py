"""How tools say what they need: one small constructor a verb."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from remit.core.effects import Need
from remit.core.urls import parse_url


def fs_read(path: str) -> Need:
    """Read `path` (relative to the workspace)."""
    return Need("fs.read", path or ".")


def fs_write(path: str) -> Need:
    """Create, change or delete `path` (relative to the workspace)."""
    return Need("fs.write", path or ".")


def shell(argv: Sequence[str]) -> Need:
    """Run `argv`."""
    return Need("shell", " ".join(argv), tuple(argv))


@lru_cache(maxsize=1024)
def net(method: str, url: str) -> Need:
    """Send `method` to `url`; raises value_invalid for a URL that cannot be canonicalised."""
    u = parse_url(url)
    host = f"[{u.host}]" if ":" in u.host else u.host
    return Need(
        "net",
        f"{method.upper()} {u.scheme}://{host}:{u.port}{u.path}",
        (method.upper(), u.scheme, u.host, str(u.port), u.path),
    )
