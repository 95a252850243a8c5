"""Device nodes of the sandbox's own, for a supervisor that runs as root.

bubblewrap binds the host's /dev/null and its kin. Root owns those nodes, and an owner may change a node's mode
without any capability, so a program that runs as root inside could close /dev/null for the whole machine. A
read-only remount is no way out: bubblewrap adds `nodev` to it, and then nothing can open the node at all. So
root gets private copies, and their modes are set again before every start. An ordinary user owns no node.
"""

from __future__ import annotations

import atexit
import os
import shutil
import stat
import tempfile
from functools import lru_cache
from typing import Final

# Source: Linux Documentation/admin-guide/devices.txt
NODES: Final = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
_PLACES: Final = ("/run", "/tmp", "/var/tmp", "/dev/shm")


def device_options() -> list[str]:
    """bubblewrap options behind `--dev /dev`: nothing, private nodes, or (no node can be made) closed ones."""
    if os.geteuid() != 0:
        return []
    folder = _private_folder()
    if not folder:
        # Closed is worse to work with than open, but nobody else can be hurt through it.
        return [option for name in NODES for option in ("--remount-ro", f"/dev/{name}")]
    options: list[str] = []
    for name in NODES:
        path = os.path.join(folder, name)
        os.chmod(path, 0o666)
        options += ["--dev-bind", path, f"/dev/{name}"]
    return options


@lru_cache(maxsize=1)
def _private_folder() -> str:
    """A folder with our own nodes, made once a process; "" where the system lets nobody make one that works."""
    for place in _PLACES:
        try:
            folder = tempfile.mkdtemp(prefix="remit-dev-", dir=place)
        except OSError:
            continue
        try:
            for name, number in NODES.items():
                os.mknod(os.path.join(folder, name), stat.S_IFCHR | 0o666, os.makedev(*number))
            os.close(os.open(os.path.join(folder, "null"), os.O_RDWR))  # refused on a filesystem without devices
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            continue
        atexit.register(shutil.rmtree, folder, True)
        return folder
    return ""
