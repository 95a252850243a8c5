"""A sandbox job as bubblewrap options, and as the list of facts that must hold before the program starts.

Order matters, because a later mount covers an earlier one: root view, private folders, interpreters, the
workspace read-only, writable roots, what is guarded in them, masks last (a denial beats a grant).

Invariants: everything not bound is absent; no option comes from the job unescaped (options are separate
null-terminated strings, the command stands after `--`).
"""

from __future__ import annotations

import os
import re
import sys
from typing import Final

from msgspec import Struct

from remit.adapters.sandboxes.device_nodes import device_options
from remit.adapters.sandboxes.network_view import NetworkView, network_view
from remit.adapters.sandboxes.system_view import VISIBLE, mask_file, mask_folder, proc_options, root_options
from remit.adapters.sandboxes.tree_masks import TreeMasks, find_masks
from remit.adapters.sandboxes.writable_roots import WritableRoot, open_roots
from remit.errors import Denied, Invalid, Unavailable
from remit.ports.sandbox import SandboxJob

HOME: Final = "/tmp/home"
TMP_BYTES: Final = 64 * 1024 * 1024  # spec/security.md 6, row T4
SHM_BYTES: Final = 16 * 1024 * 1024
NAMESPACES: Final = (
    "--unshare-user",
    "--unshare-ipc",
    "--unshare-pid",
    "--unshare-net",
    "--unshare-uts",
    "--unshare-cgroup-try",
)
CONFINEMENT: Final = ("--die-with-parent", "--new-session", "--cap-drop", "ALL", "--hostname", "sandbox", "--clearenv")
ENVIRONMENT: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": HOME, "LANG": "C.UTF-8", "TERM": "dumb"}
MAX_OPTIONS: Final = 8900  # bubblewrap takes at most 9,000
MAX_ARGV_BYTES: Final = 120_000  # one execve argument list, far below the kernel's 2 MiB; one argument: 128 KiB
MAX_ENV_BYTES: Final = 64_000
_ENV_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
# Names that change what the loader or a shell runs before the program itself.
_ENV_REFUSED: Final = re.compile(
    r"LD_.*|GCONV_PATH|GLIBC_TUNABLES|BASH_ENV|ENV|SHELLOPTS|BASHOPTS|PS4|IFS|BASH_FUNC_.*"
)


class Plan(Struct):
    """What to start, and what must be true of it. `close` it whatever happens."""

    workspace: str
    options: list[str]
    roots: list[WritableRoot]
    masks: TreeMasks
    guarded: dict[str, tuple[int, int]]
    """absolute path of what is bound read-only inside a writable root -> its (device, inode)"""
    known: frozenset[tuple[int, int]]
    """(device, inode) of guarded names that existed before"""
    placeholders: list[list[str]]
    network: NetworkView | None = None
    """the way out; None = there is none"""

    @property
    def gate(self) -> str:
        """What the first shell does instead of the supervisor's own line; "" = that line."""
        return self.network.gate if self.network is not None else ""

    def close(self) -> None:
        """Give placeholders back and close what is held."""
        for root, taken in zip(self.roots, self.placeholders, strict=True):
            root.drop_placeholders(taken)
        for root in self.roots:
            root.close()


def check_job(job: SandboxJob) -> tuple[str, str]:
    """The resolved (workspace, cwd) of a job whose values are sane.

    Raises: Invalid `value_invalid`; Denied `path_denied`.
    """
    if not job.argv or any("\0" in a for a in job.argv) or sum(len(os.fsencode(a)) for a in job.argv) > MAX_ARGV_BYTES:
        raise Invalid("value_invalid", f"argv must hold 1 to {MAX_ARGV_BYTES} bytes without null bytes")
    if not job.argv[0] or job.argv[0].startswith("-"):
        raise Invalid("value_invalid", f"not a program: {job.argv[0][:80]!r}")
    if not 0 < job.timeout_s <= 86_400 or job.max_output_bytes < 0:
        raise Invalid("value_invalid", "timeout_s must be in (0, 86400], max_output_bytes at least 0")
    if job.max_memory_bytes < 1024 * 1024 or job.max_processes < 1:
        raise Invalid("value_invalid", "max_memory_bytes must be at least 1 MiB, max_processes at least 1")
    if not os.path.isabs(job.workspace) or "\0" in job.workspace or not os.path.isdir(job.workspace):
        raise Invalid("value_invalid", "the workspace must be the absolute path of an existing folder")
    workspace = os.path.realpath(job.workspace)
    if workspace == "/" or (workspace + "/").startswith(("/proc/", "/sys/")) or workspace == "/dev":
        raise Denied("path_denied", f"{workspace} cannot be a workspace", hint="Name a project folder.")
    cwd = os.path.realpath(os.path.join(workspace, job.cwd)) if "\0" not in job.cwd else ""
    if cwd != workspace and not cwd.startswith(workspace + "/"):
        raise Denied("path_denied", f"the working folder {job.cwd[:200]!r} is not beneath the workspace")
    return workspace, cwd


