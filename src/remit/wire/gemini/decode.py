"""gemini: a GenerateContentResponse to a Reply.

Parts become parts in order. A part that holds more than the neutral form (a thought signature, code
that the server ran, a server tool's call) carries itself as echo. Call ids may be missing: then the
call gets a stable one, which is never sent back. The finish reason stays STOP when there are calls.
A blocked prompt has no candidates. Thoughts are counted apart from the candidates' tokens, and what
server tools read apart from the prompt's; both are added.

Source: Gemini API reference "GenerateContentResponse", "Content", "UsageMetadata"; docs "Thought signatures".
"""

from __future__ import annotations

from typing import Any, Final

from remit.core.messages import Data, Echo, File, Part, Text, Thinking, ToolCall
from remit.core.model import Reply, StopReason
from remit.core.usage import Usage
from remit.wire import reading
from remit.wire.media import media_of
from remit.wire.provider_errors import body_error, error_in
from remit.wire.reading import arguments, bad_reply, count, label, obj, objects, text

WIRE: Final = "gemini"

STOPS: Final[dict[str, StopReason]] = {
    "": "end",
    "FINISH_REASON_UNSPECIFIED": "end",
    "STOP": "end",
    "MAX_TOKENS": "max_tokens",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "LANGUAGE": "error",
    "MALFORMED_FUNCTION_CALL": "error",
    "MALFORMED_RESPONSE": "error",
    "UNEXPECTED_TOOL_CALL": "error",
    "TOO_MANY_TOOL_CALLS": "error",
    "MISSING_THOUGHT_SIGNATURE": "error",
    "NO_IMAGE": "error",
    "IMAGE_OTHER": "other",
    "OTHER": "other",
}
_PLAIN: Final = frozenset(("text", "thought"))
# fields of a part that say something about it, not what it is
_ABOUT: Final = ("thought", "thoughtSignature", "videoMetadata", "mediaResolution", "partMetadata")


def decode(body: bytes) -> Reply:
    """The reply in a whole body; raises model_bad_reply, or the error that it carries."""
    raw = reading.read_json(body)
    # Without alt=sse a stream is one JSON list of the same frames; errors may come in a list too.
    frames = raw if type(raw) is list else [raw]
    response: dict[str, Any] = {}
    parts: list[dict[str, Any]] = []
    candidate: dict[str, Any] = {}
    for frame in frames:
        if type(frame) is not dict:
            raise bad_reply("the reply is not a JSON object")
        error = error_in(frame)
        if error is not None:
            raise error
        response.update(frame)
        for each in objects(frame, "candidates"):
            if not each.get("index"):  # only the first candidate; missing = 0
                candidate.update(each)
                fold_parts(parts, objects(obj(each, "content"), "parts"))
    if not candidate and "promptFeedback" not in response and "usageMetadata" not in response:
        raise body_error(response) if response.get("message") else bad_reply("the reply has no candidates")
    return reply_of(response, candidate, joined(parts), raw)


def fold_parts(folded: list[dict[str, Any]], parts: list[dict[str, Any]]) -> None:
    """Add parts of a frame: plain text grows the text before it of the same kind; a part with a signature stays alone.

    Source: Gemini docs "Thought signatures": parts with signatures are never merged with others.
    """
    for part in parts:
        last = folded[-1] if folded else reading.EMPTY
        plain = type(part.get("text")) is str and part.keys() <= _PLAIN
        if plain and type(last.get("text")) is _Pieces and bool(part.get("thought")) == bool(last.get("thought")):
            last["text"].append(part["text"])
        else:
            folded.append({**part, "text": _Pieces((part["text"],))} if plain else part)


class _Pieces(list[str]):
    """Pieces of one text; joined once, for a text that grew by each would be copied by each."""


