"""The attack in columns: one line an attempt, at most 100 characters.

number, what was tried, verdict (refused, waiting, allowed), the check that said so, its code and a short reason.
Spellings of one address that end alike share a second line, each by its name. The full reasons are in the
journal: `remit show RUN`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import wrap
from typing import Final

from remit.cli._demo_attack import Attempt
from remit.cli._output import one_line

CALL_WIDTH: Final = 40
REASON_WIDTH: Final = 36
_HOST: Final = re.compile(r"(?<=://)(\[[^]\s]*\]|[^:/\s]+)")
_ERRNO: Final = re.compile(r"\[Errno \d+\] ([^:'>]+)")


def lines(attempts: Sequence[Attempt], first: int) -> list[str]:
    """The attempts of one run, numbered from `first`."""
    shown: list[str] = []
    number = first
    for group in _alike(attempts):
        shown.append(_row(number, group[0]))
        if len(group) > 1:
            names = ", ".join(_host(attempt.call) for attempt in group[1:])
            label = f"{number + 1}-{number + len(group) - 1}" if len(group) > 2 else f"{number + 1}"
            # not broken at hyphens: a spelling is shown whole
            words = wrap(one_line(f"{label} the same, spelled {names}", 400), 93, break_on_hyphens=False)
            shown += [f"{'':6}{line}" for line in words]
        number += len(group)
    return shown


def _row(number: int, attempt: Attempt) -> str:
    verdict = "DONE" if attempt.verdict == "done" else attempt.verdict
    call = one_line(_call(attempt.call), CALL_WIDTH)
    reason = one_line(short_reason(attempt), REASON_WIDTH)
    return f"   {number:>2} {call:<{CALL_WIDTH}}  {verdict:<8}{attempt.check:<8}{reason}".rstrip()


def _call(call: str) -> str:
    """A call without what its column does not need: the tool that posts, and the scheme in a program's words."""
    if call.startswith("shell "):
        return call.replace("-c …", "…").replace("http://", "")
    return call.removeprefix("http_request ")


def short_reason(attempt: Attempt) -> str:
    """Code and reason in few words; the call itself is not repeated."""
    if attempt.verdict in ("allowed", "done"):
        return attempt.why
    if attempt.verdict == "waiting":
        return "asks, and waits for a person"
    return ("yes, then " if attempt.approved else "") + f"{attempt.code}: {_why(attempt)}"


def _why(attempt: Attempt) -> str:
    why = attempt.why
    match attempt.code:
        case "not_granted":
            return "no grant covers it"
        case "denied_by_rule":
            return why.rpartition("the rule: ")[2].removeprefix("deny ")
        case "address_denied":
            return re.sub(r"^.* leads to (?:an? )?(.+?)(?: address)?$", r"\1", why)
        case "path_denied":
            path = attempt.call.partition(" ")[2]
            return re.split(r" \(|;", why.replace(repr(path), "").removeprefix(path).strip())[0]
        case code if code.startswith("exit code"):
            named = _ERRNO.search(why)
            return named[1] if named else why.rpartition(": ")[2]
        case _:
            return why


def _host(call: str) -> str:
    found = _HOST.search(call)
    return found[1] if found else call


def _alike(attempts: Sequence[Attempt]) -> list[list[Attempt]]:
    """Neighbours that differ in nothing but how the host is spelled, and end alike."""
    groups: list[list[Attempt]] = []
    previous: object = None
    for attempt in attempts:
        same = (_HOST.sub("HOST", attempt.call), attempt.verdict, attempt.check, short_reason(attempt))
        if same == previous and _HOST.search(attempt.call):
            groups[-1].append(attempt)
        else:
            groups.append([attempt])
        previous = same
    return groups
