"""remit vault: values from a pipe, never from arguments, never in output."""

from __future__ import annotations

import io
import json
import os
from typing import Any

import pytest

from remit.cli import main

VALUE = "Tq7-vault-value-9xK2"


class Piped:
    """A standard input that is a pipe."""

    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)

    def isatty(self) -> bool:
        return False


def remit(monkeypatch: pytest.MonkeyPatch, *argv: str, given: bytes = b"") -> int:
    monkeypatch.setattr("sys.stdin", Piped(given))
    return main(["vault", *argv])


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_the_life_of_a_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], own_state: Any
) -> None:
    """add, list, bind, rotate and remove work on one vault; no output ever holds a value."""
    add = ("add", "token", "--to", "https://api.example.org", "--json")
    assert remit(monkeypatch, *add, given=VALUE.encode() + b"\n") == 0
    assert remit(monkeypatch, "bind", "token", "--to", "POST https://api.example.org/t", "--slot", "body:a.b") == 0
    assert remit(monkeypatch, "rotate", "token", "--expires", "1.5", given=b"another-value-77") == 0
    assert remit(monkeypatch, "list") == 0
    shown = capsys.readouterr()
    assert "token  2" in shown.out and "POST https://api.example.org/t body:a.b" in shown.out
    assert VALUE not in shown.out + shown.err and "another-value" not in shown.out + shown.err
    assert remit(monkeypatch, "list", "--json") == 0
    secret, result = lines(capsys.readouterr().out)
    assert secret["bindings"] == [
        {"target": "https://api.example.org", "slot": "header:authorization"},
        {"target": "POST https://api.example.org/t", "slot": "body:a.b"},
    ]
    assert secret["expires_ms"] - secret["rotated_ms"] == 129_600_000
    assert result == {"type": "result", "status": "ok", "action": "list", "secrets": 1}
    assert remit(monkeypatch, "bind", "token", "--to", "https://api.example.org", "--remove") == 0
    assert remit(monkeypatch, "remove", "token") == 0
    assert remit(monkeypatch, "remove", "token") == 2
    assert "secret_unknown" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "given", "said"),
    [
        (("add", "token"), b"", "value_invalid"),
        (("add", "token"), b"\xff\xfe-not-utf-8", "value_invalid"),
        (("add", "Token"), VALUE.encode(), "value_invalid"),
        (("add", "token", "--to", "*.example.org"), VALUE.encode(), "value_invalid"),
        (("add", "token", "--to", "ftp://x"), VALUE.encode(), "grant_invalid"),
        (("add", "token", "--slot", "body:x"), VALUE.encode(), "usage_invalid"),
        (("add", "token", "--expires", "0"), VALUE.encode(), "usage_invalid"),
        (("rotate", "token"), VALUE.encode(), "secret_unknown"),
        (("bind", "token"), b"", "usage_invalid"),
        (("add", "token", VALUE), b"", "usage_invalid"),
    ],
)
def test_what_is_wrong_is_said_without_the_value(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    own_state: Any,
    argv: tuple[str, ...],
    given: bytes,
    said: str,
) -> None:
    """Each mistake has its code and exit code 2; the value is not repeated."""
    assert remit(monkeypatch, *argv, given=given) == 2
    shown = capsys.readouterr()
    assert said in shown.err
    assert VALUE not in shown.out and (VALUE not in shown.err or VALUE in argv)


def test_a_name_is_taken_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], own_state: Any
) -> None:
    """Adding a name again is a conflict, exit code 6."""
    assert remit(monkeypatch, "add", "token", given=VALUE.encode()) == 0
    assert remit(monkeypatch, "add", "token", given=VALUE.encode()) == 6
    assert "secret_exists" in capsys.readouterr().err


def test_a_prompt_does_not_echo(monkeypatch: pytest.MonkeyPatch) -> None:
    """At a terminal the value is asked for with getpass, which turns the echo off."""
    from remit.cli import _vault

    class Terminal(Piped):
        def isatty(self) -> bool:
            return True

    asked: list[str] = []
    monkeypatch.setattr("sys.stdin", Terminal(b"typed at a terminal"))
    monkeypatch.setattr("getpass.getpass", lambda prompt: asked.append(prompt) or VALUE)
    assert (_vault.read_value("token"), asked) == (VALUE, ["Value of token (not shown): "])
    assert os.environ.get("REMIT_VAULT_VALUE") is None
