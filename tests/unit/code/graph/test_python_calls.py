"""Call edges of Python programs: each case is a program and its true calls."""

# ruff: noqa: E501 -- a program or a patch stands on one line
from __future__ import annotations

from typing import Any

import pytest

from remit.code.graph.index import index_texts

CASES: dict[str, tuple[dict[str, str], set[tuple[str, str]]]] = {}


def case(name: str, text: str, expected: str, others: dict[str, str] | None = None) -> None:
    """Note a case: `expected` is `caller -> callee` a line."""
    files = {"main.py": text, **(others or {})}
    pairs = set()
    for line in expected.strip().splitlines():
        caller, _, callee = line.partition("->")
        pairs.add((caller.strip(), callee.strip()))
    CASES[name] = (files, pairs)


case("last assignment wins", "def f(): pass\ndef g(): pass\na = f\na = g\na()\n", "main -> main.g")
case("branches both hold", "def f(): pass\ndef g(): pass\nif x:\n    a = f\nelse:\n    a = g\na()\n",
     "main -> main.f\nmain -> main.g")  # fmt: skip
case("a branch that returns does not flow on",
     "def f(): pass\ndef g(): pass\ndef h(x):\n    a = f\n    if x:\n        a = g\n        return a\n    a()\n",
     "main.h -> main.f")  # fmt: skip
case("loops feed themselves", "def f(): pass\ndef g(): pass\na = f\nfor i in []:\n    a()\n    a = g\n",
     "main -> main.f\nmain -> main.g")  # fmt: skip
case("identity keeps callers apart",
     "def same(x):\n    return x\ndef f(): pass\ndef g(): pass\nsame(f)()\ndef h():\n    same(g)()\n",
     "main -> main.same\nmain -> main.f\nmain.h -> main.same\nmain.h -> main.g")  # fmt: skip
case("a decorator with arguments",
     "def dec(n):\n    def outer(f):\n        def inner(*args):\n            return f(*args)\n        return inner\n"
     "    return outer\n@dec(1)\ndef f(): pass\nf()\n",
     "main -> main.dec\nmain -> main.dec.outer\nmain -> main.dec.outer.inner\nmain.dec.outer.inner -> main.f")  # fmt: skip
case("a class as decorator",
     "class D:\n    def __init__(self, f):\n        self.f = f\n    def __call__(self):\n        self.f()\n@D\ndef f(): pass\n"
     "f()\n", "main -> main.D.__init__\nmain -> main.D.__call__\nmain.D.__call__ -> main.f")  # fmt: skip
case("arguments through stars",
     "def g(): pass\ndef f(a, *rest, **names):\n    a()\n    rest[0]()\n    names['k']()\ndef h(): pass\ndef k(): pass\n"
     "f(g, h, k=k)\n", "main -> main.f\nmain.f -> main.g\nmain.f -> main.h\nmain.f -> main.k")  # fmt: skip
case("stars handed on",
     "def g(): pass\ndef f(a, b):\n    b()\ndef w(*a, **k):\n    f(*a, **k)\nw(1, g)\nw(1, b=g)\n",
     "main -> main.w\nmain.w -> main.f\nmain.f -> main.g")  # fmt: skip
case("super in a diamond",
     "class A:\n    def m(self): pass\nclass B(A):\n    def m(self):\n        super().m()\nclass C(A):\n    def m(self):\n"
     "        super().m()\nclass D(B, C):\n    pass\nD().m()\n",
     "main -> main.B.m\nmain.B.m -> <builtin>.super\nmain.B.m -> main.C.m\nmain.B.m -> main.A.m\n"
     "main.C.m -> <builtin>.super\nmain.C.m -> main.A.m")  # fmt: skip
case("classmethods make instances",
     "class A:\n    def __init__(self): pass\n    @classmethod\n    def make(cls):\n        return cls()\n    def m(self): pass\n"
     "A.make().m()\n", "main -> main.A.make\nmain.A.make -> main.A.__init__\nmain -> main.A.m")  # fmt: skip
case("a property is data", "class A:\n    @property\n    def p(self):\n        return f\ndef f(): pass\nA().p()\n",
     "main -> main.f")  # fmt: skip
