"""gemini: what the recorded traffic does not show, from the public documentation."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from remit.core.messages import Audio, Data, Echo, File, Image, Message, Text, Thinking, ToolCall, ToolResult
from remit.core.model import ModelRequest, OutputSpec, Settings, TextDelta, ThinkingDelta, ToolCallDelta, ToolSpec
from remit.errors import ModelError
from remit.wire.gemini import CODEC

PNG = b64encode(b"\x89PNG").decode()
TOOL = ToolSpec("f", "does", {"type": "object", "properties": {"a": {"type": "integer"}}})


def reply(parts: list[Any], finish: str = "STOP", **more: Any) -> Any:
    """The decoded reply of one candidate."""
    body = {"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": finish}], **more}
    return CODEC.decode(json.dumps(body).encode())


def body(*messages: Message, model: str = "gemini-3-pro", **more: Any) -> dict[str, Any]:
    """What is sent."""
    encoded: dict[str, Any] = json.loads(CODEC.encode(ModelRequest(messages, model=model, **more), False))
    return encoded


def stream(*frames: Any, marker: str = "") -> tuple[Any, list[Any]]:
    """(reply, events) of frames."""
    decoder = CODEC.stream()
    data = "".join(f"data: {json.dumps(frame)}\r\n\r\n" for frame in frames) + marker
    events = decoder.feed(data.encode())
    return decoder.finish(), events


def frame(parts: list[Any], finish: str = "", usage: dict[str, int] | None = None) -> dict[str, Any]:
    """One frame of a stream."""
    made: dict[str, Any] = {"candidates": [{"content": {"role": "model", "parts": parts}}]}
    if finish:
        made["candidates"][0]["finishReason"] = finish
    return made | ({"usageMetadata": usage} if usage else {})


@pytest.mark.parametrize(
    ("finish", "expected"),
    [("STOP", "end"), ("MAX_TOKENS", "max_tokens"), ("SAFETY", "content_filter"), ("RECITATION", "content_filter"),
     ("SPII", "content_filter"), ("BLOCKLIST", "content_filter"), ("PROHIBITED_CONTENT", "content_filter"),
     ("IMAGE_SAFETY", "content_filter"), ("MALFORMED_FUNCTION_CALL", "error"), ("UNEXPECTED_TOOL_CALL", "error"),
     ("LANGUAGE", "error"), ("OTHER", "other"), ("", "end"), ("SOMETHING_NEW", "other")],
)  # fmt: skip
def test_finish_reasons(finish: str, expected: str) -> None:
    """Every documented reason; an empty one is the end, an unknown one other."""
    assert reply([{"text": "x"}], finish).stop_reason == expected


def test_a_blocked_prompt_has_no_candidates() -> None:
    """Whole and streamed: an empty reply that was filtered; a stream without either is cut."""
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4}}
    whole = CODEC.decode(json.dumps(blocked).encode())
    assert (whole.parts, whole.stop_reason, whole.usage.input_tokens) == ((), "content_filter", 4)
    assert stream(blocked)[0].stop_reason == "content_filter"
    with pytest.raises(ModelError) as caught:
        stream(frame([{"text": "x"}]))
    assert caught.value.code == "model_stream_cut"


def test_missing_ids_are_made_and_never_sent() -> None:
    """Two calls without ids get stable ones beside a given one; back goes each as it came, results too."""
    calls = [{"functionCall": {"name": "f", "args": {"a": n}}} for n in (1, 2)]
    got = reply([*calls, {"functionCall": {"id": "call_0", "name": "f"}}])
    assert [call.id for call in got.tool_calls] == ["call_1", "call_2", "call_0"]
    assert got.stop_reason == "tool_use"
    results = tuple(ToolResult(call.id, "f", "r", is_error=i == 1) for i, call in enumerate(got.tool_calls))
    sent = body(Message("user", "go"), Message("assistant", got.parts), Message("tool", results))
    answers = [part["functionResponse"] for part in sent["contents"][2]["parts"]]
    assert answers == [
        {"name": "f", "response": {"output": "r"}},
        {"name": "f", "response": {"error": "r"}},
        {"id": "call_0", "name": "f", "response": {"output": "r"}},
    ]
    assert sent["contents"][1]["parts"][:2] == calls


def test_every_kind_of_part_goes_back_as_it_came() -> None:
    """Thoughts, code, server tools, pictures and files with their signatures; text without one is merged."""
    parts = [
        {"text": "hm", "thought": True, "thoughtSignature": "s0"},
        {"text": "a", "thoughtSignature": "s1"},
        {"text": "", "thoughtSignature": "s2"},
        {"executableCode": {"code": "1", "language": "PYTHON"}, "thoughtSignature": "s3"},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
        {"toolCall": {"toolType": "GOOGLE_SEARCH_WEB"}, "thoughtSignature": "s4"},
        {"toolResponse": {"toolType": "GOOGLE_SEARCH_WEB"}},
        {"inlineData": {"mimeType": "image/png", "data": PNG}, "thoughtSignature": "s5"},
        {"fileData": {"fileUri": "gs://b/f", "mimeType": "video/mp4"}},
        {"functionCall": {"id": "1", "name": "f", "args": {}}, "thoughtSignature": "s6"},
        {"somethingNew": {"x": 1}},
    ]
    got = reply(parts)
    assert [type(part).__name__ for part in got.parts] == (
        ["Thinking", "Text", "Thinking", *["Data"] * 4, "Image", "File", "ToolCall", "Data"]
    )
    assert body(Message("assistant", got.parts))["contents"][0]["parts"] == parts


def test_an_edited_call_keeps_its_signature_and_a_foreign_one_gets_the_placeholder() -> None:
    """Gemini 3 refuses a turn whose first call is unsigned; older models get none."""
    signed = reply([{"functionCall": {"id": "1", "name": "f", "args": {"a": 1}}, "thoughtSignature": "s"}]).tool_calls[
        0
    ]
    edited = ToolCall(signed.id, "f", {"a": 2}, "", signed.echo)
    [part] = body(Message("assistant", (edited,)))["contents"][0]["parts"]
    assert part == {"functionCall": {"id": "1", "name": "f", "args": {"a": 2}}, "thoughtSignature": "s"}
    foreign = Message("assistant", (ToolCall("x", "f", {}, "", Echo("other", {})), ToolCall("y", "f")))
    first, second = body(foreign)["contents"][0]["parts"]
    assert "thoughtSignature" in first and "thoughtSignature" not in second
    assert all("thoughtSignature" not in p for p in body(foreign, model="gemini-2.5-flash")["contents"][0]["parts"])


def test_a_request_of_everything() -> None:
    """System texts are joined, turns alternate, media stand in their form, settings have their names."""
    sent = body(
        Message("system", "be brief"),
        Message("user", (Text("see"), Image(b"\x89PNG", "image/png"), File(url="gs://b/f", media_type="video/mp4"))),
        Message("user", (Audio(b"RIFF"), File(b"hi", "text/plain", name="n.txt"), Data({"k": 1}))),
        Message("assistant", (Thinking("t", "s", Echo("other", {})), Text("ok"))),
        tools=(TOOL,),
        settings=Settings(9, 0.5, 0.9, stop=("x",), seed=7, tool_choice="f", thinking_tokens=64),
        output=OutputSpec("o", {"type": "object"}),
    )  # fmt: skip
    assert sent["systemInstruction"] == {"parts": [{"text": "be brief"}]}
    assert [turn["role"] for turn in sent["contents"]] == ["user", "model"]
    assert sent["contents"][0]["parts"] == [
        {"text": "see"},
        {"inlineData": {"mimeType": "image/png", "data": PNG}},
        {"fileData": {"fileUri": "gs://b/f", "mimeType": "video/mp4"}},
        {"inlineData": {"mimeType": "audio/wav", "data": b64encode(b"RIFF").decode()}},
        {"text": "n.txt:\nhi"},
        {"text": '{"k":1}'},
    ]
    assert sent["contents"][1]["parts"] == [{"text": "ok"}]
    assert sent["toolConfig"] == {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}}
    assert sent["generationConfig"] == {
        "maxOutputTokens": 9, "temperature": 0.5, "topP": 0.9, "seed": 7, "stopSequences": ["x"],
        "thinkingConfig": {"thinkingBudget": 64, "includeThoughts": True},
        "responseMimeType": "application/json", "responseJsonSchema": {"type": "object"},
    }  # fmt: skip


def test_structured_output_beside_tools() -> None:
    """Models before Gemini 3 refuse both together: there the form is asked for in words."""
    asked = {"tools": (TOOL,), "output": OutputSpec("o", {"type": "object", "title": "T"})}
    old = body(Message("user", "x"), model="gemini-2.5-flash", **asked)
    assert "generationConfig" not in old and '"title":"T"' in old["systemInstruction"]["parts"][0]["text"]
    assert "responseJsonSchema" in body(Message("user", "x"), model="gemini-3-flash", **asked)["generationConfig"]


def test_media_of_tool_results() -> None:
    """Inside the function response from Gemini 3 on, beside it before."""
    result = Message("tool", (ToolResult("1", "f", "", media=(Image(b"\x89PNG", "image/png"),)),))
    inline = {"inlineData": {"mimeType": "image/png", "data": PNG}}
    assert body(result)["contents"][0]["parts"][0]["functionResponse"]["parts"] == [inline]
    old = body(result, model="gemini-2.0-flash")["contents"][0]["parts"]
    assert inline in old and "parts" not in old[0]["functionResponse"]


def test_a_stream() -> None:
    """Thoughts and text become deltas, the last usage counts, a signature stays with its part."""
    got, events = stream(
        frame([{"text": "hm", "thought": True}], usage={"promptTokenCount": 3, "thoughtsTokenCount": 5}),
        frame([{"text": "a"}]),
        frame([{"text": "b"}, {"functionCall": {"name": "f", "args": {"a": 1}}}]),
        frame(
            [{"text": "", "thoughtSignature": "s"}], "STOP",
            {"promptTokenCount": 3, "toolUsePromptTokenCount": 10, "candidatesTokenCount": 2, "thoughtsTokenCount": 7},
        ),
    )  # fmt: skip
    assert events == [
        ThinkingDelta("hm"), TextDelta("a"), TextDelta("b"), ToolCallDelta(0, "", "f", ""),
        ToolCallDelta(0, "", "", '{"a":1}'),
    ]  # fmt: skip
    assert (got.text, got.thinking, got.stop_reason) == ("ab", "hm", "tool_use")
    u = got.usage
    assert (u.input_tokens, u.output_tokens, u.reasoning_tokens) == (13, 9, 7)


def test_arguments_in_pieces() -> None:
    """partialArgs: texts continue, numbers and nested values are whole, an empty call ends it."""

    def piece(path: str, **value: Any) -> dict[str, Any]:
        return {"jsonPath": path, **value}

    got, events = stream(
        frame([{"functionCall": {"name": "f", "willContinue": True}, "thoughtSignature": "s"}]),
        frame([{"functionCall": {"partialArgs": [piece("$.a.b", stringValue="New ")], "willContinue": True}}]),
        frame([{"functionCall": {"partialArgs": [piece("$.a.b", stringValue="York")], "willContinue": True}}]),
        frame([{"functionCall": {"partialArgs": [piece("$.list[0].n", numberValue=1)], "willContinue": True}}]),
        frame([{"functionCall": {"partialArgs": [piece("$.list[1]", boolValue=True)], "willContinue": True}}]),
        frame([{"functionCall": {"partialArgs": [piece("$['x.y']", nullValue=None)], "willContinue": True}}]),
        frame([{"functionCall": {}}]),
        frame([{"functionCall": {"name": "g", "args": {}}}], "STOP"),
    )
    expected = {"a": {"b": "New York"}, "list": [{"n": 1}, True], "x.y": None}
    assert [(call.name, call.arguments) for call in got.tool_calls] == [("f", expected), ("g", {})]
    written = [event.arguments for event in events if type(event) is ToolCallDelta and event.index == 0]
    assert json.loads("".join(written)) == expected


@pytest.mark.parametrize("path", ["", "a", "$", "$.a[5]", "$.a..b", "$.s.x", "$[0]"])
def test_a_path_that_leads_nowhere_is_refused(path: str) -> None:
    """An unknown path, a skipped item, a step into a text."""
    begun = {"functionCall": {"name": "f", "args": {"s": "t"}, "willContinue": True}}
    with pytest.raises(ModelError):
        stream(frame([begun]), frame([{"functionCall": {"partialArgs": [{"jsonPath": path, "numberValue": 1}]}}]))


def test_errors_in_streams_and_lists() -> None:
    """An error frame after text; a stream as one JSON list; an error in a list."""
    with pytest.raises(ModelError) as caught:
        stream(frame([{"text": "a"}]), {"error": {"code": 503, "status": "UNAVAILABLE", "message": "overloaded"}})
    assert caught.value.code == "model_overloaded"
    listed = json.dumps([frame([{"text": "a"}]), frame([{"text": "b"}], "STOP")]).encode()
    assert CODEC.decode(listed).text == "ab"
    decoder = CODEC.stream()
    decoder.feed(listed)
    assert decoder.finish().text == "ab"
    with pytest.raises(ModelError) as caught:
        CODEC.decode(b'[{"error":{"code":429,"message":"slow down"}}]')
    assert caught.value.code == "model_rate_limited"


@pytest.mark.parametrize("bad", [b"[]", b"{}", b"3", b'{"candidates":3}', b'{"candidates":[{"content":{"parts":[1]}}]}',
                                 b'{"candidates":[{"content":{"parts":[{"inlineData":{"data":"%"}}]}}]}'])  # fmt: skip
def test_what_is_no_reply_is_refused(bad: bytes) -> None:
    """model_bad_reply, never another exception."""
    with pytest.raises(ModelError) as caught:
        CODEC.decode(bad)
    assert caught.value.code == "model_bad_reply"
