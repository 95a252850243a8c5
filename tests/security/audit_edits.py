"""Somebody edits the journal file: every edit below a checkpoint is found, and the record is named.

    python tests/security/audit_edits.py [EDITS] [SEED]

The attacker can write anything into the file, computes every hash again where that helps, and has no key. Kinds that
change records must be located: a problem names the run and the seq. A cut, a rewritten log and altered checkpoints
must be found. Prints one JSON line; exit code 1 when anything was missed.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine
from hashlib import sha256
from pathlib import Path
from typing import Any

import apsw

from remit.core.events import Reflected, RunDone, RunStarted
from remit.journal.audit import verify_file
from remit.journal.chain import GENESIS, hash_entry, run_prefix
from remit.journal.log import log_id
from remit.journal.merkle import Frontier, leaf_hash
from remit.journal.notes import Checkpoint
from remit.journal.signing_key import AuditPlace, SigningKey
from remit.journal.sqlite import SqliteJournal
from remit.ports.conformance.journal import ASKED, CountingClock

RUNS, TURNS = 5, 8
Row = list[Any]  # position, run_id, seq, epoch, at_ms, body, blob, hash
Where = tuple[str, int]


class Case:
    """One copy of the file, in memory, under one attack."""

    def __init__(self, image: bytes, rng: random.Random) -> None:
        self.connection = apsw.Connection(":memory:")
        self.connection.deserialize("main", image)
        self.rng = rng
        rows = self.connection.execute("SELECT * FROM events ORDER BY position").fetchall()
        self.rows: list[Row] = [list(row) for row in rows]

    def pick(self, *, inner: bool = False) -> Row:
        """A random record; with `inner`, one whose body is in the row and that is not a run's first."""
        return self.rng.choice([row for row in self.rows if not inner or (row[5] is not None and row[2] > 1)])

    def run(self, run_id: str) -> list[Row]:
        return sorted([row for row in self.rows if row[1] == run_id], key=lambda row: row[2])

    def chain_again(self, run_id: str) -> None:
        """Give the run a valid chain over what its rows say now, and the anchors that fit."""
        prev = GENESIS
        rows = self.run(run_id)
        for row in rows:
            body = row[5] if row[5] is not None else self._blob(row[6])
            row[7] = prev = hash_entry(prev, run_prefix(run_id), (row[2], row[3], row[4]), body)
        last = rows[-1]
        self.connection.execute(
            "UPDATE runs SET seq = ?, hash = ?, epoch = ?, updated_ms = ? WHERE run_id = ?",
            (last[2], last[7], last[3], last[4], run_id),
        )

    def drop_unused_blobs(self) -> None:
        """What no row refers to any more would give the deletion away."""
        used = {row[6] for row in self.rows}
        for (digest,) in self.connection.execute("SELECT hash FROM blobs").fetchall():
            if digest not in used:
                self.connection.execute("DELETE FROM blobs WHERE hash = ?", (digest,))

    def write(self) -> None:
        """Put the rows into the file."""
        self.connection.execute("DELETE FROM events")
        self.connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", self.rows)

    def _blob(self, digest: bytes) -> bytes:
        row = self.connection.execute("SELECT data FROM blobs WHERE hash = ?", (digest,)).fetchone()
        assert row is not None
        return bytes(row[0])


def edit(case: Case) -> Where:
    """A body is changed; its hash stays."""
    row = case.pick(inner=True)
    row[5] = altered(row[5], case.rng)
    return row[1], row[2]


def edit_and_chain(case: Case) -> Where:
    """A body is changed, and the run's chain computed again."""
    found = edit(case)
    case.chain_again(found[0])
    return found


def edit_time(case: Case) -> Where:
    """A record happened at another time; the chain is computed again."""
    row = case.pick()
    row[4] += case.rng.randrange(1, 1000)
    case.chain_again(row[1])
    return row[1], row[2]


