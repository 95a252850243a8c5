"""The public handle on a model: `remit.model("provider:name", ...)`. Every call passes gate and journal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from remit.core.messages import as_messages
from remit.core.model import ModelRequest, Reply, Settings, ToolSpec, as_settings
from remit.core.tools import Tool
from remit.errors import Invalid
from remit.ports.runtime import current

if TYPE_CHECKING:
    from remit.models.setup import Setup
    from remit.models.stream import ModelStream


AUTO: Final = "auto"
"""the policy of [router] in remit.toml"""
AnySettings = Settings | Mapping[str, Any]
"""Settings, or a mapping of their fields."""


class ModelHandle:
    """A named model. Naming it grants it, and exactly its base_url's host and port."""

    __slots__ = ("api_key", "base_url", "name")

    def __init__(self, name: str, *, base_url: str = "", api_key: str | None = None) -> None:
        provider, colon, model = str(name or "").partition(":")
        if (not colon or not provider or not model) and name != AUTO:
            raise Invalid("model_unknown", f"{name!r} is not provider:model")
        self.name = name
        self.base_url = base_url
        self.api_key = api_key
        """None = from the provider's usual environment variable"""

    async def request(
        self,
        messages: Any,
        *,
        tools: Any = (),
        output: Any = None,
        settings: AnySettings | None = None,
    ) -> Reply:
        """One reply.

        Args:
            messages: text, a Message, or messages.
            tools: ToolSpecs or decorated functions that the model may call (the caller answers the calls).
            output: the answer's type; its schema goes to the model.
            settings: sampling; Settings, or a mapping of its fields.

        Raises:
            ModelError: every failure of the call, with `code` and `retryable`.
            Denied: the gate refused.
        """
        reply = await current().call_model(self, make_request(messages, tools, output, settings), None)
        assert isinstance(reply, Reply)
        return reply

    def stream(
        self,
        messages: Any,
        *,
        tools: Any = (),
        output: Any = None,
        settings: AnySettings | None = None,
    ) -> ModelStream:
        """`async with m.stream(...) as s: async for event in s: ...`, then `s.reply`."""
        from remit.models.stream import ModelStream

        return ModelStream(self, make_request(messages, tools, output, settings))

    def __repr__(self) -> str:
        return f"model({self.name!r})"


def model(name: str, *, base_url: str = "", api_key: str | None = None) -> ModelHandle:
    """A model by `provider:model`; a provider or a wire family stands before the colon.

    Args:
        name: for example `openai:gpt-4o-mini`, `openai-chat:anything`, `ollama:llama3.2`.
        base_url: replaces scheme, host and version prefix; /chat/completions, /responses or /messages is appended.
        api_key: the key; by default the provider's usual environment variable.
    """
    return ModelHandle(name, base_url=base_url, api_key=api_key)


def make_request(messages: Any, tools: Any, output: Any, settings: AnySettings | None) -> ModelRequest:
    """A request from what a person writes."""
    spec = None
    if output is not None:
        from remit.core.output import Output

        spec = Output(output).spec
    # One tool without a list around it, and None for no tools, mean what they seem to mean.
    given = () if tools is None else (tools,) if isinstance(tools, ToolSpec | Tool) or callable(tools) else tuple(tools)
    return ModelRequest(as_messages(messages), tuple(map(spec_of, given)), spec, as_settings(settings))


def spec_of(tool: Any) -> ToolSpec:
    """What a model is told of a tool, a decorated function or a plain one."""
    if isinstance(tool, ToolSpec):
        return tool
    if not isinstance(tool, Tool) and not callable(tool):
        raise Invalid("value_invalid", f"not a ToolSpec, a tool or a function: {tool!r:.80}")
    return (tool if isinstance(tool, Tool) else Tool(tool)).spec


def made_setup(settings: Any) -> Setup | None:
    """What the settings say of models (models/setup.py); None = nothing, and nothing is loaded."""
    sections = settings.model_sections
    if not sections:
        return None
    import os

    from remit.config import resolve_secret
    from remit.models.setup import Setup

    return Setup(sections, lambda reference: resolve_secret(reference, os.environ))
