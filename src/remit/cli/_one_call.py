"""One call of one tool for a person, made the way an agent makes it: gate, journal and all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from remit.errors import InternalError


async def call_tool(agent: str, tool: Any, arguments: dict[str, Any], allow: Sequence[str]) -> str:
    """Run a tool as an agent would: one call of a scripted model, through gate and journal; raises what it met."""
    from remit.agents.agent import Agent
    from remit.core.events import EffectDenied, EffectDone, EffectFailed
    from remit.core.messages import ToolCall
    from remit.core.remit import Remit
    from remit.errors import error_of
    from remit.ports.runtime import current

    script = _OneCall(ToolCall("call_1", tool.name, arguments))
    remit = Remit.allow(f"tool:{tool.name}", *allow)
    run = await current().run(Agent(agent, script, tools=[tool], remit=remit), "test")
    for event in run.events:
        if isinstance(event, EffectFailed):
            raise error_of(event.code, event.message, event.hint)
        if isinstance(event, EffectDenied):
            raise error_of(event.code, event.why, event.hint)
        if isinstance(event, EffectDone) and "/call/" in event.key:
            return _text(event.result)
    raise InternalError("internal", "the run ended without an outcome of its one call")


def _text(raw: Any) -> str:
    import msgspec

    return str(msgspec.json.decode(bytes(raw)))


class _OneCall:
    """A model that asks for one tool call and then ends."""

    name = "builtin:one-call"
    url = ""

    def __init__(self, call: Any) -> None:
        self._call: Any = call

    async def request(self, _: Any) -> Any:
        """The call, then an empty answer."""
        from remit.core.messages import Text
        from remit.core.model import Reply

        part, self._call = self._call or Text("done"), None
        return Reply((part,))
