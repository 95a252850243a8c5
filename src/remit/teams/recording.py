"""The runtime as a team's own code sees it: what that code runs is a recorded child of the team."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from remit.agents.run import Run
from remit.core.labels import USER, Label, join
from remit.core.messages import as_messages
from remit.ports.runtime import current_call
from remit.teams.members import name_of
from remit.teams.work import Place, Work

if TYPE_CHECKING:
    from remit.agents.runner import Runner


class Recording:
    """The runtime as a team's own code sees it: what it runs there is a recorded child of the team."""

    __slots__ = ("real", "work")

    def __init__(self, real: Runner, work: Work) -> None:
        self.real = real
        self.work = work

    async def run(self, agent: Any, task: Any, **options: Any) -> Run:
        """As Runner.run; inside the team's own code under the next key of its place."""
        place = current_call.get()
        if type(place) is not Place or place.scope is not self.work.scope:
            return await self.real.run(agent, task, **options)
        prompt, label = as_task(task)
        place.label = join(place.label, label)
        return (await self.work.child(place.next(name_of(agent)), agent, prompt, place))[0]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


def as_task(task: Any) -> tuple[Any, Label]:
    """The task as text, or as it is where it is no message; and its label."""
    if isinstance(task, str):
        return task, USER
    kind = type(task).__name__
    if kind == "Message" or (isinstance(task, list | tuple) and task and type(task[0]).__name__ == "Message"):
        label = USER
        messages = as_messages(task)
        for message in messages:
            label = label if message.label is None else join(label, message.label)
        return "\n".join(m.text for m in messages), label
    return task, USER
