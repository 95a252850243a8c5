"""From settings to policies: what `auto` is, and what stands around a plain model (fallbacks, keys, cache)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import structs

from remit.core.budget import SpendCap
from remit.core.model_sections import MODEL_SECTIONS
from remit.errors import Invalid
from remit.models.cache import CacheRules
from remit.models.handle import AUTO, ModelHandle
from remit.models.policy import Candidate, Policy, Resilience

if TYPE_CHECKING:
    from remit.guard.keys import KeyRing
    from remit.guard.spending import Spending
    from remit.models.choosing import Option
    from remit.models.router import Choice
    from remit.models.routes import Routes
    from remit.ports.clock import Clock
    from remit.ports.model import Model


class Setup:
    """The sections router, resilience, credential_pool, cache and cost of remit.toml.

    Args:
        sections: name -> section; what is missing is its default.
        resolve: a secret's reference -> its value or handle.
    """

    def __init__(self, sections: Mapping[str, Any], resolve: Callable[[str], str]) -> None:
        found = {**MODEL_SECTIONS, **sections}
        self.router, self.resilience, self.pool = found["router"], found["resilience"], found["credential_pool"]
        self.caching, self.cost = found["cache"], found["cost"]
        self._resolve = resolve
        self._policies: dict[tuple[str, str, str | None], Policy | None] = {}

    def policy(self, handle: ModelHandle) -> Policy | None:
        """The policy that stands for a handle; None = nothing is set up for it. Raises model_unknown for `auto`."""
        key = (handle.name, handle.base_url, handle.api_key)
        if key not in self._policies:
            self._policies[key] = self.auto() if handle.name == AUTO else self._around(handle)
        return self._policies[key]

    def spending(self, clock: Clock, folder: str) -> Spending | None:
        """The caps of [cost]; None = there are none."""
        if not self.cost.on:
            return None
        from remit.guard.spending import Spending

        every = SpendCap(day_usd=self.cost.day_usd, month_usd=self.cost.month_usd)
        return Spending({"*": every, **self.cost.caps}, clock, folder, self.cost.tenant)

    def auto(self) -> Policy:
        """The policy of [router]; raises model_unknown when it names no models."""
        if not self.router.models:
            raise Invalid("model_unknown", "auto names no models",
                          hint="List them in remit.toml: [router] models = [...]")  # fmt: skip
        values = {k: v for k, v in structs.asdict(self.router).items() if k != "models"}
        models = tuple([self._candidate(ModelHandle(name)) for name in self.router.models])
        return Policy(models=models, name=AUTO, resilience=self._rules(), cache=self._cache(), **values)

    def _around(self, handle: ModelHandle) -> Policy | None:
        provider = handle.name.partition(":")[0]
        rules = MODEL_SECTIONS["resilience"]
        if provider == "builtin" or (
            self.resilience == rules and not self.pool.keys.get(provider) and not self.caching.on
        ):
            return None
        names = [ModelHandle(name) for name in self.resilience.fallbacks if name != handle.name]
        models = tuple([self._candidate(each) for each in (handle, *names)])
        return Policy(models=models, name=handle.name, strategy="fixed", resilience=self._rules(), cache=self._cache(),
                      private="off", cascade=False)  # fmt: skip

    def _candidate(self, handle: ModelHandle) -> Candidate:
        references = self.pool.keys.get(handle.name.partition(":")[0], ())
        keys = tuple([self._resolve(r) for r in references]) if handle.api_key is None else ()
        return Candidate(model=handle.name, base_url=handle.base_url, api_key=handle.api_key, keys=keys)

    def _rules(self) -> Resilience:
        r = self.resilience
        return Resilience(retries=r.retries, cooldown_s=r.cooldown_s, breaker=r.breaker, hedge_s=r.hedge_s,
                          key_order=self.pool.order, daily_quota=self.pool.daily_quota)  # fmt: skip

    def _cache(self) -> CacheRules | None:
        if not self.caching.on:
            return None
        return CacheRules(**{k: v for k, v in structs.asdict(self.caching).items() if k not in ("on", "prompt")})


class Policies:
    """What stands for several models in one runtime. `routes` is what all its policies share."""

    def __init__(
        self, setup: Setup | None, load: Callable[[Any], Model], clock: Clock, ring: Callable[[], KeyRing]
    ) -> None:
        from remit.core.folders import state_path
        from remit.guard.stores import EncryptedStore
        from remit.models.routes import Routes

        self._setup = setup
        tenant = "" if setup is None else setup.cost.tenant
        folder = state_path()
        self.routes = Routes(load, clock, folder, lambda: EncryptedStore(ring(), folder, "replies"), tenant)

    def model(self, given: Any) -> Any:
        """What a policy, `auto` or a handle with a policy around it stands for; None = the plain model."""
        from remit.models.compound import PolicyModel

        if isinstance(given, Policy):
            return PolicyModel(given, self.routes)
        if not isinstance(given, ModelHandle):
            return None
        setup = self._setup or Setup({}, str)
        policy = setup.policy(given)
        return None if policy is None else PolicyModel(policy, self.routes)

    def close(self) -> None:
        """Write what was learnt."""
        self.routes.save()


def explain(policy: Policy, routes: Routes, text: str, role: str, settings: Any) -> tuple[Choice, list[Option]]:
    """The choice for a task that is not run: nothing is sent, explored, learnt or written."""
    from types import SimpleNamespace

    from remit.core.labels import USER
    from remit.core.messages import as_messages
    from remit.core.model import ModelRequest
    from remit.guard.ledger import Ledger
    from remit.guard.screening import Screening
    from remit.models.features import task_of
    from remit.models.router import Rules
    from remit.models.verifying import size_of

    request = ModelRequest(as_messages(text))
    names = [f"model:{c.model}" for c in policy.candidates()]
    scope: Any = SimpleNamespace(
        agent=role,
        label=USER,
        remit=settings.remit("").with_implied(names),
        ledger=Ledger(settings.budget, started=0.0),
    )
    gate: Any = SimpleNamespace(screening=Screening(settings.guardrails))
    options = routes.options(policy, request, size_of(request), scope, gate)
    rules = Rules(policy.strategy, policy.simple, policy.complex, policy.max_loss, 0.0, policy.seed, policy.min_saving)
    return routes.router.choose(task_of(request, role), options, rules), options
