"""The second factor: RFC vectors, single use, throttling, which calls need it."""

from __future__ import annotations

import asyncio
import base64
import stat
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import pytest

from remit.core.sections import SecondFactorSection
from remit.errors import Denied
from remit.guard.totp import LOCK_S, MAX_FAILURES, SecondFactor, WithSecondFactor, hotp, needs_code, totp
from remit.ports.approver import Answer
from remit.ports.journal import InboxRow

SEEDS = {"sha1": b"1234567890" * 2, "sha256": (b"1234567890" * 4)[:32], "sha512": (b"1234567890" * 7)[:64]}
# Source: RFC 6238, appendix B.
VECTORS = [
    (59, "94287082", "46119246", "90693936"), (1111111109, "07081804", "68084774", "25091201"),
    (1111111111, "14050471", "67062674", "99943326"), (1234567890, "89005924", "91819424", "93441116"),
    (2000000000, "69279037", "90698825", "38618901"), (20000000000, "65353130", "77737706", "47863826"),
]  # fmt: skip
HOTP = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: str(v[0]))
def test_the_vectors_of_rfc_6238(vector: tuple[int, str, str, str]) -> None:
    """All 18 published codes come out."""
    names: tuple[Literal["sha1", "sha256", "sha512"], ...] = ("sha1", "sha256", "sha512")
    assert tuple(totp(SEEDS[n], vector[0], digits=8, algorithm=n) for n in names) == vector[1:]


def test_the_vectors_of_rfc_4226() -> None:
    """The ten codes of appendix D come out."""
    assert [hotp(SEEDS["sha1"], counter) for counter in range(10)] == HOTP


def enrolled(folder: Path) -> tuple[SecondFactor, bytes]:
    """A second factor and its secret."""
    factor = SecondFactor(str(folder))
    uri = urlsplit(factor.enroll("ann@home"))
    assert (uri.scheme, uri.netloc) == ("otpauth", "totp")
    return factor, base64.b32decode(parse_qs(uri.query)["secret"][0])


def test_a_code_counts_once(tmp_path: Path) -> None:
    """The same code again, or an earlier one, does not count; the next one does."""
    factor, secret = enrolled(tmp_path)
    factor.verify(totp(secret, 1000), 1000)
    for at in (970, 1000):
        with pytest.raises(Denied, match="second_factor"):
            factor.verify(totp(secret, at), 1005)
    factor.verify(totp(secret, 1030), 1030)


def test_one_step_of_tolerance(tmp_path: Path) -> None:
    """A clock that is one step off is fine, two are not."""
    factor, secret = enrolled(tmp_path)
    factor.verify(totp(secret, 970), 1000)
    with pytest.raises(Denied, match="second_factor"):
        factor.verify(totp(secret, 1090), 1000)


def test_guessing_is_locked_out(tmp_path: Path) -> None:
    """After five wrong codes not even the right one counts, until the lock ends; a restart does not help."""
    factor, secret = enrolled(tmp_path)
    for _ in range(MAX_FAILURES):
        with pytest.raises(Denied):
            factor.verify("wrong", 1000)
    with pytest.raises(Denied, match="too many"):
        SecondFactor(str(tmp_path)).verify(totp(secret, 1000), 1000)
    factor.verify(totp(secret, 1000 + LOCK_S), 1000 + LOCK_S)


def test_the_secret_is_private_and_made_once(tmp_path: Path) -> None:
    """The file is 0600; a second enrolment is refused; a damaged file lets nothing count."""
    factor, _ = enrolled(tmp_path)
    file = tmp_path / "second_factor.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(Denied, match="already"):
        factor.enroll("ann")
    file.write_bytes(b"{}")
    with pytest.raises(Denied, match="damaged"):
        factor.verify("000000", 1000)
    with pytest.raises(Denied, match="no second factor"):
        SecondFactor(str(tmp_path / "other")).verify("000000", 1000)


@pytest.mark.parametrize(
    ("tool", "arguments", "needed"),
    [("shell", {}, True), ("mcp__bank__pay", {}, True), ("read_file", {"path": "a.txt"}, False),
     ("http_request", {"url": "https://api.bank.example/pay"}, True), ("mail", {"to": ["x@bank.example"]}, True),
     ("http_request", {"url": "https://bank.example.evil.org"}, False), ("note", {"text": "about banks"}, False)],
)  # fmt: skip
def test_listed_tools_and_hosts_need_a_code(tool: str, arguments: Any, needed: bool) -> None:
    """Globs of tool names; hosts on a dot boundary, in URLs and addresses, wherever they stand."""
    section = SecondFactorSection(("shell", "mcp__bank__*"), ("bank.example", "*.bank.example"))
    assert needs_code(section, tool, arguments) is needed


class Says:
    """An approver with one answer."""

    def __init__(self, answer: Answer | None) -> None:
        self.answer = answer

    async def ask(self, row: InboxRow) -> Answer | None:
        """The answer."""
        return self.answer


def test_a_yes_to_a_listed_call_counts_with_a_code_only(tmp_path: Path) -> None:
    """Without a code, or with a wrong one, the call stays waiting; with it, the answer says that it was checked."""
    factor, secret = enrolled(tmp_path)
    row = InboxRow("i", "approval", "r", "shell", {}, "k", "d", "q", 0)
    section = SecondFactorSection(("shell",))

    def ask(answer: Answer, where: SecondFactorSection = section) -> Answer | None:
        guarded = WithSecondFactor(Says(answer), factor, where, lambda: 1000)
        return asyncio.run(guarded.ask(row))

    assert ask(Answer("approved", "ann")) is None
    assert ask(Answer("edited", "ann", arguments={}, code="123")) is None
    assert ask(Answer("approved", "ann", code=totp(secret, 1000))) == Answer("approved", "ann, code")
    assert ask(Answer("denied", "ann")) == Answer("denied", "ann")
    assert ask(Answer("approved", "ann"), SecondFactorSection()) == Answer("approved", "ann")
