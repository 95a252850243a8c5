"""A model with an ordered script. What the script does not expect is an error that shows both sides."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from msgspec import Struct

from remit.core.model import ModelRequest, Reply, StreamEvent
from remit.errors import ModelError
from remit.testing.answers import as_reply, pieces, said
from remit.testing.failures import script_error


class Step(Struct, frozen=True):
    """One step of a script: the answer, and what the request must be like."""

    answer: Any
    """a Reply, a string, one part, a list of parts, or an exception to raise"""
    contains: str = ""
    """text that the last message must hold (its tool results count)"""
    messages: int | None = None
    """how many messages the request must have"""
    tools: tuple[str, ...] | None = None
    """names of exactly the tools that must be offered, in any order"""
    where: Callable[[ModelRequest], bool] | None = None
    """any other condition"""

    def mismatch(self, request: ModelRequest) -> str:
        """What the request lacks; "" = it is as expected."""
        if self.messages is not None and len(request.messages) != self.messages:
            return f"{self.messages} messages"
        if self.contains and not (request.messages and self.contains in said(request.messages[-1])):
            return f"a last message that says {self.contains!r}"
        if self.tools is not None and sorted(self.tools) != sorted(tool.name for tool in request.tools):
            return f"the tools {', '.join(sorted(self.tools)) or 'none'}"
        if self.where is not None and not self.where(request):
            return f"a request for which {getattr(self.where, '__name__', 'where')} holds"
        return ""


class ScriptedModel:
    """Answers with its steps, in order, each once.

    Args:
        script: steps, as arguments or as one list: a `Step`, or just its answer.
        name: `provider:model`.

    Raises (from a request): model_script when the script has ended or the step expects another request.
    """

    url = ""

    def __init__(self, *script: Any, name: str = "scripted:model") -> None:
        steps = script[0] if len(script) == 1 and isinstance(script[0], list | tuple) else script
        self.name = name
        self.requests: list[ModelRequest] = []
        self._steps = [step if isinstance(step, Step) else Step(step) for step in steps]
        self._next = 0

    @property
    def left(self) -> int:
        """How many steps were not used."""
        return len(self._steps) - self._next

    def done(self) -> None:
        """Raise model_script unless every step was used."""
        if self.left:
            raise ModelError(
                "model_script",
                f"{self.name}: {self.left} of {len(self._steps)} steps were not used; the next answers "
                f"{self._steps[self._next].answer!r:.200}",
                retryable=False,
            )

    async def request(self, request: ModelRequest) -> Reply:
        """The next step's answer."""
        self.requests.append(request)
        if not self.left:
            raise script_error(self.name, f"no request after its {len(self._steps)} steps", request)
        step = self._steps[self._next]
        problem = step.mismatch(request)
        if problem:
            raise script_error(self.name, f"at step {self._next + 1} {problem}", request)
        self._next += 1
        if isinstance(step.answer, BaseException):
            raise step.answer
        return as_reply(step.answer, self.name.partition(":")[2])

    async def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        """The same answer in pieces."""
        for event in pieces(await self.request(request)):
            yield event
