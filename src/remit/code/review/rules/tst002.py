r"""A public function that no test reaches, by the graph of calls.

Bad (python):
    == a.py
    def f(): return 1
    def g(): return 2
    == test_a.py
    from a import f
    def test_f(): assert f() == 1
    ---
    == a.py
    class A:
        def m(self): return 1
        def n(self): return 2
    == test_a.py
    from a import A
    def test_m(): assert A().m() == 1
    ---
    == a.py
    def f(): return 1
    def g(): return f()
    == test_a.py
    from a import f
    def test_f(): f()

Good (python):
    == a.py
    def f(): return g()
    def g(): return 2
    == test_a.py
    from a import f
    def test_f(): assert f() == 2
    ---
    == a.py
    def f(): return 1
    ---
    == a.py
    def f(): return _g()
    def _g(): return 1
    == test_a.py
    from a import f
    def test_f(): f()

Bad (go):
    == a.go
    package p
    func F() {}
    func G() {}
    == a_test.go
    package p
    func TestF(t *testing.T) { F() }
    ---
    == a.go
    package p
    func F() {}
    func G() { F() }
    == a_test.go
    package p
    func TestF(t *testing.T) { F() }
    ---
    == a.go
    package p
    func (a A) M() {}
    func F() {}
    == a_test.go
    package p
    func TestF(t *testing.T) { F() }

Good (go):
    == a.go
    package p
    func F() { G() }
    func G() {}
    == a_test.go
    package p
    func TestF(t *testing.T) { F() }
    ---
    == a.go
    package p
    func F() {}
    ---
    == a.go
    package p
    func F() { g() }
    func g() {}
    == a_test.go
    package p
    func TestF(t *testing.T) { F() }

Bad (javascript):
    == a.js
    export function f() {} export function g() {}
    == a.test.js
    f();
    ---
    == a.js
    export function f() {} export function g() { f(); }
    == a.test.js
    f();
    ---
    == a.js
    class A { m() {} n() {} }
    == a.test.js
    new A().m();

Good (javascript):
    == a.js
    export function f() { g(); } export function g() {}
    == a.test.js
    f();
    ---
    == a.js
    export function f() {}
    ---
    == a.js
    class A { m() {} }
    == a.test.js
    new A().m();

Bad (rust):
    == src/a.rs
    pub fn f() {} pub fn g() {}
    #[test]
    fn t() { f(); }
    ---
    == src/a.rs
    pub fn f() {} pub fn g() { f(); }
    #[test]
    fn t() { f(); }
    ---
    == src/a.rs
    impl A { pub fn m(&self) {} pub fn n(&self) {} }
    == tests/a.rs
    fn t() { A {}.m(); }

Good (rust):
    == src/a.rs
    pub fn f() { g(); } pub fn g() {}
    #[test]
    fn t() { f(); }
    ---
    == src/a.rs
    pub fn f() {}
    ---
    == src/a.rs
    impl A { pub fn m(&self) {} }
    == tests/a.rs
    fn t() { A {}.m(); }
"""

from __future__ import annotations

from collections.abc import Iterable

from remit.code.review import ir
from remit.code.review.parsing import Program
from remit.code.review.rules.tst001 import words_of_tests
from remit.code.review.syntax import functions, head, named
from remit.code.review.values import Hit, Rule

RULE = Rule("TST002", "Function that no test reaches", "test_coverage", "info",
            "Call it from a test, directly or through what calls it.", confidence=0.5)  # fmt: skip


def check_program(program: Program) -> Iterable[tuple[str, Hit]]:
    """Names reached from tests through calls, by name; prefers silence: one function of a name reaches all of it."""
    reached = _reached(program)
    for file in program.files.values() if reached else ():
        for one in functions(file) if not file.test else ():
            plain = one.kind != "lambda" and not one.name.startswith("__") and one.name != "main" and not one.bare
            if one.public and plain and not one.test and one.name not in reached:
                yield file.path, Hit(head(one.span), f"no test reaches {named(one)}")


def _reached(program: Program) -> set[str]:
    """The names that tests say, and those that functions of such a name say, and so on."""
    reached: set[str] = set()
    uses: dict[str, set[str]] = {}
    for file in program.files.values():
        if file.test or any(one.test for one in functions(file)):
            reached |= words_of_tests(file)
        for one in functions(file) if not file.test else ():
            if not one.test:
                said = (node.name for node in ir.walk([*one.body, one.value]) if isinstance(node, ir.Name | ir.Attr))
                uses.setdefault(one.name, set()).update(said)
    rest = list(reached)
    while rest:
        new = uses.get(rest.pop(), set()) - reached
        reached |= new
        rest.extend(new)
    return reached
