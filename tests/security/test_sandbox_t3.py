"""Tier T3 against a hostile program: an escape corpus, and proof that each mechanism is what contains it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remit.adapters.sandboxes import bubblewrap, plan, process_tree, supervisor, tree_masks, writable_roots
from remit.adapters.sandboxes.bubblewrap import Bubblewrap
from remit.errors import Denied, RemitError, Unavailable
from remit.ports.sandbox import SandboxJob, SandboxResult

pytestmark = pytest.mark.sandbox

PYTHON = os.path.realpath(os.path.join(sys.base_prefix, "bin", "python3"))
SANDBOX = Bubblewrap()
CANARY = "canary-5b1f"


class World:
    """A workspace with secrets, and things outside that must stay out of reach."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.ws = base / "project"
        self.outside = base / "outside"
        for folder in ("project/out", "project/src", "project/.git/hooks", "project/out/sub/.git", "outside"):
            (base / folder).mkdir(parents=True)
        self.write("project/.env", CANARY)
        self.write("project/src/app.py", "print(1)")
        self.write("project/deploy/id_rsa", CANARY)
        self.write("project/private/notes.txt", CANARY)
        self.write("project/.git/config", "[core]\n")
        self.write("project/out/sub/.git/config", "[core]\n")
        self.write("project/remit.toml", "")
        self.write("project/.remit/journal", CANARY)
        self.write("project/out/.env", CANARY)
        self.write("outside/file", CANARY)
        os.link(self.ws / ".env", self.ws / "src" / "harmless.txt")
        os.symlink(self.ws / ".env", self.ws / "src" / "link.txt")
        os.symlink(self.outside, self.ws / "src" / "away")
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.abstract = f"\0remit-{os.getpid()}-{id(self)}"
        self.unix = [
            self.listen(self.abstract),
            self.listen(str(self.ws / "s.sock")),
            self.listen(str(base / "s.sock")),
        ]

    def listen(self, address: str) -> socket.socket:
        server = socket.socket(socket.AF_UNIX)
        server.bind(address)
        server.listen()
        return server

    def write(self, path: str, text: str) -> None:
        target = self.base / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def job(self, *argv: str, **more: Any) -> SandboxJob:
        more.setdefault("writable", ("out/**",))
        return SandboxJob(argv, str(self.ws), **more)

    def python(self, code: str, **more: Any) -> SandboxResult:
        return SANDBOX.run_blocking(self.job(PYTHON, "-I", "-S", "-c", self.program(code), **more))

    def program(self, code: str) -> str:
        facts = {
            "BASE": str(self.base),
            "OUT": str(self.outside),
            "PORT": self.tcp.getsockname()[1],
            "ABSTRACT": self.abstract,
            "CANARY": CANARY,
            "PARENT": os.getpid(),
            "HOME": os.path.expanduser("~"),
        }
        return PRELUDE.format(facts=facts, code=textwrap.indent(textwrap.dedent(code), "    "))

    def close(self) -> None:
        for server in (self.tcp, *self.unix):
            server.close()


PRELUDE = """
import ctypes, errno, glob, os, signal, socket, struct, sys, time, fcntl
globals().update({facts!r})
L = ctypes.CDLL(None, use_errno=True)
def call(*args):
    if L.syscall(*args) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return True
def read(path):
    return CANARY in open(path, errors="replace").read()
def write(path):
    with open(path, "w") as file:
        file.write("planted")
    return True
escaped, why = False, "the attempt returned"
try:
{code}
except BaseException as error:
    why = repr(error)
print("ESCAPED" if escaped else "CONTAINED", why)
"""

