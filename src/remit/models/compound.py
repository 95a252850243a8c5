"""Asking a policy: cache -> choice -> attempts -> check -> escalation or fallback. One object a call.

Every attempt is an effect of its own through the gate, with the key `KEY#n`; the choice, each switch and each hit is an
event. On replay the journal leads: an attempt that was recorded is made with the model that was recorded, a plan is the
recorded one, nothing is waited for, noted or learnt again.

    an answer fails its check        the plan's next model is asked (escalated); both are paid, both are seen
    a call fails for the moment      again after a wait; then the next model (fallback), and this one rests
    the key is refused or limited    the provider's next key at once; then the next model
    the request itself is wrong      the error: another model would be asked in vain
    the gate refuses                 the refusal
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from remit.core.effects import Done, Failed, Outcome
from remit.core.events import Candidate as Seen
from remit.core.events import ModelNote, Routed
from remit.core.model import ModelRequest, Reply, StreamReset
from remit.errors import ModelError, RemitError
from remit.models import verifying
from remit.models.attempt import Compound, delay_s
from remit.models.breaker import COUNTED, Breaker
from remit.models.cached import CachedAnswers
from remit.models.choosing import Option
from remit.models.features import Task, features, task_of
from remit.models.policy import Candidate, Policy
from remit.models.router import Rules
from remit.models.routes import Routes
from remit.models.shown import Continued

if TYPE_CHECKING:
    from remit.gate.door import Gate
    from remit.gate.scope import Scope
    from remit.ports.clock import Clock

# With these another model may do better; a request that is itself wrong fails everywhere.
_ELSEWHERE: Final = COUNTED | {"model_rate_limited", "model_auth", "model_not_found", "model_failed"}


class PolicyModel(Compound):
    """A policy where a model stands: `name` is the policy's, `names` are the models that naming it grants."""

    url = ""

    def __init__(self, policy: Policy, routes: Routes) -> None:
        self.policy = policy
        self.routes = routes
        self.name = policy.name
        own = () if policy.embedder is None else (policy.embedder.name,)
        self.names = tuple([*[c.model for c in policy.candidates()], *own])
        self.base_url = ""

    async def ask(self, gate: Gate, key: str, request: ModelRequest, scope: Scope, clock: Clock) -> Outcome:
        """The outcome of the call, after all its attempts."""
        return await _Call(self, gate, key, request, scope, clock).run()


