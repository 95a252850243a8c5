"""anthropic-messages: a ModelRequest to the JSON body.

Turns must alternate, so adjacent messages of a side are merged; in a user turn tool results come
first and together, as the API demands. System messages, wherever they stand, are joined in `system`.

Structured output uses `output_config.format` (json_schema), which is generally available and works
together with tools and with thinking; a forced tool, the older way, is refused when thinking is on.
`max_tokens` is required: 4096 unless set, and raised above a thinking budget. With a thinking budget
temperature and top_p are left out, because the API refuses them then. Audio and seed have no place.

Source: Anthropic API reference "Messages"; Claude docs "Structured outputs", "Extended thinking".
"""

from __future__ import annotations

from typing import Any, Final

from remit.core.messages import Audio, Data, File, Image, Message, Part, Text, Thinking, ToolCall, ToolResult
from remit.core.model import ModelRequest, Settings
from remit.errors import Invalid
from remit.wire import media
from remit.wire.anthropic_messages.decode import WIRE
from remit.wire.reading import as_json, echo_of
from remit.wire.schemas import closed

DEFAULT_MAX_TOKENS: Final = 4096


def body_of(request: ModelRequest, stream: bool) -> dict[str, Any]:
    """The request as JSON, before `extra`."""
    system, turns = turns_of(request.messages)
    settings = request.settings
    max_tokens = settings.max_tokens
    if max_tokens is None:
        max_tokens = DEFAULT_MAX_TOKENS + (settings.thinking_tokens or 0)
    body: dict[str, Any] = {"model": request.model, "max_tokens": max_tokens, "messages": turns}
    if system:
        body["system"] = system
    if request.tools:
        body["tools"] = [
            {"name": t.name, "description": t.description, "input_schema": t.schema} for t in request.tools
        ]
    if request.output is not None:
        body["output_config"] = {"format": {"type": "json_schema", "schema": closed(request.output.schema)}}
    _settings(body, settings, bool(request.tools))
    if stream:
        body["stream"] = True
    return body


def _settings(body: dict[str, Any], settings: Settings, tools: bool) -> None:
    if settings.thinking_tokens:
        body["thinking"] = {"type": "enabled", "budget_tokens": settings.thinking_tokens}
    else:
        if settings.temperature is not None:
            body["temperature"] = settings.temperature
        if settings.top_p is not None:
            body["top_p"] = settings.top_p
    if settings.stop:
        body["stop_sequences"] = settings.stop
    if settings.reasoning_effort:
        effort = "low" if settings.reasoning_effort == "minimal" else settings.reasoning_effort
        body.setdefault("output_config", {})["effort"] = effort
    if tools:
        choice = _tool_choice(settings)
        if choice is not None:
            body["tool_choice"] = choice


def _tool_choice(settings: Settings) -> dict[str, Any] | None:
    name = settings.tool_choice
    choice: dict[str, Any]
    if name in ("", "auto"):
        if not name and settings.parallel_tool_calls is None:
            return None
        choice = {"type": "auto"}
    elif name == "none":
        return {"type": "none"}
    elif name == "required":
        choice = {"type": "any"}
    else:
        choice = {"type": "tool", "name": name}
    if settings.parallel_tool_calls is not None:
        choice["disable_parallel_tool_use"] = not settings.parallel_tool_calls
    return choice


def turns_of(messages: tuple[Message, ...]) -> tuple[str, list[dict[str, Any]]]:
    """(system text, alternating turns)."""
    system: list[str] = []
    turns: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "system":
            system += [_system(part) for part in message.parts]
            continue
        assistant = message.role == "assistant"
        role = "assistant" if assistant else "user"
        blocks = _blocks(message.parts, assistant)
        if not blocks:
            continue  # empty text is refused as a block, an empty turn too
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": role, "content": blocks})
    for turn in turns:
        if turn["role"] == "user":
            _results_first(turn["content"])
    return "\n\n".join(system), turns


def _results_first(blocks: list[dict[str, Any]]) -> None:
    if any(block["type"] == "tool_result" for block in blocks[1:]):
        blocks.sort(key=lambda block: block["type"] != "tool_result")  # stable: order within both stays


def _system(part: Part) -> str:
    if type(part) is not Text:
        raise Invalid("message_invalid", f"a system message takes text, not {type(part).__name__}")
    return part.text


def _blocks(parts: tuple[Part, ...], assistant: bool) -> list[dict[str, Any]]:
    blocks = []
    for part in parts:
        block = _assistant(part) if assistant else _user(part)
        if block is not None:
            blocks.append(block)
    return blocks


def _text(part: Text | Data) -> dict[str, Any] | None:
    item: dict[str, Any] | None = echo_of(part, WIRE)
    if type(part) is Data:
        if part.echo is not None:
            return item  # None for another family's own item: it is left out
        return {"type": "text", "text": as_json(part.value)}
    if type(part) is not Text or not part.text:
        return None
    return item if item is not None and item.get("text") == part.text else {"type": "text", "text": part.text}


def _user(part: Part) -> dict[str, Any] | None:
    if isinstance(part, Text | Data):
        return _text(part)
    if type(part) is ToolResult:
        return _result(part)
    if isinstance(part, Image | Audio | File):
        return _media(part)
    raise Invalid("message_invalid", f"a user message does not take {type(part).__name__}")


def _result(part: ToolResult) -> dict[str, Any]:
    content: Any = part.text
    if part.media:
        texts = [{"type": "text", "text": part.text}] if part.text else []
        content = texts + [_media(item) for item in part.media]
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": part.id, "content": content}
    if part.is_error:
        block["is_error"] = True
    return block


def _media(part: Image | Audio | File) -> dict[str, Any]:
    if type(part) is Audio:
        raise Invalid("message_invalid", f"{WIRE} does not take audio", hint="Send a transcript as text.")
    inline = media.as_text(part)
    source: dict[str, Any]
    if type(part) is File and part.id:
        source = {"type": "file", "file_id": part.id}
    elif part.url:
        source = {"type": "url", "url": part.url}
    elif inline is not None:
        source = {"type": "text", "media_type": "text/plain", "data": inline}
    else:
        source = {"type": "base64", "media_type": media.media_type(part), "data": media.base64_of(part)}
    if type(part) is Image:
        return {"type": "image", "source": source}
    block: dict[str, Any] = {"type": "document", "source": source}
    if type(part) is File and part.name:
        block["title"] = part.name
    return block


def _assistant(part: Part) -> dict[str, Any] | None:
    if isinstance(part, Text | Data):
        return _text(part)
    if type(part) is Thinking:
        item: dict[str, Any] | None = echo_of(part, WIRE)
        if item is not None:
            return item
        # Without a signature, or from another family, the API refuses it.
        if part.echo is not None or not part.signature:
            return None
        return {"type": "thinking", "thinking": part.text, "signature": part.signature}
    if type(part) is ToolCall:
        return _call(part)
    raise Invalid("message_invalid", f"an assistant message of {WIRE} does not take {type(part).__name__}")


def _call(call: ToolCall) -> dict[str, Any]:
    given = {"invalid_json": call.invalid} if call.invalid else call.arguments
    block: dict[str, Any] = {"type": "tool_use", "id": call.id, "name": call.name, "input": given}
    item = echo_of(call, WIRE)
    if item is not None and item.get("name") == call.name:
        block = {**item, **block}  # what else the block held (its caller) stays
    return block
