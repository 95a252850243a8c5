"""`remit audit verify | proof | key | rotate | verifier`."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import Any, Final

from msgspec.structs import replace

from remit.cli import EXIT_OF_FAMILY, _output
from remit.cli._open import find_run
from remit.errors import Conflict, Invalid, Unavailable
from remit.journal.audit import Verdict, verify_file
from remit.journal.notes import key_text
from remit.journal.proofs import archive, consistency_proof, inclusion_proof
from remit.journal.rotation import RUNS_A_NOTE, drop, old_runs
from remit.journal.signing_key import AuditPlace, trusted_keys
from remit.journal.sqlite import StoredJournal

SAY_AFTER_S: Final = 1.0
DAY_MS: Final = 86_400_000
WINDOW: Final = "0 records: each commit is signed, a copy of its checkpoint outside the file follows it"
WITNESS_WINDOW: Final = "a witness file trails by at most 100 records or 1 s"


def stored(journal: Any) -> StoredJournal:
    """The journal, when it is in a file."""
    if not isinstance(journal, StoredJournal):
        raise Invalid("value_invalid", "a journal in memory has no audit log", hint="Give a file with --journal")
    return journal


async def verify(journal: Any, args: Any) -> int:
    """Check and say what was found."""
    found = stored(journal)
    run_ids = (find_run(found, args.run),) if args.run else ()
    place = replace(found.audit, keys=tuple(args.key or ()), witness=args.witness or found.audit.witness)
    if args.witness:
        _check_file(args.witness)
    trusted_keys(place)  # a key that is none is a mistake of the command, not of the journal
    progress = _Progress("chains checked")
    with found.reading() as connection:
        verdict = verify_file(connection, found.path, place, run_ids, progress.tick)
    count = len(verdict.problems)
    error = Conflict("chain_broken", f"{count} problem(s) in the journal") if count else None
    if args.json:
        for problem in verdict.problems:
            _output.json_line({"type": "problem", "text": problem})
        _output.json_line(_result(verdict, place, error))
    else:
        for problem in verdict.problems:
            _output.data(problem)
        if error is None:
            _say_intact(verdict, place)
    if error is not None:
        _output.say_error(error)
        return EXIT_OF_FAMILY[error.family]
    return 0


def _check_file(path: str) -> None:
    if not os.path.isfile(path):
        raise Invalid("value_invalid", f"there is no witness file {path!r:.120}")


def _result(verdict: Verdict, place: AuditPlace, error: Conflict | None) -> dict[str, Any]:
    return {
        "type": "result",
        "status": "failed" if error else "ok",
        "intact": error is None,
        "problems": len(verdict.problems),
        "runs": verdict.runs,
        "records": verdict.records,
        "checkpoints": verdict.checkpoints,
        "newest_ms": verdict.at_ms,
        "kept_outside": verdict.kept,
        "unprotected_records": 0,
        "keys": [key_text(public) for public in trusted_keys(place).values()],
        "error": error.for_user() if error else None,
    }


def _say_intact(verdict: Verdict, place: AuditPlace) -> None:
    _output.data(f"intact: {verdict.runs} run(s)")
    if not verdict.records:
        return
    _output.data(f"records: {verdict.records}, all signed, {verdict.checkpoints} checkpoint(s)")
    _output.data(f"checkpoint outside the file: {verdict.kept} record(s)")
    for public in trusted_keys(place).values():
        _output.data(f"key: {key_text(public)}")
    _output.data(f"unprotected window: {WINDOW}; {WITNESS_WINDOW}")


async def proof(journal: Any, args: Any) -> int:
    """Print a proof."""
    found = stored(journal)
    keys = trusted_keys(found.audit)
    if args.between:
        if args.run or len(args.between) > 2:
            raise Invalid("usage_invalid", "--between takes the sizes of one or two checkpoints, and no RUN")
        old, new = args.between[0], args.between[1] if len(args.between) > 1 else None
        with found.reading() as connection:
            _output.json_line(consistency_proof(connection, old, new, keys))
        return 0
    if not args.run or args.seq is None:
        raise Invalid("usage_invalid", "a proof needs RUN and SEQ, or --between SIZE [SIZE]")
    run_id = find_run(found, args.run)
    with found.reading() as connection:
        _output.json_line(inclusion_proof(connection, run_id, args.seq, keys))
    return 0


async def key(journal: Any, args: Any) -> int:
    """Print the public keys."""
    names = [key_text(public) for public in trusted_keys(stored(journal).audit).values()]
    if args.json:
        _output.json_line({"type": "result", "status": "ok", "keys": names})
    else:
        for name in names:
            _output.data(name)
        if not names:
            _output.say("There is no key yet: it is made with the first record.")
    return 0


async def rotate(journal: Any, args: Any) -> int:
    """Drop the content of old runs, after archiving it."""
    found = stored(journal)
    if not 0 <= args.keep_days <= 100_000:
        raise Invalid("usage_invalid", f"--keep-days {args.keep_days:g}: a number from 0 to 100000 is needed")
    now_ms = found.now_ms()
    with found.reading() as connection:
        runs = old_runs(connection, now_ms - round(args.keep_days * DAY_MS))
    events = sum(count for _, count in runs)
    if runs and not args.dry_run:
        if args.archive:
            _archive(found, [run_id for run_id, _ in runs], args.archive)
        progress = _Progress("runs rotated")
        for at in range(0, len(runs), RUNS_A_NOTE):
            part = runs[at : at + RUNS_A_NOTE]
            await found.writer.call(partial(drop, runs=part, at_ms=now_ms))
            if found.snapshots is not None:  # they go when a run ends, unless its process was killed then
                found.snapshots.drop(*[run_id for run_id, _ in part])
            progress.tick(at + len(part))
    if args.json:
        dropped = not args.dry_run
        _output.json_line({"type": "result", "status": "ok", "runs": len(runs), "events": events, "dropped": dropped})
    else:
        word = "would be dropped" if args.dry_run else "dropped"
        _output.data(f"content of {len(runs)} run(s), {events} event(s) {word}; hashes and checkpoints stay")
    return 0


def _archive(journal: StoredJournal, runs: list[str], path: str) -> None:
    """Write the records of `runs` as a bundle, gzip, durable before anything is dropped; a new file only."""
    import gzip

    import msgspec

    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as raw:
            with journal.reading() as connection, gzip.GzipFile("", "wb", 6, raw, 0) as packed:
                for line in archive(connection, runs, trusted_keys(journal.audit)):
                    packed.write(msgspec.json.encode(line) + b"\n")
            raw.flush()
            os.fsync(descriptor)
    except FileExistsError:
        raise Invalid("value_invalid", f"the archive exists: {path!r:.120}", hint="Name a new file.") from None
    except OSError as error:
        raise Unavailable("disk_failed", f"the archive: {error.strerror}: {path!r:.120}") from None


def print_verifier() -> int:
    """Print the offline verifier's source."""
    from remit.journal import offline_verifier

    with open(offline_verifier.__file__, encoding="utf-8") as file:
        for line in file:
            _output.data(line.rstrip("\n"))
    return 0


class _Progress:
    """Says how far it is, once a second, when it takes longer than one."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._next = time.monotonic() + SAY_AFTER_S

    def tick(self, count: int) -> None:
        """`count` are done."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + SAY_AFTER_S
            _output.say(f"{count} {self._what} ...", "dim")
