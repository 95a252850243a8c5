"""What a run waits for: people, signals and time. Used by a tool's `Context` and by a workflow's `Flow`.

A wait is two events of the run: its opening and its end. In between the run leaves the code that waits (`Parked`), and
nothing of it stays in memory; when the end is journalled the code runs again from its start and finds it. So a wait
may last for days, survives every restart, and an answer counts once: for the question that was asked, by digest.

Timers up to PARK_AFTER_S are waited for in place: parking a run costs more than that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from remit.core.effects import Parked, Waiting, measure_arguments
from remit.core.events import EffectParked, Noted, TimerSet, WaitClosed, WaitOpened
from remit.core.forms import Form, check
from remit.core.ids import new_id
from remit.errors import Denied, Exhausted, Invalid, NonDeterminism
from remit.ports.journal import InboxRow
from remit.ports.tool import REQUIRED

if TYPE_CHECKING:
    from remit.ports.approver import Approver
    from remit.ports.clock import Clock

PARK_AFTER_S: Final = 1.0
MAX_WAIT_S: Final = 10 * 366 * 86_400.0
MAX_QUESTION: Final = 10_000  # characters


class Waits:
    """The waits of one call or workflow.

    Args:
        scope: of the run; the gate's Scope.
        place: the structural key of the next wait of a kind.
    """

    def __init__(self, scope: Any, clock: Clock, approver: Approver | None, place: Callable[[str], str]) -> None:
        self._scope = scope
        self._clock = clock
        self._approver = approver
        self._place = place

    async def ask(
        self, question: str, form: Form, timeout_s: float | None = None, default: Any = REQUIRED, name: str = "ask"
    ) -> Any:
        """A person's answer; see ports.tool.Context.ask."""
        if not 0 < len(question) <= MAX_QUESTION:
            raise Invalid("value_invalid", f"a question has 1 to {MAX_QUESTION} characters")
        digest = measure_arguments(question, form.data())[1]
        opened = WaitOpened(self._place(name), "", name, digest, question, kind="input", form=form.data())
        closed = await self._wait(opened, timeout_s)
        return _value(closed, question, default)

    @staticmethod
    def form(kind: str, choices: Sequence[str], options: dict[str, Any]) -> Form:
        """The form that `ask` means: its kind, or select where there are choices, or text. Raises value_invalid."""
        try:
            # The caller's words are checked by Form itself.
            return Form(kind or ("select" if choices else "text"), tuple(choices), **options)  # type: ignore[arg-type]
        except TypeError as e:
            raise Invalid("value_invalid", f"not a form: {e}") from None

    async def wait_for(self, name: str, timeout_s: float | None = None, default: Any = REQUIRED) -> Any:
        """What the next signal of that name brings; see ports.tool.Context.wait_for."""
        if not 0 < len(name) <= 128:
            raise Invalid("value_invalid", "a signal's name has 1 to 128 characters")
        key = self._place("signal")
        taken = self._early(key, name)
        if taken is not None:
            return taken.value
        digest = measure_arguments(name, None)[1]
        text = f"waits for the signal {name}"
        opened = WaitOpened(key, "", name, digest, text, kind="signal", form=Form("json").data())
        return _value(await self._wait(opened, timeout_s), text, default)

    async def sleep(self, seconds: float) -> None:
        """Go on after `seconds`; see ports.tool.Context.sleep."""
        key = self._place("sleep")
        record = self._record(key)
        if record is not None and record.answer is not None:
            return
        now_ms = self._clock.now_ms()
        if record is None:
            item, due_ms = self._id("timer", now_ms), now_ms + round(_seconds(seconds) * 1000)
            self._scope.emit(TimerSet(key, item, due_ms))
        else:
            item, due_ms = record.item, record.due_ms
        left_s = (due_ms - now_ms) / 1000
        if left_s > PARK_AFTER_S:
            raise Parked((item,), due_ms)
        if left_s > 0:
            await self._clock.sleep(left_s)
        self._scope.emit(WaitClosed(key, item, "due", "", "clock"))

    async def _wait(self, opened: WaitOpened, timeout_s: float | None) -> WaitClosed:
        record = self._record(opened.key)
        now_ms = self._clock.now_ms()
        if record is not None and record.wait is not None:
            if record.digest != opened.digest:
                both = f"the journal asks {record.wait.question!r:.200}, the code {opened.question!r:.200}"
                raise NonDeterminism("nondeterminism", f"{opened.key}: {both}")
            if record.answer is not None:
                answer: WaitClosed = record.answer
                return answer
            item, due_ms = record.item, record.wait.due_ms
        else:
            item = self._id("ask", now_ms)
            due_ms = 0 if timeout_s is None else now_ms + round(_seconds(timeout_s) * 1000)
            self._scope.emit(
                WaitOpened(opened.key, item, opened.name, opened.digest, opened.question, None,
                           opened.kind, opened.form, due_ms)
            )  # fmt: skip
        if due_ms and now_ms >= due_ms:
            expired = WaitClosed(opened.key, item, "expired", opened.digest, "clock")
            self._scope.emit(expired)
            return expired
        if self._approver is not None and opened.kind == "input":
            closed = await self._now(self._approver, opened, item, due_ms)
            if closed is not None:
                return closed
        raise Parked((item,), due_ms)

    async def _now(self, approver: Approver, opened: WaitOpened, item: str, due_ms: int) -> WaitClosed | None:
        await self._scope.log.flush()
        now_ms = self._clock.now_ms()
        row = InboxRow(item, opened.kind, self._scope.run_id, opened.name, None, opened.key, opened.digest,
                       opened.question, now_ms, opened.form, due_ms)  # fmt: skip
        given = await approver.ask(row)
        if given is None:
            return None
        closed = closing(row, given.decision, given.value, given.by, given.reason)
        self._scope.emit(closed)
        return closed

    def _early(self, key: str, name: str) -> Noted | None:
        """A signal that came before the wait: journalled as taken, so that no other wait takes it."""
        recorded = self._scope.recorded
        if recorded is None:
            return None
        record = recorded.get(key)
        if record is not None:
            return Noted(key, record.value["value"]) if record.state == "noted" else None
        taken = {r.value["message"] for r in recorded if r.state == "noted" and _is_signal(r)}
        for number, message in enumerate(recorded.messages):
            if message.name == name and number not in taken | recorded.taken:
                recorded.taken.add(number)
                self._scope.emit(Noted(key, {"message": number, "value": message.value}))
                return Noted(key, message.value)
        return None

    def _record(self, key: str) -> Any:
        recorded = self._scope.recorded
        return None if recorded is None else recorded.get(key)

    def _id(self, prefix: str, now_ms: int) -> str:
        return new_id(prefix, now_ms, self._clock.random_bits(80))


