r"""Several locks taken together: two orders can wait for each other for ever.

Bad (python):
    def f(a_lock, b_lock):
        with a_lock:
            with b_lock: g()
    def h(a_lock, b_lock):
        with b_lock:
            with a_lock: g()
    ---
    def f(self):
        self.lock_a.acquire()
        self.lock_b.acquire()
        g()
    ---
    import threading
    A = threading.Lock(); B = threading.Lock()
    def f():
        with A, B: g()
    def h():
        with B, A: g()

Good (python):
    def f(a_lock):
        with a_lock: g()
    ---
    def f(a_lock, b_lock):
        with a_lock: g()
        with b_lock: g()
    ---
    def f(path, lock):
        with open(path) as a, lock: g(a)

Bad (go):
    package p
    func f() { a.mu.Lock(); b.mu.Lock(); g() }
    ---
    package p
    func f() { a.Lock(); defer a.Unlock(); b.Lock(); defer b.Unlock() }
    ---
    package p
    func f() { a.RLock(); b.Lock(); g() }

Good (go):
    package p
    func f() { a.mu.Lock(); defer a.mu.Unlock(); g() }
    ---
    package p
    func f() { a.Lock(); a.Unlock(); b.Lock(); b.Unlock() }
    ---
    package p
    func f() { g() }

Bad (rust):
    fn f() { let a = x.lock(); let b = y.lock(); g(a, b); }
    ---
    fn f() { let a = x.lock().unwrap(); let b = y.write().unwrap(); g(a, b); }
    ---
    async fn f() { let a = x.lock().await; let b = y.lock().await; g(a, b); }

Good (rust):
    fn f() { let a = x.lock(); g(a); }
    ---
    fn f() { let a = x.lock(); drop(a); let b = y.lock(); g(b); }
    ---
    fn f() { { let a = x.lock(); g(a); } let b = y.lock(); g(b); }
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from remit.code.review import ir
from remit.code.review.parsing import File
from remit.code.review.syntax import production
from remit.code.review.values import Hit, Rule

RULE = Rule("COR003", "Several locks together", "correctness", "error",
            "Take one lock, or always in one written order.", cwe=833, confidence=0.6,
            languages=("python", "go", "rust"))  # fmt: skip
_LOCK = re.compile(r"(lock|mutex|semaphore|_mu|\bmu)s?(_?[a-z]|\d)?$", re.I)
Held = tuple[str, ir.Span, bool]
"""(name, place, taken by a call that nothing ends)"""


def check(file: File) -> Iterable[Hit]:
    """Per function the locks that are held when another is taken; with blocks only when two functions differ "
    "in order."""
    pairs: dict[tuple[str, str], ir.Span] = {}
    made = _made(file)
    for function in production(file):
        for first, second, place, ordered in _together(function.body, file.language, made):
            if first == second:
                continue
            if ordered:
                pairs.setdefault((first, second), place)
            else:
                yield Hit(place, f"{second} is taken while {first} is held")
    for (first, second), place in pairs.items():
        if (second, first) in pairs:
            yield Hit(place, f"{second} is taken while {first} is held, elsewhere the other way round")


def _made(file: File) -> frozenset[str]:
    """Names bound to new locks."""
    return frozenset(
        ir.last_name(target)
        for node in ir.walk(file.module.body)
        if isinstance(node, ir.Assign) and re.search(r"(^|\.)R?Lock\(\)$|Mutex", ir.dotted(node.value))
        for target in node.targets
    )


def _together(body: list[Any], language: str, made: frozenset[str]) -> Iterator[tuple[str, str, ir.Span, bool]]:
    """(held, taken, place, by a block) of every lock that is taken while another is held."""
    if language == "python":
        yield from _blocks(body, [], made)
    held: list[str] = []
    for node in _straight(body):
        took, gave = _moves(node, language)
        if took:
            yield from ((one, took, node.span, False) for one in held)
            held.append(took)
        if gave and gave in held:
            held.remove(gave)


def _blocks(body: list[Any], held: list[str], made: frozenset[str]) -> Iterator[tuple[str, str, ir.Span, bool]]:
    for node in body:
        if isinstance(node, ir.With):
            own: list[str] = []
            for expression, _ in node.items:
                name = ir.dotted(expression)
                if _LOCK.search(name) or ir.last_name(expression) in made:
                    yield from ((one, name, node.span, True) for one in [*held, *own])
                    own.append(name)
            yield from _blocks(node.body, [*held, *own], made)
        elif not isinstance(node, ir.Define):
            inner = [one for one in ir.parts_of(node) if isinstance(one, ir.Node)]
            yield from _blocks(inner, held, made)


def _straight(body: list[Any]) -> Iterator[Any]:
    """The statements of one level: what an inner block takes is given back at its end."""
    for node in body:
        if isinstance(node, ir.Assign | ir.Evaluate):
            yield node


def _moves(node: Any, language: str) -> tuple[str, str]:
    """(lock taken, lock given back) by a statement."""
    value = node.value
    kind = value.kind if isinstance(value, ir.Call) else ""
    while True:
        if isinstance(value, ir.Wrap):
            value = value.operand
        elif (
            isinstance(value, ir.Call)
            and ir.last_name(value.callee) in ("unwrap", "expect")
            and isinstance(value.callee, ir.Attr)
        ):
            value = value.callee.object
        else:
            break
    if not isinstance(value, ir.Call):
        return "", ""
    last = ir.last_name(value.callee)
    owner = ir.dotted(value.callee.object) if isinstance(value.callee, ir.Attr) else ""
    if language == "go":
        return (
            (owner, "")
            if last in ("Lock", "RLock")
            else ("", owner if last in ("Unlock", "RUnlock") and kind != "defer" else "")
        )
    if language == "python":
        lock = owner if re.search(r"lock|mutex|sem", owner, re.I) else ""
        return (lock, "") if last == "acquire" else ("", lock if last == "release" else "")
    if last == "drop" and value.args:
        return "", ir.last_name(value.args[0])
    if isinstance(node, ir.Assign) and last in ("lock", "write", "read") and not value.args:
        return ir.last_name(node.targets[0]), ""
    return "", ""
