"""Embeddings, token counts and model lists."""

from __future__ import annotations

import json
import struct
from base64 import b64encode

import pytest

from remit.core.messages import Message
from remit.core.model import ModelRequest, Settings, ToolSpec
from remit.errors import Invalid, ModelError
from remit.wire import embeddings, model_lists, token_counts
from remit.wire.embeddings import EmbedRequest, Vector

FLOATS = b64encode(struct.pack("<2f", 0.5, -1.0)).decode()
ASK = ModelRequest((Message("user", "hi"),), tools=(ToolSpec("f"),), settings=Settings(max_tokens=5), model="m")


def test_openai_embeddings() -> None:
    """Base64 and numbers, in the order of the index; usage with a total only."""
    codec = embeddings.codec("openai-embeddings")
    sent = json.loads(codec.encode(EmbedRequest(("a", "b"), "m", dimensions=2, extra={"user": "u"})))
    assert sent == {"model": "m", "input": ["a", "b"], "encoding_format": "base64", "dimensions": 2, "user": "u"}
    rows = [{"index": 1, "embedding": [1, 2.5]}, {"index": 0, "embedding": FLOATS}]
    reply = codec.decode(json.dumps({"data": rows, "usage": {"total_tokens": 3}, "model": "m"}).encode())
    assert [vector.values for vector in reply.vectors] == [[0.5, -1.0], [1.0, 2.5]]
    assert (reply.usage.input_tokens, reply.model) == (3, "m")


def test_cohere_and_gemini_embeddings() -> None:
    """Their tasks, their shapes, one and many vectors, Vertex's predictions."""
    cohere = embeddings.codec("cohere-embed")
    assert json.loads(cohere.encode(EmbedRequest(("a",), "m", query=True)))["input_type"] == "search_query"
    body = {"embeddings": {"float": [[1.0]]}, "meta": {"billed_units": {"input_tokens": 2}}, "id": "i"}
    reply = cohere.decode(json.dumps(body).encode())
    assert ([v.values for v in reply.vectors], reply.usage.input_tokens) == ([[1.0]], 2)
    assert cohere.decode(b'{"embeddings":[[1]]}').vectors == (Vector([1]),)
    gemini = embeddings.codec("gemini-embed")
    [row] = json.loads(gemini.encode(EmbedRequest(("a",), "m", dimensions=3)))["requests"]
    assert row == {"model": "models/m", "content": {"parts": [{"text": "a"}]}, "taskType": "RETRIEVAL_DOCUMENT",
                   "outputDimensionality": 3}  # fmt: skip
    many = gemini.decode(b'{"embeddings":[{"values":[1]},{"values":[2]}]}')
    assert [v.values for v in many.vectors] == [[1.0], [2.0]]
    assert gemini.decode(b'{"embedding":{"values":[1]}}').vectors == (Vector([1]),)
    predicted = gemini.decode(b'{"predictions":[{"embeddings":{"values":[1],"statistics":{"token_count":4}}}]}')
    assert (predicted.vectors, predicted.usage.input_tokens) == ((Vector([1]),), 4)


@pytest.mark.parametrize("wire", embeddings.WIRES)
@pytest.mark.parametrize("body", [b"{}", b"[]", b"x", b'{"data":[{"embedding":1}],"embeddings":[1],"embedding":{}}',
                                  b'{"error":{"message":"no","type":"invalid"}}', b'{"message":"no"}'])  # fmt: skip
def test_what_is_no_embedding_is_refused(wire: str, body: bytes) -> None:
    """ModelError for every wrong shape; statuses map as for chat."""
    with pytest.raises(ModelError):
        embeddings.codec(wire).decode(body)
    assert embeddings.codec(wire).error(404, {}, b"{}").code == "model_not_found"


@pytest.mark.parametrize("data", ["%", b64encode(b"12345").decode(), ["x"], [None], [True], [[1]]])
def test_vectors_that_are_none(data: object) -> None:
    """No base64, no float32, no numbers: an error when the values are asked for."""
    with pytest.raises(ModelError):
        _ = Vector(data).values  # type: ignore[arg-type]
    with pytest.raises(Invalid):
        embeddings.codec("os.path")


def test_token_counts() -> None:
    """Paths, bodies without what is not counted, answers, and refusals."""
    anthropic = json.loads(token_counts.encode("anthropic-messages", ASK))
    assert set(anthropic) == {"model", "messages", "tools"}
    gemini = json.loads(token_counts.encode("gemini", ASK))
    assert gemini["generateContentRequest"]["model"] == "models/m"
    assert "converse" in json.loads(token_counts.encode("bedrock-converse", ASK))["input"]
    assert token_counts.decode("gemini", b'{"totalTokens":5}') == 5
    assert token_counts.path("bedrock-converse") == "/model/{model}/count-tokens"
    with pytest.raises(Invalid):
        token_counts.path("openai-chat")
    for body in (b"{}", b'{"error":{"message":"x"}}', b"[1]", b'{"totalTokens":"many"}'):
        with pytest.raises(ModelError):
            token_counts.decode("gemini", body)


def test_model_lists() -> None:
    """Every form; names once and in order; what is no list is refused."""
    assert model_lists.decode(b'{"data":[{"id":"a"},{"id":"b"},{"id":"a"},{},3]}') == ("a", "b")
    assert model_lists.decode(b'{"models":[{"name":"models/g"},{"name":"llama:3b"}]}') == ("g", "llama:3b")
    assert model_lists.decode(b'["x",{"model":"y"}]') == ("x", "y")
    for body in (b"{}", b"3", b'{"error":{"message":"x"}}'):
        with pytest.raises(ModelError):
            model_lists.decode(body)
