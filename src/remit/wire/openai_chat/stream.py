"""openai-chat: an event stream of chunks to deltas and a folded Reply.

Chunks are folded to the JSON message that the unstreamed answer would hold. Tool calls are keyed
by `index`, and by id where servers leave the index out or send 0 for every parallel call. A stream
is whole when it gave a finish_reason or [DONE]; usage may follow in a chunk without choices.
"""

from __future__ import annotations

from typing import Any

from remit.core.model import Reply, StreamEvent, TextDelta, ThinkingDelta, ToolCallDelta
from remit.wire.frames import FrameDecoder
from remit.wire.openai_chat.decode import chunk_thinking, decode, details_text, reply_of
from remit.wire.provider_errors import body_error, error_in
from remit.wire.reading import EMPTY, as_json, bad_reply, index, obj, objects, text

_STRINGS = ("reasoning_content", "reasoning", "refusal")
# message fields that arrive whole and are kept as they came
_WHOLE = ("extra_content", "audio", "function_call")


class StreamDecoder(FrameDecoder):
    """Decodes one streamed chat completion."""

    def __init__(self) -> None:
        super().__init__(decode)
        self._head: dict[str, Any] = {}
        self._usage: dict[str, Any] = EMPTY
        self._finish: str | None = None
        self._strings: dict[str, list[str]] = {}
        self._whole: dict[str, dict[str, Any]] = {}
        self._content: list[Any] = []  # strings and chunks, in order
        self._details: list[dict[str, Any]] = []
        self._calls = CallFold()

    @property
    def ended(self) -> bool:
        """Whether a finish_reason or [DONE] was seen."""
        return self._done or self._finish is not None

    def frame(self, event: bytes, data: bytes, out: list[StreamEvent]) -> None:
        """Fold one frame; deltas go to `out`."""
        chunk = self.read(data)
        error = error_in(chunk)
        if error is None and event == b"error":
            error = body_error(chunk)
        if error is not None:
            raise error
        if not self._head.get("id") or not self._head.get("model"):
            self._head = {k: chunk.get(k) or self._head.get(k) for k in ("id", "model")}
        if chunk.get("usage"):
            self._usage = obj(chunk, "usage")
        elif chunk.get("x_groq"):
            self._usage = obj(obj(chunk, "x_groq"), "usage") or self._usage
        for choice in objects(chunk, "choices"):
            if not choice.get("index"):  # only the first choice; missing = 0
                self._choice(choice, out)

    def _choice(self, choice: dict[str, Any], out: list[StreamEvent]) -> None:
        if choice.get("error"):
            raise body_error(choice["error"])
        if choice.get("usage"):
            self._usage = obj(choice, "usage")
        finish = choice.get("finish_reason")
        if finish is not None and (finish or not self._finish):
            self._finish = finish if type(finish) is str else "unknown"
        delta = obj(choice, "delta") or obj(choice, "message")
        content = delta.get("content")
        if len(delta) > 1 or content is None:
            self._rest(delta, out)
        if type(content) is str:
            if content:
                self._content.append(content)
                out.append(TextDelta(content))
        elif content is not None:
            self._chunks(delta, out)

    def _rest(self, delta: dict[str, Any], out: list[StreamEvent]) -> None:
        thought = ""
        for name in _STRINGS:
            piece = delta.get(name)
            if piece and type(piece) is str:
                self._strings.setdefault(name, []).append(piece)
                if name == "refusal":
                    out.append(TextDelta(piece))
                else:
                    thought = thought or piece
        if delta.get("reasoning_details"):
            details = objects(delta, "reasoning_details")
            thought = thought or details_text(details)
            fold_details(self._details, details)
        if thought:
            out.append(ThinkingDelta(thought))
        if delta.get("tool_calls"):
            self._calls.add(objects(delta, "tool_calls"), out)
        for name in _WHOLE:
            value = delta.get(name)
            if type(value) is dict and value:
                _grow(self._whole.setdefault(name, {}), value, ("data", "transcript", "arguments"))

    def _chunks(self, delta: dict[str, Any], out: list[StreamEvent]) -> None:
        for chunk in objects(delta, "content"):
            kind = chunk.get("type")
            if kind == "text":
                piece = text(chunk, "text")
                if piece:
                    self._content.append(piece)
                    out.append(TextDelta(piece))
                continue
            if kind == "thinking":
                piece = chunk_thinking(chunk)
                if piece:
                    out.append(ThinkingDelta(piece))
            self._content.append(chunk)

    def reply(self) -> Reply:
        """The folded reply."""
        message: dict[str, Any] = {name: "".join(pieces) for name, pieces in self._strings.items()}
        message.update({name: _joined(value) for name, value in self._whole.items()})
        message["content"] = fold_content(self._content)
        message["reasoning_details"] = [_joined(item) for item in self._details]
        message["tool_calls"] = self._calls.items()
        return reply_of(self._head, message, self._finish, self._usage, self.source)


def _grow(item: dict[str, Any], piece: dict[str, Any], texts: tuple[str, ...]) -> None:
    """Add `piece` to `item`: fields in `texts` grow (kept as lists, joined once), others are replaced."""
    for key, value in piece.items():
        if key in texts and type(value) is str:
            pieces = item.setdefault(key, _Pieces())
            if type(pieces) is _Pieces:
                pieces.append(value)
        elif value is not None or key not in item:
            item[key] = value