case("generators, yield from and next",
     "def f(): pass\ndef inner():\n    yield f\ndef gen():\n    yield from inner()\nfor x in gen():\n    x()\nnext(gen())()\n",
     "main -> main.gen\nmain.gen -> main.inner\nmain -> main.f\nmain -> <builtin>.next")  # fmt: skip
case("a context manager made of a generator",
     "from contextlib import contextmanager\ndef f(): pass\n@contextmanager\ndef c():\n    yield f\nwith c() as x:\n    x()\n",
     "main -> contextlib.contextmanager\nmain -> main.c\nmain -> main.f")  # fmt: skip
case("with on an instance",
     "class A:\n    def __enter__(self):\n        return self\n    def __exit__(self, *a): pass\n    def m(self): pass\n"
     "with A() as a:\n    a.m()\n",
     "main -> main.A.__enter__\nmain -> main.A.__exit__\nmain -> main.A.m")  # fmt: skip
case("closures see the value at the call",
     "def f(): pass\ndef g(): pass\ndef outer():\n    x = f\n    def inner():\n        x()\n    x = g\n    inner()\nouter()\n",
     "main -> main.outer\nmain.outer -> main.outer.inner\nmain.outer.inner -> main.g")  # fmt: skip
case("global and nonlocal",
     "def f(): pass\ndef put():\n    global h\n    h = f\ndef outer():\n    x = None\n    def put():\n        nonlocal x\n"
     "        x = f\n    put()\n    x()\nput()\nh()\nouter()\n",
     "main -> main.put\nmain -> main.f\nmain -> main.outer\nmain.outer -> main.outer.put\nmain.outer -> main.f")  # fmt: skip
case("comprehensions have their own names",
     "def f(): pass\ndef g(): pass\na = f\n[a() for a in [g]]\na()\n", "main -> main.g\nmain -> main.f")  # fmt: skip
case("dictionaries by key, with items and get",
     "def f(): pass\ndef g(): pass\nd = {'a': f}\nd['b'] = g\nd['a']()\nfor k, v in {'z': g}.items():\n    v()\n"
     "def h():\n    d.get('b')()\n",
     "main -> main.f\nmain -> main.g\nmain -> <**PyDict**>.items\nmain.h -> <**PyDict**>.get\nmain.h -> main.g")  # fmt: skip
case("lists grow", "def f(): pass\nl = []\nl.append(f)\nfor x in l:\n    x()\n", "main -> main.f")
case("zip and enumerate",
     "def f(): pass\ndef g(): pass\nfor i, (x, y) in enumerate(zip([f], [g])):\n    y()\n",
     "main -> <builtin>.enumerate\nmain -> <builtin>.zip\nmain -> main.g")  # fmt: skip
case("functions that call functions",
     "import functools\ndef key(x): pass\nsorted([], key=key)\ndef f(): pass\nfunctools.partial(f)()\n",
     "main -> <builtin>.sorted\nmain -> main.key\nmain -> functools.partial\nmain -> main.f")  # fmt: skip
case("records keep what they are given",
     "from dataclasses import dataclass\n@dataclass\nclass R:\n    run: object\ndef f(): pass\nR(run=f).run()\n",
     "main -> dataclasses.dataclass\nmain -> main.f")  # fmt: skip
case("annotations say what nobody passes",
     "class A:\n    def m(self): pass\ndef f(a: A, b: 'A | None' = None, c: 'A' = None):\n    a.m()\n    c.m()\n",
     "main.f -> main.A.m")  # fmt: skip
case("packages, re-exports and stars",
     "from pkg import *\nimport pkg.sub.deep as d\nimport pkg.sub\nhelper()\nd.go()\npkg.sub.deep.go()\n",
     "main -> pkg.part.helper\nmain -> pkg.sub.deep.go\npkg.sub.deep.go -> pkg.part.helper",
     {"pkg/__init__.py": "from .part import helper\n", "pkg/part.py": "def helper(): pass\n", "pkg/sub/__init__.py": "",
      "pkg/sub/deep.py": "from .. import part\ndef go():\n    part.helper()\n"})  # fmt: skip
case("getattr by a constant", "class A:\n    def m(self): pass\ngetattr(A(), 'm')()\n",
     "main -> <builtin>.getattr\nmain -> main.A.m")  # fmt: skip
