"""Faults of a provider, wrapped around any model: statuses, timeouts, cuts, slowness.

Errors of statuses are made by the real wire code, so `code` and `retryable` are what a provider's
answer of that status gives.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final, Literal

from msgspec import Struct

from remit.core.model import ModelRequest, Reply, StreamEnd, StreamEvent
from remit.errors import Invalid, ModelError
from remit.ports.model import Model
from remit.testing.answers import pieces
from remit.wire.provider_errors import http_error

Kind = Literal["status", "timeout", "truncation", "slow", "mid_stream", "connection"]
_KINDS: Final = Kind.__args__  # type: ignore[attr-defined]  # typing has no public reader of Literal's values


class Fault(Struct, frozen=True):
    """One fault.

    status      the answer has `status`; `retry_after_s` is its header (seconds)
    timeout     the deadline passes (at once: nothing is waited for)
    truncation  the stream ends after `position` events without its end (a whole reply: a broken body)
    slow        `delay_s` before every event
    mid_stream  an error frame in the place of event `position`
    connection  the connection is reset before the answer
    """

    kind: Kind
    status: int = 503
    position: int = 0
    """events that still arrive before the fault"""
    delay_s: float = 0.0
    retry_after_s: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise Invalid("value_invalid", f"Fault({self.kind!r}); one of {', '.join(_KINDS)}")
        if self.kind == "status" and not 400 <= self.status <= 599:
            raise Invalid("value_invalid", f"Fault(status={self.status}); an error status is 400 to 599")


class FaultModel:
    """`model`, with `faults[n]` at its n-th request (None = none). After the last one it works as ever."""

    def __init__(self, model: Model, *faults: Fault | Sequence[Fault | None] | None, name: str = "") -> None:
        self._model = model
        self._faults: list[Fault | None] = []
        for fault in faults:
            self._faults += [fault] if fault is None or isinstance(fault, Fault) else list(fault)
        self.name = name or model.name
        self.url = model.url
        self.requests: list[ModelRequest] = []

    async def request(self, request: ModelRequest) -> Reply:
        """One attempt, with its fault."""
        fault = self._fault(request)
        if fault is None:
            return await self._model.request(request)
        if fault.kind == "slow":
            await asyncio.sleep(fault.delay_s)
            return await self._model.request(request)
        raise _error(fault, whole=True)

    async def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        """One streamed attempt, with its fault."""
        fault = self._fault(request)
        if fault is None:
            async for event in self._model.stream(request):
                yield event
            return
        if fault.kind in ("status", "timeout", "connection"):
            raise _error(fault, whole=False)
        for index, event in enumerate(pieces(await self._model.request(request))):
            if fault.kind == "slow":
                await asyncio.sleep(fault.delay_s)
            elif index >= fault.position or type(event) is StreamEnd:
                raise _error(fault, whole=False)
            yield event

    def _fault(self, request: ModelRequest) -> Fault | None:
        self.requests.append(request)
        number = len(self.requests) - 1
        return self._faults[number] if number < len(self._faults) else None


def _error(fault: Fault, *, whole: bool) -> ModelError:
    match fault.kind:
        case "status":
            headers = {} if fault.retry_after_s is None else {"retry-after": f"{fault.retry_after_s:g}"}
            return http_error(fault.status, headers, b'{"error":{"message":"a fault of the test"}}')
        case "timeout":
            return ModelError("model_timeout", "no answer in time (a fault of the test)", retryable=True)
        case "connection":
            return ModelError("model_connection", "the connection was reset (a fault of the test)", retryable=True)
        case "truncation" if whole:
            return ModelError("model_bad_reply", "the body ends early (a fault of the test)", retryable=True)
        case "truncation":
            text = f"the stream ended after {fault.position} events (a fault of the test)"
            return ModelError("model_stream_cut", text, retryable=True)
        case _:
            text = "an error frame in the stream (a fault of the test)"
            return ModelError("model_server_error", text, retryable=True)
