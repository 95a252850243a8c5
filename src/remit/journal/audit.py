"""Verification of a journal file: the signed log, every chain, its blobs, its anchors, the projections beside it.

One read transaction for the log and one a run, so a busy journal can be verified while it is written; entries are
streamed. Problems are texts that name the run, the seq and the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import apsw
from msgspec import Struct

from remit.errors import RemitError
from remit.journal.heads import FINAL, MAX_TASK, NUL_SHOWN, PARKED, Head
from remit.journal.landing import end_problems, landed_problems
from remit.journal.log import log_id
from remit.journal.log_check import LogCheck
from remit.journal.rotation import rotated_runs
from remit.journal.schema import check_schema, damage, disk_error, read_entries
from remit.journal.signing_key import AuditPlace, trusted_keys
from remit.journal.verify import RunCheck
from remit.journal.witness import End, KeptEnd, KeptHead, read_witness

MAX_LISTED: Final = 20  # rows named by one file-wide check


class Verdict(Struct):
    """What a verification found."""

    problems: list[str]
    """empty = intact"""
    runs: int = 0
    """chains that were checked"""
    records: int = 0
    """of the log, each under a signature"""
    checkpoints: int = 0
    at_ms: int = 0
    """time of the newest checkpoint; 0 = there is none"""
    kept: int = 0
    """records under the newest checkpoint that was kept outside the file and holds"""


def verify_file(
    connection: apsw.Connection,
    path: str,
    place: AuditPlace,
    run_ids: Sequence[str] = (),
    tick: Callable[[int], None] | None = None,
) -> Verdict:
    """Check these runs with what the log says of them, or (none named) the whole file.

    Args:
        tick: told the number of chains checked so far.
    """
    verdict = Verdict([])
    try:
        # The copies are read first: the file can only be further than they are.
        kept = _kept(place, path, verdict)
        end = KeptEnd(place.folder, path).read()
        check_schema(connection, path)
        rotated = _check_log(connection, place, run_ids, (*kept, end), verdict)
        for each in run_ids or _run_ids(connection):
            verdict.problems += verify_run(connection, each, each in rotated)
            verdict.runs += 1
            if tick is not None:
                tick(verdict.runs)
        if not run_ids:
            verdict.problems += _file_problems(connection)
    except apsw.Error as error:
        verdict.problems.append(disk_error(error, path).message)
    except UnicodeDecodeError:
        verdict.problems.append("the file is damaged: a text is not UTF-8")
    except RemitError as error:
        verdict.problems.append(error.message)
    return verdict


def _kept(place: AuditPlace, path: str, verdict: Verdict) -> tuple[list[bytes], list[bytes]]:
    """The checkpoints that were kept outside the file: (kept head, witness file)."""
    try:
        return KeptHead(place.folder, path).read(), read_witness(place.witness)
    except OSError as error:
        verdict.problems.append(f"the kept checkpoints cannot be read: {error.strerror}")
        return [], []


def _check_log(
    connection: apsw.Connection,
    place: AuditPlace,
    run_ids: Sequence[str],
    kept: tuple[list[bytes], list[bytes], End | None],
    verdict: Verdict,
) -> set[str]:
    """Check the log and the kept checkpoints; returns the runs whose content a signed rotation dropped."""
    keys = trusted_keys(place)
    connection.execute("BEGIN")
    try:
        check = LogCheck(connection, keys, run_ids)
        check.checkpoints()
        check.events()
        verdict.kept = check.kept(kept[0], "kept head")
        if place.witness:
            verdict.kept = max(check.kept(kept[1], "witness"), verdict.kept)
        rotated, faults = rotated_runs(connection, keys)
        verdict.records, verdict.checkpoints, verdict.at_ms = check.size, check.count, check.at_ms
        last, landed = landed_problems(connection, place.folder, check.size)
        landed += end_problems(kept[2], place.folder, log_id(connection), last)
        verdict.problems += [*check.finish(), *faults, *landed]
        return rotated
    finally:
        connection.execute("COMMIT")


def verify_run(connection: apsw.Connection, run_id: str, rotated: bool = False) -> list[str]:
    """Problems of one run."""
    connection.execute("BEGIN")
    try:
        check = RunCheck(run_id, rotated=rotated)
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
        # Postgres cannot hold NUL in a text; the event itself has it.
        if found != right and found != (right.replace("\0", NUL_SHOWN) if isinstance(right, str) else right):
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
    return problems + damage(connection, MAX_LISTED)
