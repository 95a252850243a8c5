"""openai-responses: named events to deltas and a folded Reply.

The items of `response.output_item.done` are the reply: they are what the server wants back (a
reasoning item's encrypted_content differs between that event and the final response object, and
some servers leave the final output empty). Status, usage, model and id come from the final
response. A stream is whole when it gave a final response or [DONE].
"""

from __future__ import annotations

from typing import Any, Final

from remit.core.model import Reply, StreamEvent, TextDelta, ThinkingDelta, ToolCallDelta
from remit.wire.frames import FrameDecoder
from remit.wire.openai_responses.decode import decode, reply_of
from remit.wire.provider_errors import body_error, error_in
from remit.wire.reading import EMPTY, index, label, obj, objects, text

_FINAL: Final = frozenset(
    ("response.completed", "response.incomplete", "response.failed", "response.done", "response.cancelled")
)
_EARLY: Final = frozenset(("response.created", "response.in_progress", "response.queued"))
_CALLS: Final = ("function_call", "custom_tool_call")
_THINKING: Final = frozenset(("response.reasoning_text.delta", "response.reasoning.delta"))
_SUMMARY: Final = frozenset(("response.reasoning_summary_text.delta", "response.reasoning_summary.delta"))
_WRITTEN: Final = {
    "response.function_call_arguments.done": "arguments",
    "response.custom_tool_call_input.done": "input",
}


class StreamDecoder(FrameDecoder):
    """Decodes one streamed response."""

    def __init__(self) -> None:
        super().__init__(decode)
        self._response: dict[str, Any] = EMPTY
        self._final = False
        self._last, self._numbered = b"", False  # the last frame's data, and whether it has a number
        self._items: dict[int, dict[str, Any]] = {}  # done items, or added ones until they are done
        self._done_items: set[int] = set()
        self._known: dict[tuple[Any, str], int] = {}  # (type, id) -> output_index
        self._texts: dict[int, list[str]] = {}  # text of an item that is never done
        self._calls: dict[int, int] = {}  # output_index -> number of the call
        self._sent: set[int] = set()  # calls whose arguments came as deltas
        self._thought: set[int] = set()  # items with raw reasoning; their summary is not shown again
        self._paragraph: dict[int, Any] = {}  # output_index -> summary part that was shown last

    @property
    def ended(self) -> bool:
        """Whether the final response or [DONE] was seen."""
        return self._done or self._final

    @property
    def closed(self) -> bool:
        """Whether the final response was seen; at most [DONE] follows it."""
        return self.ended and self._error is None

    def frame(self, event: bytes, data: bytes, out: list[StreamEvent]) -> None:
        """Fold one frame; deltas go to `out`."""
        if self._numbered and data == self._last:
            return  # sent twice: the same number on the same event
        fields = self.read(data)
        self._last, self._numbered = data, bool(index(fields, "sequence_number"))
        kind = text(fields, "type") or event.decode("ascii", "replace")
        if kind == "response.output_text.delta" or kind == "response.refusal.delta":
            self._text(fields, out)
        elif kind in _FINAL:
            self._final = True
            self._response = obj(fields, "response")
            if kind == "response.failed":
                raise body_error(self._response.get("error") or {"message": "the response failed"})
        elif kind == "error" or event == b"error" or not fields.get("type"):
            self._untyped(event, kind, fields)
        elif kind.endswith(".delta"):
            self._delta(kind, fields, out)
        elif kind == "response.output_item.added" or kind == "response.output_item.done":
            self._item(fields, kind == "response.output_item.done", out)
        elif kind in _WRITTEN:
            self._arguments(fields, _WRITTEN[kind])
        elif kind in _EARLY:
            self._response = obj(fields, "response")

    @staticmethod
    def _untyped(event: bytes, kind: str, fields: dict[str, Any]) -> None:
        error = error_in(fields)
        if error is None and (kind == "error" or event == b"error"):
            error = body_error(fields)
        if error is not None:
            raise error

    def _at(self, fields: dict[str, Any]) -> int:
        position = index(fields, "output_index")
        return max(len(self._items) - 1, 0) if position is None else position

    def _text(self, fields: dict[str, Any], out: list[StreamEvent]) -> None:
        piece = text(fields, "delta")
        if piece:
            self._texts.setdefault(self._at(fields), []).append(piece)
            out.append(TextDelta(piece))

    def _delta(self, kind: str, fields: dict[str, Any], out: list[StreamEvent]) -> None:
        piece = fields.get("delta")
        if type(piece) is not str or not piece:
            return
        position = self._at(fields)
        if kind in _THINKING:
            self._thought.add(position)
            out.append(ThinkingDelta(piece))
        elif kind in _SUMMARY:
            if position in self._thought:
                return
            paragraph = fields.get("summary_index")
            if self._paragraph.setdefault(position, paragraph) != paragraph:
                self._paragraph[position] = paragraph
                piece = "\n\n" + piece
            out.append(ThinkingDelta(piece))
        elif position in self._calls and kind in (
            "response.function_call_arguments.delta",
            "response.custom_tool_call_input.delta",
        ):
            self._sent.add(position)
            self._texts.setdefault(position, []).append(piece)
            out.append(ToolCallDelta(self._calls[position], "", "", piece))

    def _item(self, fields: dict[str, Any], done: bool, out: list[StreamEvent]) -> None:
        item = obj(fields, "item")
        if not text(item, "type"):
            return
        position = index(fields, "output_index")
        if position is None:
            position = len(self._items) if not done else self._same(item)
        self._items[position] = item if done else dict(item)
        self._known.setdefault((item.get("type"), label(item, "id")), position)
        if item.get("type") in _CALLS and position not in self._calls:
            self._calls[position] = len(self._calls)
            out.append(ToolCallDelta(self._calls[position], text(item, "call_id"), text(item, "name"), ""))
        if not done:
            return
        self._done_items.add(position)
        self._texts.pop(position, None)
        if position in self._calls and position not in self._sent:
            written = item.get("arguments") or item.get("input")
            if type(written) is str:
                self._sent.add(position)
                out.append(ToolCallDelta(self._calls[position], "", "", written))

    def _same(self, item: dict[str, Any]) -> int:
        return self._known.get((item.get("type"), label(item, "id")), len(self._items))

    def _arguments(self, fields: dict[str, Any], key: str) -> None:
        position = self._at(fields)
        if position in self._items and type(fields.get(key)) is str:
            if position not in self._done_items:
                self._items[position][key] = fields[key]
            self._texts.pop(position, None)

    def _item_at(self, position: int) -> dict[str, Any]:
        """A done item as it came; an added one with the text that followed it."""
        item = self._items.get(position, EMPTY)
        if position not in self._texts:
            return item
        written = "".join(self._texts[position])
        kind = item.get("type", "message")
        if kind in _CALLS:
            return {**item, "arguments" if kind == "function_call" else "input": written}
        if kind != "message":
            return item
        return {"type": "message", "role": "assistant", **item, "content": [{"type": "output_text", "text": written}]}

    def reply(self) -> Reply:
        """The folded reply."""
        final = objects(self._response, "output")
        if self._final and len(final) > len(self._items):
            output = [self._items[i] if i in self._done_items else item for i, item in enumerate(final)]
        else:
            output = [self._item_at(i) for i in sorted(self._items.keys() | self._texts.keys())]
        response = self._response if self._final else {**self._response, "status": "completed"}
        return reply_of(response, output, self.source)
