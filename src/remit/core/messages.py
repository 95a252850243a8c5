"""Messages and their parts: the one neutral form that every wire family is decoded to.

A message is a role and parts. A part that a provider made may carry an `Echo`: the item exactly
as the provider sent it, which goes back untouched to the same wire family (thinking signatures,
reasoning items, server-side tool items) and is ignored by every other one. Matching on parts is
exhaustive; a part that nobody knows is an error, never skipped.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import force_setattr

from remit.core.labels import Label
from remit.errors import Invalid

Role = Literal["system", "user", "assistant", "tool"]


class Echo(Struct, frozen=True, gc=False, omit_defaults=True):
    """What a provider sent, to be sent back untouched."""

    wire: str
    """the wire family it came from, for example openai-responses"""
    item: Any
    """the JSON value as received"""


class Text(Struct, frozen=True, tag="text", omit_defaults=True):
    """Plain text."""

    text: str
    echo: Echo | None = None


class Thinking(Struct, frozen=True, tag="thinking", omit_defaults=True):
    """A model's reasoning; `signature` is opaque and must be echoed byte-equal."""

    text: str = ""
    signature: str = ""
    echo: Echo | None = None


class ToolCall(Struct, frozen=True, tag="tool_call", omit_defaults=True):
    """A call that the model asks for; `id` is what the result must echo."""

    id: str
    name: str
    arguments: dict[str, Any] = {}
    invalid: str = ""
    """the raw argument text when it was not a JSON object; the gate refuses such a call"""
    echo: Echo | None = None
    repaired: str = ""
    """what a local model wrote, when the call was mended from it"""


class Image(Struct, frozen=True, tag="image", omit_defaults=True):
    """A picture, by bytes or by URL."""

    data: bytes = b""
    media_type: str = ""
    url: str = ""
    echo: Echo | None = None
    """what goes back beside the data of a part that a model made"""


class Audio(Struct, frozen=True, tag="audio", omit_defaults=True):
    """Sound, by bytes or by URL."""

    data: bytes = b""
    media_type: str = ""
    url: str = ""
    echo: Echo | None = None
    """what goes back beside the data of a part that a model made"""


class File(Struct, frozen=True, tag="file", omit_defaults=True):
    """A document, by bytes, by URL, or by the provider's file id."""

    data: bytes = b""
    media_type: str = ""
    url: str = ""
    name: str = ""
    id: str = ""
    echo: Echo | None = None
    """what goes back beside the data of a part that a model made"""


class Data(Struct, frozen=True, tag="data", omit_defaults=True):
    """A JSON value; also a provider's own item that has no other part (then `echo` is set)."""

    value: Any = None
    name: str = ""
    echo: Echo | None = None


class ToolResult(Struct, frozen=True, tag="tool_result", omit_defaults=True):
    """What a call returned; `id` equals the call's id."""

    id: str
    name: str = ""
    text: str = ""
    is_error: bool = False
    media: tuple[Image | Audio | File, ...] = ()
    label: Label | None = None
    """trust of the text; None = the message's label"""


Part = Text | Thinking | ToolCall | ToolResult | Image | Audio | File | Data


class Message(Struct, frozen=True, omit_defaults=True):
    """One turn of a conversation. `parts` may be given as a list, a tuple, one part or a string."""

    role: Role
    parts: tuple[Part, ...]
    label: Label | None = None

    def __post_init__(self) -> None:
        if type(self.parts) is not tuple:
            force_setattr(self, "parts", as_parts(self.parts))

    @property
    def text(self) -> str:
        """All text parts, joined."""
        return "".join([p.text for p in self.parts if type(p) is Text])


def as_parts(value: Any) -> tuple[Part, ...]:
    """Parts from a string, one part or an iterable of parts; anything else raises `message_invalid`."""
    if isinstance(value, str):
        return (Text(value),)
    if isinstance(value, Part):
        return (value,)
    if isinstance(value, Iterable):
        parts = tuple(Text(p) if isinstance(p, str) else p for p in value)
        if all(isinstance(p, Part) for p in parts):
            return parts
    raise Invalid("message_invalid", f"not a part: {type(value).__name__}")


def as_messages(value: Any) -> tuple[Message, ...]:
    """Messages from a string (one user message), one message or an iterable of messages."""
    if isinstance(value, str):
        return (Message("user", (Text(value),)),)
    if isinstance(value, Message):
        return (value,)
    if isinstance(value, Iterable):
        messages = tuple(value)
        if all(isinstance(m, Message) for m in messages):
            return messages
    raise Invalid("message_invalid", f"not a message: {type(value).__name__}")
