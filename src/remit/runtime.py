"""The composition root: config -> adapters -> gate -> agents. The only module that wires.

Everything costly is made on first use: a scripted run never imports HTTP, a run without programs
never looks for a sandbox, a journal in memory never imports SQLite.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final

from remit.adapters.clock import SystemClock
from remit.agents.collector import Collector
from remit.agents.runner import Runner
from remit.core.budget import Limit
from remit.core.remit import TOP, Remit
from remit.core.tools import Tool
from remit.core.urls import parse_url
from remit.core.usage import Usage
from remit.errors import Invalid, RemitError
from remit.gate.budget import Pricing
from remit.gate.door import Gate
from remit.gate.rate import Rates
from remit.guard.handles import Handles, Lease
from remit.journal.open import open_journal
from remit.models.handle import ModelHandle
from remit.models.prices import price_nano, worst_case_nano
from remit.ports.runtime import reset_current, set_current

if TYPE_CHECKING:
    from remit.ports.approver import Approver
    from remit.ports.clock import Clock
    from remit.ports.http import HttpReply, HttpRequest
    from remit.ports.journal import Journal
    from remit.ports.model import Model

MAX_CONNECTIONS: Final = 16_384  # to one address; a run holds one while it waits for a model


class Runtime(Runner):
    """Runs agents. `async with Runtime(...)` makes it the current one and closes it at the end.

    Args:
        journal: "memory:", "sqlite:PATH" or a Journal.
        workspace: the folder that agents work in when a run names none; the current folder by default.
        approver: whoever can be asked now; without one, a run that needs a person stays waiting.
        limits: rates by `model:NAME` or `tool:NAME` pattern.
        ceiling: a remit that no run passes (site policy); TOP by default.
        clock: time and randomness.
        tune_gc: collect garbage less often while the runtime is open (the process's own thresholds come back on close).
    """

    def __init__(  # noqa: PLR0913  # the composition root: every option is a keyword with a default
        self,
        journal: str | Journal = "memory:",
        *,
        workspace: str = "",
        approver: Approver | None = None,
        limits: Mapping[str, Limit] | None = None,
        ceiling: Remit = TOP,
        clock: Clock | None = None,
        tune_gc: bool = True,
    ) -> None:
        super().__init__()
        self.clock = clock or SystemClock()
        self.journal = open_journal(journal, self.clock) if isinstance(journal, str) else journal
        self.workspace = os.path.abspath(workspace or os.getcwd())
        self.ceiling = ceiling
        self.outside: Adapters = Adapters()
        self.gate = Gate(
            clock=self.clock, rates=Rates(limits or {}, self.clock), pricing=Pricing(_cost, _worst), approver=approver
        )
        self._token: Any = None
        self.collector = Collector(tune_gc)

    async def aclose(self) -> None:
        """Close connections and the journal; give the collector's thresholds back."""
        await self.outside.aclose()
        await self.journal.aclose()
        self.collector.close()

    async def __aenter__(self) -> Runtime:
        self._token = set_current(self)
        return self

    async def __aexit__(self, *_: object) -> None:
        reset_current(self._token)
        await self.aclose()


class Adapters:
    """The outside of one runtime: models, tools, workspaces, the sandbox and the egress, each made on first use."""

    def __init__(self) -> None:
        self._egress: Any = None
        self._sandbox: Any = None
        self._workspaces: dict[str, Any] = {}
        self._models: dict[tuple[str, str, str | None], Model] = {}

    def model(self, given: Any) -> Model:
        """The model that `provider:name`, a handle or a test double stands for."""
        if isinstance(given, str):
            given = ModelHandle(given)
        if not isinstance(given, ModelHandle):
            if hasattr(given, "request") and hasattr(given, "name"):
                return given  # type: ignore[no-any-return]  # a Model of remit.testing or of the user's own
            raise Invalid("model_unknown", f"not a model: {type(given).__name__}")
        key = (given.name, given.base_url, given.api_key)
        if key not in self._models:
            self._models[key] = self._make_model(given)
        return self._models[key]

    def _make_model(self, handle: ModelHandle) -> Model:
        provider, _, name = handle.name.partition(":")
        if provider == "builtin":
            from remit.adapters import builtin

            return builtin.load(name)
        from remit.adapters import providers

        return providers.make_model(handle.name, handle.base_url, handle.api_key, os.environ, self.own_address)

    def named_model(self, name: str, base_url: str) -> Any:
        """What a journal kept of a model."""
        return ModelHandle(name, base_url=base_url)

    def own_address(self, url: str) -> OwnAddress:
        """HTTP for one model: its own host and port may be private, because the user named it."""
        return OwnAddress(self.egress, url)

    def tool(self, name: str) -> Tool:
        """A built-in tool; raises tool_unknown."""
        from remit.adapters import tools

        return tools.load(name)

    def any_tool(self, name: str) -> Tool | None:
        """A built-in tool, or None."""
        try:
            return self.tool(name)
        except RemitError:
            return None

    def tool_names(self) -> tuple[str, ...]:
        """All built-in tools."""
        from remit.adapters import tools

        return tools.names()

    def handles(self, remit: Remit, lease: Lease, now_ms: Callable[[], int], folder: str) -> Handles:
        """The handles of one call."""
        return Handles(remit, lease, now_ms, outside=self, folder=folder)

    def workspace(self, folder: str) -> Any:
        """The folder, opened once."""
        if folder not in self._workspaces:
            from remit.adapters.files.workspace import Workspace

            self._workspaces[folder] = Workspace(folder)
        return self._workspaces[folder]

    @property
    def sandbox(self) -> Any:
        """Tier T3."""
        if self._sandbox is None:
            from remit.adapters.sandboxes.bubblewrap import Bubblewrap

            self._sandbox = Bubblewrap()
        return self._sandbox

    @property
    def egress(self) -> Any:
        """The only way out."""
        if self._egress is None:
            from remit.adapters.http.asyncio_http import AsyncioHttp
            from remit.adapters.http.egress import Egress

            self._egress = Egress(AsyncioHttp(limit=_connections()))
        return self._egress

    def describe(self) -> dict[str, Any]:
        """Every adapter's own description, for `remit doctor`."""
        return {"sandbox": self.sandbox.describe()}

    async def aclose(self) -> None:
        """Close what was opened."""
        if self._egress is not None:
            await self._egress.aclose()
        for workspace in self._workspaces.values():
            workspace.close()
        self._workspaces.clear()


class OwnAddress:
    """An HttpClient for one model: through the egress, with the model's own address allowed."""

    def __init__(self, egress: Any, url: str) -> None:
        parsed = parse_url(url)
        self._egress = egress
        self._allowed = frozenset({(parsed.host, parsed.port)})

    def fetch(self, request: HttpRequest) -> Coroutine[Any, Any, HttpReply]:
        """The whole answer."""
        reply: Coroutine[Any, Any, HttpReply] = self._egress.fetch(request, self._allowed)
        return reply

    def stream(self, request: HttpRequest) -> Any:
        """The answer piece by piece."""
        return self._egress.stream(request, self._allowed)

    async def aclose(self) -> None:
        """Close the runtime's connections; it opens new ones when it is asked again."""
        await self._egress.aclose()


def default_runtime() -> Runtime:
    """The runtime of whoever sets none: the journal in the user's state folder, nothing granted."""
    if not _DEFAULT:
        from remit.config import state_folder

        _DEFAULT.append(Runtime(f"sqlite:{state_folder() / 'journal.db'}"))
    return _DEFAULT[0]


_DEFAULT: list[Runtime] = []


def _connections() -> int:
    """Most connections to one address: what the process may open, less a reserve for files and pipes."""
    import resource

    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MAX_CONNECTIONS if soft == resource.RLIM_INFINITY else max(64, min(MAX_CONNECTIONS, soft - 256))


def _cost(model: str, usage: Usage, at_ms: int) -> int | None:
    provider, _, name = model.partition(":")
    return price_nano(provider, name, usage, at_ms)


def _worst(model: str, input_tokens: int, output_tokens: int, at_ms: int) -> int | None:
    provider, _, name = model.partition(":")
    return worst_case_nano(provider, name, input_tokens, output_tokens, at_ms)
