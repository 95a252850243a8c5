"""bedrock-converse: binary event frames to deltas and a folded Reply.

Blocks are folded by index to the JSON that the unstreamed message holds. A text block has no start
event; a tool's has one. A stream is whole when it gave messageStop; metadata with the usage follows.
Exceptions arrive as frames of a 200 stream, named as in x-amzn-errortype.

Source: Amazon Bedrock API reference "ConverseStream", "ContentBlockDelta", "ConverseStreamOutput".
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any, Final

from remit.core.model import Reply, StreamEvent, TextDelta, ThinkingDelta, ToolCallDelta
from remit.wire.bedrock_converse.decode import decode, reply_of
from remit.wire.event_stream import EventStreamParser
from remit.wire.frames import FrameDecoder, Positions
from remit.wire.provider_errors import body_error
from remit.wire.reading import EMPTY, bad_reply, index, label, obj, objects, read_json, text

_SERVER: Final = "server_tool_use"


class StreamDecoder(FrameDecoder):
    """Decodes one streamed message."""

    def __init__(self) -> None:
        super().__init__(decode, EventStreamParser())
        self._response: dict[str, Any] = {}
        self._blocks: dict[int, dict[str, Any]] = {}
        self._pieces: dict[tuple[int, str], list[str]] = {}  # (index, field) -> pieces of a text
        self._positions = Positions()
        self._calls: dict[int, int] = {}  # index -> number of the call
        self._stopped = False
        self._counted = False

    @property
    def ended(self) -> bool:
        """Whether messageStop was seen."""
        return self._stopped

    @property
    def closed(self) -> bool:
        """Whether the metadata after messageStop was seen."""
        return self._stopped and self._counted and self._error is None

    def frame(self, event: bytes, data: bytes, out: list[StreamEvent]) -> None:
        """Fold one frame; deltas go to `out`."""
        name, _, kind = event.decode("ascii", "replace").partition(":")
        fields = self.read(data, name)
        if kind or name in ("exception", "error"):
            raise body_error({"message": fields.get("message") or fields.get("Message") or kind, "type": kind})
        if name == "contentBlockDelta":
            self._delta(self._positions.at(index(fields, "contentBlockIndex")), obj(fields, "delta"), out)
        elif name == "contentBlockStart":
            self._start(index(fields, "contentBlockIndex"), obj(fields, "start"), out)
        elif name == "messageStop":
            self._stopped = True
            self._response["stopReason"] = fields.get("stopReason")
        elif name == "metadata":
            self._counted = True
            self._response["usage"] = obj(fields, "usage")
        elif name.endswith("Exception"):
            raise body_error({"message": fields.get("message") or name, "type": name})

    def _start(self, number: int | None, start: dict[str, Any], out: list[StreamEvent]) -> None:
        known = self._positions.known(number)
        if known is not None and start == self._blocks.get(known):
            return  # sent twice
        position = self._positions.begin(number)
        self._blocks[position] = {key: dict(obj(start, key)) for key in start if type(start[key]) is dict}
        use = obj(start, "toolUse")
        if use and use.get("type") != _SERVER:
            self._calls[position] = len(self._calls)
            out.append(ToolCallDelta(self._calls[position], text(use, "toolUseId"), text(use, "name"), ""))

    def _grow(self, position: int, field: str, piece: str) -> None:
        self._pieces.setdefault((position, field), []).append(piece)

    def _delta(self, position: int, delta: dict[str, Any], out: list[StreamEvent]) -> None:
        block = self._blocks.setdefault(position, {})
        if type(delta.get("text")) is str:
            self._grow(position, "text", delta["text"])
            if delta["text"]:
                out.append(TextDelta(delta["text"]))
        elif "toolUse" in delta:
            piece = text(obj(delta, "toolUse"), "input")
            self._grow(position, "input", piece)
            if piece and position in self._calls:
                out.append(ToolCallDelta(self._calls[position], "", "", piece))
        elif "reasoningContent" in delta:
            self._reason(position, obj(delta, "reasoningContent"), out)
        elif "toolResult" in delta:
            result = block.setdefault("toolResult", {})
            result.setdefault("content", []).extend(objects(delta, "toolResult"))
        elif "citation" in delta:
            block.setdefault("citations", []).append(delta["citation"])
        else:
            block.update(delta)

    def _reason(self, position: int, piece: dict[str, Any], out: list[StreamEvent]) -> None:
        self._blocks[position].setdefault("reasoningContent", {})
        for field in ("text", "signature", "redactedContent"):
            value = label(piece, field)
            if value:
                self._grow(position, f"reasoning.{field}", value)
                if field == "text":
                    out.append(ThinkingDelta(value))

    def _written(self, position: int, field: str) -> str | None:
        pieces = self._pieces.get((position, field))
        return None if pieces is None else "".join(pieces)

    def _block(self, position: int) -> dict[str, Any]:
        block = dict(self._blocks[position])
        cited = block.pop("citations", None)
        said = self._written(position, "text")
        if cited is not None:
            content = [{"text": said}] if said else []
            return {**block, "citationsContent": {"content": content, "citations": cited}}
        if said is not None:
            block["text"] = said
        if "toolUse" in block:
            written = self._written(position, "input") or ""
            use = block["toolUse"]
            # A client's call is read by the same rules as text from any provider; a server's is only shown.
            block["toolUse"] = {**use, "input": _input(written) if use.get("type") == _SERVER else written or {}}
        if "reasoningContent" in block:
            block["reasoningContent"] = self._reasoning(position)
        return block

    def _reasoning(self, position: int) -> dict[str, Any]:
        said: dict[str, Any] = {}
        for field in ("text", "signature"):
            value = self._written(position, f"reasoning.{field}")
            if value is not None:
                said[field] = value
        redacted = self._pieces.get((position, "reasoning.redactedContent"))
        if redacted is None:
            return {"reasoningText": said}
        if len(redacted) == 1:
            return {"redactedContent": redacted[0]}
        try:  # each piece is base64 of its own bytes
            return {"redactedContent": b64encode(b"".join(map(b64decode, redacted))).decode()}
        except ValueError:
            raise bad_reply("redacted reasoning is not base64") from None

    def reply(self) -> Reply:
        """The folded reply."""
        blocks = [block for position in sorted(self._blocks) if (block := self._block(position))]
        return reply_of(self._response or EMPTY, blocks, self.source)


def _input(written: str) -> Any:
    return read_json(written) if written.strip() else {}