def joined(folded: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The folded parts as the unstreamed answer holds them."""
    return [p if type(p.get("text")) is not _Pieces else {**p, "text": "".join(p["text"])} for p in folded]


def reply_of(response: dict[str, Any], candidate: dict[str, Any], parts: list[dict[str, Any]], raw: Any) -> Reply:
    """The reply of a (folded) response; `parts` are those of its first candidate."""
    made: list[Part] = []
    taken = {label(obj(part, "functionCall"), "id") for part in parts if "functionCall" in part}
    number = 0
    called = False
    for part in parts:
        if "functionCall" in part:
            called = True
            call = obj(part, "functionCall")
            call_id = label(call, "id")
            if not call_id:
                while (call_id := f"call_{number}") in taken:
                    number += 1
                number += 1
            made.append(_call(part, call, call_id))
        else:
            found = _part(part)
            if found is not None:
                made.append(found)
    usage = usage_of(obj(response, "usageMetadata"))
    model, reply_id = label(response, "modelVersion"), label(response, "responseId")
    return Reply(tuple(made), _stop(response, candidate, called), usage, model, reply_id, raw)


def _stop(response: dict[str, Any], candidate: dict[str, Any], called: bool) -> StopReason:
    if called:
        return "tool_use"
    if not candidate:
        return "content_filter" if obj(response, "promptFeedback").get("blockReason") else "other"
    return STOPS.get(text(candidate, "finishReason"), "other")


def _call(part: dict[str, Any], call: dict[str, Any], call_id: str) -> ToolCall:
    parsed, invalid = arguments(call.get("args"))
    # Kept where the neutral form would lose something: a signature, or that the provider gave no id.
    complete = len(part) == 1 and call.keys() <= {"id", "name", "args"} and call_id == call.get("id")
    return ToolCall(call_id, text(call, "name"), parsed, invalid, None if complete else Echo(WIRE, part))


def _part(part: dict[str, Any]) -> Part | None:
    if type(part.get("text")) is str:
        return _text(part)
    if "inlineData" in part:
        blob = obj(part, "inlineData")
        beside = {key: value for key, value in part.items() if key != "inlineData"}
        return media_of(text(blob, "data"), text(blob, "mimeType"), Echo(WIRE, beside) if beside else None)
    if "fileData" in part and len(part) == 1:
        file = obj(part, "fileData")
        return File(url=text(file, "fileUri"), media_type=text(file, "mimeType"))
    kind = next((key for key in part if key not in _ABOUT), "")
    if not kind:  # a signature that stands alone belongs to what came before
        return Thinking("", label(part, "thoughtSignature"), Echo(WIRE, part)) if part else None
    return Data(None, kind, Echo(WIRE, part))


def _text(part: dict[str, Any]) -> Part | None:
    shown = text(part, "text")
    signature = label(part, "thoughtSignature")
    if part.get("thought") is True:
        return Thinking(shown, signature, Echo(WIRE, part))
    if not shown:
        return Thinking("", signature, Echo(WIRE, part)) if signature else None
    return Text(shown, Echo(WIRE, part) if len(part) > 1 else None)


def usage_of(usage: dict[str, Any]) -> Usage:
    """Token counts: tool-use prompts are input, thoughts are output."""
    if not usage:
        return Usage()
    thoughts = count(usage, "thoughtsTokenCount")
    heard = _of(usage, "promptTokensDetails", "AUDIO") + _of(usage, "toolUsePromptTokensDetails", "AUDIO")
    return Usage(
        count(usage, "promptTokenCount") + count(usage, "toolUsePromptTokenCount"),
        count(usage, "cachedContentTokenCount"),
        0,
        count(usage, "candidatesTokenCount") + thoughts,
        thoughts,
        input_audio_tokens=heard,
        cached_audio_tokens=_of(usage, "cacheTokensDetails", "AUDIO"),
        output_audio_tokens=_of(usage, "candidatesTokensDetails", "AUDIO"),
        output_image_tokens=_of(usage, "candidatesTokensDetails", "IMAGE"),
    )


def _of(usage: dict[str, Any], field: str, modality: str) -> int:
    return sum(count(each, "tokenCount") for each in objects(usage, field) if each.get("modality") == modality)
