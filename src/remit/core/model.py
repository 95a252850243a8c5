"""What goes to a model and what comes back, the same for every provider.

`ModelRequest` -> wire codec -> bytes; bytes -> wire codec -> `Reply` (or a stream of deltas whose
fold is that same `Reply`). Normal form: `stop_reason` is `tool_use` whenever client calls remain.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Struct, ValidationError, convert, field, json
from msgspec.structs import force_setattr

from remit.core.messages import Message, Part, Text, Thinking, ToolCall, as_parts
from remit.core.usage import Usage
from remit.errors import Invalid

StopReason = Literal[
    "end", "tool_use", "max_tokens", "stop_sequence", "refusal", "content_filter", "pause", "error", "other"
]


class ToolSpec(Struct, frozen=True):
    """What a model is told of a tool. `schema` is a JSON Schema object."""

    name: str
    description: str = ""
    schema: dict[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})


class OutputSpec(Struct, frozen=True, omit_defaults=True):
    """The asked form of the answer: a JSON Schema with a name."""

    name: str
    schema: dict[str, Any]
    temperature: float = 0.0
    """how such an answer is sampled where `Settings` say nothing and the model takes it: 0, then 0.1 more at each
    further try. Source: spec/models.md 12"""


class Settings(Struct, frozen=True, omit_defaults=True):
    """How to sample; None = the provider's default."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    tool_choice: str = ""
    """"" (auto) | auto | none | required | a tool's name"""
    parallel_tool_calls: bool | None = None
    reasoning_effort: str = ""
    """"" | minimal | low | medium | high"""
    thinking_tokens: int | None = None
    """budget of thinking tokens, where the wire has one"""
    extra: dict[str, Any] = {}
    """further body fields of the wire, merged last"""
    prompt_cache: str = ""
    """"" (auto) | auto | on | 1h | off: whether the provider is asked to keep a long prefix (wire/prompt_cache.py)"""
    answer_form: str = ""
    """"" (as the model can) | native | tool | words: how an asked form of the answer is asked for"""


DEFAULT_SETTINGS = Settings()


def as_settings(value: Any) -> Settings:
    """Settings from Settings, a mapping of their fields, or None; anything else raises `value_invalid`."""
    if isinstance(value, Settings):
        return value
    if value is None:
        return DEFAULT_SETTINGS
    unknown = set(value) - set(Settings.__struct_fields__) if isinstance(value, Mapping) else {type(value).__name__}
    if unknown:
        raise Invalid("value_invalid", f"settings: unknown {', '.join(sorted(map(str, unknown)))}")
    try:
        return convert(dict(value), Settings)
    except ValidationError as e:
        raise Invalid("value_invalid", f"settings: {e}") from None


class ModelRequest(Struct, frozen=True):
    """One call of a model."""

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    output: OutputSpec | None = None
    settings: Settings = DEFAULT_SETTINGS
    model: str = ""
    """the model's name at its provider"""


class Reply(Struct, frozen=True, omit_defaults=True):
    """A model's answer. `parts` may be given as a string, one part or a list."""

    parts: tuple[Part, ...] = ()
    stop_reason: StopReason = ""  # type: ignore[assignment]  # "" = derive it in __post_init__
    usage: Usage = Usage()
    model: str = ""
    id: str = ""
    source: Any = None
    """the provider's reply: JSON as bytes, or decoded (for a stream: the list of its frames); never journalled"""

    def __post_init__(self) -> None:
        if type(self.parts) is not tuple:
            force_setattr(self, "parts", as_parts(self.parts))
        if not self.stop_reason:
            force_setattr(self, "stop_reason", "tool_use" if self.tool_calls else "end")

    @property
    def raw(self) -> Any:
        """The provider's reply as decoded JSON; for a stream the list of its frames."""
        return json.decode(self.source) if type(self.source) is bytes else self.source

    @property
    def text(self) -> str:
        """All text parts, joined."""
        parts = self.parts
        if len(parts) == 1:
            only = parts[0]
            return only.text if type(only) is Text else ""
        return "".join([p.text for p in parts if type(p) is Text])

    @property
    def thinking(self) -> str:
        """All thinking parts, joined."""
        return "".join([p.text for p in self.parts if type(p) is Thinking])

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls that the client must answer, in order."""
        return tuple([p for p in self.parts if type(p) is ToolCall])


class TextDelta(Struct, frozen=True, gc=False, tag="text_delta"):
    """A further piece of text."""

    text: str


class ThinkingDelta(Struct, frozen=True, gc=False, tag="thinking_delta"):
    """A further piece of thinking."""

    text: str


class ToolCallDelta(Struct, frozen=True, gc=False, tag="tool_call_delta"):
    """A further piece of a call: `index` counts the calls of the reply; id and name come with the first piece."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


class StreamEnd(Struct, frozen=True, tag="stream_end"):
    """The last event of a stream, with the folded reply."""

    reply: Reply


class StreamReset(Struct, frozen=True, gc=False, tag="stream_reset"):
    """The attempt failed and another begins: what was shown of it is void."""

    attempt: int
    reason: str


StreamEvent = TextDelta | ThinkingDelta | ToolCallDelta | StreamReset | StreamEnd
