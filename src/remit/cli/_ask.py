"""The terminal approver: asks whoever sits at the terminal; without one it is not used at all.

Answers are read through the event loop, so that a deadline or Ctrl-C ends the question. Only `y` or
`yes` is yes; an empty line, the end of input and everything else are not.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

import msgspec

from remit.cli._output import one_line, say
from remit.config import Settings
from remit.core.forms import describe, form_of, read
from remit.core.screening import NEEDS_CODE
from remit.errors import RemitError
from remit.ports.approver import Answer, Approver
from remit.ports.journal import InboxRow

MAX_LINE_BYTES = 64 * 1024
MAX_TRIES = 5


class TerminalApprover:
    """ports.approver.Approver over stdin and stderr. `read_line` is how a line is read (a test gives its own)."""

    def __init__(self, read_line: Any = None) -> None:
        self._read_line = read_line or read_terminal_line
        self._turn = asyncio.Lock()

    async def ask(self, row: InboxRow) -> Answer | None:
        """Ask until there is an answer; None (stay waiting) when the input ends or nothing fits."""
        async with self._turn:  # one question at a time, though calls run side by side
            say(f"Question {row.question or 'May this call run?'}", "yellow")
            if row.form:
                return await self._value(row)
            say(f"         {row.tool} {_shown(row.arguments, 400)}")
            for _ in range(MAX_TRIES):
                say("         y(es) n(o) e(dit) v(iew)?", "bold")
                line = await self._read_line()
                if line is None:
                    return None
                answer = await self._answer(line.strip(), row)
                if answer is not None:
                    return answer
            return None

    async def _value(self, row: InboxRow) -> Answer | None:
        """What the form of a question asks for."""
        form = form_of(row.form)
        for _ in range(MAX_TRIES):
            say(f"         {describe(form)} (empty: later)", "bold")
            line = await self._read_line()
            if line is None or not line.strip():
                return None
            try:
                return Answer("answered", "terminal", value=read(form, line.rstrip("\n")))
            except RemitError as e:
                say(f"         {e.message}", "red")
        return None

    async def _answer(self, word: str, row: InboxRow) -> Answer | None:
        match word.lower():
            case "y" | "yes":
                code = ""
                if NEEDS_CODE in row.question:
                    say("         the code of your authenticator:")
                    code = (await self._read_line() or "").strip()
                return Answer("approved", "terminal", code=code)
            case "n" | "no":
                return Answer("denied", "terminal", "denied at the terminal")
            case "v" | "view":
                say(_whole(row.arguments))
            case "e" | "edit":
                return await self._edited()
            case _:
                pass  # asked again
        return None

    async def _edited(self) -> Answer | None:
        say("         the new arguments, as one line of JSON:")
        line = await self._read_line()
        try:
            arguments = msgspec.json.decode(line or "")
        except (msgspec.DecodeError, RecursionError) as e:
            say(f"         not JSON: {e}", "red")
            return None
        if not isinstance(arguments, dict):
            say("         not a JSON object", "red")
            return None
        return Answer("edited", "terminal", "edited at the terminal", arguments)


def with_second_factor(approver: Approver, settings: Settings) -> Approver:
    """The approver, whose yes to a call of [second_factor] counts with a code only."""
    section = settings.second_factor
    if not (section.tools or section.hosts):
        return approver
    from remit.config import state_folder
    from remit.guard.totp import SecondFactor, WithSecondFactor
    from remit.runtime import Runtime

    clock = Runtime("memory:", tune_gc=False).clock
    return WithSecondFactor(approver, SecondFactor(str(state_folder())), section, lambda: clock.now_ms() // 1000)


async def read_terminal_line() -> str | None:
    """A line of stdin, without blocking the loop; None at the end of input."""
    loop = asyncio.get_running_loop()
    descriptor = sys.stdin.fileno()
    ready: asyncio.Future[None] = loop.create_future()

    def readable() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(descriptor, readable)
    try:
        await ready
    finally:
        loop.remove_reader(descriptor)
    # A terminal in line mode hands out whole lines.
    raw = os.read(descriptor, MAX_LINE_BYTES)
    return raw.decode("utf-8", "replace") if raw else None


def _shown(arguments: Any, width: int) -> str:
    return one_line(msgspec.json.encode(arguments).decode(), width)


def _whole(arguments: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(arguments), indent=2).decode()
