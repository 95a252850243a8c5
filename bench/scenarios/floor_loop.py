"""The smallest agent loop one would write by hand: no gate, no journal, no retry, no limits but a turn count.

It does the same work as a framework must: build the request from a message list, decode the reply into typed values,
decode the arguments, call the tool, append both messages and go on. Each floor gives it another HTTP client.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import drive
import msgspec

Post = Callable[[bytes], Awaitable[bytes]]
MAX_TURNS = 10


class Function(msgspec.Struct):
    name: str
    arguments: str


class Call(msgspec.Struct):
    id: str
    function: Function
    type: str = "function"


class Message(msgspec.Struct, omit_defaults=True):
    role: str
    content: str | None = None
    tool_calls: list[Call] | None = None
    tool_call_id: str | None = None


class Choice(msgspec.Struct):
    message: Message


class Reply(msgspec.Struct):
    choices: list[Choice]


class Request(msgspec.Struct):
    model: str
    messages: list[Message]
    tools: msgspec.Raw


class Arguments(msgspec.Struct):
    city: str


async def population(city: str) -> int:
    """How many people live in `city`."""
    return drive.count_tool_call()


TOOLS = msgspec.Raw(
    b'[{"type":"function","function":{"name":"population","description":"How many people live in `city`.",'
    b'"parameters":{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}}}]'
)
_encode = msgspec.json.Encoder().encode
_reply = msgspec.json.Decoder(Reply).decode
_arguments = msgspec.json.Decoder(Arguments).decode


async def run(post: Post, task: str) -> str:
    """Run one agent to its final text; `post` sends a chat completion request and returns the reply's body."""
    messages = [Message("user", task)]
    for _ in range(MAX_TURNS):
        message = _reply(await post(_encode(Request("mock", messages, TOOLS)))).choices[0].message
        if not message.tool_calls:
            return message.content or ""
        messages.append(message)
        for call in message.tool_calls:
            result = await population(_arguments(call.function.arguments).city)
            messages.append(Message("tool", str(result), tool_call_id=call.id))
    raise RuntimeError("too many turns")


class IdleAgent(msgspec.Struct):
    """What a hand-written loop must keep for an agent that waits: its model, its instructions, its tools."""

    model: str
    instructions: str
    tools: dict[str, Callable[[str], Awaitable[int]]]


def idle(count: int) -> list[IdleAgent]:
    """Return `count` agents, each with a tool function of its own."""

    def make(index: int) -> IdleAgent:
        async def lookup(city: str) -> int:
            return index

        return IdleAgent("mock", f"agent {index}", {"lookup": lookup})

    return [make(index) for index in range(count)]
