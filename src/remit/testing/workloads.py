"""Generated programs of agents and workflows, and the world that they act on: what crash tests and simulations run.

A workload follows from its seed alone. Its models are functions of the request, so a resumed run asks and answers the
same; its tools act on a `World` that counts every effect by what it was meant for. After any crashes and restarts the
world must be as after none: each unsafe effect at most once and every doubtful one shown, each idempotent and each
transactional one exactly once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

from msgspec import Struct

from remit.agents.agent import Agent
from remit.agents.flow import Flow
from remit.agents.workflow import Retry, Workflow
from remit.core.messages import ToolCall, ToolResult
from remit.core.model import ModelRequest
from remit.core.remit import Remit
from remit.core.tools import Tool, tool
from remit.ports.tool import Context
from remit.testing.function import FunctionModel

EFFECTS: Final = ("read", "unsafe", "idempotent", "transactional")
MAX_DEPTH: Final = 2  # agents below agents
LONG_S: Final = 3600.0


class Dice:
    """Choices that follow from a seed."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._drawn = 0

    def below(self, bound: int) -> int:
        """A number from 0 to bound - 1."""
        self._drawn += 1
        digest = sha256(f"{self._seed}:{self._drawn}".encode()).digest()
        return int.from_bytes(digest[:8]) % bound

    def pick(self, choices: Any) -> Any:
        """One of them."""
        return choices[self.below(len(choices))]


class World:
    """What the effects have done."""

    def __init__(self) -> None:
        self.reads: Counter[str] = Counter()
        self.unsafe: Counter[str] = Counter()
        self.acted: set[tuple[str, str]] = set()
        """(run id, key) of the unsafe effects: what a person finds who looks whether one has happened"""
        self.keyed: dict[str, str] = {}
        """idempotency key -> what it was meant for"""
        self.repeats = 0
        """idempotent effects that came again with a known key, and were not done again"""
        self.pause: Callable[[], Any] | None = None
        """awaited in the middle of every effect, where a simulation may switch or fail"""

    def state(self) -> dict[str, Any]:
        """All that must not depend on crashes: reads may have been made more often, and are only named."""
        return {
            "reads": sorted(self.reads),
            "unsafe": dict(sorted(self.unsafe.items())),
            "idempotent": dict(sorted(Counter(self.keyed.values()).items())),
        }

    async def middle(self) -> None:
        """The middle of an effect."""
        if self.pause is not None:
            await self.pause()


class Workload(Struct, frozen=True):
    """One program."""

    seed: int
    root: Any
    """an Agent or a Workflow"""
    task: Any
    definitions: tuple[Any, ...]


def tools_of(world: World) -> dict[str, Tool]:
    """A tool of each tier, and one that asks a person."""

    @tool(effect="read")
    async def look(what: str) -> str:
        """Read."""
        await world.middle()
        world.reads[what] += 1
        return f"saw {what}"

    @tool(effect="unsafe")
    async def act(what: str, ctx: Context[Any]) -> str:
        """Change the world, in a way that cannot be repeated."""
        await world.middle()
        world.unsafe[what] += 1
        world.acted.add((ctx.run_id, ctx.key))
        await world.middle()
        return "acted"

    @tool(effect="idempotent")
    async def put(what: str, ctx: Context[Any]) -> str:
        """Change the world; the world tells repeats apart by the key."""
        await world.middle()
        world.repeats += ctx.idempotency_key in world.keyed
        world.keyed[ctx.idempotency_key] = what
        await world.middle()
        return f"put {what}"

    @tool(effect="transactional")
    def write(what: str, ctx: Context[Any]) -> str:
        """Change the database of the journal."""
        ctx.transaction.execute("CREATE TABLE IF NOT EXISTS app_written (what TEXT)")
        ctx.transaction.execute("INSERT INTO app_written VALUES (?)", (what,))
        return f"wrote {what}"

    @tool(effect="read")
    async def consult(what: str, ctx: Context[Any]) -> str:
        """Ask a person from inside a tool."""
        return f"told {await ctx.ask(f'{what}?', kind='number')}"

    return {"read": look, "unsafe": act, "idempotent": put, "transactional": write, "ask": consult}


