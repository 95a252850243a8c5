"""Grants: `verb:pattern`, parsed once, matched on parsed resources.

fs.read fs.write   glob on the path relative to the workspace (matched after resolution)
shell              argv patterns: `git` = that program with any arguments; `git status` = exactly
                   these; a last `*` or `**` = any further arguments (none too)
net                [METHOD[,METHOD] ][scheme://]host[:port][/path]; GET,HEAD over https 443 by default;
                   `*.x.org` = x.org's subdomains; private addresses only as literal addresses
tool model env secret memory delegate    glob on the name (`*` matches / and : too)
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from msgspec import Struct

from remit.core.effects import Need
from remit.core.globs import glob_match
from remit.core.sensitive import is_sensitive
from remit.core.urls import parse_url
from remit.errors import Invalid

VERBS: Final = ("fs.read", "fs.write", "shell", "net", "tool", "memory", "secret", "env", "delegate", "model")
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "*"})
_PORTS: Final = {"https": "443", "http": "80"}
_NET: Final = re.compile(
    r"^(?:(?P<methods>[A-Z*]+(?:,[A-Z*]+)*)\s+)?(?:(?P<scheme>https?)://)?"
    r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.*_-]+)(?::(?P<port>\d{1,5}|\*))?(?P<path>/\S*)?$"
)


class Grant(Struct, frozen=True, gc=False):
    """One grant or denial in parsed form."""

    verb: str
    pattern: str
    parts: tuple[str, ...] = ()
    """argv patterns (shell); (methods, scheme, host, port, path) with "" = any scheme or path (net)"""

    def __str__(self) -> str:
        return f"{self.verb}:{self.pattern}"

    def covers(self, need: Need) -> bool:
        """Whether this grant reaches the need, as a grant."""
        if need.verb != self.verb:
            return False
        match self.verb:
            case "fs.read" | "fs.write":
                return self._covers_path(need.resource)
            case "shell":
                return _argv_match(self.parts, need.detail)
            case "net":
                return self._covers_net(need.detail, deny=False)
            case "delegate":
                return (
                    self.pattern.isdecimal() and need.resource.isdecimal() and int(need.resource) <= int(self.pattern)
                )
            case _:
                return name_match(self.pattern, need.resource)

    def forbids(self, need: Need) -> bool:
        """Whether this denial reaches the need: as `covers`, but every doubt counts as a match."""
        if need.verb != self.verb:
            return False
        match self.verb:
            case "fs.read" | "fs.write":
                return glob_match(self.pattern, need.resource)
            case "net":
                return self._covers_net(need.detail, deny=True)
            case "shell":
                return _argv_prefix(self.parts, need.detail) or _argv_prefix(self.parts, _bare(need.detail))
            case _:
                return self.covers(need)

    def _covers_path(self, path: str) -> bool:
        # A sensitive file (keys, .env, histories) is granted by its exact name only.
        if is_sensitive(path):
            return self.pattern == path
        return glob_match(self.pattern, path)

    def _covers_net(self, detail: tuple[str, ...], *, deny: bool) -> bool:
        methods, scheme, host, port, path = self.parts
        method, need_scheme, need_host, need_port, need_path = detail
        if not deny or methods:
            allowed = methods.split(",") if methods else ("GET", "HEAD")
            if method not in allowed and "*" not in allowed:
                return False
        if scheme and scheme != need_scheme:
            return False
        if not _host_match(host, need_host):
            return False
        # A grant without a port means the scheme's own; a denial without one means every port.
        if port != "*" and (port or not deny) and need_port != (port or _PORTS[need_scheme]):
            return False
        if not deny and not scheme and not port and need_scheme != "https":
            return False
        return not path or glob_match(path.lstrip("/"), need_path.lstrip("/"))


@lru_cache(maxsize=4096)
def parse_grant(text: str) -> Grant:
    """A grant from its text; raises grant_invalid with the verb list or the broken part."""
    verb, colon, pattern = text.partition(":")
    pattern = pattern.strip()
    if not colon or verb not in VERBS or not pattern or "\x00" in pattern:
        raise Invalid("grant_invalid", f"{text!r} is not verb:pattern; verbs are {', '.join(VERBS)}")
    match verb:
        case "shell":
            return Grant(verb, pattern, tuple(pattern.split()))
        case "net":
            return Grant(verb, pattern, _parse_net(text, pattern))
        case "fs.read" | "fs.write":
            clean = pattern[2:] if pattern.startswith("./") else pattern
            if clean.startswith("/") or ".." in clean.split("/"):
                raise Invalid("grant_invalid", f"{text!r}: paths are relative to the workspace, without ..")
            return Grant(verb, clean or "**")
        case "delegate":
            if not pattern.isdecimal():
                raise Invalid("grant_invalid", f"{text!r}: delegate takes a depth, for example delegate:2")
        case _:
            pass  # the other verbs match on a name
    return Grant(verb, pattern)


def _parse_net(text: str, pattern: str) -> tuple[str, ...]:
    found = _NET.match(pattern)
    if not found:
        raise Invalid("grant_invalid", f"{text!r}: net takes [METHOD[,METHOD] ][scheme://]host[:port][/path]")
    methods = found["methods"] or ""
    unknown = [m for m in methods.split(",") if m and m not in METHODS]
    if unknown:
        raise Invalid("grant_invalid", f"{text!r}: unknown method {unknown[0]}")
    host = found["host"].lower().strip("[]").rstrip(".")
    if "*" in host and host != "*" and not re.fullmatch(r"\*\.[a-z0-9._-]+", host):
        raise Invalid("grant_invalid", f"{text!r}: a * stands alone or as the first label (*.example.org)")
    if "*" not in host:
        host = parse_url(f"https://[{host}]/" if ":" in host else f"https://{host}/").host
    return (methods, found["scheme"] or "", host, found["port"] or "", found["path"] or "")


def _host_match(pattern: str, host: str) -> bool:
    if pattern == "*":
        return True
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) > len(pattern) - 1
    return pattern == host


def _argv_match(patterns: tuple[str, ...], argv: tuple[str, ...]) -> bool:
    if not argv or not patterns or not name_match(patterns[0], argv[0]):
        return False
    if len(patterns) == 1:
        return True
    rest = patterns[1:]
    if rest[-1] in ("*", "**"):
        rest = rest[:-1]
        if len(argv) - 1 < len(rest):
            return False
    elif len(argv) - 1 != len(rest):
        return False
    return all(name_match(p, a) for p, a in zip(rest, argv[1:], strict=False))


def _argv_prefix(patterns: tuple[str, ...], argv: tuple[str, ...]) -> bool:
    """For denials: `git push` also reaches `git push origin`."""
    fixed = patterns[:-1] if len(patterns) > 1 and patterns[-1] in ("*", "**") else patterns
    return len(argv) >= len(fixed) and all(name_match(p, a) for p, a in zip(fixed, argv, strict=False))


def _bare(argv: tuple[str, ...]) -> tuple[str, ...]:
    """The argv with its program as a bare name, so that a denial of `rm` also reaches /bin/rm."""
    return (argv[0].rsplit("/", 1)[-1], *argv[1:]) if argv else argv


def name_match(pattern: str, name: str) -> bool:
    """Glob on a name: `*` matches any characters, / and : too; nothing else is special."""
    if pattern == "*" or pattern == "**" or pattern == name:
        return True
    return "*" in pattern and _name_regex(pattern).fullmatch(name) is not None


@lru_cache(maxsize=4096)
def _name_regex(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(piece) for piece in re.split(r"\*+", pattern)), re.DOTALL)
