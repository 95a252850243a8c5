"""A streamed model call: events as they arrive, then the reply."""

from __future__ import annotations

from typing import Any

from remit.core.model import ModelRequest, Reply, StreamEnd, StreamEvent
from remit.errors import Invalid
from remit.ports.runtime import current
from remit.ports.stream import EventStream, Shown


class ModelStream:
    """Use as `async with`; leaving the block early closes the connection. `reply` is there after the last event."""

    def __init__(self, handle: Any, request: ModelRequest) -> None:
        self._events = EventStream(lambda listen: current().call_model(handle, request, listen))
        self._reply: Reply | None = None

    @property
    def reply(self) -> Reply:
        """The folded reply, equal to the unstreamed one; raises value_invalid before the end."""
        if self._reply is None:
            raise Invalid("value_invalid", "the stream has not ended; iterate it first")
        return self._reply

    async def __aenter__(self) -> ModelStream:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._events.aclose()

    def __aiter__(self) -> ModelStream:
        return self

    async def __anext__(self) -> StreamEvent:
        while True:
            item = await self._events.__anext__()
            if isinstance(item, Reply):
                self._reply = item
                return StreamEnd(item)
            if isinstance(item, Shown) and item.entry is None:
                event: StreamEvent = item.event
                return event
