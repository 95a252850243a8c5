"""An asked form as a tool that the model must call: for models that take tools but constrain no answer.

    as_tool(request)      the form becomes one more tool, and a call is required; alone it is the only one that can be
    answered(reply)       a call of it becomes the answer's text; of other calls beside it the answer is not yet one
    AnswerDeltas          the same for a stream: its pieces are text

Nothing outside sees the tool: the history holds the answer as text, which every wire takes.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from remit.core.messages import Part, Text, Thinking, ToolCall
from remit.core.model import ModelRequest, Reply, StreamEnd, StreamEvent, TextDelta, ToolCallDelta, ToolSpec
from remit.wire.reading import as_json

NAME: Final = "final_answer"
_WHAT: Final = "Give your final answer by calling this, once, with arguments that fit its schema. Write no other text."


def as_tool(request: ModelRequest) -> tuple[ModelRequest, str]:
    """The request with its form as a tool, and the tool's name."""
    assert request.output is not None
    taken = {tool.name for tool in request.tools}
    name = next(n for at in range(len(taken) + 1) if (n := f"{NAME}_{at}" if at else NAME) not in taken)
    choice = request.settings.tool_choice
    free = bool(taken) and choice != "none"  # whoever has other tools may use them first
    if not free or choice in ("", "auto"):
        choice = "required" if free else name
    settings = replace(request.settings, tool_choice=choice)
    tools = (*request.tools, ToolSpec(name, _WHAT, request.output.schema))
    return replace(request, tools=tools, settings=settings, output=None), name


def answered(reply: Reply, name: str) -> Reply:
    """The reply with the call of `name` as its text; a reply without that call is returned as it is."""
    own = [p for p in reply.parts if type(p) is ToolCall and p.name == name]
    if not own:
        return reply
    rest: tuple[Part, ...] = tuple([p for p in reply.parts if not (type(p) is ToolCall and p.name == name)])
    if any(type(p) is ToolCall for p in rest):
        return replace(reply, parts=rest)
    call = own[0]
    thinking = tuple([p for p in rest if type(p) is Thinking])
    text = call.invalid or as_json(call.arguments)
    stop = "end" if reply.stop_reason == "tool_use" else reply.stop_reason
    return replace(reply, parts=(*thinking, Text(text)), stop_reason=stop)


class AnswerDeltas:
    """The events of one stream: the call's pieces as text; other text is held back, for it may be no answer."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._own: list[int] = []
        self._written: list[str] = []

    def events(self, event: StreamEvent) -> list[StreamEvent]:
        """What is shown of an event of the provider."""
        if type(event) is TextDelta:
            return []
        if type(event) is ToolCallDelta:
            return self._piece(event)
        if type(event) is not StreamEnd:
            return [event]
        reply = answered(event.reply, self._name)
        late: list[StreamEvent] = [TextDelta(reply.text)] if reply.text and not self._own else []
        text = "".join(self._written)
        if text:  # as it was shown
            reply = replace(reply, parts=tuple([Text(text) if type(p) is Text else p for p in reply.parts]))
        return [*late, StreamEnd(reply)]

    def _piece(self, event: ToolCallDelta) -> list[StreamEvent]:
        if event.name == self._name:
            self._own.append(event.index)
        if event.index not in self._own:
            return [event]
        if event.index != self._own[0] or not event.arguments:  # a second answer is none
            return []
        self._written.append(event.arguments)
        return [TextDelta(event.arguments)]
