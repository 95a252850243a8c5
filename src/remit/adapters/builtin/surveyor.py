"""builtin:surveyor: a deterministic model that drives tools by rules, so that a first run needs no key.

A task about a whole tree becomes a survey (plan in _survey_plan.py, report in _survey_report.py); other
tasks are answered by the rules in _answers.py. What a tool refuses is noted with its code and another way
is tried; the run always ends, within eight turns.
"""

from __future__ import annotations

import re
from typing import Final

from remit.adapters.builtin._answers import answer
from remit.adapters.builtin._rules import Call, Evidence, RuleModel, Step
from remit.adapters.builtin._survey_plan import INQUIRY_TURNS, MAX_CALLS, STAGES, Survey
from remit.adapters.builtin._survey_report import report, summary

DEFAULT_REPORT: Final = "out/SURVEY.md"
MAX_INLINE_CHARS: Final = 16_000
_SURVEY: Final = re.compile(
    r"\b(survey|overview|inventory|map (out )?(the|this)|describe (the|this) (tree|code|repo|project)"
    r"|(summari[sz]e|explore|analy[sz]e|look at) (the|this) (tree|code|repo|project|folder|source))",
    re.IGNORECASE,
)
_REPORT: Final = re.compile(r"(?<![\w/.-])([\w][\w./-]{0,200}\.md)\b")


def decide(evidence: Evidence) -> Step:
    """The next step for whatever was asked."""
    if not _SURVEY.search(evidence.task):
        return answer(evidence)
    survey = Survey(evidence)
    if evidence.last_turn:
        return Step(_inline(survey, "there was no turn left for writing it"))
    if evidence.turns < INQUIRY_TURNS:
        for reason, stage in STAGES:
            calls = evidence.open(stage(survey))[:MAX_CALLS]
            if calls:
                return Step(_noting(reason, evidence), calls)
    return _write(survey)


def _write(survey: Survey) -> Step:
    """Write the report; where that is refused, somewhere else; and then into the answer."""
    evidence = survey.evidence
    written = [(call, result) for call, result in evidence.done if call.name == "write_file"]
    for call, result in written:
        if not result.is_error:
            return Step(f"The survey is done.\n\n{summary(survey, str(call.arguments['path']))}")
    if "write_file" not in evidence.tools:
        return Step(_inline(survey, "write_file was not offered"))
    if len(written) >= 2:
        return Step(_inline(survey, f"writing was refused ({written[-1][1].code})"))
    asked = _REPORT.search(evidence.task)
    path = asked[1] if asked and not asked[1].lower().startswith("readme") else DEFAULT_REPORT
    reason = "That is enough to write the survey down."
    if written:
        path = "SURVEY.md" if path != "SURVEY.md" else DEFAULT_REPORT
        reason = f"Writing there gave {written[0][1].code}; another place is tried."
    return Step(_noting(reason, evidence), [Call("write_file", {"path": path, "content": report(survey)})])


def _inline(survey: Survey, why: str) -> str:
    text = report(survey)[:MAX_INLINE_CHARS]
    return f"The survey is done.\n\n{summary(survey, f'below, because {why}')}\n\n{text}"


def _noting(reason: str, evidence: Evidence) -> str:
    """The reason, after a word on what the last turn's calls were refused."""
    last = evidence.done[-MAX_CALLS:]
    codes = dict.fromkeys(f"{call.name} ({result.code})" for call, result in last if result.is_error)
    if not codes or evidence.turns == 0 or len(codes) > 6:
        return reason
    return f"Not to be had: {', '.join(codes)}; noted, going on without. {reason}"


MODEL: Final = RuleModel("surveyor", decide)
