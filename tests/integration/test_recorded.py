"""The recorded exchanges of all six families, whole and cut at every byte.

The data set lies outside the repository: REMIT_SHARED, or ../shared beside it. Without it these
tests are skipped, visibly. What is expected is read here, independently, from the raw JSON.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from integration.recorded_expected import (
    bedrock_stream,
    bedrock_whole,
    body_bytes,
    cohere_whole,
    frames,
    gemini_stream,
    gemini_whole,
)
from remit.core.messages import Echo, Message, Text, Thinking, ToolCall, ToolResult
from remit.core.model import ModelRequest, Reply, TextDelta, ThinkingDelta, ToolCallDelta
from remit.errors import ModelError
from remit.wire import embeddings, model_lists, token_counts
from remit.wire.anthropic_messages import CODEC as ANTHROPIC
from remit.wire.bedrock_converse import CODEC as BEDROCK
from remit.wire.cohere_v2 import CODEC as COHERE
from remit.wire.gemini import CODEC as GEMINI
from remit.wire.openai_chat import CODEC as CHAT
from remit.wire.openai_responses import CODEC as RESPONSES
from remit.wire.provider_errors import http_error
from remit.wire.sse import SseParser

SHARED = Path(os.environ.get("REMIT_SHARED") or Path(__file__).parents[3] / "shared")
DATA = SHARED / "data" / "recorded" / "open.jsonl"
CODECS = {codec.wire: codec for codec in (CHAT, RESPONSES, ANTHROPIC, GEMINI, BEDROCK, COHERE)}

pytestmark = pytest.mark.skipif(
    not DATA.exists(), reason=f"recorded exchanges not found: {DATA.name}; set REMIT_SHARED"
)


def _all_rows() -> list[dict[str, Any]]:
    if not DATA.exists():
        return []
    return [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]


ROWS = [row for row in _all_rows() if row["wire"] in CODECS]
OK = [row for row in ROWS if row["response"]["status"] == 200]
STREAMS = [row for row in OK if "sse" in row["response"] or "body_b64" in row["response"]]
WHOLE = [row for row in OK if "body" in row["response"]]
FAILED = [row for row in ROWS if row["response"]["status"] != 200]


def _name(row: dict[str, Any]) -> str:
    return f"{row['provider']}-{row['name'].rsplit('/', 1)[-1]}"


def _error_frame(row: dict[str, Any]) -> bool:
    return any(frame.get("error") for frame in frames(row["response"]) if frame.get("type") is None)


def _stream(row: dict[str, Any], *chunks: bytes) -> tuple[Reply, list[Any]]:
    decoder = CODECS[row["wire"]].stream()
    events: list[Any] = []
    for chunk in chunks:
        events += decoder.feed(chunk)
    return decoder.finish(), events


# ---- expected values, read in the plainest way -------------------------------------------------


def _expected_chat(choice: dict[str, Any], usage: dict[str, Any]) -> dict[str, Any]:
    message = choice["message"]
    content = message.get("content") or ""
    if isinstance(content, list):
        content = "".join(c["text"] for c in content if c["type"] == "text")
    calls = [
        (c["id"], c["function"]["name"], json.loads(c["function"]["arguments"]))
        for c in message.get("tool_calls") or []
    ]
    given, made = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
    cached = given.get("cached_tokens") or usage.get("num_cached_tokens") or usage.get("prompt_cache_hit_tokens") or 0
    stop = {"length": "max_tokens"}.get(choice.get("finish_reason") or "", "end")
    return {
        "text": content,
        "calls": calls,
        "stop": "tool_use" if calls else stop,
        "usage": (
            usage["prompt_tokens"],
            cached,
            given.get("cache_write_tokens") or 0,
            usage["completion_tokens"],
            made.get("reasoning_tokens") or 0,
        ),
    }


def _expected_responses(body: dict[str, Any]) -> dict[str, Any]:
    texts = [c["text"] for item in body["output"] if item["type"] == "message" for c in item["content"]]
    calls = [
        (item["call_id"], item["name"], json.loads(item["arguments"]))
        for item in body["output"]
        if item["type"] == "function_call"
    ]
    usage = body["usage"]
    return {
        "text": "".join(texts),
        "calls": calls,
        "stop": "tool_use" if calls else "end",
        "usage": (
            usage["input_tokens"],
            usage["input_tokens_details"]["cached_tokens"],
            usage["input_tokens_details"].get("cache_write_tokens") or 0,
            usage["output_tokens"],
            usage["output_tokens_details"]["reasoning_tokens"],
        ),
    }


def _expected_anthropic(content: list[Any], usage: dict[str, Any]) -> dict[str, Any]:
    calls = [(b["id"], b["name"], b["input"]) for b in content if b["type"] == "tool_use"]
    read, written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
    return {
        "text": "".join(b["text"] for b in content if b["type"] == "text"),
        "calls": calls,
        "stop": "tool_use" if calls else "end",
        "usage": (
            usage["input_tokens"] + read + written,
            read,
            written,
            usage["output_tokens"],
            (usage.get("output_tokens_details") or {}).get("thinking_tokens") or 0,
        ),
    }


WHOLE_READERS = {"gemini": gemini_whole, "bedrock-converse": bedrock_whole, "cohere-v2": cohere_whole}
STREAM_READERS = {"gemini": gemini_stream, "bedrock-converse": bedrock_stream}


def _seen(reply: Reply) -> dict[str, Any]:
    u = reply.usage
    return {
        "text": reply.text,
        "calls": [(c.id, c.name, c.arguments) for c in reply.tool_calls],
        "stop": reply.stop_reason,
        "usage": (u.input_tokens, u.cached_tokens, u.cache_write_tokens, u.output_tokens, u.reasoning_tokens),
    }


@pytest.mark.parametrize("row", WHOLE, ids=_name)
def test_a_whole_reply_decodes_exactly(row: dict[str, Any]) -> None:
    """Text, tool calls with arguments, stop reason and usage are what the raw JSON says."""
    body = row["response"]["body"]
    reply = CODECS[row["wire"]].decode(json.dumps(body).encode())
    if row["wire"] == "openai-chat":
        expected = _expected_chat(body["choices"][0], body["usage"])
        expected["calls"] = [(i or "call_0", n, a) for i, n, a in expected["calls"]]
    elif row["wire"] == "openai-responses":
        expected = _expected_responses(body)
    elif row["wire"] == "anthropic-messages":
        expected = _expected_anthropic(body["content"], body["usage"])
    else:
        expected = WHOLE_READERS[row["wire"]](body)
    assert _seen(reply) == expected
    assert reply.raw == body
    assert reply.id == (body.get("id") or body.get("responseId") or "")
    assert reply.model == (body.get("model") or body.get("modelVersion") or "")


@pytest.mark.parametrize("row", [row for row in STREAMS if not _error_frame(row)], ids=_name)
def test_a_streamed_reply_decodes_exactly(row: dict[str, Any]) -> None:
    """The fold of a stream is what its frames say, and the deltas are its text, thinking and calls."""
    found = frames(row["response"])
    reply, events = _stream(row, body_bytes(row["response"]))
    if row["wire"] == "openai-responses":
        assert _seen(reply) == _expected_responses(found[-1]["response"])
    elif row["wire"] == "anthropic-messages":
        usage = dict(found[0]["message"]["usage"])
        for frame in found:
            if frame["type"] == "message_delta":
                usage.update(frame["usage"])
        assert _seen(reply) == _expected_anthropic(_fold_anthropic(found), usage)
    elif row["wire"] in STREAM_READERS:
        assert _seen(reply) == STREAM_READERS[row["wire"]](found)
    else:
        deltas = [c["delta"].get("content") or "" for f in found for c in f["choices"]]
        texts = [d if isinstance(d, str) else "".join(c.get("text", "") for c in d) for d in deltas]
        assert reply.text == "".join(texts)
        usage = [frame["usage"] for frame in found if frame.get("usage")][-1]
        assert (reply.usage.input_tokens, reply.usage.output_tokens) == (
            usage["prompt_tokens"],
            usage["completion_tokens"],
        )
    assert "".join(e.text for e in events if type(e) is TextDelta) == reply.text
    assert "".join(e.text for e in events if type(e) is ThinkingDelta) == reply.thinking
    written: dict[int, str] = defaultdict(str)
    for event in events:
        if type(event) is ToolCallDelta:
            written[event.index] += event.arguments
    assert [json.loads(w or "{}") for w in written.values()] == [c.arguments for c in reply.tool_calls]
    assert reply.raw == frames(row["response"])  # read again: the readers fold in place


def _fold_anthropic(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    blocks: dict[int, dict[str, Any]] = {}
    inputs: dict[int, str] = defaultdict(str)
    for frame in frames:
        if frame["type"] == "content_block_start":
            blocks[frame["index"]] = dict(frame["content_block"])
        elif frame["type"] == "content_block_delta" and frame["delta"]["type"] == "text_delta":
            blocks[frame["index"]]["text"] += frame["delta"]["text"]
        elif frame["type"] == "content_block_delta" and frame["delta"]["type"] == "input_json_delta":
            inputs[frame["index"]] += frame["delta"]["partial_json"]
    for index, text in inputs.items():
        blocks[index]["input"] = json.loads(text or "{}")
    return [blocks[index] for index in sorted(blocks)]


EVERY_CUT = os.environ.get("REMIT_EVERY_CUT") == "1"  # read here: a test's own environment holds nothing of remit


@pytest.mark.parametrize("row", STREAMS, ids=_name)
def test_the_result_does_not_depend_on_where_the_bytes_are_cut(row: dict[str, Any]) -> None:
    """Two chunks at byte boundaries near line ends and at even distances, and one pass byte by byte.

    REMIT_EVERY_CUT=1 cuts at every byte boundary of every stream, which takes minutes.
    """
    data = body_bytes(row["response"])

    def result(*chunks: bytes) -> Any:
        try:
            reply, events = _stream(row, *chunks)
        except ModelError as error:
            return error.code, error.message
        return reply, events

    expected = result(data)
    assert result(*[data[i : i + 1] for i in range(len(data))]) == expected
    ends = {i + d for i, byte in enumerate(data) if byte in b"\n:{}\\" for d in (-1, 0, 1, 2)}
    stride = max(1, len(data) // 150)
    near = sorted(ends)[:: max(1, len(ends) // 150)]
    for cut in range(len(data)) if EVERY_CUT else {*range(0, len(data), stride), *near}:
        assert result(data[:cut], data[cut:]) == expected


@pytest.mark.parametrize("row", [row for row in STREAMS if "sse" in row["response"]], ids=_name)
def test_frames_do_not_depend_on_any_single_cut(row: dict[str, Any]) -> None:
    """Every byte boundary of the stream, each within the frames around it."""
    lines = row["response"]["sse"].encode().splitlines(keepends=True)
    starts = [0, *[i + 1 for i, line in enumerate(lines) if not line.strip()]]
    for start, stop in zip(starts, [*starts[2:], len(lines), len(lines)], strict=False):
        window = b"".join(lines[start:stop])
        expected = _framed(window)
        for cut in range(len(window)):
            assert _framed(window[:cut], window[cut:]) == expected


def _framed(*chunks: bytes) -> list[Any]:
    parser = SseParser()
    return [frame for chunk in chunks for frame in parser.feed(chunk)] + parser.end()


@pytest.mark.parametrize("row", [row for row in STREAMS if not _error_frame(row)], ids=_name)
def test_a_stream_that_ends_early_is_an_error_never_a_short_reply(row: dict[str, Any]) -> None:
    """Cut before the end marker: model_stream_cut. Cut after it: the same text and calls."""
    data = body_bytes(row["response"])
    whole, _ = _stream(row, data)
    for cut in range(0, len(data), max(1, len(data) // 200)):
        try:
            reply, _ = _stream(row, data[:cut])
        except ModelError as error:
            assert (error.code, error.retryable) == ("model_stream_cut", True)
        else:
            assert (reply.text, reply.tool_calls, reply.stop_reason) == (
                whole.text,
                whole.tool_calls,
                whole.stop_reason,
            )


@pytest.mark.parametrize("row", FAILED, ids=_name)
def test_recorded_errors_map_to_their_class(row: dict[str, Any]) -> None:
    """The status decides code and retryable; the provider's message is kept."""
    response = row["response"]
    error = CODECS[row["wire"]].error(response["status"], response["headers"], json.dumps(response["body"]).encode())
    expected = {400: ("model_bad_request", False), 404: ("model_not_found", False), 429: ("model_rate_limited", True)}
    assert (error.code, error.retryable) == expected[response["status"]]
    said = response["body"].get("error") or response["body"]
    assert said["message"][:40] in error.message


