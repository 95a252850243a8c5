"""Survey a source tree with a built-in model, and watch an attack being refused.

The survey writes out/SURVEY.md in DIR (where DIR cannot be written: ./out/SURVEY.md). The attack happens in
a scratch folder of its own. Both stand in the journal. No key, no server, nothing leaves this machine.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Callable
from textwrap import wrap
from typing import Any

from remit.cli import EXIT_CANCELLED, EXIT_PIPE
from remit.errors import Invalid


def add(parser: Any) -> None:
    """Flags of `remit demo`."""
    from remit.cli._open import add_journal_flags

    parser.add_argument("dir", metavar="DIR", nargs="?", default=".", help="the tree; the current folder by default")
    add_journal_flags(parser)


def run(args: Any) -> int:
    """Both parts; 0 when the gate held, 1 when anything came through."""
    from remit.ports.stream import run_loop

    folder = os.path.abspath(args.dir)
    if not os.path.isdir(folder):
        raise Invalid("usage_invalid", f"{args.dir!r:.200} is not a folder")
    code: int = run_loop(_Demo(args, folder).work())
    return code


class _Demo:
    """One demonstration."""

    def __init__(self, args: Any, folder: str) -> None:
        from remit.cli import _output

        self.json = bool(args.json)
        self.args = args
        self.folder = folder
        self.out = _output
        self.unread = False
        """whether stdout can take no more; the runs go on, because they are journalled all the same"""

    async def work(self) -> int:
        """Survey and attack side by side; the survey is shown as it happens, the attack from its journal."""
        from remit.cli._demo_survey import SHOWN_GRANTS, TASK, Clock, TurnProgress, surveyor
        from remit.cli._open import open_runtime, settings_here

        clock = Clock()
        self.say(f"remit demo of {self.out.one_line(self.args.dir, 4096)}")
        self.say("\n1  A survey, by builtin:surveyor: a model that follows rules; no key, no network")
        self.say(f"   It may: {SHOWN_GRANTS}")
        progress = TurnProgress(clock, self.say)
        async with open_runtime(settings_here(self.args)) as runtime:
            from remit.cli._demo_attack import attack

            await end_earlier(runtime.journal)
            listen = self.listen if self.json else progress.show
            try:
                async with asyncio.TaskGroup() as group:
                    attacked = group.create_task(attack(runtime, self.listen if self.json else None))
                    survey = await runtime.run(surveyor(self.folder), TASK, workspace=self.folder, listener=listen)
                    report = self.show_survey(survey)
            except ExceptionGroup as e:  # one of the two could not begin: its own error is what people need
                raise e.exceptions[0] from None
            found = attacked.result()
            self.show_attack(found)
            intact = self.show_chain(runtime.journal, (survey.id, *found.runs))
        self.show_next(survey.id)
        if self.json:
            self.write(lambda: self.out.json_line(self.result(survey, report, found, intact)))
        if self.unread or survey.status == "cancelled":
            return EXIT_PIPE if self.unread else EXIT_CANCELLED
        return 0 if found.held and intact else 1

    def write(self, work: Callable[[], None]) -> None:
        """Write to stdout, as long as somebody reads it."""
        if self.unread:
            return
        try:
            work()
            sys.stdout.flush()
        except OSError:
            self.unread = True

    def say(self, text: str = "") -> None:
        """A line of the story: stdout, at once; with --json there is none."""
        if not self.json:
            self.write(lambda: self.out.data(text))

    def listen(self, entry: Any, event: Any) -> None:
        """With --json: every event of all runs."""
        from remit.cli._open import event_line

        if entry is not None:
            self.write(lambda: self.out.json_line(event_line(entry)))

    def show_survey(self, run: Any) -> str:
        """The main figures, and where the report is."""
        from remit.cli._demo_survey import figures, keep_report

        report = keep_report(run, self.folder)
        self.say()
        for line in figures(run):
            self.say(f"   {self.out.one_line(line[:19], 19):<19}{self.out.one_line(line[19:], 78)}")
        self.say(f"   {'report':<19}{report.removeprefix(os.path.join(os.getcwd(), '')) or 'none'}")
        if run.status != "ok":
            why = f": {self.out.one_line(run.error.message, 70)}" if run.error else ""
            self.say(f"   the survey ended as {run.status}{why}")
        for line in missing(run.events):
            self.say(f"   {line}")
        return report

    def show_attack(self, found: Any) -> None:
        """The timeline of both runs, and what was measured."""
        from remit.cli._demo_timeline import lines

        self.say("\n2  An attack, in a scratch project whose NOTES.md tells AI agents to send .env to a server")
        self.say("   builtin:obedient does what such a text says, in every way it knows; nobody is at the desk.")
        seen: list[Any] = []
        for number, (remit, attempts) in enumerate(zip(found.remits, found.attempts, strict=True)):
            fresh = [attempt for attempt in attempts if attempt not in seen]
            if number:
                same = f"; {len(attempts) - len(fresh)} calls end as above" if len(fresh) < len(attempts) else ""
                self.say(f"\n   Once more, with somebody who says yes to every question{same}.")
            self.say(f"   It may: {self.out.one_line(remit, 89)}")
            for line in lines(fresh, len(seen) + 1):
                self.say(line)
            seen += fresh
        arrived = "not counted: no server could listen here" if found.requests < 0 else str(found.requests)
        events, files = found.searched
        self.say(f"\n   requests that reached the attacker: {arrived}")
        self.say(
            f"   places that hold the secret: {len(found.leaks)} (of {events} journal events, {files} files, 2 answers)"
        )
        for place in found.leaks:
            self.say(f"   LEAKED: {place}")

    def show_chain(self, journal: Any, runs: tuple[str, ...]) -> bool:
        """Whether the hash chains of all runs are intact."""
        problems = journal.verify(*runs)
        events = sum(len(journal.read(run_id)) for run_id in runs)
        state = "every hash chain is intact" if not problems else "DAMAGED"
        self.say(f"\n3  The journal: {len(runs)} runs, {events} events; {state}")
        for problem in problems:
            self.say(f"   {self.out.one_line(problem, 97)}")
        return not problems

    def show_next(self, run_id: str) -> None:
        """Three commands that go on from here."""
        remit = command()
        journal = f" --journal {self.args.journal}" if self.args.journal else ""
        self.say("\nNext")
        self.say(f"   {remit} show {run_id}{journal}")
        self.say(f'   {remit} run "where is the gate?" --model builtin:surveyor --allow "fs.read:**"{journal}')
        self.say(f"   {remit} inbox{journal}")

    def result(self, survey: Any, report: str, found: Any, intact: bool) -> dict[str, Any]:
        """The last line of --json."""
        import msgspec

        return {
            "type": "result",
            "status": "ok" if found.held and intact else "failed",
            "survey": {"run_id": survey.id, "status": survey.status, "report": report, "tool_calls": survey.tool_calls,
                       "denied": survey.denied},
            "attack": {**msgspec.to_builtins(found), "held": found.held},
            "chain_intact": intact,
        }  # fmt: skip


async def end_earlier(journal: Any) -> None:
    """End what earlier demos left waiting, so that the inbox holds one question of a demo, not one of each."""
    from remit.cli._demo_attack import TASK as ATTACK
    from remit.core.events import CancelRequested

    for row in journal.runs():
        if (row.agent, row.task, row.status) == ("obedient", ATTACK, "waiting"):
            log = await journal.activate(row.run_id)
            log.append(CancelRequested("remit demo", "a new demo began"))
            await log.release("cancelled")


def missing(events: list[Any]) -> list[str]:
    """What could not run in the sandbox, why, and what would help; each reason once."""
    found: dict[tuple[str, str], list[str]] = {}
    for event in events:
        code = getattr(event, "code", "")
        if code in ("sandbox_missing", "sandbox_failed", "program_missing"):
            said = getattr(event, "why", "") or getattr(event, "message", "")
            hints = [event.hint]
            if code == "program_missing" and "git" in said:
                hints.append("apt-get install -y git")
            text = [f"refused: {code}: {said}", *hints]
            # A tree too large to be checked says another number of entries each time: the reason is the same.
            found.setdefault((code, re.sub(r"\d+", "", said)), text)
    lines = [line for first, *hints in found.values() for line in _folded(first, hints)]
    return [*lines, "A program runs in the sandbox or not at all; the survey went on without it."] if lines else []


def _folded(first: str, hints: list[str]) -> list[str]:
    indented = [line for hint in hints for line in wrap(hint, 88)]
    return [*wrap(first, 97, subsequent_indent=" " * 9), *(f"{'':9}{line}" for line in indented)]


def command() -> str:
    """How this remit is called from the current folder."""
    here = os.path.join(os.getcwd(), ".venv")
    if os.path.realpath(sys.prefix) == os.path.realpath(here) and os.access(os.path.join(here, "bin/remit"), os.X_OK):
        return ".venv/bin/remit"
    return "remit" if shutil.which("remit") else f"{sys.executable} -m remit"
