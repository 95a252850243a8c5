"""What patterns share: their options, how an agreement is measured, and how many calls members make."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Final, TypedDict

import msgspec

from remit.core.budget import Budget
from remit.core.remit import Remit
from remit.errors import Invalid
from remit.teams.members import own_calls
from remit.teams.values import Answer, Dissent, Estimate, text_of
from remit.teams.work import Work

Measure = Callable[[Mapping[str, str]], Any]
"""answers by member -> something with `score` (0..1) and `claims` (text, supporters, opponents)"""
CLAIMS: Final = "claims"
MemberName = Annotated[str, msgspec.Meta(title="member")]
"""in a workflow file: the name of an agent or team of the file"""


class TeamOptions(TypedDict, total=False):
    """What every pattern takes beside its own parameters; see Team."""

    name: str
    remit: Remit
    budget: Budget
    timeout_s: float | None
    on_failure: str
    replacement: Any
    retries: int
    member_timeout_s: float | None


def calls(pairs: Iterable[tuple[Any, int, int]], formula: str) -> Estimate:
    """The estimate of members that are asked from `least` to `most` times each."""
    least = most = 0
    for member, fewest, highest in pairs:
        low, high = own_calls([member])
        least, most = least + low * fewest, most + high * highest
    return Estimate(least, most, formula)


def named(options: TeamOptions, name: str, **defaults: Any) -> tuple[dict[str, Any], str]:
    """The options over a pattern's own defaults, and the name apart from them."""
    given: dict[str, Any] = {**defaults, **options}
    return given, str(given.pop("name", name))


def refuse(where: str, why: str, hint: str) -> Invalid:
    """The error of a definition that cannot work."""
    return Invalid("team_invalid", f"{where}: {why}", hint=hint)


def needed(answers: Sequence[Answer]) -> list[Answer]:
    """The answers that are there; raises the first one's problem when none is."""
    there = [a for a in answers if a.ok]
    if not there:
        raise answers[0].problem()
    return there


def normal(text: str) -> str:
    """A text for comparing: case, white space and closing punctuation do not count."""
    return re.sub(r"\s+", " ", text).strip().strip(".!").casefold()


def measured(work: Work, answers: Mapping[str, str], measure: Measure | None) -> float | None:
    """The agreement of these answers on their claims, noted with its dissent; None where nothing measures it."""
    if measure is None or len(answers) < 2:
        return None
    found = measure(answers)
    progress = work.progress
    progress.agreement = float(found.score)
    progress.dissent = [
        Dissent(member, text_of(answers.get(member, ""))[:2000], claim.text)
        for claim in found.claims if claim.supporters
        for member in claim.opponents
    ]  # fmt: skip
    shared = [c for c in found.claims if len(c.supporters) > 1 and not c.opponents]
    progress.notes["consensus_points"] = [{"claim": c.text, "supporters": list(c.supporters)} for c in shared]
    return progress.agreement


def measure_of(agreement: Measure | str | None) -> Measure | None:
    """The function that measures agreement: `claims` = the room's own over claims, None = nothing is measured."""
    if not isinstance(agreement, str):
        return agreement
    if agreement != CLAIMS:
        raise refuse("agreement", f"{agreement!r} is no measure", f"Give a function, {CLAIMS!r} or None.")
    from remit.teams.coordination.claims import agreement as measure  # only a team that measures needs its words

    return measure


def first_named(text: str, names: Iterable[str]) -> str:
    """The name that the text says first, as a whole word; "" = none of them."""
    places = [
        (found.start(), -len(n), n) for n in names if (found := re.search(rf"(?<!\w){re.escape(n)}(?!\w)", text, re.I))
    ]
    return min(places)[2] if places else ""


def section(title: str, text: str) -> str:
    """A titled part of a prompt."""
    return f"{title}:\n{text}"


def prompt(*parts: str) -> str:
    """Parts of a prompt, empty ones left out."""
    return "\n\n".join(part for part in parts if part)
