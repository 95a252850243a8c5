"""Addresses of Postgres journals: what they may hold, and that a password is never in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from remit.errors import RemitError
from remit.journal.postgres_address import Address, parse_address


def test_an_address_is_read_with_its_defaults() -> None:
    """Role, host, port and database come from the URL; tenant, schema and TLS have defaults."""
    assert parse_address("postgres://app@db.example.org:5433/remit") == Address(
        {"user": "app", "host": "db.example.org", "port": 5433, "dbname": "remit", "sslmode": "verify-full"},
        "default",
        "remit",
    )
    assert parse_address("postgresql://app@/remit?host=/run/pg&tenant=acme&schema=r1&password=env:PW") == Address(
        {"user": "app", "host": "/run/pg", "dbname": "remit", "sslmode": "disable"}, "acme", "r1", "env:PW"
    )
    assert parse_address("postgres://a@127.0.0.1/r").parameters["sslmode"] == "disable"
    assert parse_address("postgres://a@db/r?sslmode=require").parameters["sslmode"] == "require"


@pytest.mark.parametrize(
    "spec",
    [
        "postgres://app:hunter2@db/remit",
        "postgres://app@db/remit?password=hunter2",
        "postgres://app@db/remit?password=env:",
        "postgres://app@db/remit?options=-c%20row_security%3Doff",
        "postgres://app@db/remit?tenant=a&tenant=b",
        "postgres://app@db/remit?tenant=A'B",
        "postgres://app@db/remit?schema=a.b",
        "postgres://app@db/remit?schema=pg_catalog",
        "postgres://app@db/remit?sslmode=prefer",
        "postgres://app@a,b/remit",
        "postgres://app@db:port/remit",
        "postgres://app@db/remit#x",
        "mysql://app@db/remit",
    ],
)
def test_a_wrong_address_is_refused_without_its_secret(spec: str) -> None:
    """A password in the address, unknown or repeated keys, other characters: value_invalid, the value is not shown."""
    with pytest.raises(RemitError) as caught:
        parse_address(spec)
    assert caught.value.code == "value_invalid"
    assert "hunter2" not in str(caught.value) + caught.value.hint


def test_the_password_is_read_from_its_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """env:NAME and file:PATH are read when a connection is made; an empty one is config_invalid; names hold none."""
    file = tmp_path / "pw"
    file.write_text("hunter2\n")
    monkeypatch.setenv("PW", "hunter3")
    by_file = parse_address(f"postgres://app@db/remit?password=file:{file}")
    assert by_file.connection()["password"] == "hunter2"
    assert parse_address("postgres://app@db/remit?password=env:PW").connection()["password"] == "hunter3"
    assert "hunter" not in by_file.name
    assert by_file.name == "postgres://db:5432/remit?schema=remit&tenant=default"
    for missing in ("env:NOT_SET_HERE", f"file:{tmp_path}/none"):
        with pytest.raises(RemitError) as caught:
            parse_address(f"postgres://app@db/remit?password={missing}").connection()
        assert caught.value.code == "config_invalid"


def test_the_tools_role_is_another_one_with_a_reference_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its session has the journal's server and its own login and search_path; the journal's name does not change."""
    monkeypatch.setenv("TOOLS_PASSWORD", "hidden")
    spec = "postgres://app@db.example.org/remit?tools=tools&tools_password=env:TOOLS_PASSWORD"
    found = parse_address(spec)
    connection = found.tools_connection()
    assert (connection["user"], connection["password"], connection["sslmode"]) == ("tools", "hidden", "verify-full")
    assert "search_path" not in connection["options"]
    assert found.name == parse_address("postgres://app@db.example.org/remit").name
    for query in ("tools=app", "tools=a;b", "tools_password=env:X", "tools=tools&tools_password=plain"):
        with pytest.raises(RemitError) as caught:
            parse_address(f"postgres://app@db.example.org/remit?{query}")
        assert caught.value.code == "value_invalid"
        assert "plain" not in str(caught.value)
