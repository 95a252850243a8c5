"""The door: its nine blocks in order, one outcome for every effect, and what each block stops."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from tests.unit.gate.harness import House, Person

from remit.core.budget import Budget, Limit
from remit.core.effects import Done, Failed, Refused, Waiting, measure_arguments
from remit.core.events import EffectDenied, EffectDone, EffectIntent
from remit.core.labels import Label
from remit.core.messages import ToolCall
from remit.core.needs import fs_write, net
from remit.core.remit import BOTTOM, Remit
from remit.core.tools import Tool, tool
from remit.errors import Unavailable
from remit.ports.approver import Answer
from remit.ports.runtime import current_call
from remit.ports.tool import Context

RAN: list[Any] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    RAN.clear()


@tool(effect="read")
async def look(city: str, n: int = 1) -> str:
    """Look at a city."""
    RAN.append(city)
    return f"{city} x{n}"


@tool
def pay(amount: int) -> str:
    """Pay."""
    RAN.append(amount)
    return "paid"


@tool(effect="read", builtin=True, needs=lambda url: (net("GET", url),), returns="untrusted")
async def fetch(url: str) -> str:
    """Fetch."""
    RAN.append(url)
    return "page"


@tool(effect="idempotent", builtin=True, needs=lambda path: (fs_write(path),), returns="system")
async def store(path: str) -> str:
    """Write."""
    RAN.append(path)
    return "written"


def test_an_allowed_call_leaves_intent_then_outcome() -> None:
    """One intent, one outcome, the value with its label; nothing else is journalled."""
    house = House(look)
    assert house.call("look", city="Rome") == Done("Rome x1", Label("tool"))
    intent, done = house.events
    digest = measure_arguments("look", {"city": "Rome"})[1]
    assert intent == EffectIntent(
        "turn/1/call/0", "tool", "look", digest, "pure", {"city": "Rome"}, ("tool:look",), Label()
    )
    assert isinstance(done, EffectDone)
    assert (bytes(done.result), done.label) == (b'"Rome x1"', Label("tool"))


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (ToolCall("c", "nothing", {}), "tool_unknown"),
        (ToolCall("c", "look", {}), "arguments_invalid"),
        (ToolCall("c", "look", {"city": 1}), "arguments_invalid"),
        (ToolCall("c", "look", {"city": "x", "more": 1}), "arguments_invalid"),
        (ToolCall("c", "look", {"city": "x", "n": "1"}), "arguments_invalid"),
        (ToolCall("c", "look", {"city": "\ud800"}), "arguments_invalid"),
        (ToolCall("c", "look", {}, invalid="{city:"), "arguments_invalid"),
        (ToolCall("c", "look", {"city": "x" * 2_000_000}), "arguments_invalid"),
    ],
    ids=lambda v: str(v)[:60],
)
def test_block_1_refuses_what_does_not_resolve(call: ToolCall, code: str) -> None:
    """Unknown tools and arguments that do not fit never reach the body; the refusal names the place."""
    house = House(look)
    outcome = asyncio.run(house.gate.call_tool("k", call, house.scope))
    assert isinstance(outcome, Refused)
    assert (outcome.deny.code, outcome.deny.check, RAN, house.kinds) == (code, "resolve", [], ["effect_denied"])


def test_block_2_refuses_what_is_not_granted_with_the_grant_that_would() -> None:
    """No grant, no effect; the hint is the grant to add; a denial beats the grant; BOTTOM is nothing."""
    house = House(store)
    outcome = house.call("store", path="out/x")
    assert isinstance(outcome, Refused)
    assert (outcome.deny.code, outcome.deny.hint) == ("not_granted", "Grant it with --allow 'fs.write:out/x'")
    denied = House(store, remit=Remit.allow("fs.write:**").deny("fs.write:out/**")).call("store", path="out/x")
    assert isinstance(denied, Refused)
    assert (denied.deny.code, RAN) == ("denied_by_rule", [])
    house = House(look)
    house.scope.remit = house.scope.remit.meet(BOTTOM)
    assert isinstance(house.call("look", city="x"), Refused)
    by_name = House(store, remit=Remit.allow("fs.write:**").deny("tool:store")).call("store", path="a")
    assert isinstance(by_name, Refused)
    assert isinstance(House(store, remit=Remit.allow("fs.write:**")).call("store", path="a"), Done)


def test_block_2_refuses_after_expiry() -> None:
    """An expired remit grants nothing any more."""
    house = House(look, remit=Remit(expires_ms=1_000))
    assert isinstance(house.call("look", city="x"), Done)
    house.clock.now = 1.0
    outcome = house.call("look", "k2", city="x")
    assert isinstance(outcome, Refused)
    assert outcome.deny.code == "remit_expired"


@pytest.mark.parametrize(
    ("name", "arguments", "asks"),
    [
        ("pay", {"amount": 5}, True),
        ("fetch", {"url": "https://example.org/"}, True),
        ("look", {"city": "x"}, False),
        ("store", {"path": "out/x"}, False),
    ],
)
def test_block_3_asks_for_what_untrusted_data_could_abuse(name: str, arguments: dict[str, Any], asks: bool) -> None:
    """With untrusted data in the context, own effects and requests wait for a person; reads and granted writes do not.

    The same call without untrusted data goes through: the label decides, not the tool.
    """
    remit = Remit.allow("fs.write:out/**", "net:example.org")
    house = House(pay, fetch, look, store, remit=remit)
    house.taint()
    outcome = house.call(name, **arguments)
    assert isinstance(outcome, Waiting) is asks
    assert bool(RAN) is not asks
    assert isinstance(House(pay, fetch, look, store, remit=remit).call(name, **arguments), Done)


def test_results_keep_the_joined_label() -> None:
    """What a trusted tool returns in an untrusted context is untrusted, with its sources."""
    house = House(store, look, remit=Remit.allow("fs.write:**"))
    house.taint()
    for name, arguments in (("store", {"path": "a"}), ("look", {"city": "x"})):
        outcome = house.call(name, f"k/{name}", **arguments)
        assert isinstance(outcome, Done)
        assert outcome.label == Label("untrusted", None, ("tool:read_file",))
    fresh = House(fetch, remit=Remit.allow("net:example.org")).call("fetch", url="https://example.org/")
    assert isinstance(fresh, Done)
    assert fresh.label == Label("untrusted", None, ("tool:fetch",))


def test_block_4_bounds_the_queue_and_lets_go_in_time() -> None:
    """Calls above the rate wait for their time; a full queue is an explicit refusal."""

    async def work() -> None:
        house = House(look, limits={"tool:look": Limit(calls=1, period_s=3600.0, burst=1)})
        assert isinstance(await house.acall("look", "k0", city="a"), Done)
        async with asyncio.TaskGroup() as group:
            waiting = [group.create_task(_late(house, f"k{i}")) for i in range(1, 101)]
            await asyncio.sleep(0)
            refused = await house.acall("look", "k101", city="b")
            assert isinstance(refused, Refused)
            assert refused.deny.code == "queue_full"
            for each in waiting:
                each.cancel()
        assert RAN == ["a"]

    async def _late(house: House, key: str) -> None:
        await house.acall("look", key, city=key)

    asyncio.run(work())


def test_block_5_stops_at_the_ceiling_of_calls() -> None:
    """The call after the last allowed one is refused before it runs."""
    house = House(look, budget=Budget(tool_calls=1))
    assert isinstance(house.call("look", "k0", city="a"), Done)
    outcome = house.call("look", "k1", city="b")
    assert isinstance(outcome, Refused)
    assert (outcome.deny.code, RAN) == ("budget_exceeded", ["a"])


def test_block_6_an_answer_counts_for_exactly_these_arguments() -> None:
    """Approved runs once; denied is a refusal; without anybody the call stays waiting, never yes."""
    yes = Person(Answer("approved", "ann"))
    house = House(pay, person=yes)
    house.taint()
    assert isinstance(house.call("pay", amount=5), Done)
    assert (RAN, yes.asked[0].digest) == ([5], measure_arguments("pay", {"amount": 5})[1])
    assert house.kinds == ["wait_opened", "wait_closed", "effect_intent", "effect_done"]
    no = House(pay, person=Person(Answer("denied", "ann", "too much")))
    no.taint()
    outcome = no.call("pay", amount=6)
    assert isinstance(outcome, Refused)
    assert (outcome.deny.code, "too much" in outcome.deny.why) == ("approval_refused", True)
    nobody = House(pay, person=Person(None))
    nobody.taint()
    assert isinstance(nobody.call("pay", amount=7), Waiting)
    assert RAN == [5]


def test_block_6_an_edit_goes_back_to_block_1() -> None:
    """Edited arguments pass every check again: a bad edit is refused, a good one runs with the edited value."""
    good = House(pay, person=Person(Answer("edited", "ann", arguments={"amount": 1})))
    good.taint()
    assert isinstance(good.call("pay", amount=500), Done)
    assert RAN == [1]
    bad = House(pay, person=Person(Answer("edited", "ann", arguments={"amount": "all"})))
    bad.taint()
    outcome = bad.call("pay", amount=500)
    assert isinstance(outcome, Refused)
    assert (outcome.deny.code, RAN) == ("arguments_invalid", [1])
    wide = House(fetch, remit=Remit.allow("net:example.org"), person=Person(
        Answer("edited", "ann", arguments={"url": "https://other.example/"})
    ))  # fmt: skip
    wide.taint()
    outcome = wide.call("fetch", url="https://example.org/")
    assert isinstance(outcome, Refused)
    assert outcome.deny.code == "not_granted"


def test_block_7_the_intent_is_durable_before_an_effect_that_is_not_pure() -> None:
    """An unsafe effect waits for the flush; a pure one is appended and not waited for."""
    house = House(pay, look)
    order: list[str] = []

    class Log:
        run_id, epoch = "run_1", 1

        def note(self, event: Any) -> None:
            order.append(event.__struct_config__.tag)

        async def flush(self) -> None:
            order.append(f"flush ran={len(RAN)}")

    house.scope.log = Log()  # type: ignore[assignment]
    house.scope.emit = house.scope.log.note
    house.call("look", city="a")
    house.call("pay", "k1", amount=1)
    assert order == ["effect_intent", "effect_done", "effect_intent", "flush ran=1", "effect_done"]


def test_block_7_an_unwritable_journal_stops_the_effect() -> None:
    """When the intent cannot be made durable, the body never runs."""
    house = House(pay)

    class Full:
        run_id, epoch = "run_1", 1

        def note(self, event: Any) -> None: ...

        async def flush(self) -> None:
            raise Unavailable("disk_failed", "disk full")

    house.scope.log = Full()  # type: ignore[assignment]
    with pytest.raises(Unavailable, match="disk full"):
        house.call("pay", amount=1)
    assert RAN == []


def test_block_8_a_deadline_ends_the_wait_and_revokes_the_handles() -> None:
    """A tool past its deadline is a failure with tool_timeout, and what it was lent no longer works."""
    kept: list[Any] = []

    async def slow(ctx: Context[Any]) -> str:
        kept.append(current_call.get())
        await asyncio.sleep(30)
        return "late"

    house = House(Tool(slow, effect="read", timeout_s=0.01))
    leases: list[Any] = []
    house.scope.handles = lambda _, lease: leases.append(lease)
    outcome = house.call("slow")
    assert isinstance(outcome, Failed)
    assert (outcome.error.code, leases[0].revoked) == ("tool_timeout", True)
    assert (kept[0].key, current_call.get()) == ("turn/1/call/0", None)


def test_block_8_sync_tools_run_beside_the_loop() -> None:
    """A sync tool runs in a worker thread; its error is a value that names it."""

    def where() -> str:
        return threading.current_thread().name

    def breaks() -> str:
        raise KeyError("boom")

    async def late() -> str:
        raise TimeoutError("a server of the tool's own")

    house = House(Tool(where, effect="read"), Tool(breaks, effect="read"), Tool(late, effect="read"))
    outcome = house.call("where")
    assert isinstance(outcome, Done)
    assert outcome.value != threading.main_thread().name
    failed = house.call("breaks", "k1")
    assert isinstance(failed, Failed)
    assert (failed.error.code, "KeyError" in failed.error.message) == ("tool_failed", True)
    own = house.call("late", "k2")
    assert isinstance(own, Failed)
    assert own.error.code == "tool_failed", "its own time-out is not the gate's deadline"


def test_block_8_a_cancelled_effect_has_an_outcome() -> None:
    """Cancelled while pure: failed. Cancelled while unsafe: in doubt, because nobody can say."""

    async def work(effect: str) -> list[str]:
        async def hang() -> str:
            await asyncio.sleep(30)
            return ""

        house = House(Tool(hang, effect=effect))
        task = asyncio.ensure_future(house.acall("hang"))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return house.kinds

    assert asyncio.run(work("read")) == ["effect_intent", "effect_failed"]
    assert asyncio.run(work("unsafe")) == ["effect_intent", "effect_in_doubt"]


def test_block_9_a_long_result_says_what_was_cut() -> None:
    """Results are capped, and the text says how much is missing."""

    def long() -> str:
        return "x" * 50

    outcome = House(Tool(long, effect="read", max_chars=10)).call("long")
    assert isinstance(outcome, Done)
    assert outcome.value == "x" * 10 + "\n[cut: 40 of 50 characters; ask for a part]"


def test_block_9_a_result_that_json_cannot_hold_is_replaced_not_lost() -> None:
    """A lone surrogate in a tool's text becomes the replacement mark; the run goes on."""

    def odd() -> str:
        return "a\ud800b"

    outcome = House(Tool(odd, effect="read")).call("odd")
    assert isinstance(outcome, Done)
    assert outcome.value == "a?b"


def test_refusals_are_journalled_with_check_and_reason() -> None:
    """The journal says which check refused, why, and what would help."""
    house = House(store)
    house.call("store", path="out/x")
    assert house.events == [
        EffectDenied(
            "turn/1/call/0", "store", "grant", "not_granted", "no grant covers fs.write:out/x",
            "Grant it with --allow 'fs.write:out/x'", measure_arguments("store", {"path": "out/x"})[1],
            {"path": "out/x"},
        )
    ]  # fmt: skip
    assert house.scope.denied == 1


def test_a_missing_sandbox_is_a_refusal() -> None:
    """Where there is no sandbox the call is refused and counted as such, with the line that installs it."""

    @tool(effect="read", builtin=True)
    async def program() -> str:
        """Run a program."""
        raise Unavailable("sandbox_missing", "bubblewrap is not installed", retryable=False)

    house = House(program)
    outcome = house.call("program")
    assert isinstance(outcome, Refused)
    assert (outcome.deny.code, house.scope.denied, house.kinds) == (
        "sandbox_missing",
        1,
        ["effect_intent", "effect_denied"],
    )
    assert "apt-get install -y bubblewrap" in outcome.deny.hint
