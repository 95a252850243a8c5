"""cohere-v2: typed events to deltas and a folded Reply.

Content chunks and tool calls are numbered each on their own. A stream is whole when it gave
message-end, which carries the finish reason and the usage.

Source: Cohere docs "Streaming", API reference "Chat" (v2), stream events.
"""

from __future__ import annotations

from typing import Any, Final

from remit.core.model import Reply, StreamEvent, TextDelta, ThinkingDelta, ToolCallDelta
from remit.wire.cohere_v2.decode import decode, reply_of
from remit.wire.frames import FrameDecoder, Positions
from remit.wire.provider_errors import body_error, error_in
from remit.wire.reading import index, label, obj, text

_TEXTS: Final = ("text", "thinking")


class StreamDecoder(FrameDecoder):
    """Decodes one streamed chat response."""

    def __init__(self) -> None:
        super().__init__(decode)
        self._response: dict[str, Any] = {}
        self._plan: list[str] = []
        self._chunks: dict[int, dict[str, Any]] = {}
        self._texts: dict[int, list[str]] = {}
        self._calls: dict[int, dict[str, Any]] = {}
        self._arguments: dict[int, list[str]] = {}
        self._numbers: dict[int, int] = {}  # index of a call -> its number in the reply
        self._positions = Positions()  # of calls
        self._citations: list[Any] = []
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether message-end was seen."""
        return self._ended or self._done

    @property
    def closed(self) -> bool:
        """Whether nothing further can follow."""
        return self.ended and self._error is None

    def frame(self, event: bytes, data: bytes, out: list[StreamEvent]) -> None:
        """Fold one frame; deltas go to `out`."""
        fields = self.read(data)
        kind = text(fields, "type") or event.decode("ascii", "replace")
        delta = obj(fields, "delta")
        message = obj(delta, "message")
        if kind == "content-delta" or kind == "content-start":
            self._content(fields, obj(message, "content"), out)
        elif kind == "tool-call-delta" or kind == "tool-call-start":
            self._call(fields, obj(message, "tool_calls"), out)
        elif kind == "tool-plan-delta":
            piece = text(message, "tool_plan")
            if piece:
                self._plan.append(piece)
                out.append(ThinkingDelta(piece))
        elif kind == "message-start":
            self._response["id"] = label(fields, "id")
        elif kind == "citation-start":
            if message.get("citations"):
                self._citations.append(message["citations"])
        elif kind == "message-end":
            self._end(delta)
        elif kind == "error" or event == b"error" or not fields.get("type"):
            self._untyped(event, kind, fields)

    def _end(self, delta: dict[str, Any]) -> None:
        if delta.get("error"):
            raise body_error(delta["error"])
        self._response.update(delta)
        self._ended = True

    @staticmethod
    def _untyped(event: bytes, kind: str, fields: dict[str, Any]) -> None:
        error = error_in(fields)
        if error is None and (kind == "error" or event == b"error" or fields.get("message")):
            error = body_error(fields)
        if error is not None:
            raise error

    def _content(self, fields: dict[str, Any], chunk: dict[str, Any], out: list[StreamEvent]) -> None:
        position = index(fields, "index") or 0
        held = self._chunks.setdefault(position, {})
        # The deltas say by their field what the chunk is; a start may be missing.
        held.update({key: value for key, value in chunk.items() if key not in _TEXTS})
        for field in _TEXTS:
            piece = text(chunk, field)
            if piece:
                held.setdefault("type", field)
                self._texts.setdefault(position, []).append(piece)
                out.append(TextDelta(piece) if field == "text" else ThinkingDelta(piece))

    def _call(self, fields: dict[str, Any], call: dict[str, Any], out: list[StreamEvent]) -> None:
        function = obj(call, "function")
        piece = text(function, "arguments")
        number, position = index(fields, "index"), self._positions.known(index(fields, "index"))
        begins = fields.get("type") == "tool-call-start"
        if begins and position is not None and call.get("id") and call["id"] == self._calls[position].get("id"):
            return  # sent twice
        position = self._positions.begin(number) if begins else self._positions.at(number)
        known = position in self._calls
        held = self._calls.setdefault(position, {})
        if not known:
            self._numbers[position] = len(self._numbers)
            held.update({**call, "function": {"name": text(function, "name")}})
            out.append(ToolCallDelta(self._numbers[position], text(call, "id"), text(function, "name"), piece))
        elif piece:
            out.append(ToolCallDelta(self._numbers[position], "", "", piece))
        if piece:
            self._arguments.setdefault(position, []).append(piece)

    def reply(self) -> Reply:
        """The folded reply."""
        message: dict[str, Any] = {"tool_plan": "".join(self._plan), "citations": self._citations}
        chunks = []
        for position in sorted(self._chunks):
            chunk = dict(self._chunks[position])
            kind = chunk.setdefault("type", "text")
            if kind in _TEXTS:
                chunk[kind] = "".join(self._texts.get(position, ()))
            chunks.append(chunk)
        message["content"] = chunks
        calls = []
        for position in sorted(self._calls):
            call = self._calls[position]
            call["function"]["arguments"] = "".join(self._arguments.get(position, ()))
            calls.append(call)
        message["tool_calls"] = calls
        return reply_of(self._response, message, self.source)
