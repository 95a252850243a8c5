"""anthropic-messages: named events to deltas and a folded Reply.

Blocks are folded by index to the JSON that the unstreamed message holds. Usage starts in
message_start and is replaced, field by field, by message_delta (counters are cumulative, not summed).
A stream is whole when it gave message_stop or a stop_reason; an error may arrive inside it.
"""

from __future__ import annotations

from typing import Any, Final

from remit.core.model import Reply, StreamEvent, TextDelta, ThinkingDelta, ToolCallDelta
from remit.errors import ModelError
from remit.wire.anthropic_messages.decode import decode, reply_of
from remit.wire.frames import FrameDecoder, Positions
from remit.wire.provider_errors import body_error, error_in
from remit.wire.reading import EMPTY, arguments, index, obj, read_json, text

# delta type -> the field of it that grows
_FIELDS: Final = {
    "text_delta": "text",
    "input_json_delta": "partial_json",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "compaction_delta": "content",
}


class StreamDecoder(FrameDecoder):
    """Decodes one streamed message."""

    def __init__(self) -> None:
        super().__init__(decode)
        self._message: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._blocks: dict[int, dict[str, Any]] = {}
        self._pieces: dict[int, dict[str, list[str]]] = {}  # index -> field -> pieces
        self._citations: dict[int, list[Any]] = {}
        self._positions = Positions()
        self._calls: dict[int, int] = {}  # index -> number of the call
        self._stopped = False

    @property
    def ended(self) -> bool:
        """Whether message_stop or a stop_reason was seen."""
        return self._stopped or bool(self._message.get("stop_reason"))

    @property
    def closed(self) -> bool:
        """Whether message_stop was seen."""
        return self._stopped and self._error is None

    def frame(self, event: bytes, data: bytes, out: list[StreamEvent]) -> None:
        """Fold one frame; deltas go to `out`."""
        fields = self.read(data)
        kind = text(fields, "type") or event.decode("ascii", "replace")
        if kind == "content_block_delta":
            self._delta(self._positions.at(index(fields, "index")), obj(fields, "delta"), out)
        elif kind == "content_block_start":
            self._begin(index(fields, "index"), obj(fields, "content_block"), out)
        elif kind == "message_start":
            self._message = dict(obj(fields, "message"))
            self._count(obj(self._message, "usage"))
        elif kind == "message_delta":
            self._message.update({k: v for k, v in obj(fields, "delta").items() if v is not None})
            self._count(obj(fields, "usage"))
        elif kind == "message_stop":
            self._stopped = True
        elif kind == "error" or event == b"error" or fields.get("error"):
            raise error_in(fields) or body_error(fields)

    def _count(self, usage: dict[str, Any]) -> None:
        self._usage.update({key: value for key, value in usage.items() if value is not None})

    def _begin(self, number: int | None, block: dict[str, Any], out: list[StreamEvent]) -> None:
        known = self._positions.known(number)
        if known is not None and block.get("id") and block["id"] == self._blocks.get(known, EMPTY).get("id"):
            return  # sent twice
        self._start(self._positions.begin(number), block, out)

    def _start(self, position: int, block: dict[str, Any], out: list[StreamEvent]) -> None:
        self._blocks[position] = dict(block)
        self._pieces[position] = {}
        kind = block.get("type")
        if kind == "tool_use":
            self._calls[position] = len(self._calls)
            out.append(ToolCallDelta(self._calls[position], text(block, "id"), text(block, "name"), ""))
        for field, made in (("text", TextDelta), ("thinking", ThinkingDelta)):
            if kind == field and text(block, field):
                self._pieces[position][field] = [text(block, field)]
                out.append(made(text(block, field)))

    def _delta(self, position: int, delta: dict[str, Any], out: list[StreamEvent]) -> None:
        kind = delta.get("type")
        if position not in self._blocks:  # a server that leaves out content_block_start
            made = {"thinking_delta": "thinking", "signature_delta": "thinking"}.get(str(kind), "text")
            self._start(position, {"type": made}, out)
        field = _FIELDS.get(kind) if type(kind) is str else None
        if field is None:
            if kind == "citations_delta":
                self._citations.setdefault(position, []).append(delta.get("citation"))
            return
        piece = text(delta, field)
        if not piece:
            return
        self._pieces[position].setdefault(field, []).append(piece)
        if field == "text":
            out.append(TextDelta(piece))
        elif field == "thinking":
            out.append(ThinkingDelta(piece))
        elif field == "partial_json" and position in self._calls:
            out.append(ToolCallDelta(self._calls[position], "", "", piece))

    def _block(self, position: int) -> dict[str, Any]:
        block = self._blocks[position]
        for field, pieces in self._pieces[position].items():
            joined = "".join(pieces)
            if field != "partial_json":
                block[field] = joined
            elif block.get("type") == "tool_use":
                parsed, invalid = arguments(joined)
                block["input"] = invalid or parsed
            else:
                block["input"] = _server_input(joined)
        cited = self._citations.get(position)
        if cited:
            block["citations"] = cited
        elif block.get("type") == "text" and block.get("citations") == []:
            del block["citations"]
        return block

    def reply(self) -> Reply:
        """The folded reply."""
        blocks = [self._block(position) for position in sorted(self._blocks)]
        message = {**self._message, "usage": self._usage or EMPTY}
        return reply_of(message, blocks, self.source)


def _server_input(written: str) -> Any:
    try:
        return read_json(written)
    except ModelError:
        return {}  # what a server's own tool was given is only shown, never run
