"""Where the key-encryption key comes from: the environment, a key file, the system's keyring, a passphrase.

A reference names the source: `env:NAME`, `file:PATH`, `keyring:SERVICE/USER`, `passphrase:env:NAME`,
`passphrase:file:PATH`, `passphrase` (asked for), `kms:NAME`. Without one: REMIT_DATA_KEY, then ENCRYPTION_KEY, then
the file `data.key` in the configuration folder.

`kms:NAME` is an installed package's entry point of that name in the group `remit.key_sources`: a callable that is
given the ring's parameters and returns a ports/keys.KeySource; its key never enters this process.

Keys are 32 bytes, as base64 or 64 hex digits. The key itself encrypts nothing: HKDF derives from it one key that
wraps, and the id that names it. Source: RFC 5869 (HKDF), RFC 9106 section 4 (Argon2id, second recommended option:
t=3, 64 MiB, p=4).
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

from remit.config import KEY_VARIABLES
from remit.errors import Invalid, RemitError, Unavailable
from remit.guard.envelope import KEY_BYTES, Cipher, Place
from remit.guard.private_file import make_folder, read_private, write_private
from remit.ports.keys import KeySource

VARIABLES: Final = ("REMIT_DATA_KEY", "ENCRYPTION_KEY")
KEY_FILE: Final = "data.key"
ENTRY_POINTS: Final = "remit.key_sources"
MAX_KEY_TEXT: Final = 4096
MIN_PASSPHRASE: Final = 12  # characters; Argon2id makes each guess cost 64 MiB, it does not make a word safe
ARGON2ID: Final[dict[str, str]] = {"iterations": "3", "lanes": "4", "memory_kib": "65536"}
# A ring file is read before it is proven: its parameters may neither weaken the key nor fill the memory.
_BOUNDS: Final[dict[str, tuple[int, int]]] = {"iterations": (3, 10), "lanes": (1, 16), "memory_kib": (65536, 1048576)}
Ask = Callable[[str], str]
"""asks a person for a passphrase; the argument is the prompt"""


class LocalKey:
    """A key-encryption key in this process. Implements ports/keys.KeySource."""

    def __init__(self, key: bytes, params: Mapping[str, str] | None = None) -> None:
        """Args: key: 32 B; params: what must be kept to find it again."""
        if len(key) != KEY_BYTES:
            raise Invalid("key_invalid", f"a key-encryption key has {KEY_BYTES} bytes")
        self.id = derive(key, b"remit key id 1")[:8].hex()
        self.params = dict(params or {})
        self._cipher: Cipher | None = Cipher(derive(key, b"remit wrap 1"), self.id, "aes-256-gcm")

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """See ports/keys.KeySource."""
        return self._held().seal(key, Place("root", context.hex()))

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """See ports/keys.KeySource."""
        return self._held().open(wrapped, Place("root", context.hex()))

    def close(self) -> None:
        """See ports/keys.KeySource. The cipher's own copy is freed, not overwritten: the library has no way to."""
        self._cipher = None

    def _held(self) -> Cipher:
        if self._cipher is None:
            raise Invalid("key_missing", "the key ring is closed")
        return self._cipher


