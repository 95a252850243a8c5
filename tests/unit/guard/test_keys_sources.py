"""Where the key-encryption key comes from, and what is refused."""

from __future__ import annotations

import base64
import os
import secrets
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from remit.errors import RemitError
from remit.guard.keys import KeyRing
from remit.guard.keys_sources import KEY_FILE, LocalKey, find_source, new_key_file
from remit.ports.keys import KeySource

KEY = secrets.token_bytes(32)
HEX = KEY.hex()
ID = LocalKey(KEY).id


def found(reference: str = "", env: Mapping[str, str] | None = None, folder: Path = Path("nowhere"), **o: Any) -> str:
    """Id of the key that a reference leads to."""
    return find_source(reference, {}, env or {}, str(folder), o.get("ask")).id


def test_a_key_wraps_for_one_context() -> None:
    """What a key wraps opens with it and the same context only; after `close` it is gone."""
    source: KeySource = LocalKey(KEY)
    wrapped = source.wrap(b"k" * 32, b"context")
    assert source.unwrap(wrapped, b"context") == b"k" * 32
    for other, context in ((source, b"other"), (LocalKey(bytes(32)), b"context")):
        with pytest.raises(RemitError, match="record_altered"):
            other.unwrap(wrapped, context)
    source.close()
    with pytest.raises(RemitError, match="key_missing"):
        source.unwrap(wrapped, b"context")


@pytest.mark.parametrize(
    "text", [HEX, HEX.upper(), base64.b64encode(KEY).decode(), base64.urlsafe_b64encode(KEY).decode()]
)
def test_the_environment_gives_the_key(text: str) -> None:
    """REMIT_DATA_KEY as hex or base64; ENCRYPTION_KEY when it is not set; any variable by reference."""
    assert found(env={"REMIT_DATA_KEY": f" {text}\n"}) == ID
    assert found(env={"ENCRYPTION_KEY": text}) == ID
    assert found(env={"REMIT_DATA_KEY": text, "ENCRYPTION_KEY": "nonsense"}) == ID
    assert found("env:MINE", env={"MINE": text}) == ID


@pytest.mark.parametrize("text", [HEX[:-2], HEX + "00", "correct horse battery staple", "00" * 32, "ä" * 64, "AAAA"])
def test_what_is_no_key_is_refused_and_not_shown(text: str) -> None:
    """A key is 32 random bytes; an error never repeats what was given."""
    with pytest.raises(RemitError, match="key_invalid") as caught:
        found(env={"REMIT_DATA_KEY": text})
    assert text not in str(caught.value) + caught.value.hint


def test_no_key_is_key_missing() -> None:
    """Without a key anywhere, an empty variable included, it is key_missing."""
    for reference, env in (("", {}), ("env:MINE", {"MINE": " "}), ("", {"REMIT_DATA_KEY": ""})):
        with pytest.raises(RemitError, match="key_missing"):
            found(reference, env)


