"""Rendering: hostile text is shown, never obeyed; colour only where it is wanted."""

from __future__ import annotations

import json
import sys

import pytest

from remit.cli import _output
from remit.errors import Invalid

HOSTILE = "a\x1b[31mb\x9b2Jc\rd\x08e\x7ff\u202eg\u2066h\x00i\u2028j"


def test_control_characters_become_visible() -> None:
    """Escape sequences, C1 controls, carriage returns, direction marks become text; tab and newline stay."""
    assert _output.clean(HOSTILE) == "a\\x1b[31mb\\x9b2Jc\\x0dd\\x08e\\x7ff\\u202eg\\u2066h\\x00i\\u2028j"
    assert _output.clean("tab\tline\nüñ漢") == "tab\tline\nüñ漢"


def test_every_way_out_is_clean(capsys: pytest.CaptureFixture[str]) -> None:
    """data, say, say_error, table and JSON all neutralise what they are given; JSON keeps its value."""
    _output.data(HOSTILE)
    _output.say(HOSTILE, "red")
    _output.say_error(Invalid("usage_invalid", HOSTILE, hint=HOSTILE))
    _output.table(("A", "B"), [(HOSTILE, HOSTILE)])
    _output.json_line({"x": HOSTILE})
    _output.json_line(b'{"x":"\xc2\x9b2J"}')
    shown = capsys.readouterr()
    for character in "\x1b\x9b\r\x08\x7f\u202e\u2066\x00\u2028":
        assert character not in shown.out + shown.err
    found = [json.loads(line) for line in shown.out.splitlines()[-2:]]
    assert found == [{"x": HOSTILE}, {"x": "\x9b2J"}]


def test_one_line_is_one_bounded_line() -> None:
    """White space is folded, and what is cut is marked, also when the text is huge."""
    assert _output.one_line(" a\n\n b\tc ") == "a b c"
    assert _output.one_line("x" * 10_000_000, 10) == "x" * 9 + "…"
    assert len(_output.one_line("\x1b" * 500, 20)) == 20


def test_a_table_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    """Columns are as wide as their widest cell; newlines in cells do not break rows."""
    _output.table(("RUN", "TASK"), [("r1", "a\nb"), ("r22222", "c")])
    assert capsys.readouterr().out == "RUN     TASK\nr1      a b\nr22222  c\n"


@pytest.mark.parametrize(
    ("tty", "env", "expected"),
    [
        (True, {"TERM": "xterm"}, True),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (True, {"TERM": "xterm", "NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
        (False, {"TERM": "xterm"}, False),
    ],
)
def test_colour_is_for_terminals_that_want_it(
    tty: bool, env: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Colour needs a terminal, a TERM that has it, and no NO_COLOR."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: tty, raising=False)
    assert _output.colour() is expected


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """stdin and stderr must both be a terminal; a closed stdin is none."""

    class Terminal:
        def __init__(self, tty: bool) -> None:
            self.tty = tty

        def isatty(self) -> bool:
            return self.tty

    for stdin, stderr in ((True, False), (False, True), (True, True)):
        monkeypatch.setattr(sys, "stdin", Terminal(stdin))
        monkeypatch.setattr(sys, "stderr", Terminal(stderr))
        assert _output.interactive() is (stdin and stderr)
    monkeypatch.setattr(sys, "stdin", None)
    assert _output.interactive() is False
