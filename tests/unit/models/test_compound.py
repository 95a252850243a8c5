"""compound.py: routing, fallback, escalation, keys, hedging and caches, through a real runtime and its journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from remit import Agent, Remit, Reply, ToolCall
from remit.core.budget import Limit
from remit.core.model import ModelRequest
from remit.core.model_sections import CacheSection, CostSection, CredentialPoolSection, ResilienceSection, RouterSection
from remit.core.usage import Usage
from remit.errors import Invalid, ModelError
from remit.models.cache import CacheRules
from remit.models.handle import ModelHandle, model
from remit.models.policy import Candidate, Policy, Resilience, tier_of
from remit.models.setup import Setup
from remit.runtime import Runtime
from remit.testing import FunctionModel
from remit.testing.clock import FakeClock

CHEAP, DEAR = "openai:gpt-4o-mini", "anthropic:claude-opus-4-1"
USAGE = Usage(1000, output_tokens=500)
Answer = Callable[[ModelRequest], Any]


class House:
    """A runtime whose models are functions; `asked` says which were asked, with which key."""

    def __init__(self, answers: dict[str, Answer], **options: Any) -> None:
        self.asked: list[str] = []
        self.keys: list[str | None] = []
        self.urls: dict[str, str] = {}
        self.runtime = Runtime(clock=FakeClock(), tune_gc=False, **options)
        self.runtime.outside._plain_model = self._load  # type: ignore[method-assign]  # no network in tests
        self.answers = answers

    def _load(self, handle: Any) -> Any:
        if not isinstance(handle, ModelHandle):
            return handle

        def answer(request: ModelRequest) -> Any:
            self.asked.append(handle.name)
            self.keys.append(handle.api_key)
            return self.answers[handle.name](request)

        made = FunctionModel(answer, name=handle.name)
        made.url = self.urls.get(handle.name, "")
        return made

    def run(self, policy: Any, task: str = "Say what you are", **agent: Any) -> Any:
        """One run."""

        async def main() -> Any:
            async with self.runtime:
                return await Agent("a", model=policy, **agent).run(task)

        return asyncio.run(main())


def says(text: str) -> Answer:
    return lambda _: Reply(text, usage=USAGE)


def fails(code: str, retryable: bool = True) -> Answer:
    def answer(_: ModelRequest) -> Any:
        raise ModelError(code, "no", retryable=retryable)

    return answer


def kinds(run: Any) -> list[str]:
    """Events as words."""
    return [getattr(e, "kind", "") or type(e).__name__ for e in run.events if type(e).__name__ != "EffectIntent"]


def test_a_chain_goes_on_to_the_next_model_and_the_first_one_rests() -> None:
    """A failing model is tried again once, then the next answers; the switch is journalled, the next call skips it."""
    house = House({CHEAP: fails("model_overloaded"), DEAR: says("done")})
    policy = Policy(models=(CHEAP, DEAR), strategy="fixed")

    async def main() -> tuple[Any, Any]:
        async with house.runtime:
            agent = Agent("a", model=policy)
            return await agent.run("one"), await agent.run("two")

    first, second = asyncio.run(main())
    assert (first.output, house.asked) == ("done", [CHEAP, CHEAP, DEAR, DEAR])
    assert kinds(first) == ["RunStarted", "Routed", "EffectFailed", "EffectFailed", "fallback", "EffectDone", "RunDone"]
    assert [c.out for c in second.events[1].candidates] == ["it rests for 10.0 s", ""]


def test_a_wrong_request_is_not_sent_to_another_model() -> None:
    """What is wrong with the request fails everywhere: no fallback, no retry."""
    house = House({CHEAP: fails("model_bad_request", False), DEAR: says("done")})
    run = house.run(Policy(models=(CHEAP, DEAR), strategy="fixed"))
    assert (run.status, run.error.code, house.asked) == ("failed", "model_bad_request", [CHEAP])


def test_an_answer_that_fails_its_check_is_escalated_and_both_are_paid() -> None:
    """The cheap model's answer fails the own check: the dear one is asked; both attempts are costed and journalled."""
    house = House({CHEAP: says("bad"), DEAR: says("good")})
    policy = Policy(models=(CHEAP, DEAR), verify=lambda _, reply: reply.text == "good", explore=0.0)
    router = house.runtime.outside.policies.routes.router
    for n in range(60):
        router.count("own:<lambda>", 0 if n % 3 else 1)
    router._checks["own:<lambda>"] = [40.0, 40.0, 40.0, 0.0, 40.0, 0.0]
    run = house.run(policy, "Count the words")
    assert (run.output, house.asked) == ("good", [CHEAP, DEAR])
    assert "escalated" in kinds(run)
    assert run.cost_nano == 450_000 + 52_500_000


