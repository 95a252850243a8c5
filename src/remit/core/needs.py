"""How tools say what they need: one small constructor a verb."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from remit.core.effects import Need
from remit.core.grants import VERBS
from remit.core.urls import parse_url
from remit.errors import Invalid


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


def tunnel(host: str) -> Need:
    """A TLS tunnel to `host[:port]`: nobody sees method and path in it, so it takes a grant of CONNECT or of `*`."""
    return net("CONNECT", f"https://{host}/")


def tool(name: str) -> Need:
    """Call the tool `name`."""
    return Need("tool", name)


def model(name: str) -> Need:
    """Ask the model `provider:name`."""
    return Need("model", name)


def memory(scope: str) -> Need:
    """Read or write records of `scope`, for example project/notes."""
    return Need("memory", scope)


def env(name: str) -> Need:
    """Read the environment variable `name`."""
    return Need("env", name)


def secret(handle: str, host: str) -> Need:
    """Use the secret `handle` towards `host`."""
    return Need("secret", f"{handle}@{host.lower()}")


def parse_need(text: str) -> Need:
    """The need that a person writes as `verb:resource`, in the syntax of `needs` in the journal.

    `net:POST https://api.example.org/v1`, `shell:git status -s`, `fs.read:src/a.py`, `delegate:AGENT@DEPTH`.
    Raises: Invalid `grant_invalid` for another verb or an empty resource, `value_invalid` for a URL that is none.
    """
    verb, colon, resource = text.partition(":")
    resource = resource.strip()
    if not colon or verb not in VERBS or not resource or "\0" in resource:
        raise Invalid("grant_invalid", f"{text!r:.200} is not verb:resource; verbs are {', '.join(VERBS)}")
    match verb:
        case "net":
            method, space, url = resource.partition(" ")
            method, url = (method, url) if space else ("GET", resource)
            return net(method, url.strip() if "://" in url else f"https://{url.strip()}")
        case "shell":
            return shell(tuple(resource.split()))
        case "delegate":
            agent, at, depth = resource.rpartition("@")
            if not depth.isdecimal():
                raise Invalid("grant_invalid", f"{text!r:.200}: write delegate:DEPTH or delegate:AGENT@DEPTH")
            return Need("delegate", depth, (agent,) if at else ())
        case _:
            return Need(verb, resource)
