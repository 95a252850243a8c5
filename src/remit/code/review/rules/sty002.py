r"""More than 5 parameters.

Bad (python):
    def f(a, b, c, d, e, f): ...
    ---
    class A:
        def m(self, a, b, c, d, e, f): ...
    ---
    async def f(a, b, *, c, d, e, f=1): ...

Good (python):
    def f(a, b, c, d, e): ...
    ---
    class A:
        def m(self, a, b, c, d, e): ...
    ---
    def f(*args, **options): ...

Bad (javascript):
    function f(a, b, c, d, e, g) {}
    ---
    const f = (a, b, c, d, e, g) => a;
    ---
    class A { m(a, b, c, d, e, g) {} }

Good (javascript):
    function f(a, b, c, d, e) {}
    ---
    function f({ a, b, c, d, e, g }) {}
    ---
    class A { m(a, b, c, d, e) {} }

Bad (go):
    package p
    func f(a, b, c, d, e, g int) {}
    ---
    package p
    func (x X) M(a, b int, c, d, e, g string) {}
    ---
    package p
    func F(a int, b int, c int, d int, e int, g int, h int) {}

Good (go):
    package p
    func f(a, b, c, d, e int) {}
    ---
    package p
    func (x X) M(a, b, c, d, e int) {}
    ---
    package p
    func f() {}

Bad (rust):
    fn f(a: u8, b: u8, c: u8, d: u8, e: u8, g: u8) {}
    ---
    impl A { fn m(&self, a: u8, b: u8, c: u8, d: u8, e: u8, g: u8) {} }
    ---
    pub fn f(a: u8, b: u8, c: u8, d: u8, e: u8, g: u8, h: u8) {}

Good (rust):
    fn f(a: u8, b: u8, c: u8, d: u8, e: u8) {}
    ---
    impl A { fn m(&self, a: u8, b: u8, c: u8, d: u8, e: u8) {} }
    ---
    fn f() {}
"""

from __future__ import annotations

from collections.abc import Iterable

from remit.code.review.parsing import File
from remit.code.review.syntax import head, named, production
from remit.code.review.values import Hit, Rule

RULE = Rule("STY002", "Many parameters", "style", "warning",
            "Hand over one value that holds what belongs together.", confidence=0.9)  # fmt: skip
MAX_PARAMETERS = 5


def check(file: File) -> Iterable[Hit]:
    """Parameters beside the receiver."""
    for function in production(file):
        count = sum(one.kind != "self" and not (at == 0 and one.name in ("self", "cls"))
                    for at, one in enumerate(function.params))  # fmt: skip
        if count > MAX_PARAMETERS:
            yield Hit(head(function.span), f"{named(function)} takes {count} parameters; at most {MAX_PARAMETERS}")
