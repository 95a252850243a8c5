"""A judgement that comes after a run: what was routed in it is learnt from, as if it had been known at once.

The run's own journal holds all that is needed (the choice, its features, which models were asked), so a person may
judge days later and in another process. The judgement is journalled before it is learnt; its run's id follows from the
judged run's, so nobody judges twice. A run's outcome is one observation: its routed calls share the weight.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec import Struct

from remit.core.events import EffectDone, EffectIntent, ModelNote, Routed, RunDone, RunStarted
from remit.errors import Conflict, Invalid
from remit.journal.chain import decode_event
from remit.models.choosing import lowered, prior
from remit.models.router import CAUTION

if TYPE_CHECKING:
    from remit.models.router import Router
    from remit.models.routes import Routes
    from remit.ports.journal import Entry, Journal

SUFFIX = "-judged"


class Taken(Struct):
    """One routed call: the model whose answer was taken, and those whose answers failed before."""

    routed: Routed
    model: str = ""
    failed: tuple[str, ...] = ()


def taken(entries: Iterable[Entry]) -> tuple[list[Taken], bool]:
    """(the routed calls of a run that have an answer, whether the run has ended)."""
    calls: dict[str, Taken] = {}
    names: dict[str, str] = {}
    ended = False
    for entry in entries:
        event = decode_event(entry.body)
        if isinstance(event, Routed):
            calls.setdefault(event.key, Taken(event))
        elif isinstance(event, EffectIntent) and event.kind == "model":
            names[event.key] = event.name
        elif isinstance(event, EffectDone) and event.key in names:
            call = calls.get(event.key.partition("#")[0])
            if call is not None:
                call.failed += (call.model,) if call.model else ()
                call.model = names[event.key]
        ended = ended or isinstance(event, RunDone)
    return [call for call in calls.values() if call.model], ended


async def judge(journal: Journal, routes: Routes, run_id: str, ok: bool, who: tuple[str, str]) -> int:
    """Journal and learn one judgement; see Runtime.judge.

    Args:
        journal: where the run is.
        routes: whose router learns.
        run_id: the judged run.
        ok: whether its outcome was right.
        who: (by whom, why).

    Raises: run_unknown, value_invalid (it has not ended), run_active (judged before).
    """
    calls, ended = taken(journal.read(run_id))
    if not ended:
        raise Invalid("value_invalid", f"run {run_id} has not ended: its outcome cannot be judged yet")
    by, reason = who
    own_id = run_id + SUFFIX
    if _exists(journal, own_id):
        raise Conflict("run_active", f"run {run_id} was judged before: {own_id}")
    log = journal.create(own_id, RunStarted("", f"judge {run_id}", parent=run_id))
    for call in calls:
        log.append(ModelNote(call.routed.key, "judged", call.model, reason, {"ok": ok, "by": by, "run": run_id}))
    log.append(RunDone("ok"))
    await log.release("ok")
    for call in calls:
        learn(routes.router, call, ok, 1.0 / len(calls))
        routes.learnt()
    routes.save()
    return len(calls)


def learn(router: Router, call: Taken, ok: bool, weight: float) -> None:
    """As `Router.judged`, of a choice as the journal holds it; a check that let the answer pass is known better then.

    `weight`: of this outcome among those learnt.
    """
    routed = call.routed
    known = {c.model: prior(c.capability, routed.difficulty) for c in routed.candidates}
    usable = [c for c in routed.candidates if not c.out]
    if usable:
        ablest = max(usable, key=lambda c: (c.capability, c.success, c.model)).model
        if call.failed or call.model != ablest:
            reference = router.predictor.estimate(ablest, routed.features, known[ablest])
            router.budget.outcome(reference.cautious(-CAUTION), ok, weight)
    start = known.get(call.model, prior(1.0, routed.difficulty))
    for failed in call.failed:
        estimate = router.predictor.estimate(failed, routed.features, known.get(failed, start))
        start -= lowered(estimate.success)
    router.predictor.learn(call.model, routed.features, ok, start, weight)
    if routed.check and call.model in routed.plan[:-1]:  # of these only an answer that passed is taken
        router.count(routed.check, 2)
        if not ok:
            router.count(routed.check, 3)


def _exists(journal: Journal, run_id: str) -> bool:
    try:
        return bool(journal.read(run_id))
    except Invalid as error:
        if error.code != "run_unknown":
            raise
        return False
