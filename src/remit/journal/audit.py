"""Verification of a journal file: every chain, its blobs, its anchors, and the projections beside it.

One read transaction a run, so a busy journal can be verified while it is written; entries are streamed.
Problems are texts that name the run, the seq and the reason. See verify.py for what no chain can show.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import apsw

from remit.errors import RemitError
from remit.journal.heads import FINAL, MAX_TASK, PARKED, Head
from remit.journal.schema import check_schema, disk_error, read_entries
from remit.journal.verify import RunCheck

MAX_LISTED: Final = 20  # rows named by one file-wide check


def verify_file(connection: apsw.Connection, path: str, run_id: str = "") -> list[str]:
    """Problems of one run, or (run_id "") of the whole file; empty = intact."""
    problems: list[str] = []
    try:
        check_schema(connection, path)
        runs = [run_id] if run_id else _run_ids(connection)
        for each in runs:
            problems += verify_run(connection, each)
        if not run_id:
            problems += _file_problems(connection)
    except apsw.Error as error:
        problems.append(disk_error(error, path).message)
    except RemitError as error:
        problems.append(error.message)
    return problems


def verify_run(connection: apsw.Connection, run_id: str) -> list[str]:
    """Problems of one run."""
    connection.execute("BEGIN")
    try:
        check = RunCheck(run_id)
        for entry, blob, gone in read_entries(connection, run_id):
            check.stored(entry, blob, gone)
        _check_anchors(connection, check)
        if check.head is not None:
            _check_inbox(connection, check, check.head)
        return check.finish()
    finally:
        connection.execute("COMMIT")


def _run_ids(connection: apsw.Connection) -> list[str]:
    # Ids only; events without a runs row are a problem of their own, so both tables are asked.
    found = connection.execute("SELECT run_id FROM runs UNION SELECT DISTINCT run_id FROM events ORDER BY 1")
    return [run_id for (run_id,) in found]


def _check_anchors(connection: apsw.Connection, check: RunCheck) -> None:
    row = connection.execute(
        "SELECT seq, hash, epoch, updated_ms, agent, task, parent, started_ms, status FROM runs WHERE run_id = ?",
        (check.run_id,),
    ).fetchone()
    last = check.last
    if row is None:
        check.problem(last.seq if last else 0, "the run has events but no row in runs")
        return
    if last is None:
        return
    if row[0] != last.seq:
        check.problem(last.seq, f"the run ends at seq {last.seq}, its anchor says {row[0]}")
    if row[1] != last.hash:
        check.problem(last.seq, "the last hash is not the run's anchor")
    if row[2] != last.epoch:
        check.problem(last.seq, f"the run is in epoch {last.epoch}, its anchor says {row[2]}")
    if row[3] != last.at_ms:
        check.problem(last.seq, "runs.updated_ms is not the time of the last event")
    if check.head is not None:
        _check_row(check, check.head, row[4:], last.seq)


def _check_row(check: RunCheck, head: Head, row: Sequence[Any], last_seq: int) -> None:
    """The list fields of `runs`: (agent, task, parent, started_ms, status)."""
    for name, found, right in zip(
        ("agent", "task", "parent", "started_ms"),
        row[:4],
        (head.agent, head.task[:MAX_TASK], head.parent, head.started_ms),
        strict=True,
    ):
        if found != right:
            check.problem(1, f"runs.{name} is not what run_started says")
    expected = (head.status,) if head.status in FINAL else tuple(sorted(PARKED))
    if row[4] not in expected:
        check.problem(last_seq, f"runs.status is {row[4]!r:.20}, the events say {' or '.join(expected)}")


def _check_inbox(connection: apsw.Connection, check: RunCheck, head: Head) -> None:
    rows = connection.execute("SELECT item, seq, open FROM inbox WHERE run_id = ?", (check.run_id,))
    found = {item: (seq, bool(is_open)) for item, seq, is_open in rows}
    for item in sorted(found.keys() | head.items.keys()):
        right = head.items.get(item)
        if found.get(item) != right:
            check.problem(
                right[0] if right else found[item][0], f"the inbox row of {item!r:.80} is not what the events say"
            )


def _file_problems(connection: apsw.Connection) -> list[str]:
    problems = [
        f"blob {digest.hex()[:16]}: no event refers to it"
        for (digest,) in connection.execute(
            "SELECT hash FROM blobs AS b WHERE NOT EXISTS"
            " (SELECT 1 FROM events AS e WHERE e.blob = b.hash AND e.blob IS NOT NULL) LIMIT ?",
            (MAX_LISTED,),
        )
    ]
    problems += [
        f"run {run_id} seq {seq}: the inbox row of {item!r:.80} belongs to no run"
        for item, run_id, seq in connection.execute(
            "SELECT item, run_id, seq FROM inbox AS i WHERE NOT EXISTS"
            " (SELECT 1 FROM events AS e WHERE e.run_id = i.run_id) LIMIT ?",
            (MAX_LISTED,),
        )
    ]
    check = connection.execute(f"PRAGMA integrity_check({MAX_LISTED})").fetchall()
    problems += [f"the file is damaged: {text}" for (text,) in check if text != "ok"]
    return problems
