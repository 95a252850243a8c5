"""An embedding model behind HTTP: `HttpModel` with a codec of embeddings; its streams have one event."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping

from remit.adapters import providers
from remit.adapters.providers.http_model import HttpModel, path_of
from remit.core.model import ModelRequest, Reply, StreamEnd, StreamEvent
from remit.errors import Invalid
from remit.ports.http import HttpClient
from remit.wire.embeddings import codec
from remit.wire.embeddings.as_model import EmbeddingCodec, vectors_of
from remit.wire.reading import bad_reply


class EmbeddingModel(HttpModel):
    """One vector a message."""

    __slots__ = ()

    async def request(self, request: ModelRequest) -> Reply:
        """One attempt; raises ModelError, model_bad_reply where there is not one vector a text."""
        reply = await super().request(request)
        count = len(vectors_of(reply))
        if count != len(request.messages):
            raise bad_reply(f"the reply has {count} vectors for {len(request.messages)} texts")
        return reply

    async def _whole(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        yield StreamEnd(await self.request(request))

    def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        """The same attempt; there are no pieces."""
        return self._whole(request)


def make(
    name: str, given_url: str, given_key: str | None, env: Mapping[str, str], http_for: Callable[[str], HttpClient]
) -> EmbeddingModel:
    """The embedding model `provider:name`; arguments and errors as `providers.make_model`."""
    provider, colon, model = name.partition(":")
    if not colon or not provider or not model:
        raise Invalid("model_unknown", f"{name[:100]!r} is not provider:model")
    row = providers.profile(provider)
    if not row.embeds:
        every = ", ".join(n for n in providers.names() if providers.profile(n).embeds)
        raise Invalid("model_unknown", f"provider {provider} has no embeddings; these have: {every}")
    spoken = EmbeddingCodec(codec(row.embeds))
    url = providers.base_url(row, given_url, env)
    key = providers.api_key(row, given_key, env)
    signer = None
    if row.auth in ("aws", "google") and given_key is None:
        from remit.adapters.providers._signing import signer_of

        signer = signer_of(row, url, key, env)
    return EmbeddingModel(row, spoken, model, url, key, http_for(url + path_of(spoken.path, model)), signer=signer)
