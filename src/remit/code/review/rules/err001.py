r"""unwrap in production code, or a forced or unchecked optional value.

Bad (python):
    import re
    def f(s):
        return re.match("a", s).group(0)
    ---
    def f(d):
        return d.get("a").strip()
    ---
    import os
    def f():
        return os.environ.get("A").split(",")

Good (python):
    import re
    def f(s):
        m = re.match("a", s)
        return m.group(0) if m else ""
    ---
    def f(d):
        return d.get("a", "").strip()
    ---
    def f(d):
        return d["a"].strip()

Bad (typescript):
    function f(a: string | null) { return a!.length; }
    ---
    const x = document.getElementById("a")!.textContent;
    ---
    function f(m: Map<string, A>) { return m.get("a")!.b; }

Good (typescript):
    function f(a: string | null) { return a?.length; }
    ---
    function f(a: boolean) { return !a; }
    ---
    function f(a: string) { return a.length; }

Bad (go):
    package p
    func f(x any) string { return x.(string) }
    ---
    package p
    func f(x any) int { s := x.(int); return s }
    ---
    package p
    func f(x any) { g(x.(fmt.Stringer)) }

Good (go):
    package p
    func f(x any) string { s, ok := x.(string); if !ok { return "" }; return s }
    ---
    package p
    func f(x any) { switch v := x.(type) { case int: g(v) } }
    ---
    package p
    func f(x string) string { return x }

Bad (rust):
    fn f(x: Option<u8>) -> u8 { x.unwrap() }
    ---
    fn f() { let s = read().unwrap(); g(s); }
    ---
    fn f(x: Result<u8, E>) -> E { x.unwrap_err() }

Good (rust):
    fn f(x: Option<u8>) -> u8 { x.unwrap_or(0) }
    ---
    fn f() -> Result<(), E> { let s = read()?; g(s) }
    ---
    #[test]
    fn f() { g().unwrap(); }
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from remit.code.review import ir
from remit.code.review.parsing import File
from remit.code.review.syntax import nodes, own_nodes, production
from remit.code.review.values import Hit, Rule

RULE = Rule("ERR001", "Unchecked optional value", "error_handling", "error",
            "Handle the empty case, or hand the error on.", languages=("python", "typescript", "go",
            "rust"))  # fmt: skip
_OPTIONAL = frozenset(("re.match", "re.search", "re.fullmatch", "os.environ.get", "os.getenv", "shutil.which"))


def check(file: File) -> Iterable[Hit]:
    """Per language: unwrap, `!`, a bare type assertion, an attribute of what may be None."""
    checked = _checked(file) if file.language == "go" else frozenset()
    seen: set[ir.Span] = set()
    for function in production(file):
        for node in own_nodes(function):
            said = _forced(node, file.language)
            if said and id(node) not in checked and node.span not in seen:
                seen.add(node.span)
                yield Hit(node.span, said)
    if not file.test and file.language == "typescript":
        for node in nodes(file, ir.Wrap):
            if node.kind == "force" and node.span not in seen:
                yield Hit(node.span, "the value is forced; it may be null")


def _forced(node: Any, language: str) -> str:
    if language == "rust" and isinstance(node, ir.Call) and isinstance(node.callee, ir.Attr):
        if node.callee.name in ("unwrap", "unwrap_err", "unwrap_unchecked") and not node.args:
            return f"{node.callee.name} ends the program when there is no value"
    elif isinstance(node, ir.Wrap) and node.kind == "force" and language == "typescript":
        return "the value is forced; it may be null"
    elif isinstance(node, ir.Wrap) and node.kind == "assertion" and language == "go":
        return "the assertion panics when the type is another"
    elif language == "python" and isinstance(node, ir.Attr) and isinstance(node.object, ir.Call):
        name = ir.dotted(node.object.callee)
        if (name in _OPTIONAL and len(node.object.args) <= (1 if "env" in name else 3)) or _dict_get(node.object):
            return f"{name.rpartition('.')[2]} may give None, which has no {node.name}"
    return ""


def _dict_get(node: ir.Call) -> bool:
    """`d.get("key")` of a name, without a default."""
    return (isinstance(node.callee, ir.Attr) and node.callee.name == "get" and len(node.args) == 1
            and isinstance(node.callee.object, ir.Name) and isinstance(node.args[0], ir.Const)
            and isinstance(node.args[0].value, str)
            and not node.args[0].value.startswith(("/", "http")))  # fmt: skip


def _checked(file: File) -> frozenset[int]:
    """Assertions in the form `v, ok := x.(T)`."""
    return frozenset(
        id(node.value)
        for node in nodes(file, ir.Assign)
        if isinstance(node.targets[0], ir.Sequence) and isinstance(node.value, ir.Wrap)
    )
