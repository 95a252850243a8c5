"""What a user may write where a model's name stands: several models, how to choose, what to do when one fails.

    Agent("a", model=Policy(models=("openai:gpt-4o-mini", "anthropic:claude-opus-4-6")))         # by learnt cost
    Agent("a", model=Policy(models=("openai:gpt-4o", "groq:llama-3.3-70b"), strategy="fixed"))   # a fallback chain

`model="auto"` is the policy of `[router]` in remit.toml. Naming a policy grants its models, as naming a model does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from msgspec import Struct

from remit.core.model import ModelRequest, Reply
from remit.core.usage import Usage
from remit.errors import Invalid
from remit.models.breaker import PRESETS, BreakerRules
from remit.models.cache import CacheRules, Embed
from remit.models.choosing import SIMPLE as SIMPLE
from remit.models.choosing import TIERS, Strategy, Tier
from remit.models.credentials import Order
from remit.models.embedder import Embedder
from remit.models.prices import price_nano

Judge = Callable[[ModelRequest, Reply], bool | None]
"""an own check of an answer: right, wrong, or None = cannot say"""
Private = Literal["off", "labelled", "personal", "always"]

# Words of model names by the tier that their makers sell them as; the first that a name holds counts.
_FAST: Final = ("mini", "nano", "haiku", "flash", "small", "lite", "instant", "micro", "8b", "7b", "3b", "1b", "fast")
_POWERFUL: Final = ("opus", "ultra", "o1", "o3", "large", "pro", "405b", "r1", "reasoner", "max", "deep-think")
_CAPABILITY: Final[dict[Tier, float]] = {"fast": 0.4, "balanced": 0.8, "powerful": 1.0}
_DEAR_NANO: Final = 30_000_000_000  # a million tokens each way above $30: powerful
_CHEAP_NANO: Final = 6_000_000_000


class Candidate(Struct, frozen=True, kw_only=True):
    """One model of a policy; what is left out is derived from its name and price."""

    model: str
    base_url: str = ""
    api_key: str | None = None
    tier: Tier | None = None
    capability: float | None = None
    """the difficulty in [0, 1] that it masters; by the tier: 0.4, 0.8, 1.0"""
    context_tokens: int = 128_000
    supports: tuple[str, ...] | None = None
    """of: tools vision audio structured; None = unknown, taken as all"""
    keys: tuple[str, ...] = ()
    """several keys of this provider: values, or handles of secrets"""


class Resilience(Struct, frozen=True, kw_only=True):
    """What happens when a call fails. Source of the numbers: spec/models.md 9."""

    retries: int = 3
    """of one model while no other one is left; before that one retry"""
    base_s: float = 1.0
    cap_s: float = 30.0
    cooldown_s: float = 10.0
    """how long a model that was left rests"""
    breaker: str | BreakerRules = "llm"
    """a preset's name, or rules"""
    hedge_s: float | None = None
    """ask the next model too when the first has not answered by then (whole replies only); None = never"""
    key_order: Order = "fill_first"
    daily_quota: int = 0
    """calls a key and day; 0 = any number"""

    def breaker_rules(self) -> BreakerRules:
        """The rules; raises value_invalid for an unknown preset."""
        if isinstance(self.breaker, BreakerRules):
            return self.breaker
        if self.breaker not in PRESETS:
            raise Invalid("value_invalid", f"no breaker preset {self.breaker!r:.40}; {', '.join(PRESETS)}")
        return PRESETS[self.breaker]


class Policy(Struct, frozen=True, kw_only=True):
    """Several models under one name."""

    models: tuple[str | Candidate, ...]
    name: str = "auto"
    strategy: Strategy = "cost"
    simple: float = 0.15
    complex: float = 0.35
    cascade: bool = True
    """whether a cheap answer that fails its check is asked of a dearer model"""
    verify: Judge | None = None
    """an own check; without one: the asked form of the answer, and that tool calls name tools and fit their schemas"""
    max_loss: float = 0.01
    min_saving: float = 0.58
    explore: float = 0.03
    seed: int = 0
    private: Private = "labelled"
    """which contexts only models on this machine may see: none, those whose label names readers, those with personal
    data, all"""
    roles: dict[str, Tier] = {}
    """agent's name -> the tier that its calls start from"""
    resilience: Resilience = Resilience()
    cache: CacheRules | None = None
    embed: Embed | None = None
    embedder: Embedder | None = None
    """makes the cache's vectors by calls of their own (models/embedder.py); `embed` makes them in this process"""

    def __post_init__(self) -> None:
        if not self.models or len(self.models) > 32:
            raise Invalid("value_invalid", f"a policy names 1 to 32 models, not {len(self.models)}")
        for each in self.candidates():
            provider, colon, model = each.model.partition(":")
            if not (provider and colon and model):
                raise Invalid("model_unknown", f"{each.model!r:.80} is not provider:model")

    def candidates(self) -> tuple[Candidate, ...]:
        """Every model as a Candidate, in the order given."""
        return tuple([Candidate(model=m) if isinstance(m, str) else m for m in self.models])


ROLES: Final[dict[str, Tier]] = {
    "orchestrator": "powerful", "architect": "powerful", "planner": "powerful", "reviewer": "balanced",
    "coder": "balanced", "researcher": "balanced", "tester": "fast", "documenter": "fast", "summarizer": "fast",
    "classifier": "fast", "extractor": "fast",
}  # fmt: skip
"""Where the calls of a role start when its policy says nothing: who decides for others gets the ablest model."""


def tier_of(candidate: Candidate) -> Tier:
    """The tier: as given, by the name's usual words, else by price."""
    if candidate.tier is not None:
        return candidate.tier
    provider, _, name = candidate.model.partition(":")
    words = name.lower().replace("_", "-").replace(":", "-").replace("/", "-").split("-")
    if any(word in words for word in _FAST):
        return "fast"
    if any(word in words for word in _POWERFUL):
        return "powerful"
    price = price_nano(provider, name, Usage(1_000_000, output_tokens=1_000_000))
    if not price:
        return "balanced"
    return "powerful" if price > _DEAR_NANO else "fast" if price < _CHEAP_NANO else "balanced"


def capability_of(candidate: Candidate) -> float:
    """The difficulty that it masters."""
    return _CAPABILITY[tier_of(candidate)] if candidate.capability is None else candidate.capability


def recommended(role: str, policy: Policy) -> Tier | None:
    """The tier that a role's calls start from; None = the task alone decides."""
    named = policy.roles.get(role)
    if named is not None:
        return named
    return next((tier for word, tier in ROLES.items() if word in role.lower()), None)


def at_least(tier: Tier, wanted: Tier | None) -> bool:
    """Whether a tier is not below another one."""
    return wanted is None or TIERS.index(tier) >= TIERS.index(wanted)
