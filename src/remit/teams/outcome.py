"""How a team's work can end before its end: it waits, it gives up, or code of the user's own fails.

`Parked` is no error: work waits for a person. It derives from BaseException so that a node's own
`except Exception` cannot swallow it, as asyncio.CancelledError does.
"""

from __future__ import annotations

from remit.errors import RemitError, Unavailable

OF_THE_TEAM = ("channel_closed", "deadlock", "quorum_not_reached", "restart_refused", "voting_complete")
"""conflicts between members; all others are between code and journal, and end the activation"""


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


def code_failed(what: str, error: BaseException) -> RemitError:
    """What `what` raised, as people and the journal see it."""
    if isinstance(error, RemitError):
        return error
    return Unavailable("team_failed", f"{what} failed: {type(error).__name__}: {str(error)[:500]}")
