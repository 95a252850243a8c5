"""cohere-v2: a ModelRequest to the JSON body.

Tool results are documents of a tool message, one a result, because only documents can be cited.
Structured output is `response_format` json_object with a schema; the API refuses it together with
tools, so there the form is asked for in words. A forced tool is not known here: with a name as
`tool_choice` only that tool is offered and a call is required. Sound and files have no place.

Source: Cohere API reference "Chat" (v2); docs "Structured outputs", "Tool use", "Reasoning".
"""

from __future__ import annotations

from typing import Any, Final

from remit.core.messages import Audio, Data, File, Image, Message, Part, Text, Thinking, ToolCall, ToolResult
from remit.core.model import ModelRequest, Settings
from remit.errors import Invalid
from remit.wire import media
from remit.wire.cohere_v2.decode import WIRE
from remit.wire.prompted import instruction
from remit.wire.reading import arguments, as_json, echo_of

_CHOICES: Final = {"required": "REQUIRED", "none": "NONE"}  # auto = nothing said
# tokens of thinking. The API has a budget, not a level. Source: Cohere docs "Reasoning".
_BUDGETS: Final = {"minimal": 500, "low": 1000, "medium": 4000, "high": 16000}


def body_of(request: ModelRequest, stream: bool) -> dict[str, Any]:
    """The request as JSON, before `extra`."""
    messages = messages_of(request.messages)
    settings = request.settings
    body: dict[str, Any] = {"model": request.model, "messages": messages, "stream": stream}
    if request.tools:
        forced = settings.tool_choice if settings.tool_choice not in ("", "auto", *_CHOICES) else ""
        body["tools"] = [
            {"type": "function", "function": {"name": t.name, "description": t.description, "parameters": t.schema}}
            for t in request.tools
            if not forced or t.name == forced
        ]
        if settings.tool_choice not in ("", "auto"):
            body["tool_choice"] = _CHOICES.get(settings.tool_choice, "REQUIRED")
    if request.output is not None:
        if request.tools:
            messages.insert(0, {"role": "system", "content": instruction(request.output)})
        else:
            body["response_format"] = {"type": "json_object", "json_schema": request.output.schema}
    _settings(body, settings)
    return body


def _settings(body: dict[str, Any], settings: Settings) -> None:
    for key, value in (
        ("max_tokens", settings.max_tokens),
        ("temperature", settings.temperature),
        ("p", settings.top_p),
        ("seed", settings.seed),
    ):
        if value is not None:
            body[key] = value
    if settings.stop:
        body["stop_sequences"] = settings.stop
    budget = settings.thinking_tokens
    if budget is None and settings.reasoning_effort:
        budget = _BUDGETS.get(settings.reasoning_effort, 4000)
    if budget is not None:
        body["thinking"] = {"type": "enabled", "token_budget": budget} if budget else {"type": "disabled"}


def messages_of(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """The conversation as chat messages."""
    out: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "assistant":
            out.append(_assistant(message.parts))
        elif message.role == "system":
            out.append({"role": "system", "content": "\n\n".join([_system(part) for part in message.parts])})
        else:
            _user(message.parts, out)
    return out


def _system(part: Part) -> str:
    if type(part) is not Text:
        raise Invalid("message_invalid", f"a system message takes text, not {type(part).__name__}")
    return part.text


def _user(parts: tuple[Part, ...], out: list[dict[str, Any]]) -> None:
    content: list[dict[str, Any]] = []
    for part in parts:
        if type(part) is ToolResult:
            out.append(_result(part))
            content += [_image(item) for item in part.media]
        elif type(part) is Text:
            content.append({"type": "text", "text": part.text})
        elif type(part) is Data:
            if part.echo is None:
                content.append({"type": "text", "text": as_json(part.value)})
        elif isinstance(part, Image | Audio | File):
            content.append(_image(part))
        else:
            raise Invalid("message_invalid", f"a user message does not take {type(part).__name__}")
    if not content:
        return
    plain = len(content) == 1 and content[0]["type"] == "text"
    out.append({"role": "user", "content": content[0]["text"] if plain else content})


def _result(part: ToolResult) -> dict[str, Any]:
    said = {"error": part.text} if part.is_error else {"data": part.text}
    document = {"type": "document", "document": {"data": said}}
    return {"role": "tool", "tool_call_id": part.id, "content": [document]}


def _image(part: Image | Audio | File) -> dict[str, Any]:
    if type(part) is Image:
        return {"type": "image_url", "image_url": {"url": media.url_of(part)}}
    inline = media.as_text(part)
    if inline is None:
        raise Invalid("message_invalid", f"{WIRE} takes text and images, no {type(part).__name__.lower()}",
                      hint="Send its text.")  # fmt: skip
    return {"type": "text", "text": inline}


def _assistant(parts: tuple[Part, ...]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant"}
    content: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    for part in parts:
        if type(part) is Text:
            if part.text:
                content.append({"type": "text", "text": part.text})
        elif type(part) is ToolCall:
            calls.append(_call(part))
        elif isinstance(part, Thinking | Data):
            _kept(part, message, content)
        else:
            raise Invalid("message_invalid", f"an assistant message of {WIRE} does not take {type(part).__name__}")
    if content:
        message["content"] = content
    elif not calls:
        message["content"] = ""
    if calls:
        message["tool_calls"] = calls
    return message


def _kept(part: Thinking | Data, message: dict[str, Any], content: list[dict[str, Any]]) -> None:
    """What the provider sent: a chunk of the content, or fields of the message; another family's means nothing here."""
    if type(part) is Data and part.echo is None:
        content.append({"type": "text", "text": as_json(part.value)})
        return
    item = echo_of(part, WIRE) or {}
    if "type" in item:
        content.append(item)
    else:
        message.update(item)


def _call(call: ToolCall) -> dict[str, Any]:
    item = echo_of(call, WIRE)
    if item is not None:
        function = item["function"]
        if function.get("name") == call.name and arguments(function.get("arguments"))[0] == call.arguments:
            return {**item, "id": call.id, "type": "function"}
    written = as_json({"invalid_json": call.invalid}) if call.invalid else as_json(call.arguments)
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": written}}
