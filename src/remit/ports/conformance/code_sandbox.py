"""Conformance suite of the code sandbox port: what every sandbox for code must do, whatever its engine.

Each `check_*` gets `make`, a function that makes a fresh sandbox, runs its own event loop, asserts, and closes what it
made. A sandbox passes with code that every Python subset knows; what one engine alone can do is in its own tests.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any, Final

from remit.errors import Denied, RemitError
from remit.ports.code_sandbox import MAX_CODE_BYTES, CodeJob, CodeResult, CodeSandbox, Host

Make = Callable[[], CodeSandbox]
LATE_MS: Final = 10_000
"""a bound for a busy machine; the promise of 250 ms is measured by bench/sandboxes.py"""


def _run(make: Make, work: Callable[[CodeSandbox], Awaitable[None]]) -> None:
    async def main() -> None:
        sandbox = make()
        try:
            await work(sandbox)
        finally:
            await sandbox.aclose()

    asyncio.run(main())


async def _value(sandbox: CodeSandbox, code: str, host: Host | None = None, **more: Any) -> CodeResult:
    return await sandbox.run(CodeJob(code, **more), host)


def check_value_and_output(make: Make) -> None:
    """The last expression is the value, what is printed is the output, an error is neither lost nor raised."""

    async def work(sandbox: CodeSandbox) -> None:
        good = await _value(sandbox, "print('seen')\nx = n + 1\n{'x': x, 'l': [None, True, 1.5, 'é']}", inputs={"n": 2})
        assert (good.value, good.output, good.error) == ({"x": 3, "l": [None, True, 1.5, "é"]}, "seen\n", "")
        bad = await _value(sandbox, "print('seen')\n1 / 0")
        assert (bad.value, bad.output, bad.killed) == (None, "seen\n", "")
        assert "ZeroDivisionError" in bad.error
        assert "SyntaxError" in (await _value(sandbox, "x = = 1")).error

    _run(make, work)


def check_no_state_between_runs(make: Make) -> None:
    """A run leaves nothing for the next one."""

    async def work(sandbox: CodeSandbox) -> None:
        await _value(sandbox, "kept = 1")
        await _value(sandbox, "import json\njson.kept = 1")
        for _ in range(4):
            assert "NameError" in (await _value(sandbox, "kept")).error
            assert "AttributeError" in (await _value(sandbox, "import json\njson.kept")).error

    _run(make, work)


def check_only_lent_functions(make: Make) -> None:
    """A lent function gets and gives JSON, its refusal is an exception of the code, any other name does not exist."""
    asked: list[tuple[str, list[Any]]] = []

    async def host(name: str, arguments: list[Any]) -> Any:
        asked.append((name, arguments))
        if arguments == ["no"]:
            raise Denied("not_granted", "not this one")
        return {"got": arguments}

    async def work(sandbox: CodeSandbox) -> None:
        good = await _value(sandbox, "look('a', [1, {'b': None}])", host, calls=("look",))
        assert good.value == {"got": ["a", [1, {"b": None}]]}
        refused = await _value(
            sandbox, "try:\n    look('no')\nexcept RuntimeError as e:\n    print(e)", host, calls=("look",)
        )
        assert "not this one" in refused.output
        assert "NameError" in (await _value(sandbox, "other('a')", host, calls=("look",))).error
        assert "NameError" in (await _value(sandbox, "look('a')", host)).error
        assert [name for name, _ in asked] == ["look", "look"]

    _run(make, work)


def check_deadline(make: Make) -> None:
    """Loops, sleeps and hanging host calls end at the deadline, also when the code catches everything; others go on."""

    async def host(_: str, __: list[Any]) -> Any:
        await asyncio.sleep(3600)

    async def work(sandbox: CodeSandbox) -> None:
        stubborn = "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
        for code in ("while True: pass", stubborn, "hang()"):
            result = await _value(sandbox, code, host, calls=("hang",), timeout_s=0.2)
            assert (result.killed, result.value) == ("timeout", None), code
            assert result.duration_ms < LATE_MS
            assert (await _value(sandbox, "1 + 1")).value == 2

    _run(make, work)


def check_memory(make: Make) -> None:
    """Code that takes more than its memory fails, and the host lives."""

    async def work(sandbox: CodeSandbox) -> None:
        result = await _value(sandbox, "x = [0]\nwhile True: x = x + x", timeout_s=20.0)
        assert result.value is None
        assert result.killed == "memory" or "MemoryError" in result.error
        assert (await _value(sandbox, "1 + 1")).value == 2

    _run(make, work)


def check_output_bound(make: Make) -> None:
    """Output is kept up to its bound, what is beyond is counted."""

    async def work(sandbox: CodeSandbox) -> None:
        result = await _value(sandbox, "for i in range(1000): print('x' * 99)", max_output_bytes=1000)
        assert len(result.output.encode()) == 1000
        assert result.cut_bytes == 99_000

    _run(make, work)


def check_cancellation(make: Make) -> None:
    """A cancelled run ends at once, and the sandbox serves the next one."""

    async def work(sandbox: CodeSandbox) -> None:
        try:
            async with asyncio.timeout(0.3):
                await _value(sandbox, "while True: pass", timeout_s=3000.0)
            raise AssertionError("it was not cancelled")
        except TimeoutError:
            assert (await _value(sandbox, "1 + 1")).value == 2

    _run(make, work)


def check_many_at_once(make: Make) -> None:
    """Runs that overlap do not see each other."""

    async def work(sandbox: CodeSandbox) -> None:
        jobs = [_value(sandbox, "n * n", inputs={"n": n}) for n in range(24)]
        assert [result.value for result in await asyncio.gather(*jobs)] == [n * n for n in range(24)]

    _run(make, work)


def check_bad_jobs(make: Make) -> None:
    """A job that cannot be is value_invalid, before anything starts."""

    async def work(sandbox: CodeSandbox) -> None:
        jobs = (
            CodeJob(""),
            CodeJob("x" * (MAX_CODE_BYTES + 1)),
            CodeJob("a\0b"),
            CodeJob("'\ud800'"),
            CodeJob("1", {"not a name": 1}),
            CodeJob("1", {"__builtins__": 1}),
            CodeJob("1", {"x": object()}),
            CodeJob("1", calls=("a.b",)),
            CodeJob("1", timeout_s=0),
            CodeJob("1", timeout_s=float("nan")),
            CodeJob("1", max_memory_bytes=1),
            CodeJob("1", max_memory_bytes=1 << 40),
            CodeJob("1", max_output_bytes=-1),
        )
        for job in jobs:
            try:
                await sandbox.run(job)
            except RemitError as error:
                assert error.code == "value_invalid", job
            else:
                raise AssertionError(f"accepted: {job!r:.200}")

    _run(make, work)


def check_nothing_left(make: Make) -> None:
    """After aclose no process that the sandbox started is left."""
    before = _children()

    async def work(sandbox: CodeSandbox) -> None:
        assert (await _value(sandbox, "1 + 1")).value == 2
        await _value(sandbox, "while True: pass", timeout_s=0.1)

    _run(make, work)
    assert _children() <= before


def _children() -> set[int]:
    found: set[int] = set()
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/children", encoding="ascii") as file:
                found.update(map(int, file.read().split()))
        except OSError:
            continue  # a thread that has ended
    return found


CHECKS: Final = (
    check_value_and_output,
    check_no_state_between_runs,
    check_only_lent_functions,
    check_deadline,
    check_memory,
    check_output_bound,
    check_cancellation,
    check_many_at_once,
    check_bad_jobs,
    check_nothing_left,
)