def test_every_other_key_is_tried_before_another_model() -> None:
    """A limited key rests and the next one answers at once, without a wait."""
    used: list[str | None] = []

    def picky(_: ModelRequest) -> Any:
        used.append(house.keys[-1])
        if house.keys[-1] != "k3":
            raise ModelError("model_rate_limited", "slow down", retryable=True, retry_after_s=20.0)
        return Reply("done")

    house = House({CHEAP: picky})
    run = house.run(Policy(models=(Candidate(model=CHEAP, keys=("k1", "k2", "k3")),), strategy="fixed"))
    assert (run.output, used, house.runtime.clock.slept) == ("done", ["k1", "k2", "k3"], [])  # type: ignore[attr-defined]


def test_a_breaker_opens_and_is_journalled() -> None:
    """Three failures in a row open it; the transition is in the journal, and the model is out afterwards."""
    house = House({CHEAP: fails("model_server_error")})
    run = house.run(Policy(models=(CHEAP,), strategy="fixed"))
    assert run.status == "failed"
    notes = [e for e in run.events if getattr(e, "kind", "") == "breaker"]
    assert [(n.name, n.reason) for n in notes] == [(CHEAP, "closed -> open")]
    assert len(house.asked) == 3


def test_a_kept_reply_is_free_and_passes_the_gate() -> None:
    """The second of two questions that mean the same costs nothing, and its effect and its saving are journalled."""
    house = House({CHEAP: says("Paris")})
    policy = Policy(models=(CHEAP,), strategy="fixed", cache=CacheRules())

    async def main() -> tuple[Any, Any, Any]:
        async with house.runtime:
            first = await Agent("a", model=policy).run("What is the capital of France?")
            second = await Agent("a", model=policy).run("what's the capital of france, please?")
            other = await Agent("a", model=policy, remit=Remit().deny("model:cache:*")).run(
                "What is the capital of France?"
            )
            return first, second, other

    first, second, other = asyncio.run(main())
    assert (first.output, second.output, len(house.asked)) == ("Paris", "Paris", 2)
    assert (second.cost_nano, second.usage.requests) == (0, 0)
    note = next(e for e in second.events if getattr(e, "kind", "") == "cached")
    assert note.data == {"tokens": 1500, "nano": 450_000, "model": CHEAP}
    assert other.output == "Paris"  # other grants are another entry


def test_a_hedge_takes_the_first_answer() -> None:
    """When the first model is slow the next one is asked too; its answer counts and the slow call is cancelled."""

    async def slow(_: ModelRequest) -> Any:
        await asyncio.sleep(30)

    house = House({CHEAP: slow, DEAR: says("quick")})
    run = house.run(Policy(models=(CHEAP, DEAR), strategy="fixed", resilience=Resilience(hedge_s=0.01)))
    assert (run.output, "hedged" in kinds(run)) == ("quick", True)


def test_what_cannot_be_taken_is_out_with_its_reason() -> None:
    """A denied model, a small context, missing tools and a local-only context leave candidates out."""
    house = House({CHEAP: says("x"), DEAR: says("dear"), "openai:gpt-4o": says("x"), "ollama:llama3.2": says("local")})
    small = Candidate(model="openai:gpt-4o", context_tokens=5)
    policy = Policy(models=(CHEAP, small, DEAR), strategy="fixed")
    run = house.run(policy, remit=Remit().deny(f"model:{CHEAP}"))
    assert run.output == "dear"
    assert [bool(c.out) for c in run.events[1].candidates] == [True, True, False]
    house = House({DEAR: says("dear"), "ollama:llama3.2": says("local")})
    house.urls[DEAR] = "https://203.0.113.7/v1"
    assert house.run(Policy(models=(DEAR, "ollama:llama3.2"), private="always", strategy="fixed")).output == "local"