def test_errors_inside_a_200_stream_are_raised() -> None:
    """Both recorded forms, `event: error` and an error object in a chunk, become model_bad_request."""
    codes = []
    for row in STREAMS:
        if _error_frame(row):
            with pytest.raises(ModelError) as caught:
                _stream(row, row["response"]["sse"].encode())
            codes.append((caught.value.code, caught.value.retryable))
    assert codes == [("model_bad_request", False)] * 2


# ---- the way back --------------------------------------------------------------------------------

# What identifies or seals an item, and must go back byte-equal.
SEALS = (
    *("id", "call_id", "tool_use_id", "tool_call_id", "encrypted_content", "signature", "data", "encrypted_index"),
    *("thoughtSignature", "toolUseId", "redactedContent"),
)


def _sealed(value: Any, found: list[tuple[str, str]]) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key in SEALS and isinstance(inner, str):
                found.append((key, inner))
            else:
                _sealed(inner, found)
    elif isinstance(value, list):
        for inner in value:
            _sealed(inner, found)
    return found


def _history(body: dict[str, Any]) -> Any:
    return body.get("messages") or body.get("input") or body["contents"]


def _turns() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    talks = defaultdict(list)
    for row in ROWS:
        name, number = row["name"].rsplit("#", 1)
        talks[(row["wire"], name)].append((int(number), row))
    pairs = []
    for turns in talks.values():
        turns.sort(key=lambda turn: turn[0])
        for (_, before), (_, after) in pairwise(turns):
            if before["response"]["status"] == 200:
                pairs.append((before, after))
    return pairs