def test_a_key_file_is_private(tmp_path: Path) -> None:
    """A new key file is 0600 and found by default; one that others can read is refused."""
    path = tmp_path / "config" / KEY_FILE
    new_key_file(str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    assert found(folder=path.parent) == found(f"file:{path}")
    with pytest.raises(RemitError, match="value_invalid"):
        new_key_file(str(path))
    for mode in (0o640, 0o604, 0o660):
        path.chmod(mode)
        with pytest.raises(RemitError, match="key_invalid"):
            found(f"file:{path}")
    path.chmod(0o600)
    os.symlink(path, tmp_path / "link")
    assert found(f"file:{tmp_path / 'link'}") == found(f"file:{path}")
    with pytest.raises(RemitError, match="key_missing"):
        found(f"file:{tmp_path / 'gone'}")


def test_a_passphrase_is_stretched(tmp_path: Path) -> None:
    """Argon2id with a fresh salt: the same words with the same parameters give the same key, others do not."""
    env = {"WORDS": "correct horse battery staple"}
    first = find_source("passphrase:env:WORDS", {}, env, "")
    assert find_source("passphrase:env:WORDS", first.params, env, "").id == first.id
    assert find_source("passphrase:env:WORDS", {}, env, "").id != first.id
    assert find_source("passphrase", first.params, {}, "", lambda _: env["WORDS"]).id == first.id
    assert find_source("passphrase", first.params, {}, "", lambda _: env["WORDS"] + "x").id != first.id
    assert set(first.params) == {"iterations", "lanes", "memory_kib", "salt"}


def test_a_passphrase_needs_words_and_somebody_to_ask() -> None:
    """A short passphrase is key_invalid; without anybody to ask it is key_missing."""
    with pytest.raises(RemitError, match="key_invalid"):
        found("passphrase", ask=lambda _: "short")
    with pytest.raises(RemitError, match="key_missing"):
        found("passphrase")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("memory_kib", "99999999999"),
        ("memory_kib", "8"),
        ("iterations", "1"),
        ("lanes", "x"),
        ("salt", "00"),
        ("salt", "zz"),
    ],
)
def test_hostile_parameters_are_refused(name: str, value: str) -> None:
    """A ring file can neither fill the memory nor weaken the stretching."""
    params = {"iterations": "3", "lanes": "4", "memory_kib": "65536", "salt": "00" * 16, name: value}
    with pytest.raises(RemitError, match="key_invalid"):
        find_source("passphrase", params, {}, "", lambda _: "correct horse battery staple")


@pytest.mark.parametrize("reference", [HEX, "file:", "env:", "vault:x"])
def test_what_is_no_reference_is_refused_and_not_shown(reference: str) -> None:
    """A key in the place of a reference is key_invalid, and not repeated."""
    with pytest.raises(RemitError, match="key_invalid") as caught:
        found(reference)
    assert HEX not in str(caught.value)


class RemoteKey:
    """A key service: wraps elsewhere, and keeps which version of its key it used."""

    id = "service-key-7"

    def __init__(self, params: dict[str, str]) -> None:
        self.params = params or {"version": "7"}
        self.unwrapped = 0
        self._key = LocalKey(KEY)

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Ask the service."""
        return self._key.wrap(key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Ask the service."""
        self.unwrapped += 1
        return self._key.unwrap(wrapped, context)

    def close(self) -> None:
        """Nothing is held."""


def test_a_key_service_stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`kms:NAME` is an installed entry point; it is given the ring's parameters and asked once for a whole ring."""
    made: list[RemoteKey] = []

    def make(params: dict[str, str]) -> RemoteKey:
        made.append(RemoteKey(params))
        return made[-1]

    point = types.SimpleNamespace(load=lambda: make)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group, name: [point] if name == "mine" else [])
    ring_of = lambda: KeyRing(  # noqa: E731
        str(tmp_path / "s"), str(tmp_path / "c" / "a"), lambda params: find_source("kms:mine", params, {}, "")
    )
    ring = ring_of()
    keys = [ring.data_key(purpose) for purpose in ("vault", "journal")]
    again = ring_of()
    assert [again.data_key(purpose) for purpose in ("vault", "journal")] == keys
    assert (made[-1].params, made[-1].unwrapped, again.source_id) == ({"version": "7"}, 1, "service-key-7")
    with pytest.raises(RemitError, match="program_missing"):
        found("kms:other")


def test_the_keyring_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the keyring package program_missing; with it, SERVICE/USER names the entry; errors hide the key."""
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(RemitError, match="program_missing"):
        found("keyring:remit/me")
    fake: Any = types.ModuleType("keyring")
    fake.get_password = lambda service, user: HEX if (service, user) == ("remit", "me") else None
    monkeypatch.setitem(sys.modules, "keyring", fake)
    assert found("keyring:remit/me") == ID
    with pytest.raises(RemitError, match="key_missing"):
        found("keyring:remit/you")

    class LockedError(Exception):
        """A backend's own error."""

    def fail(*_: str) -> str:
        raise LockedError(HEX)

    fake.errors = types.SimpleNamespace(KeyringError=LockedError)

    fake.get_password = fail
    with pytest.raises(RemitError, match="program_missing") as caught:
        found("keyring:remit/me")
    assert HEX not in str(caught.value)
