"""A small query language over JSON, after JSONPath.

    $                     the document             .name  ['name']     a member
    [2]  [-1]  [1:5:2]    items                    [*]  .*             all members or items
    ..name  ..*           at any depth             ['a','b']  [0,2]    several
    [?@.price < 10 && @.kind == 'x']               items or members for which it holds
    | count keys values first last sum min max mean sort unique flatten        applied to the results

A filter compares (== != < <= > >=) paths from @ or $ with each other and with numbers, 'text', true,
false, null; a bare path holds when it is there; && || ! and parentheses combine.

Invariant: no recursion on the data, and at most MAX_STEPS visited values.
Source: RFC 9535; functions and regular expressions in filters are left out, pipes are added.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NoReturn

from remit.errors import Exhausted, Invalid

MAX_QUERY_CHARS: Final = 1000
MAX_STEPS: Final = 1_000_000
_MAX_DEPTH: Final = 20  # of a filter
_NAME: Final = re.compile(r"[A-Za-z_\u0080-\U0010ffff][\w\u0080-\U0010ffff-]*")
_NUMBER: Final = re.compile(r"-?\d{1,18}(?:\.\d{1,18})?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_SLICE: Final = re.compile(r"\s*(-?\d{1,9})?\s*:\s*(-?\d{1,9})?\s*(?::\s*(-?\d{1,9})?\s*)?(?=[,\]])", re.ASCII)
_INDEX: Final = re.compile(r"\s*(-?\d{1,9})\s*(?=[,\]])", re.ASCII)
_COMPARE: Final = re.compile(r"==|!=|<=|>=|<|>")
_MISSING: Final = object()

Selector = Callable[[Any, "Budget"], Iterator[Any]]
Test = Callable[[Any, "Budget"], bool]


class Budget:
    """Visited values of one query, and its document."""

    __slots__ = ("left", "root")

    def __init__(self, root: Any) -> None:
        self.root = root
        self.left = MAX_STEPS

    def take(self) -> None:
        """Count one visit; raises output_too_large after MAX_STEPS."""
        self.left -= 1
        if self.left < 0:
            raise Exhausted("output_too_large", f"the query visits more than {MAX_STEPS:,} values")


def run_query(query: str, document: Any) -> Any:
    """A list of the values that the path selects, or what the pipes make of it; raises value_invalid with the place."""
    if len(query) > MAX_QUERY_CHARS:
        raise Invalid("value_invalid", f"the query is longer than {MAX_QUERY_CHARS} characters")
    parser = _Parser(query)
    selectors, pipes = parser.query()
    budget = Budget(document)
    result: Any = list(_select([document], selectors, budget))
    for pipe in pipes:
        result = _piped(pipe, result)
    return result


def _select(values: list[Any], selectors: list[Selector], budget: Budget) -> list[Any]:
    for selector in selectors:
        found: list[Any] = []
        for value in values:
            for item in selector(value, budget):
                budget.take()
                found.append(item)
        values = found
    return values


class _Parser:
    """Recursive descent over the language above."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def fail(self, why: str) -> NoReturn:
        raise Invalid("value_invalid", f"query, character {self.at + 1}: {why}", hint="For example $.items[*].name")

    def _space(self) -> None:
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1

    def _take(self, token: str) -> bool:
        self._space()
        if self.text.startswith(token, self.at):
            self.at += len(token)
            return True
        return False

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self.text, self.at)
        if found:
            self.at = found.end()
        return found

    def query(self) -> tuple[list[Selector], list[str]]:
        self._take("$")
        # `name.other` is taken as `$.name.other`.
        first = [_member(found[0])] if self.text[:1] != "$" and (found := self._match(_NAME)) else []
        selectors = first + self._segments()
        pipes: list[str] = []
        while self._take("|"):
            self._space()
            found = self._match(_NAME)
            if found is None or found[0] not in _PIPES:
                self.fail(f"a pipe is one of {', '.join(_PIPES)}")
            pipes.append(found[0])
        self._space()
        if self.at < len(self.text):
            self.fail(f"unexpected {self.text[self.at]!r}")
        return selectors, pipes

    def _segments(self) -> list[Selector]:
        selectors: list[Selector] = []
        while True:
            if self.text.startswith("..", self.at):
                self.at += 2
                selectors += [
                    _descendants,
                    self._dotted() if not self.text.startswith("[", self.at) else self._bracket(),
                ]
            elif self.text.startswith(".", self.at):
                self.at += 1
                selectors.append(self._dotted())
            elif self.text.startswith("[", self.at):
                selectors.append(self._bracket())
            else:
                return selectors

    def _dotted(self) -> Selector:
        if self.text.startswith("*", self.at):
            self.at += 1
            return _children
        found = self._match(_NAME)
        if found is None:
            self.fail("a name or * is missing")
        return _member(found[0])

    def _bracket(self) -> Selector:
        self.at += 1
        if self._take("?"):
            test = self._any_of()
            if not self._take("]"):
                self.fail("] is missing after the filter")
            return _filter(test)
        choices = [self._choice()]
        while self._take(","):
            choices.append(self._choice())
        if not self._take("]"):
            self.fail("] is missing")
        return choices[0] if len(choices) == 1 else _union(choices)

    def _choice(self) -> Selector:
        self._space()
        if self._take("*"):
            return _children
        if self.text[self.at : self.at + 1] in ("'", '"'):
            return _member(self._string())
        if found := self._match(_SLICE):
            if found[3] is not None and int(found[3]) == 0:
                self.fail("the step of a slice is not 0")
            return _slice(slice(*(None if part is None else int(part) for part in found.groups())))
        if found := self._match(_INDEX):
            return _item(int(found[1]))
        self.fail("expected a number, a slice, 'name', * or ?")

    def _string(self) -> str:
        quote = self.text[self.at]
        self.at += 1
        out: list[str] = []
        while self.at < len(self.text):
            char = self.text[self.at]
            self.at += 1
            if char == quote:
                return "".join(out)
            if char == "\\" and self.at < len(self.text):
                char = self.text[self.at]
                self.at += 1
            out.append(char)
        self.fail("a quote is not closed")

    def _any_of(self) -> Test:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            self.fail(f"the filter is nested deeper than {_MAX_DEPTH} levels")
        tests = [self._all_of()]
        while self._take("||"):
            tests.append(self._all_of())
        self.depth -= 1
        return tests[0] if len(tests) == 1 else lambda value, budget: any(test(value, budget) for test in tests)

    def _all_of(self) -> Test:
        tests = [self._condition()]
        while self._take("&&"):
            tests.append(self._condition())
        return tests[0] if len(tests) == 1 else lambda value, budget: all(test(value, budget) for test in tests)

    def _condition(self) -> Test:
        negated = False
        while not self.text.startswith("!=", self.at) and self._take("!"):
            negated = not negated
        if self._take("("):
            test = self._any_of()
            if not self._take(")"):
                self.fail(") is missing")
        else:
            test = self._comparison()
        return (lambda value, budget: not test(value, budget)) if negated else test

    def _comparison(self) -> Test:
        left = self._operand()
        self._space()
        found = self._match(_COMPARE)
        if found is None:
            return lambda value, budget: left(value, budget) is not _MISSING
        right, compare = self._operand(), _COMPARISONS[found[0]]
        return lambda value, budget: compare(left(value, budget), right(value, budget))

    def _operand(self) -> Callable[[Any, Budget], Any]:
        self._space()
        char = self.text[self.at : self.at + 1]
        if char in ("@", "$"):
            self.at += 1
            selectors = self._segments()
            return lambda value, budget: _first(_select([value if char == "@" else budget.root], selectors, budget))
        constant = self._constant(char)
        return lambda value, budget: constant

    def _constant(self, char: str) -> Any:
        if char in ("'", '"') and char:
            return self._string()
        for word, value in (("true", True), ("false", False), ("null", None)):
            if self._take(word):
                return value
        found = self._match(_NUMBER)
        if found is None:
            self.fail("expected @, $, a number, 'text', true, false or null")
        return float(found[0]) if set(found[0]) & set(".eE") else int(found[0])


