"""What the tools delegate, converse, agent_message and agent_list do (ports/agents.py).

Whom they reach: the members of the team that the caller works in, and the agents that the runtime was given
(`Runtime(agents=[...])`). A delegate runs as a child of the call: under the meet of both remits, within the caller's
budget, with its label. Who delegates to whom is kept along the way, so that a circle and a chain that is too long are
refused before anything starts. Every prompt is sealed (handover.py).
"""

from __future__ import annotations

from contextvars import ContextVar
from functools import partial
from hashlib import sha256
from typing import Any, Final

from remit.agents.agent import Agent
from remit.core.budget import Budget
from remit.core.events import Noted
from remit.core.ids import new_id
from remit.core.remit import Remit
from remit.errors import Conflict, Denied, Exhausted, Invalid, RemitError, Unavailable
from remit.journal.chain import decode_event
from remit.ports.agents import AgentRow, Less
from remit.ports.runtime import current, current_call
from remit.teams.activation import real_runtime
from remit.teams.handover import Handover, key_of, opened, seal
from remit.teams.members import name_of, narrowed
from remit.teams.recording import Recording
from remit.teams.values import text_of

MAX_DEPTH: Final = 3  # Source: spec/teams.md 13
MAX_TURNS: Final = 10  # of a delegate, and of a conversation. Source: spec/teams.md 13
ACTIONS: Final = ("send", "request", "receive", "answer")
_chain: ContextVar[tuple[str, ...]] = ContextVar("remit_delegates", default=())


class Delegates:
    """The other agents of whoever calls."""

    async def delegate(self, ctx: Any, name: str, task: str, less: Less) -> Any:
        """See ports.agents.Agents."""
        return await hand_over(ctx, _narrowed(self._reachable(name), less), task)

    async def converse(self, ctx: Any, name: str, message: str, conversation: str = "") -> tuple[str, str, int]:
        """See ports.agents.Agents."""
        member = self._reachable(name)
        call = current_call.get()
        assert call is not None
        conversation = conversation or f"{name}-{sha256(ctx.idempotency_key.encode()).hexdigest()[:8]}"
        prefix = f"converse/{conversation}/"
        await call.scope.log.flush()
        said = {n.key: n.value for n in _notes(ctx.run_id) if n.key.startswith(prefix)}
        mine = f"{prefix}{ctx.key}"
        if any(turn["with"] != name for turn in said.values()):
            raise Invalid("value_invalid", f"the conversation {conversation[:80]} is with somebody else")
        before = [turn for key, turn in said.items() if key != mine]
        if len(before) >= MAX_TURNS:
            raise Exhausted("turns_exceeded", f"the conversation {conversation[:80]} has had its {MAX_TURNS} turns")
        talk = "\n\n".join(f"{ctx.agent}: {turn['said']}\n\n{name}: {turn['reply']}" for turn in before)
        prompt = f"{talk}\n\n{ctx.agent}: {message}\n\nAnswer as {name}." if talk else message
        reply = text_of(await hand_over(ctx, _narrowed(member, Less()), prompt))
        if mine not in said:
            call.scope.emit(Noted(mine, {"with": name, "said": message, "reply": reply}))
        return conversation, reply, MAX_TURNS - len(before) - 1

    async def message(
        self, ctx: Any, action: str, *, to: str = "", text: str = "", route: str = "", correlation: str = ""
    ) -> str:
        """See ports.agents.Agents."""
        boxes = self._boxes(ctx)
        try:
            match action:
                case "send":
                    return f"sent to {', '.join(await boxes.send(ctx.agent, text, to=to, route=route))}"
                case "request":
                    mail = await boxes.request(ctx.agent, to, text)
                    return f"{mail.sender} {'could not answer' if mail.kind == 'error' else 'answers'}: {mail.text}"
                case "receive":
                    mail = await boxes.take(ctx.agent)
                    ask = f" It waits for your answer; correlation {mail.correlation}" if mail.correlation else ""
                    return f"from {mail.sender}: {mail.text}{ask}"
                case "answer":
                    await boxes.answer(ctx.agent, boxes.opened(ctx.agent, correlation), text)
                    return "answered"
                case _:
                    raise Invalid("value_invalid", f"action {action!r:.40}; one of {', '.join(ACTIONS)}")
        except Conflict as error:
            if error.code not in ("deadlock", "channel_closed"):
                raise  # the journal's own
            return error.for_model()  # a value for the model: the run goes on

    def rows(self, ctx: Any) -> list[AgentRow]:
        """See ports.agents.Agents."""
        work = _work()
        boxes = {} if work is None or work.mailboxes is None else {row["name"]: row for row in work.mailboxes.rows()}
        known = _known()
        found = []
        for name in sorted({*known, *boxes} - {ctx.agent}):
            reach = "both" if name in known and name in boxes else "message" if name in boxes else "delegate"
            about = str(getattr(known.get(name), "instructions", "") or "").partition("\n")[0][:200]
            row = boxes.get(name, {})
            found.append(AgentRow(name, about, reach, row.get("status", ""), row.get("inbox", 0)))
        return found

    def _reachable(self, name: str) -> Any:
        """The agent or team of that name, where it may be started from here."""
        known = _known()
        if name not in known:
            hint = f"Agents: {', '.join(known) or 'none'}"
            raise Invalid("recipient_unknown", f"there is no agent {name!r:.60}", hint=hint)
        chain = _chain_here()
        if name in chain:
            hint = "Do it yourself, or ask another."
            raise Denied("delegation_denied", f"a circle: {' -> '.join((*chain, name))}", hint=hint)
        if len(chain) > MAX_DEPTH:
            raise Denied("delegation_denied", f"{' -> '.join(chain)} is {MAX_DEPTH} levels deep already")
        return known[name]

    def _boxes(self, ctx: Any) -> Any:
        work = _work()
        if work is None or work.mailboxes is None or ctx.agent not in work.mailboxes.parties:
            hint = "Its team makes them: Mailboxes(work, [...])"
            raise Invalid("value_invalid", f"{ctx.agent} has no mailbox here", hint=hint)
        return work.mailboxes


