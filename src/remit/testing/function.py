"""A model that is a function of the request."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any

from remit.core.model import ModelRequest, Reply, StreamEvent
from remit.errors import RemitError
from remit.ports.user_code import user_code
from remit.testing.answers import as_reply, pieces
from remit.testing.failures import function_failed


class FunctionModel:
    """Answers with what `fn(request)` returns: a Reply, a string, one part or a list of parts.

    Args:
        fn: sync or async. A RemitError that it raises is the attempt's error; any other exception becomes
            model_script, which is not retried and names the exception.
        name: `provider:model`; by default `function:` and the function's name.

    `requests` holds every request, in order.
    """

    url = ""

    def __init__(self, fn: Callable[[ModelRequest], Any], *, name: str = "") -> None:
        self.fn = fn
        self.name = name or f"function:{getattr(fn, '__name__', 'model').strip('<>')}"
        self.requests: list[ModelRequest] = []

    async def request(self, request: ModelRequest) -> Reply:
        """One reply."""
        self.requests.append(request)
        with user_code() as code:
            value = self.fn(request)
            if inspect.isawaitable(value):
                value = await value
            return as_reply(value, self.name.partition(":")[2])
        assert code.error is not None
        raise code.error if isinstance(code.error, RemitError) else function_failed(self.name, code.error)

    async def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        """The same reply in pieces."""
        for event in pieces(await self.request(request)):
            yield event
