"""Opening a journal by its spec, with private files."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from remit.errors import RemitError
from remit.journal.memory import MemoryJournal
from remit.journal.open import open_journal
from remit.ports.conformance.journal import STARTED, CountingClock


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_new_folders_and_files_are_private(tmp_path: Path) -> None:
    """Folders that are made get 0700, the file and its -wal and -shm 0600, whatever the umask."""
    tmp_path.chmod(0o755)
    path = tmp_path / "a" / "b" / "journal.db"
    old = os.umask(0)
    try:

        async def case() -> None:
            journal = open_journal(f"sqlite:{path}", CountingClock())
            log = journal.create("run_1", STARTED)
            await log.flush()
            assert {file.name: mode(file) for file in path.parent.iterdir()} == {
                "journal.db": 0o600,
                "journal.db-wal": 0o600,
                "journal.db-shm": 0o600,
            }
            await journal.aclose()

        asyncio.run(case())
    finally:
        os.umask(old)
    assert (mode(path.parent), mode(path.parent.parent), mode(tmp_path)) == (0o700, 0o700, 0o755)


def test_an_open_file_becomes_private(tmp_path: Path) -> None:
    """A journal that others could read is closed to them."""
    path = tmp_path / "journal.db"
    asyncio.run(open_journal(f"sqlite:{path}", CountingClock()).aclose())
    path.chmod(0o644)
    asyncio.run(open_journal(f"sqlite:{path}", CountingClock()).aclose())
    assert mode(path) == 0o600


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "memory",
        "memory:x",
        "sqlite",
        "sqlite:",
        "sqlite::memory:",
        "sqlite:file:x?mode=memory",
        "postgres:x",
        "sqlite:a\0b",
        "sqlite:\ud800",
    ],
)
def test_other_specs_are_refused(spec: str) -> None:
    """Anything but memory: and sqlite:PATH is value_invalid with a hint; nothing is made."""
    with pytest.raises(RemitError) as caught:
        open_journal(spec, CountingClock())
    assert caught.value.code == "value_invalid"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A folder as the file is value_invalid; a file as the folder is disk_failed."""
    (tmp_path / "file").write_text("x")
    for spec, code in ((f"sqlite:{tmp_path}", "value_invalid"), (f"sqlite:{tmp_path}/file/j.db", "disk_failed")):
        with pytest.raises(RemitError) as caught:
            open_journal(spec, CountingClock())
        assert caught.value.code == code


def test_memory_needs_neither_sqlite_nor_asyncio() -> None:
    """open_journal("memory:") loads no store: import stays light."""
    code = (
        "import sys; from remit.journal.open import open_journal;"
        "print([m for m in ('apsw', 'asyncio', 'remit.journal.sqlite') if m in sys.modules])"
    )
    source = Path(__file__).resolve().parents[3] / "src"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(source)}
    )
    assert found.stdout.strip() == "[]"
    assert isinstance(open_journal("memory:", CountingClock()), MemoryJournal)