def test_a_resumed_run_follows_the_journal(tmp_path: Any) -> None:
    """After a crash behind an escalation nothing that was answered is asked again, and the same model goes on."""
    journal = f"sqlite:{tmp_path / 'j.db'}"
    policy = Policy(models=(CHEAP, DEAR), strategy="fixed")

    def tool_then_stop(request: ModelRequest) -> Any:
        if len(request.messages) < 3:
            return Reply(ToolCall("1", "look", {}), usage=USAGE)
        raise asyncio.CancelledError

    def look() -> str:
        """Look."""
        return "seen"

    house = House({CHEAP: fails("model_overloaded"), DEAR: tool_then_stop}, journal=journal)

    async def begin() -> Any:
        async with house.runtime:
            return await Agent("a", model=policy, tools=[look]).run("go")

    first = asyncio.run(begin())
    assert first.status == "cancelled"
    again = House({CHEAP: says("never"), DEAR: says("end")}, journal=journal)
    finished = asyncio.run(_finish(again, first.id, policy, look))
    assert finished.status == "cancelled" and again.asked == []


async def _finish(house: House, run_id: str, policy: Policy, look: Any) -> Any:
    async with house.runtime:
        return await house.runtime.resume(run_id, Agent("a", model=policy, tools=[look]))


def test_auto_and_a_plain_model_follow_the_settings() -> None:
    """`auto` is [router]; fallbacks, keys and a cache stand around a plain name; without settings there is no auto."""
    setup = Setup(
        {"router": RouterSection(models=(CHEAP, DEAR)), "resilience": ResilienceSection(fallbacks=(DEAR,)),
         "credential_pool": CredentialPoolSection(keys={"openai": ("env:A", "env:B")}), "cache": CacheSection(on=True),
         "cost": CostSection(on=True)},
        lambda reference: f"value of {reference}",
    )  # fmt: skip
    auto, around = setup.policy(model("auto")), setup.policy(model(CHEAP))
    assert auto is not None and around is not None
    assert (auto.strategy, [c.model for c in auto.candidates()]) == ("cost", [CHEAP, DEAR])
    assert around.candidates()[0].keys == ("value of env:A", "value of env:B")
    assert (around.strategy, around.candidates()[1].model, around.cache) == ("fixed", DEAR, CacheRules())
    assert Setup({}, str).policy(model(CHEAP)) is None
    assert setup.spending(FakeClock(), "") is not None
    with pytest.raises(Invalid, match="auto"):
        Setup({}, str).policy(model("auto"))
    run = House({CHEAP: says("routed")}, setup=Setup({"router": RouterSection(models=(CHEAP,))}, str)).run("auto")
    assert (run.output, run.events[1].model) == ("routed", CHEAP)


def test_a_cap_and_a_limit_hold_for_calls_of_a_run() -> None:
    """A day's cap refuses what could pass it; a queued call's wait is journalled."""
    setup = Setup({"cost": CostSection(on=True, day_usd=0.0001)}, str)
    run = House({DEAR: says("x")}, setup=setup).run(FunctionModel(says("x"), name=DEAR))
    assert (run.status, run.error.code) == ("exhausted", "budget_exceeded")
    house = House({}, limits={"provider:p": Limit(concurrent=1)})

    async def main() -> list[Any]:
        async with house.runtime:
            agent = Agent("a", model=FunctionModel(slowly, name="p:m"))
            return await asyncio.gather(agent.run("1"), agent.run("2"))

    async def slowly(_: ModelRequest) -> Any:
        await asyncio.sleep(0.01)
        return "ok"

    runs = asyncio.run(main())
    assert [r.status for r in runs] == ["ok", "ok"]
    assert sum("waited" in kinds(r) for r in runs) == 1


@pytest.mark.parametrize(
    ("name", "tier"),
    [(CHEAP, "fast"), (DEAR, "powerful"), ("anthropic:claude-sonnet-4-5", "balanced"), ("x:unheard", "balanced"),
     ("google:gemini-2.5-flash", "fast"), ("openai:o1", "powerful")],
)  # fmt: skip
def test_tiers_follow_the_usual_names(name: str, tier: str) -> None:
    """A model's tier is read from the words that makers use, else from its price."""
    assert tier_of(Candidate(model=name)) == tier
