r"""panic, todo or unreachable left in production code.

Bad (python):
    def f():
        raise NotImplementedError
    ---
    def f(x):
        raise NotImplementedError("later")
    ---
    import sys
    def f(x):
        if not x:
            sys.exit(1)

Good (python):
    from abc import abstractmethod
    class A:
        @abstractmethod
        def f(self):
            raise NotImplementedError
    ---
    def f(x):
        raise ValueError(x)
    ---
    import sys
    if __name__ == "__main__":
        sys.exit(f())

Bad (javascript):
    function f() { throw new Error("not implemented"); }
    ---
    function f() { throw new Error("TO.DO"); }
    ---
    function f(x) { if (!x) { process.exit(1); } }

Good (javascript):
    function f() { throw new Error("no such user"); }
    ---
    function f() { return 1; }
    ---
    process.exit(main());

Bad (go):
    package p
    func f() { panic("no") }
    ---
    package p
    func f(x int) { if x > 1 { panic(x) } }
    ---
    package p
    import "log"
    func f() { log.Fatal("no") }

Good (go):
    package main
    import "log"
    func main() { log.Fatal("no") }
    ---
    package p
    func MustF() { panic("no") }
    ---
    package p
    func f() error { return g() }

Bad (rust):
    fn f() { panic!("no"); }
    ---
    fn f() { todo!(); }
    ---
    fn f(x: u8) { match x { 1 => g(), _ => unreachable!() } }

Good (rust):
    fn f() -> Result<(), E> { Err(E::No) }
    ---
    #[test]
    fn f() { panic!("no"); }
    ---
    fn f() { println!("panic"); }
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from remit.code.review import ir
from remit.code.review.parsing import File
from remit.code.review.syntax import classes, own_nodes, production
from remit.code.review.values import Hit, Rule

RULE = Rule("ERR004", "Panic left in", "error_handling", "error",
            "Give an error back that the caller can handle.", confidence=0.7)  # fmt: skip
_ENDING = {
    "python": frozenset(("sys.exit", "exit", "quit", "os._exit", "os.abort")),
    "javascript": frozenset(("process.exit", "process.abort")),
    "go": frozenset(("panic", "log.Fatal", "log.Fatalf", "log.Fatalln", "log.Panic", "log.Panicf", "os.Exit")),
    "rust": frozenset(("panic", "todo", "unimplemented", "unreachable", "std.process.exit", "process.exit")),
}
_OPEN = re.compile(r"not (yet )?implemented|\bto" + r"do\b|unreachable", re.I)
_COMMAND_FILE = re.compile(r"(^|/)(cli|__main__|manage|setup|main)(\.py$|/)")
_MAIN = re.compile(r"^(main|cli|run|run_cli|_main|init|Must\w*|must\w*)$")


def check(file: File) -> Iterable[Hit]:
    """Calls that end the program, and errors that say that something is not there yet; entry points apart."""
    names = _ENDING["javascript" if file.language == "typescript" else file.language]
    bases = {id(define.what) for one in classes(file) if _open_class(one) for define in one.body
             if isinstance(define, ir.Define)}  # fmt: skip
    command = bool(_COMMAND_FILE.search(file.path))
    bases |= _derived(file)
    for function in production(file):
        if _MAIN.match(function.name) or id(function) in bases or _abstract(function):
            continue
        for node in own_nodes(function):
            said = _ends(node, names, file.language)
            ends = said.startswith("sys.exit") and (command or _is_command(function))
            if said and not ends and not _refuses(function, node):
                yield Hit(node.span, said)


def _refuses(function: ir.Function, node: Any) -> bool:
    """`raise NotImplementedError("no such case")` in a function that does other things."""
    said = isinstance(node, ir.Raise) and isinstance(node.value, ir.Call) and bool(node.value.args)
    return said and len(function.body) > 2


def _derived(file: File) -> set[int]:
    """Methods of classes that others of the file derive from, and documented ones that do nothing else: a contract."""
    named = {ir.last_name(base) for one in classes(file) for base in one.bases}
    found = [(one, define.what) for one in classes(file) for define in one.body if isinstance(define, ir.Define)]
    return {id(what) for one, what in found
            if one.name in named or (isinstance(what, ir.Function) and what.doc and len(what.body) == 2)}  # fmt: skip


def _is_command(function: ir.Function) -> bool:
    """A function that a command-line library calls."""
    marks = (ir.last_name(one.callee if isinstance(one, ir.Call) else one) for one in function.decorators)
    return any(mark in ("command", "group", "callback", "result_callback") for mark in marks)


def _ends(node: Any, names: frozenset[str], language: str) -> str:
    if isinstance(node, ir.Call):
        name = ir.dotted(node.callee)
        macro = language != "rust" or node.kind == "macro" or "." in name
        return f"{name} ends the program here" if name in names and macro else ""
    if isinstance(node, ir.Raise) and node.value is not None:
        value = node.value.callee if isinstance(node.value, ir.Call) else node.value
        if ir.last_name(value) == "NotImplementedError":
            return "not implemented"
        args = node.value.args if isinstance(node.value, ir.Call) else []
        if args and isinstance(args[0], ir.Const) and isinstance(args[0].value, str) and _OPEN.search(args[0].value):
            return "not implemented"
    return ""


def _abstract(function: ir.Function) -> bool:
    return any("abstract" in ir.dotted(one) or "overload" in ir.dotted(one) for one in function.decorators)


def _open_class(one: ir.Class) -> bool:
    """A class made to be derived from."""
    return any(re.search(r"ABC|Protocol|Base|Abstract|Interface|Mixin", ir.dotted(base)) for base in one.bases) or \
        bool(re.search(r"Base|Abstract|Mixin|Interface", one.name))  # fmt: skip
