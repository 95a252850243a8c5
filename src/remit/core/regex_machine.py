"""Pike's machine: a parsed regular expression run on all paths at once, in linear time.

The idea: the tree of `re`'s own parser becomes a flat program (`char`, `split`, `jump`, `save`, `at`,
`match`). A search keeps an ordered list of threads, one per program place; order is the priority that
a backtracker would have, so the answer is the same match that `re` would give.

Invariant: at most one thread per place, so a text of n characters costs at most n * len(program) steps.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from remit.errors import Exhausted, Invalid

MAX_STEPS: Final = 5_000_000  # a few seconds of pure Python, during which other threads run
MAX_PROGRAM: Final = 4000
_ENDLESS: Final = 2**31

_WORD: Final = {True: re.compile(r"\w", re.ASCII), False: re.compile(r"\w")}
_CATEGORY: Final = {
    "CATEGORY_DIGIT": r"\d",
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": r"\w",
    "CATEGORY_NOT_WORD": r"\W",
}

Test = Callable[[str], bool]


class NotSimulated(Exception):
    """The pattern holds something that only backtracking can do."""


class Steps:
    """What is left of the step budget of one call."""

    __slots__ = ("left",)

    def __init__(self, left: int = MAX_STEPS) -> None:
        self.left = left

    def take(self, count: int) -> None:
        """Use `count` steps; raises output_too_large when none are left."""
        self.left -= count
        if self.left < 0:
            raise Exhausted("output_too_large", "step budget used up")


class Machine:
    """The program of one pattern."""

    def __init__(self, tree: Any, groups: int) -> None:
        self._slots = 2 * (groups + 1)
        self._program: list[tuple[Any, ...]] = []
        self._emit_tree(tree, tree.state.flags)
        self._emit("match")

    # ---- compile -------------------------------------------------------------------------------

    def _emit(self, *instruction: Any) -> int:
        if len(self._program) >= MAX_PROGRAM:
            raise Invalid("value_invalid", "the pattern is too large; use smaller repeat counts")
        self._program.append(instruction)
        return len(self._program) - 1

    def _emit_tree(self, tree: Any, flags: int) -> None:
        for op, argument in tree:
            self._emit_node(str(op), argument, flags)

    def _emit_node(self, op: str, argument: Any, flags: int) -> None:
        match op:
            case "LITERAL" | "NOT_LITERAL" | "IN" | "ANY" | "CATEGORY" | "RANGE":
                self._emit("char", _memo(_test(op, argument, flags)))
            case "SUBPATTERN":
                self._emit_group(argument, flags)
            case "BRANCH":
                self._emit_branch(argument[1], flags)
            case "MAX_REPEAT" | "MIN_REPEAT":
                self._emit_repeat(argument, flags, greedy=op == "MAX_REPEAT")
            case "AT":
                self._emit("at", str(argument), flags)
            case "FAILURE":
                self._emit("char", lambda _: False)
            case _:
                raise NotSimulated(op.lower().replace("_", " "))

    def _emit_group(self, argument: Any, flags: int) -> None:
        group, added, removed, body = argument
        inner = (flags | added) & ~removed
        if group is None:
            self._emit_tree(body, inner)
            return
        self._emit("save", 2 * group)
        self._emit_tree(body, inner)
        self._emit("save", 2 * group + 1)

    def _emit_branch(self, branches: Any, flags: int) -> None:
        jumps = []
        for index, branch in enumerate(branches):
            if index < len(branches) - 1:
                split = self._emit("split", 0, 0)
                self._emit_tree(branch, flags)
                jumps.append(self._emit("jump", 0))
                self._program[split] = ("split", split + 1, len(self._program))
            else:
                self._emit_tree(branch, flags)
        for jump in jumps:
            self._program[jump] = ("jump", len(self._program))

    def _emit_repeat(self, argument: Any, flags: int, *, greedy: bool) -> None:
        low, high, body = int(argument[0]), int(argument[1]), argument[2]
        for _ in range(low):
            self._emit_tree(body, flags)
        if high >= _ENDLESS:
            split = self._emit("split", 0, 0)
            self._emit_tree(body, flags)
            self._emit("jump", split)
            self._set_split(split, len(self._program), greedy)
            return
        splits = []
        for _ in range(high - low):
            splits.append(self._emit("split", 0, 0))
            self._emit_tree(body, flags)
        for split in splits:
            self._set_split(split, len(self._program), greedy)

    def _set_split(self, split: int, leave: int, greedy: bool) -> None:
        self._program[split] = ("split", split + 1, leave) if greedy else ("split", leave, split + 1)

    # ---- run -----------------------------------------------------------------------------------

    def search(self, text: str, start: int, steps: Steps, barred: int = -1) -> list[tuple[int, int]] | None:
        """The leftmost match at or after `start`; an empty match at `barred` does not count."""
        program = self._program
        threads: list[tuple[int, tuple[int, ...]]] = []
        best: tuple[int, ...] | None = None
        empty = (-1,) * self._slots
        for at in range(start, len(text) + 1):
            if best is None:
                seen = {place for place, _ in threads}
                self._add(0, (at, *empty[1:]), (text, at), seen, threads)
            elif not threads:
                break
            steps.take(len(threads) + 4)
            char = text[at] if at < len(text) else ""
            following: list[tuple[int, tuple[int, ...]]] = []
            seen = set()
            for place, saved in threads:
                instruction = program[place]
                if instruction[0] == "match":
                    if at == saved[0] == barred:
                        continue
                    best = (saved[0], at, *saved[2:])
                    break  # threads of lower priority are beaten
                if char and instruction[1](char):
                    self._add(place + 1, saved, (text, at + 1), seen, following)
            steps.take(len(seen))
            threads = following
        return None if best is None else [(best[i], best[i + 1]) for i in range(0, self._slots, 2)]

    def _add(
        self,
        place: int,
        saved: tuple[int, ...],
        where: tuple[str, int],
        seen: set[int],
        threads: list[tuple[int, tuple[int, ...]]],
    ) -> None:
        """Follow what consumes nothing from `place`, in priority order."""
        text, at = where
        program = self._program
        stack = [(place, saved)]
        while stack:
            place, saved = stack.pop()
            if place in seen:
                continue
            seen.add(place)
            instruction = program[place]
            match instruction[0]:
                case "jump":
                    stack.append((instruction[1], saved))
                case "split":
                    stack.append((instruction[2], saved))
                    stack.append((instruction[1], saved))
                case "save":
                    slot = instruction[1]
                    stack.append((place + 1, (*saved[:slot], at, *saved[slot + 1 :])))
                case "at":
                    if _holds(instruction[1], instruction[2], text, at):
                        stack.append((place + 1, saved))
                case _:
                    threads.append((place, saved))


def _memo(test: Test) -> Test:
    known: dict[str, bool] = {}

    def look_up(char: str) -> bool:
        answer = known.get(char)
        if answer is None:
            answer = known[char] = test(char)
        return answer

    return look_up


def _test(op: str, argument: Any, flags: int) -> Test:
    """Whether one character fits one node of the tree."""
    match op:
        case "ANY":
            return (lambda _: True) if flags & re.DOTALL else (lambda char: char != "\n")
        case "LITERAL" | "NOT_LITERAL":
            wanted = re.compile(re.escape(chr(argument)), flags & (re.IGNORECASE | re.ASCII))
            hit = op == "LITERAL"
            return lambda char: (wanted.fullmatch(char) is not None) is hit
        case "RANGE":
            low, high = (f"\\U{bound:08x}" for bound in argument)
            ranged = re.compile(f"[{low}-{high}]", flags & (re.IGNORECASE | re.ASCII))
            return lambda char: ranged.fullmatch(char) is not None
        case "CATEGORY":
            kind = re.compile(_CATEGORY[str(argument)], flags & re.ASCII)
            return lambda char: kind.fullmatch(char) is not None
        case _:
            negated = bool(argument) and str(argument[0][0]) == "NEGATE"
            tests = [_test(str(inner), value, flags) for inner, value in argument[1 if negated else 0 :]]
            return lambda char: any(test(char) for test in tests) is not negated


def _holds(kind: str, flags: int, text: str, at: int) -> bool:
    """Whether a zero-width assertion holds before the character `at`."""
    match kind:
        case "AT_BEGINNING" if flags & re.MULTILINE:
            return at == 0 or text[at - 1] == "\n"
        case "AT_BEGINNING" | "AT_BEGINNING_STRING":
            return at == 0
        case "AT_END" if flags & re.MULTILINE:
            return at == len(text) or text[at] == "\n"
        case "AT_END":
            return at == len(text) or (at == len(text) - 1 and text[at] == "\n")
        case "AT_END_STRING":
            return at == len(text)
        case _:
            word = _WORD[bool(flags & re.ASCII)]
            before = at > 0 and word.match(text[at - 1]) is not None
            after = at < len(text) and word.match(text[at]) is not None
            return (before != after) is (kind == "AT_BOUNDARY")
