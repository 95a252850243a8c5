"""Around code that somebody else wrote, where its error is a value: `with user_code() as code: await fn()`.

The only place outside the gate that keeps such errors. What is no error passes: cancellation, Ctrl-C, a generator's
end, and remit's own signals (work that waits for a person, a process that a test ends). All else is kept, also what
derives from BaseException alone: a member that says `sys.exit()` fails, and the others go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

PASSING = (asyncio.CancelledError, KeyboardInterrupt, GeneratorExit)


class Kept:
    """How it ended: `error` is None when nothing was raised."""

    __slots__ = ("error",)

    def __init__(self) -> None:
        self.error: BaseException | None = None


@contextmanager
def user_code(*passing: type[BaseException]) -> Iterator[Kept]:
    """Keep the error of what runs inside; `passing` names further types that are none."""
    kept = Kept()
    try:
        yield kept
    except BaseException as e:  # a stranger's code may raise anything; whoever runs it goes on and says what failed
        own = not isinstance(e, Exception) and type(e).__module__.partition(".")[0] == "remit"
        if own or isinstance(e, (*PASSING, *passing)):
            raise
        kept.error = e
