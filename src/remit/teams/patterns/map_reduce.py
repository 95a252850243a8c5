"""MapReduce: split, work on the parts at once, and join what came out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, Final, Unpack

from msgspec import Struct

from remit.teams.patterns._shared import MemberName, TeamOptions, calls, named, needed, prompt, refuse, section
from remit.teams.team import LONG_TIMEOUT_S, Team
from remit.teams.values import Answer, Estimate, text_of
from remit.teams.work import AT_ONCE, Work

CHUNKS: Final = 4  # Source: spec/teams.md 3
MAX_CHUNKS: Final = 1_000


class MapReduce(Team):
    """A task in parts, one mapper for all, one reducer at the end.

    When: the input is long or a list, and its parts can be worked on alone (summaries, extraction, classification).
    When not: parts depend on each other (Pipeline, Graph), or the whole fits one prompt anyway.
    Cost: chunks + 1 model calls.

    Args:
        mapper, reducer: who works on a part, and who joins the results.
        chunks: parts at most; fewer where the task has fewer lines or items.
        split: a function of (task, chunks) -> parts; by default paragraphs, lines or list items, in equal shares.
        at_once: parts under way.
        on_failure: continue by default: the reducer is told what is missing.
    """

    def __init__(
        self,
        mapper: Any,
        reducer: Any,
        *,
        chunks: int = CHUNKS,
        split: Callable[[Any, int], Sequence[Any]] | None = None,
        at_once: int = AT_ONCE,
        **options: Unpack[TeamOptions],
    ) -> None:
        given_options, name = named(options, "map_reduce", timeout_s=LONG_TIMEOUT_S)
        if not 1 <= chunks <= MAX_CHUNKS or at_once < 1:
            raise refuse(f"map_reduce {name}", f"chunks={chunks} at_once={at_once}", f"chunks from 1 to {MAX_CHUNKS}.")
        self.mapper, self.reducer, self.chunks, self.at_once = mapper, reducer, chunks, at_once
        self.split = split or split_task
        super().__init__(
            name, self._work, members={"mapper": mapper, "reducer": reducer}, kind="map_reduce", **given_options
        )

    def estimate(self) -> Estimate:
        """Chunks + 1."""
        return calls(((self.mapper, 1, self.chunks), (self.reducer, 1, 1)), f"{self.chunks} chunks + 1")

    async def _work(self, work: Work, task: Any) -> Any:
        parts = await work.step("split", self.split, task, self.chunks)
        progress = work.progress
        progress.total = len(parts) + 1

        async def one(i: int, part: Any) -> Answer:
            answer = await work.ask(self.mapper, part, key=f"map[{i}]", reads=[])
            if answer.ok:
                progress.done += 1
                progress.artifacts[f"part {i + 1}"] = answer.output
            return answer

        answers = await work.ask_all([partial(one, i, p) for i, p in enumerate(parts)], at_once=self.at_once)
        there = needed(answers)
        missing = [i + 1 for i, a in enumerate(answers) if not a.ok]
        progress.notes["missing"] = missing
        progress.output = "\n\n".join(a.text for a in there)
        note = f"Parts {', '.join(map(str, missing))} of {len(parts)} are missing; say so." if missing else ""
        results = [section(f"Part {i + 1}", a.text) for i, a in enumerate(answers) if a.ok]
        reduced = await work.ask(self.reducer, prompt(*results, note), key="reduce", reads=there)
        if not reduced.ok:
            raise reduced.problem()
        progress.done += 1
        return reduced.output


def split_task(task: Any, chunks: int) -> list[Any]:
    """At most `chunks` parts of nearly equal size: of a list its items, of a text its paragraphs, else its lines."""
    if isinstance(task, list | tuple):
        return [list(part) for part in _shares(list(task), chunks)]
    text = text_of(task)
    for mark in ("\n\n", "\n"):
        pieces = [piece for piece in text.split(mark) if piece.strip()]
        if len(pieces) >= min(chunks, 2):
            return [mark.join(part) for part in _shares(pieces, chunks)]
    return [text]


def _shares(items: list[Any], chunks: int) -> list[list[Any]]:
    count = max(1, min(chunks, len(items)))
    edges = [round(i * len(items) / count) for i in range(count + 1)]
    return [items[a:b] for a, b in pairwise(edges)]


class Spec(Struct, forbid_unknown_fields=True):
    """Of a workflow file."""

    mapper: MemberName
    reducer: MemberName
    chunks: int = CHUNKS
    at_once: int = AT_ONCE


PATTERN, SPEC = MapReduce, Spec
