"""Port: a model that answers.

A model is one endpoint with one name. It makes one attempt: no retry, no fallback, no cache; those
are effects of their own, made above the gate.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from remit.core.model import ModelRequest, Reply, StreamEvent


class Model(Protocol):
    """One model of one provider."""

    name: str
    """provider:model"""
    url: str
    """where requests go, absolute; "" for a model in this process. Naming the model grants its host and port"""

    async def request(self, request: ModelRequest) -> Reply:
        """One attempt; raises ModelError. Cancelling it leaves no connection open."""
        ...

    def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        """The same attempt piece by piece; the last event is StreamEnd with the folded reply."""
        ...
