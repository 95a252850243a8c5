"""`remit audit export | tail`: the decisions of the log, in its order."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import apsw
from msgspec import structs

from remit import __version__
from remit.cli import _output
from remit.cli._audit_verify import stored
from remit.cli._open import find_run
from remit.errors import Invalid
from remit.journal.export_formats import CSV_HEADER, cef_line, csv_line, json_data, ocsf_data
from remit.journal.log_reader import DecisionReader, read_log
from remit.journal.projections.decisions import KINDS, Decision
from remit.journal.proofs import bundle
from remit.journal.signing_key import trusted_keys
from remit.journal.sinks import CompositeSink, FileSink, Selection, Sink, SqliteSink, ship
from remit.journal.sqlite import StoredJournal

POLL_S: Final = 0.25
_UNITS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_AGE: Final = re.compile(r"(\d{1,9})([smhd])")
Write = Callable[[int, Decision], None]

_WRITERS: Final[dict[str, Write]] = {
    "jsonl": lambda position, decision: _output.json_line(json_data(position, decision)),
    "csv": lambda position, decision: _output.data(csv_line(position, decision)),
    "ocsf": lambda position, decision: _output.json_line(ocsf_data(position, decision, __version__)),
    "cef": lambda position, decision: _output.data(cef_line(position, decision, __version__)),
}


class Filter:
    """Which decisions a command wants."""

    def __init__(self, journal: StoredJournal, args: Any) -> None:
        unknown = set(args.kind or ()) - set(KINDS)
        if unknown:
            raise Invalid("usage_invalid", f"--kind {min(unknown)!r:.40}: one of {', '.join(KINDS)}")
        self.run_id = find_run(journal, args.run) if args.run else ""
        self.kinds = frozenset(args.kind or KINDS)
        self.since_ms = since_ms(args.since, journal.now_ms()) if args.since else 0

    def read(self, connection: apsw.Connection, reader: DecisionReader, after: int) -> Iterator[tuple[int, Decision]]:
        """(position, decision) after a position."""
        for record in read_log(connection, after, self.run_id):
            decision = reader.read(record)
            if decision is not None and decision.kind in self.kinds and decision.time_ms >= self.since_ms:
                yield record.position, decision


def since_ms(text: str, now_ms: int) -> int:
    """Milliseconds since 1970 of an age (`2h`) or an ISO date or time (local unless it names a zone)."""
    age = _AGE.fullmatch(text)
    if age:
        return now_ms - int(age[1]) * _UNITS[age[2]]
    try:
        return round(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise Invalid("usage_invalid", f"--since {text!r:.40}: a date, a time, or an age such as 2h") from None


async def export(journal: Any, args: Any) -> int:
    """Print everything that the filter lets through."""
    found = stored(journal)
    wanted = Filter(found, args)
    with found.reading() as connection:
        if args.format == "bundle":
            if args.since or args.kind:
                raise Invalid("usage_invalid", "a bundle takes --run only: what is left out could not be verified")
            for line in bundle(connection, wanted.run_id, trusted_keys(found.audit)):
                _output.json_line(line)
            return 0
        if args.format == "csv":
            _output.data(CSV_HEADER)
        write = _WRITERS[args.format]
        for position, decision in wanted.read(connection, DecisionReader(connection, found.opened), 0):
            write(position, decision)
    return 0


async def tail(journal: Any, args: Any) -> int:
    """Print the newest decisions; with --follow until it is interrupted."""
    found = stored(journal)
    if args.to:
        return await _ship(found, args)
    wanted = Filter(found, args)
    if args.alerts:
        return await _alerts(found, wanted, args)
    if args.lines < 0:
        raise Invalid("usage_invalid", f"--lines {args.lines}: a number from 0 is needed")
    with found.reading() as connection:
        reader = DecisionReader(connection, found.opened)
        newest: list[tuple[int, Decision]] = []
        after = 0
        for position, decision in wanted.read(connection, reader, 0):
            after = position
            newest.append((position, decision))
            if len(newest) > args.lines:
                del newest[0]
        for position, decision in newest:
            _show(position, decision, args.json)
        while args.follow:
            await asyncio.sleep(POLL_S)
            for position, decision in wanted.read(connection, reader, after):
                after = position
                _show(position, decision, args.json)
    return 0


async def _alerts(journal: StoredJournal, wanted: Filter, args: Any) -> int:
    """Print the alerts of the log; with --follow those to come as well."""
    from remit.journal.alerts import Alerts

    alerts, after = Alerts(), 0
    with journal.reading() as connection:
        reader = DecisionReader(connection, journal.opened)
        while True:
            for position, decision in wanted.read(connection, reader, after):
                after = position
                for alert in alerts.feed(position, decision):
                    _show_alert(alert, args.json)
            if not args.follow:
                return 0
            await asyncio.sleep(POLL_S)


def _show_alert(alert: Any, as_json: bool) -> None:
    if as_json:
        _output.json_line({"type": "alert", **structs.asdict(alert)})
        return
    when = datetime.fromtimestamp(alert.time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    _output.data(f"{when} {alert.name}: {alert.why} ({alert.count} in a minute; {alert.run_id})")


async def _ship(journal: StoredJournal, args: Any) -> int:
    """Send what the sinks do not have yet; with --follow what comes later, too."""
    if args.run or args.kind or args.since:
        raise Invalid("usage_invalid", "--to takes --level and --redact; it sends every record from where it stopped")
    selection = Selection(args.level, tuple(args.redact or ())).check()
    sink = CompositeSink([_sink(text, journal) for text in args.to])
    with journal.reading() as connection:
        reader = DecisionReader(connection, journal.opened)
        sent = ship(connection, sink, selection, reader)
        while args.follow:
            await asyncio.sleep(POLL_S)
            sent += ship(connection, sink, selection, reader)
    if args.json:
        _output.json_line({"type": "result", "status": "ok", "sent": sent})
    else:
        _output.say(f"{sent} record(s) sent")
    return 0


def _sink(text: str, journal: StoredJournal) -> Sink:
    kind, _, path = text.partition(":")
    if path and kind == "jsonl":
        return FileSink(path, journal.now_ms)
    if path and kind == "sqlite":
        return SqliteSink(path)
    if path and kind == "webhook":
        from remit.cli._webhook import WebhookSink
        from remit.config import state_folder
        from remit.journal.proofs import newest_note

        def checkpoint() -> str:
            with journal.reading() as connection:
                return newest_note(connection)

        return WebhookSink(path, str(state_folder()), checkpoint)
    raise Invalid("usage_invalid", f"--to {text!r:.80}: jsonl:FILE, sqlite:FILE or webhook:URL")


def _show(position: int, decision: Decision, as_json: bool) -> None:
    if as_json:
        _output.json_line(json_data(position, decision))
        return
    when = datetime.fromtimestamp(decision.time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    what = f"{decision.kind} {decision.effect}".strip()
    why = " ".join(part for part in (decision.rule, decision.reason) if part)
    _output.data(
        _output.one_line(f"{when} {decision.run_id} {decision.seq} {decision.actor} {what}: {decision.decision} {why}")
    )
