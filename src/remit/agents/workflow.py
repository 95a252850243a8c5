"""Workflows: durable code. A plain async function that the runtime runs under a run of its own.

    @workflow
    async def deploy(flow: Flow, version: str) -> str:
        report = (await flow.run(tester, f"test {version}")).check().output
        if await flow.ask(f"Deploy {version}? {report}", choices=["yes", "no"]) == "yes":
            return await flow.step(roll_out, version)
        return "not deployed"

Everything it does through `flow` is recorded; after a crash or a wait the function runs again from its start, and what
was recorded is read, not done. So the function itself must be deterministic: time, randomness and the outside only
through `flow`. A function that asks for other things than the journal holds raises nondeterminism with both sides.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, overload

from msgspec import Struct

from remit.core.budget import UNLIMITED, Budget
from remit.core.remit import UNSET, Remit
from remit.errors import Invalid
from remit.ports.runtime import current

MAX_NAME: Final = 128
POLICIES: Final = ("immediate", "graceful", "graceful_with_timeout", "never")
Body = Callable[..., Awaitable[Any]]


class Retry(Struct, frozen=True):
    """How often a step is tried. An `unsafe` step is never tried again: nobody knows what the failed try had done.

    Source: spec/teams.md 12 (step defaults).
    """

    retries: int = 3
    delay_s: float = 1.0
    """before the first retry; doubled for each further one"""


class Workflow:
    """A definition: a function and what the runtime must know of it."""

    __slots__ = ("budget", "cancel", "fn", "name", "remit", "version")

    def __init__(  # a definition: every option is a keyword with a default
        self,
        fn: Body,
        *,
        name: str = "",
        version: int = 0,
        remit: Remit = UNSET,
        budget: Budget = UNLIMITED,
        cancel: str = "graceful",
    ) -> None:
        self.fn = fn
        self.name = name or getattr(fn, "__name__", "workflow")
        if not is_name(self.name):
            raise Invalid("value_invalid", f"workflow name {self.name!r:.80}: 1 to {MAX_NAME} printable characters")
        if cancel not in POLICIES:
            raise Invalid("value_invalid", f"cancel={cancel!r:.40}; one of {', '.join(POLICIES)}")
        if version < 0:
            raise Invalid("value_invalid", f"version={version}; a whole number from 0 on")
        self.version = version
        self.remit = remit
        self.budget = budget
        self.cancel = cancel
        _KNOWN[self.name] = self

    async def run(self, value: Any = None, *, deps: Any = None, workspace: str = "", **options: Any) -> Any:
        """Run to the end, or to where it waits, and return the `Run`.

        Args:
            value: the function's second argument: JSON values, or what msgspec encodes (it is decoded again by the
                parameter's type).
            deps: `flow.deps`, and what `Context[Deps].deps` gives to steps.
            workspace: the folder that paths are relative to.
        """
        return await current().run(self, value, deps=deps, workspace=workspace, **options)

    async def start_in(self, runtime: Any, value: Any, **options: Any) -> Any:
        """What the runtime calls for a definition that is no agent."""
        from remit.agents.flow_run import begin

        return await begin(runtime, self, value, **options)

    def __repr__(self) -> str:
        return f"Workflow({self.name!r}, version={self.version})"


def is_name(text: str) -> bool:
    """Whether a workflow can have this name."""
    return 0 < len(text) <= MAX_NAME and text.isascii() and text.isprintable() and " " not in text


_KNOWN: Final[dict[str, Workflow]] = {}


def known(name: str) -> Workflow | None:
    """The workflow of that name that this program defined last."""
    return _KNOWN.get(name)


@overload
def workflow(fn: Body, /) -> Workflow: ...
@overload
def workflow(
    *, name: str = "", version: int = 0, remit: Remit = UNSET, budget: Budget = UNLIMITED, cancel: str = "graceful"
) -> Callable[[Body], Workflow]: ...
def workflow(fn: Body | None = None, /, **options: Any) -> Any:
    """Make a workflow of an async function `fn(flow, value)`.

    Args:
        name: what the journal calls it; the function's name by default.
        version: of the code; a run keeps the one it began with (`flow.version`).
        remit: a ceiling for its steps and for every agent it runs. Unset: its steps hold `tool:*` for own functions
            and nothing else, and each agent holds what its own definition says, as when plain code runs it.
        budget: ceilings for all that it starts.
        cancel: immediate | graceful (what must not be cut ends first) | graceful_with_timeout (30 s) | never.
    """
    return Workflow(fn, **options) if fn is not None else lambda f: Workflow(f, **options)
