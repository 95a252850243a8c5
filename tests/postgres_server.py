"""A Postgres of the tests' own: Debian's package, an unprivileged user, a temporary folder, a unix socket, no network.

`Server` starts it, and stops, kills and restarts it. Each test works in a schema of its own (`address`), as a role that
owns nothing else and passes no row-level security.
"""

from __future__ import annotations

import functools
import glob
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

ROLE = "remit_app"
TOOLS = "remit_tools"
PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")
START_S = 60
_numbers = itertools.count()


@functools.cache
def bin_folder() -> str:
    """The folder of initdb and postgres; "" when there is none."""
    found = shutil.which("initdb")
    folders = [os.path.dirname(os.path.realpath(found))] if found else []
    for pattern in PLACES:
        folders += sorted(glob.glob(pattern), reverse=True)
    return next((f for f in folders if all(os.access(f"{f}/{n}", os.X_OK) for n in ("initdb", "postgres"))), "")


def trouble() -> str:
    """Why no server can be started here; empty when one can."""
    if not bin_folder():
        return "Postgres is not installed: apt-get install -y postgresql"
    if os.geteuid() == 0 and not (shutil.which("setpriv") and _user()):
        return "Postgres refuses to run as root, and there is no setpriv or no unprivileged user"
    return ""


def _user() -> str:
    """An unprivileged user that may run the server."""
    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
            return name
        except KeyError:
            continue
    return ""


class Server:
    """One server in a temporary folder. Use as a context manager."""

    def __init__(self, **settings: Any) -> None:
        self.settings = {"shared_buffers": "32MB", "max_connections": 200, "fsync": "on", **settings}
        self.folder = tempfile.mkdtemp(prefix="remit-pg-")  # short: a socket's path has at most 107 bytes
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Server:
        if os.geteuid() == 0:
            found = pwd.getpwnam(_user())
            os.chown(self.folder, found.pw_uid, found.pw_gid)
        made = self._as_user("initdb", "-D", f"{self.folder}/data", "-A", "trust", "-U", "admin", "--no-sync")
        done = subprocess.run(made, capture_output=True, text=True, timeout=120, check=False, cwd="/")
        if done.returncode:
            raise RuntimeError(f"initdb: {done.stderr[-500:]}")
        self.start()
        with self.admin() as connection:
            connection.execute(f"CREATE ROLE {ROLE} LOGIN")
            connection.execute(f"GRANT CREATE ON DATABASE postgres TO {ROLE}")
            connection.execute(f"CREATE ROLE {TOOLS} LOGIN")
            connection.execute(f"CREATE SCHEMA {TOOLS} AUTHORIZATION {TOOLS}")
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = [f"-c{name}={value}" for name, value in self.settings.items()]
        command = self._as_user(
            "postgres", "-D", f"{self.folder}/data", "-k", self.folder, "-clisten_addresses=", *options
        )
        with open(f"{self.folder}/log", "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd="/")
        deadline = time.monotonic() + START_S
        while True:
            try:
                self.admin().close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise RuntimeError(Path(f"{self.folder}/log").read_text()[-800:]) from None
                time.sleep(0.02)

    def stop(self, how: str = "immediate") -> None:
        """fast: sessions are ended, all is written; immediate: as in a crash of the server."""
        assert self.process is not None
        self.process.send_signal({"fast": signal.SIGINT, "immediate": signal.SIGQUIT}[how])
        self.process.wait(START_S)

    def kill(self) -> None:
        """End it at once, whatever state it is in."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def restart(self, how: str = "immediate") -> None:
        """Stop and start."""
        self.stop(how)
        self.start()

    def admin(self) -> psycopg.Connection[Any]:
        """A superuser's session."""
        return psycopg.connect(host=self.folder, user="admin", dbname="postgres", autocommit=True)

    def address(self, schema: str = "", tenant: str = "default") -> str:
        """The spec of a journal: in `schema`, by default in one that nobody has used."""
        name = schema or f"s{next(_numbers)}_{os.getpid()}"
        return f"postgres://{ROLE}@/postgres?host={self.folder}&schema={name}&tenant={tenant}"

    def _as_user(self, program: str, *arguments: str) -> list[str]:
        command = [f"{bin_folder()}/{program}", *arguments]
        if os.geteuid() != 0:
            return command
        found = pwd.getpwnam(_user())
        drop = ["setpriv", f"--reuid={found.pw_uid}", f"--regid={found.pw_gid}", "--clear-groups", "--no-new-privs"]
        return [*drop, *command]


def schema_of(address: str) -> str:
    """The schema that an address names."""
    return address.partition("schema=")[2].partition("&")[0]