async def hand_over(ctx: Any, member: Any, task: str) -> Any:
    """Run `member` on `task` as a child of the call; its output, or its error.

    The child's id follows from the call's key, so that after a crash the same child goes on.

    Raises: prompt_altered, and whatever the member ended with.
    """
    runtime = real_runtime()
    name, child = name_of(member), _child_of(ctx.idempotency_key)
    handed = _recorded(ctx, seal(key_of(runtime), ctx.run_id, name, child, task))
    run = await receive(handed, member, name, child, ctx.deps)
    if run.status != "ok":
        raise run.error or Unavailable("team_failed", f"{name} ended {run.status}")
    return run.output


async def receive(handed: Handover, member: Any, name: str, child: str, deps: Any = None) -> Any:
    """Begin (or go on with) the receiver's run, once its prompt is what was handed over; raises prompt_altered."""
    runtime = real_runtime()
    prompt = opened(key_of(runtime), handed, name, child)
    try:
        before = runtime.journal.read(child, 0, 1)
    except RemitError:
        before = []
    for entry in before:
        task = getattr(decode_event(entry.body), "task", "")
        opened(key_of(runtime), Handover(handed.sender, name, child, task, handed.mac), name, child)
    token = _chain.set((*_chain_here(), name))
    try:
        if isinstance(member, Agent):
            resume, start = partial(runtime.resume, child, member), partial(runtime.run, member, prompt, run_id=child)
        else:
            resume, start = partial(member.resume, child), partial(member.carry_out, prompt, run_id=child)
        return await (resume(deps=deps) if before else start(deps=deps))
    finally:
        _chain.reset(token)


def _recorded(ctx: Any, handed: Handover) -> Handover:
    """The handover with the seal that stands in the sender's journal; the first activation writes it."""
    call = current_call.get()
    assert call is not None
    scope, key = call.scope, f"{ctx.key}/handover"
    record = scope.recorded.get(key) if scope.recorded is not None else None
    if record is None:
        scope.emit(Noted(key, {"run": handed.run_id, "to": handed.receiver, "mac": handed.mac}))
        return handed
    return Handover(handed.sender, handed.receiver, handed.run_id, handed.prompt, str(record.value["mac"]))


def _child_of(idempotency_key: str) -> str:
    bits = int.from_bytes(sha256(idempotency_key.encode()).digest()[:16], "big")
    return new_id("run", bits >> 80, bits)


def _narrowed(member: Any, less: Less) -> Any:
    """The member as a delegate: fewer turns, and whatever else was taken away."""
    kept = None
    if less.tools is not None and isinstance(member, Agent):
        named = {t if isinstance(t, str) else t.name: t for t in member.tools or ()}
        unknown = sorted({*less.tools} - named.keys())
        if unknown:
            raise Invalid("tool_unknown", f"{member.name} has no tool {', '.join(unknown)[:200]}")
        kept = [named[name] for name in dict.fromkeys(less.tools)]
    ceiling = Remit.allow(*less.within) if less.within else None
    budget = Budget(usd=less.usd, tokens=less.tokens)
    return narrowed(member, ceiling=ceiling, tools=kept, budget=budget, max_turns=MAX_TURNS)


def _chain_here() -> tuple[str, ...]:
    """Who has delegated to whom, down to the caller."""
    call, chain = current_call.get(), _chain.get()
    name = "" if call is None else call.scope.agent
    return chain if not name or name in chain else (*chain, name)


def _work() -> Any:
    runtime = current()
    return runtime.work if isinstance(runtime, Recording) else None


def _known() -> dict[str, Any]:
    """Agents and teams by name: of the runtime, and before them of the caller's team."""
    work = _work()
    given = () if work is None else work.members.values()
    members = [m for m in given if isinstance(m, Agent) or hasattr(m, "carry_out")]
    return {**real_runtime().agents, **{name_of(m): m for m in members}}


def _notes(run_id: str) -> list[Noted]:
    events = [decode_event(entry.body) for entry in real_runtime().journal.read(run_id)]
    return [event for event in events if isinstance(event, Noted)]
