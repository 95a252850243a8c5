"""Requests and replies with tokens: every text that goes to a remote model, and every text that comes back.

`Redaction` is the tokens of one run and what they were last applied to: a message is an immutable value, so it is
looked at once, however many turns it is sent. Items that a provider made itself go back to it untouched, unless they
hold what it may not see (then another model made them).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from msgspec.structs import replace

from remit.core.messages import Audio, Data, File, Image, Message, Part, Text, Thinking, ToolCall, ToolResult
from remit.core.model import (
    ModelRequest,
    Reply,
    StreamEnd,
    StreamEvent,
    StreamReset,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolSpec,
)
from remit.guard.pii_tokens import Shower, Tokens

# Fields of a provider's own items that are opaque: nothing of ours is in them.
_OPAQUE: Final = frozenset({"signature", "encrypted_content", "id", "call_id", "type", "status", "role"})


class Redaction:
    """The tokens of one run, applied to whole requests and replies."""

    __slots__ = ("_hidden", "tokens")

    def __init__(self, mask: bool) -> None:
        self.tokens = Tokens(mask)
        self._hidden: dict[int, tuple[Any, Any]] = {}
        """id of a message or tool -> (it, its redacted form); it is kept, so that no id is used twice"""

    def hide(self, request: ModelRequest) -> ModelRequest:
        """The request as a remote model gets it."""
        messages = tuple([self._once(m, self._hide_message) for m in request.messages])
        tools = tuple([self._once(t, self._hide_tool) for t in request.tools])
        return replace(request, messages=messages, tools=tools)

    def show(self, reply: Reply) -> Reply:
        """The reply with values in place of tokens."""
        return replace(reply, parts=tuple([self._show_part(p) for p in reply.parts]))

    def _once(self, value: Any, change: Callable[[Any], Any]) -> Any:
        """`change(value)`, done once for each object."""
        if id(value) not in self._hidden:
            self._hidden[id(value)] = (value, change(value))
        return self._hidden[id(value)][1]

    def _hide_message(self, message: Message) -> Message:
        parts = tuple([self._hide_part(p) for p in message.parts])
        return (
            message if all(a is b for a, b in zip(parts, message.parts, strict=True)) else replace(message, parts=parts)
        )

    def _hide_part(self, part: Part) -> Part:
        hide = self.tokens.hide
        match part:
            case Text() | Thinking():
                text, echo = hide(part.text), self._hide_echo(part.echo)
                return part if text is part.text and echo is part.echo else replace(part, text=text, echo=echo)
            case ToolCall():
                arguments, invalid = self.tokens.hide_in(part.arguments), hide(part.invalid)
                return replace(part, arguments=arguments, invalid=invalid, echo=self._hide_echo(part.echo))
            case ToolResult():
                media = tuple([self._hide_part(m) for m in part.media])
                return replace(part, text=hide(part.text), media=media)
            case Data():
                return replace(
                    part, value=self.tokens.hide_in(part.value), name=hide(part.name), echo=self._hide_echo(part.echo)
                )
            case File():
                return replace(part, name=hide(part.name), url=hide(part.url))
            case Image() | Audio():
                return replace(part, url=hide(part.url)) if part.url else part

    def _hide_echo(self, echo: Any) -> Any:
        """A provider's item as it was sent, unless it holds what the provider may not see: another model made it."""
        if echo is None:
            return None
        before = dict(self.tokens.redactions)
        for text in texts_of(echo.item, _OPAQUE):
            self.tokens.hide(text)
        return echo if self.tokens.redactions == before else None

    def _hide_tool(self, tool: ToolSpec) -> ToolSpec:
        schema = self.tokens.hide_in(tool.schema)
        return replace(tool, description=self.tokens.hide(tool.description), schema=schema)

    def _show_part(self, part: Part) -> Part:
        match part:
            case Text() | Thinking():
                text = self.tokens.show(part.text)
                return part if text == part.text else replace(part, text=text)
            case ToolCall():
                return replace(
                    part, arguments=self.tokens.show_in(part.arguments), invalid=self.tokens.show(part.invalid)
                )
            case Data():
                return part if part.echo is not None else replace(part, value=self.tokens.show_in(part.value))
            case _:
                return part


class Shown:
    """The pieces of one streamed reply, with values in place of tokens; a token may be cut anywhere."""

    __slots__ = ("_lines", "_tokens")

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._lines: dict[tuple[str, int], Shower] = {}

    def feed(self, event: StreamEvent) -> Iterator[StreamEvent]:
        """What can be shown after this piece; at the end, what was held back comes first."""
        match event:
            case TextDelta():
                text = self._line("text", 0).feed(event.text)
                if text:
                    yield TextDelta(text)
            case ThinkingDelta():
                text = self._line("thinking", 0).feed(event.text)
                if text:
                    yield ThinkingDelta(text)
            case ToolCallDelta():
                piece = self._line("call", event.index).feed(event.arguments)
                if piece or event.id or event.name:
                    yield replace(event, arguments=piece)
            case StreamReset():
                self._lines.clear()
                yield event
            case StreamEnd():
                yield from self._rest()
                yield event

    def _rest(self) -> Iterator[StreamEvent]:
        for (kind, index), line in self._lines.items():
            text = line.end()
            if text and kind == "call":
                yield ToolCallDelta(index, arguments=text)
            elif text:
                yield TextDelta(text) if kind == "text" else ThinkingDelta(text)

    def _line(self, kind: str, index: int) -> Shower:
        if (kind, index) not in self._lines:
            self._lines[kind, index] = Shower(self._tokens, kind == "call")
        return self._lines[kind, index]


def texts_of(value: Any, skip: frozenset[str] = frozenset()) -> Iterator[str]:
    """Every text in a JSON value, keys too."""
    stack = [value]
    while stack:
        each = stack.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            stack.extend(v for k, v in each.items() if k not in skip)
            stack.extend(k for k in each if isinstance(k, str) and k not in skip)
        elif isinstance(each, list | tuple):
            stack.extend(each)
