"""The cache before the attempts of one call: a kept reply goes through the gate as an effect of model `cache:...`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from msgspec.structs import replace

from remit.core.effects import Done, Outcome
from remit.core.events import ModelNote
from remit.core.model import ModelRequest, Reply, StreamEnd, StreamEvent, TextDelta
from remit.core.usage import NO_USAGE
from remit.models.attempt import ask
from remit.models.cache import Hit, ReplyCache, bound_to, cachable, split
from remit.models.policy import Policy
from remit.models.routes import Routes
from remit.wire.embeddings.as_model import vectors_of

if TYPE_CHECKING:
    from remit.gate.door import Gate
    from remit.gate.scope import Scope
    from remit.ports.clock import Clock

PROVIDER = "cache"
"""what stands before the colon of a kept reply's model; it is free"""


class KeptReply:
    """A model that answers with one kept reply; nothing was used."""

    url = ""

    def __init__(self, hit: Hit, policy: str) -> None:
        self.name = f"{PROVIDER}:{policy}"
        self._reply = replace(hit.reply, usage=NO_USAGE)

    async def request(self, request: ModelRequest) -> Reply:
        """The reply."""
        return self._reply

    async def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        """The reply in one piece."""
        yield TextDelta(self._reply.text)
        yield StreamEnd(self._reply)


class CachedAnswers:
    """The cache as one call sees it."""

    def __init__(self, policy: Policy, routes: Routes, request: ModelRequest, scope: Scope) -> None:
        self._policy = policy
        self._scope = scope
        cache = routes.cache(policy)
        self._cache: ReplyCache | None = None
        self._vector: list[float] | None = None
        self._load = routes.embedding_model
        if cache is not None and cachable(request, scope.label, cache.rules):
            self._cache = cache
            bare, self._text = split(request)
            models = " ".join([c.model + c.base_url for c in policy.candidates()])
            self._bound = bound_to(
                bare, model=models, tenant=routes.tenant, label=scope.label, grants=scope.remit.data()
            )

    async def answer(self, gate: Gate, key: str, clock: Clock) -> Outcome | None:
        """A kept reply as the call's outcome; None = the model must be asked. A replay takes what it took."""
        recorded = None if self._scope.recorded is None else self._scope.recorded.get(key)
        if self._cache is None or (recorded is not None and not recorded.name.startswith(f"{PROVIDER}:")):
            return None
        await self._embed(gate, key, clock)
        hit = self._cache.find(self._bound, self._text, clock.now_ms(), self._vector)
        if hit is None:
            return None
        usage, nano = hit.reply.usage, hit.nano
        asked = ModelRequest((), model=self._policy.name)
        outcome = await gate.call_model(key, KeptReply(hit, self._policy.name), asked, self._scope)
        if recorded is None and type(outcome) is Done:
            saved = {"tokens": usage.input_tokens + usage.output_tokens, "nano": nano, "model": hit.model}
            reason = f"{hit.similarity:.1%} alike" if hit.similarity < 1 else "the same request"
            self._scope.emit(ModelNote(key, "cached", hit.model, reason, saved))
        return outcome

    async def _embed(self, gate: Gate, key: str, clock: Clock) -> None:
        """The vector of the question, where an embedder is set and the same words were not asked before.

        It is an effect of its own, `KEY/embed`. Without a vector (refused, failed) words decide, as without one.
        """
        embedder, cache = self._policy.embedder, self._cache
        assert cache is not None
        if embedder is None or not cache.rules.semantic or not self._text.strip():
            return
        if cache.knows(self._bound, self._text, clock.now_ms()):
            return
        request = replace(embedder.request((self._text,)), model=embedder.name.partition(":")[2])
        outcome = await ask(gate, f"{key}/embed", self._load(embedder), request, self._scope, clock)
        if type(outcome) is Done:
            (self._vector,) = vectors_of(outcome.value)

    def keep(self, outcome: Done, clock: Clock) -> None:
        """Keep an answer that was just made."""
        reply: Reply = outcome.value
        if self._cache is None or outcome.label.untrusted > self._scope.label.untrusted:
            return
        model = next((c.model for c in self._policy.candidates() if c.model.endswith(f":{reply.model}")), reply.model)
        provider, _, name = model.partition(":")
        from remit.models.prices import price_nano

        nano = price_nano(provider, name, reply.usage)
        now_ms = clock.now_ms()
        self._cache.put(self._bound, self._text, reply, model=model, nano=nano, now_ms=now_ms, vector=self._vector)
