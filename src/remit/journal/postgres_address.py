"""The address of a Postgres journal: `postgres://USER@HOST[:PORT]/DATABASE?tenant=..&password=env:NAME`.

A password stands in no address: it is a reference, env:NAME or file:PATH, read when a connection is made. Without one
libpq uses what it finds itself (peer authentication, a password file). The query may hold, each once:

    tenant    whose rows these are; "default" when unset. Row-level security shows no others
    schema    of the tables, "remit" when unset
    password  the reference
    tools     the role of transactional tools (postgres_tools.py), which has no rights on the journal; unset = refused
    tools_password  its reference
    host      a socket folder, for `postgres://USER@/DATABASE?host=FOLDER`
    sslmode, sslrootcert, sslcert, sslkey    as libpq has them; to another machine sslmode is verify-full when unset

Source: libpq connection URIs (PostgreSQL documentation 34.1.1).
"""

from __future__ import annotations

import os
import re
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from msgspec import Struct

from remit.errors import Invalid

_LIBPQ: Final = ("host", "sslmode", "sslrootcert", "sslcert", "sslkey")
KEYS: Final = ("tenant", "schema", "password", "tools", "tools_password", *_LIBPQ)
MAX_SECRET_BYTES: Final = 16 * 1024
CONNECT_S: Final = 10
_TENANT: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_ROLE: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_SCHEMA: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_SSL: Final = ("disable", "require", "verify-ca", "verify-full")
# Keep-alive: a machine that is gone is noticed by both ends within 25 s, and its runs can be taken over.
_KEEPALIVE: Final = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 25_000}
# Every statement of a journal finds its rows by key. On a table that was never analyzed the planner would scan it: the
# same batch of 500 rows then took 450 ms (bench/postgres_costs.py).
_SERVER: Final = (
    "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"
    " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
    " -c idle_in_transaction_session_timeout=120s -c client_min_messages=warning"
)


class Address(Struct, frozen=True):
    """Where a journal is, without its password."""

    parameters: dict[str, Any]
    """of libpq, without the password"""
    tenant: str
    schema: str
    password: str = ""
    """the reference"""
    tools: str = ""
    """the role of transactional tools; "" = there are none"""
    tools_password: str = ""
    """its reference"""

    @property
    def name(self) -> str:
        """What names the journal for people and for kept checkpoints: no password, no reference."""
        given = self.parameters
        place = f"{given.get('host', '')}:{given.get('port', 5432)}/{given.get('dbname', '')}"
        return f"postgres://{place}?schema={self.schema}&tenant={self.tenant}"

    def connection(self) -> dict[str, Any]:
        """The parameters of a connection with its password; raises config_invalid when the reference names nothing."""
        found = {**self.parameters, "connect_timeout": CONNECT_S, "application_name": "remit", **_KEEPALIVE}
        found["options"] = f"-c search_path={self.schema} {_SERVER}"
        if self.password:
            found["password"] = _secret(self.password)
        return found

    def tools_connection(self) -> dict[str, Any]:
        """The parameters of a session as the tools' role, with its own search_path; raises config_invalid."""
        found = {**self.parameters, "user": self.tools, "connect_timeout": CONNECT_S, **_KEEPALIVE}
        found["application_name"] = "remit tools"
        found["options"] = "-c idle_in_transaction_session_timeout=120s"
        if self.tools_password:
            found["password"] = _secret(self.tools_password)
        return found


def parse_address(spec: str) -> Address:
    """The address of a spec; raises value_invalid, never with a password in its text."""
    if not spec.startswith(("postgres://", "postgresql://")):
        raise _wrong("it is no postgres:// URL")
    try:
        parts = urlsplit(spec)
        port = parts.port
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query), max_num_fields=16)
    except ValueError:
        raise _wrong("it is no URL") from None
    if parts.password is not None:
        raise _wrong("a password stands in it; write ?password=env:NAME or file:PATH")
    if parts.fragment or "\0" in spec:
        raise _wrong("it has a fragment, or U+0000")
    query = dict(pairs)
    unknown = sorted(set(query) - set(KEYS))
    if unknown or len(query) != len(pairs):
        raise _wrong(f"known are {', '.join(KEYS)}, each once; given: {', '.join(name for name, _ in pairs)!r:.120}")
    tenant, schema = query.get("tenant", "default"), query.get("schema", "remit")
    if not _TENANT.fullmatch(tenant) or not _SCHEMA.fullmatch(schema) or schema.startswith("pg_"):
        raise _wrong("tenant is [a-z0-9._-], schema is [a-z0-9_], at most 63 characters")
    host = query.get("host") or unquote(parts.hostname or "")
    if "," in host:
        raise _wrong("it names more than one host")
    parameters = {"user": unquote(parts.username or ""), "host": host, "port": port, "dbname": unquote(parts.path[1:])}
    parameters |= {name: query[name] for name in ("sslrootcert", "sslcert", "sslkey") if query.get(name)}
    parameters["sslmode"] = _ssl_mode(host, query.get("sslmode", ""))
    reference = query.get("password", "")
    _check_reference(reference)
    found = {key: value for key, value in parameters.items() if value}
    return Address(found, tenant, schema, reference, *_tools(query, str(found.get("user", ""))))


def _tools(query: dict[str, str], user: str) -> tuple[str, str]:
    """The role of transactional tools, and the reference of its password."""
    role, reference = query.get("tools", ""), query.get("tools_password", "")
    if (role or reference) and not _ROLE.fullmatch(role):
        raise _wrong("tools is a role's name: [a-z0-9_], at most 63 characters")
    if role and role == user:
        raise _wrong("tools is another role than the journal's")
    _check_reference(reference)
    return role, reference


def _check_reference(reference: str) -> None:
    kind, _, name = reference.partition(":")
    if reference and (kind not in ("env", "file") or not name):
        raise _wrong("its password is not a reference (the value is not shown); write env:NAME or file:PATH")


def _ssl_mode(host: str, given: str) -> str:
    """The mode given, or the strictest that the way to the host allows; a socket folder has no TLS."""
    if given and given not in _SSL:
        raise _wrong(f"sslmode is one of {', '.join(_SSL)}")
    if given:
        return given
    return "disable" if host.startswith("/") or host in ("", "localhost", "127.0.0.1", "::1") else "verify-full"


def _secret(reference: str) -> str:
    kind, _, name = reference.partition(":")
    try:
        if kind == "env":
            value = os.environ.get(name, "")
        else:
            with open(os.path.expanduser(name), encoding="utf-8") as file:
                value = file.read(MAX_SECRET_BYTES).strip()
    except (OSError, UnicodeError):
        value = ""
    if not value:
        raise Invalid("config_invalid", f"the journal's password: {reference:.120} is empty or not set")
    return value


def _wrong(reason: str) -> Invalid:
    return Invalid("value_invalid", f"not the address of a Postgres journal: {reason}",
                   hint="Write postgres://USER@HOST/DATABASE?password=env:NAME")  # fmt: skip
