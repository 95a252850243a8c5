"""The door. `Gate.perform` is the nine blocks, in order; nothing else in remit makes an effect.

    1 resolve  2 grant  3 flow  4 rate  5 budget  6 approval  7 intent  8 effect  9 outcome

Invariants: no effect without a passed block 2; the intent of an effect that is not pure is durable
before block 8; whatever happens, exactly one outcome is journalled, reservations are settled and
handles revoked. On replay the journal answers instead of blocks 2 to 9.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from remit.core.effects import Ask, Deny, Done, Failed, Need, Outcome, Parked, Refusal, Refused, Waiting, must, storable
from remit.core.events import EffectDenied, EffectDone, EffectFailed, EffectInDoubt, WaitClosed
from remit.core.ids import idempotency_key, new_id
from remit.core.labels import join
from remit.core.messages import ToolCall
from remit.core.model import ModelRequest, Reply, StreamEnd
from remit.core.needs import net
from remit.core.shown import as_text
from remit.errors import Conflict, Denied, Exhausted, Invalid, ModelError, RemitError, Unavailable
from remit.gate import approval, budget, flow, grant
from remit.gate.resolve import Action, model_action, tool_action
from remit.gate.scope import Scope
from remit.guard.handles import Lease
from remit.guard.ledger import Pricing, Reservation
from remit.guard.policy_admission import joined
from remit.guard.policy_meter import InFlight
from remit.guard.rates import Rates
from remit.guard.screening import Screening
from remit.ports.runtime import ToolBody, current_call
from remit.ports.tool import Context

if TYPE_CHECKING:
    from remit.ports.approver import Approver
    from remit.ports.clock import Clock
    from remit.ports.model import Model

_encode = msgspec.json.Encoder().encode


class Gate:
    """One gate a runtime. It holds no state of a run; that is the scope's."""

    def __init__(self, *, clock: Clock, rates: Rates, pricing: Pricing, approver: Approver | None = None) -> None:
        self._clock = clock
        self._rates = rates
        self._pricing = pricing
        self.approver = approver
        self.approval_s: float | None = None  # how long a question stays open; None = until somebody answers
        self.transact: Callable[..., Any] | None = None  # the journal's, for tools of its tier
        self.screening = Screening()
        self.mask: Callable[[str], str] = str  # vault values out of what a tool returned

    async def call_tool(self, key: str, call: ToolCall, scope: Scope) -> Outcome:
        """Perform a tool call; a person's edit sends it through every block again."""
        answer: WaitClosed | None = None
        record = scope.recorded.get(key) if scope.recorded is not None else None
        if record is not None and record.answer is not None:
            answer = record.answer
            if answer.decision == "edited" and answer.arguments is not None:
                call = msgspec.structs.replace(call, arguments=answer.arguments, invalid="")
        while True:
            action = tool_action(key, call, scope)  # ---------------------------------- 1 resolve
            if isinstance(action, Deny):
                return self._refuse(action, key, call.name, scope, arguments=call.arguments)
            try:
                return await self.perform(action, scope, answer)
            except approval.Edited as edit:
                answer = edit.answer
                call = msgspec.structs.replace(call, arguments=answer.arguments, invalid="")

    def call_model(self, key: str, model: Model, request: ModelRequest, scope: Scope) -> Coroutine[Any, Any, Outcome]:
        """Perform one attempt of a model call."""
        if model.url:
            scope.screen = self.screening.for_model(model.url, scope.screen, scope.emit)
        if (
            scope.ledger.limited or self._rates.limited or not scope.authority.quiet
        ) and request.settings.max_tokens is None:
            # A ceiling can only be kept when the reply has one.
            settings = msgspec.structs.replace(request.settings, max_tokens=budget.DEFAULT_MAX_OUTPUT)
            request = msgspec.structs.replace(request, settings=settings)
        known = "" if scope.recorded is None else scope.recorded.known_digest(key, len(request.messages))
        return self.perform(model_action(key, model, request, known), scope)  # --------- 1 resolve

    async def perform(self, action: Action, scope: Scope, answer: WaitClosed | None = None) -> Outcome:
        """The nine blocks for a resolved action; a check that says no raises Refusal."""
        agreed = False
        if scope.recorded is not None:
            recorded = await self._replayed(action, scope)
            if not isinstance(recorded, bool):
                return recorded
            agreed = recorded
        held: Reservation | None = None
        outcome: Outcome | None = None
        rated: Any = None
        try:
            asked = self._granted(action, scope)  # ------------------------------------- 2 grant
            ask = self._judge(asked, action, scope, agreed)  # --------------------------- 3 flow
            if scope.screen is not None and action.tool is not None:
                ask = await self._screened(ask, action, scope)
            if self._rates.limited:  # --------------------------------------------------- 4 rate
                rated = await self._rates.acquire(action, scope, self._pricing, self._clock.now_ms())
            held = self._reserve(action, scope)  # -------------------------------------- 5 budget
            if ask is not None:  # ------------------------------------------------------ 6 approval
                waiting = await approval.settle(ask, action, scope, answer, self)
                if waiting is not None:
                    return waiting
            scope.emit(action.intent(scope.label))  # ----------------------------------- 7 intent
            # ------------------------------------------------------------------------- 8 effect, 9 outcome
            outcome = await (self._effect if action.tier == "pure" else self._act)(action, scope)
            return outcome
        except Refusal as no:
            return self._refuse(no.deny, action.key, action.name, scope, action)
        finally:
            self._settle(action, scope, outcome, held)
            if rated is not None:
                self._rates.release(rated, action, scope, outcome)

    async def _replayed(self, action: Action, scope: Scope) -> Outcome | bool:
        """What the journal says became of the effect; else whether a person has already agreed to it."""
        from remit.gate import replay  # only a resumed run needs it

        recorded = await replay.answer(action, scope, self._lend, self._clock)
        if not isinstance(recorded, bool):
            scope.authority.recount(scope.remit, action, recorded, self._clock.now_ms())
        return recorded

    def _settle(self, action: Action, scope: Scope, outcome: Outcome | None, held: Reservation | None) -> None:
        if action.admitted is not None:
            scope.authority.settle(action, outcome, self._clock.now_ms())
        if held is not None:
            scope.ledger.settle(held, None, None)

    def _judge(self, asked: Ask | None, action: Action, scope: Scope, agreed: bool) -> Ask | None:
        found = flow.check(action, scope)
        if isinstance(found, Deny):
            raise Refusal(found)
        if scope.forked and action.tier == "unsafe":
            asked = joined(asked, Ask(f"This run is a fork: {action.name} may have happened before. Do it?"))
        return None if agreed else joined(asked, found)

    async def _screened(self, ask: Ask | None, action: Action, scope: Scope) -> Ask | None:
        assert scope.screen is not None
        verdict = await scope.screen.before(action.key, action.name, action.arguments, ask)
        if isinstance(verdict, Deny):
            raise Refusal(verdict)
        return verdict

    def _granted(self, action: Action, scope: Scope) -> Ask | None:
        must(self.screening.stopped())
        cleared = scope.cleared
        if cleared is not None and action.clearing in cleared and scope.authority.plain:
            return None  # ruled before, and a ruling without bounds is the same at any time
        now_ms = self._clock.now_ms()
        if action.model is not None and action.model.url:
            # Naming a model grants its own address; only a denial can stand against that.
            must(grant.check_denials(scope.remit, net("POST", action.model.url), now_ms))
            for need in getattr(action.model, "secret_needs", ()):  # its key lies in the vault
                must(grant.check_denials(scope.remit, need, now_ms))
        if not scope.authority.plain:
            return grant.admit(action, scope, now_ms, self._pricing)
        must(grant.check(scope.remit, action.needs, now_ms))
        if action.tool is not None and action.tool.builtin:
            must(grant.check_denials(scope.remit, Need("tool", action.name), now_ms))
        elif cleared is not None and action.clearing:
            cleared.add(action.clearing)
        return None

    def _reserve(self, action: Action, scope: Scope) -> Reservation | None:
        ledger = scope.ledger
        if ledger.deadline is not None and self._clock.monotonic() >= ledger.deadline:
            raise Refusal(Deny("deadline_exceeded", "budget", "the run's time is used up"))
        if action.request is None:
            budget.reserve_tool(ledger)
            return None
        maximum = action.request.settings.max_tokens or budget.DEFAULT_MAX_OUTPUT
        return budget.reserve_model(ledger, action.name, (action.size, maximum), self._pricing, self._clock.now_ms())

    async def _act(self, action: Action, scope: Scope) -> Outcome:
        """An effect that must not be cut: its intent is durable first."""
        scope.acting += 1
        try:
            await scope.log.flush()
            return await self._effect(action, scope)
        finally:
            scope.acting -= 1
            if scope.calm is not None and not scope.acting:
                await scope.calm()

    async def _effect(self, action: Action, scope: Scope) -> Outcome:
        action.tried = True
        started = self._clock.monotonic()
        try:
            if action.tool is not None:
                return await self._run_tool(action, scope, started)
            with InFlight(scope.authority, scope.remit, action.needs):
                assert action.model is not None and action.request is not None
                if scope.screen is None and not scope.streaming:
                    reply = await action.model.request(action.request)
                else:
                    reply = await _ask_model(action.key, action.model, action.request, scope)
        except asyncio.CancelledError:
            self._interrupted(action, scope, started)
            raise
        except Parked as parked:  # its own code waits for a person or a moment
            from remit.guard.waits import park

            return park(scope, action.key, parked)
        except RemitError as e:
            return self._failed(e, action, scope, started)
        except Exception as e:  # a model that somebody else wrote may raise anything; the run ends with a clear error
            if action.tool is not None:
                raise
            why = f"{action.name} failed: {type(e).__name__}: {str(e)[:500]}"
            return self._failed(ModelError("model_failed", why), action, scope, started)
        usage, nano = reply.usage, self._pricing.cost(action.name, reply.usage, self._clock.now_ms())
        scope.ledger.settle(None, usage, nano)
        action.nano = nano or 0
        try:
            result = storable_reply(reply, scope.listener is not None)
            scope.emit(EffectDone(action.key, result, scope.label, usage, nano, self._since(started)))
        except (Invalid, ModelError) as e:  # it is no JSON, and nothing of it was written
            return self._failed(ModelError("model_bad_reply", e.message), action, scope, started)
        withheld = None if scope.screen is None else scope.screen.withheld.pop(action.key, None)
        return Done(reply, scope.label) if withheld is None else Refused(withheld)

    async def _run_tool(self, action: Action, scope: Scope, started: float) -> Outcome:
        tool = action.tool
        assert tool is not None
        signature = tool.signature
        lease = Lease(action.needs, builtin=tool.builtin, tainted=scope.label.untrusted, timeout_s=tool.timeout_s)
        scope.authority.equip(lease, action.admitted, action.facts)
        values = action.values
        if signature.context:
            values = {**values, signature.context: self._lend(action, scope, lease)}
        token = current_call.set(call := ToolBody(scope, action.key, action.brought))
        limit = InFlight(scope.authority, scope.remit, action.needs, lease, tool.timeout_s)
        try:
            with limit:
                if tool.tier == "transactional" and self.transact is not None:
                    key = idempotency_key(scope.run_id, action.key)
                    value = await self.transact(key, tool, values, values.get(signature.context))
                elif signature.is_async:
                    value = await tool.fn(**values)
                else:
                    value = await asyncio.to_thread(tool.fn, **values)
        except RemitError:
            raise
        except Exception as e:  # the tool's own code may raise anything; the run goes on
            if isinstance(e, TimeoutError) and limit.over:
                raise Exhausted("tool_timeout", f"{tool.name} passed its deadline of {tool.timeout_s:g} s") from None
            why = self.mask(str(e))[:500]  # before the cut: half a value is no value to the mask
            raise Unavailable("tool_failed", f"{tool.name} failed: {type(e).__name__}: {why}") from e
        finally:
            current_call.reset(token)
            lease.revoked = True
            action.touched = tuple(lease.touched)
            # A tool that labels its fields answers for what its handles brought; for its sub-agents nobody can.
            action.brought = call.label if action.flow is not None else join(lease.label, call.label)
        text = as_text(value, tool.max_chars, self.mask)
        if scope.screen is not None:
            text = await scope.screen.result(action.key, tool.name, text)
        shown, label = flow.taken(action, scope, text)
        label = join(scope.label, label)
        result: Any = text if scope.listener is None else msgspec.Raw(_encode(text))
        scope.emit(EffectDone(action.key, result, label, None, None, self._since(started), action.touched))
        return Done(shown, label)

    def _lend(self, action: Action, scope: Scope, lease: Lease) -> Context[Any]:
        return Context(
            scope.deps,
            run_id=scope.run_id,
            agent=scope.agent,
            key=action.key,
            idempotency_key=idempotency_key(scope.run_id, action.key),
            now_ms=self._clock.now_ms(),
            handles=scope.handles(scope, lease),
            waits=partial(_waits, scope, action.key, self),
        )

    def _failed(self, e: RemitError, action: Action, scope: Scope, started: float) -> Outcome:
        if isinstance(e, Conflict) or e.code == "disk_failed":
            raise e  # the journal itself failed: nothing more may be done in this run
        if action.tool is not None:
            e.message = self.mask(e.message)  # a tool's own error may quote what it read
        if e.code == "revoked" and action.tier != "pure":
            return self._doubt(action, scope)  # stopped under way: nobody knows what it had done
        if isinstance(e, Denied) or e.code == "sandbox_missing":  # no sandbox is a refusal, never a fallback
            return self._refuse(Deny(e.code, "effect", e.message, e.hint), action.key, action.name, scope, action)
        label = scope.label if action.tool is None else join(join(scope.label, action.tool.label), action.brought)
        if action.tool is not None and e.code != "tool_failed":
            label = scope.label  # the text is remit's own
        elif action.flow is not None:
            label = join(label, flow.failed(action, scope, e.message))
        duration = self._since(started)
        scope.emit(EffectFailed(action.key, e.code, e.message, e.hint, e.retryable, label, duration, action.touched))
        return Failed(e, label)

    def _interrupted(self, action: Action, scope: Scope, started: float) -> None:
        """A cancelled effect: what may run again has failed, what may not is in doubt."""
        if action.tier != "unsafe":
            scope.emit(EffectFailed(action.key, "cancelled", "cancelled", duration_ms=self._since(started)))
        else:
            self._doubt(action, scope)

    def _doubt(self, action: Action, scope: Scope) -> Waiting:
        item = new_id("doubt", self._clock.now_ms(), self._clock.random_bits(80))
        scope.emit(EffectInDoubt(action.key, item, action.name, action.digest, action.arguments))
        return Waiting(item, "in_doubt")

    def _refuse(
        self, deny: Deny, key: str, name: str, scope: Scope, action: Action | None = None, arguments: Any = None
    ) -> Refused:
        scope.denied += 1
        known = scope.recorded.get(key) if scope.recorded is not None else None
        if known is not None and known.state == "denied":
            return Refused(deny)  # the journal says so already
        digest, arguments = (action.digest, action.arguments) if action is not None else ("", storable(arguments))
        shown = name[:64].encode("ascii", "replace").decode()
        scope.emit(EffectDenied(key, shown, deny.check, deny.code, deny.why, deny.hint, digest, arguments, deny.rule))
        return Refused(deny)

    def _since(self, started: float) -> int:
        return round((self._clock.monotonic() - started) * 1000)


