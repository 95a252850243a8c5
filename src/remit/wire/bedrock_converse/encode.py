"""bedrock-converse: a ModelRequest to the JSON body of Converse and ConverseStream.

Turns must alternate, so adjacent messages of a side are merged; tool results come first in their
turn. Blank texts are refused by the API and left out. A history with calls needs a `toolConfig`
even when no tool is offered: then the tools that it names are declared. `tool_choice` none has no
word here: no tool is offered. What only one maker's models know (thinking, effort) travels in
`additionalModelRequestFields`. Structured output is `outputConfig`.

Source: Amazon Bedrock API reference "Converse", "Message", "ToolConfiguration", "DocumentBlock"; user guide
"Structured outputs", "Extended thinking"; Amazon Nova user guide "Reasoning".
"""

from __future__ import annotations

import re
from typing import Any, Final

from remit.core.messages import Audio, Data, File, Image, Message, Part, Text, Thinking, ToolCall, ToolResult
from remit.core.model import ModelRequest, Settings
from remit.errors import Invalid
from remit.wire import media
from remit.wire.bedrock_converse.decode import WIRE
from remit.wire.reading import as_json, echo_of
from remit.wire.schemas import closed, schema_name

_FORMATS: Final = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
_VIDEO: Final = {"quicktime": "mov", "x-matroska": "mkv", "x-flv": "flv", "3gpp": "three_gp", "x-ms-wmv": "wmv"}
_AUDIO: Final = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav", "mp4": "m4a", "x-aac": "aac", "x-flac": "flac"}


def body_of(request: ModelRequest) -> dict[str, Any]:
    """The request as JSON, before `extra`; the model is in the path."""
    system, turns = turns_of(request.messages)
    settings = request.settings
    body: dict[str, Any] = {"messages": turns}
    if system:
        body["system"] = system
    config = _config(settings)
    if config:
        body["inferenceConfig"] = config
    tools = _tools(request)
    if tools:
        body["toolConfig"] = tools
    if request.output is not None:
        form = {"name": schema_name(request.output.name), "schema": as_json(closed(request.output.schema))}
        body["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": form}}}
    more = _fields(request.model, settings)
    if more:
        body["additionalModelRequestFields"] = more
    return body


def _config(settings: Settings) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if settings.max_tokens is not None:
        config["maxTokens"] = settings.max_tokens
    if not settings.thinking_tokens:  # both are refused while thinking is on
        if settings.temperature is not None:
            config["temperature"] = settings.temperature
        if settings.top_p is not None:
            config["topP"] = settings.top_p
    if settings.stop:
        config["stopSequences"] = settings.stop
    return config


def _fields(model: str, settings: Settings) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    effort = settings.reasoning_effort
    if settings.thinking_tokens and "anthropic." in model:
        fields["thinking"] = {"type": "enabled", "budget_tokens": settings.thinking_tokens}
    if effort and "anthropic." in model:
        fields["output_config"] = {"effort": "low" if effort == "minimal" else effort}
    elif effort and "amazon.nova" in model:
        level = "low" if effort == "minimal" else effort
        fields["reasoningConfig"] = {"type": "enabled", "maxReasoningEffort": level}
    elif effort and "openai." in model:
        fields["reasoning_effort"] = effort
    return fields


def _tools(request: ModelRequest) -> dict[str, Any] | None:
    choice = request.settings.tool_choice
    specs = [_spec(t.name, t.description, t.schema) for t in request.tools] if choice != "none" else []
    if not specs:
        known = {part.name for m in request.messages for part in m.parts if isinstance(part, ToolCall | ToolResult)}
        return {"tools": [_spec(name, "", {"type": "object"}) for name in sorted(known) if name]} if known else None
    config: dict[str, Any] = {"tools": specs}
    if choice == "required":
        config["toolChoice"] = {"any": {}}
    elif choice == "auto":
        config["toolChoice"] = {"auto": {}}
    elif choice:
        config["toolChoice"] = {"tool": {"name": choice}}
    return config


