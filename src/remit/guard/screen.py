"""The screen of a run: all that looks at text on its way in and out, as the gate's one collaborator.

    ask       a model call           = request, the model, reply; pieces of a stream get their values back too
    request   before it              input rules on what people wrote; for a remote model, tokens for personal data
    reply     after it               tokens become values again; then the output rules
    before    before a tool call     call rules on every text of the arguments
    result    after a tool call      result rules on its text

Invariants:
- A model that is not on this machine (or on a host the user named as theirs) never gets personal data in the clear;
  no setting turns that off. The gate, the tools and the journal see the real values.
- A text that a rule blocks goes nowhere: a call is refused, a request is not sent, a result or an answer is withheld.
  A withheld result is told as such and not as a refusal, because the tool did run.
- A critical finding trips the run: from then on every call of a tool or a model is refused.
- Findings name the rule and the reason, never the text.

Cost: with nothing configured and a model in this process or on loopback there is no screen at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from remit.core.effects import Ask, Deny, Verdict
from remit.core.events import Screened
from remit.core.messages import Message, Text, ToolResult
from remit.core.model import ModelRequest, Reply, StreamEnd, StreamEvent
from remit.core.screening import NEEDS_CODE, Finding
from remit.errors import Denied, ModelError
from remit.guard.rule_set import MAX_TEXTS, Look, look

if TYPE_CHECKING:
    from remit.guard.pii_messages import Redaction
    from remit.guard.screening import Screening
    from remit.ports.model import Model

Listener = Callable[[Any, Any], None] | None


class Screen:
    """The screen of one run."""

    __slots__ = ("_emit", "_redaction", "_request", "_screening", "_seen", "tripped", "withheld")

    def __init__(self, screening: Screening, emit: Callable[[Screened], None]) -> None:
        self._screening = screening
        self._emit = emit
        self._redaction: Redaction | None = None
        self._seen: dict[int, tuple[Message, Message]] = {}
        self._request: ModelRequest | None = None
        self.tripped: Finding | None = None
        self.withheld: dict[str, Deny] = {}
        """key of a model call -> why its answer was withheld"""

    @property
    def holds_output(self) -> bool:
        """Whether pieces of a reply must wait until the whole has been looked at."""
        return any(
            "output" in each.on and each.rule.severity in ("block", "sanitize") for each in self._screening.rules
        )

    @property
    def redactions(self) -> dict[str, int]:
        """How many places were kept from remote models, by kind of data."""
        return {} if self._redaction is None else dict(self._redaction.tokens.redactions)

    def remember(self, event: Screened, withheld: bool) -> None:
        """Take in what an earlier activation of the run had found."""
        finding = Finding(event.rule, "", event.severity, event.level, event.stage, event.why, event.confidence)
        if event.level == "critical" and self.tripped is None:
            self.tripped = finding
        if withheld:
            self.withheld.setdefault(event.key, _deny(finding, "the answer was withheld"))

    # --- a model call ----------------------------------------------------------------------------

    async def ask(
        self,
        key: str,
        model: Model,
        request: ModelRequest,
        streaming: bool,
        listener: Callable[[Any, Any], None] | None,
    ) -> Reply:
        """One attempt of a model call, its pieces to the listener; raises Denied and ModelError."""
        sent = await self.request(key, request, model.url)
        if not streaming:
            return await self.reply(key, await model.request(sent))
        show = self._shown()
        async for event in model.stream(sent):
            for piece in show(event):
                if type(piece) is not StreamEnd and listener is not None and not self.holds_output:
                    listener(None, piece)
            if type(event) is StreamEnd:
                return await self.reply(key, event.reply)
        raise ModelError("model_stream_cut", "the model's stream ended without a reply")

    async def request(self, key: str, request: ModelRequest, url: str) -> ModelRequest:
        """The request as it may be sent; raises Denied: guardrail_blocked, guardrail_tripped."""
        if self.tripped is not None:
            raise Denied("guardrail_tripped", _tripped(self.tripped).why)
        if self._screening.rules:
            request = await self._looked_at(key, request)
            self._request = request
        if not self._screening.remote(url):
            return request
        if self._redaction is None:
            from remit.guard.pii_messages import Redaction

            self._redaction = Redaction(self._screening.mask)
        before = self.redactions
        hidden = self._redaction.hide(request)
        for kind, count in self.redactions.items():
            new = count - before.get(kind, 0)
            if new:
                why = f"a remote model was not shown {kind}"
                self._emit(Screened(key, "request", f"pii.{kind}", "redact", "info", why, 1.0, new))
        return hidden

    async def reply(self, key: str, reply: Reply) -> Reply:
        """The reply with values in place of tokens; what a rule blocks is left out of it, and `withheld` says why."""
        if self._redaction is not None:
            reply = self._redaction.show(reply)
        if not self._has("output") or not reply.text:
            return reply
        seen = await self._look("output", key, reply.text, sources=self._sources())
        finding = seen.blocked or seen.tripped
        if finding is not None:
            self.withheld[key] = _deny(finding, "the answer was withheld")
            parts = (Text(f"[withheld by guardrail {finding.rule}]"),)
            return replace(reply, parts=parts, stop_reason="content_filter")
        return reply if seen.text == reply.text else _with_text(reply, seen.text)

    def _shown(self) -> Callable[[StreamEvent], Iterable[StreamEvent]]:
        """What puts values into the pieces of one streamed reply."""
        if self._redaction is None:
            return lambda event: (event,)
        from remit.guard.pii_messages import Shown

        return Shown(self._redaction.tokens).feed

    # --- a tool call -----------------------------------------------------------------------------

    async def before(self, key: str, name: str, arguments: Any, verdict: Verdict = None) -> Verdict:
        """What becomes of a call that the rules of flow judged so: the same, a refusal, or a question.

        A `sanitize` rule refuses here: arguments are never changed.
        """
        if self.tripped is not None:
            return _tripped(self.tripped)
        if isinstance(verdict, Deny):
            return verdict
        if self._has("call"):
            from remit.guard.pii_messages import texts_of

            for text in _some(list(texts_of(arguments))):
                seen = await self._look("call", key, text, name=name)
                cut = next((f for f in seen.findings if f.severity == "sanitize"), None)
                finding = seen.blocked or seen.tripped or cut
                if finding is not None:
                    return _deny(finding, f"the call of {name} was not made")
        return self._with_code(name, arguments, verdict)

    def _with_code(self, name: str, arguments: Any, verdict: Ask | None) -> Ask | None:
        section = self._screening.second_factor
        if section is None or not (section.tools or section.hosts):
            return verdict
        from remit.guard.totp import needs_code

        if not needs_code(section, name, arguments):
            return verdict
        before = f"{verdict.question} " if verdict is not None else ""
        return Ask(f"{before}{name} {NEEDS_CODE}. Allow it?", "approval")

    async def result(self, key: str, name: str, text: str) -> str:
        """A tool's text as the model may read it."""
        if not self._has("result"):
            return text
        seen = await self._look("result", key, text, name=name)
        finding = seen.blocked or seen.tripped
        if finding is not None:
            return f"[the result of {name} was withheld by guardrail {finding.rule}: it {finding.why}]"
        return seen.text

    # --- rules -----------------------------------------------------------------------------------

    def _has(self, stage: str) -> bool:
        return any(stage in each.on for each in self._screening.rules)

    async def _look(self, stage: str, key: str, text: str, *, name: str = "", sources: tuple[str, ...] = ()) -> Look:
        from remit.guard.guardrails import Subject

        seen = await look(self._screening.rules, Subject(text, stage, name=name, sources=sources))
        for f in seen.findings:
            self._emit(Screened(key, stage, f.rule, f.severity, f.level, f.why, f.confidence))
        if seen.tripped is not None and self.tripped is None:
            self.tripped = seen.tripped
        return seen

    async def _looked_at(self, key: str, request: ModelRequest) -> ModelRequest:
        """The request with every message of a person looked at once."""
        if not self._has("input"):
            return request
        messages = []
        for message in request.messages:
            if message.role == "user" and id(message) not in self._seen:
                self._seen[id(message)] = (message, await self._input(key, message))
            messages.append(self._seen[id(message)][1] if message.role == "user" else message)
        return replace(request, messages=tuple(messages))

    async def _input(self, key: str, message: Message) -> Message:
        if not message.text:
            return message
        seen = await self._look("input", key, message.text)
        finding = seen.blocked or seen.tripped
        if finding is not None:
            raise Denied("guardrail_blocked", f"guardrail {finding.rule}: the input {finding.why}")
        if seen.text == message.text:
            return message
        others = tuple([p for p in message.parts if type(p) is not Text])
        return replace(message, parts=(Text(seen.text), *others))

    def _sources(self) -> tuple[str, ...]:
        """What an answer may rest on: the task and the results so far."""
        if self._request is None:
            return ()
        found = []
        for message in self._request.messages:
            found += [p.text for p in message.parts if type(p) is Text and message.role in ("user", "system")]
            found += [p.text for p in message.parts if type(p) is ToolResult]
        return tuple(found)


def _deny(finding: Finding, what: str) -> Deny:
    return Deny("guardrail_blocked", "flow", f"guardrail {finding.rule}: {what}: it {finding.why}")


def _tripped(finding: Finding) -> Deny:
    return Deny("guardrail_tripped", "flow", f"guardrail {finding.rule} ended this run: it {finding.why}")


def _some(texts: list[str]) -> list[str]:
    """At most MAX_TEXTS texts; the rest as one, so that nothing is left out."""
    if len(texts) <= MAX_TEXTS:
        return texts
    return [*texts[: MAX_TEXTS - 1], " ".join(texts[MAX_TEXTS - 1 :])]


def _with_text(reply: Reply, text: str) -> Reply:
    """The reply with its text replaced by one part; what else it holds stays, without the provider's own copy."""
    others = tuple([p for p in reply.parts if type(p) is not Text])
    return replace(reply, parts=(Text(text), *others))
