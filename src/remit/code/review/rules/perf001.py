r"""A clone or deep copy inside a loop.

Bad (python):
    import copy
    def f(items, base):
        return [copy.deepcopy(base) for _ in items]
    ---
    from copy import deepcopy
    def f(items, base):
        for i in items:
            g(deepcopy(base))
    ---
    import copy
    def f(n, base):
        while n:
            n -= 1
            g(copy.deepcopy(base))

Good (python):
    import copy
    def f(base):
        return copy.deepcopy(base)
    ---
    def f(items):
        return [i.copy() for i in items]
    ---
    import copy
    def f(items, base):
        one = copy.deepcopy(base)
        for i in items:
            g(one, i)

Bad (javascript):
    function f(xs, b) { for (const x of xs) { g(structuredClone(b)); } }
    ---
    function f(xs, b) { for (let i = 0; i < 3; i++) { g(JSON.parse(JSON.stringify(b))); } }
    ---
    function f(xs, b) { while (xs.pop()) { g(_.cloneDeep(b)); } }

Good (javascript):
    function f(b) { return structuredClone(b); }
    ---
    function f(xs) { for (const x of xs) { g(JSON.parse(x)); } }
    ---
    function f(xs) { for (const x of xs) { g({ ...x }); } }

Bad (rust):
    fn f(v: &Vec<String>) { for x in v { g(x.clone()); } }
    ---
    fn f(n: u32, s: String) { while n > 0 { g(s.clone()); } }
    ---
    fn f(v: &[u8]) { for _ in 0..3 { g(v.to_vec()); } }

Good (rust):
    fn f(s: &String) -> String { s.clone() }
    ---
    fn f(v: &Vec<String>) { for x in v { g(x); } }
    ---
    fn f(v: &Vec<A>) { for x in v { g(Arc::clone(x)); } }
"""

from __future__ import annotations

from collections.abc import Iterable

from remit.code.review import ir
from remit.code.review.parsing import File
from remit.code.review.syntax import in_loop, loops
from remit.code.review.values import Hit, Rule

RULE = Rule("PERF001", "Copy in a loop", "performance", "warning",
            "Copy once before the loop, or borrow.", languages=("python", "javascript", "typescript",
            "rust"))  # fmt: skip
_COPIES = {
    "python": frozenset(("copy.deepcopy", "deepcopy")),
    "javascript": frozenset(("structuredClone", "_.cloneDeep", "cloneDeep", "lodash.cloneDeep")),
}


def check(file: File) -> Iterable[Hit]:
    """Calls that copy all of something, in the body of a loop."""
    seen: set[ir.Span] = set()
    names = _COPIES["python" if file.language == "python" else "javascript"]
    for loop in loops(file):
        for node in in_loop(loop):
            if not isinstance(node, ir.Call) or node.span in seen:
                continue
            name = ir.dotted(node.callee)
            if file.language == "rust":
                found = (
                    isinstance(node.callee, ir.Attr)
                    and node.callee.name in ("clone", "to_vec", "to_owned")
                    and not node.args
                )
            else:
                found = name in names or (name == "JSON.parse" and len(node.args) == 1 and \
                    ir.dotted(getattr(node.args[0], "callee", None)) == "JSON.stringify")  # fmt: skip
            if found:
                seen.add(node.span)
                yield Hit(node.span, f"{name or 'a copy'} runs once per round of the loop")
