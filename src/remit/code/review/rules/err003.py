r"""A result or error value is discarded.

Bad (python):
    def f(s):
        s.replace("a", "b")
    ---
    def f(xs):
        sorted(xs)
    ---
    import subprocess
    def f():
        subprocess.run(["make"])

Good (python):
    def f(s):
        return s.replace("a", "b")
    ---
    def f(xs):
        xs.sort()
    ---
    import subprocess
    def f():
        subprocess.run(["make"], check=True)

Bad (javascript):
    function f(s) { s.trim(); }
    ---
    function f(xs) { xs.map((x) => x + 1); }
    ---
    async function f() { save().catch(() => {}); }

Good (javascript):
    function f(s) { return s.trim(); }
    ---
    function f(xs) { xs.push(1); }
    ---
    async function f() { save().catch((e) => log(e)); }

Bad (go):
    package p
    func f() { x, _ := g(); use(x) }
    ---
    package p
    import "os"
    func f() { os.Remove("a") }
    ---
    package p
    func f() { _ = g() }

Good (go):
    package p
    func f() error { x, err := g(); use(x); return err }
    ---
    package p
    func f(m map[int]int) { for _, v := range m { use(v) } }
    ---
    package p
    func f() { _, ok := m[1]; use(ok) }

Bad (rust):
    fn f() { let _ = save(); }
    ---
    fn f() { save().ok(); }
    ---
    fn f(a: &A) { let _ = a.write(1); }

Good (rust):
    fn f() -> Result<(), E> { save()?; Ok(()) }
    ---
    fn f() -> Option<u8> { save().ok() }
    ---
    fn f() { let _guard = lock(); }
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from remit.code.review import ir
from remit.code.review.parsing import File
from remit.code.review.syntax import nodes
from remit.code.review.values import Hit, Rule

RULE = Rule("ERR003", "Result thrown away", "error_handling", "warning",
            "Use the result, or say why it does not matter.", cwe=252, confidence=0.7)  # fmt: skip
_PURE = {
    "python": frozenset(["strip", "lstrip", "rstrip", "replace", "lower", "upper", "title", "split", "rsplit",
       "removeprefix", "removesuffix", "splitlines", "format", "casefold", "zfill"]),
    "javascript": frozenset(["trim", "replaceAll", "toUpperCase", "toLowerCase", "slice", "substring", "map",
    "filter", "concat", "padStart", "padEnd"]),
}  # fmt: skip
_PURE_CALLS = frozenset(("sorted", "reversed", "len", "str", "int", "list", "tuple", "dict", "sum", "min", "max", "abs",
                         "isinstance", "zip", "enumerate", "map", "filter"))  # fmt: skip
_GO_ERRORS = frozenset(("os.Remove", "os.RemoveAll", "os.Mkdir", "os.MkdirAll", "os.Rename", "os.Chmod", "os.WriteFile",
                        "os.Setenv", "os.Chdir", "json.Unmarshal", "io.Copy", "os.Symlink", "binary.Read",
                        "binary.Write"))  # fmt: skip


def check(file: File) -> Iterable[Hit]:
    """Per language: pure calls as statements, blank names, ok() for nothing."""
    if file.test:
        return
    for node in nodes(file, ir.Evaluate, ir.Assign):
        said = _dropped(node, file.language)
        if said:
            yield Hit(node.span, said)


def _dropped(node: Any, language: str) -> str:
    if isinstance(node, ir.Assign):
        return _blank(node, language) if language in ("go", "rust") else ""
    waited = isinstance(node.value, ir.Wrap) and node.value.kind == "await"
    call = node.value.operand if waited else node.value
    if not isinstance(call, ir.Call):
        return ""
    if language == "python":
        return _python(call)
    if language in ("javascript", "typescript"):
        return _script(call)
    if language == "go":
        return f"the error of {ir.dotted(call.callee)} is not looked at" if ir.dotted(call.callee) in _GO_ERRORS else ""
    dropped = isinstance(call.callee, ir.Attr) and call.callee.name == "ok" and not call.args and node.value is call
    return "the error is thrown away by ok()" if dropped and _is_statement(node) else ""


def _is_statement(node: ir.Evaluate) -> bool:
    """Its place ends with a semicolon: the statement is wider than the expression."""
    return bool(node.span != node.value.span)


def _python(call: ir.Call) -> str:
    name = ir.dotted(call.callee)
    if isinstance(call.callee, ir.Name) and name in _PURE_CALLS:
        return f"{name} changes nothing, and its result is not used"
    text = (
        isinstance(call.callee, ir.Attr)
        and call.callee.name in _PURE["python"]
        and not isinstance(call.callee.object, ir.Call)
    )
    if text and ir.last_name(call.callee.object) not in ("os", "shutil", "path", "pathlib"):
        shown = call.callee.name
        if shown != "replace" or (len(call.args) >= 2 and all(isinstance(one, ir.Const) for one in call.args[:1])):
            return f"{shown} changes nothing, and its result is not used"
    if name == "subprocess.run" and "check" not in call.names and "**" not in call.names:
        return "whether the program failed is not looked at"
    return ""


def _script(call: ir.Call) -> str:
    if not isinstance(call.callee, ir.Attr):
        return ""
    name = call.callee.name
    if name in _PURE["javascript"]:
        return f"{name} changes nothing, and its result is not used"
    if name == "catch" and call.args and isinstance(call.args[0], ir.Lambda):
        function = call.args[0].function
        if not function.body and function.value is None:
            return "the error is caught and thrown away"
    return ""


def _blank(node: ir.Assign, language: str) -> str:
    target = node.targets[0]
    if not isinstance(node.value, ir.Call) or node.value.kind == "macro":
        return ""
    if isinstance(target, ir.Name) and target.name == "_":
        return "the result is thrown away"
    if isinstance(target, ir.Sequence) and language == "go" and target.items:
        last = target.items[-1]
        if isinstance(last, ir.Name) and last.name == "_" and ir.last_name(target.items[0]) != "_":
            return "the error is thrown away"
    if isinstance(target, ir.Opaque) and not target.parts and language == "rust" and target.kind == "_":
        return "the result is thrown away"
    return ""
