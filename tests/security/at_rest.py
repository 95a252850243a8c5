"""Data at rest under attack: flipped bits, a rotation of many records, a search for plaintext.

    python tests/security/at_rest.py [FLIPS] [RECORDS] [SEED]

FLIPS bits are flipped in each kind of stored record, one at a time: each must be refused. RECORDS records of a store
are rotated to a new key: none may be lost. A run with a marker in its task, replies, arguments and results is kept in
each mode: the marker must be in no file of the state folder unless encryption is off. Prints one JSON line; exit
code 1 when anything was missed.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import secrets
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

from remit.agents.agent import Agent
from remit.core.events import Reflected, RunStarted
from remit.core.messages import Text, ToolCall
from remit.core.model import Reply
from remit.core.remit import Remit
from remit.core.sections import EncryptionSection
from remit.core.tools import tool
from remit.errors import RemitError
from remit.guard.keys import KeyRing
from remit.guard.keys_sources import LocalKey
from remit.guard.stores import EncryptedStore
from remit.guard.subjects import Subjects
from remit.guard.vault_file import Entry, VaultFile
from remit.journal.encrypted import AtRest
from remit.journal.schema import connect, unlock
from remit.journal.signing_key import AuditPlace
from remit.journal.sqlite import SqliteJournal
from remit.runtime import Runtime
from remit.testing.clock import FakeClock
from remit.testing.scripted import ScriptedModel

MARKER = "plaintext-marker-815"
KEK = secrets.token_bytes(32)


def ring_in(folder: Path) -> KeyRing:
    """The key ring in `folder`."""
    return KeyRing(str(folder / "state"), str(folder / "config" / "anchor"), lambda _: LocalKey(KEK))


# ---- flipped bits


class Target:
    """One kind of stored record: its file, and a reading that raises when it is not as it was written."""

    def __init__(self, path: Path, read: Callable[[], Any]) -> None:
        self.path = path
        self.read = read

    def refuses(self) -> bool:
        """Whether reading fails with an error of remit's or of SQLite's, never with another one."""
        try:
            self.read()
        except (RemitError, apsw.Error):
            return True
        return False

    def flip(self, count: int, rng: random.Random) -> int:
        """How many of `count` single flipped bits are refused."""
        whole = self.path.read_bytes()
        refused = 0
        for bit in [rng.randrange(len(whole) * 8) for _ in range(count)]:
            changed = bytearray(whole)
            changed[bit // 8] ^= 1 << bit % 8
            self.path.write_bytes(changed)
            refused += self.refuses()
        self.path.write_bytes(whole)
        assert not self.refuses(), f"{self.path} does not even read as it was written"
        return refused


def targets(folder: Path) -> dict[str, Target]:
    """Every kind of stored record, written into `folder`."""
    ring = ring_in(folder)
    state = folder / "state"
    store = EncryptedStore(ring, str(state), "sessions")
    store.put("one", {"text": "x" * 100})
    subjects = Subjects(ring, str(state), sealing=True)
    subject = subjects.subject("ann")
    vault = VaultFile(str(state), lambda: ring)
    with vault.changing() as entries:
        entries["token"] = Entry("token", "value")
    key = ring.data_key("journal")
    journal = folder / "journal.db"
    asyncio.run(write_journal(journal, key))
    record, subject_key = next((state / "sessions").glob("*.rec")), next((state / "subjects").glob("*.rec"))
    return {
        "record": Target(record, lambda: store.get("one")),
        "subject key": Target(subject_key, lambda: Subjects(ring, str(state), sealing=True).seal(subject, b"", "r")),
        "vault": Target(Path(vault.path), vault.read),
        "key ring": Target(state / "keys.ring", lambda: ring_in(folder).data_key("journal")),
        "ring anchor": Target(folder / "config" / "anchor", lambda: ring_in(folder).data_key("journal")),
        "journal page": Target(journal, lambda: read_pages(journal, key)),
    }


async def write_journal(path: Path, key: bytes) -> None:
    """A journal with a few runs, all of it in the file and nothing in its log."""
    journal = SqliteJournal(path, FakeClock(), at_rest=AtRest((key,)))
    for number in range(5):
        log = journal.create(f"run_{number}", RunStarted("a", MARKER))
        for turn in range(10):
            log.append(Reflected(turn, MARKER, "none"))
        await log.release("waiting")
    await journal.aclose()
    connect(str(path), 1000, key=key).close()


def read_pages(path: Path, key: bytes) -> None:
    """Read every page; raises at one that does not open."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        unlock(connection, key)
        if connection.pragma("integrity_check") != "ok":
            raise apsw.CorruptError("integrity_check")
    finally:
        connection.close()


