"""gemini: a ModelRequest to the JSON body of generateContent and streamGenerateContent.

Turns alternate between `user` (tool results included) and `model`. System messages are joined in
`systemInstruction`. A call's id goes back only if the provider gave it. Models from Gemini 3 on
refuse a call without a thought signature; for calls that another provider made the documented
placeholder stands in. Structured output is `responseJsonSchema`; models before Gemini 3 refuse it
together with tools, so there the form is asked for in words.

Source: Gemini API reference "Generating content"; docs "Thought signatures", "Function calling", "Structured output".
"""

from __future__ import annotations

import re
from typing import Any, Final

from remit.core.messages import Audio, Data, File, Image, Message, Part, Text, Thinking, ToolCall, ToolResult
from remit.core.model import ModelRequest, Settings
from remit.errors import Invalid
from remit.wire import media
from remit.wire.gemini.decode import WIRE
from remit.wire.prompted import instruction
from remit.wire.reading import arguments, as_json, echo_of

_OLD: Final = re.compile(r"(?:.*/)?(?:gemini-[12][.-]|gemini-pro|gemini-exp|learnlm|gemma)")
# base64 of "skip_thought_signature_validator". Source: Gemini docs "Thought signatures", FAQ on foreign histories.
_UNSIGNED: Final = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="
_EFFORTS: Final = {"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM", "high": "HIGH"}
# effort of models that take a budget of tokens instead of a level. Source: Gemini docs "OpenAI compatibility".
_BUDGETS: Final = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}


def body_of(request: ModelRequest) -> dict[str, Any]:
    """The request as JSON, before `extra`."""
    old = _OLD.match(request.model) is not None
    system, contents = contents_of(request.messages, old)
    config = _config(request.settings, old)
    if request.output is not None:
        if old and request.tools:
            system.append(instruction(request.output))
        else:
            config["responseMimeType"] = "application/json"
            config["responseJsonSchema"] = request.output.schema
    body: dict[str, Any] = {"contents": contents}
    if system:
        body["systemInstruction"] = {"parts": [{"text": "\n\n".join(system)}]}
    if request.tools:
        declared = [
            {"name": t.name, "description": t.description, "parametersJsonSchema": t.schema} for t in request.tools
        ]
        body["tools"] = [{"functionDeclarations": declared}]
        choice = _choice(request.settings.tool_choice)
        if choice is not None:
            body["toolConfig"] = {"functionCallingConfig": choice}
    if config:
        body["generationConfig"] = config
    return body


def _config(settings: Settings, old: bool) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for key, value in (
        ("maxOutputTokens", settings.max_tokens),
        ("temperature", settings.temperature),
        ("topP", settings.top_p),
        ("seed", settings.seed),
    ):
        if value is not None:
            config[key] = value
    if settings.stop:
        config["stopSequences"] = settings.stop
    if settings.thinking_tokens is not None:
        config["thinkingConfig"] = {"thinkingBudget": settings.thinking_tokens, "includeThoughts": True}
    elif settings.reasoning_effort:
        effort = settings.reasoning_effort
        level = {"thinkingBudget": _BUDGETS.get(effort, 8192)} if old else {"thinkingLevel": _EFFORTS.get(effort)}
        config["thinkingConfig"] = {**level, "includeThoughts": True}
    return config


def _choice(name: str) -> dict[str, Any] | None:
    if not name:
        return None
    modes = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
    return {"mode": modes[name]} if name in modes else {"mode": "ANY", "allowedFunctionNames": [name]}


def contents_of(messages: tuple[Message, ...], old: bool = False) -> tuple[list[str], list[dict[str, Any]]]:
    """(system texts, alternating contents)."""
    system: list[str] = []
    contents: list[dict[str, Any]] = []
    unnamed: set[str] = set()  # ids that remit gave, for calls that came without one
    for message in messages:
        if message.role == "system":
            system += [_system(part) for part in message.parts]
            continue
        model = message.role == "assistant"
        parts = _model(message.parts, unnamed, old) if model else _user(message.parts, unnamed, old)
        role = "model" if model else "user"
        if not parts:
            continue  # a content without parts is refused
        if contents and contents[-1]["role"] == role:
            contents[-1]["parts"] += parts
        else:
            contents.append({"role": role, "parts": parts})
    return system, contents


