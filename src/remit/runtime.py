"""The composition root: config -> adapters -> gate -> agents. The only module that wires.

Everything costly is made on first use: a scripted run never imports HTTP, a run without programs
never looks for a sandbox, a journal in memory never imports SQLite.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from remit.adapters.clock import SystemClock
from remit.agents.collector import Collector
from remit.agents.runner import Runner
from remit.core.budget import Limit
from remit.core.folders import VAULT_FILE, state_path
from remit.core.remit import TOP, Remit
from remit.core.tools import Tool
from remit.errors import Invalid, RemitError
from remit.gate.door import Gate
from remit.guard.estop import EmergencyStop
from remit.guard.handles import Handles, Lease
from remit.guard.policy_meter import Meter, Revocations
from remit.guard.rates import Rates
from remit.guard.revoked import RevokedGrants
from remit.guard.screening import Screening
from remit.journal.open import open_journal
from remit.models.handle import AUTO, ModelHandle, made_setup
from remit.models.pricing import PRICING
from remit.ports.runtime import reset_current, set_current

if TYPE_CHECKING:
    from remit.core.sections import EncryptionSection, LeakGuardSection, McpSection
    from remit.guard.keys import KeyRing
    from remit.guard.leaks import LeakGuard
    from remit.guard.policy import Rulebook
    from remit.guard.vault import Vault
    from remit.journal.encrypted import AtRest
    from remit.models.setup import Setup
    from remit.ports.approver import Approver
    from remit.ports.clock import Clock
    from remit.ports.http import HttpClient
    from remit.ports.journal import Journal
    from remit.ports.model import Model

MAX_CONNECTIONS: Final = 16_384  # to one address; a run holds one while it waits for a model


class Runtime(Runner):
    """Runs agents. `async with Runtime(...)` makes it the current one and closes it at the end.

    Args:
        journal: "memory:", "sqlite:PATH", "postgres://USER@HOST/DATABASE?..." or a Journal.
        workspace: the folder that agents work in when a run names none; the current folder by default.
        approver: whoever can be asked now; without one, a run that needs a person stays waiting.
        limits: rates by `model:NAME` or `tool:NAME` pattern.
        ceiling: a remit that no run passes; TOP by default.
        rulebook: permission mode, autonomy level, site policies (guard/policy.py); `rulebook_of(settings)` reads them.
        clock: time and randomness.
        witness: a file that gets a signed checkpoint every 100 records or second; "" for none.
        encryption: how the journal file is kept, and where the key-encryption key comes from; plain by default.
        screening: guardrails, and what remote models are not shown; personal data is kept from them in any case.
        setup: routing, fallbacks, keys, caches and caps of models (models/setup.py); none by default.
        agents: whom tools may delegate to by name, beside the members of the team at work.
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
        rulebook: Rulebook | None = None,
        clock: Clock | None = None,
        witness: str = "",
        encryption: EncryptionSection | None = None,
        tune_gc: bool = True,
        screening: Screening | None = None,
        setup: Setup | None = None,
        agents: Iterable[Any] = (),
    ) -> None:
        super().__init__()
        self.agents = {agent.name: agent for agent in agents}
        self.clock = clock or SystemClock()
        self.encryption = encryption
        self._ring: KeyRing | None = None
        at_rest = None
        if encryption is not None and encryption.mode in ("encrypted", "full"):
            at_rest = partial(self._at_rest, encryption)
        self.journal = open_journal(journal, self.clock, at_rest, witness) if isinstance(journal, str) else journal
        self.workspace = os.path.abspath(workspace or os.getcwd())
        self.rulebook = rulebook
        self.ceiling = ceiling if rulebook is None else ceiling.meet(rulebook.ceiling())
        self.revocations = Revocations()
        self.root_meter = Meter(self.ceiling, revocations=self.revocations)
        self.outside: Adapters = Adapters(lambda: self.ring, self.clock.now_ms)
        self.outside.clock, self.outside.setup = self.clock, setup
        self.spending = spending = None if setup is None else setup.spending(self.clock, state_path())
        self.gate = Gate(
            clock=self.clock,
            rates=Rates(limits or {}, self.clock, spending, getattr(self.journal, "limits", None)),
            pricing=PRICING,
            approver=approver,
        )
        self.gate.mask, self.gate.transact = self.outside.mask_text, getattr(self.journal, "transact", None)
        if screening is not None:
            self.gate.screening = screening
        if self.gate.screening.stop is None:
            stop = self.gate.screening.stop = EmergencyStop(state_path(), self.clock.monotonic)
            stop.revoked = RevokedGrants(state_path(), self.revocations, self.clock.now_ms).check
        self._token: Any = None
        self.collector = Collector(tune_gc)

    @property
    def ring(self) -> KeyRing:
        """The key ring, opened on first use; made when there is none."""
        if self._ring is None:
            from remit.guard.keys_open import open_ring

            self._ring = open_ring(self.encryption, os.environ)
        return self._ring

    def _at_rest(self, section: EncryptionSection) -> AtRest:
        from remit.config import state_folder
        from remit.guard.keys_open import JOURNAL
        from remit.guard.subjects import Subjects
        from remit.journal.encrypted import AtRest

        sealing, default = section.mode == "full", section.subject or ""
        return AtRest(
            self.ring.keys(JOURNAL), Subjects(self.ring, str(state_folder()), sealing=sealing, default=default)
        )

    async def aclose(self) -> None:
        """Close connections and the journal; give the collector's thresholds back; forget the keys."""
        await self.outside.aclose()
        if self.spending is not None:
            self.spending.close()
        await self.journal.aclose()
        self.collector.close()
        if self._ring is not None:
            self._ring.close()
            self._ring = None

    async def __aenter__(self) -> Runtime:
        self._token = set_current(self)
        return self

    async def __aexit__(self, *_: object) -> None:
        reset_current(self._token)
        await self.aclose()


