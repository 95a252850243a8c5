"""Orchestra, handoffs, delegation, conversation, routing, and agents as tools."""

from __future__ import annotations

from typing import Any

import pytest

from remit import Agent, Invalid, Remit, Reply, Runtime, ToolCall, ToolResult, tool
from remit.teams.delegation import Conversation, Delegation, agent_tool, stated_confidence
from remit.teams.handoff import Handoffs, Trigger
from remit.teams.orchestra import Orchestra, Perspective, preset
from remit.teams.routing import KeywordRouter, Router
from remit.testing import FakeClock, FunctionModel
from remit.testing.crash import Crash, CrashJournal
from remit.testing.team_conformance import Cast, check_team
from unit.teams.in_loop import in_loop


def who(request: Any) -> str:
    return str(request.messages[0].text.removeprefix("You are ").removesuffix("."))


def echo(request: Any) -> str:
    return f"{who(request)} says"


def wave(cast: Cast) -> Any:
    views = [cast.agent(n) for n in "abc"]
    return Orchestra(views, mode="wave", synthesis="debate", conductor=cast.agent("c"), agreement=None, decompose=True)


def fallback(cast: Cast) -> Any:
    return Delegation([cast.agent("a"), cast.agent("b")])


def everyone(cast: Cast) -> Any:
    return Delegation([cast.agent("a"), cast.agent("b")], strategy="all")


def conversation(cast: Cast) -> Any:
    return Conversation(cast.agent("a"), cast.agent("b"), turns=4)


def router(cast: Cast) -> Any:
    return Router({"a": cast.agent("a"), "b": cast.agent("b")}, chooser=cast.agent("c"))


def handoffs(cast: Cast) -> Any:
    return Handoffs({"desk": cast.agent("desk"), "expert": cast.agent("expert")}, transfer="full")


def hands_over(request: Any) -> str:
    return {"desk": "HANDOFF expert: please", "expert": "solved"}[who(request)]


@pytest.mark.parametrize(
    ("make", "answer"),
    [(wave, echo), (fallback, echo), (everyone, echo), (conversation, echo), (router, echo),
     (handoffs, hands_over)],
    ids=lambda x: getattr(x, "__name__", "x"),
)  # fmt: skip
@in_loop
async def test_it_conforms(make: Any, answer: Any) -> None:
    """Success, failure at each place, budget, cancellation at each call, denial, and a crash at every append."""
    await check_team(make, "Which way?", answer)


@pytest.mark.parametrize(
    ("synthesis", "output"),
    [("none", {"1 a": "a says", "2 b": "b says"}), ("best_of", "b says"), ("consensus", ""), ("comprehensive", "2")],
)
@in_loop
async def test_syntheses(synthesis: str, output: Any) -> None:
    """All answers, the named best one, only what is shared, or the conductor's own text."""
    cast = Cast(lambda r: "2" if who(r) == "c" else echo(r))
    views = [Perspective(cast.agent("a"), 1.0), Perspective(cast.agent("b"), 0.5)]
    team = Orchestra(views, synthesis=synthesis, conductor=cast.agent("c"), agreement=None)
    async with Runtime(tune_gc=False):
        assert (await team.run("Which way?")).output == output


@in_loop
async def test_modes_decide_who_sees_whom() -> None:
    """In parallel nobody sees the others; in sequence each sees all before."""
    for mode, seen in (("parallel", [0, 0, 0]), ("sequential", [0, 1, 2]), ("wave", [0, 0, 2])):
        cast = Cast(echo)
        async with Runtime(tune_gc=False):
            await Orchestra([cast.agent(n) for n in "abc"], mode=mode, synthesis="none", agreement=None).run("Which?")
        found = {who(r): r.messages[-1].text.count(" said:") for r in cast.model.requests}
        assert [found[n] for n in "abc"] == seen, mode


def test_presets_hold_what_the_specification_says() -> None:
    """Members, temperatures and weights of the three presets."""
    made = preset("balanced", "openai:gpt-4o-mini")
    assert [(p.member.name, p.member.settings.temperature, p.weight) for p in made.perspectives] == [
        ("analyst", 0.3, 1.0), ("critic", 0.5, 0.8), ("creative", 0.9, 0.7), ("pragmatist", 0.4, 1.0),
    ]  # fmt: skip
    assert preset("technical_review", "openai:x").perspectives[0].member.name == "architect"
    assert preset("business_strategy", "openai:x").perspectives[-1].member.name == "customer"


