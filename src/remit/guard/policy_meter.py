"""What bounded grants have left, and which grants were revoked: the state of authority, beside the values of core.

Idea: a counter belongs to a grant. A child's meter takes the counters of its parent's grants and makes new ones only
for grants of its own, so a child draws on what its parent has left. An effect takes from every counter before it
starts and gives back what it did not do.

    check  Remit.ruling(need, now, arguments, spent=...)   pure; says which grants the effect draws on
    take   Meter.take(grants, ...) -> Draw                 before the effect, in the same step of the loop as the check
    end    Draw.end(done=..., ...)                         exactly once

Revoking a grant's id takes it out of every remit that holds it, now and later, and stops the effects under way that
no longer have cover: their handles refuse, their task is cancelled (`InFlight`).

Invariants: no counter passes its bound, whatever runs side by side (nothing is awaited between check and take);
a rate counts every period of its length, not fixed windows; a revoked id never comes back within a runtime.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from remit.core.effects import Need
from remit.core.grants import Grant
from remit.core.remit import Remit, Ruling
from remit.core.usage import usd
from remit.errors import Denied

if TYPE_CHECKING:
    from remit.guard.handles import Lease


TOKEN: Final = "token:"
"""what the revocation id of a token begins with, where ids of grants stand too"""


class Counter:
    """What was used of one grant, and what effects under way hold."""

    __slots__ = ("nano", "size_bytes", "times", "uses")

    def __init__(self) -> None:
        self.uses = 0
        self.size_bytes = 0
        self.nano = 0
        self.times: deque[int] = deque()
        """milliseconds at which uses began, oldest first; only for a rate"""

    def lacks(self, grant: Grant, now_ms: int, size_bytes: int, nano: int | None) -> str:
        """Why the grant cannot take one more use of this size and worst cost; "" = it can."""
        bounds = grant.bounds
        if bounds.uses is not None and self.uses >= bounds.uses:
            return f"all {bounds.uses} uses are used"
        if bounds.size_bytes is not None and self.size_bytes + size_bytes > bounds.size_bytes:
            return f"{self.size_bytes} of {bounds.size_bytes} bytes are used; this would pass {size_bytes} more"
        if bounds.rate is not None:
            calls, period_ms = bounds.rate
            while self.times and self.times[0] <= now_ms - period_ms:
                self.times.popleft()
            if len(self.times) >= calls:
                wait_ms = self.times[0] + period_ms - now_ms
                return f"{calls} uses in {period_ms} ms are used; the next is free in {wait_ms} ms"
        if bounds.nano is None:
            return ""
        if nano is None:
            return "the model has no known price, and money bounds the grant"
        if self.nano + nano > bounds.nano:
            return (
                f"this could bring the cost to ${usd(self.nano + nano):.6f}; the grant allows ${usd(bounds.nano):.6f}"
            )
        return ""


class Draw:
    """What one effect took of its grants."""

    __slots__ = ("counters", "grants", "nano", "open", "size_bytes")

    def __init__(self, grants: tuple[Grant, ...], counters: list[Counter], size_bytes: int, nano: int) -> None:
        self.grants = grants
        self.counters = counters
        self.size_bytes = size_bytes
        self.nano = nano
        self.open = True

    def end(self, *, done: bool, size_bytes: int = 0, nano: int = 0) -> None:
        """Settle: `done` = it was tried (`size_bytes` of results, `nano` its real cost); else everything goes back.

        A use is never given back once the effect began: whoever provokes failures must not get more tries.
        """
        if not self.open:
            return
        self.open = False
        for counter in self.counters:
            counter.nano += (nano if done else 0) - self.nano
            counter.size_bytes += size_bytes if done else -self.size_bytes
            if not done:
                counter.uses -= 1
                if counter.times:
                    counter.times.pop()


NO_DRAW: Final = Draw((), [], 0, 0)


class Meter:
    """Counters and revocations as one run sees them."""

    __slots__ = ("_counters", "_narrowed", "conditional", "lineage", "revocations")

    def __init__(
        self, remit: Remit, *, revocations: Revocations, run_id: str = "", parent: Meter | None = None
    ) -> None:
        above = parent._counters if parent is not None else {}
        self._counters: dict[Grant, Counter] = dict(above)
        for grant in remit.counted:
            if grant not in self._counters:
                self._counters[grant] = Counter()
        self.conditional = any(layer.conditional for layer in remit.layers)
        """whether any rule depends on arguments"""
        self.revocations = revocations
        self.lineage: tuple[str, ...] = (run_id, *(parent.lineage if parent is not None else ()))
        """this run and all above it"""
        self._narrowed: tuple[Remit, int, Remit] | None = None

    @property
    def counts(self) -> bool:
        """Whether any grant has a counter."""
        return bool(self._counters)

    def ruling(  # noqa: PLR0913  # what a check knows of an effect, each by keyword
        self, remit: Remit, need: Need, now_ms: int, *, arguments: Any = None, size_bytes: int = 0,
        nano: int | None = 0, held: tuple[Grant, ...] = (),
    ) -> Ruling:  # fmt: skip
        """`Remit.ruling` with revocations and counters. Grants in `held` were drawn on by this effect already.

        Args:
            size_bytes: of the arguments.
            nano: the most that the effect can cost, in nano-dollars; None = not known.
        """
        if self.revocations.active:
            remit = self.narrowed(remit)
        if not self._counters:
            return remit.ruling(need, now_ms, arguments)

        def spent(grant: Grant) -> str:
            if grant in held:
                return ""
            counter = self._counters.get(grant)
            return "nobody counts it here" if counter is None else counter.lacks(grant, now_ms, size_bytes, nano)

        return remit.ruling(need, now_ms, arguments, spent)

    def take(self, grants: tuple[Grant, ...], now_ms: int, size_bytes: int = 0, nano: int = 0) -> Draw:
        """Take one use of each grant; the ruling that named them must be of this same moment."""
        if not grants:
            return NO_DRAW
        counters = [self._counters[grant] for grant in grants]
        for grant, counter in zip(grants, counters, strict=True):
            counter.uses += 1
            counter.size_bytes += size_bytes
            counter.nano += nano
            if grant.bounds.rate is not None:
                counter.times.append(now_ms)
        return Draw(grants, counters, size_bytes, nano)

    def passed(self, grants: tuple[Grant, ...], size_bytes: int) -> None:
        """Count bytes that came in under grants which an effect holds."""
        for grant in grants:
            self._counters[grant].size_bytes += size_bytes

    def left(self, grant: Grant) -> dict[str, int]:
        """What was used of a grant, for people: uses, bytes, nano-dollars."""
        counter = self._counters[grant]
        return {"uses": counter.uses, "bytes": counter.size_bytes, "nano": counter.nano}

    def narrowed(self, remit: Remit) -> Remit:
        """The remit without what was revoked."""
        gone = self.revocations.of(self.lineage)
        if not gone:
            return remit
        if self._narrowed is None or self._narrowed[0] is not remit or self._narrowed[1] != len(gone):
            self._narrowed = (remit, len(gone), remit.without(gone))
        return self._narrowed[2]


class Revocable(Protocol):
    """An authority, or its meter: what stands behind an effect under way."""

    @property
    def revocations(self) -> Revocations:
        """Of the runtime."""
        ...

    def narrowed(self, remit: Remit) -> Remit:
        """The remit without what was revoked."""
        ...


class InFlight:
    """One effect under way: `with InFlight(...)` around it; raises Denied `revoked` when its grant was revoked, and
    TimeoutError when it took more than `seconds`.

    Of all ways a cancellation can come, only our own two are turned into these: somebody else's goes on.
    Source: the algorithm of asyncio.timeouts.Timeout (CPython 3.11, Lib/asyncio/timeouts.py).
    """

    __slots__ = ("_asked", "_cancelling", "_seconds", "_task", "_timer", "lease", "needs", "over", "remit",
                 "stopped_by", "under")  # fmt: skip

    def __init__(
        self, under: Revocable, remit: Remit, needs: tuple[Need, ...], lease: Lease | None = None, seconds: float = 0
    ) -> None:
        self.under = under
        self.remit = remit
        self.needs = needs
        self.lease = lease
        self.stopped_by = ""
        """id of the revoked grant; "" = none was"""
        self.over = False
        """whether its time was over"""
        self._asked = 0  # cancellations of ours that the task has not given back
        self._seconds = seconds

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("an effect needs a task")
        self._task = task
        self._cancelling = task.cancelling()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._expire) if self._seconds else None
        self.under.revocations.running.add(self)
        return self

    def _expire(self) -> None:
        self.over = True
        self._asked += 1
        self._task.cancel()

    def stop(self, grant_id: str, now_ms: int) -> bool:
        """Stop the effect if a need of it lost its cover; False = it goes on."""
        remit = self.under.narrowed(self.remit)
        needs = self.needs if self.lease is None else (*self.needs, *self.lease.current)
        if self.stopped_by or all(_covered(remit, need, now_ms) for need in needs):
            return False
        self.stopped_by = grant_id
        if self.lease is not None:
            self.lease.revoked = True
        if asyncio.current_task() is not self._task:  # a call that revokes itself ends by its handles
            self._asked += 1
            self._task.cancel()
        return True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.under.revocations.running.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        if not self._asked:
            return
        # uncancel() takes a request back; what remains above the level at the start is somebody else's.
        left = min(self._task.uncancel() for _ in range(self._asked))
        if left > self._cancelling or kind is not asyncio.CancelledError:
            return
        if self.stopped_by:
            raise Denied("revoked", f"the grant {self.stopped_by} was revoked while the call ran") from error
        raise TimeoutError from error


class Revocations:
    """All revoked ids of a runtime (of grants, and `token:ID` of tokens), and its effects under way."""

    __slots__ = ("_held", "_ids", "active", "running")

    def __init__(self) -> None:
        self._ids: dict[str, set[str]] = {}
        self._held: dict[str, list[tuple[str, Remit]]] = {}
        self.active = False
        """whether anything was revoked"""
        self.running: set[InFlight] = set()

    def revoke(self, grant_id: str, now_ms: int, run_id: str = "") -> int:
        """Revoke a grant in a run and all below it ("" = in every run); returns how many effects it stopped."""
        self._ids.setdefault(grant_id, set()).add(run_id)
        self.active = True
        if grant_id.startswith(TOKEN):
            return sum(self._revoke_all(remit, now_ms, run) for run, remit in self._held.get(grant_id, ()))
        return sum(flight.stop(grant_id, now_ms) for flight in list(self.running))

    def hold(self, tokens: Iterable[str], remit: Remit, now_ms: int, run_id: str = "") -> None:
        """A run ("" = every run) stands on these tokens: once one is revoked, all grants of `remit` are, in that run.

        Args:
            tokens: revocation ids, hex.
        """
        for token in tokens:
            name = TOKEN + token
            held = self._held.setdefault(name, [])
            if (run_id, remit) not in held:
                held.append((run_id, remit))
            if name in self._ids:
                self._revoke_all(remit, now_ms, run_id)

    def _revoke_all(self, remit: Remit, now_ms: int, run_id: str) -> int:
        return sum(self.revoke(g.id, now_ms, run_id) for layer in remit.layers for g in layer.grants or ())

    def of(self, lineage: tuple[str, ...]) -> frozenset[str]:
        """The ids revoked for a run with these ancestors."""
        return frozenset(i for i, runs in self._ids.items() if "" in runs or not runs.isdisjoint(lineage))


def _covered(remit: Remit, need: Need, now_ms: int) -> bool:
    """Whether any grant of each layer still reaches the need; its bounds were checked when the effect began."""
    if remit.unset:
        return False
    return (
        all(layer.grants is None or any(grant.covers(need) for grant in layer.grants) for layer in remit.layers)
        and not remit.ruling(need, now_ms).denied
    )
