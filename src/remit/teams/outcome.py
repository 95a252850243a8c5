"""How a team's work can end before its end: it waits, it gives up, or code of the user's own fails.

`Parked` is no error: work waits for a person. It derives from BaseException so that a node's own
`except Exception` cannot swallow it, as asyncio.CancelledError does.
"""

from __future__ import annotations

from types import TracebackType
from typing import Literal

from remit.errors import RemitError, Unavailable


class Parked(BaseException):
    """Work waits until the inbox items are answered."""

    def __init__(self, items: tuple[str, ...]) -> None:
        super().__init__(", ".join(items))
        self.items = items


class TeamEnd(Exception):  # not an error by itself: the team's work ends here with what it has
    """The team ends with `status` before its last stage."""

    def __init__(self, status: str, error: RemitError) -> None:
        super().__init__(status)
        self.status = status
        self.error = error


class UserCode:
    """`with UserCode(what): await fn()`; an error of the user's own code is kept in `error`, not raised.

    Waiting, cancellation and the end of the team pass through: they are not the code's own failure.
    """

    __slots__ = ("error", "what")

    def __init__(self, what: str) -> None:
        self.what = what
        self.error: Exception | None = None

    def __enter__(self) -> UserCode:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Literal[True] | None:
        if not isinstance(error, Exception) or isinstance(error, TeamEnd):
            return None
        self.error = error
        return True

    def as_remit_error(self) -> RemitError:
        """The error as people and the journal see it."""
        error = self.error
        if isinstance(error, RemitError):
            return error
        return Unavailable("team_failed", f"{self.what} failed: {type(error).__name__}: {str(error)[:500]}")
