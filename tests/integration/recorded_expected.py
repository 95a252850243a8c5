"""What a recorded reply of each wire family says, read in the plainest way from its raw JSON.

Independent of the codecs: nothing of remit is imported. Frames of a binary event stream are cut here by their lengths.
"""

from __future__ import annotations

import base64
import json
import struct
from collections import defaultdict
from typing import Any


def body_bytes(response: dict[str, Any]) -> bytes:
    """The bytes of a streamed response."""
    return base64.b64decode(response["body_b64"]) if "body_b64" in response else response["sse"].encode()


def frames(response: dict[str, Any]) -> list[Any]:
    """The decoded frames of a streamed response; of a binary one {event: payload}."""
    if "sse" in response:
        lines = [line[6:] for line in response["sse"].splitlines() if line.startswith("data: ")]
        return [json.loads(line) for line in lines if line != "[DONE]"]
    data, at, found = body_bytes(response), 0, []
    while at < len(data):
        size, head = struct.unpack(">II", data[at : at + 8])
        headers = data[at + 12 : at + 12 + head]
        name = headers.split(b":event-type\x07")[1]
        length = struct.unpack(">H", name[:2])[0]
        found.append({name[2 : 2 + length].decode(): json.loads(data[at + 12 + head : at + size - 4])})
        at += size
    return found


def gemini(candidate: dict[str, Any], usage: dict[str, Any]) -> dict[str, Any]:
    """Of a (merged) candidate and the last usage."""
    parts = (candidate.get("content") or {}).get("parts") or []
    number = iter(range(100))
    calls = [
        (p["functionCall"].get("id") or f"call_{next(number)}", p["functionCall"]["name"], p["functionCall"]["args"])
        for p in parts
        if "functionCall" in p
    ]
    stop = {"STOP": "end", "MAX_TOKENS": "max_tokens"}.get(candidate.get("finishReason", ""), "content_filter")
    thoughts = usage.get("thoughtsTokenCount", 0)
    return {
        "text": "".join(p["text"] for p in parts if "text" in p and not p.get("thought")),
        "calls": calls,
        "stop": "tool_use" if calls else stop,
        "usage": (
            usage["promptTokenCount"] + usage.get("toolUsePromptTokenCount", 0),
            usage.get("cachedContentTokenCount", 0),
            0,
            usage.get("candidatesTokenCount", 0) + thoughts,
            thoughts,
        ),
    }


def gemini_whole(body: dict[str, Any]) -> dict[str, Any]:
    """Of an unstreamed body."""
    return gemini((body.get("candidates") or [{}])[0], body["usageMetadata"])


def gemini_stream(found: list[Any]) -> dict[str, Any]:
    """Of all frames."""
    merged: dict[str, Any] = {"content": {"parts": []}}
    for frame in found:
        for candidate in frame.get("candidates") or []:
            merged["content"]["parts"] += (candidate.get("content") or {}).get("parts") or []
            merged["finishReason"] = candidate.get("finishReason", merged.get("finishReason", ""))
    return gemini(merged, [frame["usageMetadata"] for frame in found if "usageMetadata" in frame][-1])


def bedrock(blocks: list[Any], stop: str, usage: dict[str, Any]) -> dict[str, Any]:
    """Of the message's blocks."""
    used = [b["toolUse"] for b in blocks if "toolUse" in b]
    calls = [(u["toolUseId"], u["name"], u["input"]) for u in used if u.get("type") != "server_tool_use"]
    read, written = usage.get("cacheReadInputTokens", 0), usage.get("cacheWriteInputTokens", 0)
    return {
        "text": "".join(b["text"] for b in blocks if "text" in b),
        "calls": calls,
        "stop": "tool_use" if calls else {"end_turn": "end", "tool_use": "end"}.get(stop, stop),
        "usage": (usage["inputTokens"] + read + written, read, written, usage["outputTokens"], 0),
    }


def bedrock_whole(body: dict[str, Any]) -> dict[str, Any]:
    """Of an unstreamed body."""
    return bedrock(body["output"]["message"]["content"], body["stopReason"], body["usage"])


def bedrock_stream(found: list[Any]) -> dict[str, Any]:
    """Of all frames."""
    blocks: dict[int, dict[str, Any]] = defaultdict(dict)
    inputs: dict[int, str] = defaultdict(str)
    stop, usage = "", {}
    for frame in found:
        [(kind, value)] = frame.items()
        if kind == "contentBlockStart":
            blocks[value["contentBlockIndex"]].update(value["start"])
        elif kind == "contentBlockDelta":
            block, delta = blocks[value["contentBlockIndex"]], value["delta"]
            if "text" in delta:
                block["text"] = block.get("text", "") + delta["text"]
            elif "toolUse" in delta:
                inputs[value["contentBlockIndex"]] += delta["toolUse"]["input"]
        elif kind == "messageStop":
            stop = value["stopReason"]
        elif kind == "metadata":
            usage = value["usage"]
    for position, written in inputs.items():
        blocks[position]["toolUse"]["input"] = json.loads(written or "{}")
    return bedrock([blocks[position] for position in sorted(blocks)], stop, usage)


def cohere_whole(body: dict[str, Any]) -> dict[str, Any]:
    """Of an unstreamed body."""
    message, tokens = body["message"], body["usage"]["tokens"]
    calls = [
        (c["id"], c["function"]["name"], json.loads(c["function"]["arguments"])) for c in message.get("tool_calls", ())
    ]
    stop = {"COMPLETE": "end", "STOP_SEQUENCE": "stop_sequence", "MAX_TOKENS": "max_tokens"}
    return {
        "text": "".join(c["text"] for c in message.get("content", ()) if c["type"] == "text"),
        "calls": calls,
        "stop": "tool_use" if calls else stop[body["finish_reason"]],
        "usage": (tokens["input_tokens"], body["usage"].get("cached_tokens", 0), 0, tokens["output_tokens"], 0),
    }