class _Pieces(list[str]):
    """Pieces of one text."""


def _joined(item: dict[str, Any]) -> dict[str, Any]:
    return {key: "".join(value) if type(value) is _Pieces else value for key, value in item.items()}


def fold_details(folded: list[dict[str, Any]], pieces: list[dict[str, Any]]) -> None:
    """Join pieces of reasoning_details: texts and summaries of one index and type grow, others are items."""
    for piece in pieces:
        kind = piece.get("type")
        last = folded[-1] if folded else EMPTY
        grows = kind in ("reasoning.text", "reasoning.summary") and last.get("type") == kind
        if not grows or last.get("index") != piece.get("index"):
            last = {}
            folded.append(last)
        _grow(last, piece, ("text", "summary"))


def fold_content(pieces: list[Any]) -> Any:
    """A text when all pieces are text, else a list of chunks with adjacent ones of a kind joined."""
    if all(type(piece) is str for piece in pieces):
        return "".join(pieces)
    chunks: list[Any] = []
    for piece in pieces:
        last = chunks[-1] if chunks else None
        if type(piece) is str:
            if type(last) is dict and last.get("type") == "text":
                last["text"].append(piece)
            else:
                chunks.append({"type": "text", "text": [piece]})
        elif piece.get("type") == "thinking":
            shown = chunk_thinking(piece)
            if type(last) is dict and last.get("type") == "thinking":
                last["thinking"].append(shown)
                last.update({k: v for k, v in piece.items() if k not in ("type", "thinking")})
            else:
                chunks.append({**piece, "thinking": [shown]})
        else:
            chunks.append(piece)
    for chunk in chunks:
        if chunk.get("type") == "text":
            chunk["text"] = "".join(chunk["text"])
        elif chunk.get("type") == "thinking":
            chunk["thinking"] = [{"type": "text", "text": "".join(chunk["thinking"])}]
    return chunks


def _written(function: dict[str, Any]) -> str:
    piece = function.get("arguments", function.get("input"))
    if piece is None or type(piece) is str:
        return piece or ""
    if type(piece) is not dict:
        raise bad_reply("a tool call's arguments are neither text nor an object")
    return as_json(piece)


class CallFold:
    """Tool calls from their pieces."""

    def __init__(self) -> None:
        self._calls: list[dict[str, Any]] = []  # in order of appearance
        self._by_id: dict[str, int] = {}
        self._by_index: dict[int, int] = {}  # index -> position of the call that it means now

    def add(self, pieces: list[dict[str, Any]], out: list[StreamEvent]) -> None:
        """Fold the pieces of one chunk."""
        for piece in pieces:
            function = obj(piece, "custom") if piece.get("type") == "custom" else obj(piece, "function")
            position = self._position(piece, text(function, "name"))
            call = self._calls[position]
            if piece.get("id") and not call["id"]:
                call["id"] = piece["id"]
                self._by_id.setdefault(str(piece["id"]), position)
            call["name"] = call["name"] or text(function, "name")
            for key in ("type", "extra_content"):
                if piece.get(key):
                    call[key] = piece[key]
            shown = _written(function)
            if shown:
                call["written"].append(shown)
            if not call["shown"]:
                call["shown"] = True
                out.append(ToolCallDelta(position, str(call["id"] or ""), call["name"], shown))
            elif shown:
                out.append(ToolCallDelta(position, "", "", shown))

    def _position(self, piece: dict[str, Any], name: str) -> int:
        number = index(piece, "index")
        call_id = piece.get("id")
        if number is None and call_id:
            found = self._by_id.get(str(call_id))
            return self._new(None) if found is None else found
        position: int | None = len(self._calls) - 1 if self._calls else None
        if number is not None:
            position = self._by_index.get(number)
        if position is None or self._is_next(self._calls[position], call_id, name):
            return self._new(number)
        return position

    @staticmethod
    def _is_next(call: dict[str, Any], call_id: Any, name: str) -> bool:
        # Servers that send index 0 for every parallel call: another id, or (without ids) a
        # further name after complete arguments, starts the next call.
        if call_id and call["id"]:
            return bool(call_id != call["id"])
        # A look at the last piece only: parsing what was written so far, at each piece, would be quadratic.
        return bool(name and call["name"] and call["written"] and call["written"][-1].rstrip().endswith("}"))

    def _new(self, number: int | None) -> int:
        self._calls.append({"id": "", "name": "", "written": [], "index": number, "shown": False})
        if number is not None:
            self._by_index[number] = len(self._calls) - 1
        return len(self._calls) - 1

    def items(self) -> list[dict[str, Any]]:
        """The calls as the unstreamed message holds them, by index."""
        calls = self._calls
        if all(call["index"] is not None for call in calls):
            calls = sorted(calls, key=lambda call: call["index"])
        items = []
        for call in calls:
            written = "".join(call["written"])
            item: dict[str, Any] = {"id": call["id"], "type": call.get("type") or "function"}
            if item["type"] == "custom":
                item["custom"] = {"name": call["name"], "input": written}
            else:
                item["function"] = {"name": call["name"], "arguments": written}
            if call.get("extra_content"):
                item["extra_content"] = call["extra_content"]
            items.append(item)
        return items
