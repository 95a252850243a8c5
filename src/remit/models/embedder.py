"""The public handle on an embedding model: `remit.embedder("provider:name", ...)`. Every batch passes gate and journal.

    embedder = remit.embedder("openai:text-embedding-3-small")
    vectors = await embedder.embed(["one text", "another"])
    table = await embedder.table(parts(a, b))     # of remit.teams.coordination.meanings: what novelty asks for
    score = remit.novelty(a, b, embed=table)      # takes vectors without waiting
    Policy(models=(...), cache=CacheRules(), embedder=embedder)        # a semantic cache that knows synonyms

A batch is one model call: its own effect, with its cost, limits, retries and line in `remit cost`. Naming an embedder
grants its model and the host and port of its base_url, as naming a model does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from remit.core.model import ModelRequest
from remit.errors import Invalid
from remit.ports.runtime import current
from remit.wire.embeddings.as_model import request_of, vectors_of

BATCH_TEXTS: Final = 96  # Source: Cohere API reference "Embed", the least of the providers' limits
BATCH_CHARS: Final = 200_000
MAX_TEXTS: Final = 100_000  # of one call of `embed`
MAX_TEXT_CHARS: Final = 100_000
Table = Callable[[Sequence[str]], list[list[float]]]


class Embedder:
    """A named embedding model."""

    __slots__ = ("api_key", "base_url", "dimensions", "name")

    embeds = True
    """what tells it from a model that answers"""

    def __init__(
        self, name: str, *, base_url: str = "", api_key: str | None = None, dimensions: int | None = None
    ) -> None:
        provider, colon, model = str(name or "").partition(":")
        if not colon or not provider or not model:
            raise Invalid("model_unknown", f"{name!r} is not provider:model")
        if dimensions is not None and not 1 <= dimensions <= 65_536:
            raise Invalid("value_invalid", f"dimensions={dimensions}; 1 to 65536, or None for the model's own")
        self.name = name
        self.base_url = base_url
        self.api_key = api_key
        self.dimensions = dimensions

    async def embed(self, texts: str | Sequence[str], *, query: bool = False) -> list[list[float]]:
        """Vectors, one a text, in their order; float32, as the provider scales them.

        Args:
            texts: one text, or at most 100,000 of at most 100,000 characters; none may be empty.
            query: whether they are questions about documents (some models tell the two apart).

        Raises:
            Invalid: value_invalid, before anything is sent.
            ModelError: a batch failed; batches before it were paid.
            Denied: the gate refused.
        """
        given = (texts,) if isinstance(texts, str) else tuple(texts)
        _check(given)
        found: list[list[float]] = []
        for batch in batches(given):
            found += vectors_of(await current().call_model(self, self.request(batch, query=query), None))
        return found

    async def table(self, texts: Sequence[str]) -> Table:
        """`embed` done beforehand: a function from some of these texts to their vectors, for who cannot wait."""
        known = list(dict.fromkeys(texts))
        vectors = dict(zip(known, await self.embed(known), strict=True))

        def look_up(wanted: Sequence[str]) -> list[list[float]]:
            missing = [text for text in wanted if text not in vectors]
            if missing:
                raise Invalid("value_invalid", f"no vector was made of {missing[0]!r:.100}")
            return [vectors[text] for text in wanted]

        return look_up

    def request(self, texts: Sequence[str], *, query: bool = False) -> ModelRequest:
        """One batch as a model call."""
        return request_of(texts, query=query, dimensions=self.dimensions)

    def __repr__(self) -> str:
        return f"embedder({self.name!r})"


def embedder(name: str, *, base_url: str = "", api_key: str | None = None, dimensions: int | None = None) -> Embedder:
    """An embedding model by `provider:model`.

    Args:
        name: for example `openai:text-embedding-3-small`, `cohere:embed-v4.0`, `ollama:nomic-embed-text`.
        base_url: as of `remit.model`.
        api_key: the key; by default the provider's usual environment variable.
        dimensions: how many numbers a vector has, where the model can shorten it.
    """
    return Embedder(name, base_url=base_url, api_key=api_key, dimensions=dimensions)


def batches(texts: Sequence[str]) -> list[tuple[str, ...]]:
    """The texts in rows of at most `BATCH_TEXTS` and, but for a single long one, `BATCH_CHARS`."""
    found: list[tuple[str, ...]] = []
    row: list[str] = []
    size = 0
    for text in texts:
        if row and (len(row) == BATCH_TEXTS or size + len(text) > BATCH_CHARS):
            found.append(tuple(row))
            row, size = [], 0
        row.append(text)
        size += len(text)
    return [*found, tuple(row)] if row else found


def _check(texts: tuple[Any, ...]) -> None:
    if len(texts) > MAX_TEXTS:
        raise Invalid("value_invalid", f"{len(texts)} texts; at most {MAX_TEXTS} at once")
    for number, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            raise Invalid("value_invalid", f"text {number} is empty or no text")
        if len(text) > MAX_TEXT_CHARS:
            raise Invalid("value_invalid", f"text {number} has {len(text)} characters; at most {MAX_TEXT_CHARS}")
