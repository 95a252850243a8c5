"""The six patterns: what each does with its members' answers, and what it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec import Struct

from remit import Invalid, Runtime
from remit.errors import ModelError
from remit.teams import patterns
from remit.teams.patterns.debate import Debate
from remit.teams.patterns.ensemble import Ensemble
from remit.teams.patterns.map_reduce import MapReduce, split_task
from remit.teams.patterns.pipeline import Pipeline, Stage
from remit.teams.patterns.supervisor import Supervisor
from remit.teams.patterns.swarm import Swarm
from remit.testing.team_conformance import Cast
from unit.teams.in_loop import in_loop


class Claim(Struct):
    text: str
    supporters: tuple[str, ...]
    opponents: tuple[str, ...] = ()


class Agreement(Struct):
    score: float
    claims: tuple[Claim, ...] = ()


def same_text(answers: Mapping[str, str]) -> Agreement:
    """Two answers agree where they are the same text."""
    texts = set(answers.values())
    if len(texts) == 1:
        return Agreement(1.0, (Claim(next(iter(texts)), tuple(answers)),))
    first, *others = answers
    return Agreement(0.0, (Claim(answers[first], (first,), tuple(others)),))


def who(request: Any) -> str:
    """The member that is asked."""
    return str(request.messages[0].text.removeprefix("You are ").removesuffix("."))


def echo(request: Any) -> str:
    return f"{who(request)} on {len(request.messages[-1].text)} characters"


@pytest.mark.parametrize("policy", ["fail", "continue", "replace"])
@in_loop
async def test_a_failed_member_is_handled_as_told(policy: str) -> None:
    """fail ends the team with the member's error; continue leaves it out; replace asks the replacement."""
    cast = Cast(echo, fail_at=2)
    spare = Cast(echo).agent("spare")
    options = {"replacement": spare} if policy == "replace" else {}
    team = Ensemble(cast.agent("a"), cast.agent("b"), cast.agent("c"), aggregate="concatenate", on_failure=policy,
                    at_once=1, **options)  # type: ignore[arg-type]  # a case's options  # fmt: skip
    async with Runtime(tune_gc=False):
        run = await team.run("go")
    if policy == "fail":
        assert (run.status, run.error.code if run.error else "") == ("failed", "model_bad_request")
        assert list(run.artifacts) == ["1 a"]
    else:
        assert run.status == "ok"
        members = [line.split(":")[0] for line in run.output.splitlines() if line.endswith(":")]
        assert members == (["a", "c"] if policy == "continue" else ["a", "spare", "c"])


@in_loop
async def test_a_member_that_takes_too_long_is_one_that_failed() -> None:
    """A member's own time: it is cancelled, counts as failed with status timeout, and the others are kept."""
    cast = Cast(echo, stop_at=1)
    team = Ensemble(cast.agent("a"), cast.agent("b"), aggregate="concatenate", member_timeout_s=0.05, retries=0)
    async with Runtime(tune_gc=False):
        run = await team.run("go")
    assert run.status == "ok"
    assert sorted(a.status for a in run.answers) == ["ok", "timeout"]


@in_loop
async def test_a_retried_member_answers() -> None:
    """A member that fails once is asked again under another key, and its answer counts."""
    failed: list[int] = []

    def answer(request: Any) -> str:
        if not failed:
            failed.append(1)
            raise ModelError("model_bad_request", "once", retryable=False)
        return echo(request)

    async with Runtime(tune_gc=False):
        run = await Pipeline(Cast(answer).agent("a")).run("go")
    assert [(a.key, a.status) for a in run.answers] == [("stage/1", "failed"), ("stage/1#1", "ok")]


