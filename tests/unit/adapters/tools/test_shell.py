"""shell: the command line becomes an argv or is refused; what the program did is shown."""

from __future__ import annotations

import asyncio
import shlex
from typing import Any

import pytest

from remit.adapters.tools._argv import split_command
from remit.adapters.tools.shell import shell
from remit.core.effects import Need
from remit.errors import Denied, Invalid
from remit.ports.sandbox import SandboxResult


@pytest.mark.parametrize(
    ("command", "argv"),
    [
        ("ls -la src", ("ls", "-la", "src")),
        ("  git   log\t-n 3 \n", ("git", "log", "-n", "3")),
        ("echo 'a b' \"c d\" e\\ f", ("echo", "a b", "c d", "e f")),
        ("echo '$HOME; rm *' \"a;b|c>d*\"", ("echo", "$HOME; rm *", "a;b|c>d*")),
        ('echo "a\\"b\\\\c\\n" \'\'', ("echo", 'a"b\\c\\n', "")),
        ("find . -name '*.py' -exec wc {} \\;", ("find", ".", "-name", "*.py", "-exec", "wc", "{}", ";")),
        ("grep -rn a=b --include=x.c .", ("grep", "-rn", "a=b", "--include=x.c", ".")),
        ("echo a#b x~y c!d", ("echo", "a#b", "x~y", "c!d")),
        ("echo '\u00e9\n'", ("echo", "\u00e9\n")),
    ],
)
def test_plain_commands_become_their_arguments(command: str, argv: tuple[str, ...]) -> None:
    """Quotes and escapes mean what they mean in a shell; shlex agrees."""
    assert split_command(command) == argv
    assert tuple(shlex.split(command)) == argv


@pytest.mark.parametrize(
    "command",
    [
        "a | b",
        "a|b",
        "a & b",
        "a && b",
        "a || b",
        "a; b",
        "a;b",
        "a < b",
        "a > b",
        "a 2>&1",
        "a >> b",
        "a << EOF",
        "(a)",
        "a $(b)",
        "a `b`",
        'a "$(b)"',
        'a "`b`"',
        'a "$HOME"',
        "a $HOME",
        "a ${HOME}",
        "a $'x'",
        "a\nb",
        "a\rb",
        "a *",
        "a *.py",
        "a file?",
        "a [ab]",
        "a {b,c}",
        "a {1..9}",
        "a ~",
        "a ~/x",
        "a ~root",
        "a # comment",
        "! a",
        "A=1 b",
        "PATH=/x ls",
        "a 'open",
        'a "open',
        "a \\",
        "a \\\nb",
        "a\x00b",
        "a\x1bb",
        "",
        "   ",
        "-x",
        "''",
        "a " + "b " * 200,
        "a " + "b" * 9000,
        "a" * 40000,
    ],
)
def test_what_a_shell_would_act_on_is_refused(command: str) -> None:
    """argument_denied with a hint, also from needs(), before anything runs."""
    with pytest.raises(Denied) as caught:
        split_command(command)
    assert (caught.value.code, bool(caught.value.hint)) == ("argument_denied", True)


def test_needs_hold_the_parsed_argv() -> None:
    """What the gate matches is what runs."""
    assert shell.needs is not None
    assert shell.needs(command="git  log 'a b'") == (Need("shell", "git log a b", ("git", "log", "a b")),)
    assert shell.needs(argv=["echo", "*", "$x"]) == (Need("shell", "echo * $x", ("echo", "*", "$x")),)
    for bad in ({}, {"command": "a", "argv": ["a"]}):
        with pytest.raises(Invalid):
            shell.needs(**bad)
    for argv in ([""], ["a\0b"], ["-c"], ["A=1"], ["a\nb"], ["a", "\ud800"]):
        with pytest.raises(Denied):
            shell.needs(argv=argv)


def test_the_result_shows_code_output_and_cuts(bench: Any) -> None:
    """Both streams, exit code, what was killed, dropped or no text."""
    results = (
        SandboxResult(0, b"out\n", b""),
        SandboxResult(2, b"out\n", b"bad \xff\n"),
        SandboxResult(137, b"", b"", killed="timeout"),
        SandboxResult(0, b"x" * 30000, b"", cut_bytes=7),
    )
    ctx = bench.ctx(shell=bench.shell(*results))
    run = lambda **kw: asyncio.run(shell(ctx, **kw))  # noqa: E731
    assert run(command="a b", cwd="sub", stdin="in") == "exit code: 0\nstdout:\nout"
    assert ctx.shell.calls == [(("a", "b"), "sub", b"in")]
    assert run(argv=["a"]) == (
        "exit code: 2\nstdout:\nout\nstderr:\nbad \ufffd\n"
        "[not all of it is UTF-8: bytes that are not are shown as \ufffd]"
    )
    assert run(argv=["a"]) == "exit code: 137 (killed: timeout)\n[no output]"
    last = run(argv=["a"])
    assert "[cut: 24576 of 30000 characters shown; ask for less output]" in last
    assert last.endswith("[cut: 7 bytes of output were dropped]")


def test_a_call_declares_its_hosts() -> None:
    """Each named host is a need of a tunnel, beside the program; too many are refused."""
    from remit.adapters.tools.shell import _needs

    assert [str(n) for n in _needs(argv=["git", "fetch"], hosts=["a.b", "c.d:8443"])] == [
        "shell:git fetch",
        "net:CONNECT https://a.b:443/",
        "net:CONNECT https://c.d:8443/",
    ]
    with pytest.raises(Invalid):
        _needs(argv=["git"], hosts=["a.b"] * 17)
    with pytest.raises(Invalid):
        _needs(argv=["git"], hosts=["u@a.b"])
