"""The survey as Markdown, and its main figures as a short answer.

Names and lines of the tree are quoted as code: control characters, backticks and length are taken care
of, so that a hostile name cannot become a heading, a link or an instruction of the report.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from remit.adapters.builtin._rules import Call, Result
from remit.adapters.builtin._survey_calls import MARKERS, SIZES, sizing
from remit.adapters.builtin._survey_facts import OTHER_TEXT, Match, extension, language
from remit.adapters.builtin._survey_plan import Survey

MAX_MARKERS: Final = 40
_COMMIT: Final = re.compile(r"[0-9a-f]{4,40} (\d{4}-\d{2}-\d{2}) (.{1,80}?): (.*)")
_NOTE: Final = re.compile(r"\[not searched: (.*)\]\s*$")


def report(survey: Survey) -> str:
    """SURVEY.md."""
    parts = [
        "# Survey\n\nMade by `builtin:surveyor`, a model that follows fixed rules: counts and quotes, no opinions."
        " Quoted text is the tree's own.",
        _structure(survey),
        _languages(survey),
        _largest(survey),
        _tangled(survey),
        _tests(survey),
        _markers(survey),
        _activity(survey),
        _gaps(survey),
        _method(survey),
    ]
    return "\n\n".join(parts) + "\n"


def summary(survey: Survey, where: str) -> str:
    """The main figures, a line each."""
    files, total = survey.found
    kinds = Counter(language(path) for path in files if language(path)).most_common(3)
    rows = [
        ("files", f"{_at_least(total, len(files) < total)}{_shares(kinds)}"),
        ("largest", _named(survey.largest[:1], survey)),
        ("most tangled", ", ".join(f"{t.path} ({t.branches} branches, depth {t.depth})" for t in survey.tangles[:1])),
        ("most imported", ", ".join(f"{p} (by {n} files)" for p, n in survey.imports.most_imported(1))),
        ("tests", f"{len(survey.tests[0])} files, {survey.tests[1]} test functions found"),
        ("open markers", str(len(survey.markers)) if survey.searches("markers") else "not searched"),
        ("history", _history_line(survey)),
        ("refused or failed", _refused_line(survey)),
        ("report", where),
    ]
    return "\n".join(f"{name:<18} {_plain(value) or 'none'}" for name, value in rows)


def _structure(survey: Survey) -> str:
    files, total = survey.found
    kept = Counter(path.partition("/")[0] if "/" in path else "." for path in files)
    rows = [f"| {_code(name + '/')} | {count} |" for name, count in sorted(kept.items()) if name != "."][:40]
    lines = [f"## Structure\n\n{_at_least(total, len(files) < total)} files in {len(kept)} places at the top level."]
    if rows:
        lines += ["", "| folder | files |", "|---|---|", *rows]
    at_top = sorted(path for path in files if "/" not in path)
    if at_top:
        lines += ["", f"At the top: {_list(at_top, 20)}."]
    if survey.skipped:
        lines += ["", f"Left out as third-party or generated: {_list(survey.skipped, 12)}."]
    title = _title(survey)
    if title:
        lines += ["", f"It calls itself: {_code(title)}"]
    return "\n".join(lines)


def _title(survey: Survey) -> str:
    for call, result in survey.evidence.done:
        path = str(call.arguments.get("path", ""))
        if call.name == "read_file" and path.lower().startswith("readme") and not result.is_error:
            lines = [line.strip("#= \t") for line in result.text.split("\n")]
            return next((line[:120] for line in lines if line), "")
    return ""


def _languages(survey: Survey) -> str:
    files, sizes = survey.found[0], survey.sizes
    groups: dict[str, list[str]] = {}
    for path in files:
        groups.setdefault(language(path) or OTHER_TEXT.get(extension(path), "other"), []).append(path)
    lines = ["## Languages and sizes", "", "| language | files | lines | KiB |", "|---|---|---|---|"]
    more = "" if survey.counted_all else "at least "
    for name, paths in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        known = [sizes[path] for path in paths if path in sizes]
        counted = [size for size in known if size[0] >= 0]
        rows = f"{more}{sum(size[0] for size in counted):,}" if counted and name != "other" else "-"
        lines.append(f"| {name} | {len(paths):,} | {rows} | {more}{sum(size[1] for size in known) / 1024:,.0f} |")
    return "\n".join(lines) if groups else "## Languages and sizes\n\nThere are no files."


def _largest(survey: Survey) -> str:
    rows = []
    for path in survey.largest[:12]:
        lines, size = survey.sizes.get(path, (-1, 0))
        rows.append(f"| {_code(path)} | {lines if lines >= 0 else '-'} | {size / 1024:.1f} |")
    if not rows:
        return "## Largest sources\n\nNo source files were found."
    return "\n".join(["## Largest sources", "", "| file | lines | KiB |", "|---|---|---|", *rows])


def _tangled(survey: Survey) -> str:
    if not survey.tangles:
        return "## Most tangled sources\n\nNo source file was read."
    lines = [
        f"## Most tangled sources\n\nOf the {len(survey.tangles)} largest, by branch words, depth of indentation and"
        " imports found by name (an estimate: nothing was parsed).",
        "",
        "| file | branches | depth | imported by | imports |",
        "|---|---|---|---|---|",
        *(f"| {_code(t.path)} | {t.branches} | {t.depth} | {t.fan_in} | {t.fan_out} |" for t in survey.tangles),
    ]
    named = survey.imports.most_imported(8)
    if named:
        lines += ["", f"Most imported: {', '.join(f'{_code(path)} ({count})' for path, count in named)}."]
    return "\n".join(lines)


def _tests(survey: Survey) -> str:
    paths, functions = survey.tests
    if not paths:
        return "## Tests\n\nNo test files were found by place or name."
    folders = Counter(path.rpartition("/")[0] or "." for path in paths).most_common(8)
    lines = [f"## Tests\n\n{len(paths)} test files; {functions} test functions were found by search.", ""]
    return "\n".join([*lines, *(f"- {_code(folder)}: {count}" for folder, count in folders)])


def _markers(survey: Survey) -> str:
    found = survey.markers
    if not found:
        none = "None" if survey.searches("markers") else "Nothing was searched"
        return f"## Open markers\n\n{none} ({', '.join(MARKERS)})."
    kinds = Counter(kind for match in found for kind in _kinds(match))
    lines = [f"## Open markers\n\n{len(found)} lines: {', '.join(f'{n} {k}' for k, n in sorted(kinds.items()))}.", ""]
    lines += [f"- {_code(f'{m.path}:{m.line}')} {_code(m.text.strip()[:100])}" for m in found[:MAX_MARKERS]]
    if len(found) > MAX_MARKERS:
        lines.append(f"- and {len(found) - MAX_MARKERS} more")
    return "\n".join(lines)


def _kinds(match: Match) -> list[str]:
    return [kind for kind in MARKERS if re.search(rf"\b{kind}\b", match.text)][:1]


def _activity(survey: Survey) -> str:
    commits, changes = _commits(survey), _changes(survey)
    if not commits and changes is None:
        return "## Recent activity\n\nNo history was read."
    lines = ["## Recent activity", ""]
    if commits:
        days = sorted(commit[0] for commit in commits)
        authors = Counter(commit[1] for commit in commits).most_common(5)
        lines.append(f"{len(commits)} newest commits, {days[0]} to {days[-1]}, by {len(authors)} of the most active:")
        lines += [f"- {_code(name)}: {count}" for name, count in authors]
        lines += ["", "Newest:", *(f"- {day} {_code(subject[:100])}" for day, _, subject in commits[:8])]
    if changes is not None:
        lines += ["", f"The work tree has {len(changes)} uncommitted changes."]
    return "\n".join(lines)


def _commits(survey: Survey) -> list[tuple[str, str, str]]:
    text = survey.evidence.text(Call("git", {"operation": "log", "limit": 50}))
    found = [_COMMIT.fullmatch(line) for line in text.split("\n")]
    return [(m[1], m[2], m[3]) for m in found if m is not None]


def _changes(survey: Survey) -> list[str] | None:
    result = survey.evidence.of(Call("git", {"operation": "status"}))
    if result is None or result.is_error:
        return None
    return [line for line in result.text.split("\n") if re.match(r"[ MADRCU?!]{2} ", line)]


def _gaps(survey: Survey) -> str:
    lines = []
    for name, why, count in refused(survey):
        lines.append(f"- {_code(name)}: {_code(why)}{f' ({count} times)' if count > 1 else ''}")
    for folder, note in _unsearched(survey):
        lines.append(f"- {_code('content_search in ' + folder)}: {_code(note)}")
    for root, count, parts in survey.too_large:
        lines.append(f"- Searches: {_code(root)} holds {count:,} files; {parts} of its parts were searched.")
    missing = sorted({"list_directory", "glob_search", "content_search", "read_file", "git", "shell"}
                     - survey.evidence.tools)  # fmt: skip
    if missing:
        lines.append(f"- Not offered to the model: {_list(missing, 8)}.")
    files, total = survey.found
    if total > len(files):
        lines.append(f"- Names: {len(files):,} of {total:,} files were listed.")
    if not survey.counted_all and survey.sizes:
        level = next((s for s in SIZES if _whole(survey.evidence.of(sizing(s)))), "")
        known = f"files above {level} KiB are all measured" if level else "sizes come from listings of folders"
        lines.append(f"- Lines and sizes: {known}; smaller ones in part.")
    if not lines:
        lines = ["Everything that was asked for was read."]
    return "\n".join(["## What could not be read, and why", "", *dict.fromkeys(lines)])


def _unsearched(survey: Survey) -> list[tuple[str, str]]:
    """(folder, what a search did not look at); binary files and what was searched again by its parts are no gap."""
    found = []
    searched = {str(call.arguments.get("path")) for call, _ in survey.evidence.done if call.name == "content_search"}
    for call, result in survey.evidence.done:
        note = _NOTE.search(result.text[-600:]) if call.name == "content_search" and not result.is_error else None
        if note:
            folder = str(call.arguments.get("path"))
            again = any(part in searched for part in survey.parts(folder))
            gaps = [gap for gap in note[1].split("; ") if not gap.endswith("binary files")]
            gaps = [gap for gap in gaps if not (again and "stopped after" in gap)]
            if gaps and gaps != ["there may be more"]:
                found.append((folder, "; ".join(gaps)[:200]))
    return list(dict.fromkeys(found))


def _whole(result: Result | None) -> bool:
    return result is not None and not result.is_error and "\n[cut: " not in result.text


def refused(survey: Survey) -> list[tuple[str, str, int]]:
    """(call, code and reason, how often) of what was refused or failed, in order."""
    counts: dict[tuple[str, str], int] = {}
    for call, result in survey.evidence.done:
        if result.is_error:
            target = call.arguments.get("path") or call.arguments.get("operation") or ""
            name = call.name if call.name in ("shell", "content_search") else f"{call.name} {target}".strip()
            row = (name, _plain(result.text)[:240])
            counts[row] = counts.get(row, 0) + 1
    return [(name, why, count) for (name, why), count in counts.items()][:30]


def _method(survey: Survey) -> str:
    calls = Counter(call.name for call, _ in survey.evidence.done)
    made = ", ".join(f"{count} {name}" for name, count in sorted(calls.items()))
    return (
        f"## How this was made\n\n{survey.evidence.turns} turns, {sum(calls.values())} tool calls ({made}); each passed"
        " the gate and stands in the journal: `remit show last`. Sizes were measured by one program in the sandbox."
    )


def _history_line(survey: Survey) -> str:
    commits, changes = _commits(survey), _changes(survey)
    newest = f"{len(commits)} commits read, newest {commits[0][0]}" if commits else ""
    return ", ".join(filter(None, (newest, "" if changes is None else f"{len(changes)} uncommitted changes")))


def _refused_line(survey: Survey) -> str:
    rows = [(call.name, result.code) for call, result in survey.evidence.done if result.is_error]
    return ", ".join(f"{name} {code}" for name, code in dict.fromkeys(rows))


def _named(paths: Sequence[str], survey: Survey) -> str:
    shown = []
    for path in paths:
        lines, size = survey.sizes.get(path, (-1, 0))
        shown.append(f"{path} ({f'{lines:,} lines' if lines >= 0 else f'{size:,} bytes'})")
    return ", ".join(shown)


def _shares(kinds: Sequence[tuple[str, int]]) -> str:
    return f" ({', '.join(f'{count:,} {name}' for name, count in kinds)})" if kinds else ""


def _at_least(count: int, more: bool) -> str:
    return f"at least {count:,}" if more and count % 1000 == 0 else f"{count:,}"


def _list(names: Sequence[str], shown: int) -> str:
    head = ", ".join(map(_code, names[:shown]))
    return head if len(names) <= shown else f"{head} and {len(names) - shown} more"


def _plain(text: str) -> str:
    """One printable line."""
    return "".join(char if char.isprintable() else " " for char in " ".join(text.split()))


def _code(text: str) -> str:
    """Quoted as code, whatever it holds."""
    return f"`{_plain(text).replace('`', chr(39)).replace('|', '/')[:300] or ' '}`"
