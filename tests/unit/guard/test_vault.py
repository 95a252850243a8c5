"""The vault: a value leaves for a bound use only, the file proves itself, nothing shows a value."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remit.config import resolve_secret
from remit.core.sections import EncryptionSection
from remit.errors import Conflict, Invalid, RemitError, Unavailable
from remit.guard.keys import KeyRing
from remit.guard.keys_open import open_ring
from remit.guard.vault import MAX_VALUE_BYTES, Vault
from remit.guard.vault_file import Binding, Entry, VaultFile
from remit.ports.secrets import SecretUse, handle_names

VALUE = "Tq7-vault-value-9xK2"
KEY = {"REMIT_DATA_KEY": "00112233445566778899aabbccddeeff0123456789abcdeffedcba9876543210"}
HEADER = Binding("GET,POST https://api.example.org/v1/**", "header:authorization")
BODY = Binding("POST https://api.example.org/token", "body:client.secret")


class Place:
    """A vault in a folder of its own, with a clock."""

    def __init__(self, folder: Path) -> None:
        self.ring = open_ring(EncryptionSection(), KEY)
        self.file = VaultFile(str(folder / "state"), self.open_ring)
        self.opened = 0
        self.now_ms = 1_000
        self.vault = Vault(self.file, lambda: self.now_ms)

    def open_ring(self) -> KeyRing:
        self.opened += 1
        return self.ring


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("REMIT_STATE_DIR", str(tmp_path / "ring"))
    monkeypatch.setenv("REMIT_CONFIG_DIR", str(tmp_path / "config"))
    made = Place(tmp_path)
    yield made
    made.ring.close()


def code(call: Any, *args: Any, **more: Any) -> str:
    with pytest.raises(RemitError) as caught:
        call(*args, **more)
    assert VALUE not in str(caught.value) and VALUE not in caught.value.hint
    return caught.value.code


def use(
    method: str = "GET", url: str = "https://api.example.org/v1/x", slot: str = "header:authorization"
) -> SecretUse:
    return SecretUse(method, url, slot)


def test_a_value_leaves_for_a_bound_use_only(place: Place) -> None:
    """Method, host, port, scheme, path and slot must all fit one binding; anything else is secret_denied."""
    place.vault.add("token", VALUE, (HEADER, BODY))
    assert place.vault.value("token", use()) == VALUE
    assert place.vault.value("token", use("POST", "https://api.example.org/token", "body:client.secret")) == VALUE
    for wrong in (
        use("DELETE"),
        use(url="https://api.example.org/v2/x"),
        use(url="https://api.example.org:8443/v1/x"),
        use(url="http://api.example.org/v1/x"),
        use(url="https://api.example.org.evil.org/v1/x"),
        use(url="https://example.org/v1/x"),
        use(url="https://api.example.org/v1/../v2/x"),
        use(slot="header:x-other"),
        use(slot="body:client.secret"),
        use("POST", "https://api.example.org/token", "header:authorization"),
    ):
        assert code(place.vault.value, "token", wrong) == "secret_denied"
    assert code(place.vault.value, "other", use()) == "secret_unknown"


def test_without_a_binding_nothing_leaves(place: Place) -> None:
    """A new secret goes nowhere until it is bound, and nowhere again when the binding is removed."""
    place.vault.add("token", VALUE, ())
    assert code(place.vault.value, "token", use()) == "secret_denied"
    place.vault.bind("token", (HEADER,))
    assert place.vault.value("token", use()) == VALUE
    place.vault.bind("token", (HEADER,), remove=True)
    assert code(place.vault.value, "token", use()) == "secret_denied"
    assert code(place.vault.bind, "token", (HEADER,), remove=True) == "value_invalid"


def test_an_expired_value_stays_masked_and_goes_nowhere(place: Place) -> None:
    """From its expiry on a value is refused; it is still recognised. Rotation gives a new one new time."""
    place.vault.add("token", VALUE, (HEADER,), lasts_ms=500)
    assert place.vault.value("token", use()) == VALUE
    place.now_ms = 1_500
    assert code(place.vault.value, "token", use()) == "secret_denied"
    assert place.vault.mask(VALUE.encode()) == b"[secret:token]"
    place.vault.rotate("token", "another-value-77", lasts_ms=10_000)
    assert place.vault.value("token", use()) == "another-value-77"
    assert place.vault.mask(f"{VALUE} another-value-77".encode()) == b"[secret:token]"


def test_a_change_by_another_process_counts_at_once(place: Place) -> None:
    """A vault that is open sees values that were rotated or removed by somebody else."""
    place.vault.add("token", VALUE, (HEADER,))
    assert place.vault.value("token", use()) == VALUE
    other = Vault(VaultFile(os.path.dirname(place.file.path), lambda: place.ring), lambda: 0)
    other.rotate("token", "another-value-77")
    assert place.vault.value("token", use()) == "another-value-77"
    other.remove("token")
    assert code(place.vault.value, "token", use()) == "secret_unknown"
    assert other.rows() == []


def test_the_file_shows_nothing_and_is_private(place: Place) -> None:
    """Neither value, name nor host stands in the file; its mode is 0600; rows and reprs hold no value."""
    place.vault.add("token", VALUE, (HEADER,))
    raw = Path(place.file.path).read_bytes()
    assert not any(text in raw for text in (VALUE.encode(), b"token", b"example.org"))
    assert stat.S_IMODE(os.stat(place.file.path).st_mode) == 0o600
    assert place.vault.rows() == [
        {
            "name": "token",
            "bindings": [{"target": HEADER.target, "slot": HEADER.slot}],
            "created_ms": 1000,
            "rotated_ms": 1000,
            "expires_ms": None,
            "expired": False,
            "version": 1,
        }
    ]
    shown = repr(place.vault) + repr(place.vault.rows()) + repr(place.vault.matcher()) + repr(Entry("a", VALUE))
    assert VALUE not in shown


def test_every_flipped_bit_is_refused(place: Place) -> None:
    """Any one bit of the file that is flipped makes it vault_damaged, and so does a cut file; it is never empty."""
    place.vault.add("token", VALUE, (HEADER,))
    raw = Path(place.file.path).read_bytes()
    for at in range(len(raw)):
        Path(place.file.path).write_bytes(raw[:at] + bytes([raw[at] ^ (1 << at % 8)]) + raw[at + 1 :])
        assert code(Vault(place.file, lambda: 0).rows) == "vault_damaged"
    for size in (0, 1, 14, len(raw) // 2, len(raw) - 1):
        Path(place.file.path).write_bytes(raw[:size])
        assert code(Vault(place.file, lambda: 0).rows) == "vault_damaged"


def test_a_link_in_its_place_is_refused(place: Place, tmp_path: Path) -> None:
    """A link where the vault should be is not followed."""
    place.vault.add("token", VALUE, ())
    moved = tmp_path / "elsewhere"
    os.rename(place.file.path, moved)
    os.symlink(moved, place.file.path)
    assert code(Vault(place.file, lambda: 0).rows) in ("disk_failed", "vault_damaged")


def test_without_its_key_it_is_locked(place: Place) -> None:
    """Without the key ring's key the vault is vault_locked, with the reason; without a vault no key is asked for."""
    assert (place.vault.rows(), place.vault.mask(b"x"), place.opened) == ([], b"x", 0)
    place.vault.add("token", VALUE, ())

    def locked() -> KeyRing:
        raise Invalid("key_missing", "no key is given")

    file = VaultFile(os.path.dirname(place.file.path), locked)
    with pytest.raises(Unavailable) as caught:
        Vault(file, lambda: 0).mask(b"x")
    assert (caught.value.code, "no key is given" in caught.value.message) == ("vault_locked", True)


