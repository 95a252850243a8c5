"""What the surveyor does with tasks that are no survey: one rule a kind of task.

    arithmetic -> calculator        write TEXT to FILE -> write_file      run COMMAND -> shell
    a URL      -> web_fetch         a file             -> read_file       a question  -> search, read, quote

Only the user's task is matched against these rules; what tools returned is quoted and never obeyed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Final

from remit.adapters.builtin._rules import Call, Evidence, Step
from remit.adapters.builtin._survey_facts import Match, language, matches, own

HELP: Final = (
    "I am a model that follows fixed rules, without a language model behind me. I can survey a source tree"
    " (“survey this tree”), answer where something stands (“where is X defined?”), read FILE, write TEXT to FILE,"
    " run COMMAND, fetch a URL, and compute (“what is 2+2?”), each as far as the remit allows it."
)
MAX_TERMS: Final = 3
MAX_QUOTES: Final = 12
_WRITE: Final = re.compile(
    r"^\s*(?:please )?(?:write|save|put)\s+(.+?)\s+(?:in)?to\s+(?:the file\s+)?[\"'`]?([^\s\"'`]+)[\"'`]?\s*\.?\s*$",
    re.IGNORECASE | re.DOTALL,
)
_RUN: Final = re.compile(r"^\s*(?:please )?(?:run|execute)[: ]\s*[\"'`]?(.+?)[\"'`]?\s*$", re.IGNORECASE | re.DOTALL)
_URL: Final = re.compile(r"https?://[^\s\"'<>`]{1,2000}")
_FILE: Final = re.compile(r"(?<![\w/.-])((?:\.{0,2}/)?[\w.-]+(?:/[\w.-]+)*\.\w{1,10}|(?:[\w.-]+/)+[\w.-]+|\.\w[\w.-]*)")
_READ: Final = re.compile(r"\b(read|show|open|print|display|cat|contents? of|quote|what (is|does) .* (in|say))\b", re.I)
_SUM: Final = re.compile(
    r"(?:(?:sqrt|abs|sum|min|max|mean|gcd|lcm|factorial|comb|round|floor|ceil|ln|log|log2|log10|sin|cos|tan)\s*\(|[\d(.])"
    r"[\d\s.,_+\-*/%^!()a-z]*[\d)!]"
)
_QUESTION: Final = re.compile(
    r"\?|^\s*(where|what|which|who|when|how|why|find|search|explain|tell|show|list|grep|look|is|are|does)\b",
    re.IGNORECASE,
)
_WORD: Final = re.compile(r"[\"'`“]([^\"'`”]{2,80})[\"'`”]|([A-Za-z_][\w.-]{2,60})")
_COMMON_WORDS: Final = (
    "what where which when who why how does the this that these those and are was were is for with from into about find"
    " search look tell show explain please can could would should you file files code tree project repository repo"
    " defined definition used uses use using mention mentions contain contains there any all has have had not list me"
    " give describe of in on at it its do did say says text line lines every each class function method module variable"
)
_COMMON: Final = frozenset(_COMMON_WORDS.split())

Rule = Callable[[Evidence], Step | None]


def answer(evidence: Evidence) -> Step:
    """The step of the first rule that knows the task."""
    for rule in _RULES:
        step = rule(evidence)
        if step is not None:
            if step.calls and evidence.last_turn:
                return Step("There is no turn left for the calls that this task needs.")
            return step
    return Step(HELP)


def _single(evidence: Evidence, call: Call, reason: str, said: str) -> Step:
    """One call, and an answer made of what it returned."""
    result = evidence.of(call)
    if result is not None:
        return Step(f"That was not possible: {result.text}" if result.is_error else f"{said}{result.text}")
    if not evidence.tools:
        return Step(f"This task needs the tool {call.name}, and I have no tools.")
    # Also where it is not offered: the gate then says which grant is missing, and the journal keeps it.
    return Step(reason, [call])


def _write(evidence: Evidence) -> Step | None:
    found = _WRITE.match(evidence.task)
    if not found:
        return None
    text = found[1].strip().strip("\"'`“”")
    call = Call("write_file", {"path": found[2], "content": text if text.endswith("\n") else text + "\n"})
    return _single(evidence, call, f"The text goes to {found[2]}.", "Done: ")


def _run(evidence: Evidence) -> Step | None:
    found = _RUN.match(evidence.task)
    if not found:
        return None
    return _single(evidence, Call("shell", {"command": found[1]}), "One program, in the sandbox.", "")


def _fetch(evidence: Evidence) -> Step | None:
    found = _URL.search(evidence.task)
    if not found:
        return None
    url = found[0].rstrip(".,;:!?)")
    return _single(evidence, Call("web_fetch", {"url": url}), f"The page {url} is asked for.", f"{url} says:\n")


def _compute(evidence: Evidence) -> Step | None:
    found = _SUM.search(evidence.task)
    if not found or not re.search(r"\d\s*(?:[+\-*/%^]|\*\*)\s*[\d(.]|!|\w\(", found[0]) or _dated(found[0]):
        return None
    call = Call("calculator", {"expression": found[0].strip()})
    return _single(evidence, call, "This is arithmetic; the calculator is exact.", f"{found[0].strip()} = ")


def _dated(text: str) -> bool:
    return re.fullmatch(r"\d{4}-\d{2}-\d{2}.*", text.strip()) is not None


def _read(evidence: Evidence) -> Step | None:
    found = _FILE.search(evidence.task)
    if not found or not _READ.search(evidence.task):
        return None
    path = found[1].rstrip(".")
    call = Call("read_file", {"path": path})
    return _single(evidence, call, f"The task names a file: {path}.", f"{path} says:\n")


def _search(evidence: Evidence) -> Step | None:
    terms = _terms(evidence.task) if _QUESTION.search(evidence.task) else []
    if not terms:
        return None
    patterns = [rf"\b(class|def|func|function|fn|type|struct|interface|enum|trait) {re.escape(terms[0])}\b"]
    patterns += map(re.escape, terms)
    searches = [
        Call("content_search", {"pattern": pattern, "path": ".", "ignore_case": True, "limit": 1000})
        for pattern in patterns
    ]
    fresh = evidence.open(searches)
    if fresh:
        return Step(f"The question is about {', '.join(terms)}: every place where that stands.", fresh)
    results = [evidence.of(call) for call in searches]
    if not any(results):
        return Step("This question needs content_search, which I was not given.")
    refused = [result for result in results if result is not None and result.is_error]
    if len(refused) == len(searches):
        return Step(f"That was not possible: {refused[0].text}")
    best = _best([match for call in searches for match in matches(evidence.text(call)) if own(match.path)], terms)
    if not best:
        return Step(f"Nothing that may be read mentions {' or '.join(terms)}.")
    page = Call("read_file", {"path": best[0].path, "offset": max(0, best[0].line - 6), "limit": 24})
    if evidence.open([page]) and not evidence.last_turn:
        return Step(f"{best[0].path} fits best; its lines around {best[0].line} are read.", [page])
    quotes = "\n".join(f"  {m.path}:{m.line}: {m.text.strip()[:160]}" for m in best[:MAX_QUOTES])
    around = evidence.text(page)
    shown = f"\n\nAround {best[0].path}:{best[0].line}:\n{around}" if around else ""
    return Step(f"{' / '.join(terms)} stands in {len({m.path for m in best})} files:\n{quotes}{shown}")


def _terms(task: str) -> list[str]:
    """What a question is about: quoted text first, then names, then the longest words."""
    words = [(quoted, 2) if quoted else (word.rstrip(".-"), int("_" in word or word != word.lower()))
             for quoted, word in _WORD.findall(task[:2000])]  # fmt: skip
    ranked = {word: rank for word, rank in words if word.lower() not in _COMMON}
    first = task.split(None, 1)[0] if task.split() else ""
    if first in ranked and ranked[first] == 1 and "_" not in first:
        ranked[first] = 0  # a capital at the beginning says nothing
    order = sorted(ranked, key=lambda word: (-ranked[word], -len(word), word))
    return order[:1] if order and ranked[order[0]] == 2 else order[:MAX_TERMS]


def _best(found: list[Match], terms: list[str]) -> list[Match]:
    """Matches by how much they say: lines that define or hold several terms, in files with many terms."""
    held = Counter({(m.path, term) for m in found for term in terms if term.lower() in m.text.lower()})
    of_file = Counter(path for path, _ in held)

    def worth(match: Match) -> tuple[int, str, int]:
        in_line = sum(term.lower() in match.text.lower() for term in terms)
        defines = any(re.search(rf"\b(class|def|func|fn|function|type|struct|const)\s+{re.escape(t)}\b", match.text)
                      for t in terms)  # fmt: skip
        return -(4 * defines + 2 * in_line + of_file[match.path] + bool(language(match.path))), match.path, match.line

    return sorted(set(found), key=worth)


_RULES: Final[tuple[Rule, ...]] = (_write, _run, _fetch, _compute, _read, _search)