def _first(values: list[Any]) -> Any:
    return values[0] if values else _MISSING


def _same(a: Any, b: Any) -> bool:
    # In JSON true is not 1.
    return bool(a == b) and isinstance(a, bool) == isinstance(b, bool)


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def test(a: Any, b: Any) -> bool:
        return ((_is_number(a) and _is_number(b)) or (isinstance(a, str) and isinstance(b, str))) and compare(a, b)

    return test


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": _same,
    "!=": lambda a, b: not _same(a, b),
    "<": _ordered(lambda a, b: a < b),
    "<=": _ordered(lambda a, b: a <= b),
    ">": _ordered(lambda a, b: a > b),
    ">=": _ordered(lambda a, b: a >= b),
}


def _member(name: str) -> Selector:
    def select(value: Any, budget: Budget) -> Iterator[Any]:
        if isinstance(value, dict) and name in value:
            yield value[name]

    return select


def _item(index: int) -> Selector:
    def select(value: Any, budget: Budget) -> Iterator[Any]:
        if isinstance(value, list) and -len(value) <= index < len(value):
            yield value[index]

    return select


def _slice(wanted: slice) -> Selector:
    return lambda value, budget: iter(value[wanted]) if isinstance(value, list) else iter(())


def _children(value: Any, budget: Budget) -> Iterator[Any]:
    return iter(value.values()) if isinstance(value, dict) else iter(value) if isinstance(value, list) else iter(())


