"""The system-call filter of tier T3: a small BPF assembler and its deny list.

bubblewrap takes a compiled filter, so no library is needed. The filter allows by default and refuses what
a confined program has no business with: other processes' memory, namespaces and mounts, kernel modules and
keys, asynchronous submission rings (they pass by a filter), sockets other than unix ones, input injection
into terminals, set-user-id bits, and memory that belongs to no process (the supervisor could not count it).

A refusal is EPERM; ENOSYS where programs have a fallback (clone3, openat2: their arguments lie in memory,
where a filter cannot look). A call of another architecture or of the x32 table kills the process: its numbers
mean something else.

Invariants: only the low 32 bits of an argument are compared, which is what the kernel itself uses for each of
the arguments below. Rejected: an allow-list (it breaks with every new libc) and libseccomp (no wheel).

Source: linux/seccomp.h, linux/filter.h, linux/audit.h; syscall numbers from asm/unistd_64.h and
asm-generic/unistd.h; the choice follows the default profiles of Docker, Flatpak and systemd's @system-service.
"""

from __future__ import annotations

import errno
import struct
from functools import lru_cache
from typing import Any, Final

from remit.errors import Unavailable

_KILL: Final = 0x8000_0000  # SECCOMP_RET_KILL_PROCESS
_ALLOW: Final = 0x7FFF_0000
_ERRNO: Final = 0x0005_0000
_LOAD, _JEQ, _JGE, _JSET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NR_AT, _ARCH_AT, _ARGS_AT = 0, 4, 16  # offsets in struct seccomp_data
_X32_BIT: Final = 0x4000_0000

ARCHITECTURES: Final = {"x86_64": (0xC000_003E, 0), "aarch64": (0xC000_00B7, 1)}  # audit value, column of _NUMBERS

# Refused whatever the arguments: name -> (x86-64, aarch64); None = the architecture has no such call.
_REFUSED: Final[dict[str, tuple[int | None, int | None]]] = {
    # other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    # mounts, roots, namespaces
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "setns": (308, 268),
    "unshare": (272, 97),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    # keys, kernel introspection, kernel code
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "fanotify_init": (300, 262),
    "lookup_dcookie": (212, 18),
    "syslog": (103, 116),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "create_module": (174, None),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    # the machine
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "uselib": (134, None),
    "nfsservctl": (180, 42),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "acct": (163, 89),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "vhangup": (153, 58),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    # memory that no process's resident set shows
    "shmget": (29, 194),
    "memfd_secret": (447, 447),
}
# Refused as if the kernel did not know them, so that programs fall back.
_UNKNOWN: Final[dict[str, tuple[int | None, int | None]]] = {
    "clone3": (435, 435),
    "openat2": (437, 437),
    "fchmodat2": (452, 452),
    "memfd_create": (319, 279),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}
_NEW_NAMESPACES: Final = 0x7E02_0000  # CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}
_SET_ID: Final = 0o6000
_CREATES: Final = 0x40_0040  # O_CREAT | __O_TMPFILE
# Refused when all conditions hold: (x86-64, aarch64), then (argument, test, value).
_CONDITIONAL: Final[tuple[tuple[tuple[int | None, int | None], tuple[tuple[int, str, int], ...]], ...]] = (
    ((56, 220), ((0, "&", _NEW_NAMESPACES),)),  # clone
    ((16, 29), ((1, "==", 0x5412),)),  # ioctl TIOCSTI: types into a terminal
    ((16, 29), ((1, "==", 0x541C),)),  # ioctl TIOCLINUX: pastes into a console
    ((135, 92), ((0, "!=", 0), (0, "!=", 0xFFFF_FFFF))),  # personality, but not its query
    ((90, None), ((1, "&", _SET_ID),)),  # chmod
    ((91, 52), ((1, "&", _SET_ID),)),  # fchmod
    ((268, 53), ((2, "&", _SET_ID),)),  # fchmodat
    ((85, None), ((1, "&", _SET_ID),)),  # creat
    ((2, None), ((1, "&", _CREATES), (2, "&", _SET_ID))),  # open
    ((257, 56), ((2, "&", _CREATES), (3, "&", _SET_ID))),  # openat
    ((133, None), ((1, "&", _SET_ID),)),  # mknod
    ((259, 33), ((2, "&", _SET_ID),)),  # mknodat
)