def _spec(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = {"name": name, "inputSchema": {"json": schema}}
    if description:  # an empty one is refused
        spec["description"] = description
    return {"toolSpec": spec}


def turns_of(messages: tuple[Message, ...]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(system blocks, alternating turns)."""
    system: list[dict[str, Any]] = []
    turns: list[dict[str, Any]] = []
    names: set[str] = set()
    for message in messages:
        if message.role == "system":
            system += [_system(part) for part in message.parts]
            continue
        assistant = message.role == "assistant"
        role = "assistant" if assistant else "user"
        made = [_assistant(part) if assistant else _user(part, names) for part in message.parts]
        blocks = [block for block in made if block is not None]
        if not blocks:
            continue
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    for turn in turns:
        content = turn["content"]
        if turn["role"] == "user":
            content.sort(key=lambda block: "toolResult" not in block)  # stable: order within both stays
            if any("document" in block for block in content) and not any("text" in block for block in content):
                content.insert(0, {"text": "See the document."})  # a document without a text is refused
    return system, turns


def _system(part: Part) -> dict[str, Any]:
    if type(part) is not Text:
        raise Invalid("message_invalid", f"a system message takes text, not {type(part).__name__}")
    return {"text": part.text}


def _user(part: Part, names: set[str]) -> dict[str, Any] | None:
    if type(part) is Text:
        return {"text": part.text} if part.text.strip() else None
    if type(part) is Data:
        item: dict[str, Any] | None = echo_of(part, WIRE)
        return item if part.echo is not None else {"text": as_json(part.value)}
    if type(part) is ToolResult:
        content: list[dict[str, Any]] = [{"text": part.text}] if part.text.strip() or not part.media else []
        content += [_media(each, names) for each in part.media]
        status = "error" if part.is_error else "success"
        return {"toolResult": {"toolUseId": part.id, "content": content, "status": status}}
    if isinstance(part, Image | Audio | File):
        return _media(part, names)
    raise Invalid("message_invalid", f"a user message does not take {type(part).__name__}")


def _media(part: Image | Audio | File, names: set[str]) -> dict[str, Any]:
    kind = media.media_type(part).partition(";")[0].lower()
    family, _, subtype = kind.partition("/")
    if part.url and not part.url.startswith("s3://"):
        raise Invalid("message_invalid", f"{WIRE} fetches from s3:// only", hint="Send the bytes of the file.")
    source: dict[str, Any] = {"s3Location": {"uri": part.url}} if part.url else {"bytes": media.base64_of(part)}
    if family == "image":
        return {"image": {"format": "jpeg" if subtype == "jpg" else subtype, "source": source}}
    if family == "video":
        return {"video": {"format": _VIDEO.get(subtype, subtype), "source": source}}
    if family == "audio":
        return {"audio": {"format": _AUDIO.get(subtype, subtype), "source": source}}
    document = {"format": _FORMATS.get(kind, "txt" if family == "text" or subtype == "json" else subtype)}
    return {"document": {**document, "name": _name(part, names), "source": source}}


def _name(part: Image | Audio | File, names: set[str]) -> str:
    """Letters, digits, single spaces, hyphens, parentheses and brackets, unique in the request."""
    given = part.name if type(part) is File else ""
    clean = " ".join(re.sub(r"[^A-Za-z0-9\-()\[\]]+", " ", given).split())[:180] or "Document"
    name = clean
    number = 1
    while name in names:
        number += 1
        name = f"{clean} {number}"
    names.add(name)
    return name


def _assistant(part: Part) -> dict[str, Any] | None:
    item: dict[str, Any] | None = echo_of(part, WIRE) if not isinstance(part, ToolResult) else None
    if type(part) is Text:
        if item is not None and "citationsContent" in item:
            said = "".join(str(piece.get("text") or "") for piece in item["citationsContent"].get("content") or ())
            return item if said == part.text else {"text": part.text}
        return {"text": part.text} if part.text.strip() else None
    if type(part) is Data:
        return item if part.echo is not None else {"text": as_json(part.value)}
    if type(part) is Thinking:
        return _thinking(part, item)
    if type(part) is ToolCall:
        given = {"invalid_json": part.invalid} if part.invalid else part.arguments
        use = {"toolUseId": part.id, "name": part.name, "input": given}
        return {"toolUse": {**item["toolUse"], **use} if item is not None else use}
    if type(part) is Image:
        return _media(part, set())
    raise Invalid("message_invalid", f"an assistant message of {WIRE} does not take {type(part).__name__}")


def _thinking(part: Thinking, item: dict[str, Any] | None) -> dict[str, Any] | None:
    if item is not None or part.echo is not None or not part.signature:
        return item  # another family's reasoning, or one without a signature, is refused
    return {"reasoningContent": {"reasoningText": {"text": part.text, "signature": part.signature}}}
