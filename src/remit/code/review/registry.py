"""The rules: every file of rules/ is one, found by listing the folder.

A rule file declares RULE, and one or more of
    FLOW     a Flow: data from outside that reaches a sink
    WATCH    names of calls (last part; "" = all) for `watch(event) -> hits`
    check    `check(file) -> hits`, over one file's syntax
    check_program    `check_program(program) -> (path, hit)`, over all files
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import Any

from remit.code.review.flow.events import Event, Watcher, steps_of
from remit.code.review.flow.run import Knowledge
from remit.code.review.flow.sources import SOURCES
from remit.code.review.flow.values import Value
from remit.code.review.values import Flow, Hit, Sink, Step


@cache
def rules() -> tuple[Any, ...]:
    """The rule modules, by id."""
    folder = os.path.join(os.path.dirname(__file__), "rules")
    names = sorted(name[:-3] for name in os.listdir(folder) if name.endswith(".py") and not name.startswith("_"))
    return tuple(import_module(f"remit.code.review.rules.{name}") for name in names)


@cache
def knowledge(language: str) -> Knowledge:
    """What all rules and tables know of one language."""
    watchers: dict[str, list[tuple[str, Watcher]]] = {}
    cleaners: dict[str, frozenset[str]] = {}
    spoken = "javascript" if language == "typescript" else language
    for rule in rules():
        if language not in rule.RULE.languages:
            continue
        flow: Flow | None = getattr(rule, "FLOW", None)
        if flow is not None:
            for sink in flow.sinks.get(spoken, ()):
                for last in {"" if name.endswith("*=") else name.rpartition(".")[2] for name in sink.names}:
                    watchers.setdefault(last, []).append((rule.RULE.id, _watcher(flow, sink)))
            for name in flow.cleaners.get(spoken, ()):
                cleaners[name] = cleaners.get(name, frozenset()) | {flow.kind}
        for last in getattr(rule, "WATCH", ()):
            watchers.setdefault(last, []).append((rule.RULE.id, rule.watch))
    return Knowledge(SOURCES[language], cleaners, watchers)


def _watcher(flow: Flow, sink: Sink) -> Watcher:
    exact = frozenset(name for name in sink.names if not name.startswith("*."))
    loose = frozenset(name[2:] for name in sink.names if name.startswith("*.") and "." not in name[2:])
    ends = tuple(name[1:] for name in sink.names if name.startswith("*.") and "." in name[2:])
    stores = tuple(name[1:-3] for name in sink.names if name.endswith(".*="))

    def watch(event: Event) -> Iterable[Hit]:
        stored = event.name.endswith("=") and event.name.rpartition(".")[0].endswith(stores)
        if not stored and event.name not in exact and event.method not in loose and not event.name.endswith(ends):
            return
        for value in _values(event, sink):
            found = event.reaching(value, flow.kind, sink.families)
            if found is None or (sink.test is not None and not sink.test(event, value)):
                continue
            yield _hit(event, flow, sink, found)
            return

    return watch


def _hit(event: Event, flow: Flow, sink: Sink, found: tuple[Any, Value]) -> Hit:
    token, value = found
    what = sink.what or _said(event)
    sure = {"outside": sink.confidence, "local": 0.7 * sink.confidence}.get(token.family, sink.confidence)
    hit = Hit(event.span, flow.message.format(source=token.note, sink=what), confidence=round(sure, 2))
    hit.steps = steps_of(token, value, Step(event.path, event.span[0], f"reaches {what}"))
    if token.family == "parameter":
        hit.severity, hit.confidence = "parameter", round(0.5 * sink.confidence, 2)
    return hit


def _said(event: Event) -> str:
    name = event.name.lstrip("?").replace("()", "")
    parts = [part for part in name.split(".") if part]
    return ".".join(parts[-2:]) if parts else "a call"


def _values(event: Event, sink: Sink) -> Iterable[Value]:
    if not sink.args and not sink.keywords:
        yield from event.args
        yield from event.keywords.values()
        return
    for at in sink.args:
        if at == -1:
            yield event.receiver
        elif at < len(event.args):
            yield event.args[at]
    for keyword in sink.keywords:
        if keyword in event.keywords:
            yield event.keywords[keyword]
