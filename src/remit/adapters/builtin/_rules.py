"""A model that is a rule: evidence in, one step out. No state between calls.

The idea: all that happened is in the request (the task, the calls made so far, what they returned),
so a rule derives its next step from that alone; a resumed run gets the same step. A step is a stated
reason with tool calls, or the answer.

Invariant: the task is the user's own message. What tools returned is data and is never read as a task.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from remit.core.messages import Message, Part, Text, ToolCall, ToolResult
from remit.core.model import ModelRequest, Reply, StreamEnd, StreamEvent, TextDelta, ToolCallDelta
from remit.core.usage import Usage

CHARS_PER_TOKEN: Final = 4  # Source: the usual estimate for English text; these models have no tokenizer
_CODE: Final = re.compile(r"(?:refused|error) ([a-z_]{2,40})")
_encode: Final = msgspec.json.Encoder(order="deterministic").encode


class Call(NamedTuple):
    """A tool call that a rule wants."""

    name: str
    arguments: dict[str, Any]

    @property
    def key(self) -> tuple[str, bytes]:
        """Equal for equal calls."""
        return self.name, _encode(self.arguments)


class Result(NamedTuple):
    """What a call returned."""

    text: str
    is_error: bool

    @property
    def code(self) -> str:
        """The error code of a refused or failed call; "" of one that worked."""
        if not self.is_error:
            return ""
        found = _CODE.search(self.text[:200])
        return found[1] if found else "failed"


class Step(NamedTuple):
    """What the model does next: `text` is the reason of `calls`, or the answer when there are none."""

    text: str
    calls: Sequence[Call] = ()


class Evidence:
    """The task, the tools that may be called, and every call so far with its result, in order."""

    def __init__(self, request: ModelRequest) -> None:
        start = _task_at(request.messages)
        self.task = request.messages[start].text.strip() if start >= 0 else ""
        self.tools = frozenset(tool.name for tool in request.tools)
        self.last_turn = request.settings.tool_choice == "none"
        """no more calls are allowed"""
        self.turns = 0
        """replies of this model since the task"""
        self.done: list[tuple[Call, Result]] = []
        self._by_key: dict[tuple[str, bytes], Result] = {}
        asked: dict[str, Call] = {}
        for message in request.messages[start + 1 :]:
            self.turns += message.role == "assistant"
            for part in message.parts:
                if type(part) is ToolCall:
                    asked[part.id] = Call(part.name, part.arguments)
                elif type(part) is ToolResult and part.id in asked:
                    call, result = asked.pop(part.id), Result(part.text, part.is_error)
                    self.done.append((call, result))
                    self._by_key[call.key] = result

    def of(self, call: Call) -> Result | None:
        """What this call returned; None where it was not made."""
        return self._by_key.get(call.key)

    def text(self, call: Call) -> str:
        """The text of a call that worked; "" otherwise."""
        result = self.of(call)
        return "" if result is None or result.is_error else result.text

    def open(self, calls: Sequence[Call]) -> list[Call]:
        """Those of `calls` whose tool there is and that were not made yet, once each."""
        fresh = {call.key: call for call in calls if call.name in self.tools and call.key not in self._by_key}
        return list(fresh.values())


class RuleModel:
    """A Model (ports/model.py) around a rule; nothing leaves the process and nothing is charged."""

    url = ""

    def __init__(self, name: str, rule: Callable[[Evidence], Step]) -> None:
        self.name = f"builtin:{name}"
        self._rule = rule

    async def request(self, request: ModelRequest) -> Reply:
        """The rule's next step."""
        evidence = Evidence(request)
        step = self._rule(evidence)
        first = len(evidence.done) + 1
        calls = [ToolCall(f"call_{first + i}", call.name, call.arguments) for i, call in enumerate(step.calls)]
        parts: tuple[Part, ...] = (Text(step.text), *calls)
        usage = Usage(_tokens(_request_chars(request)), output_tokens=_tokens(_chars(parts)))
        return Reply(parts, usage=usage, model=self.name.partition(":")[2])

    async def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        """The same reply, each part as one piece."""
        reply = await self.request(request)
        index = 0
        for part in reply.parts:
            if type(part) is Text:
                yield TextDelta(part.text)
            elif type(part) is ToolCall:
                yield ToolCallDelta(index, part.id, part.name, _encode(part.arguments).decode())
                index += 1
        yield StreamEnd(reply)


def _task_at(messages: Sequence[Message]) -> int:
    """Where the newest task stands: a user message that opens a turn. Notes of the loop follow results or answers."""
    found = -1
    for i, message in enumerate(messages):
        before = messages[i - 1] if i else None
        note = before is not None and (before.role == "tool" or message.text.startswith("Your answer does not fit"))
        if message.role == "user" and not note:
            found = i
    return found


def _request_chars(request: ModelRequest) -> int:
    specs = sum(len(tool.name) + len(tool.description) + len(str(tool.schema)) for tool in request.tools)
    return specs + sum(_chars(message.parts) for message in request.messages)


def _chars(parts: Sequence[Part]) -> int:
    total = 0
    for part in parts:
        if isinstance(part, Text | ToolResult):
            total += len(part.text)
        elif type(part) is ToolCall:
            total += len(part.name) + len(_encode(part.arguments))
    return total


def _tokens(chars: int) -> int:
    return -(-chars // CHARS_PER_TOKEN)