class Adapters:
    """The outside of one runtime: models, tools, workspaces, the sandbox and the egress, each made on first use."""

    def __init__(self, ring: Callable[[], KeyRing] | None = None, now_ms: Callable[[], int] | None = None) -> None:
        self._ring = ring or _own_ring
        self._now_ms = now_ms or SystemClock().now_ms
        self._vault: Vault | None = None
        self._vaultless: bool | None = None  # whether there was no vault when the first result came in
        self._leaks: LeakGuard | None = None
        self.leak_guard: LeakGuardSection | None = None
        """how what leaves is looked at; read when the first request is made"""
        self._egress: Any = None
        self._sandbox: Any = None
        self._workspaces: dict[str, Any] = {}
        self._code_sandboxes: dict[str, Any] = {}
        self._plugins: Any = None
        self.mcp_servers: tuple[McpSection, ...] = ()
        """[[mcp]] of the configuration; read when one of their tools is first named"""
        self._mcp: Any = None
        self._models: dict[tuple[str, str, str | None], Model] = {}
        self.clock: Clock = SystemClock()
        self.setup: Setup | None = None
        self._policies: Any = None

    def model(self, given: Any) -> Model:
        """The model that `provider:name`, a handle or a test double stands for."""
        if isinstance(given, str):
            given = ModelHandle(given)
        if self.setup is not None or getattr(given, "name", "") == AUTO or hasattr(given, "candidates"):
            under: Model | None = self.policies.model(given)
            if under is not None:
                return under
        return self._plain_model(given)

    def _plain_model(self, given: Any) -> Model:
        if not isinstance(given, ModelHandle):
            if getattr(given, "embeds", False):
                return self._embedding_model(given)
            if hasattr(given, "request") and hasattr(given, "name"):
                return given  # type: ignore[no-any-return]  # a Model of remit.testing or of the user's own
            raise Invalid("model_unknown", f"not a model: {type(given).__name__}")
        key = (given.name, given.base_url, given.api_key)
        if key not in self._models:
            self._models[key] = self._make_model(given)
        return self._models[key]

    @property
    def policies(self) -> Any:
        """Models that stand for several."""
        if self._policies is None:
            from remit.models.setup import Policies

            self._policies = Policies(self.setup, self._plain_model, self.clock, self._ring)
        return self._policies

    def _make_model(self, handle: ModelHandle) -> Model:
        provider, _, name = handle.name.partition(":")
        if provider == "builtin":
            from remit.adapters import builtin

            return builtin.load(name)
        if provider == "gguf":
            from remit.adapters.local.gguf import GgufModel

            return GgufModel(name)
        from remit.adapters import providers

        caching = "auto" if self.setup is None else self.setup.caching.prompt
        return providers.make_model(handle.name, handle.base_url, handle.api_key, os.environ, self.own_address, caching)

    def _embedding_model(self, given: Any) -> Model:
        from remit.adapters.providers import _embeddings

        return _embeddings.make(given.name, given.base_url, given.api_key, os.environ, self.own_address)

    def provider_rows(self, env: Mapping[str, str], only: str = "") -> list[dict[str, Any]]:
        """What `remit models list` says of every provider, or of one."""
        from remit.adapters.providers import _catalog
        from remit.models.prices import priced_models

        return [row | {"priced": priced_models(row["name"])} for row in _catalog.rows(env, only)]

    def named_model(self, name: str, base_url: str) -> Any:
        """What a journal kept of a model."""
        return ModelHandle(name, base_url=base_url)

    def own_address(self, url: str) -> HttpClient:
        """HTTP for one model: its own host and port may be private, because the user named it."""
        from remit.adapters.http.egress import OwnAddress

        return OwnAddress(self.egress, url)

    @property
    def vault(self) -> Vault:
        """The user's secrets; the file is read when one of them is first needed."""
        if self._vault is None:
            from remit.config import state_folder
            from remit.guard.vault import Vault
            from remit.guard.vault_file import VaultFile

            self._vault = Vault(VaultFile(str(state_folder()), self._ring), self._now_ms)
        return self._vault

    def leaks(self) -> LeakGuard:
        """What looks at everything that leaves."""
        if self._leaks is None:
            from remit.core.sections import LeakGuardSection
            from remit.guard.leaks import LeakGuard

            given = self.leak_guard or LeakGuardSection()
            sensitivity = 0.7 if given.sensitivity is None else given.sensitivity
            self._leaks = LeakGuard(self.vault.matcher, mode=given.mode or "redact", random=given.random is not False,
                                    sensitivity=sensitivity)  # fmt: skip
        return self._leaks

    def mask_text(self, text: str) -> str:
        """`text` that a tool brought in, without the vault's values; without a vault one attribute test."""
        return self.leaks().mask_text(text) if self.guarded else text

    @property
    def guarded(self) -> bool:
        """Whether there is a vault, as far as was last seen."""
        if self._vault is not None:
            return self._vault.live
        if self._vaultless is None:
            self._vaultless = not os.path.lexists(os.path.join(state_path(), VAULT_FILE))
        return not self._vaultless and self.vault.live

    def broker(self, admit: Callable[..., Any], note: Callable[[str], None]) -> Any:
        """An egress broker for one program; see adapters/http/broker.py."""
        from remit.adapters.http.broker import Broker

        return Broker(self.egress, admit, note)

    def tool(self, name: str) -> Tool:
        """A built-in tool, an installed plugin's, or a made one; raises tool_unknown."""
        home = {"mcp__": "mcp", "made_": "made_tools", "wasm_": "plugins"}.get(name[:5])
        if home is not None:
            found: Tool = getattr(self, home).tool(name)
            return found
        from remit.adapters import tools

        return tools.load(name)

    def any_tool(self, name: str) -> Tool | None:
        """A built-in tool, or None."""
        try:
            return self.tool(name)
        except RemitError:
            return None

    def tool_names(self) -> tuple[str, ...]:
        """All built-in tools, and the approved ones of MCP servers."""
        from remit.adapters import tools

        return (*tools.names(), *self.mcp.tool_names()) if self.mcp_servers else tools.names()

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
    def made_tools(self) -> Any:
        """Tools that agents wrote; they run in T1 and T2 only."""
        from remit.adapters.plugins.made import MadeTools
        from remit.config import state_folder

        return MadeTools(str(state_folder() / "made_tools"))

    @property
    def agents(self) -> Any:
        """Other agents, for whoever may start them."""
        from remit.teams.delegates import Delegates

        return Delegates()

    @property
    def plugins(self) -> Any:
        """Installed plugins, and what makes them."""
        if self._plugins is None:
            from remit.adapters.plugins.plugins import Plugins
            from remit.adapters.sandboxes import component_build
            from remit.config import state_folder

            self._plugins = Plugins(str(state_folder() / "plugins"), lambda: self.code_sandbox("T2"), component_build)
        return self._plugins

    @property
    def mcp(self) -> Any:
        """MCP servers, and what the user approved of them."""
        if self._mcp is None:
            from remit.adapters.mcp.servers import make_servers
            from remit.guard.handles import writable_folders
            from remit.guard.server_egress import server_way_out

            way_out = partial(server_way_out, outside=self, now_ms=self._now_ms)
            folder = os.path.join(state_path(), "mcp")
            self._mcp = make_servers(self.mcp_servers, folder, lambda: self.sandbox, way_out, writable_folders)
        return self._mcp

    def build_interpreter(self) -> None:
        """Make tier T2's Python interpreter and keep it; takes half a minute. Raises program_missing."""
        from remit.adapters.sandboxes import component_build

        self.code_sandbox("T2").keep_interpreter(component_build.build_interpreter())

    def code_sandbox(self, tier: str) -> Any:
        """Tier T1 or T2, made on first use; raises value_invalid for another one."""
        if tier not in self._code_sandboxes:
            self._code_sandboxes[tier] = _make_code_sandbox(tier)
        return self._code_sandboxes[tier]

    @property
    def egress(self) -> Any:
        """The only way out."""
        if self._egress is None:
            from remit.adapters.http.asyncio_http import AsyncioHttp
            from remit.adapters.http.broker_secrets import SecretHttp
            from remit.adapters.http.egress import Egress

            self._egress = Egress(SecretHttp(AsyncioHttp(limit=_connections()), LazyVault(self)))
        return self._egress

    def describe(self, name: str = "sandbox") -> dict[str, Any]:
        """An adapter's own description, for `remit doctor`: sandbox (T3), sandbox T1, sandbox T2."""
        tier = name.removeprefix("sandbox").strip()
        found: dict[str, Any] = (self.code_sandbox(tier) if tier else self.sandbox).describe()
        return found

    async def aclose(self) -> None:
        """Close what was opened."""
        if self._mcp is not None:
            await self._mcp.aclose()
        if self._policies is not None:
            self._policies.close()
        if self._egress is not None:
            await self._egress.aclose()
        for sandbox in self._code_sandboxes.values():
            await sandbox.aclose()
        for workspace in self._workspaces.values():
            workspace.close()
        self._workspaces.clear()


