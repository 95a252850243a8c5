"""The check of the log on files that somebody wrote by hand: problems, bounded, and never anything else."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import apsw

from remit.journal.audit import verify_file
from remit.journal.log_check import MAX_PROBLEMS, LogCheck
from remit.journal.signing_key import AuditPlace, trusted_keys
from security import audit_edits

NUMBERS: list[Any] = [-1, 0, 1, 7, 2**31, 2**62, -(2**62)]
BLOBS: list[Any] = [b"", b"\0", b"[]", b"[1]", b'["\xff"]', b"[" * 5_000, bytes(31), bytes(32), bytes(14), bytes(4096)]
TEXTS: list[Any] = ["", "run_1", "x" * 5_000, "\u202e\x1b[31m"]
COLUMNS: dict[str, dict[str, list[Any]]] = {
    "checkpoints": {
        **dict.fromkeys(("after", "size", "at_ms"), NUMBERS),
        **dict.fromkeys(("leaves", "peaks", "places", "begun", "signature"), BLOBS),
    },
    "events": {
        **dict.fromkeys(("position", "seq", "epoch", "at_ms"), NUMBERS),
        **dict.fromkeys(("body", "hash"), BLOBS),
        "run_id": TEXTS,
    },
    "rotations": {"number": NUMBERS, "note": BLOBS},
    "meta": {"value": TEXTS},
}


def test_hostile_rows_are_problems(tmp_path: Path) -> None:
    """400 files with values that remit never writes: each has problems, at most a bounded number, and none raises."""
    image, path, place = audit_edits.make(tmp_path)
    rng = random.Random(8)
    counts = []
    for _ in range(400):
        connection = apsw.Connection(":memory:")
        connection.deserialize("main", image)
        connection.execute("INSERT INTO rotations VALUES (1, x'00')")
        for _ in range(rng.randrange(1, 4)):
            table = rng.choice(list(COLUMNS))
            column = rng.choice(list(COLUMNS[table]))
            where = "" if rng.random() < 0.2 else f" WHERE rowid = {rng.randrange(1, 12)}" if table != "meta" else ""
            try:
                value = rng.choice(COLUMNS[table][column])
                connection.execute(f"UPDATE {table} SET {column} = ?{where}", (value,))
            except apsw.ConstraintError:
                continue  # the table itself refuses it
        counts.append(len(verify_file(connection, path, place).problems))
        connection.close()
    assert min(counts) >= 1
    assert max(counts) <= MAX_PROBLEMS + 1 + 22 * audit_edits.RUNS + 40


def test_one_run_is_checked_from_where_it_began(tmp_path: Path) -> None:
    """Runs one after the other: whatever is done to one is found by its own check, which leaves the older log alone."""
    image, path, place = audit_edits.make(tmp_path, audit_edits.fill_in_turn)
    rng = random.Random(5)
    for kind, attack in audit_edits.LOCATED.items():
        for _ in range(8):
            case = audit_edits.Case(image, rng)
            run_id, seq = attack(case)
            case.write()
            problems = verify_file(case.connection, path, place, (run_id,)).problems
            assert any(f"run {run_id} seq {seq}:" in problem for problem in problems), (kind, run_id, seq, problems)
            case.connection.close()
    connection = apsw.Connection(":memory:")
    connection.deserialize("main", image)
    for run_ids, begins in (
        (("run_0",), False),
        (("run_4",), True),
        (("run_4", "run_3"), True),
        (("run_4", "run_0"), False),
    ):
        check = LogCheck(connection, trusted_keys(place), run_ids)
        check.checkpoints()
        assert (check._from > 0, check.problems) == (begins, [])
        assert verify_file(connection, path, place, run_ids).problems == []
    connection.execute("UPDATE checkpoints SET signature = zeroblob(68)")
    assert any("signature" in problem for problem in verify_file(connection, path, place, ("run_4",)).problems)
    connection.close()


def test_many_problems_are_counted_and_not_listed(tmp_path: Path) -> None:
    """A log whose every record was changed gives MAX_PROBLEMS texts and a number."""
    image, path, place = audit_edits.make(tmp_path)
    connection = apsw.Connection(":memory:")
    connection.deserialize("main", image)
    connection.execute("DELETE FROM checkpoints")
    copies = (
        "INSERT INTO events SELECT position + {0}, 'copy_{0}', seq + 100, epoch, at_ms, body, blob, hash FROM events"
    )
    for number in (1000, 2000):
        connection.execute(copies.format(number) + " WHERE run_id = 'run_1'")
    connection.execute("UPDATE events SET position = position + 5000")
    problems = verify_file(connection, path, place).problems
    assert sum("no checkpoint signs" in problem for problem in problems) <= MAX_PROBLEMS
    connection.close()


def test_without_a_known_key_nothing_is_taken_for_signed(tmp_path: Path) -> None:
    """Another machine without keys.pub: not intact, and the first problem says what is missing."""
    image, path, _ = audit_edits.make(tmp_path)
    connection = apsw.Connection(":memory:")
    connection.deserialize("main", image)
    verdict = verify_file(connection, path, AuditPlace(str(tmp_path / "nowhere")))
    assert verdict.problems[0] == "log: no public key is known here; name it with --key, it stands in the audit folder"
    connection.close()
