"""Mailboxes: an inbox for each party of a team, and the ways in which a message finds one.

    boxes = Mailboxes(work, ["lead", "ann", "bob"])
    await boxes.send("lead", "Look at the logs", to="ann")            direct
    await boxes.send("lead", "We stop at noon", route="broadcast")    everybody else
    await boxes.send("lead", job, route="load_balanced", among=["ann", "bob"])
    mail = await boxes.take("ann")                                    the next one; what it says is in mail.text

direct         to one party
broadcast      to every other one
round_robin    to the next in turn
load_balanced  to the one whose inbox holds the fewest messages
priority       to the most important one that has room; equals by load

An unknown or dead recipient is an error of the sender, never a lost message. A request waits for its answer, and the
graph of waits sees for whom. An approval is a request that another party decides; what a person decides is
`questions.ask`, which parks the team and is no deadlock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

from remit.core.messages import as_parts
from remit.errors import Invalid, Unavailable
from remit.teams.coordination.channels import BOUND
from remit.teams.coordination.waits import PRIORITY
from remit.teams.messaging.envelope import Envelope, Kind
from remit.teams.messaging.presence import TTL_S, Presence
from remit.teams.messaging.recorded import RecordedChannel, Taken

if TYPE_CHECKING:
    from remit.teams.work import Work

ROUTES: Final = ("direct", "broadcast", "round_robin", "load_balanced", "priority")


class Mailboxes:
    """The inboxes of one team.

    Args:
        work: the team's work.
        parties: their names, or name -> priority (0 to 255): the important ones get priority-routed messages first, and
            the least important one gives way in a deadlock.
        bound: messages that an inbox holds; a full one makes its senders wait.
        outside: those among `parties` that the team does not run; they must show signs of life (`presence.beat`).
        ttl_s: how long such a sign counts.
    """

    def __init__(
        self, work: Work, parties: Sequence[str] | Mapping[str, int], *, bound: int = BOUND,
        outside: Sequence[str] = (), ttl_s: float = TTL_S,
    ) -> None:  # fmt: skip
        known = dict(parties) if isinstance(parties, Mapping) else dict.fromkeys(parties, PRIORITY)
        if len(known) < 2 or work.mailboxes is not None:
            raise Invalid("value_invalid", f"mailboxes for {len(known)} parties: at least two, and once a team")
        self.work, self.parties = work, known
        self.presence = Presence(work.runtime.clock.monotonic, ttl_s)
        self.presence.held |= known.keys() - set(outside)
        for name, priority in known.items():
            work.waits.add(name, priority)
        self.inboxes: dict[str, RecordedChannel[Envelope]] = {
            name: RecordedChannel(work, Envelope, f"inbox/{name}", bound=bound,
                                  senders=[n for n in known if n != name], receivers=[name])
            for name in known
        }  # fmt: skip
        self._open: dict[str, Envelope] = {}
        self._last = self._last_receiver()
        work.mailboxes = self

    async def send(  # noqa: PLR0913  # every option of a message is a keyword with a default
        self, sender: str, content: Any, *, to: str = "", route: str = "", among: Sequence[str] = (),
        priority: int = PRIORITY, lasts_s: float | None = None, metadata: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> list[str]:  # fmt: skip
        """Send `content` (text, or parts); returns who got it.

        Args:
            to: for direct.
            among: whom the other routes choose from; by default everybody but the sender.
            lasts_s: how long anybody needs the message; None = always.

        Raises:
            Invalid: recipient_unknown, value_invalid. Unavailable: recipient_gone.
            Exhausted: deadline_exceeded. Conflict: deadlock, channel_closed, nondeterminism.
        """
        route = route or ("direct" if to else "broadcast")
        if route not in ROUTES or (route == "direct") != bool(to):
            raise Invalid("value_invalid", f"route={route!r:.40} to={to!r:.60}; direct takes `to`, the others do not")
        key = self.work.message_key(sender)
        chosen = await self.work.step(f"{key}/to", self._choose, sender, route, to, list(among))
        until = 0 if lasts_s is None else chosen["at_ms"] + round(1000 * lasts_s)
        mail = Envelope(sender, "", as_parts(content), priority=priority, deadline_ms=until, at_ms=chosen["at_ms"],
                        metadata=dict(metadata or {}))  # fmt: skip
        for name in chosen["to"]:
            await self._put(name, mail, sender, timeout_s)
        return list(chosen["to"])

    async def take(self, party: str, *, timeout_s: float | None = None) -> Envelope:
        """The next message of a party's inbox, with the trust that it has; one whose deadline passed is skipped."""
        while True:
            found = await self._box(party).take(party=party, timeout_s=timeout_s)
            mail: Envelope = found.value
            if mail.correlation:
                self._open[mail.correlation] = mail
            if not mail.deadline_ms or mail.kind != "message" or not await self._late(mail, found):
                return mail.under(found.label)

    async def request(
        self, sender: str, to: str, content: Any, *, kind: Kind = "request", timeout_s: float | None = None
    ) -> Envelope:
        """Ask a party and wait for its answer; the waits graph knows for whom. Raises as `send`; what the other
        answered with `error` comes as an envelope of that kind."""
        key = self.work.message_key(sender).replace("/", ".")
        self._must_reach(to)
        reply = self._reply(f"reply/{key}", to, sender)
        at_ms = await self.work.step(f"{key}/at", self.work.runtime.clock.now_ms)
        mail = Envelope(sender, to, as_parts(content), kind, reply.name, at_ms=at_ms)
        try:
            await self._put(to, mail, sender, timeout_s)
            found = await reply.take(party=sender, timeout_s=timeout_s)
        finally:
            reply.close()
        mail_back: Envelope = found.value
        return mail_back.under(found.label)

    async def answer(self, party: str, to: Envelope, content: Any, *, error: bool = False) -> None:
        """Answer a request, once. Raises value_invalid for what is none or was answered; channel_closed when its
        sender no longer waits."""
        if to.kind not in ("request", "approval") or to.to != party:
            raise Invalid("value_invalid", f"{party!r:.60} has nothing to answer there")
        kind: Kind = "error" if error else "answer"
        mail = Envelope(party, to.sender, as_parts(content), kind, to.correlation)
        await self._reply(to.correlation, party, to.sender).send(mail, party=party)

    async def approve(self, sender: str, by: str, question: str, *, timeout_s: float | None = None) -> bool:
        """Have a party decide: True only for an answer that begins with `yes` or `approve`."""
        answer = await self.request(sender, by, question, kind="approval", timeout_s=timeout_s)
        return answer.kind == "answer" and answer.text.strip().casefold().startswith(("yes", "approve"))

    def rows(self) -> list[dict[str, Any]]:
        """Every party: its status, what waits in its inbox, and what it waits for."""
        waits = self.work.waits.waits
        return [
            {"name": name, "priority": priority, "status": self.presence.status(name),
             "inbox": len(self.inboxes[name]), "waits": [wait.why for wait in waits.get(name, ())]}
            for name, priority in self.parties.items()
        ]  # fmt: skip

    def leave(self, party: str) -> None:
        """A party has ended: nothing can be sent to it any more, and whoever waits for its messages goes on."""
        self.presence.leave(party)
        self.inboxes[party].close()

    def _choose(self, sender: str, route: str, to: str, among: Sequence[str]) -> dict[str, Any]:
        """Who gets it, and when it was sent: the same on resume."""
        return {"to": self._receivers(sender, route, to, among), "at_ms": self.work.runtime.clock.now_ms()}

    def _receivers(self, sender: str, route: str, to: str, among: Sequence[str]) -> list[str]:
        self._box(sender)
        if route == "direct":
            self._must_reach(to)
            return [to]
        for name in among:
            self._box(name)
        there = [n for n in (among or self.parties) if n != sender and self.presence.status(n) != "dead"]
        if not there:
            raise Unavailable("recipient_gone", f"{sender} has nobody to send to")
        if route == "broadcast":
            return there
        if route == "round_robin":
            after = list(self.parties).index(self._last) if self._last else -1
            places = {name: place for place, name in enumerate(self.parties)}
            self._last = min(there, key=lambda n: (places[n] <= after, places[n]))
            return [self._last]
        if route == "load_balanced":
            return [min(there, key=lambda n: len(self.inboxes[n]))]
        room = [n for n in there if len(self.inboxes[n]) < self.inboxes[n].bound] or there
        return [min(room, key=lambda n: (-self.parties[n], len(self.inboxes[n])))]

    def _reply(self, name: str, answers: str, asks: str) -> RecordedChannel[Envelope]:
        """The channel of one answer; of a resumed team either end may come to it first."""
        known: RecordedChannel[Envelope] | None = self.work.channels.get(name)
        if known is not None:
            return known
        return RecordedChannel(self.work, Envelope, name, bound=1, senders=[answers], receivers=[asks])

    def opened(self, party: str, correlation: str) -> Envelope:
        """The request that a party took and may answer; raises value_invalid for any other."""
        found = self._open.get(correlation)
        for record in self.work.recorded or ():
            if found is None and record.state == "sent" and record.name == f"inbox/{party}":
                mail = msgspec.convert(record.value, Envelope)
                found = mail if mail.correlation == correlation else None
        if found is None or found.to != party:
            raise Invalid("value_invalid", f"{party!r:.60} has no open request {correlation!r:.80}")
        return found

    async def _put(self, to: str, mail: Envelope, sender: str, timeout_s: float | None) -> None:
        if sender not in self.presence.held:
            self.presence.beat(sender)
        box = self.inboxes[to]
        await box.send(replace(mail, to=to), party=sender, priority=mail.priority, timeout_s=timeout_s)

    async def _late(self, mail: Envelope, found: Taken) -> bool:
        now_ms = self.work.runtime.clock.now_ms
        late: bool = await self.work.step(f"{found.key}/late", lambda: now_ms() > mail.deadline_ms)
        return late

    def _last_receiver(self) -> str:
        """Who got the last message before the team was resumed; "" = nobody."""
        names = [r.name for r in self.work.recorded or () if r.state == "sent" and r.name.startswith("inbox/")]
        last = names[-1].removeprefix("inbox/") if names else ""
        return last if last in self.parties else ""

    def _box(self, party: str) -> RecordedChannel[Envelope]:
        box = self.inboxes.get(party)
        if box is None:
            raise Invalid(
                "recipient_unknown", f"there is no party {party!r:.60}", hint=f"Parties: {', '.join(self.parties)}"
            )
        return box

    def _must_reach(self, to: str) -> None:
        self._box(to)
        if self.presence.status(to) == "dead":
            raise Unavailable("recipient_gone", f"{to} has ended, or shows no sign of life")
