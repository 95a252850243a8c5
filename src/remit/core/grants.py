"""Grants: `verb:pattern`, parsed once, matched on parsed resources.

fs.read fs.write   glob on the path relative to the workspace (matched after resolution)
shell              argv patterns: `git` = that program with any arguments; `git status` = exactly
                   these; a last `*` or `**` = any further arguments (none too)
net                [METHOD[,METHOD] ][scheme://]host[:port][/path]; GET,HEAD over https 443 by default;
                   `*.x.org` = x.org's subdomains; private addresses only as literal addresses;
                   CONNECT = a program's TLS tunnel, whose method and path nobody sees
delegate           [AGENT@]DEPTH: agents of that name, started at most DEPTH levels below the holder
tool model env secret memory             glob on the name (`*` matches / and : too)

`GRANT where BOUNDS` holds within bounds (core/bounds.py); a denial takes `until` and argument predicates only.
"""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from hashlib import sha256
from typing import Any, Final

from msgspec import Struct

from remit.core.bounds import UNBOUNDED, Bounds, parse_bounds
from remit.core.effects import Need
from remit.core.globs import compile_glob, glob_match
from remit.core.patterns import lazy
from remit.core.sensitive import is_sensitive
from remit.core.urls import parse_url
from remit.errors import Invalid

VERBS: Final = ("fs.read", "fs.write", "shell", "net", "tool", "memory", "secret", "env", "delegate", "model")
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "*"})
_WHERE: Final = lazy(r"\s+where\s+")
_DELEGATE: Final = lazy(r"(?:(?P<agent>[^\s@]{1,200})@)?(?P<depth>\d{1,6})")
_PORTS: Final = {"https": "443", "http": "80"}
_NET: Final = lazy(
    r"^(?:(?P<methods>[A-Z*]+(?:,[A-Z*]+)*)\s+)?(?:(?P<scheme>https?)://)?"
    r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.*_-]+)(?::(?P<port>\d{1,5}|\*))?(?P<path>/\S*)?$"
)


class Grant(Struct, frozen=True, dict=True, cache_hash=True):
    """One grant or denial in parsed form."""

    verb: str
    pattern: str
    parts: tuple[str, ...] = ()
    """argv patterns (shell); (methods, scheme, host, port, path) with "" = any scheme or path (net); (agent, depth)"""
    bounds: Bounds = UNBOUNDED

    @cached_property
    def text(self) -> str:
        """As it is written."""
        bounds = "" if self.bounds is UNBOUNDED else f" where {self.bounds}"
        return f"{self.verb}:{self.pattern}{bounds}"

    def __str__(self) -> str:
        return self.text

    @cached_property
    def id(self) -> str:
        """What journal, audit and revocation call it: the same text has the same id everywhere."""
        return "g_" + sha256(self.text.encode()).hexdigest()[:16]

    def within(self, now_ms: int, arguments: Any) -> str:
        """Why this grant does not hold now, for these arguments; "" = it holds."""
        bounds = self.bounds
        if bounds.expires_ms is not None and now_ms >= bounds.expires_ms:
            return "it has expired"
        for predicate in bounds.where:
            if predicate.holds(arguments) is not True:
                return f"it needs {predicate}"
        return ""

    def denies(self, need: Need, now_ms: int, arguments: Any) -> bool:
        """Whether this denial stands against the need; what cannot be said of the arguments counts as a match."""
        if not self.forbids(need):
            return False
        bounds = self.bounds
        if bounds is not UNBOUNDED:
            if bounds.expires_ms is not None and now_ms >= bounds.expires_ms:
                return False
            return all(p.denies(arguments) for p in bounds.where)
        return True

    def covers(self, need: Need) -> bool:
        """Whether this grant's pattern reaches the need (its bounds: `within`)."""
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
                return self._covers_delegate(need, doubt=False)
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
            case "delegate":
                return self._covers_delegate(need, doubt=True)
            case _:
                return self.covers(need)

    def _covers_delegate(self, need: Need, *, doubt: bool) -> bool:
        agent, depth = self.parts
        named = name_match(agent, need.detail[0]) if need.detail else doubt or agent == "*"
        return named and need.resource.isdecimal() and len(need.resource) < 7 and int(need.resource) <= int(depth)

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
        if not path.lstrip("/"):
            return not path or deny or not need_path.lstrip("/")  # a grant of / is that page; a denial, the host
        return glob_match(path.lstrip("/"), need_path.lstrip("/"))


@lru_cache(maxsize=4096)
def parse_grant(text: str) -> Grant:
    """A grant from its text; raises grant_invalid with the verb list or the broken part."""
    plain, *bounds = _WHERE.split(text, 1)
    verb, colon, pattern = plain.partition(":")
    pattern = pattern.strip()
    if not colon or verb not in VERBS or not pattern or "\x00" in text:
        raise Invalid("grant_invalid", f"{text!r:.200} is not verb:pattern; verbs are {', '.join(VERBS)}")
    held = parse_bounds(bounds[0].strip()) if bounds else UNBOUNDED
    if held.ceiling and verb != "delegate":
        raise Invalid("grant_invalid", f"{text!r:.200}: only a delegate grant has a ceiling")
    if held.nano is not None and verb != "model":
        raise Invalid("grant_invalid", f"{text!r:.200}: usd bounds what model calls cost; only a model grant has it")
    for each in held.ceiling:
        parse_grant(each)
    clean, parts = _parse_pattern(verb, pattern, text)
    return Grant(verb, clean, parts, held)


def parse_denial(text: str) -> Grant:
    """A denial from its text; raises grant_invalid for a grant's counters, which a denial cannot have."""
    denial = parse_grant(text)
    if denial.bounds.counted or denial.bounds.ceiling:
        raise Invalid("grant_invalid", f"{text!r:.200}: a denial takes until and arg. only")
    return denial


def _parse_pattern(verb: str, pattern: str, text: str) -> tuple[str, tuple[str, ...]]:
    """(pattern as kept, its parts)"""
    match verb:
        case "shell":
            return pattern, tuple(pattern.split())
        case "net":
            return pattern, _parse_net(text, pattern)
        case "fs.read" | "fs.write":
            clean = pattern[2:] if pattern.startswith("./") else pattern
            if clean.startswith("/") or ".." in clean.split("/"):
                raise Invalid("grant_invalid", f"{text!r}: paths are relative to the workspace, without ..")
            compile_glob(clean or "**")  # a bad set is refused here, not at the first check
            return clean or "**", ()
        case "delegate":
            found = _DELEGATE.fullmatch(pattern)
            if not found:
                wrong = f"{text!r}: delegate takes [AGENT@]DEPTH, for example delegate:2 or delegate:qa_*@1"
                raise Invalid("grant_invalid", wrong)
            return pattern, (found["agent"] or "*", found["depth"])
        case _:
            return pattern, ()  # the other verbs match on a name


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
    if (found["path"] or "").lstrip("/"):
        compile_glob(found["path"].lstrip("/"))
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