def waits_of(scope: Any, key: str, clock: Clock, approver: Approver | None) -> Waits:
    """What the call at `key` may wait for."""

    def place(name: str) -> str:
        at = f"{key}/{name}"
        number = scope.waited[at] = scope.waited.get(at, -1) + 1
        return f"{at}#{number}" if number else at

    return Waits(scope, clock, approver, place)


def park(scope: Any, key: str, parked: Parked) -> Waiting:
    """A tool's own code waits: it runs again from its start once it need not wait any more."""
    for at in [at for at in scope.waited if at.startswith(f"{key}/")]:
        del scope.waited[at]
    scope.emit(EffectParked(key, parked.items[0]))
    scope.due_ms = min(scope.due_ms or parked.due_ms, parked.due_ms or scope.due_ms)
    return Waiting(parked.items[0], "inside")


def closing(row: InboxRow, decision: str, value: Any, by: str, reason: str = "") -> WaitClosed:
    """The event that answers an `input` or `signal`; raises answer_invalid for what its form does not take."""
    if decision == "denied":
        return WaitClosed(row.key, row.id, "denied", row.digest, by, reason)
    from remit.core.forms import form_of  # only an answer needs it

    return WaitClosed(row.key, row.id, "answered", row.digest, by, reason, None, check(form_of(row.form), value))


def _value(closed: WaitClosed, question: str, default: Any) -> Any:
    if closed.decision == "answered":
        return closed.value
    if closed.decision == "denied":
        raise Denied(
            "approval_refused", f"a person refused to answer {question!r:.200}: {closed.reason or 'no reason'}"
        )
    if default is REQUIRED:
        raise Exhausted("wait_expired", f"nobody answered in time: {question!r:.200}")
    return default


def _is_signal(record: Any) -> bool:
    return isinstance(record.value, dict) and "message" in record.value


def _seconds(value: float) -> float:
    if not 0 <= value <= MAX_WAIT_S:
        raise Invalid("value_invalid", f"a wait of {value!r} s; 0 to {MAX_WAIT_S:g}")
    return value
