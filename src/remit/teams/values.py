"""What teams hand about: answers of members, dissent, estimates, and the result of a team's run."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from remit.agents.run import Run
from remit.core.labels import USER, Label
from remit.core.usage import NO_USAGE, Usage
from remit.errors import RemitError, error_of

FINAL: Final = ("ok", "denied", "failed", "cancelled", "exhausted")


class Answer(Struct, frozen=True):
    """What one member answered, or why it did not."""

    member: str
    key: str
    """structural key in the team's journal"""
    status: str
    """ok | failed | denied | exhausted | cancelled | timeout"""
    output: Any = None
    """the typed answer; the partial text where there is none"""
    error: dict[str, Any] | None = None
    """code, message, hint, retryable"""
    run_id: str = ""
    """the member's own run; "" for a plain function"""
    usage: Usage = NO_USAGE
    cost_nano: int | None = 0
    label: Label = USER
    """trust of the answer"""

    @property
    def ok(self) -> bool:
        """Whether there is a whole answer."""
        return self.status == "ok"

    @property
    def text(self) -> str:
        """The output as text: itself, or its JSON."""
        return text_of(self.output)

    def problem(self) -> RemitError:
        """The error object of an answer that is not ok."""
        e = self.error or {"code": "internal", "message": f"{self.member} ended {self.status}"}
        return error_of(e["code"], e["message"], e.get("hint", ""), e.get("retryable"))


class Dissent(Struct, frozen=True):
    """One member that does not share the result."""

    member: str
    position: str
    """what it holds instead"""
    claim: str = ""
    """the claim that it opposes; "" = the result as a whole"""


class Estimate(Struct, frozen=True):
    """Model calls that a team will make, before it runs."""

    least: int
    """when everything ends as early as it can"""
    most: int
    """without retries"""
    formula: str
    """how the number comes about, for people"""

    def of(self, requests: int) -> str:
        """The real count beside the estimate, as one line."""
        inside = self.least <= requests <= self.most
        return f"{requests} model calls ({'within' if inside else 'outside'} the estimate of {self})"

    def __str__(self) -> str:
        count = str(self.most) if self.least == self.most else f"{self.least} to {self.most}"
        return f"{count} = {self.formula}"


class Progress(Struct):
    """How far a team has come; what a cancelled or failed run still reports."""

    done: int = 0
    total: int = 0
    artifacts: dict[str, Any] = {}
    """named results of stages, JSON values"""
    output: Any = None
    """best answer so far"""
    consensus_reached: bool | None = None
    """None = the pattern does not measure it"""
    agreement: float | None = None
    """share of claims on which the members take the same stance, 0..1"""
    dissent: list[Dissent] = []
    notes: dict[str, Any] = {}
    """figures of the pattern: rounds, votes, iterations"""


class TeamRun(Run):
    """How a team's run ended: a Run, with what the team did. `status`: ok | waiting | denied | failed | cancelled |
    exhausted."""

    __slots__ = ("answers", "estimate", "kind", "name", "progress")

    def __init__(self, run_id: str, status: str, output: Any = None, error: RemitError | None = None) -> None:
        super().__init__(run_id, status, output, error)
        self.name = ""
        self.kind = ""
        """pattern or sort of team, for example debate"""
        self.progress = Progress()
        self.answers: tuple[Answer, ...] = ()
        """of the members, in the order of their keys' first appearance"""
        self.estimate: Estimate | None = None

    @property
    def stages(self) -> str:
        """`done/total`."""
        return f"{self.progress.done}/{self.progress.total}"

    @property
    def artifacts(self) -> dict[str, Any]:
        """Named results of the stages."""
        return self.progress.artifacts

    @property
    def consensus_reached(self) -> bool | None:
        """Whether the members agree; None = not measured."""
        return self.progress.consensus_reached

    @property
    def dissent(self) -> list[Dissent]:
        """Who does not share the result."""
        return self.progress.dissent

    @property
    def model_calls(self) -> int:
        """Model calls of all members together."""
        return self.usage.requests

    def data(self) -> dict[str, Any]:
        """The result as JSON values, for files and `--json`."""
        progress: dict[str, Any] = msgspec.to_builtins(self.progress, enc_hook=str)
        found: dict[str, Any] = {
            "name": self.name,
            "kind": self.kind,
            "run_id": self.id,
            "status": self.status,
            "stages": self.stages,
        }
        found |= {k: progress[k] for k in ("artifacts", "consensus_reached", "agreement", "dissent", "notes")}
        found["output"] = msgspec.to_builtins(self.output, enc_hook=str)
        found |= {"cost_usd": self.cost_usd, "model_calls": self.model_calls}
        found["estimate"] = None if self.estimate is None else msgspec.to_builtins(self.estimate)
        found["error"] = None if self.error is None else self.error.for_user()
        return found


def text_of(value: Any) -> str:
    """`value` as text for a prompt: itself when it is text, else its JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return msgspec.json.encode(value, enc_hook=str).decode()