def _waits(scope: Scope, key: str, gate: Gate) -> Any:
    from remit.guard.waits import waits_of  # most tools wait for nobody

    return waits_of(scope, key, gate._clock, gate.approver)


async def _ask_model(key: str, model: Model, request: ModelRequest, scope: Scope) -> Reply:
    """Through the screen, or streamed: for whoever wants the pieces, and once a whole reply took too long."""
    if scope.screen is not None:
        return await scope.screen.ask(key, model, request, scope.streaming, scope.listener)
    listener = scope.listener
    async for event in model.stream(request):
        if type(event) is StreamEnd:
            return event.reply
        if listener is not None:
            listener(None, event)
    raise ModelError("model_stream_cut", "the model's stream ended without a reply")


def storable_reply(reply: Reply, shown: bool) -> Any:
    """A reply as journalled, without the provider's raw body: as it is read back (`shown`), or as it is written.

    Raises model_bad_reply for what is not JSON; with `shown` false the journal does, by value_invalid.
    """
    bare = reply if reply.source is None else msgspec.structs.replace(reply, source=None)
    if not shown:
        return bare
    try:
        return msgspec.Raw(_encode(bare))
    except (ValueError, TypeError, RecursionError) as e:
        raise ModelError("model_bad_reply", f"the reply holds what JSON cannot: {str(e)[:200]}") from e
