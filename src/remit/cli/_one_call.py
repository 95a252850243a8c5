"""Calls of one tool for a person, made the way an agent makes them: one run, gate, journal and all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from remit.errors import Denied, InternalError, RemitError

MAX_PARALLEL: Final = 16


async def call_tool(agent: str, tool: Any, arguments: dict[str, Any], allow: Sequence[str]) -> str:
    """Run a tool once, as an agent would; raises what it met."""
    (outcome,) = await call_tools(agent, tool, [arguments], allow)
    if isinstance(outcome, RemitError):
        raise outcome
    return outcome


async def call_tools(
    agent: str, tool: Any, calls: Sequence[dict[str, Any]], allow: Sequence[str]
) -> list[str | RemitError]:
    """Run a tool once for each of `calls` (its arguments), all in one turn of one run, side by side.

    Returns: for each call, in order, what it answered or why it did not (refused, failed).
    """
    from remit.agents.agent import Agent
    from remit.core.messages import ToolCall
    from remit.core.remit import Remit
    from remit.ports.runtime import current

    script = _OneTurn([ToolCall(f"call_{at}", tool.name, arguments) for at, arguments in enumerate(calls)])
    remit = Remit.allow(f"tool:{tool.name}", *allow)
    asked = Agent(agent, script, tools=[tool], remit=remit, max_parallel=MAX_PARALLEL)
    run = await current().run(asked, "test")
    found = {event.key.rpartition("/")[2]: _outcome(event) for event in run.events if _ends_call(event)}
    outcomes = [found.get(str(at)) for at in range(len(calls))]
    if run.status == "waiting":
        why = f"a policy wants a person's yes for {tool.name} first, and this command can ask nobody"
        return [outcome or Denied("approval_refused", why) for outcome in outcomes]
    if None in outcomes:
        raise InternalError("internal", "the run ended without an outcome of each of its calls")
    return [outcome for outcome in outcomes if outcome is not None]


def _ends_call(event: Any) -> bool:
    from remit.core.events import EffectDenied, EffectDone, EffectFailed

    return isinstance(event, EffectDenied | EffectDone | EffectFailed) and "/call/" in event.key


def _outcome(event: Any) -> str | RemitError:
    """What the end of a call says."""
    from remit.core.events import EffectDenied, EffectFailed
    from remit.errors import error_of

    if isinstance(event, EffectFailed):
        return error_of(event.code, event.message, event.hint)
    if isinstance(event, EffectDenied):
        return error_of(event.code, event.why, event.hint)
    return _text(event.result)


def _text(raw: Any) -> str:
    import msgspec

    return str(msgspec.json.decode(bytes(raw)))


class _OneTurn:
    """A model that asks for these tool calls at once and then ends."""

    name = "builtin:one-call"
    url = ""

    def __init__(self, calls: list[Any]) -> None:
        self._calls: list[Any] = calls

    async def request(self, _: Any) -> Any:
        """The calls, then an empty answer."""
        from remit.core.messages import Text
        from remit.core.model import Reply

        parts, self._calls = self._calls or [Text("done")], []
        return Reply(tuple(parts))
