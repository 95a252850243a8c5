"""The sections of remit.toml: every key that there is, with its type, bounds and meaning.

The idea: `remit config` reads its schema, its reference page and its error messages from these
structs, so a new key is one line here. A key that hands out authority or leads somewhere else also
stands in `config.WIDENING`: a project's own file may not set it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from remit.core.model_sections import (
    CacheSection,
    CostSection,
    CredentialPoolSection,
    ResilienceSection,
    RouterSection,
)
from remit.core.screening import Mode, Rule


class ModelSection(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The model and how to ask it."""

    name: Annotated[str, Meta(description="provider:model, as openai:gpt-4o-mini", min_length=3)] | None = None
    base_url: Annotated[str, Meta(description="replaces scheme, host and version prefix of the provider")] | None = None
    api_key: Annotated[str, Meta(description="a reference: secret:NAME, env:NAME or file:PATH")] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, Meta(description="output tokens of one reply", ge=1)] | None = None
    max_turns: Annotated[int, Meta(description="model turns of one run", ge=1, le=10_000)] | None = None


class RunSection(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What `remit run` starts."""

    instructions: Annotated[str, Meta(description="the system prompt")] | None = None
    tools: Annotated[tuple[str, ...], Meta(description="tools to offer; unset = all that grants reach")] | None = None


class RemitSection(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Grants and denials, verb:pattern; a denial beats every grant."""

    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] | None = None
    enable: Annotated[tuple[str, ...], Meta(description="flags; they count where no grant is named")] | None = None