@in_loop
async def test_pipeline_hands_on_and_transforms() -> None:
    """Each stage sees the one before, through its transform; a failed stage's input goes on where that is allowed."""

    async def shout(text: str) -> str:
        return text.upper()

    async def broken(text: str) -> str:
        raise ValueError("no")

    async with Runtime(tune_gc=False):
        run = await Pipeline(Stage(shout, transform=lambda t: t + "!"), shout).run("tides")
        assert (run.output, run.stages, run.model_calls) == ("TIDES!", "2/2", 0)
        run = await Pipeline(shout, broken, on_failure="continue").run("tides")
        assert (run.output, run.stages) == ("TIDES", "1/2")
        run = await Pipeline(shout, broken).run("tides")
        assert (run.status, run.output) == ("failed", "TIDES")


@in_loop
async def test_map_reduce_says_what_is_missing() -> None:
    """The reducer gets the parts in order, and is told which of them are missing."""
    seen: list[str] = []

    async def mapper(part: str) -> str:
        if "two" in part:
            raise ValueError("no")
        return part.upper()

    async def reducer(text: str) -> str:
        seen.append(text)
        return "joined"

    async with Runtime(tune_gc=False):
        run = await MapReduce(mapper, reducer, chunks=3).run("one\ntwo\nthree")
    assert (run.output, run.progress.notes["missing"]) == ("joined", [2])
    assert seen == ["Part 1:\nONE\n\nPart 3:\nTHREE\n\nParts 2 of 3 are missing; say so."]


def test_a_task_is_split_in_nearly_equal_shares() -> None:
    """Lists by items, texts by paragraphs or lines; never more parts than there are, and nothing is lost."""
    assert split_task([1, 2, 3, 4, 5], 2) == [[1, 2], [3, 4, 5]]
    assert split_task("a\n\nb\n\nc", 2) == ["a\n\nb", "c"] or split_task("a\n\nb\n\nc", 2) == ["a", "b\n\nc"]
    assert split_task("a\nb", 5) == ["a", "b"]
    assert split_task("one line", 4) == ["one line"]
    assert split_task([], 3) == [[]]


@in_loop
async def test_debate_ends_when_both_sides_agree() -> None:
    """Agreement on claims ends the rounds; without it the judge hears all of them, and the dissent is named."""
    async with Runtime(tune_gc=False):
        cast = Cast(lambda r: "yes")
        sides = {"proponent": cast.agent("p"), "opponent": cast.agent("o"), "judge": cast.agent("j")}
        run = await Debate(**sides, agreement=same_text).run("Is it so?")
        assert (run.consensus_reached, run.model_calls, run.progress.notes["rounds"]) == (True, 3, 1)
        assert run.progress.notes["consensus_points"] == [{"claim": "yes", "supporters": ["for: p", "against: o"]}]
        cast = Cast(echo)
        sides = {"proponent": cast.agent("p"), "opponent": cast.agent("o"), "judge": cast.agent("j")}
        run = await Debate(**sides, agreement=same_text).run("Is it so?")
        assert (run.consensus_reached, run.model_calls, run.stages) == (False, 7, "4/4")
        assert [d.member for d in run.dissent] == ["against: o"]


@in_loop
async def test_ensemble_aggregates() -> None:
    """The majority's answer with the dissent of the others; ties go to the first; the best by metric."""

    def vote(request: Any) -> str:
        return {"a": "Rome.", "b": "paris", "c": " rome", "d": "Paris"}[who(request)]

    async with Runtime(tune_gc=False):
        cast = Cast(vote)
        run = await Ensemble(*map(cast.agent, "abc"), agreement=None).run("go")
        assert (run.output, run.consensus_reached, [d.member for d in run.dissent]) == ("Rome.", True, ["b"])
        run = await Ensemble(*map(cast.agent, "bacd"), agreement=None).run("go")
        assert (run.output, run.consensus_reached) == ("paris", False)
        run = await Ensemble(*map(cast.agent, "abc"), aggregate="best_of_n", metric=len).run("go")
        assert run.output == "Rome."


