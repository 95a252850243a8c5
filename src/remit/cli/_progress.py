"""A run as people watch it: one line an event, in the words Think, Act, Observe, Reflect."""

from __future__ import annotations

from typing import Any

import msgspec

from remit.cli._output import money, one_line, say
from remit.core import events
from remit.core.model import Reply, StreamReset

_decode_reply = msgspec.json.Decoder(Reply).decode
_decode = msgspec.json.Decoder().decode
INDENT = "         "


class Progress:
    """Says each event of one run on stderr. Refusals are said with check, code, reason and hint."""

    def __init__(self) -> None:
        self._kinds: dict[str, tuple[str, str]] = {}
        self.turns = 0

    def show(self, event: Any) -> None:
        """Say one event; deltas are not shown, they come with the whole reply."""
        method = getattr(self, f"_{type(event).__name__}", None)
        if method is not None:
            method(event)

    def _RunStarted(self, event: events.RunStarted) -> None:
        say(f"Task     {one_line(event.task)}", "bold")

    def _RunResumed(self, event: events.RunResumed) -> None:
        say(f"Resume   activation {event.epoch}: what the journal holds is not done again")

    def _EffectIntent(self, event: events.EffectIntent) -> None:
        self._kinds[event.key] = (event.kind, event.name)
        if event.kind == "model":
            self.turns += "#" not in event.key
            say(f"Think    {event.name} is asked ({event.key})", "dim")
        else:
            say(f"Act      {event.name} {_arguments(event.arguments)}")

    def _EffectDone(self, event: events.EffectDone) -> None:
        kind, name = self._kinds.get(event.key, ("", ""))
        if kind == "model":
            text = _text_of(event.result)
            if text:
                say(f"Think    {one_line(text)}")
            return
        value = _decode(event.result)
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        trust = " [untrusted]" if event.label.untrusted else ""
        say(f"Observe  {name}: {len(text)} characters in {event.duration_ms} ms{trust}: {one_line(text, 120)}")

    def _EffectFailed(self, event: events.EffectFailed) -> None:
        name = self._kinds.get(event.key, ("", event.key))[1]
        say(f"Observe  {name} failed: {event.code}: {one_line(event.message)}", "red")
        if event.hint:
            say(f"{INDENT}hint: {one_line(event.hint)}")

    def _EffectDenied(self, event: events.EffectDenied) -> None:
        if event.key not in self._kinds:  # refused before its intent
            say(f"Act      {event.name} {_arguments(event.arguments)}")
        say(f"{INDENT}refused by {event.check}: {event.code}: {one_line(event.why)}", "red")
        if event.hint:
            say(f"{INDENT}hint: {one_line(event.hint)}")

    def _EffectInDoubt(self, event: events.EffectInDoubt) -> None:
        say(f"Observe  {event.name} is in doubt: nobody can say whether it happened ({event.item})", "yellow")

    def _EffectResolved(self, event: events.EffectResolved) -> None:
        say(f"Observe  {event.item} is resolved: {event.resolution}, by {event.by}: {one_line(event.reason)}")

    def _WaitOpened(self, event: events.WaitOpened) -> None:
        say(f"Act      {event.name} {_arguments(event.arguments)}")
        say(f"{INDENT}asks: {one_line(event.question)} ({event.item})", "yellow")

    def _WaitClosed(self, event: events.WaitClosed) -> None:
        say(f"{INDENT}{event.decision} by {event.by} {one_line(event.reason)}".rstrip())

    def _Reflected(self, event: events.Reflected) -> None:
        say(f"Reflect  {one_line(event.finding)} -> {event.action}", "yellow")

    def _Routed(self, event: events.Routed) -> None:
        say(f"Route    {event.model}: {one_line(event.reason)}", "dim")

    def _ModelNote(self, event: events.ModelNote) -> None:
        say(f"Model    {event.kind} {one_line(event.name)} {one_line(event.reason)}".rstrip(), "dim")

    def _Screened(self, event: events.Screened) -> None:
        if event.severity not in ("log", "redact"):
            say(f"Guard    {event.severity} {event.rule}: {one_line(event.why)}", "yellow")

    def _GrantRevoked(self, event: events.GrantRevoked) -> None:
        say(f"Revoke   grant {event.grant} by {event.by} {one_line(event.reason)}".rstrip(), "yellow")

    def _CancelRequested(self, event: events.CancelRequested) -> None:
        say(f"Cancel   asked by {event.by} {one_line(event.reason)}".rstrip(), "yellow")

    def _StreamReset(self, event: StreamReset) -> None:
        say(f"Think    attempt {event.attempt} follows: {one_line(event.reason)}", "yellow")


def summary(run: Any, turns: int) -> None:
    """The last line: status, turns, tokens, cost, run id; and what to do when it is not ok."""
    tokens = run.usage.input_tokens + run.usage.output_tokens
    parts = [f"{turns} turns", f"{run.tool_calls} tool calls", f"{run.denied} refused", f"{tokens} tokens"]
    style = "green" if run.status == "ok" else "red"
    say(f"{run.status}: {', '.join([*parts, money(run.cost_nano)])}, {run.id}", style)
    if run.error is not None:
        say(f"error {run.error.code}: {run.error.message}", "red")
        say(f"hint: {run.error.hint}")
    if run.status == "waiting":
        say(f"hint: it waits for a person: remit inbox; then: remit run --resume {run.id}")


def _arguments(arguments: Any) -> str:
    if arguments is None:
        return ""
    try:
        return one_line(msgspec.json.encode(arguments).decode())
    except (TypeError, ValueError):
        return one_line(repr(arguments))


def _text_of(result: Any) -> str:
    try:
        return _decode_reply(result).text
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""