class CapabilitySection(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One entry of [[capabilities]]: grants within bounds, and denials; each grant has counters of its own."""

    grant: str | tuple[str, ...] = ()
    deny: str | tuple[str, ...] = ()
    expires: Annotated[datetime, Meta(description="date and time with an offset", tz=True)] | None = None
    uses: Annotated[int, Meta(description="effects that may use the grant", ge=0)] | None = None
    bytes: Annotated[int | str, Meta(description="arguments and results together, as 1000 or 10KB")] | None = None
    usd: Annotated[float | str, Meta(description="money that model calls under it may cost")] | None = None
    rate: Annotated[str, Meta(description="CALLS/PERIOD such as 10/60s")] | None = None
    where: Annotated[tuple[str, ...], Meta(description='what arguments must be: "amount<=100"', max_length=16)] = ()
    ceiling: Annotated[tuple[str, ...], Meta(description="of a delegate grant: what the child never exceeds")] = ()


class PolicyRuleSection(Struct, frozen=True, forbid_unknown_fields=True):
    """One rule of the custom mode."""

    match: Annotated[str, Meta(description="verb:pattern, with `where` for arguments")]
    decision: Literal["allow", "ask", "capture", "deny"]


class PolicySection(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Modes, levels and caps that stand beside the grants; an untrusted project file can only narrow them."""

    mode: (
        Annotated[
            Literal["permissive", "default", "strict", "plan_only", "read_only", "custom"],
            Meta(description="what happens to what no grant covers; unset = strict"),
        ]
        | None
    ) = None
    autonomy: (
        Annotated[
            Literal["read_only", "supervised", "full"],
            Meta(description="unset = full; below it 20 actions an hour and 500 cents a day hold"),
        ]
        | None
    ) = None
    actions_per_hour: Annotated[int, Meta(description="effects that change something", ge=0, le=10_000)] | None = None
    cents_per_day: Annotated[int, Meta(description="US cents of model calls", ge=0, le=100_000_000)] | None = None
    forbidden_paths: Annotated[tuple[str, ...], Meta(description="globs that nothing reads or writes")] = ()
    roots: Annotated[tuple[str, ...], Meta(description="folders that all files lie in; unset = all")] | None = None
    sensitive: Annotated[bool, Meta(description="exact names may grant sensitive files; unset = true")] | None = None
    rules: Annotated[tuple[PolicyRuleSection, ...], Meta(description="of mode custom", max_length=1000)] = ()
    otherwise: Literal["allow", "ask", "capture", "deny"] | None = None
    site: Annotated[str, Meta(description="a site policy file (TOML)", min_length=1)] | None = None
    cedar: Annotated[str, Meta(description="a site policy file (Cedar, extra policy)", min_length=1)] | None = None
    token_issuer: (
        Annotated[
            str,
            Meta(description="public key of who may issue tokens to use here, 64 hex digits", pattern="^[0-9a-f]{64}$"),
        ]
        | None
    ) = None


class RoleSection(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A custom role of [roles.NAME]."""

    permissions: tuple[str, ...] = ()
    allowed_skills: Annotated[tuple[str, ...], Meta(description="globs of tools, skills and agents")] = ("*",)
    denied_skills: tuple[str, ...] = ()
    requests_per_minute: Annotated[int, Meta(description="unset = any number", ge=0)] | None = None


class BudgetSection(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Ceilings of one run."""

    usd: Annotated[float, Meta(description="US dollars", ge=0)] | None = None
    tokens: Annotated[int, Meta(description="input and output tokens", ge=0)] | None = None
    input_tokens: Annotated[int, Meta(ge=0)] | None = None
    output_tokens: Annotated[int, Meta(ge=0)] | None = None
    model_calls: Annotated[int, Meta(ge=0)] | None = None
    tool_calls: Annotated[int, Meta(ge=0)] | None = None
    seconds: Annotated[float, Meta(description="wall clock of the run", ge=0)] | None = None


class LimitTable(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A rate in full."""

    calls: Annotated[int, Meta(description="in period_s; unset = any number", ge=1)] | None = None
    period_s: Annotated[float, Meta(gt=0)] = 60.0
    burst: Annotated[int, Meta(description="calls at once; 0 = a tenth of calls", ge=0)] = 0
    concurrent: Annotated[int, Meta(description="calls under way; 0 = any number", ge=0)] = 0
    tokens: Annotated[int, Meta(description="input and output tokens in tokens_period_s; 0 = any", ge=0)] = 0
    tokens_period_s: Annotated[float, Meta(gt=0)] = 60.0
    cents: Annotated[float, Meta(description="US cents in cents_period_s; 0 = any", ge=0)] = 0.0
    cents_period_s: Annotated[float, Meta(gt=0)] = 3600.0
    queue: Annotated[int, Meta(description="calls that may wait", ge=0, le=1_000_000)] = 100


class JournalSection(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Where runs are written."""

    path: (
        Annotated[
            str,
            Meta(
                description="a file (relative to this one), sqlite:PATH, memory:, postgres://USER@HOST/DATABASE",
                min_length=1,
            ),
        ]
        | None
    ) = None
    password: Annotated[str, Meta(description="of Postgres, a reference: env:NAME or file:PATH")] | None = None
    tenant: Annotated[str, Meta(description="whose runs in Postgres; unset = default", min_length=1)] | None = None
    witness: (
        Annotated[
            str,
            Meta(description="a file, best on another machine: a signed checkpoint every 100 records or second"),
        ]
        | None
    ) = None


class DispatchSection(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How runs reach workers (`remit worker`, `remit run --pool`)."""

    temporal: (
        Annotated[str, Meta(description="host:port of a Temporal server; unset = each worker looks itself")] | None
    ) = None
    namespace: Annotated[str, Meta(description="Temporal's; unset = default", min_length=1)] | None = None
    tls: Annotated[bool, Meta(description="TLS to the Temporal server; unset = false")] | None = None
    heartbeat_s: (
        Annotated[float, Meta(description="a worker silent for this long lost its runs; unset = 10", ge=1, le=3600)]
        | None
    ) = None


class GatewaySection(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who may reach `remit serve`, beside loopback and with an API key."""

    hosts: Annotated[tuple[str, ...], Meta(description="names in Host, beside the address")] | None = None
    origins: Annotated[tuple[str, ...], Meta(description="of web pages, as https://app.example.org")] | None = None
    tls_cert: Annotated[str, Meta(description="certificate chain (PEM)", min_length=1)] | None = None
    tls_key: Annotated[str, Meta(description="its private key (PEM, mode 0600)", min_length=1)] | None = None
    token_roles: (
        Annotated[tuple[str, ...], Meta(description="roles of holders of tokens; unset = developer")] | None
    ) = None


class EncryptionSection(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Encryption at rest: the journal file, stored records, the contents of events."""

    mode: (
        Annotated[
            Literal["off", "encrypted", "full"],
            Meta(description="encrypted: the journal file; full: also contents, one key a subject, erasable"),
        ]
        | None
    ) = None
    key: (
        Annotated[
            str,
            Meta(description="a reference: env:NAME, file:PATH, keyring:SERVICE/USER or passphrase", min_length=1),
        ]
        | None
    ) = None
    algorithm: Annotated[Literal["aes-256-gcm", "chacha20-poly1305"], Meta(description="new data keys")] | None = None
    subject: Annotated[str, Meta(description="whose data a run holds when it names nobody", max_length=256)] | None = (
        None
    )


class LeakGuardSection(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What looks for secrets in everything that leaves; the vault's own values are guarded whatever stands here."""

    mode: (
        Annotated[
            Literal["redact", "block", "off"],
            Meta(description="redact: it leaves without them; block: it does not leave; unset = redact"),
        ]
        | None
    ) = None
    random: Annotated[bool, Meta(description="whether long random-looking words count; unset = true")] | None = None
    sensitivity: (
        Annotated[float, Meta(description="how little randomness is enough; unset = 0.7", ge=0, le=1)] | None
    ) = None


class GuardrailsSection(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Rules on text. Remote models never get personal data in the clear, whatever stands here."""

    preset: (
        Annotated[Literal["none", "default"], Meta(description="default: five rules that block; unset = none")] | None
    ) = None
    pii: Annotated[Mode, Meta(description="personal data in results and answers; unset = off")] | None = None
    injection: Annotated[Mode, Meta(description="orders to the model in tasks and results; unset = off")] | None = None
    unicode: Annotated[Mode, Meta(description="invisible characters; unset = off")] | None = None
    remote_pii: (
        Annotated[
            Literal["tokens", "mask"],
            Meta(description="what remote models get: tokens that replies give back, or nothing; unset = tokens"),
        ]
        | None
    ) = None
    local: Annotated[tuple[str, ...], Meta(description="hosts beside loopback whose models are yours")] | None = None
    rules: Annotated[tuple[Rule, ...], Meta(description="own rules", max_length=100)] | None = None


class SecondFactorSection(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which calls need a code of the user's authenticator (TOTP) with their approval."""

    tools: Annotated[tuple[str, ...], Meta(description="globs of tool names")] | None = None
    hosts: Annotated[tuple[str, ...], Meta(description="hosts; *.example.org = everything below it")] | None = None


class McpSection(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One entry of [[mcp]]: a server whose tools appear as mcp__NAME__TOOL once they are approved."""

    name: Annotated[
        str, Meta(description="as its tools are named", pattern="^[a-z][a-z0-9]*(_[a-z0-9]+)*$", max_length=24)
    ]
    command: Annotated[
        tuple[str, ...], Meta(description="program and arguments; runs in sandbox T3", max_length=64)
    ] = ()
    url: Annotated[str, Meta(description="of a server that speaks streamable HTTP, instead of a command")] = ""
    folder: Annotated[str, Meta(description="what the program sees, read-only; unset = an empty one")] = ""
    write: Annotated[tuple[str, ...], Meta(description="DIR/** or files of the folder that it may write")] = ()
    deny: Annotated[tuple[str, ...], Meta(description="globs of the folder that it does not see")] = ()
    show: Annotated[tuple[str, ...], Meta(description="further folders it sees, read-only: where it is installed")] = ()
    hosts: Annotated[tuple[str, ...], Meta(description="HOST or HOST:PORT it may open TLS tunnels to")] = ()
    env: Annotated[dict[str, str], Meta(description="variables of the program; never secrets")] = {}
    headers: Annotated[dict[str, str], Meta(description="of each request; secrets as {{secret:NAME}}")] = {}
    tools: Annotated[tuple[str, ...], Meta(description="globs of its tools that are offered; unset = all")] = ("*",)
    effects: Annotated[
        dict[str, Literal["read", "write", "idempotent", "unsafe"]],
        Meta(description="what its tools do, by the server's own name of the tool; unset = unsafe"),
    ] = {}
    timeout_s: Annotated[float, Meta(description="of one call", gt=0, le=3600)] = 30.0
    memory_mb: Annotated[int, Meta(description="of the program and its children", ge=16, le=65536)] = 512
    processes: Annotated[int, Meta(ge=1, le=1024)] = 32


class ConfigFile(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """remit.toml: every section and key that there is."""

    model: ModelSection = ModelSection()
    run: RunSection = RunSection()
    remit: RemitSection = RemitSection()
    capabilities: tuple[CapabilitySection, ...] = ()
    policy: PolicySection = PolicySection()
    roles: Annotated[dict[str, RoleSection], Meta(description="custom roles of people, by name")] = {}
    budget: BudgetSection = BudgetSection()
    limits: Annotated[
        dict[str, str | LimitTable],
        Meta(
            description='"tool:NAME", "model:NAME", "provider:NAME", "agent:NAME" or "tenant:NAME" -> "CALLS/PERIOD" '
            'such as "10/60s", or a preset: high, mid, low'
        ),
    ] = {}
    journal: JournalSection = JournalSection()
    dispatch: DispatchSection = DispatchSection()
    gateway: GatewaySection = GatewaySection()
    encryption: EncryptionSection = EncryptionSection()
    leak_guard: LeakGuardSection = LeakGuardSection()
    guardrails: GuardrailsSection = GuardrailsSection()
    second_factor: SecondFactorSection = SecondFactorSection()
    mcp: Annotated[tuple[McpSection, ...], Meta(description="MCP servers", max_length=64)] = ()
    router: RouterSection = RouterSection()
    resilience: ResilienceSection = ResilienceSection()
    credential_pool: CredentialPoolSection = CredentialPoolSection()
    cache: CacheSection = CacheSection()
    cost: CostSection = CostSection()


FLAT_SECTIONS: Final = (
    "model",
    "run",
    "remit",
    "budget",
    "journal",
    "dispatch",
    "gateway",
    "encryption",
    "leak_guard",
    "guardrails",
    "second_factor",
)
"""sections whose keys are settings of their own, `section.key`"""
