"""kill -9 inside a conversion, a rotation and an erasure: what was there is there, and nothing is half done."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from remit.core.events import Reflected, RunStarted
from remit.errors import RemitError
from remit.guard.keys import KeyRing
from remit.guard.keys_sources import LocalKey
from remit.guard.stores import EncryptedStore
from remit.guard.subjects import Subjects
from remit.journal.encrypted import PLAIN, AtRest, convert, is_encrypted
from remit.journal.sqlite import SqliteJournal
from remit.testing.clock import FakeClock

SOURCE: Final = Path(__file__).resolve().parents[2] / "src"
KEK: Final = secrets.token_bytes(32)
KEY: Final = secrets.token_bytes(32)
RUNS: Final = 6

# `die` replaces a function by one that ends the process at once, before or after its Nth call.
PRELUDE: Final = """
import os, signal, sys
def die(owner, name, when, number):
    real, calls = getattr(owner, name), []
    def dying(*args, **kwargs):
        calls.append(1)
        if when == "before" and len(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*args, **kwargs)
        if when == "after" and len(calls) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(owner, name, dying)
"""
CONVERT: Final = """
from remit.journal import encrypted
path, key, name, when, number = sys.argv[1:]
encrypted.STEP_ROWS = 7
die(os if hasattr(os, name) else encrypted, name, when, int(number))
encrypted.convert(path, None, bytes.fromhex(key))
"""
STORE: Final = """
from remit.guard import keys_ring, private_file, stores, subjects
from remit.guard.keys import KeyRing
from remit.guard.keys_sources import LocalKey
folder, kek, work, name, when, number = sys.argv[1:]
ring = KeyRing(folder + "/state", folder + "/config/anchor", lambda _: LocalKey(bytes.fromhex(kek)))
store = stores.EncryptedStore(ring, folder + "/state", "sessions")
die(os if hasattr(os, name) else keys_ring, name, when, int(number))
if work == "rotate":
    store.rotate()
else:
    subjects.Subjects(ring, folder + "/state", sealing=True).erase("ann")
"""


def killed(script: str, *arguments: str) -> bool:
    """Run the child; whether it died of the signal (else it came to its end)."""
    command = [sys.executable, "-c", PRELUDE + script, *arguments]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(SOURCE)}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


def write_journal(path: Path) -> None:
    """A plain journal of RUNS runs."""

    async def main() -> None:
        journal = SqliteJournal(path, FakeClock())
        for number in range(RUNS):
            log = journal.create(f"run_{number}", RunStarted("a", "task"))
            for turn in range(10):
                log.append(Reflected(turn, "x" * (70_000 if turn == 5 else 10), "none"))
            await log.release("waiting")
        await journal.aclose()

    asyncio.run(main())


def intact(path: Path) -> bool:
    """Whether every run is there and everything verifies, in whichever form the file is."""

    async def main() -> bool:
        at_rest = AtRest((KEY,)) if is_encrypted(str(path)) else PLAIN
        journal = SqliteJournal(path, FakeClock(), at_rest=at_rest)
        try:
            return len(journal.runs()) == RUNS and journal.verify() == []
        finally:
            await journal.aclose()

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("point", "when", "number", "done"),
    [
        ("_seize", "after", 1, False),
        ("_copy_rows", "before", 1, False),
        ("_copy_rows", "after", 4, False),
        ("_replace", "before", 1, False),
        ("rename", "before", 1, False),
        ("rename", "after", 1, True),
        ("write", "after", 1, True),
    ],
)
def test_a_killed_conversion_leaves_one_whole_journal(
    tmp_path: Path, point: str, when: str, number: int, done: bool
) -> None:
    """Killed at any step, the journal is the old one or the new one, whole; the next conversion finishes the work."""
    path = tmp_path / "journal.db"
    write_journal(path)
    assert killed(CONVERT, str(path), KEY.hex(), point, when, str(number))
    assert is_encrypted(str(path)) is done
    assert intact(path)
    if not done:
        convert(str(path), None, KEY)
    assert intact(path)
    assert is_encrypted(str(path))
    assert not list(tmp_path.glob("*.converting"))


def ring_in(folder: Path) -> KeyRing:
    """The ring of the children."""
    return KeyRing(str(folder / "state"), str(folder / "config" / "anchor"), lambda _: LocalKey(KEK))


@pytest.mark.parametrize(("when", "number"), [(when, n) for when in ("before", "after") for n in (1, 2, 3, 9, 33, 34)])
def test_a_killed_rotation_loses_no_record(tmp_path: Path, when: str, number: int) -> None:
    """Killed before or after any rename (ring, anchor, record), all records are readable, and a second call ends it."""
    store = EncryptedStore(ring_in(tmp_path), str(tmp_path / "state"), "sessions")
    for index in range(30):
        store.put(f"r{index}", index)
    assert killed(STORE, str(tmp_path), KEK.hex(), "rotate", "rename", when, str(number))
    again = EncryptedStore(ring_in(tmp_path), str(tmp_path / "state"), "sessions")
    assert [again.get(f"r{index}").value for index in range(30)] == list(range(30))  # type: ignore[union-attr]
    again.re_encrypt()
    assert (again.outdated(), again.problems()) == (0, [])


@pytest.mark.parametrize(
    ("point", "when", "number"), [("rename", "before", 1), ("rename", "after", 1), ("unlink", "before", 1)]
)
def test_a_killed_erasure_is_before_or_after(tmp_path: Path, point: str, when: str, number: int) -> None:
    """Killed inside, the subject is still readable or refused for ever; a second call ends it."""
    subjects = Subjects(ring_in(tmp_path), str(tmp_path / "state"), sealing=True)
    ann = subjects.subject("ann")
    sealed = subjects.seal(ann, b"x", "r")
    EncryptedStore(ring_in(tmp_path), str(tmp_path / "state"), "sessions").put("a", 1)
    assert killed(STORE, str(tmp_path), KEK.hex(), "erase", point, when, str(number))
    again = Subjects(ring_in(tmp_path), str(tmp_path / "state"), sealing=True)
    if (point, when) == ("rename", "before"):
        assert again.open(ann, sealed, "r") == b"x"
    again.erase("ann")
    with pytest.raises(RemitError, match="key_destroyed"):
        again.open(ann, sealed, "r")
