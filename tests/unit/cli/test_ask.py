"""The terminal approver: only yes is yes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from remit.cli._ask import MAX_TRIES, TerminalApprover
from remit.ports.approver import Answer
from remit.ports.journal import InboxRow

ROW = InboxRow("ask_1", "approval", "run_1", "send", {"to": "a\x1b[2J"}, "turn/1/call/0", "d", "Send it?")


def ask(*typed: str | None) -> tuple[Answer | None, int]:
    """(the answer, how many lines were read) when somebody types these lines; None = the end of input."""
    lines = list(typed)

    async def read() -> str | None:
        return lines.pop(0) if lines else None

    answer = asyncio.run(TerminalApprover(read).ask(ROW))
    return answer, len(typed) - len(lines)


@pytest.mark.parametrize("word", ["y", "Y\n", "yes\n"])
def test_yes_approves(word: str) -> None:
    """y and yes approve."""
    assert ask(word) == (Answer("approved", "terminal"), 1)


@pytest.mark.parametrize("typed", [(None,), ("\n", None), ("yess", "ok", "1", "ye", "si"), ("v", None)])
def test_nothing_else_is_yes(typed: tuple[Any, ...]) -> None:
    """The end of input, empty lines, other words and looking at the arguments leave the call waiting."""
    assert ask(*typed)[0] is None


def test_no_denies() -> None:
    """n denies, with a reason."""
    assert ask("n") == (Answer("denied", "terminal", "denied at the terminal"), 1)


def test_an_edit_gives_new_arguments() -> None:
    """e reads a JSON object; anything else asks again and approves nothing."""
    edited = Answer("edited", "terminal", "edited at the terminal", {"to": "b"})
    assert ask("e", '{"to":"b"}') == (edited, 2)
    assert ask("e", "[1]", "e", "{broken", "n")[0] == Answer("denied", "terminal", "denied at the terminal")


def test_tries_are_bounded_and_arguments_are_shown_clean(capsys: pytest.CaptureFixture[str]) -> None:
    """After a few wrong words the call stays waiting; what the arguments hold cannot drive the terminal."""
    assert ask(*["v"] * 50) == (None, MAX_TRIES)
    shown = capsys.readouterr().err
    assert "Send it?" in shown
    assert "\x1b" not in shown