@in_loop
async def test_handing_over_and_back() -> None:
    """The conversation goes to whom the line names, back by RETURN, and by triggers; the path is kept."""

    def answer(request: Any) -> str:
        text = request.messages[-1].text
        if who(request) == "desk":
            return "thanks, done" if "Handed over with:\nrefund made" in text else "HANDOFF billing: refund 20"
        return "RETURN: refund made"

    cast = Cast(answer)
    members = {"desk": cast.agent("desk"), "billing": cast.agent("billing")}
    async with Runtime(tune_gc=False):
        run = await Handoffs(members).run("I want my money back")
        assert (run.output, run.progress.notes["path"]) == ("thanks, done", ["desk", "billing", "desk"])
        cast = Cast(echo)
        members = {"desk": cast.agent("desk"), "billing": cast.agent("billing")}
        trigger = Trigger("desk", "billing", "pattern", r"\bsays\b")
        run = await Handoffs(members, triggers=[trigger]).run("go")
        assert (run.output, run.progress.notes["path"]) == ("billing says", ["desk", "billing"])


@pytest.mark.parametrize(
    ("says", "status", "message"),
    [
        ({"a": "HANDOFF b:", "b": "HANDOFF c:", "c": "HANDOFF a:"}, "failed", "circular handoff a -> b -> c -> a"),
        ({"a": "HANDOFF z:"}, "denied", "a may not hand over to z"),
        ({"a": "HANDOFF c:", "b": "", "c": ""}, "denied", "a may not hand over to c"),
        ({"a": "HANDOFF b:", "b": "RETURN:"}, "exhausted", "passed its 3 handoffs"),
    ],
)
@in_loop
async def test_a_handoff_that_may_not_be_is_refused(says: dict[str, str], status: str, message: str) -> None:
    """Circles, unknown or forbidden targets, and endless passing end it with a status and a reason."""
    cast = Cast(lambda r: says[who(r)])
    members = {n: cast.agent(n) for n in "abc"}
    team = Handoffs(members, targets={"a": ["b"], "b": ["a", "c"], "c": ["a"]}, max_handoffs=3)
    async with Runtime(tune_gc=False):
        run = await team.run("go")
    assert run.status == status
    assert message in str(run.error)


@in_loop
async def test_the_receiver_holds_the_meet_of_both() -> None:
    """What the sender is denied, the receiver of its conversation is denied, too."""
    used: list[str] = []

    @tool(effect="read")
    async def look() -> str:
        """Look."""
        used.append("look")
        return "seen"

    def answer(request: Any) -> Any:
        if who(request) == "desk":
            return "HANDOFF expert: look"
        results = [p for p in request.messages[-1].parts if isinstance(p, ToolResult)]
        return Reply(results[0].text) if results else Reply([ToolCall("1", "look", {})])

    for denied in (False, True):
        cast = Cast(answer)
        sender = cast.agent("desk", remit=Remit.deny("tool:look") if denied else Remit())
        members = {"desk": sender, "expert": cast.agent("expert", tools=[look])}
        async with Runtime(tune_gc=False):
            run = await Handoffs(members).run("go")
        assert ("refused denied_by_rule" in str(run.output)) == denied, run.output
    assert used == ["look"]


@in_loop
async def test_delegation_strategies() -> None:
    """Fallback asks the next, first_success stops the others, best_confidence takes what is surest."""
    async with Runtime(tune_gc=False):
        cast = Cast(echo, fail_at=1)
        run = await Delegation([cast.agent("a"), cast.agent("b")]).run("go")
        assert (run.output, cast.calls) == ("b says", 2)
        cast = Cast(echo, stop_at=1)
        run = await Delegation([cast.agent("slow"), cast.agent("quick")], strategy="first_success").run("go")
        assert (run.status, run.output) == ("ok", "quick says")
        cast = Cast(lambda r: {"a": "x, confidence: 0.4", "b": "y, confidence 90%"}[who(r)])
        run = await Delegation([cast.agent("a"), cast.agent("b")], strategy="best_confidence").run("go")
        assert run.output == "y, confidence 90%"
    assert [stated_confidence(t) for t in ("confidence: 0.25", "sure", {"confidence": 3})] == [0.25, 0.0, 1.0]


@in_loop
async def test_a_conversation_ends_by_its_word() -> None:
    """A turn with the end word on a line of its own is the last."""
    cast = Cast(lambda r: "Fine.\nDONE" if who(r) == "b" else "Well?")
    async with Runtime(tune_gc=False):
        run = await Conversation(cast.agent("a"), cast.agent("b")).run("Terms")
    assert (run.output, run.stages, cast.calls) == ("Fine.\nDONE", "2/2", 2)


