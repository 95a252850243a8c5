"""The checks of `remit doctor`. Each tries the real thing; keys are named, never shown."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from msgspec import Struct

from remit.cli._open import journal_of, journal_spec
from remit.config import Settings, load, state_folder
from remit.core.sections import EncryptionSection
from remit.errors import RemitError
from remit.ports.stream import run_loop

MIN_FREE_BYTES: Final = 256 * 1024 * 1024
YEAR_2025_MS: Final = 1_735_689_600_000  # a clock before the first release is wrong
OLD_PYTHON: Final = (3, 11)
LOST_WITHOUT: Final = {
    "sandbox": "shell and git calls",
    "sandbox T1": "glue code and made tools of tier T1",
    "sandbox T2": "model-written Python and plugins",
}


class Check(Struct, frozen=True):
    """One line."""

    name: str
    ok: bool
    found: str
    todo: str = ""
    """what to do; "" = nothing"""
    needed: bool = True
    """whether no run is possible without it"""


def examine(journal: str | None) -> list[Check]:
    """All checks, in order."""
    settings: list[Settings] = []

    def configuration() -> Check:
        settings.append(load(os.getcwd(), {"journal.path": journal}))
        refused = settings[0].refused
        if refused:
            todo = f"read it, then: remit config trust {settings[0].project}"
            return Check("config", False, f"{settings[0].project} may not set {', '.join(refused)}", todo)
        return Check("config", True, "valid; see: remit config show --origin")

    checks = [_python(), _tried("config", configuration)]
    path = settings[0]["journal.path"] if settings else journal or str(state_folder() / "journal.db")
    encryption = settings[0].encryption if settings else EncryptionSection()
    checks.append(
        _tried("journal", lambda: _journal(journal_of(settings[0]) if settings else journal_spec(path), encryption))
    )
    checks.append(_tried("encryption", lambda: _encryption(encryption), needed=encryption.mode != "off"))
    checks.append(_disk(path))
    checks += [_tried(name, partial(_sandbox, name), needed=False) for name in LOST_WITHOUT]
    checks += [_git(), _keys(), _clock()]
    return checks


def _tried(name: str, check: Callable[[], Check], *, needed: bool = True) -> Check:
    try:
        return check()
    except RemitError as e:
        return Check(name, False, f"{e.code}: {e.message}", e.hint, needed)
    except OSError as e:
        return Check(name, False, f"{e.strerror}: {e.filename}", "Correct the path or its rights.", needed)


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    todo = "" if sys.version_info >= OLD_PYTHON else "Install Python 3.11 or newer."
    return Check("python", not todo, f"{version} at {sys.executable}", todo)


def _journal(spec: str, encryption: EncryptionSection) -> Check:
    from remit.runtime import Runtime

    async def look() -> tuple[int, list[str]]:
        async with Runtime(spec, encryption=encryption, tune_gc=False) as runtime:
            return len(runtime.journal.runs(100_000)), list(runtime.journal.verify())

    runs, problems = run_loop(look())
    if problems:
        todo = "Keep the file, restore a backup: remit audit verify names every problem."
        return Check("journal", False, f"{spec}: {len(problems)} problem(s): {problems[0]}", todo)
    return Check("journal", True, f"{spec}: writable, {runs} run(s), chains intact")


def _encryption(section: EncryptionSection) -> Check:
    """What is encrypted at rest, and that the key is there; ids of keys, never keys."""
    if section.mode not in ("encrypted", "full"):
        todo = 'To encrypt the journal: [encryption] mode = "encrypted", then: remit vault keys encrypt'
        return Check("encryption", True, "off: the journal is readable by whoever can read its file", todo, False)
    from remit.guard.keys_open import open_ring

    ring = open_ring(section, os.environ, create=False)
    held = [key for key in ring.listing() if key.state != "destroyed"]
    what = "journal file" + (", contents by subject" if section.mode == "full" else "")
    found = f"{section.mode}: {what}; {len(held)} data key(s) under key {ring.source_id}"
    ring.close()
    return Check("encryption", True, found)


def _disk(path: str) -> Check:
    folder = os.path.dirname(os.path.abspath(path.removeprefix("sqlite:")))
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    free = shutil.disk_usage(folder).free
    todo = "" if free >= MIN_FREE_BYTES else "Free some space: runs stop when the journal cannot be written."
    return Check("disk", not todo, f"{free // 2**20} MB free at {folder}", todo)


def _sandbox(name: str) -> Check:
    from remit.runtime import Adapters

    found: dict[str, Any] = Adapters().describe(name)
    todo = "" if found["healthy"] else f"{found['needs']} (without it, {LOST_WITHOUT[name]} are refused)"
    return Check(name, bool(found["healthy"]), str(found["what"]), todo, needed=False)


def _git() -> Check:
    path = shutil.which("git")
    todo = "" if path else "apt-get install -y git (without it, the git tool is refused)"
    return Check("git", path is not None, path or "not on PATH", todo, needed=False)


def _keys() -> Check:
    names = sorted(name for name, value in os.environ.items() if name.endswith("_API_KEY") and value.strip())
    todo = "" if names else "Set your provider's key, or use a local model or builtin:surveyor."
    return Check("keys", bool(names), ", ".join(names) or "no provider key is set", todo, needed=False)


def _clock() -> Check:
    from remit.runtime import Runtime

    now_ms = Runtime("memory:", tune_gc=False).clock.now_ms()
    todo = "" if now_ms > YEAR_2025_MS else "Set the clock: the journal's times are wrong."
    return Check("clock", not todo, time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now_ms / 1000)), todo)