# name -> a program that sets `escaped` when it got through.
ESCAPES = {
    "tcp4": "s = socket.create_connection(('127.0.0.1', PORT), 2); escaped = True",
    "tcp4-any": "s = socket.create_connection(('0.0.0.0', PORT), 2); escaped = True",
    "tcp6": "s = socket.create_connection(('::1', PORT), 2); escaped = True",
    "tcp6-mapped": "s = socket.create_connection(('::ffff:127.0.0.1', PORT), 2); escaped = True",
    "udp": "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b'x', ('127.0.0.1', PORT)); escaped = True",
    "raw": "s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 1); escaped = True",
    "packet": "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); escaped = True",
    "netlink": "s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0); escaped = True",
    "vsock": "s = socket.socket(40, socket.SOCK_STREAM); escaped = True",
    "metadata-address": "s = socket.create_connection(('169.254.169.254', 80), 2); escaped = True",
    "dns": "escaped = bool(socket.getaddrinfo('example.com', 80))",
    "abstract-socket": "s = socket.socket(socket.AF_UNIX); s.connect(ABSTRACT); escaped = True",
    "unix-socket-in-workspace": "s = socket.socket(socket.AF_UNIX); s.connect('s.sock'); escaped = True",
    "unix-socket-outside": "s = socket.socket(socket.AF_UNIX); s.connect(BASE + '/s.sock'); escaped = True",
    "docker-socket": """
        for path in ('/var/run/docker.sock', '/run/docker.sock', '/run/containerd/containerd.sock'):
            escaped = escaped or os.path.exists(path)
    """,
    "dbus": "escaped = os.path.exists('/run/dbus/system_bus_socket') or bool(glob.glob('/run/user/*'))",
    "read-outside": "escaped = read(OUT + '/file')",
    "read-through-link": "escaped = read('src/away/file')",
    "read-env": "escaped = read('.env')",
    "read-env-hard-link": "escaped = read('src/harmless.txt')",
    "read-env-soft-link": "escaped = read('src/link.txt')",
    "read-env-new-link": "os.symlink(os.path.abspath('.env'), 'out/l'); escaped = read('out/l')",
    "read-env-new-hard-link": "os.link('out/.env', 'out/h'); escaped = read('out/h')",
    "read-env-in-writable": "escaped = read('out/.env')",
    "move-env": "os.rename('out/.env', 'out/plain'); escaped = read('out/plain')",
    "remove-env": "os.unlink('out/.env'); escaped = True",
    "move-folder-over-mask": "os.rename('out/.env', 'out/x'); escaped = True",
    "env-by-proc-root": "escaped = read('/proc/1/root' + os.path.abspath('.env'))",
    "env-by-proc-cwd": "escaped = read('/proc/self/cwd/.env')",
    "env-by-init-cwd": "escaped = read('/proc/1/cwd/.env') or read('/proc/1/cwd' + os.path.abspath('.env'))",
    "read-private-key": "escaped = read('deploy/id_rsa')",
    "read-denied-folder": "escaped = read('private/notes.txt')",
    "list-denied-folder": "escaped = bool(os.listdir('private'))",
    "open-denied-folder": "os.chmod('private', 0o755); escaped = read('private/notes.txt')",
    "read-remit-state": "escaped = read('.remit/journal')",
    "read-home": "escaped = any(os.path.isfile(p) for p in glob.glob(HOME + '/.*'))",
    "other-homes": "escaped = bool(glob.glob('/home/*/.*')) or os.path.exists('/root/.bashrc')",
    "shadow": "escaped = ':' in open('/etc/shadow').read()",
    "ssh-host-keys": "escaped = any('PRIVATE' in open(p).read() for p in glob.glob('/etc/ssh/*key'))",
    "sudoers": "escaped = bool(open('/etc/sudoers').read())",
    "var-log": "escaped = bool(glob.glob('/var/log/*')) or bool(glob.glob('/var/lib/*'))",
    "sys": "escaped = os.path.exists('/sys/class/net')",
    "device-disk": "escaped = bool(glob.glob('/dev/[sv]d*') + glob.glob('/dev/nvme*') + glob.glob('/dev/mem'))",
    "parent-by-proc-root": "escaped = read('/proc/%d/root%s/file' % (PARENT, OUT))",
    "init-root": "escaped = read('/proc/1/root' + OUT + '/file')",
    "old-root": "escaped = read('/oldroot' + OUT + '/file') or read('/proc/1/root/oldroot' + OUT + '/file')",
    "dot-dot": "escaped = read('/proc/self/root/' + '../' * 30 + OUT + '/file')",
    "inherited-descriptors": """
        for fd in os.listdir('/proc/self/fd'):
            if int(fd) > 2 and os.path.lexists('/proc/self/fd/' + fd):
                escaped = True
    """,
    "init-descriptors": """
        for fd in os.listdir('/proc/1/fd'):
            target = os.readlink('/proc/1/fd/' + fd)
            if target.startswith('/') and not target.startswith(('/dev/null', '/proc')):
                escaped = True
            if target.startswith('/memfd'):
                escaped = True
    """,
    "init-memory": "os.close(os.open('/proc/1/mem', os.O_RDWR)); escaped = True",
    "fchdir-descriptor": "fd = os.open('/', os.O_RDONLY); os.fchdir(fd); os.chdir('..'); escaped = os.path.exists(OUT)",
    "write-workspace": "escaped = write('src/app.py')",
    "create-in-workspace": "escaped = write('src/new.py')",
    "write-outside": "escaped = write(OUT + '/file')",
    "write-usr": "escaped = write('/usr/bin/planted')",
    "write-etc": "escaped = write('/etc/planted')",
    "write-root": "escaped = write('/planted')",
    "write-dev": "escaped = write('/dev/planted')",
    "hook": "escaped = write('.git/hooks/pre-commit')",
    "git-config": "escaped = write('.git/config')",
    "nested-git-config": "escaped = write('out/sub/.git/config')",
    "nested-git-hook": "os.mkdir('out/sub/.git/hooks'); escaped = True",
    "nested-git-rename": "os.rename('out/sub/.git', 'out/sub/old'); escaped = True",
    "nested-git-commondir": "escaped = write('out/sub/.git/commondir')",
    "new-git-in-root": "os.mkdir('out/.git/hooks'); escaped = True",
    "new-remit-toml-in-root": "escaped = write('out/remit.toml')",
    "replace-remit-toml-in-root": "write('out/t'); os.rename('out/t', 'out/remit.toml'); escaped = True",
    "new-remit-state-in-root": "escaped = write('out/.remit/policy')",
    "remit-toml": "escaped = write('remit.toml')",
    "remount": "escaped = call(165, b'none', os.path.abspath('.').encode(), b'', 32 | 4096, 0)",
    "remount-mask": "L.umount2(os.path.abspath('.env').encode(), 2); escaped = read('.env')",
    "mount-proc": "escaped = call(165, b'proc', b'/tmp', b'proc', 0, 0)",
    "new-mount-api": "escaped = call(430, b'tmpfs', 0)",
    "open-tree": "escaped = call(428, -100, b'/', 1)",
    "unshare-user": "escaped = call(272, 0x10000000)",
    "unshare-mount": "escaped = call(272, 0x20000)",
    "clone-user": "escaped = call(56, 0x10000000 | 17, 0, 0, 0, 0)",
    "clone3": "escaped = call(435, 0, 0)",
    "setns": "escaped = call(308, os.open('/proc/1/ns/net', os.O_RDONLY), 0)",
    "chroot": "os.mkdir('out/r'); os.chroot('out/r'); escaped = True",
    "pivot-root": "escaped = call(155, b'/tmp', b'/tmp')",
    "mknod-disk": "os.mknod('out/d', 0o60600, os.makedev(254, 0)); open('out/d', 'rb').read(1); escaped = True",
    "ptrace": "escaped = call(101, 16, 1, 0, 0)",
    "ptrace-traceme": "escaped = call(101, 0, 0, 0, 0)",
    "process-memory": "escaped = call(310, 1, 0, 0, 0, 0, 0)",
    "kernel-module": "escaped = call(175, b'', 0, b'')",
    "kexec": "escaped = call(246, 0, 0, 0, 0)",
    "bpf": "escaped = call(321, 0, 0, 0)",
    "perf": "escaped = call(298, 0, 0, -1, -1, 0)",
    "io-uring": "escaped = call(425, 8, b'\\0' * 120)",
    "userfaultfd": "escaped = call(323, 1)",
    "keyring": "escaped = call(248, b'user', b'x', b'y', 1, -3)",
    "file-handle": "escaped = call(304, 3, 0, 0)",
    "hidden-memory": "escaped = os.memfd_create('x') >= 0",
    "shared-memory": "escaped = call(29, 0, 1 << 20, 0o1600)",
    "terminal-input": "fcntl.ioctl(0, 0x5412, b'x'); escaped = True",
    "terminal-input-high-bits": "escaped = call(16, 0, ctypes.c_ulong((1 << 32) | 0x5412), b'x')",
    "controlling-terminal": "os.open('/dev/tty', os.O_RDWR); escaped = True",
    "x32-call": "call(0x40000000 | 39); escaped = True",
    "setuid-bit": "write('out/s'); os.chmod('out/s', 0o4755); escaped = True",
    "setuid-bit-by-fd": "write('out/s'); os.fchmod(os.open('out/s', os.O_RDONLY), 0o2755); escaped = True",
    "setuid-bit-at-birth": "os.umask(0); os.open('out/s', os.O_CREAT | os.O_WRONLY, 0o4755); escaped = True",
    "setuid-0": "os.setresuid(1234, 1234, 1234); os.setresuid(0, 0, 0); escaped = True",
    "gain-privileges": """
        status = open('/proc/self/status').read()
        escaped = 'NoNewPrivs:\\t1' not in status or 'CapEff:\\t' + '0' * 16 not in status
    """,
    "see-processes": "escaped = len([p for p in os.listdir('/proc') if p.isdigit()]) > 3",
    "signal-parent": "os.kill(PARENT, 0); escaped = PARENT > 10",
    "signal-all": "os.kill(-1, 0); escaped = len([p for p in os.listdir('/proc') if p.isdigit()]) > 3",
    "sysctl": "os.close(os.open('/proc/sys/kernel/core_pattern', os.O_WRONLY)); escaped = True",
    "sysrq": "os.close(os.open('/proc/sysrq-trigger', os.O_WRONLY)); escaped = True",
    "irq-affinity": "os.close(os.open('/proc/irq/default_smp_affinity', os.O_WRONLY)); escaped = True",
    "kernel-memory": "escaped = bool(open('/proc/kcore', 'rb').read(1))",
    "kernel-log": "escaped = bool(os.read(os.open('/proc/kmsg', os.O_RDONLY | os.O_NONBLOCK), 1))",
    "mask-mode": "os.chmod('.env', 0o666); escaped = True",
    "uid-map": "os.close(os.open('/proc/self/uid_map', os.O_WRONLY)); escaped = True",
    "writable-mounts": """
        rows = [line.split() for line in open('/proc/self/mounts')]
        devices = {'/dev/' + name for name in ('null', 'zero', 'full', 'random', 'urandom', 'tty')}
        rw = {row[1] for row in rows if 'rw' in row[3].split(',')} - devices
        escaped = rw != {'/tmp', '/dev/shm', '/dev/pts', BASE + '/project/out'}
        why = rw
    """,
    "raise-limit": """
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (1 << 20, 1 << 20)); escaped = True
    """,
    "hostname": "socket.sethostname('x'); escaped = True",
    "clock": "time.clock_settime(time.CLOCK_REALTIME, 0.0); escaped = True",
    "environment": "escaped = any(CANARY in v for v in os.environ.values()) or 'SECRET_TOKEN' in os.environ",
    "environment-of-init": "escaped = CANARY in open('/proc/1/environ').read()",
    "workspace-parent": "escaped = sorted(os.listdir('..')) != ['project']",
}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("SECRET_TOKEN", CANARY)
    made = World(tmp_path)
    yield made
    made.close()


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the corpus names x86-64 system calls")
@pytest.mark.parametrize("name", ESCAPES)
def test_contained(world: World, name: str) -> None:
    """Each attempt runs, fails, and leaves nothing outside what was granted."""
    before = _outside(world)
    result = world.python(ESCAPES[name], denied=("private/**",))
    killed_by_filter = name == "x32-call" and result.exit_code == 128 + signal.SIGSYS
    assert result.stdout.startswith(b"CONTAINED") or killed_by_filter, result
    assert _outside(world) == before


