"""An agent: a definition, nothing more. Running it is the runtime's work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from remit.core.budget import UNLIMITED, Budget
from remit.core.model import DEFAULT_SETTINGS, Settings, as_settings
from remit.core.remit import UNSET, Remit
from remit.core.tools import Tool
from remit.errors import Invalid
from remit.ports.runtime import current

if TYPE_CHECKING:
    from remit.core.label_file import LabelFile


class Agent:
    """What an agent is: a model, instructions, tools, an answer type and a remit.

    Args:
        name: the agent's name in journal and audit.
        model: `provider:model`, what `remit.model(...)` returned, or a model of `remit.testing`.
        instructions: the system prompt.
        tools: names of built-in tools and own functions (decorated or plain); None = every built-in tool
            that the remit can reach.
        output: the answer's type: str (default), msgspec Struct, dataclass, TypedDict, builtin or pydantic model.
        remit: what it may do; unset = nothing but what naming the model and listing own tools implies.
        settings: sampling; Settings, or a mapping of its fields.
        budget: ceilings of money, tokens, calls and seconds.
        max_turns: model turns at most; the last one forbids tools.
        max_parallel: tool calls of one turn that run at once.
        labels: a label file (its path, bytes, or what `decode_labels` returned): what the fields and arguments of
            the tools mean. Tools may bring their own with `@tool(labels=...)`; the file's word counts.
        conceal: the model gets handles (`{{value:ID}}`) in place of untrusted fields, and `read_value` to have
            one read for it under a schema; what it never reads cannot take it over.
    """

    __slots__ = (
        "budget",
        "cancel",
        "conceal",
        "instructions",
        "labels",
        "max_parallel",
        "max_turns",
        "model",
        "name",
        "output",
        "prepared",
        "remit",
        "settings",
        "tokens",
        "tools",
    )

    def __init__(  # noqa: PLR0913  # a definition: every option is a keyword with a default
        self,
        name: str,
        model: Any = None,
        *,
        instructions: str = "",
        tools: Sequence[Any] | None = (),
        output: Any = None,
        remit: Remit = UNSET,
        budget: Budget = UNLIMITED,
        settings: Settings | Mapping[str, Any] = DEFAULT_SETTINGS,
        max_turns: int = 10,
        max_parallel: int = 4,
        labels: Any = None,
        conceal: bool = False,
        cancel: str = "",
    ) -> None:
        if not name:
            raise Invalid("value_invalid", "an agent needs a name")
        if max_turns < 1 or max_parallel < 1:
            raise Invalid("value_invalid", "max_turns and max_parallel are at least 1")
        self.name = name
        self.model = model
        self.instructions = instructions
        self.tools = None if tools is None else tuple(t if isinstance(t, str | Tool) else Tool(t) for t in tools)
        self.output = output
        self.remit = remit
        self.budget = budget
        self.settings = as_settings(settings)
        self.max_turns = max_turns
        self.max_parallel = max_parallel
        self.labels: LabelFile | None = _label_file(labels)
        self.conceal = conceal
        self.cancel = cancel
        self.tokens: tuple[str, ...] = ()
        """revocation ids of the tokens that its remit stands on; journalled with a run"""
        self.prepared: Any = None
        """what a runtime keeps between runs of this agent"""

    async def run(self, task: Any, *, deps: Any = None, workspace: str = "", **options: Any) -> Any:
        """Run to the end (or to where it waits for a person) and return the `Run`.

        Args:
            task: text, or messages.
            deps: what `Context[Deps].deps` gives to tools.
            workspace: the folder that paths are relative to; the current one by default.
        """
        return await current().run(self, task, deps=deps, workspace=workspace, **options)

    def run_sync(self, task: Any, **options: Any) -> Any:
        """`run` for code without an event loop."""
        from remit.ports.stream import run_loop

        return run_loop(self.run(task, **options))

    def stream(self, task: Any, **options: Any) -> AsyncIterator[Any]:
        """Events as they happen, then the `Run` as the last item: `async for event in agent.stream(task)`."""
        from remit.ports.stream import EventStream

        return EventStream(lambda listen: current().run(self, task, listener=listen, **options))

    def __repr__(self) -> str:
        return f"Agent({self.name!r}, model={self.model!r})"


def _label_file(given: Any) -> LabelFile | None:
    if given is None:
        return None
    from pathlib import Path  # most agents have no labels

    from remit.core.label_file import LabelFile, decode_labels

    if isinstance(given, LabelFile):
        return given
    return decode_labels(given if isinstance(given, bytes) else Path(given).read_bytes())
