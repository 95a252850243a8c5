"""What all policies of one runtime share: learnt routing, breakers, rests, keys, caches; and what may be asked now.

Made on first use by the composition root, which says how a model is loaded. Nothing here makes an effect: the
attempts are made by compound.py through the gate. What was learnt is a file of data in the state folder
(`router.json`), written on close and every `SAVE_EVERY` outcomes; a damaged one is an error, never silently forgotten.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from remit.core.effects import Need
from remit.core.events import ModelNote
from remit.core.messages import Audio, Image, Text
from remit.core.model import ModelRequest
from remit.core.usage import Usage
from remit.errors import RemitError
from remit.gate import grant
from remit.models.breaker import Breaker
from remit.models.cache import ReplyCache
from remit.models.choosing import Option
from remit.models.credentials import CredentialPool
from remit.models.handle import ModelHandle
from remit.models.policy import Candidate, Policy, at_least, capability_of, recommended, tier_of
from remit.models.prices import FREE, price_nano
from remit.models.router import Router

if TYPE_CHECKING:
    from remit.gate.door import Gate
    from remit.gate.scope import Scope
    from remit.guard.stores import EncryptedStore
    from remit.models.embedder import Embedder
    from remit.ports.clock import Clock
    from remit.ports.model import Model

SAVE_EVERY: Final = 200  # outcomes
MAX_STATE_BYTES: Final = 64 * 1024 * 1024
MAX_NAMED: Final = 4096  # breakers, rests and pools that are remembered


class Routes:
    """See the module's text.

    Args:
        load: the model of a handle.
        clock: time.
        folder: the state folder; "" = nothing is kept.
        store: makes the encrypted store of cached replies; None = there is none.
        tenant: whose calls these are: caches are bound to it.
    """

    def __init__(
        self,
        load: Callable[[Any], Model],
        clock: Clock,
        folder: str = "",
        store: Callable[[], EncryptedStore] | None = None,
        tenant: str = "",
    ) -> None:
        self.clock = clock
        self.tenant = tenant
        self._load = load
        self._path = os.path.join(folder, "router.json") if folder else ""
        self._store = store
        self._router: Router | None = None
        self._unsaved = 0
        self._breakers: dict[str, Breaker] = {}
        self._rests: dict[str, float] = {}
        self._failed: dict[str, list[float]] = {}
        self._pools: dict[str, CredentialPool] = {}
        self._caches: dict[int, tuple[Policy, ReplyCache]] = {}
        self.notes: list[ModelNote] = []
        """transitions of breakers, until the next call journals them"""

    @property
    def router(self) -> Router:
        """What was learnt; the file is read at the first question. Raises value_invalid for a damaged one."""
        if self._router is None:
            self._router = Router()
            if self._path:
                from remit.guard.private_file import read_private

                raw = read_private(self._path, MAX_STATE_BYTES)
                self._router = Router() if raw is None else Router.load(raw)
        return self._router

    def learnt(self) -> None:
        """An outcome was taken in; every so often it is written."""
        self._unsaved += 1
        if self._unsaved >= SAVE_EVERY:
            self.save()

    def save(self) -> None:
        """Write what was learnt."""
        if self._router is not None and self._unsaved and self._path:
            from remit.guard.private_file import make_folder, write_private

            make_folder(os.path.dirname(self._path))
            write_private(self._path, self._router.save())
        self._unsaved = 0

    # --- what may be asked -----------------------------------------------------------------------

    def options(self, policy: Policy, request: ModelRequest, size: int, scope: Scope, gate: Gate) -> list[Option]:
        """Every model of a policy, with the reason why it cannot be taken now, if there is one.

        `size`: input tokens, estimated.
        """
        local_only = _local_only(policy, request, scope)
        found = []
        for each in policy.candidates():
            provider, _, name = each.model.partition(":")
            made = request.settings.max_tokens or 0
            out = self.router.output_tokens(each.model, size)
            usage = Usage(size, output_tokens=min(out, made) if made else out)
            nano = price_nano(provider, name, usage)
            million = price_nano(provider, name, Usage(1_000_000))
            why = self._why_not(each, request, size, scope) or (
                "the context may not leave this machine" if local_only and self._remote(each, gate) else ""
            )
            why = why or _over_budget(scope, nano)
            found.append(Option(each.model, tier_of(each), capability_of(each), (million or 0) / 1e9, nano, why))
        return _of_role(found, recommended(scope.agent, policy))

    def _why_not(self, each: Candidate, request: ModelRequest, size: int, scope: Scope) -> str:
        denied = grant.check(scope.remit, (Need("model", each.model),), self.clock.now_ms())
        if denied is not None:
            return f"{denied.code}: no grant"
        if size + (request.settings.max_tokens or 0) > each.context_tokens:
            return f"the context of {each.context_tokens} tokens is too small"
        missing = _needed(request) - set(each.supports) if each.supports is not None else set()
        if missing:
            return f"it has no {', '.join(sorted(missing))}"
        return self.unhealthy(each)

    def _remote(self, each: Candidate, gate: Gate) -> bool:
        try:
            model = self.model(each, 0)
        except RemitError:
            return each.model.partition(":")[0] not in FREE
        return gate.screening.remote(model.url)

    # --- health ----------------------------------------------------------------------------------

    def unhealthy(self, each: Candidate) -> str:
        """Why a model should not be asked now; "" = nothing speaks against it."""
        breaker = self._breakers.get(each.model)
        if breaker is not None and not breaker.ready():
            return f"its breaker is {breaker.state_label()} after {breaker.failure_count()} failures"
        left = self._rests.get(each.model, 0.0) - self.clock.monotonic()
        if left > 0:
            return f"it rests for {left:.1f} s"
        pool = self._pools.get(each.model)
        return "all its keys rest" if pool is not None and not pool.ready() else ""

    def breaker(self, each: Candidate, policy: Policy) -> Breaker:
        """The breaker of a model."""
        found = self._breakers.get(each.model)
        if found is None:

            def changed(before: str, after: str) -> None:
                count = self._breakers[each.model].failure_count()
                data = {"before": before, "after": after, "failures": count}
                self.notes.append(ModelNote("", "breaker", each.model, f"{before} -> {after}", data))

            _bounded(self._breakers)
            found = self._breakers[each.model] = Breaker(policy.resilience.breaker_rules(), self.clock, changed)
        return found

    def rest(self, each: Candidate, seconds: float) -> None:
        """Leave a model alone for a while."""
        _bounded(self._rests)
        self._rests[each.model] = self.clock.monotonic() + seconds

    def pool(self, each: Candidate, policy: Policy) -> CredentialPool | None:
        """The keys of a model that has several; None where it has one or none."""
        if len(each.keys) < 1:
            return None
        found = self._pools.get(each.model)
        if found is None:
            _bounded(self._pools)
            rules = policy.resilience
            found = CredentialPool(len(each.keys), self.clock, rules.key_order, rules.daily_quota)
            self._pools[each.model] = found
        return found

    def model(self, each: Candidate, key: int) -> Model:
        """The model with its key number `key`."""
        api_key = each.keys[key] if each.keys else each.api_key
        return self._load(ModelHandle(each.model, base_url=each.base_url, api_key=api_key))

    def embedding_model(self, embedder: Embedder) -> Model:
        """The model of an embedder."""
        return self._load(embedder)

    def cache(self, policy: Policy) -> ReplyCache | None:
        """The cache of a policy; None = it has none."""
        if policy.cache is None:
            return None
        found = self._caches.get(id(policy))
        if found is None:
            store = self._store() if policy.cache.store and self._store is not None else None
            _bounded(self._caches)
            found = self._caches[id(policy)] = (policy, ReplyCache(policy.cache, policy.embed, store))
        return found[1]


def _needed(request: ModelRequest) -> set[str]:
    """What a model must support for this request."""
    needed = {"tools"} if request.tools else set()
    if request.output is not None:
        needed.add("structured")
    kinds = {type(part) for message in request.messages for part in message.parts}
    return needed | ({"vision"} if Image in kinds else set()) | ({"audio"} if Audio in kinds else set())


def _local_only(policy: Policy, request: ModelRequest, scope: Scope) -> bool:
    if policy.private == "off":
        return False
    if policy.private == "always" or scope.label.readers is not None:
        return True
    if policy.private != "personal":
        return False
    from remit.guard import pii

    return any(pii.find(p.text) for m in request.messages for p in m.parts if type(p) is Text)


def _over_budget(scope: Scope, nano: int | None) -> str:
    """Whether the estimate alone passes what a budget has left (the gate reserves the worst case later)."""
    for ledger in scope.ledger.chain if scope.ledger.limited else ():
        limit = ledger.budget.nano
        if limit is not None and nano is None:
            return "its price is unknown, and a money budget holds"
        if limit is not None and nano is not None and ledger.nano + nano > limit:
            return "the budget has too little left"
    return ""


def _of_role(options: list[Option], wanted: Any) -> list[Option]:
    """Options below a role's tier are left out, as long as one that can be taken remains."""
    from msgspec.structs import replace

    if wanted is None or not any(not o.out and at_least(o.tier, wanted) for o in options):
        return options
    why = f"the role starts at {wanted}"
    return [o if o.out or at_least(o.tier, wanted) else replace(o, out=why) for o in options]


def _bounded(known: dict[Any, Any]) -> None:
    if len(known) >= MAX_NAMED:
        known.pop(next(iter(known)))
