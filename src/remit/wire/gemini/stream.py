"""gemini: an event stream of responses to deltas and a folded Reply.

Every frame is a whole response that holds the next parts; there is no end marker, so a stream is
whole once a finish reason or a blocked prompt was seen. Counters are cumulative: the last frame's
count, they are never summed. Arguments may come in pieces (`partialArgs`), each with the JSON path
of the value that it begins or continues.

Source: Gemini API reference "streamGenerateContent"; Vertex AI docs "Streaming of function call arguments".
"""

from __future__ import annotations

from typing import Any

from remit.core.model import Reply, StreamEvent, TextDelta, ThinkingDelta, ToolCallDelta
from remit.wire.frames import FrameDecoder
from remit.wire.gemini.decode import decode, fold_parts, joined, reply_of
from remit.wire.gemini.pieces import put
from remit.wire.provider_errors import body_error, error_in
from remit.wire.reading import as_json, label, obj, objects, text


class StreamDecoder(FrameDecoder):
    """Decodes one streamed response."""

    def __init__(self) -> None:
        super().__init__(decode)
        self._response: dict[str, Any] = {}
        self._candidate: dict[str, Any] = {}
        self._parts: list[dict[str, Any]] = []
        self._calls = 0
        self._open: dict[str, Any] | None = None  # the part of a call whose arguments still come in pieces

    @property
    def ended(self) -> bool:
        """Whether a finish reason, or the reason why the prompt was blocked, was seen."""
        return bool(self._candidate.get("finishReason") or obj(self._response, "promptFeedback").get("blockReason"))

    def frame(self, event: bytes, data: bytes, out: list[StreamEvent]) -> None:
        """Fold one frame; deltas go to `out`."""
        fields = self.read(data)
        error = error_in(fields)
        if error is None and event == b"error":
            error = body_error(fields)
        if error is not None:
            raise error
        self._response.update({key: value for key, value in fields.items() if value is not None})
        for candidate in objects(fields, "candidates"):
            if candidate.get("index"):
                continue  # only the first candidate; missing = 0
            self._candidate.update({key: value for key, value in candidate.items() if value is not None})
            for part in objects(obj(candidate, "content"), "parts"):
                self._part(part, out)

    def _part(self, part: dict[str, Any], out: list[StreamEvent]) -> None:
        if "functionCall" in part:
            self._call(part, obj(part, "functionCall"), out)
            return
        fold_parts(self._parts, [part])
        shown = part.get("text")
        if type(shown) is str and shown:
            out.append(ThinkingDelta(shown) if part.get("thought") is True else TextDelta(shown))

    def _call(self, part: dict[str, Any], call: dict[str, Any], out: list[StreamEvent]) -> None:
        continues = self._open is not None and not label(call, "name")
        pieces = objects(call, "partialArgs")
        if not continues:
            self._close(out)
            out.append(ToolCallDelta(self._calls, label(call, "id"), text(call, "name"), ""))
            self._parts.append(part)
            if not pieces and call.get("willContinue") is not True:
                out.append(ToolCallDelta(self._calls, "", "", as_json(call.get("args") or {})))
                self._calls += 1
                return
            kept = {key: value for key, value in call.items() if key not in ("partialArgs", "willContinue")}
            self._open = {**part, "functionCall": {**kept, "args": dict(obj(call, "args"))}}
            self._parts[-1] = self._open
        assert self._open is not None
        if part.get("thoughtSignature"):
            self._open["thoughtSignature"] = part["thoughtSignature"]
        for piece in pieces:
            put(self._open["functionCall"]["args"], piece)
        if call.get("willContinue") is not True:
            self._close(out)

    def _close(self, out: list[StreamEvent]) -> None:
        """The pieces are no JSON text, so the arguments are shown once they are whole."""
        if self._open is not None:
            out.append(ToolCallDelta(self._calls, "", "", as_json(self._open["functionCall"]["args"])))
            self._calls += 1
            self._open = None

    def reply(self) -> Reply:
        """The folded reply."""
        return reply_of(self._response, self._candidate, joined(self._parts), self.source)
