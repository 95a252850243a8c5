"""The survey's plan: stages that say which calls they want, given what earlier ones returned.

    look -> read -> names -> search -> follow up -> write -> answer

A stage is a pure function of the evidence, and the first stage with calls that were not made yet is the
turn. So the plan adapts by itself: what was refused has an answer already, and the next stage works with
what there is. Every list is bounded; a tree may be empty or hold a hundred thousand files.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from typing import Final

from remit.adapters.builtin._rules import Call, Evidence
from remit.adapters.builtin._survey_calls import (
    IMPORTS,
    MARKERS,
    SIZES,
    SYNTAX,
    TESTS,
    globbing,
    listed,
    searching,
    sizing,
)
from remit.adapters.builtin._survey_facts import (
    Imports,
    Match,
    Tangle,
    extension,
    is_test,
    language,
    matches,
    own,
    tangle,
)
from remit.adapters.builtin._survey_tree import USUAL, Tree, is_cut

MAX_CALLS: Final = 60  # of one turn
INQUIRY_TURNS: Final = 5  # then it writes; writing may take two turns, so that a survey ends within eight
MAX_SEARCHED: Final = 4000  # files beneath one folder that is searched; a larger one is searched by its parts
MAX_LINED: Final = 300  # the same where a search finds a line or more in each file, and stops after 1,000
_MANIFEST: Final = re.compile(
    r"(?i)readme(\.\w+)?|pyproject\.toml|setup\.(py|cfg)|package\.json|cargo\.toml|go\.mod|pom\.xml|build\.gradle"
    r"(\.kts)?|gemfile|composer\.json|makefile|dockerfile|cmakelists\.txt|requirements\.txt|tox\.ini"
)
_NEXT: Final = re.compile(r"\[cut: .*go on with (offset|byte_offset)=(\d+)\]\s*$")


class Survey(Tree):
    """What a survey found in the tree, and the calls that each stage wants."""

    def __init__(self, evidence: Evidence) -> None:
        super().__init__(evidence)
        self._kinds: dict[str, list[tuple[str, bool]]] = {}

    @property
    def too_large(self) -> list[tuple[str, int, int]]:
        """(root, its files, how many of its parts were searched) of what was not searched whole."""
        return [
            (root, self.count(root), sum(self.evidence.of(c) is not None for p in self.parts(root)
                                          for c in self.search("markers", p)))
            for root in self.roots if self.count(root) > MAX_SEARCHED
        ]  # fmt: skip

    @cached_property
    def imports(self) -> Imports:
        """The import graph, by name."""
        rows = {m[:2]: m for call in self.searches("imports") for m in matches(self.evidence.text(call))}
        return Imports(self.found[0], list(rows.values()))

    @cached_property
    def tangles(self) -> list[Tangle]:
        """The sources that were read, the most tangled first."""
        rows = []
        for path in self.read_whole:
            text = "\n".join(
                result.text
                for call, result in self.evidence.done
                if call.name == "read_file" and call.arguments.get("path") == path and not result.is_error
            )
            if text:
                graph = self.imports
                rows.append(tangle(path, text, len(graph.importers.get(path, ())), graph.lines.get(path, 0)))
        return sorted(rows, key=lambda row: (-row.score, row.path))

    @cached_property
    def markers(self) -> list[Match]:
        """Open markers, by place."""
        rows = {m[:2]: m for call in self.searches("markers") for m in matches(self.evidence.text(call)) if own(m.path)}
        return [rows[place] for place in sorted(rows)]

    @cached_property
    def tests(self) -> tuple[list[str], int]:
        """Test files, and how many test functions the search found in them."""
        rows = {m[:2] for call in self.searches("tests") for m in matches(self.evidence.text(call)) if is_test(m.path)}
        return [path for path in self.found[0] if is_test(path)], len(rows)

    def searches(self, kind: str) -> list[Call]:
        """The content searches of a kind that were made."""
        places = [*self.roots, *(part for root in self.roots for part in self.parts(root))]
        if kind == "markers":
            places += self.beside_roots
        wanted = [call for place in dict.fromkeys(places) for call in self.search(kind, place)]
        wanted += [call for root in self.roots for call in self._beside_parts(kind, root)]
        return [call for call in wanted if self.evidence.of(call) is not None]

    def search(self, kind: str, folder: str, below: str = "**/*") -> list[Call]:
        """The searches of a kind beneath a folder, in files that fit `below` without their extension."""
        if kind == "markers":
            return [searching(rf"\b({'|'.join(MARKERS)})\b", folder, "**")]
        table = IMPORTS if kind == "imports" else TESTS
        found = []
        for ending, tested in self._endings(folder):
            pattern = table.get(SYNTAX.get(ending, ending))
            if pattern and (kind == "imports" or tested):
                found.append(searching(pattern.replace("{0}", self._packages), folder, f"{below}.{ending}"))
        return found

    # --- what is wanted ---------------------------------------------------------------------------

    def look(self) -> list[Call]:
        """The root, and the size of every file."""
        return [listed("."), sizing(SIZES[0])]

    def read(self) -> list[Call]:
        """The first level, what describes the project; the next size list where one was cut."""
        calls = [call for call, _ in self._next_sizes(0)]
        if self.closed:
            return [*calls, *map(listed, USUAL)]
        described = [e.name for e in self.top if e.kind == "file" and _MANIFEST.fullmatch(e.name)][:8]
        calls += [Call("read_file", {"path": name, "limit": 200}) for name in described]
        if is_cut(self.evidence.text(listed("."))):
            calls.append(Call("list_directory", {"path": ".", "offset": 1000}))
        return [*calls, *[listed(folder) for folder in self.folders[:24]]]

    def names(self) -> list[Call]:
        """Every file by name, and the history beside it: reading runs side by side, a program in the shell alone."""
        calls = [call for call, _ in self._next_sizes(1)]
        if any(entry.name == ".git" for entry in self.top) or "list_directory" not in self.evidence.tools:
            calls += [Call("git", {"operation": "log", "limit": 50}), Call("git", {"operation": "status"})]
        return [*calls, *map(globbing, self.roots)]

    def look_inside(self) -> list[Call]:
        """Markers, imports and tests; the largest sources; folders whose list of names was cut, by their parts."""
        calls: list[Call] = [globbing(part) for root in self.roots if self.cut(root) for part in self.parts(root)]
        if not self.sizes or not any(size[0] >= 0 for size in self.sizes.values()):
            calls += [listed(folder) for folder in self.source_folders]
        calls += [Call("read_file", {"path": path}) for path in self.read_whole]
        for root in self.roots:
            if self.count(root) <= MAX_SEARCHED:
                calls += [call for kind in ("imports", "markers", "tests") for call in self._searching(kind, root)]
        named = [path for path in self.beside_roots if language(path) or _MANIFEST.fullmatch(path)]
        return [*calls, *[call for path in named[:12] for call in self.search("markers", path)]]

    def follow_up(self) -> list[Call]:
        """The next page of what was cut, once."""
        calls: list[Call] = []
        for call, result in self.evidence.done:
            more = _NEXT.search(result.text[-200:]) if call.name == "read_file" and not result.is_error else None
            if more and "limit" not in call.arguments and len(call.arguments) == 1:
                calls.append(Call("read_file", {**call.arguments, more[1]: int(more[2])}))
        if not any(self.evidence.of(Call("read_file", {"path": path})) for path in self.read_whole):
            calls += [Call("read_file", {"path": path}) for path in self.read_whole]
        for root in self.roots:
            for kind in ("imports", "markers", "tests"):
                if self.count(root) > MAX_SEARCHED or any(map(self._stopped, self.search(kind, root))):
                    calls += self._in_parts(kind, root)
        return calls

    # --- details ----------------------------------------------------------------------------------

    def _searching(self, kind: str, root: str) -> list[Call]:
        """The searches of a kind beneath a root: whole, or by its parts where the whole would stop too early."""
        parts = self._in_parts(kind, root) if kind != "markers" and self.count(root) > MAX_LINED else []
        return parts or self.search(kind, root)

    def _in_parts(self, kind: str, root: str) -> list[Call]:
        small = [part for part in self.parts(root) if self.count(part) <= MAX_SEARCHED]
        return [*(call for part in small for call in self.search(kind, part)), *self._beside_parts(kind, root)]

    def _beside_parts(self, kind: str, root: str) -> list[Call]:
        """The searches of a kind in the files that stand beside a root's parts."""
        parts = self.parts(root) if kind != "markers" else []
        return self.search(kind, parts[0].rpartition("/")[0] or ".", "*") if parts else []

    def _next_sizes(self, level: int) -> list[tuple[Call, str]]:
        result = self.evidence.of(sizing(SIZES[level]))
        cut = result is not None and not result.is_error and is_cut(result.text)
        return [(sizing(SIZES[level + 1]), SIZES[level + 1])] if cut else []

    def _endings(self, folder: str) -> list[tuple[str, bool]]:
        """(extension, whether tests have it) of the two most frequent kinds of source beneath a folder."""
        if folder not in self._kinds:
            prefix = "" if folder == "." else f"{folder}/"
            sources = [path for path in self.found[0] if path.startswith(prefix) and language(path)]
            counts = sorted(Counter(map(extension, sources)).items(), key=lambda item: (-item[1], item[0]))[:2]
            tested = {extension(path) for path in sources if is_test(path)}
            self._kinds[folder] = [(ending, ending in tested) for ending, _ in counts]
        return self._kinds[folder]

    @cached_property
    def _packages(self) -> str:
        """The names that the tree's own Python imports begin with."""
        names = Counter(p for path in self.found[0] if path.endswith(".py") for p in path.split("/")[:-1][:2])
        kept = [n for n, _ in names.most_common(12) if re.fullmatch(r"[A-Za-z_]\w{0,40}", n)]
        return "|".join([r"\.", *sorted(kept)])

    def _stopped(self, call: Call) -> bool:
        return "stopped after" in self.evidence.text(call)[-400:]


Stage = Callable[[Survey], list[Call]]
STAGES: Final[tuple[tuple[str, Stage], ...]] = (
    ("First the root folder, and the size of every file by one sandboxed program.", Survey.look),
    ("Then what describes the project, and its folders.", Survey.read),
    ("Now the history, and every file by name, without what is third-party or generated.", Survey.names),
    ("Now imports, open markers and tests by search, and the largest sources in full.", Survey.look_inside),
    ("Some answers were cut or too large: their next pages and parts.", Survey.follow_up),
)
