"""bedrock-converse: what the recorded traffic does not show, from the public documentation."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from remit.core.messages import Data, Echo, File, Image, Message, Text, Thinking, ToolCall, ToolResult
from remit.core.model import ModelRequest, OutputSpec, Settings, TextDelta, ThinkingDelta, ToolCallDelta, ToolSpec
from remit.errors import Invalid, ModelError
from remit.wire.bedrock_converse import CODEC
from remit.wire.event_stream import encode_frame

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
TOOL = ToolSpec("f", "", {"type": "object"})


def reply(blocks: list[Any], stop: str = "end_turn", usage: dict[str, Any] | None = None) -> Any:
    """The decoded reply of a message."""
    message = {"role": "assistant", "content": blocks}
    body = {"output": {"message": message}, "stopReason": stop, "usage": usage or {}}
    return CODEC.decode(json.dumps(body).encode())


def body(*messages: Message, model: str = CLAUDE, **more: Any) -> dict[str, Any]:
    """What is sent."""
    encoded: dict[str, Any] = json.loads(CODEC.encode(ModelRequest(messages, model=model, **more), False))
    return encoded


def stream(*events: tuple[str, Any]) -> tuple[Any, list[Any]]:
    """(reply, deltas) of events."""
    decoder = CODEC.stream()
    shown: list[Any] = []
    for name, payload in events:
        raw = encode_frame({":event-type": name, ":message-type": "event"}, json.dumps(payload).encode())
        shown += decoder.feed(raw)
    return decoder.finish(), shown


def delta(index: int, **fields: Any) -> tuple[str, Any]:
    """One delta event."""
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": fields}


STOP = ("messageStop", {"stopReason": "end_turn"})


@pytest.mark.parametrize(
    ("stop", "expected"),
    [("end_turn", "end"), ("tool_use", "end"), ("max_tokens", "max_tokens"), ("stop_sequence", "stop_sequence"),
     ("guardrail_intervened", "content_filter"), ("content_filtered", "content_filter"),
     ("model_context_window_exceeded", "max_tokens"), ("malformed_tool_use", "error"),
     ("malformed_model_output", "error"), ("", "end"), ("new", "other")],
)  # fmt: skip
def test_stop_reasons(stop: str, expected: str) -> None:
    """Every documented reason."""
    assert reply([{"text": "x"}], stop).stop_reason == expected


def test_usage_adds_what_is_counted_apart() -> None:
    """Cache reads and writes are input; both names of the fields; writes for an hour are kept apart."""
    usage = {"inputTokens": 3, "outputTokens": 4, "cacheReadInputTokens": 10, "cacheWriteInputTokens": 7,
             "cacheReadInputTokenCount": 10, "cacheDetails": [{"ttl": "1h", "inputTokens": 5}]}  # fmt: skip
    u = reply([], usage=usage).usage
    assert (u.input_tokens, u.cached_tokens, u.cache_write_tokens, u.output_tokens) == (20, 10, 7, 4)
    assert u.cache_write_1h_tokens == 5
    assert reply([], usage={"cacheReadInputTokenCount": 2}).usage.input_tokens == 2


def test_blocks_go_back_as_they_came() -> None:
    """Reasoning with and without signature, redacted, server tools, citations, documents, unknown ones."""
    blocks = [
        {"reasoningContent": {"reasoningText": {"text": "t", "signature": "s"}}},
        {"reasoningContent": {"reasoningText": {"text": "unsigned"}}},
        {"reasoningContent": {"redactedContent": "cmVk"}},
        {"text": "said"},
        {"citationsContent": {"content": [{"text": "cited"}], "citations": [{"title": "d"}]}},
        {"toolUse": {"toolUseId": "1", "name": "web", "input": {}, "type": "server_tool_use"}},
        {"toolResult": {"toolUseId": "1", "content": [{"json": {"a": 1}}], "type": "web_result"}},
        {"searchResult": {"title": "x"}},
        {"toolUse": {"toolUseId": "2", "name": "f", "input": {"a": 1}}},
    ]
    got = reply(blocks, "tool_use")
    assert (got.text, got.thinking, [c.id for c in got.tool_calls]) == ("saidcited", "tunsigned", ["2"])
    assert body(Message("assistant", got.parts))["messages"][0]["content"] == blocks


def test_a_request_of_everything() -> None:
    """Turns alternate, results come first, blank texts are left out, names of documents are clean and unique."""
    pdf = File(b"%PDF", "application/pdf", name="a/b..c.pdf")
    sent = body(
        Message("system", "be brief"),
        Message("user", (Text(" "), Text("see"), Image(b"\x89PNG", "image/png"), pdf, pdf)),
        Message("assistant", (Thinking("t", "s", Echo("other", {})), ToolCall("1", "f", {"a": 1}))),
        Message("user", "and"),
        Message("tool", (ToolResult("1", "f", "no", is_error=True),)),
        tools=(TOOL,),
        settings=Settings(9, 0.5, stop=("x",), tool_choice="required", reasoning_effort="minimal"),
        output=OutputSpec("o p", {"type": "object", "properties": {}}),
    )  # fmt: skip
    first, second, third = sent["messages"]
    assert [turn["role"] for turn in sent["messages"]] == ["user", "assistant", "user"]
    pdf_block = {"format": "pdf", "source": {"bytes": b64encode(b"%PDF").decode()}}
    assert first["content"] == [
        {"text": "see"},
        {"image": {"format": "png", "source": {"bytes": b64encode(b"\x89PNG").decode()}}},
        {"document": {**pdf_block, "name": "a b c pdf"}},
        {"document": {**pdf_block, "name": "a b c pdf 2"}},
    ]
    assert second["content"] == [{"toolUse": {"toolUseId": "1", "name": "f", "input": {"a": 1}}}]
    assert third["content"] == [
        {"toolResult": {"toolUseId": "1", "content": [{"text": "no"}], "status": "error"}},
        {"text": "and"},
    ]
    assert sent["inferenceConfig"] == {"maxTokens": 9, "temperature": 0.5, "stopSequences": ["x"]}
    spec = {"name": "f", "inputSchema": {"json": {"type": "object"}}}
    assert sent["toolConfig"] == {"tools": [{"toolSpec": spec}], "toolChoice": {"any": {}}}
    assert sent["additionalModelRequestFields"] == {"output_config": {"effort": "low"}}
    form = sent["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert (form["name"], json.loads(form["schema"])["additionalProperties"]) == ("o_p", False)


def test_quirks_of_the_service() -> None:
    """Tools of a history are declared; a document gets a text; thinking bans sampling."""
    history = (Message("assistant", (ToolCall("1", "g"),)), Message("tool", (ToolResult("1", "g", "ok"),)))
    for settings, tools in ((Settings(), ()), (Settings(tool_choice="none"), (TOOL,))):
        sent = body(*history, tools=tools, settings=settings)
        assert [t["toolSpec"]["name"] for t in sent["toolConfig"]["tools"]] == ["g"]
    assert "toolConfig" not in body(Message("user", "x"))
    assert "text" in body(Message("user", (File(b"a", "text/csv"),)))["messages"][0]["content"][0]
    thinking = body(Message("user", "x"), settings=Settings(thinking_tokens=1024, temperature=0.1))
    assert thinking["additionalModelRequestFields"]["thinking"] == {"type": "enabled", "budget_tokens": 1024}
    assert "inferenceConfig" not in thinking
    with pytest.raises(Invalid):
        body(Message("user", (Image(url="https://x/y.png"),)))


def test_a_stream_of_everything() -> None:
    """Text without a start, a call in pieces, reasoning, redacted pieces, server tools, citations."""
    got, shown = stream(
        ("messageStart", {"role": "assistant"}),
        delta(0, reasoningContent={"text": "t"}), delta(0, reasoningContent={"signature": "s"}),
        delta(1, reasoningContent={"redactedContent": "YQ=="}), delta(1, reasoningContent={"redactedContent": "Yg=="}),
        delta(2, text="he"), delta(2, text="llo"),
        delta(3, text="cited"), delta(3, citation={"title": "d"}),
        ("contentBlockStart", {"contentBlockIndex": 4, "start": {"toolUse": {"toolUseId": "x", "name": "f"}}}),
        delta(4, toolUse={"input": '{"a"'}), delta(4, toolUse={"input": ":1}"}),
        ("contentBlockStart", {"contentBlockIndex": 5, "start": {"toolUse": {"toolUseId": "y", "name": "g"}}}),
        delta(5, toolUse={"input": ""}),
        ("contentBlockStop", {"contentBlockIndex": 5}), ("somethingNew", {}),
        ("messageStop", {"stopReason": "tool_use"}),
        ("metadata", {"usage": {"inputTokens": 1, "outputTokens": 2}, "metrics": {}}),
    )  # fmt: skip
    assert shown == [
        ThinkingDelta("t"), TextDelta("he"), TextDelta("llo"), TextDelta("cited"), ToolCallDelta(0, "x", "f", ""),
        ToolCallDelta(0, "", "", '{"a"'), ToolCallDelta(0, "", "", ":1}"), ToolCallDelta(1, "y", "g", ""),
    ]  # fmt: skip
    assert [(c.id, c.arguments) for c in got.tool_calls] == [("x", {"a": 1}), ("y", {})]
    assert body(Message("assistant", got.parts))["messages"][0]["content"][:4] == [
        {"reasoningContent": {"reasoningText": {"text": "t", "signature": "s"}}},
        {"reasoningContent": {"redactedContent": "YWI="}},
        {"text": "hello"},
        {"citationsContent": {"content": [{"text": "cited"}], "citations": [{"title": "d"}]}},
    ]


def test_a_stream_that_ends_early() -> None:
    """Without messageStop it is cut; without metadata only the counts are lost."""
    with pytest.raises(ModelError) as caught:
        stream(delta(0, text="a"))
    assert caught.value.code == "model_stream_cut"
    assert stream(delta(0, text="a"), STOP)[0].text == "a"


def test_an_unknown_part_of_another_family_is_left_out() -> None:
    """Only the neutral form crosses families."""
    parts = (Data(None, "x", Echo("other", {"secret": 1})), Text("hi", Echo("other", {"secret": 2})))
    assert body(Message("assistant", parts))["messages"][0]["content"] == [{"text": "hi"}]


@pytest.mark.parametrize("bad", [b"{}", b"[]", b'{"output":3}', b'{"output":{"message":{"content":[1]}}}'])
def test_what_is_no_reply_is_refused(bad: bytes) -> None:
    """model_bad_reply, never another exception."""
    with pytest.raises(ModelError) as caught:
        CODEC.decode(bad)
    assert caught.value.code == "model_bad_reply"
