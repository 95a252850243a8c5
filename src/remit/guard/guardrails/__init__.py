"""Guardrail rules: a kind a file. `make(rule)` gives a pure function from a `Subject` to hits.

The folder is the registry. A kind's module has `ON`, the stages it looks at when the rule names none, and
`make(rule)`, which checks the rule's values (raises config_invalid) and compiles them once.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable
from functools import cached_property
from importlib import import_module
from typing import Any

from remit.core.screening import Hit, Rule
from remit.errors import Invalid
from remit.guard.canonical import Reading, readings


class Subject:
    """One text to look at; its readings are made once for all rules."""

    def __init__(self, text: str, stage: str, *, name: str = "", sources: tuple[str, ...] = ()) -> None:
        self.text = text
        self.stage = stage
        self.name = name
        """the tool's or the model's name"""
        self.sources = sources
        """what an answer may rest on: the task and the results so far"""

    @cached_property
    def readings(self) -> list[Reading]:
        """The text and what it says once disguises are taken off."""
        return readings(self.text)


Check = Callable[[Subject], Iterable[Hit]]
AnyCheck = Callable[[Subject], Iterable[Hit] | Awaitable[Iterable[Hit]]]
"""A custom rule's function: may be async, may take time"""


def kinds() -> tuple[str, ...]:
    """Every kind, sorted."""
    files = [name[:-3] for name in os.listdir(os.path.dirname(__file__)) if name.endswith(".py")]
    return tuple(sorted(name for name in files if not name.startswith("_")))


def module_of(rule: Rule) -> Any:
    """The module of a rule's kind; raises config_invalid."""
    if rule.kind not in kinds():
        raise Invalid("config_invalid", f"guardrails: unknown kind {rule.kind!r:.40}; kinds: {', '.join(kinds())}")
    return import_module(f"{__name__}.{rule.kind}")


def wrong(rule: Rule, problem: str) -> Invalid:
    """The error of a rule that cannot be compiled."""
    return Invalid("config_invalid", f"guardrails: {rule.title}: {problem}")
