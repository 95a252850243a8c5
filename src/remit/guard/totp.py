"""The second factor: time-based one-time passwords for approvals of listed tools and hosts.

    code = HOTP(secret, unix time / 30 s), six digits, one step of tolerance on either side

Invariants: a code counts once (the last step that was used is kept, durably, before the approval counts); after
MAX_FAILURES wrong codes in a row nothing counts for LOCK_S; codes are compared in constant time. The secret lies in
the state folder, 0600; it is shown once, when it is made. A file that cannot be read means that no code counts.
Source: RFC 6238 (TOTP), RFC 4226 (HOTP; 7.3 throttling), the otpauth URI of common authenticators.
"""

from __future__ import annotations

import base64
import hmac
import os
import re
import secrets
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from remit.core.grants import name_match
from remit.core.sections import SecondFactorSection
from remit.core.urls import parse_url
from remit.errors import Denied, RemitError
from remit.guard.private_file import locked, make_folder, read_private, write_private
from remit.ports.approver import Answer, Approver
from remit.ports.journal import InboxRow

STEP_S: Final = 30
DIGITS: Final = 6
TOLERANCE: Final = 1  # steps
MAX_FAILURES: Final = 5
LOCK_S: Final = 300
SECRET_BYTES: Final = 20  # Source: RFC 4226 4, R6
FILE_NAME: Final = "second_factor.json"
Algorithm = Literal["sha1", "sha256", "sha512"]


class Enrolled(Struct, frozen=True, forbid_unknown_fields=True):
    """The file."""

    secret: str
    """base32"""
    last_step: int = 0
    failures: int = 0
    locked_until_s: int = 0


def totp(secret: bytes, at_s: int, *, digits: int = DIGITS, algorithm: Algorithm = "sha1") -> str:
    """The code of `secret` at unix time `at_s`."""
    return hotp(secret, at_s // STEP_S, digits=digits, algorithm=algorithm)


def hotp(secret: bytes, counter: int, *, digits: int = DIGITS, algorithm: Algorithm = "sha1") -> str:
    """The code of `secret` for a counter (RFC 4226 5.3: dynamic truncation)."""
    digest = hmac.new(secret, counter.to_bytes(8, "big"), algorithm).digest()
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return str(number % 10**digits).zfill(digits)


class SecondFactor:
    """The second factor of one state folder."""

    __slots__ = ("_path",)

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, FILE_NAME)

    @property
    def enrolled(self) -> bool:
        """Whether there is a secret."""
        return os.path.lexists(self._path)

    def enroll(self, account: str) -> str:
        """Make a secret; returns the otpauth URI, once. Raises second_factor when there is one already."""
        make_folder(os.path.dirname(self._path))
        with locked(self._path + ".lock"):
            if self.enrolled:
                raise Denied("second_factor", "a second factor is set up already", hint=f"Remove {FILE_NAME} first.")
            secret = base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()
            write_private(self._path, msgspec.json.encode(Enrolled(secret)))
        label = re.sub(r"[^\w.@-]", "_", account)
        return f"otpauth://totp/remit:{label}?secret={secret}&issuer=remit&digits={DIGITS}&period={STEP_S}"

    def verify(self, code: str, at_s: int) -> None:
        """Use a code up; raises second_factor when it does not count."""
        if not self.enrolled:
            raise Denied("second_factor", "no second factor is set up", hint="Set it up: remit approve --enroll")
        with locked(self._path + ".lock"):
            kept = self._read()
            if at_s < kept.locked_until_s:
                raise Denied("second_factor", f"too many wrong codes; wait {kept.locked_until_s - at_s} s")
            step = self._step_of(kept, code.strip().replace(" ", ""), at_s)
            if step is None:
                failures = kept.failures + 1
                until = at_s + LOCK_S if failures >= MAX_FAILURES else 0
                failures = 0 if until else failures
                write_private(self._path, msgspec.json.encode(replace(kept, failures=failures, locked_until_s=until)))
                raise Denied("second_factor", "the code is wrong, or was used before")
            used = replace(kept, last_step=step, failures=0, locked_until_s=0)
            write_private(self._path, msgspec.json.encode(used))

    def _read(self) -> Enrolled:
        raw = read_private(self._path, 4096)
        try:
            return msgspec.json.decode(raw or b"", type=Enrolled)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise Denied("second_factor", f"{FILE_NAME} is damaged; no code counts") from None

    @staticmethod
    def _step_of(kept: Enrolled, code: str, at_s: int) -> int | None:
        """The step that the code belongs to, later than every used one; every candidate is compared."""
        secret = base64.b32decode(kept.secret)
        now = at_s // STEP_S
        found = None
        for step in range(now - TOLERANCE, now + TOLERANCE + 1):
            same = hmac.compare_digest(hotp(secret, step).encode(), code.encode("utf-8", "replace"))
            if same and step > kept.last_step:
                found = step
        return found


def needs_code(section: SecondFactorSection, tool: str, arguments: Any) -> bool:
    """Whether a call of `tool` with these arguments is listed."""
    if any(name_match(pattern, tool) for pattern in section.tools or ()):
        return True
    if not section.hosts:
        return False
    return any(_listed(host, section.hosts) for host in _hosts(arguments))


def _listed(host: str, patterns: tuple[str, ...]) -> bool:
    for pattern in patterns:
        name = pattern.lower().rstrip(".")
        if host == name or (name.startswith("*.") and host.endswith(name[1:])):
            return True
    return False


def _hosts(value: Any) -> Iterator[str]:
    """Hosts of the URLs and addresses that stand in a JSON value."""
    from remit.guard.pii_messages import texts_of

    for text in texts_of(value):
        for word in re.findall(r"[^\s\"'<>]{3,2000}", text):
            if "://" in word:
                try:
                    yield parse_url(word).host.rstrip(".")
                except RemitError:
                    yield from ()
            elif re.fullmatch(r"(?:[\w.+-]{1,64}@)?[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}", word):
                yield word.rpartition("@")[2].lower()


class WithSecondFactor:
    """An approver whose yes to a listed call counts with a code only; a wrong code leaves the call waiting.

    Args:
        inner: whoever asks the person; its `Answer.code` is what the person typed.
        factor: verifies.
        section: which calls are listed.
        now_s: unix time, from ports/clock.
    """

    def __init__(
        self, inner: Approver, factor: SecondFactor, section: SecondFactorSection, now_s: Callable[[], int]
    ) -> None:
        self._inner = inner
        self._factor = factor
        self._section = section
        self._now_s = now_s

    async def ask(self, row: InboxRow) -> Answer | None:
        """The answer, with `by` saying that a code was checked."""
        answer = await self._inner.ask(row)
        if answer is None or answer.decision not in ("approved", "edited"):
            return answer
        arguments = row.arguments if answer.arguments is None else answer.arguments
        if not needs_code(self._section, row.tool, arguments):
            return answer
        try:
            self._factor.verify(answer.code, self._now_s())
        except RemitError:
            return None
        return replace(answer, by=f"{answer.by}, code", code="")
