"""A channel whose sends and receives stand in the team's journal as what they are: message_sent and message_taken.

    orders = RecordedChannel(work, Order, "orders", senders=["desk"], receivers=["ann", "bob"])
    await orders.send(Order(...), party="desk")          order = (await orders.take(party="ann")).value

What a party does with channels has a key by its count (`message/ann/3`), and a party is one line of work, so that a
team that is resumed finds its own steps again: a send that was done is not done again, a receive gives the message that
it gave before, and what was sent and not yet taken is in the channel. What did not succeed (a deadline, a deadlock, a
closed or an empty channel) is recorded too: the code takes the same way again.

A message carries the trust of what it was made from; it joins that of whoever takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from remit.core.effects import measure_arguments
from remit.core.events import EffectFailed, MessageSent, MessageTaken, Noted
from remit.core.labels import Label, join
from remit.core.schema import encode_foreign
from remit.errors import Invalid, NonDeterminism, RemitError, error_of
from remit.ports.runtime import current_call
from remit.teams.coordination.channels import BOUND, Channel, select
from remit.teams.coordination.waits import PRIORITY, DeadlockError
from remit.teams.values import Answer
from remit.teams.work import Place, Work, check_digest

T = TypeVar("T")
MAX_MESSAGE_BYTES = 1_000_000


class Held(Struct, frozen=True):
    """One message inside a channel."""

    key: str
    value: Any
    label: Label


class Taken(Struct, frozen=True):
    """A message that was taken. `Work.ask(reads=[taken])` hands its trust on."""

    value: Any
    key: str
    """of its send"""
    sender: str
    label: Label
    channel: str = ""


class RecordedChannel(Generic[T]):
    """One channel of a team; each end's parties must be named. See Channel for the arguments."""

    def __init__(
        self, work: Work, kind: type[T], name: str, *, bound: int = BOUND, senders: Sequence[str],
        receivers: Sequence[str],
    ) -> None:  # fmt: skip
        if not senders or not receivers:
            raise Invalid("value_invalid", f"channel {name}: name the parties of both ends")
        if name in work.channels:
            raise Invalid("value_invalid", f"the team has a channel {name!r:.60} already")
        self.work, self.kind, self.name = work, kind, name
        self._channel: Channel[Held] = Channel(
            Held, name=name, bound=bound, graph=work.waits, senders=senders, receivers=receivers
        )
        work.channels[name] = self
        if work.recorded is not None:
            self._restore()

    def __len__(self) -> int:
        return len(self._channel)

    @property
    def senders(self) -> frozenset[str]:
        """Who may send."""
        return self._channel.senders

    @property
    def bound(self) -> int:
        """How many messages it holds."""
        return self._channel.bound

    def _restore(self) -> None:
        """Put in what was sent and not yet taken."""
        mine = [record for record in self.work.recorded if record.name == self.name]
        gone = {record.value for record in mine if record.state == "taken"}
        for record in mine:
            if record.state == "sent" and record.key not in gone:
                self._channel.restore(Held(record.key, record.value, record.label), record.arguments or PRIORITY)

    async def send(
        self, value: T, *, party: str, priority: int = PRIORITY, timeout_s: float | None = None,
        reads: Sequence[Answer | Taken] | None = None,
    ) -> str:  # fmt: skip
        """Put a value; waits for room. Returns the message's key.

        Args:
            reads: what the value was made from; None = all that the team, or the calling tool's run, has read.

        Raises: channel_closed, value_invalid, output_too_large, deadline_exceeded, DeadlockError, nondeterminism.
        """
        held, digest, record = self._prepare(value, party, reads)
        if record is None:
            try:
                await self._channel.send(held, party=party, priority=priority, timeout_s=timeout_s,
                                         done=self._sent(party, priority, digest))  # fmt: skip
            except RemitError as error:
                self._failed(held.key, error)
                raise
        return held.key

    def try_send(self, value: T, *, party: str, priority: int = PRIORITY) -> bool:
        """Whether there was room."""
        held, digest, record = self._prepare(value, party, None)
        if record is not None:
            return bool(record.state == "sent")
        done = self._channel.try_send(
            held, party=party, priority=priority, done=self._sent(party, priority, digest)
        )  # fmt: skip
        if not done:
            self.work.scope.emit(Noted(held.key, False))
        return done

    async def take(self, *, party: str, timeout_s: float | None = None) -> Taken:
        """The next message with what is known of it; waits for one.

        Raises: channel_closed, value_invalid, deadline_exceeded, DeadlockError, nondeterminism.
        """
        return (await take_first(self, party=party, timeout_s=timeout_s))[1]

    async def receive(self, *, party: str, timeout_s: float | None = None) -> T:
        """The next value; the team's label takes the message's in."""
        value: T = (await self.take(party=party, timeout_s=timeout_s)).value
        return value

    def try_take(self, *, party: str) -> Taken | None:
        """The next message; None = there is none now."""
        key = self.work.message_key(party)
        record = _known(self.work, key)
        if record is not None:
            return None if record.state == "noted" else self.replayed(record)[1]
        found = self._channel.try_receive(party=party, done=self.noted_by(key, party))
        if found is None:
            self.work.scope.emit(Noted(key, None))
            return None
        return self.taken(found[0])

    def close(self) -> None:
        """No more messages; what is inside can still be taken."""
        self._channel.close()

    def _prepare(self, value: T, party: str, reads: Sequence[Answer | Taken] | None) -> tuple[Held, str, Any]:
        """The message, its digest, and the record of a team that had sent it before."""
        key = self.work.message_key(party)
        try:
            checked = msgspec.convert(value, self.kind)
        except msgspec.ValidationError as error:
            raise Invalid("value_invalid", f"channel {self.name}: {error}") from None
        plain = msgspec.to_builtins(checked, enc_hook=encode_foreign)
        size, digest = measure_arguments(self.name, plain)
        if size > MAX_MESSAGE_BYTES:
            raise error_of(
                "output_too_large", f"channel {self.name}: a message of {size} bytes, {MAX_MESSAGE_BYTES} at most"
            )
        record = _known(self.work, key)
        if record is not None and record.state == "sent":
            check_digest(key, record, self.name, digest)
        return Held(key, plain, _label_here(self.work, reads)), digest, record

    def _sent(self, party: str, priority: int, digest: str) -> Callable[[Held], None]:
        def note(held: Held) -> None:
            event = MessageSent(held.key, self.name, party, held.value, digest, priority, held.label)
            self.work.scope.emit(event)

        return note

    def _failed(self, key: str, error: RemitError) -> None:
        self.work.scope.emit(EffectFailed(key, error.code, error.message, error.hint, error.retryable))

    def noted_by(self, key: str, party: str) -> Callable[[Held], None]:
        """What writes the taking of a message, in the moment in which it leaves the channel."""

        def note(held: Held) -> None:
            self.work.scope.emit(MessageTaken(key, self.name, party, held.key))

        return note

    def taken(self, held: Held) -> Taken:
        """A message for whoever took it; its trust reaches them."""
        label = held.label
        self.work.label = join(self.work.label, label)
        call = current_call.get()
        if call is not None:
            call.label = join(call.label, label)
        value = msgspec.convert(held.value, self.kind)
        sender = held.key.split("/")[1]
        return Taken(value, held.key, sender, label, self.name)

    def replayed(self, record: Any) -> tuple[RecordedChannel[T], Taken]:
        """What a receive gave before the team was resumed."""
        sent = self.work.recorded.get(record.value)
        return self, self.taken(Held(sent.key, sent.value, sent.label))