class LazyVault:
    """ports/secrets.Secrets of a runtime: the vault, which is read when there is one and something needs it."""

    def __init__(self, adapters: Adapters) -> None:
        self._adapters = adapters

    @property
    def live(self) -> bool:
        """Whether anything is looked at."""
        return self._adapters.guarded

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapters.vault, name)


def make_dispatcher(section: Any, clock: Clock) -> Any:
    """What brings runs to workers: Temporal where it is configured, else this process. Raises extra_missing."""
    from remit.adapters import dispatchers

    return dispatchers.make(section, clock)


def _own_ring() -> KeyRing:
    from remit.guard.keys_open import open_ring

    return open_ring(None, os.environ)


def default_runtime() -> Runtime:
    """The runtime of whoever sets none: the journal in the user's state folder, encrypted as the user's file says."""
    if not _DEFAULT:
        from remit.config import config_folder, load, state_folder

        settings = load(str(config_folder()))  # the user's own file; no project's
        setup = made_setup(settings)
        _DEFAULT.append(Runtime(f"sqlite:{state_folder() / 'journal.db'}", encryption=settings.encryption, setup=setup,
                                witness=settings["journal.witness"]))  # fmt: skip
        _DEFAULT[0].outside.mcp_servers = settings["mcp"]
    return _DEFAULT[0]


_DEFAULT: list[Runtime] = []


def _make_code_sandbox(tier: str) -> Any:
    if tier == "T1":
        from remit.adapters.sandboxes.monty import Monty

        return Monty()
    if tier == "T2":
        from remit.adapters.sandboxes.wasm import Wasm
        from remit.config import state_folder

        return Wasm(str(state_folder() / "sandbox"))
    raise Invalid("value_invalid", f"{tier[:20]!r} is no tier for code; T1 or T2")


def _connections() -> int:
    """Most connections to one address: what the process may open, less a reserve for files and pipes."""
    import resource

    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MAX_CONNECTIONS if soft == resource.RLIM_INFINITY else max(64, min(MAX_CONNECTIONS, soft - 256))
