"""Port: the current runtime and the current call, found through context variables.

`Agent`, models and teams are plain definitions; they ask `current()` when they run. The root
package registers the factory of the default runtime. Inside a tool's body `current_call` names
the run that the tool works for, so that whatever it starts is that run's child: never more
authority, the same budget, the same labels.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Protocol

from remit.errors import InternalError


class RuntimePort(Protocol):
    """What definitions need of a runtime."""

    @property
    def run(self) -> Callable[..., Any]:
        """Run an agent to its end (or to where it waits): `await run(agent, task, **options)`."""
        ...

    async def call_model(self, handle: Any, request: Any, listener: Callable[[Any, Any], None] | None) -> Any:
        """One model call outside an agent's loop, through gate and journal; returns the Reply or raises."""
        ...


class Call:
    """One tool call under way: its scope, its key, and how many children it has started."""

    __slots__ = ("children", "key", "label", "scope")

    def __init__(self, scope: Any, key: str, label: Any) -> None:
        self.scope = scope
        self.key = key
        self.children = 0
        self.label = label
        """trust of what its children learned; the tool's result joins it"""

    parks = False
    """whether a child that waits makes whoever started it wait, too"""


class ToolBody(Call):
    """The body of a tool: runs and models that it uses are found again by their order in it."""

    __slots__ = ()
    parks = True


current_call: ContextVar[Call | None] = ContextVar("remit_call", default=None)
_current: ContextVar[RuntimePort | None] = ContextVar("remit_runtime", default=None)
_factory: list[Callable[[], RuntimePort]] = []


def current() -> RuntimePort:
    """The runtime that `async with Runtime(...)` set, or the default one."""
    runtime = _current.get()
    if runtime is not None:
        return runtime
    if not _factory:
        raise InternalError("internal", "no default runtime is registered")
    return _factory[0]()


def set_current(runtime: RuntimePort | None) -> Any:
    """Make `runtime` current in this context; returns the token for `reset_current`."""
    return _current.set(runtime)


def reset_current(token: Any) -> None:
    """Undo `set_current`."""
    _current.reset(token)


def register_default(factory: Callable[[], RuntimePort]) -> None:
    """Name what makes the default runtime (the root package does this once)."""
    _factory[:] = [factory]