case("attributes of functions and classes",
     "def f(): pass\ndef g(): pass\nf.x = g\nf.x()\nclass A: pass\nA.y = f\nA.y()\nA().y()\n",
     "main -> main.g\nmain -> main.f")  # fmt: skip
case("recursion", "def f(n):\n    return f(n - 1)\nf(3)\n", "main -> main.f\nmain.f -> main.f")
case("async functions",
     "class A:\n    async def m(self):\n        return f\ndef f(): pass\nasync def main():\n    (await A().m())()\n",
     "main.main -> main.A.m\nmain.main -> main.f")  # fmt: skip
case("lambdas are counted in their scope",
     "def f(): pass\na = lambda: f()\nb = lambda g: g()\na()\nb(f)\ndef h():\n    return (lambda: 1)()\n",
     "main -> main.<lambda1>\nmain -> main.<lambda2>\nmain.<lambda1> -> main.f\nmain.<lambda2> -> main.f\n"
     "main.h -> main.h.<lambda1>")  # fmt: skip
case("conditional expressions and or", "def f(): pass\ndef g(): pass\n(f if x else g)()\n(None or g)()\n",
     "main -> main.f\nmain -> main.g")  # fmt: skip
case("exceptions are made when raised",
     "class E(Exception):\n    def __init__(self): pass\n    def say(self): pass\ntry:\n    raise E\nexcept E as e:\n    e.say()\n",
     "main -> main.E.__init__\nmain -> main.E.say")  # fmt: skip
case("a method taken from its class", "class A:\n    def m(self): pass\nA.m(A())\nx = A().m\nx()\n", "main -> main.A.m")
case("what an outside class makes", "import out\no = out.Thing()\no.go()\nout.make().go()\n",
     "main -> out.Thing\nmain -> out.Thing.go\nmain -> out.make")  # fmt: skip


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_calls_are_the_true_ones(name: str) -> None:
    """Each program has exactly the calls that it makes."""
    files, expected = CASES[name]
    graph = index_texts({path: text.encode() for path, text in files.items()})
    assert not graph.unread
    assert {(edge.caller, edge.callee) for edge in graph.calls()} == expected


def edges_of(text: str) -> list[Any]:
    """Edges of one module named main."""
    return index_texts({"main.py": text.encode()}).calls()


def test_an_edge_says_where_it_is_and_how_sure() -> None:
    """File, line, the callee's file and line, and 1 divided by the callees that the place may have."""
    edges = edges_of("def f(): pass\ndef g(): pass\na = f if x else g\na()\nlen([])\n")
    assert [(e.caller, e.callee, e.file, e.line, e.callee_file, e.callee_line, e.confidence) for e in edges] == [
        ("main", "main.f", "main.py", 4, "main.py", 1, 0.5),
        ("main", "main.g", "main.py", 4, "main.py", 2, 0.5),
        ("main", "<builtin>.len", "main.py", 5, None, None, 1.0),
    ]


def test_a_subclass_may_stand_where_its_base_is_named() -> None:
    """A method that calls itself through self, an annotation or a caught class reaches what overrides it."""
    text = b"""
class Base:
    def run(self):
        return self.step()
    def step(self): pass
class Child(Base):
    def step(self): pass
class Failure(Exception):
    def show(self): pass
class Worse(Failure):
    def show(self): pass
def use(one: Base):
    one.step()
def guard():
    try: pass
    except Failure as error:
        error.show()
"""
    found = {(e.caller, e.callee) for e in index_texts({"m.py": text}).calls()}
    for caller, callees in {"m.Base.run": ("m.Base.step", "m.Child.step"), "m.use": ("m.Base.step", "m.Child.step"),
                            "m.guard": ("m.Failure.show", "m.Worse.show")}.items():  # fmt: skip
        assert {callee for one, callee in found if one == caller} == set(callees)


def test_a_cast_gives_back_what_it_is_given() -> None:
    """typing.cast does not end a flow."""
    text = b"from typing import cast\nclass A:\n    def f(self): pass\nx = cast('object', A())\nx.f()\n"
    assert ("m", "m.A.f") in {(e.caller, e.callee) for e in index_texts({"m.py": text}).calls()}
