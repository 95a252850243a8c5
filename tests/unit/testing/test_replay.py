"""ReplayModel: recorded bytes through the real codecs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from remit import ModelRequest, Reply, ToolCall
from remit.core.messages import as_messages
from remit.core.model import StreamEnd
from remit.errors import Invalid, ModelError
from remit.testing import ReplayModel

REQUEST = ModelRequest(as_messages("hello"))


def frame(value: object) -> str:
    """One server-sent event."""
    return f"data: {json.dumps(value)}\n\n"


def chat(delta: dict[str, Any], finish: str | None = None) -> str:
    """One frame of a chat stream."""
    return frame({"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


BODY = {
    "wire": "openai-chat",
    "name": "talk#0",
    "tags": [],
    "request": {"body": {"messages": [{"role": "user", "content": "hello"}]}},
    "response": {
        "status": 200,
        "body": {
            "id": "c",
            "model": "m",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
        },
    },
}
CALL = {"index": 0, "id": "k", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}
STREAMED = {
    "wire": "openai-chat",
    "name": "talk#1",
    "response": {
        "status": 200,
        "sse": chat({"role": "assistant", "tool_calls": [CALL]}) + chat({}, "tool_calls") + "data: [DONE]\n\n",
    },
}
LIMITED = {
    "wire": "openai-chat",
    "name": "other#0",
    "response": {"status": 429, "headers": {"retry-after": "7"}, "body": {"error": {"message": "slow down"}}},
}


def write(folder: Path, *exchanges: dict[str, Any]) -> Path:
    """A recording."""
    path = folder / "talk.jsonl"
    path.write_text("".join(json.dumps(e) + "\n" for e in exchanges), encoding="utf-8")
    return path


def test_recorded_exchanges_are_decoded_in_order(tmp_path: Path) -> None:
    """A whole body and a stream give their replies, asked for either way, and a status gives its error."""
    model = ReplayModel(write(tmp_path, BODY, STREAMED, LIMITED))
    first = asyncio.run(model.request(REQUEST))
    assert (model.name, first.text, first.usage.input_tokens, first.stop_reason) == ("replay:talk", "hi", 3, "end")
    second = asyncio.run(model.request(REQUEST))
    assert [(c.name, c.arguments) for c in second.tool_calls] == [("add", {"a": 1})]
    with pytest.raises(ModelError) as caught:
        asyncio.run(model.request(REQUEST))
    assert (caught.value.code, caught.value.retryable, caught.value.retry_after_s) == ("model_rate_limited", True, 7.0)
    assert model.left == 0


def test_streaming_gives_the_same_reply(tmp_path: Path) -> None:
    """`stream` ends with the reply that `request` gives, for whole bodies and for streams."""
    path = write(tmp_path, BODY, STREAMED)

    async def both() -> tuple[list[Reply], list[Reply]]:
        whole, streamed = ReplayModel(path), ReplayModel(path)
        left = [await whole.request(REQUEST) for _ in range(2)]
        right = []
        for _ in range(2):
            right += [e.reply async for e in streamed.stream(REQUEST) if isinstance(e, StreamEnd)]
        return left, right

    left, right = asyncio.run(both())
    assert left == right
    assert any(isinstance(part, ToolCall) for part in right[1].parts)


def test_only_selects_one_conversation(tmp_path: Path) -> None:
    """`only` keeps the exchanges of one conversation."""
    assert ReplayModel(write(tmp_path, BODY, STREAMED, LIMITED), only="talk").left == 2


def test_a_strict_replay_compares_the_number_of_messages(tmp_path: Path) -> None:
    """With strict=True a request of another length than the recorded one is model_script; the end always is."""
    model = ReplayModel(write(tmp_path, BODY), strict=True)
    longer = ModelRequest(as_messages("a") + as_messages("b"))
    with pytest.raises(ModelError, match="at talk#0 1 messages; the request has 2 messages"):
        asyncio.run(model.request(longer))
    asyncio.run(model.request(REQUEST))
    with pytest.raises(ModelError, match="no request after its 1 recorded ones"):
        asyncio.run(model.request(REQUEST))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{not json\n", "line 1 of the recording is not JSON"),
        ('{"wire": "openai-chat"}\n', "line 1 of the recording is no exchange"),
        ('{"wire": "telepathy", "name": "x", "response": {"status": 200}}\n', "no codec for wire 'telepathy'"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, text: str, message: str) -> None:
    """A broken line, a missing field and an unknown wire are named."""
    path = tmp_path / "bad.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Invalid, match=message):
        ReplayModel(path)
    with pytest.raises(Invalid, match="cannot be read"):
        ReplayModel(tmp_path / "missing.jsonl")


def test_real_recordings_replay(shared_dir: Path) -> None:
    """Every recorded exchange of the three families gives a reply or the error of its status."""
    path = shared_dir / "recorded" / "open.jsonl"
    path = path if path.exists() else shared_dir / "data" / "recorded" / "open.jsonl"
    wires = ("openai-chat", "openai-responses", "anthropic-messages")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row["wire"] in wires]
    model = ReplayModel(rows)

    async def main() -> tuple[int, int]:
        replies = errors = 0
        for _ in rows:
            try:
                replies += isinstance(await model.request(REQUEST), Reply)
            except ModelError:
                errors += 1
        return replies, errors

    replies, errors = asyncio.run(main())
    assert replies + errors == len(rows)
    assert replies > 0.9 * len(rows)
