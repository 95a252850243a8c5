"""An index over the rules of one verb, so that a check looks at the few that can match and not at all.

Idea: a path pattern holds a whole name, or a pattern begins or ends with fixed text. Rules are kept by that; a need
looks up each name of its path, and its text at each length that occurs. What has nothing fixed is tried always.

Invariant: `candidates` never leaves out a rule that matches (over all verbs, tested against trying every rule);
whether a candidate matches is still the rule's own `covers` or `forbids`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from remit.core.effects import Need
from remit.core.grants import Grant

FEW: Final = 6  # rules of a verb up to which trying all is cheaper. Source: bench/policy.py


class RuleIndex:
    """The rules of one verb, in written order."""

    __slots__ = ("_always", "_ends", "_names", "_starts", "few", "rules")

    def __init__(self, rules: Sequence[Grant]) -> None:
        self.rules = tuple(rules)
        self.few = len(rules) <= FEW
        """whether `rules` is what to try"""
        self._names: dict[str, list[Grant]] = {}
        self._starts: dict[int, dict[str, list[Grant]]] = {}
        self._ends: dict[int, dict[str, list[Grant]]] = {}
        self._always = () if self.few else tuple(rule for rule in rules if not self._keep(rule))

    def _keep(self, rule: Grant) -> bool:
        name, start, end = _fixed(rule)
        if name:
            self._names.setdefault(name, []).append(rule)
            return True
        table, text = (self._starts, start) if start else (self._ends, end)
        if not text:
            return False
        table.setdefault(len(text), {}).setdefault(text, []).append(rule)
        return True

    def candidates(self, need: Need) -> Sequence[Grant]:
        """Every rule that may match the need."""
        if self.few:
            return self.rules
        found = list(self._always)
        for text in _texts(need):
            for length, table in self._starts.items():
                if text[:length] in table:
                    found += table[text[:length]]
            for length, table in self._ends.items():
                if text[-length:] in table:
                    found += table[text[-length:]]
        if self._names:
            for name in set(need.resource.split("/")):
                found += self._names.get(name, ())
        return found


def by_verb(rules: Iterable[Grant]) -> dict[str, RuleIndex]:
    """An index a verb."""
    sorted_out: dict[str, list[Grant]] = {}
    for rule in rules:
        sorted_out.setdefault(rule.verb, []).append(rule)
    return {verb: RuleIndex(held) for verb, held in sorted_out.items()}


def _fixed(rule: Grant) -> tuple[str, str, str]:
    """A name that every path holds which the rule matches; what each text begins with; what it ends with."""
    match rule.verb:
        case "fs.read" | "fs.write":
            return _fixed_path(rule.pattern)
        case "shell":
            return "", rule.parts[0].partition("*")[0], ""
        case "net":
            host = rule.parts[2]
            return "", "", "" if host == "*" else host.lstrip("*")
        case "delegate":
            return "", "", ""
        case _:
            return "", rule.pattern.partition("*")[0], rule.pattern.rpartition("*")[2]


def _fixed_path(pattern: str) -> tuple[str, str, str]:
    names = [name for name in pattern.split("/") if name not in ("", ".")]
    for name in names:
        if not set(name) & set("*?["):
            return name, "", ""
    last = names[-1] if names else ""
    if set(last) & set("?["):
        return "", "", ""
    return "", "", last.rpartition("*")[2]


def _texts(need: Need) -> tuple[str, ...]:
    """The texts that fixed parts are looked up in."""
    match need.verb:
        case "shell":
            program = need.detail[0] if need.detail else ""
            bare = program.rpartition("/")[2]
            return (program,) if bare == program else (program, bare)
        case "net":
            return (need.detail[2],)
        case "fs.read" | "fs.write":
            return ("",) if need.resource == "." else (need.resource,)
        case _:
            return (need.resource,)