def environment_options(env: dict[str, str]) -> list[str]:
    """`--setenv` options of the minimal environment with `env` over it. Raises: Invalid `value_invalid`."""
    if sum(len(k) + len(os.fsencode(v)) for k, v in env.items()) > MAX_ENV_BYTES:
        raise Invalid("value_invalid", f"the environment holds more than {MAX_ENV_BYTES} bytes")
    for name, value in env.items():
        if not _ENV_NAME.fullmatch(name) or _ENV_REFUSED.fullmatch(name) or "\0" in value:
            raise Invalid("value_invalid", f"the variable {name[:64]!r} cannot be set in the sandbox")
    options: list[str] = []
    for name, value in {**ENVIRONMENT, **env}.items():
        options += ["--setenv", name, value]
    return options


def default_read_only() -> tuple[str, ...]:
    """The interpreter's own installation, when it lies where the sandbox shows nothing (pyenv, uv)."""
    prefix = os.path.realpath(sys.base_prefix)
    hidden = prefix.split("/")[1] not in VISIBLE
    home = os.path.realpath(os.path.expanduser("~"))
    return (prefix,) if hidden and not (home + "/").startswith(prefix.rstrip("/") + "/") else ()


def private_options(read_only: tuple[str, ...]) -> list[str]:
    """A root, /proc, /dev and temporary folders of its own, and further read-only folders."""
    options = [*root_options(), "--proc", "/proc", *proc_options(), "--dev", "/dev", *device_options()]
    options += ["--size", str(SHM_BYTES), "--tmpfs", "/dev/shm", "--size", str(TMP_BYTES), "--tmpfs", "/tmp"]
    options += ["--dir", HOME, "--dir", "/var", "--symlink", "../tmp", "/var/tmp", "--dir", "/run"]
    for path in read_only:
        options += ["--ro-bind", path, path]
    return options


def make_plan(job: SandboxJob, read_only: tuple[str, ...], walk_budget_s: float) -> Plan:
    """Look at the tree, open what is writable, and say how to mount it.

    Raises: Invalid `value_invalid`, `grant_invalid`; Denied `path_denied`; Unavailable `sandbox_failed`.
    """
    workspace, cwd = check_job(job)
    network = network_view(job.network, read_only) if job.network else None
    environment = environment_options({**network.env, **job.env} if network is not None else job.env)
    roots = open_roots(workspace, job.writable)
    plan = Plan(workspace, [], roots, TreeMasks((), (), ()), {}, frozenset(), [[] for _ in roots])
    try:
        plan.placeholders = [root.take_placeholders() for root in roots]
        exact = frozenset(root.relative for root in roots if not root.is_folder)
        plan.masks = find_masks(workspace, job.denied, exact, walk_budget_s)
        _refuse_masked(plan, cwd)
        binds = _workspace_options(plan)
        plan.options = [*NAMESPACES, *CONFINEMENT, *environment, *private_options(read_only), *binds]
        if network is not None:
            plan.network = network
            plan.options += network.options
        plan.options += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", cwd]
        if len(plan.options) > MAX_OPTIONS:
            raise Unavailable("sandbox_failed", "too much to bind and mask in one sandbox", retryable=False)
    except BaseException:
        plan.close()
        raise
    return plan


def _refuse_masked(plan: Plan, cwd: str) -> None:
    """A working folder or writable root that is itself masked is a contradiction, said before the start."""
    folders = [os.path.join(plan.workspace, folder) for folder in plan.masks.folders]
    files = [os.path.join(plan.workspace, path) for path in plan.masks.files]
    for path in (cwd, *(root.path for root in plan.roots)):
        if path in files or any((path + "/").startswith(folder + "/") for folder in folders):
            raise Denied("path_denied", f"a denial covers {os.path.relpath(path, plan.workspace)!r}")


def _workspace_options(plan: Plan) -> list[str]:
    """The workspace, its writable roots, what is guarded in them, and the masks."""
    options = ["--ro-bind", plan.workspace, plan.workspace]
    for root in plan.roots:
        options += ["--bind", root.path, root.path]
    identities = set()
    for relative in plan.masks.guarded:
        path = os.path.join(plan.workspace, relative)
        status = os.lstat(path)
        if any(root.is_folder and path.startswith(root.path + "/") for root in plan.roots):
            identities.add((status.st_dev, status.st_ino))
            if os.path.islink(path):
                raise Denied("path_denied", f"{relative!r} is a link inside a writable folder")
            options += ["--ro-bind", path, path]
            plan.guarded[path] = (status.st_dev, status.st_ino)
    for relative in (*plan.masks.files, *plan.masks.folders):
        status = os.lstat(os.path.join(plan.workspace, relative))
        identities.add((status.st_dev, status.st_ino))
    plan.known = frozenset(identities)
    for relative in plan.masks.files:
        options += mask_file(os.path.join(plan.workspace, relative))
    for relative in plan.masks.folders:
        options += mask_folder(os.path.join(plan.workspace, relative))
    return options