def _descendants(value: Any, budget: Budget) -> Iterator[Any]:
    stack = [value]
    while stack:
        item = stack.pop()
        yield item
        stack.extend(reversed(list(_children(item, budget))))


def _union(choices: list[Selector]) -> Selector:
    return lambda value, budget: (item for choice in choices for item in choice(value, budget))


def _filter(test: Test) -> Selector:
    def select(value: Any, budget: Budget) -> Iterator[Any]:
        for item in _children(value, budget):
            budget.take()
            if test(item, budget):
                yield item

    return select


def _piped(pipe: str, result: Any) -> Any:
    values = result if isinstance(result, list) else [result]
    # One selected list or object is what is meant by `$.items | count`.
    if len(values) == 1 and isinstance(values[0], list):
        values = values[0]
    try:
        return _PIPES[pipe](values)
    except TypeError:
        raise Invalid("value_invalid", f"{pipe} does not fit these values: they are not all of one kind") from None
    except (ValueError, ZeroDivisionError, IndexError):
        raise Invalid("value_invalid", f"{pipe} has nothing to work on") from None


def _numbers(values: list[Any]) -> list[Any]:
    if not all(_is_number(value) for value in values):
        raise TypeError
    return values


def _unique(values: list[Any]) -> list[Any]:
    from msgspec.json import encode

    return list({encode(value, order="deterministic"): value for value in values}.values())


def _members(values: list[Any], method: str) -> list[Any]:
    return (
        [item for value in values for item in getattr(value, method)()]
        if all(isinstance(value, dict) for value in values)
        else _raise_type()
    )


def _raise_type() -> NoReturn:
    raise TypeError


_PIPES: Final[dict[str, Callable[[list[Any]], Any]]] = {
    "count": len,
    "keys": lambda values: _members(values, "keys"),
    "values": lambda values: _members(values, "values"),
    "first": lambda values: values[0],
    "last": lambda values: values[-1],
    "sum": lambda values: sum(_numbers(values)),
    "min": min,
    "max": max,
    "mean": lambda values: sum(_numbers(values)) / len(values),
    "sort": sorted,
    "unique": _unique,
    "flatten": lambda values: [item for value in values for item in (value if isinstance(value, list) else [value])],
}
