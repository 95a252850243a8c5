"""openai-chat: a chat completion to a Reply.

One reading for all dialects of this wire. Thinking comes in `reasoning_content`, `reasoning`,
`reasoning_details` or as chunks of a list content; what came goes back under the same name (the
part's echo: either message fields, or a content chunk when it has a "type"). Counts of cached
tokens have several names. A stream is folded to the same JSON message and read by `reply_of`, so
that both ways give the same reply.

Source: OpenAI API reference "Chat completions"; OpenRouter "Reasoning tokens"; Mistral "Reasoning";
DeepSeek "Thinking mode", "Context caching"; xAI "Reasoning" (reasoning is not in completion_tokens).
"""

from __future__ import annotations

from typing import Any, Final

from remit.core.messages import Data, Echo, Part, Text, Thinking, ToolCall
from remit.core.model import Reply, StopReason
from remit.core.usage import Usage
from remit.wire import reading
from remit.wire.provider_errors import body_error, error_in
from remit.wire.reading import arguments, as_json, bad_reply, count, label, obj, objects, text

WIRE: Final = "openai-chat"

_PLAIN_USAGE: Final = frozenset({"prompt_tokens", "completion_tokens", "total_tokens"})  # no details to look for
_PLAIN_MESSAGE: Final = frozenset({"role", "content", "tool_calls", "refusal", "annotations"})  # no thinking in it

# finish_reason -> stop reason; unknown ones are "other". model_length: Mistral; sensitive,
# network_error: Z.AI; insufficient_system_resource: DeepSeek; eos, eos_token: Together, TGI.
STOPS: Final[dict[str, StopReason]] = {
    "": "end",
    "stop": "end",
    "end_turn": "end",
    "eos": "end",
    "eos_token": "end",
    "tool_calls": "end",  # without a call that remains; with one the reply is tool_use anyway
    "function_call": "end",
    "tool_use": "end",
    "length": "max_tokens",
    "max_tokens": "max_tokens",
    "model_length": "max_tokens",
    "stop_sequence": "stop_sequence",
    "content_filter": "content_filter",
    "sensitive": "content_filter",
    "refusal": "refusal",
    "error": "error",
    "network_error": "error",
    "insufficient_system_resource": "error",
}
# other names of the count of cached tokens: DeepSeek, Moonshot, Mistral, proxies of Anthropic
_CACHED: Final = ("prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens", "cache_read_input_tokens")


def decode(body: bytes) -> Reply:
    """The reply in a whole body; raises model_bad_reply, or the error that it carries."""
    raw = reading.read_object(body)
    error = error_in(raw)
    if error is not None:
        raise error
    choices = objects(raw, "choices")
    if not choices:
        detail = raw.get("detail") or raw.get("message")
        raise body_error(raw) if detail else bad_reply("the reply has no choices")
    choice = choices[0]
    if choice.get("error"):
        raise body_error(choice["error"])
    usage = obj(raw, "usage") or obj(choice, "usage")
    return reply_of(raw, obj(choice, "message"), choice.get("finish_reason"), usage, raw)


def reply_of(head: dict[str, Any], message: dict[str, Any], finish: Any, usage: dict[str, Any], raw: Any) -> Reply:
    """The reply of a (folded) message; `head` holds id and model."""
    parts: list[Part] = []
    if not message.keys() <= _PLAIN_MESSAGE:
        _thinking(message, parts)
    content = message.get("content")
    if type(content) is list:
        _chunks(content, parts)
    elif content:
        parts.append(Text(text(message, "content")))
    refusal = text(message, "refusal")
    if refusal:
        parts.append(Text(refusal))
    audio = obj(message, "audio")
    if audio.get("id") or audio.get("data"):
        # A later turn refers to spoken output by its id. Source: OpenAI docs, "Audio generation".
        parts.append(Data(None, "audio", Echo(WIRE, {"audio": {"id": text(audio, "id")}})))
        if not content and audio.get("transcript"):
            parts.append(Text(text(audio, "transcript")))
    calls = calls_of(message)
    stop: StopReason
    if calls:
        parts += calls
        stop = "tool_use"
    elif refusal:
        stop = "refusal"
    else:
        stop = STOPS.get(finish or "", "other") if finish is None or type(finish) is str else "other"
    return Reply(tuple(parts), stop, usage_of(usage), label(head, "model"), label(head, "id"), raw)


def details_text(details: list[dict[str, Any]]) -> str:
    """The readable text in OpenRouter's reasoning_details."""
    return "".join([text(d, "text") or text(d, "summary") for d in details])