@pytest.mark.parametrize(("before", "after"), _turns(), ids=lambda row: _name(row))
def test_what_the_provider_sent_goes_back_byte_equal(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Ids, reasoning items, signatures and server items of a reply stand in the next request unchanged."""
    codec = CODECS[before["wire"]]
    response = before["response"]
    if "body" not in response:
        reply, _ = _stream(before, body_bytes(response))
        received = _sealed(frames(response), [])
    else:
        reply = codec.decode(json.dumps(response["body"]).encode())
        received = _sealed(response["body"], [])
    results = tuple(ToolResult(call.id, call.name, "done") for call in reply.tool_calls)
    messages = [Message("user", "go"), Message("assistant", reply.parts)]
    messages.append(Message("tool", results) if results else Message("user", "and then?"))
    body = json.loads(codec.encode(ModelRequest(tuple(messages), model="m"), False))
    sent = _sealed(_history(body), [])
    recorded = _sealed(_history(after["request"]["body"]), [])
    expected = [seal for seal in recorded if seal in received]
    # A message id or response id is in the reply only; everything that the recorded client sent back is sent.
    assert [seal for seal in expected if seal not in sent] == []
    given = [value for _, value in received]
    for call in reply.tool_calls:
        if call.id in given:  # Gemini may give none; then none is sent
            assert len([value for _, value in sent if value == call.id]) >= 2


@pytest.mark.parametrize("row", [r for r in WHOLE if r["wire"] == "openai-responses"], ids=_name)
def test_responses_items_go_back_as_they_came(row: dict[str, Any]) -> None:
    """Every output item of a reply is an input item of the next request, equal and in order."""
    reply = RESPONSES.decode(json.dumps(row["response"]["body"]).encode())
    body = json.loads(RESPONSES.encode(ModelRequest((Message("assistant", reply.parts),), model="m"), False))
    assert body["input"] == row["response"]["body"]["output"]


@pytest.mark.parametrize("row", [r for r in WHOLE if r["wire"] == "anthropic-messages"], ids=_name)
def test_anthropic_blocks_go_back_as_they_came(row: dict[str, Any]) -> None:
    """Every content block goes back equal; only a direct caller, which says nothing, is left out."""
    reply = ANTHROPIC.decode(json.dumps(row["response"]["body"]).encode())
    body = json.loads(ANTHROPIC.encode(ModelRequest((Message("assistant", reply.parts),), model="m"), False))
    expected = [
        {key: value for key, value in block.items() if (key, value) != ("caller", {"type": "direct"})}
        for block in row["response"]["body"]["content"]
    ]
    assert body["messages"][0]["content"] == expected


def test_another_family_gets_the_neutral_form_only() -> None:
    """Echoes of one wire never reach another: reasoning is left out, texts and calls are rebuilt."""
    parts = (
        Thinking("t", "s", Echo("another", {"secret": 1})),
        Text("hello", Echo("another", {"secret": 2})),
        ToolCall("c", "f", {"a": 1}, "", Echo("another", {"secret": 3})),
    )
    for codec in CODECS.values():
        body = codec.encode(ModelRequest((Message("assistant", parts),), model="m"), False)
        assert b"secret" not in body and b"hello" in body and b'"t"' not in body


# ---- embeddings, token counts, model lists -----------------------------------------------------

SIDE = [row for row in _all_rows() if row["wire"] not in CODECS]


@pytest.mark.parametrize("row", SIDE, ids=_name)
def test_side_calls_decode_exactly(row: dict[str, Any]) -> None:
    """Vectors, counts and names are what the raw JSON says; errors map to their class."""
    response, wire = row["response"], row["wire"]
    body = json.dumps(response["body"]).encode()
    if response["status"] != 200:
        error = http_error(response["status"], response["headers"], body)
        assert error.code == {400: "model_bad_request", 404: "model_not_found"}[response["status"]]
    elif wire.endswith("count-tokens"):
        family = {"anthropic": "anthropic-messages", "gemini": "gemini", "bedrock": "bedrock-converse"}
        [number] = [
            response["body"][k] for k in ("input_tokens", "totalTokens", "inputTokens") if k in response["body"]
        ]
        assert token_counts.decode(family[wire.partition("-")[0]], body) == number
    elif wire == "openai-models":
        assert model_lists.decode(body) == tuple(item["id"] for item in response["body"]["data"])
    else:
        reply = embeddings.codec(wire).decode(body)
        assert reply.raw == response["body"]
        sent = row["request"]["body"]
        assert len(reply.vectors) == len(sent.get("input") or sent.get("texts") or ["one"])
        given = response["body"]
        if "data" in given:
            assert [v.data for v in reply.vectors] == [item["embedding"] for item in given["data"]]
        else:
            numbers = given["embeddings"]["float"] if "embeddings" in given else [given["embedding"]["values"]]
            assert [v.values for v in reply.vectors] == numbers


def test_every_open_exchange_is_covered() -> None:
    """No row of the data set is left out by a filter: 250 of 250."""
    assert len(WHOLE) + len(STREAMS) + len(FAILED) + len(SIDE) == len(_all_rows()) == 250
