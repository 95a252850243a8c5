"""Handoffs: an agent passes the conversation on to another, which may pass it on or give it back.

An agent hands over by a line of its own, `HANDOFF name: message` (and back by `RETURN: message`), or a trigger does it
for it. What travels is the task and, as `transfer` says, all that was said, a summary, chosen parts, or only the
message. The receiver works under its own remit *and* the sender's; its own tools are granted by naming it here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Unpack

from msgspec import Struct

from remit.agents.agent import Agent
from remit.core.remit import UNSET, Remit
from remit.errors import Denied, Exhausted, Unavailable
from remit.teams.members import copy_of, members_of
from remit.teams.outcome import TeamEnd
from remit.teams.patterns._shared import TeamOptions, calls, named, prompt, refuse, section
from remit.teams.team import Team
from remit.teams.values import Answer, Estimate, text_of
from remit.teams.work import Work

TRANSFERS: Final = ("full", "summary", "selective", "minimal")
TRIGGERS: Final = ("keywords", "pattern", "custom", "always")
_HANDOFF: Final = re.compile(r"^HANDOFF\s+([\w.-]+)\s*:?[ \t]*(.*)$", re.MULTILINE)
_RETURN: Final = re.compile(r"^RETURN\b\s*:?[ \t]*(.*)$", re.MULTILINE)
SUMMARY_CHARS: Final = 2_000  # of what was said, where no summarizer is named


class Trigger(Struct, frozen=True):
    """A handoff without the agent's own decision: when its answer fits, the conversation goes to `target`."""

    source: str
    target: str
    kind: str = "keywords"
    """keywords (any of them) | pattern (a regular expression) | custom (a function of the text) | always"""
    value: Any = ()

    def fires(self, text: str) -> bool:
        """Whether it fits the answer."""
        match self.kind:
            case "always":
                return True
            case "keywords":
                return any(str(word).casefold() in text.casefold() for word in self.value)
            case "pattern":
                return re.search(self.value, text) is not None
            case _:
                return bool(self.value(text))