def _thinking(message: dict[str, Any], parts: list[Part]) -> None:
    fields: dict[str, Any] = {}
    shown = ""
    for name in ("reasoning_content", "reasoning"):
        value = message.get(name)
        if type(value) is str and value:
            fields[name] = value
            shown = shown or value
    signature = ""
    if message.get("reasoning_details"):
        details = objects(message, "reasoning_details")
        fields["reasoning_details"] = details
        fields.pop("reasoning", None)  # the same text again; the details are what goes back
        shown = shown or details_text(details)
        signature = next((s for d in details if (s := text(d, "signature") or text(d, "data"))), "")
    extra = message.get("extra_content")
    if type(extra) is dict and extra:  # Google's thought signature of a whole message
        fields["extra_content"] = extra
        google = extra.get("google")
        if type(google) is dict and type(google.get("thought_signature")) is str:
            signature = signature or google["thought_signature"]
    if fields:
        parts.append(Thinking(shown, signature, Echo(WIRE, fields)))


def chunk_thinking(chunk: dict[str, Any]) -> str:
    """The text of a Mistral thinking chunk."""
    inner = chunk.get("thinking")
    if type(inner) is str:
        return inner
    return "".join([text(piece, "text") for piece in objects(chunk, "thinking")])


def _chunks(content: list[Any], parts: list[Part]) -> None:
    for chunk in content:
        if type(chunk) is str:
            parts.append(Text(chunk))
            continue
        if type(chunk) is not dict:
            raise bad_reply("a content chunk is not an object")
        kind = chunk.get("type")
        if kind == "text":
            if chunk.get("text"):
                parts.append(Text(text(chunk, "text")))
        elif kind == "thinking":
            parts.append(Thinking(chunk_thinking(chunk), text(chunk, "signature"), Echo(WIRE, chunk)))
        else:  # references and the like: kept and sent back as they are
            parts.append(Data(None, str(kind), Echo(WIRE, chunk)))


def calls_of(message: dict[str, Any]) -> list[Part]:
    """The calls of a message, in order."""
    raw = objects(message, "tool_calls")
    legacy = message.get("function_call")
    if not raw and type(legacy) is dict and legacy.get("name"):
        raw = [{"function": legacy}]
    if not raw:
        return []
    taken: set[str] = set()
    calls: list[Part] = []
    number = 0
    for item in raw:
        call_id = str(item["id"]) if type(item.get("id")) is int else text(item, "id")
        if not call_id:
            taken = taken or {text(other, "id") for other in raw if type(other.get("id")) is not int}
            while (call_id := f"call_{number}") in taken:
                number += 1
            number += 1
        calls.append(_call(item, call_id))
    return calls


def _call(item: dict[str, Any], call_id: str) -> ToolCall:
    if item.get("type") == "custom":
        custom = obj(item, "custom")
        return ToolCall(call_id, text(custom, "name"), {"input": text(custom, "input")}, "", Echo(WIRE, item))
    function = obj(item, "function")
    written = function.get("arguments")
    parsed, invalid = arguments(written)
    # The item is kept only where the neutral form would lose something: the exact argument text,
    # or extra_content, which holds Gemini's thought signature.
    exact = type(written) is str and written and written != as_json(parsed)
    echo = Echo(WIRE, item) if not invalid and (exact or "extra_content" in item) else None
    return ToolCall(call_id, text(function, "name"), parsed, invalid, echo)


def usage_of(usage: dict[str, Any]) -> Usage:
    """Token counts under any of the names that this wire's dialects use."""
    if not usage:
        return Usage()
    if usage.keys() <= _PLAIN_USAGE:
        return Usage(count(usage, "prompt_tokens"), 0, 0, count(usage, "completion_tokens"))
    given = obj(usage, "prompt_tokens_details")
    made = obj(usage, "completion_tokens_details")
    input_tokens = count(usage, "prompt_tokens")
    output = count(usage, "completion_tokens")
    reasoning = count(made, "reasoning_tokens") or count(usage, "reasoning_tokens")
    cached = count(given, "cached_tokens")
    if not cached:
        for name in _CACHED:
            if name in usage:
                cached = cached or count(usage, name)
    written = 0
    if given:
        written = count(given, "cache_write_tokens") or count(given, "cache_creation_tokens")
    if "cache_creation_input_tokens" in usage:
        written = written or count(usage, "cache_creation_input_tokens")
    if reasoning and count(usage, "total_tokens") == input_tokens + output + reasoning:
        output += reasoning  # xAI counts reasoning beside the completion
    heard, spoken = count(given, "audio_tokens"), count(made, "audio_tokens")
    if heard or spoken:
        return Usage(
            input_tokens, cached, written, output, reasoning, input_audio_tokens=heard, output_audio_tokens=spoken
        )
    return Usage(input_tokens, cached, written, output, reasoning)