@in_loop
async def test_an_agent_is_a_tool() -> None:
    """The caller's run is the parent; after a crash the same child goes on, and its finished call is not repeated."""

    def lead(request: Any) -> Any:
        results = [p for p in request.messages[-1].parts if isinstance(p, ToolResult)]
        return Reply(f"told: {results[0].text}") if results else Reply([ToolCall("1", "finder", {"task": "where"})])

    for at in range(1, 14):
        found = FunctionModel(lambda r: "there", name="function:found")
        finder = Agent("finder", found)
        boss = Agent("boss", FunctionModel(lead, name="function:lead"), tools=[agent_tool(finder, "Finds things.")],
                     remit=Remit.allow("model:function:found"))  # fmt: skip
        store = CrashJournal(FakeClock(), at)
        try:
            async with Runtime(store, tune_gc=False):
                await boss.run("go")
        except* Crash:
            pass
        crashed, done = store.dead, store.models_done()
        store.revive()
        roots = [row.run_id for row in store.runs() if not row.parent]
        if not roots:
            continue
        async with Runtime(store, tune_gc=False) as runtime:
            run = await runtime.resume(roots[0], boss)
            assert (run.status, run.output) == ("ok", "told: there"), (at, run.error)
        rows = store.runs()
        assert sorted((row.agent, row.parent) for row in rows) == [("boss", ""), ("finder", roots[0])], at
        assert len(found.requests) <= 2 if crashed and done < 3 else len(found.requests) == 1


def test_keywords_are_learned() -> None:
    """Words of examples decide, with a confidence; unknown words decide nothing; what was learned can be kept."""
    keywords = KeywordRouter(["billing", "tech"])
    for text, route in (("refund my invoice", "billing"), ("invoice is wrong", "billing"), ("screen is black", "tech")):
        keywords.learn(text, route)
    choice = keywords.choose("where is my invoice")
    assert (choice.route, choice.by) == ("billing", "keywords")
    assert choice.confidence > 0.7
    assert keywords.choose("xyzzy").by == "default"
    assert KeywordRouter.of(keywords.data()).choose("where is my invoice") == choice


@in_loop
async def test_the_router_asks_only_when_unsure() -> None:
    """Sure keywords route without a model call; else the chooser does, and what it says is learned."""
    cast = Cast(lambda r: "tech" if who(r) == "chooser" else echo(r))
    members = {"billing": cast.agent("billing"), "tech": cast.agent("tech")}
    team = Router(members, chooser=cast.agent("chooser"), sure=0.7,
                  examples=[("refund invoice money", "billing"), ("screen keyboard black", "tech")])  # fmt: skip
    async with Runtime(tune_gc=False):
        run = await team.run("refund the invoice, I want money")
        assert (run.output, cast.calls, run.progress.notes["route"]["by"]) == ("billing says", 1, "keywords")
        run = await team.run("flickering lamp")
        assert (run.output, cast.calls, run.progress.notes["route"]["by"]) == ("tech says", 3, "model")
    assert team.keywords.choose("flickering").route == "tech"


async def nobody(_: str) -> str:
    return ""


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Orchestra([]), "0 perspectives"),
        (lambda: Orchestra([nobody], synthesis="best"), "synthesis='best'"),
        (lambda: Orchestra([nobody]), "without a conductor"),
        (lambda: Orchestra([nobody], synthesis="none", min_responses=2), "min_responses=2"),
        (lambda: Orchestra([Perspective(nobody, -1)], synthesis="none"), "a weight below 0"),
        (lambda: Orchestra([nobody], synthesis="none", agreement="words"), "'words' is no measure"),
        (lambda: preset("nice", "openai:x"), "preset 'nice'"),
        (lambda: Handoffs({"a": nobody}, start="b"), "start='b'"),
        (lambda: Handoffs({"a": nobody}, targets={"a": ["b"]}), "a -> b: there is no such member"),
        (lambda: Handoffs({"a": nobody}, targets={"a": ["a"]}), "hands over to itself"),
        (lambda: Handoffs({"a": nobody}, transfer="all"), "transfer='all'"),
        (lambda: Delegation([]), "0 members"),
        (lambda: Delegation([nobody], strategy="best"), "strategy='best'"),
        (lambda: Conversation(nobody, nobody), "one member twice"),
        (lambda: Router({}), "no routes"),
        (lambda: Router({"a": nobody}, examples=[("x", "b")]), "there is no route 'b'"),
    ],
)
def test_bad_definitions_are_refused(make: Any, message: str) -> None:
    """What cannot work is refused when it is made, with place and hint."""
    with pytest.raises(Invalid, match=message) as caught:
        make()
    assert caught.value.code == "team_invalid"
    assert caught.value.hint