def _system(part: Part) -> str:
    if type(part) is not Text:
        raise Invalid("message_invalid", f"a system message takes text, not {type(part).__name__}")
    return part.text


def _user(parts: tuple[Part, ...], unnamed: set[str], old: bool) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    after: list[dict[str, Any]] = []  # media of tool results, which older models take only beside them
    for part in parts:
        if type(part) is Text:
            if part.text:
                out.append({"text": part.text})
        elif type(part) is ToolResult:
            answer = _result(part, unnamed)
            shown = [_media(item) for item in part.media]
            if shown and not old:
                answer["parts"] = shown
            elif shown:
                after += [{"text": f"Returned by {part.name or 'the tool'}:"}, *shown]
            out.append({"functionResponse": answer})
        elif type(part) is Data:
            item = echo_of(part, WIRE)
            if part.echo is None or item is not None:
                out.append(item if item is not None else {"text": as_json(part.value)})
        elif isinstance(part, Image | Audio | File):
            out.append(_media(part))
        else:
            raise Invalid("message_invalid", f"a user message does not take {type(part).__name__}")
    return out + after


def _result(part: ToolResult, unnamed: set[str]) -> dict[str, Any]:
    answer: dict[str, Any] = {"name": part.name, "response": {"error" if part.is_error else "output": part.text}}
    if part.id and part.id not in unnamed:
        answer["id"] = part.id
    return answer


def _media(part: Image | Audio | File) -> dict[str, Any]:
    beside = echo_of(part, WIRE) or {}
    if type(part) is File and part.id:
        return {"fileData": {"fileUri": part.id, "mimeType": media.media_type(part)}}
    if part.url:
        return {"fileData": {"fileUri": part.url, "mimeType": media.media_type(part)}}
    inline = media.as_text(part) if not beside else None
    if inline is not None:
        return {"text": inline}
    return {**beside, "inlineData": {"mimeType": media.media_type(part), "data": media.base64_of(part)}}


def _model(parts: tuple[Part, ...], unnamed: set[str], old: bool) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    first = True  # of the turn's calls; only that one must be signed
    for part in parts:
        if type(part) is ToolCall:
            out.append(_call(part, unnamed, sign=first and not old))
            first = False
            continue
        item = _said(part)
        if item is not None:
            out.append(item)
    return out


def _said(part: Part) -> dict[str, Any] | None:
    if isinstance(part, Image | Audio | File):
        return _media(part)
    if not isinstance(part, Text | Thinking | Data):
        raise Invalid("message_invalid", f"an assistant message of {WIRE} does not take {type(part).__name__}")
    item: dict[str, Any] | None = echo_of(part, WIRE)
    if type(part) is Text:
        if item is not None and item.get("text") == part.text:
            return item
        return {"text": part.text} if part.text else None
    if type(part) is Data and part.echo is None:
        return {"text": as_json(part.value)}
    return item  # None for another family's thinking or own item: it is left out


def _call(call: ToolCall, unnamed: set[str], sign: bool) -> dict[str, Any]:
    item = echo_of(call, WIRE)
    given = {"invalid_json": call.invalid} if call.invalid else call.arguments
    if item is None:
        made: dict[str, Any] = {"functionCall": {"id": call.id, "name": call.name, "args": given}}
        return {**made, "thoughtSignature": _UNSIGNED} if sign else made
    whole: dict[str, Any] = item
    own = whole["functionCall"]
    if not own.get("id"):
        unnamed.add(call.id)
    if own.get("name") == call.name and arguments(own.get("args"))[0] == given:
        return whole
    # An edited call keeps what else the part held: without its signature the turn would be refused.
    return {**whole, "functionCall": {**own, "name": call.name, "args": given}}