async def take_first(
    *channels: RecordedChannel[Any], party: str, timeout_s: float | None = None
) -> tuple[RecordedChannel[Any], Taken]:
    """(channel, message) of the first of these that has one."""
    work = channels[0].work
    key = work.message_key(party)
    record = _known(work, key)
    if record is not None:
        for channel in channels:
            if channel.name == record.name:
                return channel.replayed(record)
        asked = ", ".join(c.name for c in channels)
        raise NonDeterminism("nondeterminism", f"{key}: the journal took from {record.name}, the code asks {asked}")
    inner = {channel._channel: channel for channel in channels}
    try:
        found, held = await select(
            *inner, party=party, timeout_s=timeout_s,
            done=lambda channel, held: inner[channel].noted_by(key, party)(held),
        )  # fmt: skip
    except RemitError as error:
        channels[0]._failed(key, error)
        raise
    return inner[found], inner[found].taken(held)


def _known(work: Work, key: str) -> Any:
    """The record of a key; raises what had failed there."""
    record = work.recorded.get(key) if work.recorded is not None else None
    if record is not None and record.state == "failed":
        failed = record.failed
        if failed.code == "deadlock":
            raise DeadlockError.again(failed.message)
        raise error_of(failed.code, failed.message, failed.hint, failed.retryable)
    return record


def _label_here(work: Work, reads: Sequence[Answer | Taken] | None) -> Label:
    """The trust of what the calling code has read."""
    call = current_call.get()
    label = work.scope.label if call is None else join(call.scope.label, call.label)
    for each in reads or ():
        label = join(label, each.label)
    if reads is None and type(call) is Place and not call.key:
        label = join(label, work.label)  # the team's own code: whatever any member answered
    return label