def _outside(world: World) -> dict[str, bytes]:
    """Every file but those that the program may write."""
    files = (p for p in world.base.rglob("*") if p.is_file() and not p.is_symlink())
    return {str(p): p.read_bytes() for p in files if "out" not in p.relative_to(world.base).parts or ".git" in p.parts}


def test_a_program_can_work(world: World) -> None:
    """What is granted works: reading the tree, writing beneath DIR, private temporary files, input and output."""
    result = world.python(
        """
        assert open('src/app.py').read() == 'print(1)'
        os.makedirs('out/a/b'); write('out/a/b/c'); write('/tmp/x'); write('/var/tmp/y'); write('/dev/shm/z')
        os.rename('out/a/b/c', 'out/a/c')
        a, b = socket.socketpair(); a.send(b'1')
        print(sys.stdin.read(), os.environ['GREETING'], os.getcwd() == BASE + '/project')
        """,
        stdin=b"input",
        env={"GREETING": "hi"},
    )
    assert (result.exit_code, result.stdout, result.stderr) == (
        0,
        b"input hi True\nCONTAINED the attempt returned\n",
        b"",
    )
    assert (world.ws / "out/a/c").read_text() == "planted"
    assert sorted(os.listdir(world.ws / "out")) == [".env", "a", "sub"]