def edit_blob(case: Case) -> Where:
    """A large body is changed with its digest, and the chain computed again."""
    row = case.rng.choice([row for row in case.rows if row[6] is not None])
    data = altered(case._blob(row[6]), case.rng)
    digest = sha256(data).digest()
    case.connection.execute("UPDATE blobs SET hash = ?, data = ? WHERE hash = ?", (digest, data, row[6]))
    row[6] = digest
    case.chain_again(row[1])
    return row[1], row[2]


def delete(case: Case) -> Where:
    """A record is gone."""
    row = case.pick()
    case.rows.remove(row)
    return row[1], row[2]


def delete_and_close(case: Case) -> Where:
    """A record is gone, the later ones move up, and the chain is computed again."""
    row = case.pick(inner=True)
    case.rows.remove(row)
    for later in case.run(row[1]):
        if later[2] > row[2]:
            later[2] -= 1
    case.chain_again(row[1])
    return row[1], row[2]


def cut_run(case: Case) -> Where:
    """The end of a run is gone, with anchors that fit."""
    row = case.pick(inner=True)
    case.rows = [each for each in case.rows if each[1] != row[1] or each[2] < row[2]]
    case.chain_again(row[1])
    case.connection.execute("UPDATE runs SET status = 'waiting' WHERE run_id = ?", (row[1],))
    return row[1], row[2]


def delete_run(case: Case) -> Where:
    """A run is gone from every table."""
    run_id = case.pick()[1]
    case.rows = [row for row in case.rows if row[1] != run_id]
    for table in ("runs", "inbox"):
        case.connection.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))
    case.drop_unused_blobs()
    return run_id, 1


def swap_bodies(case: Case) -> Where:
    """Two events of a run change places, and the chain is computed again."""
    row = case.pick(inner=True)
    other = case.rng.choice([each for each in case.run(row[1]) if each[5] is not None and each[5] != row[5]])
    row[5], other[5] = other[5], row[5]
    case.chain_again(row[1])
    return row[1], min(row[2], other[2])


def swap_positions(case: Case) -> Where:
    """Two records change places in the log."""
    row, other = case.rng.sample(case.rows, 2)
    row[0], other[0] = other[0], row[0]
    return row[1], row[2]


def swap_records(case: Case) -> Where:
    """Two records of different runs change run and seq, hashes with them."""
    row = case.pick()
    other = case.rng.choice([each for each in case.rows if each[1] != row[1]])
    row[3:], other[3:] = other[3:], row[3:]
    return row[1], row[2]


def insert(case: Case) -> Where:
    """A made-up event stands in the middle of a run, the later ones move down, the chain is computed again."""
    position, run_id, seq, epoch, at_ms, *_ = case.pick(inner=True)
    for later in case.run(run_id):
        later[2] += later[2] >= seq
    if case.rng.random() < 0.5:  # the log's positions move with it, so that nothing seems to be missing
        for each in case.rows:
            each[0] += each[0] >= position
    else:
        position = max(each[0] for each in case.rows) + 1
    body = b'{"type":"reflected","turn":9,"finding":"x","action":"none"}'
    fresh = [position, run_id, seq, epoch, at_ms, body, None, b""]
    case.rows.append(fresh)
    case.chain_again(run_id)
    return run_id, seq


def altered(body: bytes, rng: random.Random) -> bytes:
    """The body with one character of a text in it changed: still an event of the same kind."""
    at = rng.choice([index for index in range(len(body)) if body[index : index + 1] in (b"x", b"e", b"o")])
    return body[:at] + (b"X" if body[at : at + 1] == b"x" else b"a") + body[at + 1 :]


LOCATED: dict[str, Callable[[Case], Where]] = {
    function.__name__: function
    for function in (
        *(edit, edit_and_chain, edit_time, edit_blob, delete, delete_and_close, cut_run, delete_run),
        *(swap_bodies, swap_positions, swap_records, insert),
    )
}


