r"""expect in production code, or assert used as control.

Bad (python):
    def f(user):
        assert user.is_admin, "no"
        delete()
    ---
    def f(x):
        assert x > 0
        return 1 / x
    ---
    def f(request):
        assert request.method == "POST"

Good (python):
    def f(x):
        if x <= 0:
            raise ValueError(x)
        return 1 / x
    ---
    def test_f():
        assert f(1) == 1
    ---
    def f(x):
        assert isinstance(x, int)
        return x
    ---
    def f(x):
        assert x is not None
        return x

Bad (rust):
    fn f(x: Option<u8>) -> u8 { x.expect("there") }
    ---
    fn f() { let s = read().expect("read"); g(s); }
    ---
    fn f(x: Result<u8, E>) -> E { x.expect_err("no") }

Good (rust):
    fn f(x: Option<u8>) -> Option<u8> { x }
    ---
    #[test]
    fn f() { g().expect("g"); }
    ---
    fn f(x: &T) { x.expected(); }

Bad (javascript):
    function f(x) { console.assert(x > 0); return 1 / x; }
    ---
    const assert = require("assert"); function f(u) { assert(u.admin); del(); }
    ---
    import assert from "assert"; export function f(u) { assert.ok(u.admin); }

Good (javascript):
    function f(x) { if (x <= 0) { throw new RangeError("x"); } return 1 / x; }
    ---
    function f(x) { return x; }
    ---
    function f(a) { return a.asserted; }
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from remit.code.review import ir
from remit.code.review.parsing import File
from remit.code.review.syntax import own_nodes, production
from remit.code.review.values import Hit, Rule

RULE = Rule("ERR002", "Assert as control", "error_handling", "warning",
            "Check and raise: asserts go away with -O, and expect ends the program.", cwe=617, confidence=0.7,
            languages=("python", "javascript", "typescript", "rust"))  # fmt: skip
_SCRIPT = frozenset(("assert", "console.assert", "assert.ok", "assert.equal", "assert.strictEqual"))


def check(file: File) -> Iterable[Hit]:
    """Asserts that do more than tell a type checker what it cannot see; expect."""
    for function in production(file):
        for node in own_nodes(function):
            if not isinstance(node, ir.Call):
                continue
            if file.language == "rust":
                if (
                    isinstance(node.callee, ir.Attr)
                    and node.callee.name in ("expect", "expect_err")
                    and len(node.args) == 1
                ):
                    yield Hit(node.span, f"{node.callee.name} ends the program when there is no value")
            elif file.language == "python":
                if node.kind == "assert" and node.args and not _narrowing(node.args[0], len(node.args) > 1):
                    yield Hit(node.span, "the check goes away when Python runs with -O")
            elif ir.dotted(node.callee) in _SCRIPT:
                yield Hit(node.span, "an assert decides what happens")


def _narrowing(node: Any, said: bool = False) -> bool:
    """isinstance, `is not None`, a bare name without a message, False: for the type checker."""
    if isinstance(node, ir.Logic):
        return _narrowing(node.left, said) and _narrowing(node.right, said)
    if isinstance(node, ir.Unary):
        return _narrowing(node.operand, said)
    if isinstance(node, ir.Binary):
        return node.op in ("is", "is not")
    if isinstance(node, ir.Call):
        return ir.last_name(node.callee) in (
            "isinstance",
            "issubclass",
            "callable",
            "hasattr",
            "all",
            "any",
            "is_dataclass",
        )
    return isinstance(node, ir.Const) or (not said and isinstance(node, ir.Name | ir.Attr))