# --- planted for later -----------------------------------------------------------------------------------


def test_devices_work_and_stay_the_machines(world: World) -> None:
    """Devices can be used; closing one inside closes it for that run only, also for root: not outside, not later."""
    mode = os.stat("/dev/null").st_mode
    probe = "echo x > /dev/null && head -c1 /dev/zero | wc -c && : < /dev/null; chmod 000 /dev/null"
    for _ in range(2):
        result = SANDBOX.run_blocking(world.job("sh", "-c", probe))
        assert result.stdout.strip() == b"1", result.stderr
    assert os.stat("/dev/null").st_mode == mode


def test_planted_link_is_not_followed_by_a_later_grant(world: World) -> None:
    """A link made by one run cannot become the writable folder of the next."""
    world.python(f"os.symlink({str(world.outside)!r}, 'out/link')")
    with pytest.raises(Denied) as caught:
        SANDBOX.run_blocking(world.job("true", writable=("out/link/**",)))
    assert caught.value.code == "path_denied"
    with pytest.raises(Denied):
        SANDBOX.run_blocking(world.job("true", writable=("out/link/file",)))


def _swap_before_start(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the granted folder by a link after it was checked, as a concurrent run could."""
    spawn = supervisor.Supervisor._spawn

    def swapping(self: supervisor.Supervisor, code: bytes) -> Any:
        os.rename(world.ws / "out", world.ws / "old")
        os.symlink("src", world.ws / "out")
        return spawn(self, code)

    monkeypatch.setattr(supervisor.Supervisor, "_spawn", swapping)


def test_folder_swapped_during_the_start_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writable folder that became a link between check and mount is found out before the program runs."""
    for child in (".env", "sub"):
        os.rename(world.ws / "out" / child, world.base / child)
    monkeypatch.setattr(plan, "find_masks", lambda *_: tree_masks.TreeMasks((), (), ()))
    _swap_before_start(world, monkeypatch)
    with pytest.raises(Unavailable) as caught:
        SANDBOX.run_blocking(world.job("touch", "out/planted"))
    assert caught.value.code == "sandbox_failed"
    assert not (world.ws / "src/planted").exists()


def test_unplugged_mount_check_lets_the_swap_through(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the comparison of mounts the same swap writes where nothing was granted."""
    for child in (".env", "sub"):
        os.rename(world.ws / "out" / child, world.base / child)
    monkeypatch.setattr(plan, "find_masks", lambda *_: tree_masks.TreeMasks((), (), ()))
    monkeypatch.setattr(supervisor, "mount_gaps", lambda *_: [])
    _swap_before_start(world, monkeypatch)
    SANDBOX.run_blocking(world.job("touch", "out/planted"))
    assert (world.ws / "src/planted").exists()


def test_new_configuration_deep_down_is_moved_aside(world: World) -> None:
    """Configuration that is planted where no placeholder stands is inert after the run, and the result says so."""
    result = world.python(
        """
        for name in ('deep/.git/hooks', 'deep/er/.GIT', 'deep/.remit', 'moved'):
            os.makedirs('out/' + name)
        write('out/deep/.git/config'); write('out/deep/remit.toml'); os.symlink('/x', 'out/moved/.git')
        os.rename('out/sub', 'out/sub2'); os.makedirs('out/sub/.git'); write('out/sub/.git/config')
        """
    )
    left = sorted(str(p.relative_to(world.ws)) for p in (world.ws / "out").rglob("*") if p.name != "config")
    aside = [".git", ".git/hooks", ".remit", "remit.toml", "er/.GIT"]
    moved = [f"out/deep/{name}".replace(".git", ".git.refused-by-remit") for name in aside[:2]]
    moved += [f"out/deep/{name}.refused-by-remit" for name in aside[2:]]
    moved += ["out/moved/.git.refused-by-remit", "out/sub/.git.refused-by-remit"]
    kept = ["out/.env", "out/deep", "out/deep/er", "out/moved", "out/sub", "out/sub2", "out/sub2/.git"]
    assert left == sorted(kept + moved)
    assert b"moved aside" in result.stderr and b"out/deep/remit.toml.refused-by-remit" in result.stderr


# --- each mechanism, unplugged ---------------------------------------------------------------------------


def _without(options: tuple[str, ...], *gone: str) -> tuple[str, ...]:
    return tuple(option for option in options if option not in gone)


def _no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bubblewrap, "build_filter", lambda _: b"")
    monkeypatch.setattr(process_tree, "confinement_gaps", lambda _: [])


@pytest.mark.parametrize("name", ["tcp4", "abstract-socket"])
def test_unplugged_network_namespace(world: World, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Without --unshare-net (and filter) the same probe reaches a listener of the host."""
    _no_filter(monkeypatch)
    monkeypatch.setattr(plan, "NAMESPACES", _without(plan.NAMESPACES, "--unshare-net"))
    assert world.python(ESCAPES[name]).stdout.startswith(b"ESCAPED")


def test_network_namespace_alone_contains(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The namespace holds without the filter too: two layers, not one."""
    _no_filter(monkeypatch)
    assert world.python(ESCAPES["tcp4"]).stdout.startswith(b"CONTAINED")


@pytest.mark.parametrize("name", ["unshare-user", "ptrace-traceme", "setuid-bit", "raw-socket", "hidden-memory"])
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the corpus names x86-64 system calls")
def test_unplugged_filter(world: World, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Without the filter the same calls succeed."""
    _no_filter(monkeypatch)
    code = ESCAPES.get(name, "s = socket.socket(socket.AF_INET); escaped = True")
    assert world.python(code).stdout.startswith(b"ESCAPED")


@pytest.mark.parametrize(
    ("gone", "said"),
    [("--unshare-net", "net namespace"), ("--unshare-pid", ""), ("--unshare-ipc", "ipc namespace")],
)
def test_missing_namespace_is_refused(world: World, monkeypatch: pytest.MonkeyPatch, gone: str, said: str) -> None:
    """A confinement that is less than asked for is seen from outside, and the program never starts."""
    monkeypatch.setattr(plan, "NAMESPACES", _without(plan.NAMESPACES, gone))
    with pytest.raises(Unavailable) as caught:
        world.python("write('out/ran')")
    assert caught.value.code == "sandbox_failed" and said in caught.value.message
    assert not (world.ws / "out/ran").exists()


def test_missing_filter_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sandbox without its system-call filter never runs the program."""
    monkeypatch.setattr(bubblewrap, "build_filter", lambda _: b"")
    with pytest.raises(Unavailable, match="Seccomp"):
        world.python("pass")


@pytest.mark.parametrize("name", ["read-env", "read-private-key", "read-remit-state", "read-denied-folder"])
def test_unplugged_masks(world: World, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Without masks the same files are readable."""
    monkeypatch.setattr(plan, "find_masks", lambda *_: tree_masks.TreeMasks((), (), ()))
    assert world.python(ESCAPES[name], denied=("private/**",)).stdout.startswith(b"ESCAPED")


def test_unplugged_hard_link_search(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the search for further names, a hard link shows the masked file."""
    monkeypatch.setattr(tree_masks._Walk, "find_hard_links", lambda _: None)
    assert world.python(ESCAPES["read-env-hard-link"]).stdout.startswith(b"ESCAPED")


def test_unplugged_placeholders(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without placeholders remit.toml can be made during the run; without the search it also stays."""
    monkeypatch.setattr(writable_roots, "PLACEHOLDERS", ())
    assert world.python(ESCAPES["new-remit-toml-in-root"]).stdout.startswith(b"ESCAPED")
    assert not (world.ws / "out/remit.toml").exists()
    monkeypatch.setattr(writable_roots.WritableRoot, "move_aside", lambda *_: [])
    world.python(ESCAPES["new-remit-toml-in-root"])
    assert (world.ws / "out/remit.toml").read_text() == "planted"


def test_unplugged_guard_of_nested_repositories(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the read-only bind a nested repository's configuration is writable."""
    monkeypatch.setattr(tree_masks, "GUARDED_NAMES", frozenset())
    assert world.python(ESCAPES["nested-git-config"]).stdout.startswith(b"ESCAPED")


def test_writable_proc_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A /proc that root could write the kernel's settings through is seen, and the program never starts."""
    monkeypatch.setattr(plan, "proc_options", lambda: [])
    with pytest.raises(Unavailable, match="read-only /proc"):
        world.python("pass")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root owns the kernel's settings")
def test_unplugged_proc_options(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the read-only /proc, root inside opens the kernel's settings for writing."""
    monkeypatch.setattr(plan, "proc_options", lambda: [])
    monkeypatch.setattr(supervisor, "mount_gaps", lambda *_: [])
    assert world.python(ESCAPES["sysctl"]).stdout.startswith(b"ESCAPED")


def test_unplugged_root_view(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the whole machine bound, a file outside is readable: the root built from nothing is what holds."""
    outside = Path("/var/tmp") / f"remit-{os.getpid()}"
    outside.write_text(CANARY)
    try:
        whole = ["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
        monkeypatch.setattr(plan, "private_options", lambda _: whole)
        monkeypatch.setattr(supervisor, "mount_gaps", lambda *_: [])
        monkeypatch.setattr(supervisor.Supervisor, "_over_limit", lambda _: "")
        assert world.python(f"escaped = read({str(outside)!r})").stdout.startswith(b"ESCAPED")
        monkeypatch.undo()
        assert world.python(f"escaped = read({str(outside)!r})").stdout.startswith(b"CONTAINED")
    finally:
        outside.unlink()


# --- bombs, deadlines, leftovers -------------------------------------------------------------------------


def _alive(marker: str) -> list[int]:
    """Processes of this machine whose command line holds `marker`."""
    found = []
    for name in os.listdir("/proc"):
        try:
            if (
                name.isdigit()
                and int(name) != os.getpid()
                and marker.encode() in Path(f"/proc/{name}/cmdline").read_bytes()
            ):
                found.append(int(name))
        except OSError:
            continue
    return found


FORK_BOMB = "while True:\n    try: os.fork()\n    except OSError: pass"
MEMORY_BOMB = "hold = []\nwhile True: hold.append(bytearray(8 << 20))"
BOMBS = {
    "fork": (FORK_BOMB, {"max_processes": 30}, "processes"),
    "threads": (
        "import threading\nwhile True:\n    try: threading.Thread(target=time.sleep, args=(9,), daemon=True).start()\n"
        "    except RuntimeError: time.sleep(0.1)",
        {"max_processes": 8},
        "processes",
    ),
    "memory": (MEMORY_BOMB, {"max_memory_bytes": 96 << 20}, "memory"),
    "memory-in-children": (
        "for _ in range(6):\n    if os.fork() == 0: break\nhold = bytearray(os.urandom(1 << 20) * 40); time.sleep(9)",
        {"max_memory_bytes": 160 << 20},
        "memory",
    ),
    "memory-in-tmp": (
        """
f = open('/tmp/x', 'wb')
while True:
    try: f.write(b'x' * (1 << 20)); f.flush()
    except OSError: time.sleep(0.05)
""",
        {"max_memory_bytes": 40 << 20},
        "memory",
    ),
    "files-in-tmp": ("i = 0\nwhile True: os.mknod('/tmp/%d' % i); i += 1", {}, "memory"),
    "loop": ("while True: pass", {"timeout_s": 0.4}, "timeout"),
    "sleep-deaf": (
        "[signal.signal(s, signal.SIG_IGN) for s in (1, 2, 15)]; time.sleep(60)",
        {"timeout_s": 0.3},
        "timeout",
    ),
    "setsid-daemon": (
        "os.fork() and time.sleep(60)\nos.setsid()\nos.fork() and os._exit(0)\ntime.sleep(60)",
        {"timeout_s": 0.4},
        "timeout",
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(world: World, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each bomb is ended with its reason, and nothing of it lives afterwards."""
    monkeypatch.setattr(supervisor, "MAX_TMP_FILES", 20_000)
    code, limits, reason = BOMBS[name]
    marker = f"bomb-{name}-{os.getpid()}"
    started = time.monotonic()
    result = world.python(f"{code}  # {marker}", **{"timeout_s": 15.0, **limits})
    assert (result.killed, result.exit_code) == (reason, 137)
    assert time.monotonic() - started < 20
    assert _alive(marker) == []


def test_unplugged_count(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the count the same number of processes goes unnoticed."""
    code = "for _ in range(12):\n    if os.fork() == 0: time.sleep(0.4); os._exit(0)\ntime.sleep(0.4)"
    assert world.python(code, max_processes=6).killed == "processes"
    monkeypatch.setattr(supervisor.Supervisor, "_over_limit", lambda _: "")
    assert world.python(code, max_processes=6).killed == ""


def test_output_bomb(world: World) -> None:
    """Output is kept up to the cap; the rest is read, counted and dropped, and the program can end."""
    result = world.python("os.write(1, b'x' * 3000000); os.write(2, b'y' * 500)", max_output_bytes=1000)
    said = len(b"CONTAINED the attempt returned\n")
    assert (result.exit_code, result.stdout, result.stderr) == (0, b"x" * 1000, b"y" * 500)
    assert result.cut_bytes == 3_000_000 - 1000 + said


def test_leftover_daemon_dies_with_the_program(world: World) -> None:
    """A double-forked daemon that holds the output open ends with the program, and the result comes at once."""
    marker = f"daemon-{os.getpid()}"
    started = time.monotonic()
    result = world.python(
        f"""
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(60)  # {marker}
            os._exit(0)
        """
    )
    assert (result.exit_code, result.killed) == (0, "")
    assert time.monotonic() - started < 15
    assert _alive(marker) == []


def test_input_that_nobody_reads(world: World) -> None:
    """A program that closes its input, or never reads a large one, ends as usual."""
    assert SANDBOX.run_blocking(world.job("true", stdin=b"x" * 1_000_000)).exit_code == 0
    closed = world.python("os.close(0); time.sleep(0.1)", stdin=b"x" * 1_000_000)
    assert closed.exit_code == 0


def test_cancellation(world: World) -> None:
    """Cancelling ends the tree before the cancellation goes on; a second cancel does not cut that short."""
    marker = f"cancelled-{os.getpid()}"

    async def main() -> None:
        job = world.job("sh", "-c", f"touch out/started; sleep 60 & sleep 60 # {marker}")
        async with asyncio.TaskGroup() as group:
            task = group.create_task(SANDBOX.run(job))
            while not (world.ws / "out/started").exists():
                await asyncio.sleep(0.01)
            task.cancel()
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert _alive(marker) == []

    asyncio.run(main())
    assert sorted(os.listdir(world.ws / "out")) == [".env", "started", "sub"]


def test_many_at_once(world: World) -> None:
    """Runs that share a writable folder do not disturb each other, and leave no placeholder."""

    async def main() -> list[SandboxResult]:
        jobs = [world.job("sh", "-c", f"echo {n} > out/{n}; ! touch out/remit.toml") for n in range(8)]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(SANDBOX.run(job)) for job in jobs]
        return [task.result() for task in tasks]

    assert [result.exit_code for result in asyncio.run(main())] == [0] * 8
    assert sorted(os.listdir(world.ws / "out")) == sorted([".env", "sub", *map(str, range(8))])


def test_nothing_is_left_open(world: World) -> None:
    """A run, a refusal and a timeout leave no descriptor behind."""
    SANDBOX.run_blocking(world.job("true"))
    before = len(os.listdir("/proc/self/fd"))
    for job in (world.job("true"), world.job("sleep", "9", timeout_s=0.1), world.job("no-such-program")):
        try:
            SANDBOX.run_blocking(job)
        except RemitError:
            pass
    with pytest.raises(Denied):
        SANDBOX.run_blocking(world.job("true", writable=("out/**", "src/*.py")))
    assert len(os.listdir("/proc/self/fd")) == before