class _Call:
    """One call under way."""

    def __init__(  # the parts of one call, made in one place
        self, owner: PolicyModel, gate: Gate, key: str, request: ModelRequest, scope: Scope, clock: Clock
    ) -> None:
        self.policy, self.routes = owner.policy, owner.routes
        self.gate, self.key, self.scope, self.clock = gate, key, scope, clock
        self.request = request
        self.number = 0
        self.candidates = {c.model: c for c in owner.policy.candidates()}
        self.options: dict[str, Option] = {}
        self.task: Task = task_of(request, scope.agent)
        self.check = ""
        self.failed: list[Option] = []
        """models of this call whose answers failed their check"""
        self.own_listener = scope.listener
        self.shown = Continued(scope.listener) if scope.listener is not None and scope.streaming else None

    async def run(self) -> Outcome:
        cached = CachedAnswers(self.policy, self.routes, self.request, self.scope)
        hit = await cached.answer(self.gate, self.key, self.clock)
        if hit is not None:
            return hit
        plan = self._plan()
        if self.shown is not None:
            self.scope.listener = self.shown
        try:
            outcome = await self._along(plan)
        finally:
            self.scope.listener = self.own_listener
            self._tell_breakers()
        if type(outcome) is Done and not outcome.replayed:
            cached.keep(outcome, self.clock)
        return outcome

    # --- the choice ------------------------------------------------------------------------------

    def _recorded(self, number: int) -> Any:
        if self.scope.recorded is None:
            return None
        return self.scope.recorded.get(self._key(number))

    def _key(self, number: int) -> str:
        return f"{self.key}#{number}" if number else self.key

    def _plan(self) -> list[str]:
        size = verifying.size_of(self.request)
        found = self.routes.options(self.policy, self.request, size, self.scope, self.gate)
        self.options = {o.model: o for o in found}
        routed = getattr(self.scope.recorded, "routed", {}).get(self.key) if self.scope.recorded is not None else None
        if routed is not None:
            self.check = routed.check
            return [m for m in routed.plan if m in self.candidates] or [routed.model]
        policy = self.policy
        self.check = verifying.check_name(self.request, policy.verify) if policy.cascade else ""
        rules = Rules(policy.strategy, policy.simple, policy.complex, policy.max_loss, policy.explore, policy.seed,
                      policy.min_saving)  # fmt: skip
        chance = f"{self.scope.run_id}/{self.key}"
        choice = self.routes.router.choose(self.task, found, rules, check=self.check, chance=chance)
        usable = sorted((o for o in found if not o.out), key=lambda o: (-o.capability, o.nano or 0))
        seen = [
            Seen(o.model, o.tier, choice.success.get(o.model, 0.0), choice.scores.get(o.model, 0.0), o.nano, o.out,
                 o.capability)
            for o in found
        ]  # fmt: skip
        self.scope.emit(
            Routed(
                self.key, policy.strategy, choice.plan[0], round(choice.difficulty, 4), choice.reason,
                tuple(seen),
                choice.explored, choice.plan, self.check, usable[0].nano, features(self.task),
            )
        )  # fmt: skip
        return list(choice.plan)

    # --- the attempts ----------------------------------------------------------------------------

    async def _along(self, plan: list[str]) -> Outcome:
        """Ask the models of the plan, then, where calls fail, the others that can be taken."""
        order = plan + [m for m, o in self.options.items() if m not in plan and not o.out]
        escalates = self.policy.strategy == "cost" and bool(self.check)
        outcome: Outcome | None = None
        for at, name in enumerate(order):
            following = order[at + 1] if at + 1 < len(order) else ""
            outcome = await self._of_model(self.candidates[name], following)
            if type(outcome) is Done:
                if outcome.value.stop_reason == "other" or outcome.value.usage.estimated:
                    from remit.models.unusual import tell

                    tell(self.key, name, outcome, self.scope)
                if self._accepted(name, outcome, escalates and at + 1 < len(plan)):
                    return outcome
                self._note("escalated", following, f"the answer of {name} failed {self.check}")
                if self.shown is not None:
                    self.shown.void(f"{name}: its answer failed {self.check}")
                continue
            if not following or not self._goes_on(outcome):
                return outcome
            self.routes.rest(self.candidates[name], self.policy.resilience.cooldown_s)
            why = outcome.error.code if type(outcome) is Failed else "refused"
            self._note("fallback", following, f"from {name} to {following}: {why}", {"from": name, "to": following})
        assert outcome is not None
        return outcome

    def _goes_on(self, outcome: Outcome) -> bool:
        return type(outcome) is Failed and outcome.error.code in _ELSEWHERE

    async def _of_model(self, each: Candidate, following: str) -> Outcome:
        """All attempts of one model."""
        rules, tries = self.policy.resilience, 0
        most = min(rules.retries, 1) if following else rules.retries
        while True:
            outcome, other_key = await self._attempt(each, following)
            if type(outcome) is not Failed or (not other_key and (tries >= most or not outcome.error.retryable)):
                return outcome
            tries += not other_key
            self._again(outcome.error)
            if not other_key and self._recorded(self.number) is None:  # a replayed attempt has waited before
                await self.clock.sleep(min(delay_s(outcome, tries, self.clock), rules.cap_s))

    def _again(self, error: RemitError) -> None:
        if self.shown is not None:
            self.shown.again(str(error))
        elif self.scope.listener is not None:
            self.scope.listener(None, StreamReset(self.number, str(error)))

    async def _attempt(self, each: Candidate, following: str) -> tuple[Outcome, bool]:
        """One attempt; True when another key of the same provider should be tried at once."""
        record = self._skip_cancelled()
        if record is not None and record.name in self.candidates:
            each = self.candidates[record.name]
        breaker = self.routes.breaker(each, self.policy)
        if record is None and not breaker.allow():
            return Failed(
                ModelError("model_overloaded", f"the breaker of {each.model} is open", retryable=False)
            ), False
        pool = self.routes.pool(each, self.policy)
        position = 0 if pool is None or record is not None else pool.take()
        if position is None:
            breaker.unknown()
            return Failed(ModelError("model_rate_limited", f"all keys of {each.model} rest", retryable=False)), False
        hedge = self.policy.resilience.hedge_s
        if hedge is not None and following and record is None and not self.scope.streaming:
            return await self._hedged(each, position, self.candidates[following], hedge), False
        outcome = await self._one(each, position, breaker)
        if type(outcome) is Failed and pool is not None:
            asked = getattr(outcome.error, "retry_after_s", None)
            return outcome, pool.failed(position, outcome.error.code, asked) and bool(pool.ready())
        return outcome, False

    def _skip_cancelled(self) -> Any:
        """The record of the next attempt; of hedged ones the loser was cancelled, and is passed over."""
        record = self._recorded(self.number)
        while record is not None and record.failed is not None and record.failed.code == "cancelled":
            if self._recorded(self.number + 1) is None:
                break
            self.number += 1
            record = self._recorded(self.number)
        return record

    async def _one(self, each: Candidate, position: int, breaker: Breaker) -> Outcome:
        key, self.number = self._key(self.number), self.number + 1
        try:
            model = self.routes.model(each, position)
            asked = replace(self.request, model=each.model.partition(":")[2])
            outcome = await self.gate.call_model(key, model, asked, self.scope)
        except RemitError as e:
            breaker.unknown()
            if isinstance(e, ModelError):
                return Failed(e)
            raise
        except asyncio.CancelledError:
            breaker.unknown()
            raise
        if type(outcome) is Done:
            breaker.success()
        elif type(outcome) is Failed and outcome.error.code in COUNTED:
            breaker.failure()
        else:
            breaker.unknown()
        return outcome

    async def _hedged(self, first: Candidate, position: int, second: Candidate, after_s: float) -> Outcome:
        """Two models at once, when the first takes long; the first answer counts, the other call is cancelled."""
        async with asyncio.TaskGroup() as group:
            one = group.create_task(self._one(first, position, self.routes.breaker(first, self.policy)))
            done, _ = await asyncio.wait({one}, timeout=after_s)
            breaker = self.routes.breaker(second, self.policy)
            if done or not breaker.allow():
                return await one
            self._note("hedged", second.model, f"{first.model} has not answered in {after_s:g} s")
            two = group.create_task(self._one(second, 0, breaker))
            done, _ = await asyncio.wait({one, two}, return_when=asyncio.FIRST_COMPLETED)
            winner = one if one in done else two
            if type(winner.result()) is not Done:
                winner = two if winner is one else one
                await asyncio.wait({winner})
            for task in (one, two):
                task.cancel()
            return winner.result()

    # --- what came of it -------------------------------------------------------------------------

    def _accepted(self, name: str, outcome: Done, escalates: bool) -> bool:
        """Whether the answer is taken; what its check said is learnt."""
        reply: Reply = outcome.value
        if self.shown is not None:
            self.shown.ended(reply.text)
        passed = verifying.verdict(self.request, reply, self.policy.verify) if self.check else None
        if not outcome.replayed:
            router, option = self.routes.router, self.options[name]
            router.used(name, reply.usage.input_tokens, reply.usage.output_tokens)
            if passed is not None:
                router.checked(self.task, option, passed, self.check, after=self.failed)
                self.routes.learnt()
            self.failed.append(option)
        went_on = outcome.replayed and self._recorded(self.number) is not None
        return not (went_on or (escalates and passed is False))

    def _note(self, kind: str, name: str, reason: str, data: dict[str, Any] | None = None) -> None:
        if self._recorded(self.number) is None:
            self.scope.emit(ModelNote(self.key, kind, name, reason, data or {}))

    def _tell_breakers(self) -> None:
        for note in self.routes.notes:
            self.scope.emit(replace(note, key=self.key))
        self.routes.notes.clear()
