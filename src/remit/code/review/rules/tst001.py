r"""Public functions, and no tests for the file.

A case may be several files: a line `== path` begins one.

Bad (python):
    == pkg/a.py
    def f(): return 1
    == tests/test_other.py
    def test_x(): assert True
    ---
    == a.py
    class A:
        def m(self): return 1
    == test_b.py
    import b
    ---
    == src/c.py
    def f(): return 1
    def g(): return 2
    == tests/test_d.py
    from d import h

Good (python):
    == pkg/a.py
    def f(): return 1
    == tests/test_a.py
    def test_f(): assert True
    ---
    == a.py
    def f(): return 1
    == tests/test_all.py
    from a import f
    ---
    == a.py
    def _f(): return 1
    == test_b.py
    import b

Bad (javascript):
    == a.js
    function f() { return 1; }
    == b.test.js
    import "./b";
    ---
    == src/a.js
    export const f = () => 1;
    == src/b.spec.js
    f2();
    ---
    == a.js
    class A { m() { return 1; } }
    == __tests__/b.js
    g();

Good (javascript):
    == a.js
    function f() { return 1; }
    == a.test.js
    f();
    ---
    == a.js
    export const f = () => 1;
    == all.test.js
    import { f } from "./a";
    ---
    == a.js
    const x = 1;
    == b.test.js
    g();

Bad (go):
    == a.go
    package p
    func F() {}
    == b_test.go
    package p
    func TestG(t *testing.T) {}
    ---
    == x/a.go
    package x
    func F() {}
    == y/y_test.go
    package y
    func TestG(t *testing.T) {}
    ---
    == a.go
    package p
    func (a A) M() {}
    == c_test.go
    package p
    func TestC(t *testing.T) {}

Good (go):
    == a.go
    package p
    func F() {}
    == a_test.go
    package p
    func TestF(t *testing.T) { F() }
    ---
    == a.go
    package p
    func F() {}
    == all_test.go
    package p
    func TestF(t *testing.T) { F() }
    ---
    == a.go
    package p
    func f() {}
    == b_test.go
    package p
    func TestB(t *testing.T) {}

Bad (rust):
    == src/a.rs
    pub fn f() {}
    == tests/b.rs
    fn t() { g(); }
    ---
    == src/a.rs
    pub fn f() {}
    == src/b.rs
    #[test]
    fn t() { g(); }
    ---
    == src/c.rs
    impl C { pub fn m(&self) {} }
    == tests/d.rs
    fn t() { g(); }

Good (rust):
    == src/a.rs
    pub fn f() {}
    #[test]
    fn t() { f(); }
    ---
    == src/a.rs
    pub fn f() {}
    == tests/all.rs
    fn t() { a::f(); }
    ---
    == src/a.rs
    fn f() {}
    == tests/b.rs
    fn t() { g(); }
"""

from __future__ import annotations

from collections.abc import Iterable

from remit.code.review import ir
from remit.code.review.parsing import File, Program
from remit.code.review.syntax import functions
from remit.code.review.values import Hit, Rule

RULE = Rule("TST001", "File without tests", "test_coverage", "warning",
            "Write tests for what the file offers.", confidence=0.6)  # fmt: skip


def check_program(program: Program) -> Iterable[tuple[str, Hit]]:
    """Files whose public functions no test names or imports; nothing when the program has no test at all."""
    tests = [file for file in program.files.values() if file.test or any(one.test for one in functions(file))]
    if not tests:
        return
    words: set[str] = set()
    stems: set[str] = set()
    for file in tests:
        stems.add(_stem(file.path))
        words |= words_of_tests(file)
    for file in program.files.values():
        if file.test or file in tests or _stem(file.path) in stems:
            continue
        offered = [
            one for one in functions(file) if one.public and one.kind != "lambda" and not one.name.startswith("__")
        ]
        name = _stem(file.path)
        if offered and name not in words and not any(one.name in words for one in offered):
            yield file.path, Hit((1, 0, 1, 1), f"{len(offered)} public functions and no test names one of them")


def _stem(path: str) -> str:
    """The name that a file and its test share."""
    name = path.rpartition("/")[2].partition(".")[0]
    return name.removeprefix("test_").removesuffix("_test").removesuffix("_tests")


def words_of_tests(file: File) -> set[str]:
    """The names that a test file reads, and the modules it imports."""
    made: set[str] = set()
    bodies = [file.module.body] if file.test else [[one] for one in functions(file) if one.test]
    for body in bodies:
        for node in ir.walk(list(body)):
            if isinstance(node, ir.Name | ir.Attr):
                made.add(node.name)
            elif isinstance(node, ir.Import):
                made.update(part for part in node.module.replace("/", ".").split(".") if part)
                made.update(name for name, _ in node.names)
    return made
