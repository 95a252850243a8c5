r"""Nesting deeper than 4.

Bad (python):
    def f(a):
        if a:
            for b in a:
                while b:
                    with b:
                        if b: g()
    ---
    def f(a):
        for b in a:
            for c in b:
                for d in c:
                    for e in d:
                        for h in e: g(h)
    ---
    def f(a):
        try:
            if a:
                for b in a:
                    if b:
                        with b: g()
        except ValueError: h()

Good (python):
    def f(a):
        if a:
            for b in a:
                while b:
                    with b: g()
    ---
    def f(a):
        if a == 1: g()
        elif a == 2: g()
        elif a == 3: g()
        elif a == 4: g()
        elif a == 5: g()
        elif a == 6: g()
    ---
    def f(a):
        for b in a:
            def h(c):
                for d in c:
                    for e in d:
                        if e: g()

Bad (javascript):
    function f(a) { if (a) { for (const b of a) { while (b) { if (b) { if (a.c) { g(); } } } } } }
    ---
    function f(a) { try { if (a) { for (;;) { if (b) { for (;;) { g(); } } } } } catch (e) { h(e); } }
    ---
    const f = (a) => { if (a) { if (b) { if (c) { if (d) { switch (e) { case 1: g(); } } } } } };

Good (javascript):
    function f(a) { if (a) { for (const b of a) { while (b) { g(); } } } }
    ---
    function f(a) { if (a) { g(); } else if (b) { g(); } else if (c) { g(); } else if (d) { g(); } else if (e) {} }
    ---
    function f(a) { if (a) { if (b) { return () => { if (c) { if (d) { g(); } } }; } } }

Bad (go):
    package p
    func f() { if a { for { if b { for { if c { g() } } } } } }
    ---
    package p
    func f() { for { for { for { for { for { g() } } } } } }
    ---
    package p
    func f() { if a { if b { if c { if d { switch e { case 1: g() } } } } } }

Good (go):
    package p
    func f() { if a { for { if b { for { g() } } } } }
    ---
    package p
    func f() { if a { g() } else if b { g() } else if c { g() } else if d { g() } else if e { g() } }
    ---
    package p
    func f() { g() }

Bad (rust):
    fn f() { if a { for b in c { if b { loop { if d { g(); } } } } } }
    ---
    fn f() { while a { while b { while c { while d { while e { g(); } } } } } }
    ---
    fn f() { if a { if b { if c { if d { match e { 1 => g(), _ => h() } } } } } }

Good (rust):
    fn f() { if a { for b in c { if b { loop { g(); } } } } }
    ---
    fn f() { if a { g() } else if b { g() } else if c { g() } else if d { g() } else if e { g() } }
    ---
    fn f() { g(); }
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from remit.code.review import ir
from remit.code.review.parsing import File
from remit.code.review.syntax import named, production
from remit.code.review.values import Hit, Rule

RULE = Rule("STY003", "Deep nesting", "style", "warning",
            "Leave early, or give the inner part a name of its own.", confidence=0.9)  # fmt: skip
MAX_DEPTH = 4
_NESTING = (ir.If, ir.Loop, ir.Try, ir.With, ir.Match)


def check(file: File) -> Iterable[Hit]:
    """The first place of a function that lies too deep."""
    for function in production(file):
        deep = _deepest(function)
        if deep is not None:
            yield Hit(deep.span, f"{named(function)} is nested deeper than {MAX_DEPTH} here")


def _deepest(function: ir.Function) -> Any:
    rest: list[tuple[Any, int]] = [(one, 0) for one in reversed([*function.body, function.value]) if one is not None]
    while rest:
        node, depth = rest.pop()
        if isinstance(node, ir.Define | ir.Lambda):
            continue
        if isinstance(node, _NESTING) and not (isinstance(node, ir.If) and node.chained):
            depth += 1
            if depth > MAX_DEPTH:
                return node
        rest.extend((one, depth) for one in reversed(list(ir.parts_of(node))) if isinstance(one, ir.Node))
    return None
