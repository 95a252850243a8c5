"""What verbs open: the settings, the journal, a run by id or prefix."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from remit.config import POSTGRES, Settings, load
from remit.errors import Invalid
from remit.ports.journal import Entry, Journal

MAX_LISTED_RUNS = 100_000


def add_journal_flags(parser: Any) -> None:
    """--json and --journal."""
    parser.add_argument("--json", action="store_true", help="NDJSON on stdout, one final result line")
    parser.add_argument(
        "--journal", metavar="SPEC", help="sqlite:PATH or postgres://...; by default the user's own journal"
    )


def journal_spec(path: str) -> str:
    """`sqlite:PATH` of a configured path; what names a kind of journal stays (the journal refuses unknown ones)."""
    kind, colon, _ = path.partition(":")
    return path if colon and kind.isalpha() else f"sqlite:{os.path.expanduser(path)}"


def journal_of(settings: Settings, tenant: str = "") -> str:
    """The spec of the configured journal, with its password's reference and its tenant where it is in Postgres."""
    spec = journal_spec(settings["journal.path"])
    if not spec.startswith(POSTGRES):
        return spec
    from urllib.parse import quote

    given = {"password": settings["journal.password"], "tenant": tenant or settings["journal.tenant"]}
    for name, value in given.items():
        if value and f"?{name}=" not in spec and f"&{name}=" not in spec:
            spec += f"{'&' if '?' in spec else '?'}{name}={quote(value, safe=':/')}"
    return spec


def settings_here(args: Any) -> Settings:
    """The settings of the current folder, with the flags of a verb that reads the journal."""
    return load(os.getcwd(), {"journal.path": args.journal})


@asynccontextmanager
async def open_runtime(settings: Settings, **options: Any) -> AsyncIterator[Any]:
    """A runtime on the configured journal."""
    from remit.guard.screening import Screening
    from remit.models.handle import made_setup
    from remit.runtime import Runtime

    options.setdefault("setup", made_setup(settings))
    options.setdefault("encryption", settings.encryption)
    options.setdefault("screening", Screening(settings.guardrails, second_factor=settings.second_factor))
    options.setdefault("witness", settings["journal.witness"])
    async with Runtime(journal_of(settings, options.pop("tenant", "")), tune_gc=False, **options) as runtime:
        runtime.outside.leak_guard = settings.leak_guard
        runtime.outside.mcp_servers = settings["mcp"]
        yield runtime


def open_ruled(settings: Settings) -> Any:
    """The same for a verb that makes effects for a person: the settings' policies and limits hold for it."""
    from remit.guard.policy import rulebook_of

    return open_runtime(settings, limits=settings.limits, rulebook=rulebook_of(settings))


def with_journal(args: Any, work: Callable[[Journal], Awaitable[int]]) -> int:
    """Run `work(journal)` on the configured journal."""
    from remit.ports.stream import run_loop

    settings = settings_here(args)

    async def main() -> int:
        async with open_runtime(settings) as runtime:
            return await work(runtime.journal)

    code: int = run_loop(main())
    return code


def find_run(journal: Journal, text: str) -> str:
    """The run id that `text` stands for: an id, a unique beginning of one (with or without run_), or `last`."""
    runs = journal.runs(MAX_LISTED_RUNS)
    ids = [row.run_id for row in runs]
    if text == "last":
        if not ids:
            raise Invalid("run_unknown", "there are no runs yet")
        return next((row.run_id for row in runs if not row.parent), ids[0])
    if text in ids:
        return text
    found = [run_id for run_id in ids if text and run_id.startswith((text, f"run_{text}"))]
    if len(found) == 1:
        return found[0]
    if found:
        shown = ", ".join(found[:5])
        raise Invalid("run_unknown", f"{text!r:.60} begins {len(found)} run ids: {shown}", hint="Give more characters.")
    raise Invalid("run_unknown", f"no run {text!r:.60}")


def find_item(journal: Journal, text: str) -> Any:
    """The open inbox row that `text` stands for: an id or a unique beginning of one."""
    rows = journal.inbox()
    exact = [row for row in rows if row.id == text]
    found = exact or [row for row in rows if text and row.id.startswith(text)]
    if len(found) == 1:
        return found[0]
    if found:
        raise Invalid("item_unknown", f"{text!r:.60} begins {len(found)} items", hint="Give more characters.")
    return None


def event_line(entry: Entry) -> bytes:
    """A journal event as a JSON object with its place: run_id, seq, at_ms, then the event's own fields."""
    return b'{"run_id":"%s","seq":%d,"at_ms":%d,' % (entry.run_id.encode(), entry.seq, entry.at_ms) + entry.body[1:]