def log_flips(folder: Path, count: int, rng: random.Random) -> int:
    """Flipped bits of the write-ahead log of a process that was killed: SQLite drops what follows, verify finds it."""
    path, log, key = folder / "killed.db", folder / "killed.db-wal", secrets.token_bytes(32)
    place = AuditPlace(str(folder / "audit"))

    def opened() -> SqliteJournal:
        return SqliteJournal(path, FakeClock(), audit=place, at_rest=AtRest((key,)))

    async def write() -> tuple[bytes, bytes]:
        journal = opened()
        for number in range(5):
            await journal.create(f"run_{number}", RunStarted("a", MARKER)).release("waiting")
        images = path.read_bytes(), log.read_bytes()
        await journal.aclose()
        return images

    async def problems() -> bool:
        try:
            journal = opened()
        except RemitError:
            return True
        found = journal.verify()
        await journal.aclose()
        return bool(found)

    page, whole = asyncio.run(write())
    refused = 0
    for bit in [None, *(rng.randrange(len(whole) * 8) for _ in range(count))]:
        changed = bytearray(whole)
        if bit is not None:
            changed[bit // 8] ^= 1 << bit % 8
        for left in folder.glob("killed.db*"):
            left.unlink()
        path.write_bytes(page)
        log.write_bytes(changed)
        refused += asyncio.run(problems())
        assert bit is not None or not refused, "the log does not even verify as it was written"
    return refused


def flips(count: int, seed: int) -> dict[str, int]:
    """Refused flips by kind of record."""
    with tempfile.TemporaryDirectory() as name:
        rng = random.Random(seed)
        refused = {kind: target.flip(count, rng) for kind, target in targets(Path(name)).items()}
        return refused | {"journal log": log_flips(Path(name), count, rng)}


# ---- rotation


def rotation(records: int) -> dict[str, int]:
    """Rotate a store of `records` records, stopped once in the middle; how many were moved, and how many are lost."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = EncryptedStore(ring_in(folder), str(folder / "state"), "sessions")
        for number in range(records):
            store.put(f"record {number}", number)

        def stop(done: int, total: int) -> None:
            if done * 2 >= total:
                raise InterruptedError

        try:
            store.rotate(stop)
        except InterruptedError:
            pass
        again = EncryptedStore(ring_in(folder), str(folder / "state"), "sessions")
        left = again.outdated()
        moved = again.re_encrypt()
        fresh = EncryptedStore(ring_in(folder), str(folder / "state"), "sessions")
        lost = sum(
            1 for number in range(records) if (found := fresh.get(f"record {number}")) is None or found[1] != number
        )
        return {
            "records": records,
            "moved_after_a_stop": moved,
            "left_by_it": left,
            "old_left": fresh.outdated(),
            "lost": lost,
        }


# ---- plaintext


@tool(effect="write")
def remember(text: str) -> str:
    """Give the text back, longer than what fits into a row."""
    return text * 5000


async def run_with_marker(folder: Path, mode: Any) -> list[str]:
    """One run that holds the marker everywhere; the files that hold it while the journal is still open."""
    call = Reply((Text(f"I say {MARKER}"), ToolCall("1", "remember", {"text": MARKER})))
    section = EncryptionSection(mode, "env:REMIT_TEST_KEY")
    async with Runtime(f"sqlite:{folder / 'state' / 'journal.db'}", encryption=section, tune_gc=False) as runtime:
        agent = Agent("a", ScriptedModel(call, f"done {MARKER}"), instructions=MARKER, tools=[remember],
                      remit=Remit.allow("tool:remember"))  # fmt: skip
        run = await runtime.run(agent, f"task {MARKER}", subject=f"customer {MARKER}")
        assert run.status == "ok", run.error
        assert MARKER in str(run.output)
        assert MARKER.encode() in b"".join(entry.body for entry in runtime.journal.read(run.id))
        return holding(folder)


def holding(folder: Path) -> list[str]:
    """The files beneath `folder` that hold the marker, as text, base64 or hex."""
    import base64

    raw = MARKER.encode()
    forms = [raw, raw.hex().encode(), *(base64.b64encode(b"x" * shift + raw)[4:-4] for shift in range(3))]
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return [path.name for path in files if any(form in path.read_bytes() for form in forms)]


def markers() -> dict[str, int]:
    """Files that hold the marker, by mode of encryption."""
    counts = {}
    kept = {name: os.environ.get(name) for name in ("REMIT_STATE_DIR", "REMIT_CONFIG_DIR", "REMIT_TEST_KEY")}
    try:
        for mode in ("off", "encrypted", "full"):
            with tempfile.TemporaryDirectory() as name:
                os.environ.update(REMIT_STATE_DIR=f"{name}/state", REMIT_CONFIG_DIR=f"{name}/config")
                os.environ["REMIT_TEST_KEY"] = KEK.hex()
                found = asyncio.run(run_with_marker(Path(name), mode))
                counts[mode] = len({*found, *holding(Path(name))})
    finally:
        for variable, value in kept.items():
            if value is None:
                os.environ.pop(variable, None)
            else:
                os.environ[variable] = value
    return counts


def main() -> int:
    """Everything, as one JSON line."""
    given = [int(text) for text in sys.argv[1:]]
    count, records, seed = [*given, *(1000, 10_000, 1)[len(given) :]]
    refused, moved, found = flips(count, seed), rotation(records), markers()
    missed = sum(count - number for number in refused.values()) + moved["lost"] + moved["old_left"]
    missed += found["encrypted"] + found["full"] + (found["off"] == 0)
    result = {"flips": count, "refused": refused, "rotation": moved, "files_with_marker": found, "missed": missed}
    print(json.dumps(result))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