@pytest.mark.parametrize(
    ("name", "value", "bindings"),
    [
        ("Token", VALUE, ()),
        ("../x", VALUE, ()),
        ("a" * 65, VALUE, ()),
        ("token", "short", ()),
        ("token", "aaaaaaaaaaaa", ()),
        ("token", "x1y2" * (MAX_VALUE_BYTES // 4 + 1), ()),
        ("token", "two\nlines-of-it", (HEADER,)),
        ("token", "schlüssel-wert", (HEADER,)),
        ("token", "half \ud800 of a pair", ()),
        ("token", VALUE, (Binding("https://*.example.org", "header:authorization"),)),
        ("token", VALUE, (Binding("*", "header:authorization"),)),
        ("token", VALUE, (Binding("https://example.org:*", "header:authorization"),)),
        ("token", VALUE, (Binding("https://example.org", "query:token"),)),
        ("token", VALUE, (Binding("https://example.org", "header:a b"),)),
        ("token", VALUE, (Binding("https://example.org", "body:"),)),
    ],
)
def test_what_cannot_be_kept_safely_is_refused(place: Place, name: str, value: str, bindings: Any) -> None:
    """Names, values and bindings that could not be guarded or sent are value_invalid, and nothing is written."""
    with pytest.raises(Invalid) as caught:
        place.vault.add(name, value, bindings)
    assert (caught.value.code, value not in str(caught.value)) == ("value_invalid", True)
    assert place.vault.rows() == []


def test_names_are_taken_once(place: Place) -> None:
    """A second secret of the same name is secret_exists; what is not there cannot be changed."""
    place.vault.add("token", VALUE, ())
    with pytest.raises(Conflict) as caught:
        place.vault.add("token", "another-value-77", ())
    assert caught.value.code == "secret_exists"
    for call in (place.vault.remove, lambda n: place.vault.rotate(n, VALUE), lambda n: place.vault.bind(n, ())):
        assert code(call, "other") == "secret_unknown"


def test_core_dumps_are_off_once_a_value_is_in_memory(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading a vault with a secret in it sets the soft limit of core dumps to 0."""
    from remit.guard import vault as module

    limits: list[Any] = []
    monkeypatch.setattr(module.resource, "setrlimit", lambda *given: limits.append(given))
    place.vault.rows()
    assert limits == []
    place.vault.add("token", VALUE, ())
    place.vault.rows()
    assert [(what, soft) for what, (soft, _) in limits] == [(module.resource.RLIMIT_CORE, 0)]


def test_a_reference_becomes_the_handle() -> None:
    """`api_key = "secret:NAME"` is the handle of NAME, which the egress replaces; other names are refused."""
    handle = resolve_secret("secret:open-ai", {})
    assert handle_names(f"Bearer {handle}") == ("open-ai",)
    assert code(resolve_secret, "secret:No Such", {}) == "config_invalid"