def derive(key: bytes | bytearray, info: bytes) -> bytes:
    """32 B derived from `key` for the use `info` (HKDF-SHA256)."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    derived: bytes = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(bytes(key))
    return derived


def find_source(
    reference: str, params: Mapping[str, str], env: Mapping[str, str], folder: str, ask: Ask | None = None
) -> KeySource:
    """The source that `reference` names; "" = the first of the default places that has a key.

    Args:
        reference: see the module's text.
        params: of the key ring that is opened; empty for a new one.
        env: the environment.
        folder: the configuration folder.
        ask: asks a person for a passphrase; None = nobody can be asked.

    Raises: key_missing, key_invalid, program_missing (no keyring package).
    """
    kind, _, name = (reference or _default(env, folder)).partition(":")
    if kind == "env" and name:
        return LocalKey(_key_of(env.get(name, ""), f"the variable {name}"))
    if kind == "file" and name:
        return LocalKey(_key_of(_file_text(name), f"the file {name}"))
    if kind == "keyring":
        return LocalKey(_key_of(_keyring_text(name), "the system's keyring"))
    if kind == "passphrase":
        return _passphrase(name, params, env, ask)
    if kind == "kms" and name:
        return _service(name, params)
    raise Invalid("key_invalid", "[encryption] key is not a reference (its value is not shown)",
                  hint="Write env:NAME, file:PATH, keyring:SERVICE/USER, passphrase or kms:NAME.")  # fmt: skip


def new_key_file(path: str) -> None:
    """Make a key file of mode 0600 with a new random key; raises value_invalid when there is one."""
    if os.path.lexists(path):
        raise Invalid(
            "value_invalid", f"the key file exists: {path}", hint="Keep it: it opens what was sealed with it."
        )
    make_folder(os.path.dirname(path))
    write_private(path, base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")


def _default(env: Mapping[str, str], folder: str) -> str:
    for name in KEY_VARIABLES:
        if env.get(name, "").strip():
            return f"env:{name}"
    path = os.path.join(folder, KEY_FILE)
    if os.path.lexists(path):
        return f"file:{path}"
    raise Invalid("key_missing", "no key-encryption key is given",
                  hint="Set REMIT_DATA_KEY, or make a key file: remit vault keys init")  # fmt: skip


def _key_of(text: str, place: str) -> bytes:
    """The key that `text` writes; never shown in an error."""
    text = text.strip()
    if not text:
        raise Invalid("key_missing", f"{place} holds no key")
    try:
        if len(text) == 2 * KEY_BYTES:
            key = bytes.fromhex(text)
        else:
            key = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != KEY_BYTES or len(set(key)) < 8:  # 32 random bytes have fewer than 8 values once in 10**47
        raise Invalid("key_invalid", f"{place} is no key of {KEY_BYTES} random bytes in base64 or hex")
    return key


def _file_text(name: str) -> str:
    path = os.path.realpath(os.path.expanduser(name))
    return (read_private(path, MAX_KEY_TEXT, only_owner=True) or b"").decode("utf-8", "replace")


def _keyring_text(name: str) -> str:
    service, _, user = name.partition("/")
    try:
        keyring = import_module("keyring")  # an optional package
    except ImportError:
        raise Unavailable("program_missing", "the keyring package is not installed",
                          hint="pip install keyring, or use file:PATH.") from None  # fmt: skip
    try:
        return str(keyring.get_password(service or "remit", user or "data-key") or "")
    except (OSError, RuntimeError, keyring.errors.KeyringError) as error:  # its text may show the key
        raise Unavailable("program_missing", f"the system's keyring failed: {type(error).__name__}",
                          hint="Unlock it, or use file:PATH.") from None  # fmt: skip


def _service(name: str, params: Mapping[str, str]) -> KeySource:
    from importlib.metadata import entry_points

    found = next(iter(entry_points(group=ENTRY_POINTS, name=name)), None)
    if found is None:
        raise Unavailable("program_missing", f"no installed package offers the key service {name!r:.60}",
                          hint=f"Install one that has the entry point {name} in {ENTRY_POINTS}.")  # fmt: skip
    source: KeySource = found.load()(dict(params))
    return source


def _passphrase(place: str, params: Mapping[str, str], env: Mapping[str, str], ask: Ask | None) -> LocalKey:
    kind, _, name = place.partition(":")
    if kind == "env":
        text = env.get(name, "").strip("\r\n")
    elif kind == "file":
        text = _file_text(name).strip("\r\n")
    elif ask is not None:
        text = ask("Passphrase of the key ring: ")
    else:
        raise Invalid("key_missing", "nobody can be asked for the passphrase here",
                      hint="Use passphrase:env:NAME or passphrase:file:PATH.")  # fmt: skip
    if len(text) < MIN_PASSPHRASE:
        raise Invalid("key_invalid", f"a passphrase has at least {MIN_PASSPHRASE} characters")
    used = dict(params) if "salt" in params else {**ARGON2ID, "salt": secrets.token_bytes(16).hex()}
    return LocalKey(_stretch(text, used), used)


def _stretch(passphrase: str, params: Mapping[str, str]) -> bytes:
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    numbers: dict[str, int] = {}
    try:
        salt = bytes.fromhex(params["salt"])
        for name, (least, most) in _BOUNDS.items():
            numbers[name] = int(params[name])
            if not least <= numbers[name] <= most or not 16 <= len(salt) <= 64:
                raise ValueError
    except (KeyError, ValueError):
        raise Invalid("key_invalid", "the key ring's passphrase parameters are out of bounds") from None
    made: Any = Argon2id(
        salt=salt, length=KEY_BYTES, iterations=numbers["iterations"], lanes=numbers["lanes"],
        memory_cost=numbers["memory_kib"],
    )  # fmt: skip
    try:
        stretched: bytes = made.derive(passphrase.encode())
    except (UnicodeEncodeError, MemoryError) as error:
        raise Invalid("key_invalid", f"the passphrase cannot be used: {type(error).__name__}") from None
    return stretched


def wrong_key(given: str, kept: str) -> RemitError:
    """The error of a key that is not the one of the ring: both ids, which are no secrets."""
    return Invalid("key_wrong", f"the key given has id {given}, the key ring was made with {kept}")
