"""Files of compiled code that only this user's key can vouch for.

Compiled WebAssembly is machine code: whoever can change the cache would run it in a worker. So each file carries a
MAC under a key that lies beside it with mode 0600; a file whose MAC is wrong is treated as absent and made again.
What is read is checked in memory and handed on in memory, so the file cannot change between check and use.

Invariants: writes are atomic; the key is made once, by exclusive creation; a key file that others may read is refused.
Source: RFC 2104 (HMAC-SHA256); memfd_create(2), F_ADD_SEALS.
"""

from __future__ import annotations

import fcntl
import hmac
import os
import re
import secrets
from typing import Final

from remit.errors import Denied, Unavailable

KEY_NAME: Final = "seal.key"
KEY_BYTES: Final = 32
MAC_BYTES: Final = 32
MAX_FILE_BYTES: Final = 512 * 1024 * 1024
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,150}")
_SEALS: Final = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


class SealedFiles:
    """A folder of authenticated files.

    Args:
        folder: made with mode 0700 when it is absent.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def get(self, name: str) -> bytes | None:
        """The content; None where nothing is, or where the MAC is wrong."""
        try:
            fd = os.open(self._path(name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None
        with open(fd, "rb") as file:
            if os.fstat(fd).st_size > MAX_FILE_BYTES + MAC_BYTES:
                return None
            mac = file.read(MAC_BYTES)
            data = file.read(MAX_FILE_BYTES)
        return data if hmac.compare_digest(mac, self._mac(name, data)) else None

    def put(self, name: str, data: bytes | memoryview) -> None:
        """Write it, with its MAC; raises disk_failed."""
        mac = self._mac(name, data)
        part = self._path(f"{name}.{secrets.token_hex(8)}.part")
        try:
            fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                with open(fd, "wb") as file:
                    file.write(mac)
                    file.write(data)
                os.replace(part, self._path(name))
            except BaseException:
                os.unlink(part)
                raise
        except OSError as error:
            raise Unavailable("disk_failed", f"{name} cannot be kept: {error.strerror}") from error

    def _path(self, name: str) -> str:
        if not _NAME.fullmatch(name) or ".." in name:
            raise Denied("path_denied", f"{name[:80]!r} is no name of a sealed file")
        return os.path.join(self._folder, name)

    def _mac(self, name: str, data: bytes | memoryview) -> bytes:
        mac = hmac.new(self._key(), name.encode() + b"\0", "sha256")
        mac.update(data)
        return mac.digest()

    def _key(self) -> bytes:
        path = os.path.join(self._folder, KEY_NAME)
        try:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            try:
                fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            except FileExistsError:
                return self._read_key(path)
            with open(fd, "wb") as file:
                key = secrets.token_bytes(KEY_BYTES)
                file.write(key)
            return key
        except OSError as error:
            raise Unavailable("disk_failed", f"the key of compiled code: {error.strerror}") from error

    def _read_key(self, path: str) -> bytes:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            status = os.fstat(fd)
            key = file.read(KEY_BYTES + 1)
        if status.st_uid != os.geteuid() or status.st_mode & 0o077 or len(key) != KEY_BYTES:
            raise Denied(
                "path_denied", "the key of compiled code is not this user's alone", hint=f"Remove {KEY_NAME} in the "
                "sandbox folder of the state folder; what it vouched for is made again.",
            )  # fmt: skip
        return key


def sealed_memory(data: bytes | memoryview, seal: bool = True) -> int:
    """A descriptor of memory with this content, which nobody can change any more; the caller closes it."""
    fd = os.memfd_create("remit", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    if seal:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    return fd
