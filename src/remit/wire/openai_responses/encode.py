"""openai-responses: a ModelRequest to the JSON body.

Nothing is stored at the provider (`store: false`): the journal is the one truth, and a conversation
can be replayed anywhere. Reasoning then survives only when it comes back encrypted, so the request
asks for `reasoning.encrypted_content` from every model that is not known to be without reasoning
(those refuse it). Items that the provider sent go back as they came, with their ids.

Leading system messages are `instructions`; later ones are system items. Settings that the wire has
no field for (stop, seed, thinking_tokens) are left out: the server refuses unknown fields.
"""

from __future__ import annotations

import re
from typing import Any, Final

from remit.core.messages import Audio, Data, File, Image, Message, Part, Text, Thinking, ToolCall, ToolResult
from remit.core.model import ModelRequest, Settings
from remit.errors import Invalid
from remit.wire import media
from remit.wire.openai_responses.decode import WIRE, message_text
from remit.wire.reading import arguments, as_json, echo_of
from remit.wire.schemas import is_strict, schema_name

# Models without reasoning; they answer 400 to the include below. Source: OpenAI docs, "Models".
_NO_REASONING: Final = re.compile(r"(?:.*/)?(?:gpt-[34]|chatgpt-|computer-use|ft:gpt-[34])|.*-chat(?:-latest)?$")


def body_of(request: ModelRequest, stream: bool) -> dict[str, Any]:
    """The request as JSON, before `extra`."""
    messages = request.messages
    leading = 0
    while leading < len(messages) and messages[leading].role == "system":
        leading += 1
    body: dict[str, Any] = {"model": request.model, "input": items_of(messages[leading:]), "store": False}
    if leading:
        body["instructions"] = "\n\n".join([_system(m.parts) for m in messages[:leading]])
    if not _NO_REASONING.match(request.model):
        body["include"] = ["reasoning.encrypted_content"]
    if request.tools:
        body["tools"] = [
            # strict is on by default here, and would refuse schemas with optional parameters
            {"type": "function", "name": t.name, "description": t.description, "parameters": t.schema, "strict": False}
            for t in request.tools
        ]
    if request.output is not None:
        output = request.output
        body["text"] = {
            "format": {
                "type": "json_schema",
                "name": schema_name(output.name),
                "schema": output.schema,
                "strict": is_strict(output.schema),
            }
        }
    _settings(body, request.settings, bool(request.tools))
    if stream:
        body["stream"] = True
    return body


def _settings(body: dict[str, Any], settings: Settings, tools: bool) -> None:
    if settings.max_tokens is not None:
        body["max_output_tokens"] = settings.max_tokens
    if settings.temperature is not None:
        body["temperature"] = settings.temperature
    if settings.top_p is not None:
        body["top_p"] = settings.top_p
    if settings.reasoning_effort:
        body["reasoning"] = {"effort": settings.reasoning_effort}
    if not tools:
        return
    choice = settings.tool_choice
    if choice:
        body["tool_choice"] = choice if choice in ("auto", "none", "required") else {"type": "function", "name": choice}
    if settings.parallel_tool_calls is not None:
        body["parallel_tool_calls"] = settings.parallel_tool_calls


def items_of(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """The conversation as input items."""
    out: list[dict[str, Any]] = []
    custom: set[str] = set()  # ids of calls whose result has another item type
    for message in messages:
        role = message.role
        if role == "assistant":
            for part in message.parts:
                _assistant(part, out, custom)
        elif role == "system":
            out.append({"role": "system", "content": _system(message.parts)})
        else:
            _user(message.parts, out, custom)
    return out


def _system(parts: tuple[Part, ...]) -> str:
    for part in parts:
        if type(part) is not Text:
            raise Invalid("message_invalid", f"a system message takes text, not {type(part).__name__}")
    return "\n\n".join([part.text for part in parts if type(part) is Text])


def _user(parts: tuple[Part, ...], out: list[dict[str, Any]], custom: set[str]) -> None:
    if len(parts) == 1 and type(parts[0]) is Text:
        out.append({"role": "user", "content": parts[0].text})
        return
    content: list[Any] = []
    for part in parts:
        if type(part) is ToolResult:
            out.append(_result(part, custom))
        elif type(part) is Data and part.echo is not None:
            item = echo_of(part, WIRE)
            if item is not None:  # for example the output of a tool_search_call
                out.append(item)
        else:
            content.append(_input(part))
    if content:
        out.append({"role": "user", "content": content})


def _result(part: ToolResult, custom: set[str]) -> dict[str, Any]:
    output: Any = part.text
    if part.media:
        texts = [{"type": "input_text", "text": part.text}] if part.text else []
        output = texts + [_input(item) for item in part.media]
    kind = "custom_tool_call_output" if part.id in custom else "function_call_output"
    return {"type": kind, "call_id": part.id, "output": output}


def _input(part: Part) -> dict[str, Any]:
    if type(part) is Text:
        return {"type": "input_text", "text": part.text}
    if type(part) is Data:
        return {"type": "input_text", "text": as_json(part.value)}
    if type(part) is Image:
        return {"type": "input_image", "image_url": media.url_of(part), "detail": "auto"}
    if type(part) is Audio:
        data = {"data": media.base64_of(part), "format": media.audio_format(part)}
        return {"type": "input_audio", "input_audio": data}
    if type(part) is not File:
        raise Invalid("message_invalid", f"a user message does not take {type(part).__name__}")
    inline = media.as_text(part)
    if inline is not None:
        return {"type": "input_text", "text": inline}
    if part.id:
        return {"type": "input_file", "file_id": part.id}
    if part.url:
        return {"type": "input_file", "file_url": part.url}
    return {"type": "input_file", "filename": part.name or "file", "file_data": media.url_of(part)}


def _assistant(part: Part, out: list[dict[str, Any]], custom: set[str]) -> None:
    if type(part) is Text:
        item = echo_of(part, WIRE)
        if item is not None and message_text(item) == part.text:
            out.append(item)
        elif part.text:
            out.append({"role": "assistant", "content": part.text})
    elif type(part) is ToolCall:
        out.append(_call(part, custom))
    elif type(part) is Thinking or (type(part) is Data and part.echo is not None):
        item = echo_of(part, WIRE)
        if item is not None:  # another family's reasoning means nothing here
            out.append(item)
    elif type(part) is Data:
        out.append({"role": "assistant", "content": as_json(part.value)})
    else:
        raise Invalid("message_invalid", f"an assistant message of {WIRE} does not take {type(part).__name__}")


def _call(call: ToolCall, custom: set[str]) -> dict[str, Any]:
    item = echo_of(call, WIRE)
    if item is not None and item.get("name") == call.name:
        if item.get("type") == "custom_tool_call":
            custom.add(call.id)
            return {**item, "call_id": call.id}
        # Only an item that still says what the call says: an edited call is sent in its new form.
        if not call.invalid and arguments(item.get("arguments"))[0] == call.arguments:
            return item if item.get("call_id") == call.id else {**item, "call_id": call.id}
    written = as_json({"invalid_json": call.invalid}) if call.invalid else as_json(call.arguments)
    return {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": written}