def generate(seed: int, world: World) -> Workload:
    """The workload of a seed."""
    dice = Dice(f"workload {seed}")
    tools = tools_of(world)
    if dice.below(3) == 0:
        agent = _agent(dice, tools, f"s{seed}", 0)
        return Workload(seed, agent, "begin", (agent,))
    found = _workflow(dice, tools, seed)
    return Workload(seed, found, seed, (found,))


def _agent(dice: Dice, tools: dict[str, Tool], name: str, depth: int) -> Agent:
    """An agent with a plan of its own: in each turn some calls, then an answer that names how many there were."""
    own = dict(tools)
    if depth < MAX_DEPTH and dice.below(2):
        own["delegate"] = _delegate(_agent(dice, tools, f"{name}_sub", depth + 1))
    plan: list[list[ToolCall]] = []
    for turn in range(1 + dice.below(3)):
        calls = []
        for index in range(1 + dice.below(3)):
            kind = dice.pick(sorted(own)) if dice.below(4) else dice.pick(EFFECTS)
            what = f"{name}.{turn}.{index}"
            arguments = {} if kind == "delegate" else {"what": what}
            calls.append(ToolCall(what, own[kind].name, arguments))
        plan.append(calls)

    def answer(request: ModelRequest) -> Any:
        turn = sum(1 for m in request.messages if any(isinstance(p, ToolResult) for p in m.parts))
        return plan[turn] if turn < len(plan) else f"{name}: {sum(map(len, plan))} calls"

    model = FunctionModel(answer, name=f"plan:{name}")
    remit = Remit.allow("tool:*", "model:**") if "delegate" in own else Remit.allow("tool:*")
    return Agent(name, model, tools=list(own.values()), remit=remit, max_turns=8)


def _delegate(agent: Agent) -> Tool:
    @tool(name="delegate", effect="idempotent")
    async def delegate() -> str:
        """Have another agent do its part."""
        return str((await agent.run("your part")).check().output)

    return delegate


def _workflow(dice: Dice, tools: dict[str, Tool], seed: int) -> Workflow:
    name = f"flow_{seed}"
    agents = [_agent(dice, tools, f"a{seed}_{i}", 1) for i in range(2)]
    program = _operations(dice, name, 3 + dice.below(4), 0)

    async def one(flow: Flow, operation: tuple[Any, ...]) -> Any:
        match operation:
            case ("step", effect, what):
                found = await flow.step(tools[effect], what, retry=Retry(1, 0.0))
                return None if effect == "unsafe" else found  # after a doubt its output is lost
            case ("agent", index):
                return (await flow.run(agents[index], "your part")).check().output
            case ("all", branches):
                return await flow.gather(*[several(flow, branch) for branch in branches])
            case _:
                return await _wait(flow, operation)

    async def several(flow: Flow, operations: Any) -> list[Any]:
        return [await one(flow, operation) for operation in operations]

    async def body(flow: Flow, value: int) -> list[Any]:
        return await several(flow, program)

    return Workflow(body, name=name)


async def _wait(flow: Flow, operation: tuple[Any, ...]) -> Any:
    match operation:
        case ("ask", question):
            return await flow.ask(question, kind="number")
        case ("signal", what):
            return await flow.wait_for(what)
        case ("sleep", seconds):
            return await flow.sleep(seconds)
        case _:
            return [flow.now() > 0, 0 <= flow.random() < 1, flow.patch("newer")]


def _operations(dice: Dice, place: str, count: int, depth: int) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for index in range(count):
        at = f"{place}.{index}"
        roll = dice.below(12)
        if roll < 5:
            found.append(("step", dice.pick(EFFECTS), at))
        elif roll < 6:
            found.append(("agent", dice.below(2)))
        elif roll < 8 and depth < 2:
            branches = [_operations(dice, f"{at}[{i}]", 1 + dice.below(2), depth + 1) for i in range(2 + dice.below(2))]
            found.append(("all", branches))
        else:
            waits = [("ask", f"{at}?"), ("signal", at), ("sleep", LONG_S), ("sleep", 0.01), ("noted",)]
            found.append(dice.pick(waits))
    return found