@pytest.mark.parametrize(
    ("review", "calls", "redone"),
    [("always", 4, True), ("never", 1, False), ("sample(0)", 1, False), ("sample(1)", 4, True), ("on_error", 1, False)],
)
@in_loop
async def test_supervisor_reviews_as_told(review: str, calls: int, redone: bool) -> None:
    """Reviews cost calls; what is not approved is done again with the advice, and kept as dissent when it stays so."""

    def answer(request: Any) -> str:
        return "needs numbers" if who(request) == "boss" else "work"

    cast = Cast(answer)
    async with Runtime(tune_gc=False):
        run = await Supervisor(supervisor=cast.agent("boss"), workers=[cast.agent("w")], review=review).run("go")
    assert (run.status, cast.calls, run.output) == ("ok", calls, "work")
    asked = [r.messages[-1].text for r in cast.model.requests if who(r) == "w"]
    assert (len(asked) == 2 and "needs numbers" in asked[1]) == redone
    assert bool(run.dissent) == redone


@in_loop
async def test_swarm_converges() -> None:
    """Roles that repeat themselves have converged; with a measure it is their claims that count."""
    async with Runtime(tune_gc=False):
        cast = Cast(lambda r: "plan " + who(r))
        run = await Swarm(cast.agent("a"), cast.agent("b"), agreement=None).run("go")
        assert (run.consensus_reached, run.stages, cast.calls) == (True, "2/2", 4)
        cast = Cast(lambda r: "one plan")
        run = await Swarm(cast.agent("a"), cast.agent("b"), agreement=same_text).run("go")
        assert (run.output, run.stages, cast.calls) == ("one plan", "1/1", 2)
        cast = Cast(lambda r: "plan " + who(r))
        run = await Swarm(cast.agent("a"), cast.agent("b"), agreement=same_text, max_iterations=3).run("go")
        assert (run.consensus_reached, run.stages, cast.calls) == (False, "3/3", 6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda a, b: Pipeline(), "0 stages"),
        (lambda a, b: MapReduce(a, b, chunks=0), "chunks=0"),
        (lambda a, b: Debate(proponent=a, opponent=a, judge=b), "one member"),
        (lambda a, b: Debate(proponent=a, opponent=b, judge=b, max_rounds=0), "max_rounds=0"),
        (lambda a, b: Ensemble(a), "1 members"),
        (lambda a, b: Ensemble(a, b, aggregate="mean"), "aggregate='mean'"),
        (lambda a, b: Ensemble(a, b, aggregate="best_of_n"), "metric=None"),
        (lambda a, b: Ensemble(a, b, aggregate="llm_synthesize"), "synthesizer=None"),
        (lambda a, b: Supervisor(supervisor=a, workers=[]), "no workers"),
        (lambda a, b: Supervisor(supervisor=a, workers=[b], review="sample(2)"), r"review='sample\(2\)'"),
        (lambda a, b: Swarm(a), "1 roles"),
        (lambda a, b: Swarm(a, b, convergence=0), "convergence=0"),
        (lambda a, b: Swarm(a, b, max_iterations=0), "max_iterations=0"),
        (lambda a, b: Pipeline(3), "int is no member"),
    ],
)
def test_bad_parameters_are_refused(make: Any, message: str) -> None:
    """Parameters out of their range are refused when the pattern is made, with place and hint."""
    cast = Cast(echo)
    with pytest.raises(Invalid, match=message) as caught:
        make(cast.agent("a"), cast.agent("b"))
    assert caught.value.code == "team_invalid"
    assert caught.value.hint


def test_the_folder_is_the_registry() -> None:
    """The six patterns are found by their files; an unknown one is refused with the list."""
    six = ("debate", "ensemble", "map_reduce", "pipeline", "supervisor", "swarm")
    assert patterns.names()[:6] == six
    for name in six:
        doc = patterns.load(name).PATTERN.__doc__
        assert all(word in doc for word in ("When:", "When not:", "Cost:"))
    with pytest.raises(Invalid, match="no pattern"):
        patterns.load("relay")