class Handoffs(Team):
    """Agents that pass one conversation on.

    When: who is right for a task shows only while working on it (support lines, specialists).
    When not: it shows beforehand (Router), or several must work at once (Crew, Ensemble).
    Cost: 1 model call for each agent that has the conversation, `max_handoffs` + 1 at most; summaries are 1 more each.

    Args:
        members: name -> agent or team.
        start: who has it first; the first member by default.
        targets: name -> names it may hand to; every other one by default.
        triggers: handoffs that need no decision of the agent.
        transfer: full | summary (default) | selective (`select`) | minimal.
        select: for selective: a function of (member, text) -> whether that part travels.
        summarizer: who writes summaries; without one the end of what was said is taken.
        max_handoffs, depth: handoffs at most, and levels without a return.
        allow_handback: whether a receiver may give it back.
    """

    def __init__(  # noqa: PLR0913  # a definition: every option is a keyword with a default
        self,
        members: Mapping[str, Any],
        *,
        start: str = "",
        targets: Mapping[str, Sequence[str]] | None = None,
        triggers: Sequence[Trigger] = (),
        transfer: str = "summary",
        select: Callable[[str, str], bool] | None = None,
        summarizer: Any = None,
        max_handoffs: int = 10,
        depth: int = 5,
        allow_handback: bool = True,
        **options: Unpack[TeamOptions],
    ) -> None:
        given_options, name = named(options, "handoffs", on_failure="fail")
        where = f"handoffs {name}"
        self.agents, self.start = dict(members), start or next(iter(members), "")
        self.targets = {n: tuple(t for t in members if t != n) for n in members} | {
            n: tuple(t) for n, t in (targets or {}).items()
        }
        self.triggers, self.transfer, self.select, self.summarizer = tuple(triggers), transfer, select, summarizer
        self.max_handoffs, self.depth, self.allow_handback = max_handoffs, depth, allow_handback
        self._check(where)
        known = {**members, **({} if summarizer is None else {"summarizer": summarizer})}
        super().__init__(name, self._work, members=known, kind="handoffs", **given_options)

    def _check(self, where: str) -> None:
        known = f"Members: {', '.join(self.agents)}"
        if self.start not in self.agents:
            raise refuse(where, f"start={self.start!r:.60}", known)
        if self.transfer not in TRANSFERS or (self.transfer == "selective") != (self.select is not None):
            raise refuse(
                where, f"transfer={self.transfer!r}", f"One of {', '.join(TRANSFERS)}; selective needs select=."
            )
        if not 0 <= self.max_handoffs <= 100 or not 1 <= self.depth <= 100:
            raise refuse(where, f"max_handoffs={self.max_handoffs} depth={self.depth}", "At most 100 each.")
        pairs = [(s, t) for s, names in self.targets.items() for t in names]
        for source, target in (*pairs, *((t.source, t.target) for t in self.triggers)):
            if source not in self.agents or target not in self.agents:
                raise refuse(f"{where}, {source} -> {target}", "there is no such member", known)
            if source == target:
                raise refuse(f"{where}, {source} -> {target}", "it hands over to itself", "Name another member.")
        for trigger in self.triggers:
            if trigger.kind not in TRIGGERS:
                raise refuse(f"{where}, trigger", f"kind={trigger.kind!r}", f"One of: {', '.join(TRIGGERS)}")

    def estimate(self) -> Estimate:
        """Agents that have the conversation, and summaries."""
        single = [calls([(m, 1, 1)], "") for m in self.agents.values()]
        extra = self.max_handoffs if self.summarizer is not None and self.transfer == "summary" else 0
        most = max(s.most for s in single) * (self.max_handoffs + 1) + extra
        return Estimate(min(s.least for s in single), most, f"1 + at most {self.max_handoffs} handoffs")

    async def _work(self, work: Work, task: Any) -> Any:
        stack, said = [self.start], list[Answer]()
        text, message = text_of(task), ""
        held = self._held(self.start, None)
        work.progress.total = 1
        for number in range(self.max_handoffs + 1):
            name = stack[-1]
            context = await self._context(work, said, number)
            asked = prompt(section("Task", text), context, section("Handed over with", message) if message else "",
                           self._how(stack))  # fmt: skip
            answer = await work.ask(self._under(name, held), asked, key=f"turn/{number}/{name}", reads=said)
            if not answer.ok:
                raise answer.problem()
            said.append(answer)
            work.progress.done, work.progress.total = number + 1, number + 1
            work.progress.output = _own_words(answer.text)
            work.progress.notes["path"] = [*work.progress.notes.get("path", []), name]
            target, message = self._next(stack, answer.text)
            if not target:
                work.progress.notes["handoff"] = "completed"
                return _own_words(answer.text) if isinstance(answer.output, str) else answer.output
            if len(stack) > 1 and target == stack[-2]:
                stack.pop()
                work.progress.notes["handoff"] = "handed_back"
            else:
                self._allowed(stack, target)
                held = self._held(target, held)
                stack.append(target)
        work.progress.notes["handoff"] = "depth_exceeded"
        raise Exhausted("turns_exceeded", f"{self.name} passed its {self.max_handoffs} handoffs")

    def _allowed(self, stack: list[str], target: str) -> None:
        if target not in self.targets.get(stack[-1], ()):
            known = ", ".join(self.targets.get(stack[-1], ())) or "nobody"
            error = Denied("delegation_denied", f"{stack[-1]} may not hand over to {target[:60]}; it may to {known}")
            raise TeamEnd("denied", error)
        if target in stack:
            ring = " -> ".join([*stack[stack.index(target) :], target])
            raise TeamEnd("failed", Unavailable("team_failed", f"circular handoff {ring}; only a return may go back"))
        if len(stack) > self.depth:
            raise TeamEnd("exhausted", Exhausted("turns_exceeded", f"handoffs deeper than {self.depth} levels"))

    def _next(self, stack: list[str], text: str) -> tuple[str, str]:
        """(who is next, the message); "" = nobody."""
        found = _HANDOFF.search(text)
        if found is not None:
            return found[1], found[2].strip()
        back = _RETURN.search(text)
        if back is not None and self.allow_handback and len(stack) > 1:
            return stack[-2], back[1].strip()
        for trigger in self.triggers:
            if trigger.source == stack[-1] and trigger.target not in stack and trigger.fires(text):
                return trigger.target, ""
        return "", ""

    async def _context(self, work: Work, said: list[Answer], number: int) -> str:
        if not said or self.transfer == "minimal":
            return ""
        parts = [(a.member, a.text) for a in said]
        if self.transfer == "selective" and self.select is not None:
            parts = [part for part in parts if self.select(*part)]
        told = "\n\n".join(section(member, text) for member, text in parts)
        if self.transfer != "summary":
            return section("So far", told) if told else ""
        if self.summarizer is None:
            return section("So far (the end of it)", told[-SUMMARY_CHARS:])
        ask = "Summarise this for whoever goes on: open points, decisions, names and numbers verbatim."
        short = await work.ask(self.summarizer, prompt(told, ask), key=f"turn/{number}/summary", reads=said)
        return section("So far, in short", short.text if short.ok else told[-SUMMARY_CHARS:])

    def _how(self, stack: list[str]) -> str:
        names = [t for t in self.targets.get(stack[-1], ()) if t not in stack]
        back = f" To give it back to {stack[-2]}: RETURN: message" if self.allow_handback and len(stack) > 1 else ""
        return f"To hand over to one of {', '.join(names)}: HANDOFF name: message.{back}" if names else back.strip()

    def _held(self, name: str, before: Remit | None) -> Remit | None:
        """The remit that the conversation has under this member: its own and all before it."""
        remit: Remit = getattr(self.agents[name], "remit", UNSET)
        own = remit.with_implied(members_of(self.agents))
        return own if before is None else before.meet(own)

    def _under(self, name: str, held: Remit | None) -> Any:
        agent = self.agents[name]
        if not isinstance(agent, Agent) or held is None or len(held.layers) < 2:
            return agent
        under = copy_of(agent)
        under.remit = held
        return under


def _own_words(text: str) -> str:
    """An answer without its handoff lines."""
    return _RETURN.sub("", _HANDOFF.sub("", text)).strip()
