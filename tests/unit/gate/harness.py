"""A gate with everything behind it in memory: what the gate's tests share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any

from remit.core.budget import UNLIMITED, Budget, Limit
from remit.core.effects import Outcome
from remit.core.events import RunStarted
from remit.core.labels import Label
from remit.core.messages import ToolCall
from remit.core.remit import UNSET, Remit
from remit.core.tools import Tool
from remit.gate.door import Gate
from remit.gate.scope import Scope
from remit.guard.ledger import Ledger, Pricing
from remit.guard.rates import Rates
from remit.journal.chain import decode_event
from remit.journal.memory import MemoryJournal
from remit.ports.approver import Answer

FREE = Pricing(lambda *_: 0, lambda *_: 0)


class TestClock:
    """Time that moves only when told."""

    __test__ = False

    def __init__(self) -> None:
        self.now = 0.0
        self.bits = 0

    def now_ms(self) -> int:
        return round(self.now * 1000)

    def monotonic(self) -> float:
        return self.now

    def random_bits(self, bits: int) -> int:
        self.bits += 1
        return self.bits

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


class Person:
    """An approver with a prepared answer; it notes what it was asked."""

    def __init__(self, answer: Answer | None) -> None:
        self.answer = answer
        self.asked: list[Any] = []

    async def ask(self, row: Any) -> Answer | None:
        self.asked.append(row)
        return self.answer


class House:
    """One gate, one journal, one scope."""

    def __init__(
        self,
        *tools: Tool,
        remit: Remit = UNSET,
        budget: Budget = UNLIMITED,
        limits: Mapping[str, Limit] | None = None,
        person: Person | None = None,
        pricing: Pricing = FREE,
    ) -> None:
        self.clock = TestClock()
        self.journal = MemoryJournal(self.clock)
        self.gate = Gate(clock=self.clock, rates=Rates(limits or {}, self.clock), pricing=pricing, approver=person)
        log = self.journal.create("run_1", RunStarted("agent", "task"))
        self.scope = Scope(
            "run_1",
            "agent",
            remit=remit.with_implied([f"tool:{t.name}" for t in tools if not t.builtin]),
            log=log,
            ledger=Ledger(budget, started=self.clock.monotonic()),
            tools={t.name: t for t in tools},
            find_tool=lambda _: None,
            handles=lambda *_: NoHandles(),
        )

    def taint(self) -> None:
        """Untrusted data enters the context."""
        self.scope.label = Label("untrusted", None, ("tool:read_file",))

    def call(self, name: str, key: str = "turn/1/call/0", **arguments: Any) -> Outcome:
        """One tool call through the gate."""
        return asyncio.run(self.acall(name, key, **arguments))

    def acall(self, name: str, key: str = "turn/1/call/0", **arguments: Any) -> Awaitable[Outcome]:
        return self.gate.call_tool(key, ToolCall("c", name, arguments), self.scope)

    @property
    def events(self) -> list[Any]:
        """What was journalled after the run's start."""
        return [decode_event(e.body) for e in self.journal.read("run_1")][1:]

    @property
    def kinds(self) -> list[str]:
        return [str(e.__struct_config__.tag) for e in self.events]


class NoHandles:
    """Handles that no test of the gate itself uses."""

    files = shell = http = None
