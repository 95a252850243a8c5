"""The coordination tracker and restarts."""

from __future__ import annotations

import pytest

from remit import Conflict, Invalid
from remit.teams.coordination.restart import RELEVANCE, NewContext, Policy, Restarts
from remit.teams.coordination.tracker import Event, Tracker


def team(**options: object) -> tuple[Tracker, list[Event]]:
    """Research, then writing, then review."""
    tracker, heard = Tracker(**options), []  # type: ignore[arg-type]
    tracker.subscribe(heard.append)
    tracker.register("research")
    tracker.register("write", "support", ["research"])
    tracker.register("review", "validator", ["write"])
    return tracker, heard


def test_dependencies_events_and_the_summary() -> None:
    """Each becomes ready once those before it have completed; the estimate is by the pace so far."""
    tracker, heard = team()
    assert tracker.ready() == ["research"]
    tracker.update("research", "working", now_s=0, progress=0.5)
    assert tracker.summary(10).eta_s == pytest.approx(50)
    tracker.update("research", "completed", now_s=20, summary="found")
    assert tracker.ready() == ["write"]
    done = [e for e in heard if e.kind in ("agent_completed", "dependency_resolved")]
    assert [(e.agent, e.details.get("duration_ms")) for e in done] == [("research", 20_000), ("write", None)]
    for name in ("write", "review"):
        tracker.update(name, "completed", now_s=30)
    summary = tracker.summary(30)
    assert (summary.complete, summary.successful, summary.overall_progress, summary.eta_s) == (True, True, 1.0, 0.0)
    assert heard[-1].kind == "all_completed"
    with pytest.raises(Invalid, match="completed"):
        tracker.update("write", "working", now_s=31)
    with pytest.raises(Invalid, match="not registered"):
        tracker.register("late", depends_on=["nobody"])


@pytest.mark.parametrize("policy", ["blocked", "cancelled"])
def test_a_failed_dependency_is_handed_down(policy: str) -> None:
    """Those who wait for what failed are blocked, or cancelled one after the other."""
    tracker, heard = team(on_failed_dependency=policy)
    tracker.update("research", "failed", now_s=1, summary="no network")
    assert tracker.agents["write"].status == policy
    assert tracker.agents["write"].waiting_for == ("research",)
    assert tracker.agents["review"].status == ("pending" if policy == "blocked" else "cancelled")
    assert tracker.summary(1).complete == (policy == "cancelled")
    assert not tracker.summary(1).successful
    assert "agent_failed" in {e.kind for e in heard}


def test_bottlenecks_fire_once_and_timeouts_are_enforced() -> None:
    """Active for over 30 s with dependents is told once; after 300 s it is cancelled through the callback."""
    cancelled: list[str] = []
    tracker, heard = team(auto_cancel=cancelled.append)
    tracker.update("research", "working", now_s=0)
    for now in (10, 30, 31, 32, 40, 300):
        assert tracker.tick(now) == []
    fired = [e for e in heard if e.kind == "bottleneck_detected"]
    assert [(e.agent, e.details["dependents"]) for e in fired] == [("research", ["write"])]
    assert fired[0].at_s == 40 or fired[0].at_s <= 35
    assert tracker.summary(40).bottlenecks == ("research",)
    assert tracker.tick(301) == ["research"] == cancelled
    assert tracker.agents["research"].status == "cancelled"


def test_the_timeline_is_bounded_and_subscriptions_end() -> None:
    """At most 1,000 events are kept; who unsubscribes hears no more."""
    tracker, heard = team()
    only: list[Event] = []
    end = tracker.subscribe(only.append, "status_changed")
    for i in range(1_200):
        tracker.update("research", "working", now_s=i)
    end()
    tracker.update("research", "paused", now_s=2_000)
    assert (len(tracker.timeline), len(only), len(heard)) == (1_000, 1_200, 1_204)
    with pytest.raises(Invalid, match="events are"):
        tracker.subscribe(only.append, "gossip")


def test_restarts_are_checked_in_order() -> None:
    """Trigger, then limit, then cooldown, then relevance; each alone says no with its reason."""
    restarts = Restarts()
    user, data = NewContext("user_input", "in metres", suggestions=("convert",)), NewContext("external_data")

    def why(context: NewContext, now_s: float) -> str:
        return restarts.decide("ada", context, now_s=now_s).reason.split(":")[0]

    restarts.register("ada", Policy(("on_user_input", "on_peer_answer"), max_restarts=2))
    restarts.answered("ada", "3 feet")
    assert why(data, 0) == "trigger"
    given = restarts.begin("ada", user, now_s=0)
    assert (given.previous_answer, given.restart_number, given.remaining) == ("3 feet", 1, 1)
    assert given.suggestions == ("convert",)
    assert why(NewContext("peer_answer", relevance=0.1), 4) == "cooldown"
    assert why(NewContext("peer_answer", relevance=0.1), 5) == "relevance"
    assert restarts.decide("ada", NewContext("peer_answer"), now_s=5).should_restart  # .6 - .1 is still .5
    restarts.begin("ada", user, now_s=5)
    assert why(user, 6) == "limit"
    assert why(data, 6) == "trigger"
    with pytest.raises(Conflict) as caught:
        restarts.begin("ada", user, now_s=99)
    assert caught.value.code == "restart_refused"
    assert restarts.contexts("ada") == (user, user)


def test_presets_defaults_and_the_limits_of_all() -> None:
    """The specification's values; the global limit and cooldown hold across agents."""
    assert RELEVANCE["user_input"] == 1.0
    presets = [Policy(), Policy.on_error_only(), Policy.validator()]
    assert [(p.max_restarts, p.cooldown_s) for p in presets] == [(3, 5.0), (5, 5.0), (2, 2.0)]
    restarts = Restarts(max_total=2)
    restarts.register("none", Policy.never())
    assert not restarts.decide("none", NewContext("user_input"), now_s=0).should_restart
    restarts.begin("a", NewContext("user_input"), now_s=0)
    assert "cooldown" in restarts.decide("b", NewContext("user_input"), now_s=0.5).reason
    restarts.begin("b", NewContext("user_input"), now_s=1)
    assert "all agents" in restarts.decide("c", NewContext("user_input"), now_s=9).reason
    for i in range(9):
        restarts.answered("a", str(i))
    assert restarts.answers("a") == ("4", "5", "6", "7", "8")
    with pytest.raises(Invalid, match="kinds"):
        restarts.decide("a", NewContext("gossip"), now_s=0)