def cut_log(case: Case) -> None:
    """The file is put back to an earlier checkpoint, every table consistent: only the copy outside tells."""
    sizes = [size for (size,) in case.connection.execute("SELECT size FROM checkpoints ORDER BY size").fetchall()]
    size = case.rng.choice(sizes[:-1])
    case.connection.execute("DELETE FROM checkpoints WHERE size > ?", (size,))
    kept = [row for row in case.rows if row[0] <= size]
    gone = {row[1] for row in case.rows} - {row[1] for row in kept}
    touched = {row[1] for row in case.rows if row[0] > size} - gone
    case.rows = kept
    for run_id in gone:
        case.connection.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))
    for run_id in touched:
        case.chain_again(run_id)
        case.connection.execute("UPDATE runs SET status = 'waiting' WHERE run_id = ?", (run_id,))
    asked = {(row[1], row[2]) for row in kept}
    for item, run_id, seq in case.connection.execute("SELECT item, run_id, seq FROM inbox").fetchall():
        if (run_id, seq) not in asked:
            case.connection.execute("DELETE FROM inbox WHERE item = ?", (item,))
    case.drop_unused_blobs()


def rewrite_log(case: Case) -> None:
    """A record is changed and everything above it computed again, signed with a key of the attacker's."""
    edit_and_chain(case)
    with tempfile.TemporaryDirectory() as folder:
        key = SigningKey(folder)
        frontier = Frontier()
        hashes = [row[7] for row in sorted(case.rows)]
        found = case.connection.execute("SELECT after, size, at_ms, places, begun FROM checkpoints ORDER BY after")
        for after, size, at_ms, places, begun in found.fetchall():
            leaves = [leaf_hash(digest) for digest in hashes[after:size]]
            frontier.extend(leaves)
            digest = sha256(places + begun).digest()
            note = Checkpoint(log_id(case.connection), size, frontier.root(), at_ms, digest)
            case.connection.execute(
                "UPDATE checkpoints SET leaves = ?, peaks = ?, signature = ? WHERE after = ?",
                (b"".join(leaves), frontier.dump(), key.sign(note.text()), after),
            )


def flip_checkpoint(case: Case) -> None:
    """One bit of a checkpoint is changed."""
    column = case.rng.choice(("leaves", "peaks", "places", "begun", "signature"))
    after, found = case.rng.choice(case.connection.execute(f"SELECT after, {column} FROM checkpoints").fetchall())
    value = bytearray(found)
    value[case.rng.randrange(len(value))] ^= 1 << case.rng.randrange(8)
    case.connection.execute(f"UPDATE checkpoints SET {column} = ? WHERE after = ?", (bytes(value), after))


def drop_checkpoint(case: Case) -> None:
    """A checkpoint is gone."""
    afters = [after for (after,) in case.connection.execute("SELECT after FROM checkpoints").fetchall()]
    case.connection.execute("DELETE FROM checkpoints WHERE after = ?", (case.rng.choice(afters),))


def pretend_rotation(case: Case) -> None:
    """The content of a run is dropped in the name of a rotation that nobody signed."""
    run_id = case.pick()[1]
    text = f"remit/rotation/{log_id(case.connection)}\n1\ntime 1\nrun 9 {run_id}\n"
    signature = "\u2014 remit-audit " + "A" * 92 + "\n"
    case.connection.execute("INSERT INTO rotations VALUES (1, ?)", ((text + "\n" + signature).encode(),))
    for row in case.run(run_id):
        row[5] = row[6] = None


FOUND: dict[str, Callable[[Case], None]] = {
    function.__name__: function
    for function in (cut_log, rewrite_log, flip_checkpoint, drop_checkpoint, pretend_rotation)
}


