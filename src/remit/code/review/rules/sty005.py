r"""An error passed up without context.

Bad (python):
    def f(x):
        try:
            g(x)
        except ValueError:
            raise RuntimeError("no")
    ---
    def f(x):
        try:
            g(x)
        except OSError as e:
            raise MyError()
    ---
    def f(x):
        try:
            g(x)
        except KeyError as e:
            log(e)
            raise LookupError(x)

Good (python):
    def f(x):
        try:
            g(x)
        except ValueError as e:
            raise RuntimeError("no") from e
    ---
    def f(x):
        try:
            g(x)
        except OSError:
            h()
            raise
    ---
    def f(x):
        try:
            g(x)
        except KeyError:
            raise LookupError(x) from None

Bad (javascript):
    function f() { try { g(); } catch (e) { throw new Error("no"); } }
    ---
    function f() { try { g(); } catch { throw new Error("no"); } }
    ---
    function f() { try { g(); } catch (e) { log(1); throw new MyError(); } }

Good (javascript):
    function f() { try { g(); } catch (e) { throw new Error("no", { cause: e }); } }
    ---
    function f() { try { g(); } catch (e) { throw new Error("no: " + e.message); } }
    ---
    function f() { try { g(); } catch (e) { h(e); throw e; } }

Bad (go):
    package p
    func f() error { err := g(); if err != nil { return err }; return nil }
    ---
    package p
    func f() (int, error) { x, err := g(); if err != nil { return 0, err }; return x, nil }
    ---
    package p
    import "errors"
    func f() error { if err := g(); err != nil { return errors.New("no") }; return nil }

Good (go):
    package p
    import "fmt"
    func f() error { err := g(); if err != nil { return fmt.Errorf("g: %w", err) }; return nil }
    ---
    package p
    func f() error { return g() }
    ---
    package p
    func f() error { err := g(); if err != nil { return wrap(err) }; return nil }

Bad (rust):
    fn f() -> Result<u8, E> { let x = g().map_err(|_| E::No)?; Ok(x) }
    ---
    fn f() -> Result<u8, E> { match g() { Ok(x) => Ok(x), Err(_) => Err(E::No) } }
    ---
    fn f() -> Result<u8, E> { g().map_err(|_| E::new("no")) }

Good (rust):
    fn f() -> Result<u8, E> { let x = g().map_err(|e| E::No(e))?; Ok(x) }
    ---
    fn f() -> Result<u8, E> { let x = g().context("g")?; Ok(x) }
    ---
    fn f() -> Result<u8, E> { match g() { Ok(x) => Ok(x), Err(e) => Err(E::No(e)) } }
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from remit.code.review import ir
from remit.code.review.parsing import File
from remit.code.review.syntax import nodes
from remit.code.review.values import Hit, Rule

RULE = Rule("STY005", "Error without context", "style", "info",
            "Keep the cause (`from error`, `cause`, %w, context) and say what was being done.",
            confidence=0.6)  # fmt: skip


def check(file: File) -> Iterable[Hit]:
    """Per language: a new error without its cause, or the bare error handed on."""
    if file.test:
        return
    if file.language == "go":
        yield from (hit for node in nodes(file, ir.If) for hit in _go(node))
    elif file.language == "rust":
        yield from _rust(file)
    else:
        for handler in nodes(file, ir.Handler):
            for node in ir.within(list(handler.body)):
                if isinstance(node, ir.Raise) and node.value is not None and _loses(node, handler, file.language):
                    yield Hit(node.span, "the new error does not say what caused it")


def _loses(node: ir.Raise, handler: ir.Handler, language: str) -> bool:
    if node.cause is not None or (ir.last_name(node.value) == handler.name and handler.name):
        return False
    if language == "python":
        return not isinstance(node.value, ir.Name)
    return not (
        handler.name and any(isinstance(one, ir.Name) and one.name == handler.name for one in ir.walk(node.value))
    )


def _go(node: ir.If) -> Iterable[Hit]:
    test = node.test
    if not (isinstance(test, ir.Binary) and test.op == "!=" and ir.last_name(test.left) == "err"
            and isinstance(test.right, ir.Const) and test.right.value is None) or len(node.then) != 1:  # fmt: skip
        return
    last = node.then[0]
    if isinstance(last, ir.Return) and last.value is not None:
        values = last.value.items if isinstance(last.value, ir.Sequence) else [last.value]
        end: Any = values[-1] if values else None
        bare = isinstance(end, ir.Name) and end.name == "err"
        lost = isinstance(end, ir.Call) and ir.dotted(end.callee) in ("errors.New", "fmt.Errorf") and \
            not any(isinstance(one, ir.Name) and one.name == "err" for one in ir.walk(end))  # fmt: skip
        if bare or lost:
            yield Hit(
                last.span, "the error goes up without saying what was being done" if bare else "the cause is lost"
            )


def _rust(file: File) -> Iterable[Hit]:
    for node in nodes(file, ir.Call):
        if ir.last_name(node.callee) == "map_err" and node.args and isinstance(node.args[0], ir.Lambda):
            params = node.args[0].function.params
            if not params or params[0].name.startswith("_"):
                yield Hit(node.span, "the cause is thrown away")
    for arm in nodes(file, ir.Arm):
        first = file.lines[arm.span[0] - 1][arm.span[1] :] if arm.span[0] <= len(file.lines) else ""
        if re.match(r"Err\(_\)\s*=>\s*(return\s+)?Err\(", first):
            yield Hit(arm.span, "the cause is thrown away")