_SOCKET: Final = (41, 198)
_UNIX_ONLY: Final = ((_SOCKET, ((0, "!=", 1),)),)  # socket of another family than AF_UNIX
# With a broker: also TCP over IPv4, for the proxy on the namespace's own loopback; its network holds nothing else.
_UNIX_AND_TCP: Final = (
    (_SOCKET, ((0, "!=", 1), (0, "!=", 2))),
    (_SOCKET, ((0, "==", 2), (1, "&", 2))),  # SOCK_DGRAM 2, SOCK_RAW 3, SOCK_DCCP 6, SOCK_PACKET 10
    (_SOCKET, ((0, "==", 2), (1, "&", 4))),  # SOCK_RDM 4, SOCK_SEQPACKET 5
    (_SOCKET, ((0, "==", 2), (2, "!=", 0), (2, "!=", 6))),  # another protocol than TCP
)


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)


def _rule(number: int, conditions: tuple[tuple[int, str, int], ...], verdict: int) -> bytes:
    """`verdict` when the call is `number` and all conditions hold; else fall through."""
    length = 2 * len(conditions) + 1
    code = _instruction(_LOAD, _NR_AT) + _instruction(_JEQ, number, 0, length)
    for done, (argument, test, value) in enumerate(conditions):
        skip = length - 2 * (done + 1)
        code += _instruction(_LOAD, _ARGS_AT + 8 * argument)
        jump = _JSET if test == "&" else _JEQ
        code += _instruction(jump, value, skip, 0) if test == "!=" else _instruction(jump, value, 0, skip)
    return code + _instruction(_RETURN, verdict)


# Refused on top in a worker of T1 and T2: once it has loaded its engine it opens, starts and sends nothing.
_WORKER_REFUSED: Final[dict[str, tuple[int | None, int | None]]] = {
    "open": (2, None),
    "openat": (257, 56),
    "creat": (85, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "fork": (57, None),
    "vfork": (58, None),
    "clone": (56, 220),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "symlink": (88, None),
    "symlinkat": (266, 36),
    "link": (86, None),
    "linkat": (265, 37),
    "truncate": (76, 45),
    "memfd_create": (319, 279),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
}
# Refused in a worker and in the interpreter process that a T1 worker starts.
_CHILD_REFUSED: Final[dict[str, tuple[int | None, int | None]]] = {
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "sendto": (44, 206),
    "prlimit64": (302, 261),
    "setrlimit": (160, 164),
}


@lru_cache(maxsize=4)
def build_child_filter(machine: str) -> bytes:
    """The filter of a T1 interpreter process: that of T3, without any socket. Raises as `build_filter`."""
    return build_filter(machine, tuple(_CHILD_REFUSED.values()))


@lru_cache(maxsize=4)
def build_worker_filter(machine: str) -> bytes:
    """The filter of a worker process that has loaded its engine. Raises as `build_filter`."""
    return build_filter(machine, (*_CHILD_REFUSED.values(), *_WORKER_REFUSED.values()))


@lru_cache(maxsize=4)
def build_filter(machine: str, refused: tuple[tuple[int | None, int | None], ...] = (), *, tcp: bool = False) -> bytes:
    """The compiled filter (an array of struct sock_filter) for `machine` as uname says it.

    Args:
        machine: x86_64 or aarch64.
        refused: further calls to refuse, as (x86-64, aarch64) numbers.
        tcp: let TCP sockets be made (in a network namespace that holds a loopback and nothing else).

    Raises: Unavailable `sandbox_failed` for an architecture without a table.
    """
    if machine not in ARCHITECTURES:
        raise Unavailable(
            "sandbox_failed",
            f"no system-call table for {machine}",
            hint="The sandbox runs on x86_64 and aarch64.",
            retryable=False,
        )
    audit, column = ARCHITECTURES[machine]
    code = _instruction(_LOAD, _ARCH_AT) + _instruction(_JEQ, audit, 1, 0) + _instruction(_RETURN, _KILL)
    if machine == "x86_64":
        code += _instruction(_LOAD, _NR_AT) + _instruction(_JGE, _X32_BIT, 0, 1) + _instruction(_RETURN, _KILL)
    rules: list[Any] = [(pair, (), errno.EPERM) for pair in (*refused, *_REFUSED.values())]
    rules += [(pair, (), errno.ENOSYS) for pair in _UNKNOWN.values()]
    conditional = (*(_UNIX_AND_TCP if tcp else _UNIX_ONLY), *_CONDITIONAL)
    for pair, conditions, error in [*rules, *((pair, found, errno.EPERM) for pair, found in conditional)]:
        number = pair[column]
        if number is not None:
            code += _rule(number, conditions, _ERRNO | error)
    return code + _instruction(_RETURN, _ALLOW)
