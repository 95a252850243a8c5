"""remit.adapters.sandboxes.seccomp: what the filter answers, run through a small BPF interpreter."""

from __future__ import annotations

import errno
import struct

import pytest

from remit.adapters.sandboxes.seccomp import build_filter
from remit.errors import Unavailable

KILL, ALLOW, ERRNO = 0x8000_0000, 0x7FFF_0000, 0x0005_0000
X86, ARM = 0xC000_003E, 0xC000_00B7
EPERM, ENOSYS = ERRNO | errno.EPERM, ERRNO | errno.ENOSYS


def run(machine: str, arch: int, number: int, *arguments: int) -> int:
    """The filter's answer for one system call."""
    code = [struct.unpack_from("<HBBI", build_filter(machine), at) for at in range(0, len(build_filter(machine)), 8)]
    data = struct.pack("<IIQ6Q", number, arch, 0, *(arguments + (0,) * 6)[:6])
    at = accumulator = 0
    while True:
        op, yes, no, value = code[at]
        at += 1
        if op == 0x06:
            return value
        if op == 0x20:
            accumulator = struct.unpack_from("<I", data, value)[0]
        else:
            holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[op]
            at += yes if holds else no


CASES = [
    ("x86_64", X86, 0, (), ALLOW),  # read
    ("x86_64", X86, 101, (), EPERM),  # ptrace
    ("x86_64", X86, 165, (), EPERM),  # mount
    ("x86_64", X86, 435, (), ENOSYS),  # clone3
    ("x86_64", X86, 425, (), ENOSYS),  # io_uring_setup
    ("x86_64", X86, 56, (0x11,), ALLOW),  # clone: fork
    ("x86_64", X86, 56, (0x1000_0011,), EPERM),  # clone: user namespace
    ("x86_64", X86, 41, (1, 1), ALLOW),  # socket: unix
    ("x86_64", X86, 41, (2, 1), EPERM),
    ("x86_64", X86, 41, ((1 << 32) | 2, 1), EPERM),
    ("x86_64", X86, 16, (0, 0x5401), ALLOW),  # ioctl TCGETS
    ("x86_64", X86, 16, (0, (7 << 32) | 0x5412), EPERM),
    ("x86_64", X86, 135, (0xFFFF_FFFF,), ALLOW),  # personality: query
    ("x86_64", X86, 135, (0x0040_0000,), EPERM),
    ("x86_64", X86, 90, (0, 0o755), ALLOW),  # chmod
    ("x86_64", X86, 90, (0, 0o4755), EPERM),
    ("x86_64", X86, 257, (0, 0, 0, 0o6000), ALLOW),  # openat that creates nothing
    ("x86_64", X86, 257, (0, 0, 0o101, 0o4755), EPERM),
    ("x86_64", X86, 0x4000_0000, (), KILL),  # x32
    ("x86_64", 0x4000_0003, 11, (), KILL),  # i386
    ("x86_64", ARM, 0, (), KILL),
    ("aarch64", ARM, 63, (), ALLOW),  # read
    ("aarch64", ARM, 117, (), EPERM),  # ptrace
    ("aarch64", ARM, 198, (10, 1), EPERM),  # socket AF_INET6
    ("aarch64", ARM, 198, (1, 1), ALLOW),
    ("aarch64", ARM, 97, (), EPERM),  # unshare
    ("aarch64", ARM, 437, (), ENOSYS),  # openat2
    ("aarch64", X86, 63, (), KILL),
]


@pytest.mark.parametrize(("machine", "arch", "number", "arguments", "wanted"), CASES)
def test_answer(machine: str, arch: int, number: int, arguments: tuple[int, ...], wanted: int) -> None:
    """Each call is answered as documented, on both architectures."""
    assert run(machine, arch, number, *arguments) == wanted


def test_every_other_number_is_allowed_or_refused() -> None:
    """Every number ends in a verdict; most are allowed (the filter is a deny list)."""
    answers = [run("x86_64", X86, number) for number in range(480)]
    assert set(answers) == {ALLOW, EPERM, ENOSYS}
    assert 45 <= sum(answer != ALLOW for answer in answers) <= 90


def test_unknown_architecture_is_refused() -> None:
    """Without a table there is no sandbox."""
    with pytest.raises(Unavailable) as caught:
        build_filter("mips")
    assert caught.value.code == "sandbox_failed"
