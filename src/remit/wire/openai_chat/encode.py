"""openai-chat: a ModelRequest to the JSON body.

Dialects differ in field names only (`renames` of the codec); the structure is one. Media that a
tool returned cannot stand in a tool message of this wire, so it follows in one user message.
Structured output is `response_format` json_schema, strict where the schema allows it. Settings that
the wire has no field for (thinking_tokens) are left out.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from remit.core.messages import Audio, Data, File, Image, Message, Part, Text, Thinking, ToolCall, ToolResult
from remit.core.model import ModelRequest, Settings, ToolSpec
from remit.core.patterns import lazy
from remit.errors import Invalid
from remit.wire import media
from remit.wire.openai_chat.decode import WIRE
from remit.wire.reading import arguments, as_json, echo_of
from remit.wire.schemas import is_strict, schema_name

_MAX_TOOLS: Final = 256
_TOOLS: Final[dict[int, tuple[tuple[ToolSpec, ...], msgspec.Raw]]] = {}
"""id of a tuple of specs -> that tuple, which keeps the id its own, and its JSON"""

# Models that refuse max_tokens and want max_completion_tokens. Source: OpenAI API reference,
# "max_tokens": deprecated, not compatible with o-series models.
_COMPLETION_TOKENS: Final = lazy(r"(?:.*/)?(?:o\d|gpt-[5-9])")


def body_of(request: ModelRequest, stream: bool) -> dict[str, Any]:
    """The request as JSON, before renames and `extra`."""
    body: dict[str, Any] = {"model": request.model, "messages": messages_of(request.messages)}
    if request.tools:
        body["tools"] = _tools(request.tools)
    if request.output is not None:
        output = request.output
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {
                "name": schema_name(output.name),
                "schema": output.schema,
                "strict": is_strict(output.schema),
            },
        }
    _settings(body, request.settings, request.model, bool(request.tools))
    if stream:
        body["stream"] = True
        body["stream_options"] = {"include_usage": True}
    return body


def _tools(tools: tuple[ToolSpec, ...]) -> msgspec.Raw:
    """The tools as JSON; an agent shows the same ones at every call."""
    kept = _TOOLS.get(id(tools))
    if kept is None or kept[0] is not tools:
        if len(_TOOLS) >= _MAX_TOOLS:
            _TOOLS.clear()
        listed = [
            {"type": "function", "function": {"name": t.name, "description": t.description, "parameters": t.schema}}
            for t in tools
        ]
        kept = _TOOLS[id(tools)] = (tools, msgspec.Raw(msgspec.json.encode(listed)))
    return kept[1]


def _settings(body: dict[str, Any], settings: Settings, model: str, tools: bool) -> None:
    if settings.max_tokens is not None:
        body["max_completion_tokens" if _COMPLETION_TOKENS.match(model) else "max_tokens"] = settings.max_tokens
    if settings.temperature is not None:
        body["temperature"] = settings.temperature
    if settings.top_p is not None:
        body["top_p"] = settings.top_p
    if settings.stop:
        body["stop"] = settings.stop
    if settings.seed is not None:
        body["seed"] = settings.seed
    if settings.reasoning_effort:
        body["reasoning_effort"] = settings.reasoning_effort
    if not tools:
        return  # servers refuse the two below without tools
    choice = settings.tool_choice
    if choice:
        plain = choice in ("auto", "none", "required")
        body["tool_choice"] = choice if plain else {"type": "function", "function": {"name": choice}}
    if settings.parallel_tool_calls is not None:
        body["parallel_tool_calls"] = settings.parallel_tool_calls


def messages_of(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """The conversation as chat messages."""
    out: list[dict[str, Any]] = []
    pending: list[Any] = []  # media of tool results; held until the last of adjacent results
    for message in messages:
        role = message.role
        if role == "assistant":
            _flush(out, pending)
            out.append(_assistant(message.parts))
        elif role == "system":
            _flush(out, pending)
            out.append({"role": "system", "content": _system(message.parts)})
        else:
            _user(message.parts, out, pending)
    _flush(out, pending)
    return out


def _flush(out: list[dict[str, Any]], pending: list[Any]) -> None:
    if pending:
        out.append({"role": "user", "content": pending[:]})
        pending.clear()


def _system(parts: tuple[Part, ...]) -> str:
    for part in parts:
        if type(part) is not Text:
            raise Invalid("message_invalid", f"a system message takes text, not {type(part).__name__}")
    return "\n\n".join([part.text for part in parts if type(part) is Text])


def _user(parts: tuple[Part, ...], out: list[dict[str, Any]], pending: list[Any]) -> None:
    if len(parts) == 1 and type(parts[0]) is Text and not pending:
        out.append({"role": "user", "content": parts[0].text})
        return
    content: list[Any] = []
    for part in parts:
        if type(part) is ToolResult:
            out.append({"role": "tool", "tool_call_id": part.id, "content": part.text})
            if part.media:
                pending.append({"type": "text", "text": f"Returned by {part.name or 'the tool'} (call {part.id}):"})
                pending += [_media(item) for item in part.media]
        elif type(part) is not Data or part.echo is None or part.echo.wire == WIRE:
            content.append(_input(part))  # another family's own item means nothing here
    if content:
        _flush(out, pending)
        out.append({"role": "user", "content": content})


def _input(part: Part) -> dict[str, Any]:
    if type(part) is Text:
        return {"type": "text", "text": part.text}
    if type(part) is Data:
        item = echo_of(part, WIRE)
        return item if item is not None else {"type": "text", "text": as_json(part.value)}
    if isinstance(part, Image | Audio | File):
        return _media(part)
    raise Invalid("message_invalid", f"a user message does not take {type(part).__name__}")


def _media(part: Image | Audio | File) -> dict[str, Any]:
    if type(part) is Image:
        return {"type": "image_url", "image_url": {"url": media.url_of(part)}}
    if type(part) is Audio:
        data = {"data": media.base64_of(part), "format": media.audio_format(part)}
        return {"type": "input_audio", "input_audio": data}
    if type(part) is not File:
        raise Invalid("message_invalid", f"not a media part: {type(part).__name__}")
    inline = media.as_text(part)
    if inline is not None:
        return {"type": "text", "text": inline}
    if part.id:
        return {"type": "file", "file": {"file_id": part.id}}
    return {"type": "file", "file": {"filename": part.name or "file", "file_data": media.url_of(part)}}


def _assistant(parts: tuple[Part, ...]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None}
    content: list[Any] = []  # texts, and chunks of a list content
    calls: list[Any] = []
    for part in parts:
        if type(part) is Text:
            content.append(part.text)
        elif type(part) is ToolCall:
            calls.append(call_of(part))
        elif type(part) is Thinking or (type(part) is Data and part.echo is not None):
            item = echo_of(part, WIRE) or {}  # another family's reasoning or server item means nothing here
            if "type" in item:
                content.append(item)
            else:
                message.update(item)
        elif type(part) is Data:
            content.append(as_json(part.value))
        else:
            raise Invalid("message_invalid", f"an assistant message of {WIRE} does not take {type(part).__name__}")
    if content:
        message["content"] = _content(content)
    elif not calls:
        message["content"] = ""
    if calls:
        message["tool_calls"] = calls
    return message


def _content(content: list[Any]) -> Any:
    """One string when there is only text, else a list of chunks."""
    if all(type(piece) is str for piece in content):
        return "".join(content)
    return [{"type": "text", "text": piece} if type(piece) is str else piece for piece in content]


def call_of(call: ToolCall) -> dict[str, Any]:
    """A tool call as the wire holds it; the provider's item when it still says what the call says."""
    item = echo_of(call, WIRE)
    if item is not None:
        if item.get("type") == "custom":
            return {**item, "id": call.id}
        function = item["function"]
        if function.get("name") == call.name and arguments(function.get("arguments"))[0] == call.arguments:
            kept = {key: value for key, value in item.items() if key != "index"}
            return {**kept, "id": call.id, "type": "function"}
    # Text that was no JSON object would be refused in a history; it goes as an object that holds it.
    written = as_json({"invalid_json": call.invalid}) if call.invalid else as_json(call.arguments)
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": written}}
