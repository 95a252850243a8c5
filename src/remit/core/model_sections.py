"""The sections of remit.toml about asking models: router, resilience, credential_pool, cache, cost."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from remit.core.budget import SpendCap

_Tier = Literal["fast", "balanced", "powerful"]


class RouterSection(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the model name `auto` stands for."""

    models: Annotated[tuple[str, ...], Meta(description="provider:model of each, in any order", max_length=32)] = ()
    strategy: Literal["cost", "quality", "balanced", "tiered", "fixed"] = "cost"
    simple: Annotated[float, Meta(description="difficulty up to which tiered takes fast", ge=0, le=1)] = 0.15
    complex: Annotated[float, Meta(description="difficulty from which tiered takes powerful", ge=0, le=1)] = 0.35
    cascade: Annotated[bool, Meta(description="ask a dearer model when a cheap answer fails its check")] = True
    max_loss: Annotated[float, Meta(description="success that cost may give up on average", ge=0, le=1)] = 0.01
    min_saving: Annotated[float, Meta(description="share that cost saves once answers are judged", ge=0, le=1)] = 0.58
    explore: Annotated[float, Meta(description="share of choices made to learn; 0 = none", ge=0, le=1)] = 0.03
    seed: int = 0
    private: Annotated[
        Literal["off", "labelled", "personal", "always"],
        Meta(description="contexts for models on this machine only: those with named readers, with personal data, all"),
    ] = "labelled"
    roles: Annotated[dict[str, _Tier], Meta(description="agent's name -> tier that its calls start from")] = {}


class ResilienceSection(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What happens when a model call fails."""

    fallbacks: Annotated[tuple[str, ...], Meta(description="provider:model, asked in this order", max_length=16)] = ()
    retries: Annotated[int, Meta(description="of the last model; before it one", ge=0, le=20)] = 3
    cooldown_s: Annotated[float, Meta(description="how long a model that was left rests", ge=0)] = 10.0
    breaker: Literal["default", "strict", "lenient", "llm", "tools"] = "llm"
    hedge_s: Annotated[float, Meta(description="ask the next model too after so long", gt=0)] | None = None


class CredentialPoolSection(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Several keys of a provider."""

    keys: Annotated[
        dict[str, tuple[str, ...]], Meta(description="provider -> references: secret:NAME, env:NAME or file:PATH")
    ] = {}
    order: Literal["fill_first", "round_robin", "random", "least_used"] = "fill_first"
    daily_quota: Annotated[int, Meta(description="calls a key and day; 0 = any number", ge=0)] = 0


class CacheSection(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Replies that are given again."""

    on: bool = False
    semantic: Annotated[bool, Meta(description="whether a question that means the same counts")] = True
    similarity: Annotated[float, Meta(ge=0.5, le=1)] = 0.92
    entries: Annotated[int, Meta(ge=1, le=100_000)] = 1000
    ttl_s: Annotated[float, Meta(gt=0)] = 3600.0
    store: Annotated[bool, Meta(description="keep them in encrypted files as well")] = False
    personal: Annotated[bool, Meta(description="also where the request holds personal data")] = False
    tainted: Annotated[bool, Meta(description="also where the context holds untrusted data")] = False
    prompt: Annotated[
        Literal["auto", "on", "1h", "off"],
        Meta(description="whether a provider is asked to keep long prefixes; apart from `on`"),
    ] = "auto"


class CostSection(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Caps on money over all runs and processes of this user."""

    on: bool = False
    day_usd: Annotated[float, Meta(description="all calls of a day (UTC)", ge=0)] = 10.0
    month_usd: Annotated[float, Meta(description="all calls of a month (UTC)", ge=0)] = 100.0
    caps: Annotated[
        dict[str, SpendCap], Meta(description='"agent:NAME", "model:NAME", "provider:NAME", "tenant:NAME" -> its caps')
    ] = {}
    tenant: Annotated[str, Meta(description="whose calls these are", max_length=64)] = ""


MODEL_SECTIONS: Final[dict[str, Any]] = {
    "router": RouterSection(),
    "resilience": ResilienceSection(),
    "credential_pool": CredentialPoolSection(),
    "cache": CacheSection(),
    "cost": CostSection(),
}
"""name -> what holds when a file says nothing"""
