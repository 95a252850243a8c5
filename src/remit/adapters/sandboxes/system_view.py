"""What a confined program sees of the machine itself: programs and their settings, read-only, and no more.

The root is built from nothing: only the folders of VISIBLE are bound, so that homes, /var, /run, /srv, /mnt,
/sys and any folder a site has added are absent, not hidden. In /etc, what other users of the machine may not
read is masked: a supervisor that runs as root must not show more than an ordinary user sees. A short list of
names covers files that are careless about their mode.

Source: file-hierarchy(7); names from the packages' documentation.
"""

from __future__ import annotations

import os
import stat
import time
from typing import Final

from remit.core.sensitive import is_sensitive

VISIBLE: Final = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "etc", "opt", "nix", "gnu")
SECRET_SETTINGS: Final = frozenset(
    {
        "/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/sudoers", "/etc/sudoers.d",
        "/etc/ssh", "/etc/ssl/private", "/etc/krb5.keytab", "/etc/machine-id", "/etc/wireguard", "/etc/openvpn",
        "/etc/NetworkManager/system-connections", "/etc/letsencrypt", "/etc/docker", "/etc/kubernetes",
        "/etc/rancher", "/etc/apt/auth.conf", "/etc/apt/auth.conf.d", "/etc/environment", "/etc/pip.conf",
        "/etc/npmrc", "/etc/fstab", "/etc/crypttab", "/etc/exports", "/etc/msmtprc", "/etc/mysql/debian.cnf",
        "/etc/ppp", "/etc/ipsec.secrets", "/etc/security/opasswd", "/etc/cron.d", "/etc/crontab", "/etc/rclone",
    }
)  # fmt: skip
# What of /proc tells about the kernel and the machine. Source: Docker's masked paths, proc(5).
SECRET_PROC: Final = (
    "acpi", "asound", "interrupts", "kallsyms", "kcore", "key-users", "keys", "kmsg", "kpagecgroup", "kpagecount",
    "kpageflags", "latency_stats", "sched_debug", "scsi", "slabinfo", "sysrq-trigger", "timer_list", "vmallocinfo",
)  # fmt: skip
_KEPT_S: Final = 30.0
_MAX_ENTRIES: Final = 50_000
_cache: dict[str, tuple[float, tuple[tuple[str, bool], ...]]] = {}


def root_options() -> list[str]:
    """bubblewrap options that bind the visible top-level folders and mask the secrets of /etc."""
    options: list[str] = []
    for name in VISIBLE:
        path = "/" + name
        if os.path.islink(path):
            options += ["--symlink", os.readlink(path), path]
        elif os.path.isdir(path):
            options += ["--ro-bind", path, path]
    for path, is_folder in secret_settings("/etc"):
        options += mask_folder(path) if is_folder else mask_file(path)
    return options


def proc_options() -> list[str]:
    """Options that mask what /proc tells about the machine, and make all of it read-only.

    Root owns the kernel's settings (/proc/sys) and needs no capability to write them, and bubblewrap leaves
    them writable when it runs as root: a writable /proc would be a way out (kernel.core_pattern).
    """
    options: list[str] = []
    for name in SECRET_PROC:
        path = "/proc/" + name
        if os.path.isdir(path):
            options += mask_folder(path)
        elif os.access(path, os.R_OK) or os.access(path, os.W_OK):
            options += mask_file(path)
    return [*options, "--remount-ro", "/proc"]


def mask_file(path: str) -> list[str]:
    """Options that make the file `path` unreadable: a device node on a mount that allows no devices."""
    return ["--ro-bind", "/dev/null", path]


def mask_folder(path: str) -> list[str]:
    """Options that put an empty, closed, read-only folder over `path`."""
    return ["--perms", "0000", "--size", "4096", "--tmpfs", path, "--remount-ro", path]


def secret_settings(root: str) -> tuple[tuple[str, bool], ...]:
    """(path, is a folder) of what in `root` is to be masked; kept for half a minute."""
    kept = _cache.get(root)
    if kept is not None and time.monotonic() - kept[0] < _KEPT_S:
        return kept[1]
    found: list[tuple[str, bool]] = []
    pending, seen = [root], 0
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(folder) as entries:
                listing = list(entries)
        except OSError:
            continue  # this user cannot list it, so the program, which is this user, cannot either
        seen += len(listing)
        if seen > _MAX_ENTRIES:
            return ((root, True),)
        for entry in listing:
            verdict = _judge(entry)
            if verdict == "mask":
                found.append((entry.path, entry.is_dir(follow_symlinks=False)))
            elif verdict == "enter":
                pending.append(entry.path)
    _cache[root] = (time.monotonic(), tuple(sorted(found)))
    return _cache[root][1]


def _judge(entry: os.DirEntry[str]) -> str:
    """What to do with an entry: mask, enter or show."""
    if entry.is_symlink():
        return "show"  # its target has an entry of its own, or lies outside what is visible
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return "show"
    is_folder = stat.S_ISDIR(status.st_mode)
    public = status.st_mode & (stat.S_IROTH | (stat.S_IXOTH if is_folder else 0))
    closed = public != (stat.S_IROTH | (stat.S_IXOTH if is_folder else 0))
    listed = entry.path in SECRET_SETTINGS or (is_sensitive(entry.path) and not entry.path.startswith("/etc/ssl/certs"))
    if (closed or listed) and os.access(entry.path, os.R_OK):
        return "mask"
    return "enter" if is_folder else "show"
