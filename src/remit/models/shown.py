"""A reply that is shown while it arrives, over several attempts, without a repeated or a lost character.

An attempt that died left text on the screen. The next attempt's text is held back while it says the same again, and
goes on where the first one stopped. Where it says something else, what was shown is void: a StreamReset, then all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from remit.core.model import StreamReset, TextDelta


class Continued:
    """A listener in front of another one, for the attempts of one call."""

    __slots__ = ("_held", "_listener", "_pieces", "_shown", "reason", "tries")

    def __init__(self, listener: Callable[[Any, Any], None]) -> None:
        self._listener = listener
        self._pieces: list[str] = []
        self._shown = ""
        """text of earlier attempts that the next one has to repeat"""
        self._held: list[Any] = []
        self.reason = ""
        self.tries = 0

    def __call__(self, entry: Any, event: Any) -> None:
        """One event: of the journal (entry given), or a piece of the reply."""
        if entry is not None:
            self._listener(entry, event)
        elif self._shown:
            self._again(event)
        else:
            if type(event) is TextDelta:
                self._pieces.append(event.text)
            self._listener(None, event)

    def again(self, reason: str) -> None:
        """The attempt failed and another one begins."""
        self.tries += 1
        self.reason = reason
        self._shown += "".join(self._pieces)
        self._pieces.clear()
        self._held.clear()
        if not self._shown:
            self._listener(None, StreamReset(self.tries, reason))

    def void(self, reason: str) -> None:
        """What was shown does not count: another model answers from the beginning."""
        self.tries += 1
        self._shown = ""
        self._pieces.clear()
        self._held.clear()
        self._listener(None, StreamReset(self.tries, reason))

    def ended(self, text: str) -> None:
        """The reply is whole: what was held back and turned out another text is shown now."""
        if self._shown and not text.startswith(self._shown):
            self._diverge()

    def _again(self, event: Any) -> None:
        self._held.append(event)
        if type(event) is not TextDelta:
            return
        said = "".join([e.text for e in self._held if type(e) is TextDelta])
        if said.startswith(self._shown):
            rest, others = said[len(self._shown) :], [e for e in self._held if type(e) is not TextDelta]
            self._pieces[:] = [said]
            self._shown = ""
            self._held.clear()
            for each in others:
                self._listener(None, each)
            if rest:
                self._listener(None, TextDelta(rest))
        elif not self._shown.startswith(said):
            self._diverge()

    def _diverge(self) -> None:
        held = list(self._held)
        self._listener(None, StreamReset(self.tries, self.reason))
        self._shown = ""
        self._held.clear()
        for each in held:
            if type(each) is TextDelta:
                self._pieces.append(each.text)
            self._listener(None, each)