async def _fill(journal: SqliteJournal) -> None:
    """Interleaved runs, commits of several runs and of one, blobs, an open question."""
    logs = [journal.create(f"run_{number}", RunStarted("agent", "some work")) for number in range(RUNS)]
    for turn in range(TURNS):
        for number, log in enumerate(logs):
            big = "x" * 70_000 if number == 1 and turn in (2, 5) else "x" * (1 + turn)
            log.append(Reflected(turn * 10 + number, f"found {big} once", "none"))
        if turn % 3 == 0:
            await asyncio.gather(*[log.flush() for log in logs])
    logs[2].append(ASKED)
    for number, log in enumerate(logs):
        if number != 2:
            log.append(RunDone("ok", "done"))
        await log.release("waiting" if number == 2 else "ok")
    await journal.aclose()


async def fill_in_turn(journal: SqliteJournal) -> None:
    """Runs one after the other."""
    for number in range(RUNS):
        log = journal.create(f"run_{number}", RunStarted("agent", "some work"))
        for turn in range(TURNS):
            big = "x" * 70_000 if turn == 2 else "x" * (1 + turn)
            log.append(Reflected(turn * 10 + number, f"found {big} once", "none"))
            await log.flush()
        log.append(RunDone("ok", "done"))
        await log.release("ok")
    await journal.aclose()


def make(
    folder: Path, fill: Callable[[SqliteJournal], Coroutine[Any, Any, None]] = _fill
) -> tuple[bytes, str, AuditPlace]:
    """(image of a journal, its path, where its key and kept head lie)."""
    path, place = folder / "journal.db", AuditPlace(str(folder / "audit"))
    asyncio.run(fill(SqliteJournal(path, CountingClock(), audit=place)))
    packed = folder / "packed.db"
    connection = apsw.Connection(str(path))
    connection.execute("VACUUM INTO ?", (str(packed),))
    connection.close()
    image = bytearray(packed.read_bytes())
    image[18:20] = b"\1\1"  # a database in memory has no WAL. Source: sqlite.org/fileformat.html, 1.3.3
    return bytes(image), str(path.resolve()), place


def attack(image: bytes, path: str, place: AuditPlace, kind: str, rng: random.Random) -> tuple[list[str], Where | None]:
    """(problems found, the record that must be named)."""
    case = Case(image, rng)
    where = LOCATED[kind](case) if kind in LOCATED else FOUND[kind](case)
    case.write()
    problems = verify_file(case.connection, path, place).problems
    case.connection.close()
    return problems, where


def main(edits: int, seed: int) -> dict[str, Any]:
    """Attack `edits` times; the figures."""
    rng = random.Random(seed)
    kinds = [*LOCATED, *FOUND]
    tried, found, located, missed = Counter[str](), 0, 0, []
    with tempfile.TemporaryDirectory() as folder:
        image, path, place = make(Path(folder))
        intact = attack_free(image, path, place)
        for number in range(edits):
            kind = kinds[number % len(kinds)]
            problems, where = attack(image, path, place, kind, rng)
            named = where is None or any(f"run {where[0]} seq {where[1]}:" in problem for problem in problems)
            tried[kind] += 1
            found += bool(problems)
            located += bool(problems) and named
            if not problems or not named:
                missed.append((kind, where, problems[:3]))
    figures = {"edits": edits, "found": found, "located": located, "intact": intact, "kinds": dict(tried)}
    return figures | ({"missed": missed[:5]} if missed else {})


def attack_free(image: bytes, path: str, place: AuditPlace) -> bool:
    """Whether the file without an attack has no problems: a check that accuses everything proves nothing."""
    case = Case(image, random.Random(0))
    case.write()
    return verify_file(case.connection, path, place).problems == []


if __name__ == "__main__":
    numbers = [int(text) for text in sys.argv[1:3]]
    result = main(*(numbers + [10_000, 7][len(numbers) :]))
    print(json.dumps(result))
    sys.exit(not (result["intact"] and result["found"] == result["located"] == result["edits"]))
