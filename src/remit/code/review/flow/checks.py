"""Calls that say something of their data when they hold."""

from __future__ import annotations

import re
from typing import Final

from remit.code.review import ir
from remit.code.review.flow.events import Event
from remit.code.review.flow.run import Run, checked, data_facts, facts
from remit.code.review.flow.tests import ALL, absent, every_facts, pattern_facts, prefix, same
from remit.code.review.flow.values import CLEAN, NOTHING, Check, Facts, Value

_WORDS: Final = frozenset(("isdigit", "isalpha", "isalnum", "isnumeric", "isdecimal", "isidentifier"))


_SAFE_NAME: Final = re.compile(r"(^|[._])(is_?)?(safe|valid|allowed|trusted|permitted|whitelisted)(_|[A-Z]|$)|"
                               r"(^|\.)is(Safe|Valid|Allowed|Trusted)|url_has_allowed_host_and_scheme|"
                               r"is_safe_url")  # fmt: skip


_SEARCHES: Final = frozenset(("search", "test", "MatchString", "is_match"))


OTHERS: Final = re.compile(r"^\[\^(?:\\w|\\d|\w-\w|\w|\\-|_|-| |\\\.|\.|,|@)+\]\+?$")
"""Whatever is not one of these letters, digits and marks."""


NOT_PATHS: Final = frozenset(("sql", "command", "code", "xss", "xpath", "ldap", "template"))


def tested(run: Run, event: Event) -> Value | None:
    """A call that says something of its tainted argument or receiver when it holds."""
    method, receiver = event.method, event.receiver
    made = Value(qual=f"{event.name}()")
    subject = receiver if receiver.taints else next((one for one in event.args if one.taints), NOTHING)
    if method in ("all", "every") and (said := _each(run, event, subject)):
        return checked(made, Check(said, CLEAN))
    if not subject.taints:
        return None
    if subject is receiver:
        made.check = _own_test(event, subject)
    elif method in ("match", "fullmatch", "test", "MatchString", "is_match", "Match", "search"):
        return _matched(event, subject)
    elif method in ("includes", "has", "Contains", "contains", "contains_key", "__contains__", "indexOf"):
        made.check = _contained(run, event, subject)
    elif method == "IsLocal":
        made.check = Check(facts(subject, frozenset(("path",))), CLEAN)
    elif method in ("HasPrefix", "startswith"):
        made.check = Check(prefix(subject, event.constant(1)), CLEAN)
    elif _SAFE_NAME.search(event.name):
        made.check = Check(facts(subject, ALL), CLEAN)
    return made if made.check is not None else None


def _each(run: Run, event: Event, subject: Value) -> Facts:
    """What a test of every letter says of the text."""
    if event.name == "all" and event.args:
        inner = _element_source(run, event.node)
        return every_facts(run, event.node, inner) if inner.taints else CLEAN
    return every_facts(run, event.node, subject) if subject is event.receiver else CLEAN


def _element_source(run: Run, node: ir.Node) -> Value:
    """The text that the comprehension of `all(... for c in text)` runs over."""
    from remit.code.review.flow.expressions import value_of

    given = node.args[0] if isinstance(node, ir.Call) and node.args else None
    return value_of(run, given.clauses[0][1]) if isinstance(given, ir.Comprehension) and given.clauses else NOTHING


def _own_test(event: Event, subject: Value) -> Check | None:
    method = event.method
    if method in _WORDS:
        return Check(facts(subject, ALL), CLEAN)
    if method in ("startswith", "startsWith", "starts_with"):
        return Check(prefix(subject, event.constant(0)), CLEAN)
    if method == "is_relative_to":
        return Check(data_facts(subject, frozenset(("path",))), CLEAN)
    if method in ("find", "indexOf", "includes", "contains", "count") and isinstance(event.constant(0), str):
        return Check(CLEAN, facts(subject, absent(event.constant(0))))
    return None


def _matched(event: Event, subject: Value) -> Value:
    pattern = event.constant(0) if event.name.startswith("re.") and len(event.args) > 1 else event.receiver.shape
    if event.method in _SEARCHES and isinstance(pattern, str) and OTHERS.match(pattern):
        made = Value(qual=f"{event.name}()")
        made.check = Check(CLEAN, facts(subject, ALL if "." not in pattern else NOT_PATHS))
        return made
    whole = event.method == "fullmatch"
    start = event.method in ("match", "fullmatch") or (isinstance(pattern, str) and pattern.startswith(("^", "\\A")))
    said = pattern_facts(subject, pattern, whole) if start else CLEAN
    made = Value(taints=subject.taints, qual=f"{event.name}()")
    made.check = Check(said, CLEAN)
    made.trail = subject.trail
    return made


def _contained(run: Run, event: Event, subject: Value) -> Check | None:
    if event.args and subject is event.args[0] and isinstance(event.constant(1), str):
        return Check(CLEAN, facts(subject, absent(event.constant(1))))
    if not run.deep(event.receiver):
        return Check(same(subject), CLEAN)
    return None
