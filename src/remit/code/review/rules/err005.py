r"""An empty error arm: empty except or catch.

Bad (python):
    def f():
        try:
            g()
        except Exception:
            pass
    ---
    def f():
        try:
            g()
        except:
            ...
    ---
    def f(xs):
        for x in xs:
            try:
                g(x)
            except ValueError:
                continue

Good (python):
    def f():
        try:
            g()
        except OSError as e:
            log(e)
    ---
    def f():
        try:
            g()
        except FileNotFoundError:
            pass  # gone already, which is what was wanted
    ---
    def f():
        try:
            return g()
        except KeyError:
            return None

Bad (javascript):
    try { g(); } catch (e) {}
    ---
    function f() { try { g(); } catch { } }
    ---
    async function f() { try { await g(); } catch (e) { ; } }

Good (javascript):
    try { g(); } catch (e) { log(e); }
    ---
    try { g(); } catch (e) { /* gone already */ }
    ---
    try { g(); } finally { h(); }

Bad (go):
    package p
    func f() { if err := g(); err != nil { } }
    ---
    package p
    func f() { err := g(); if err != nil {} }
    ---
    package p
    func f() { x, err := g(); if err != nil { }; use(x) }

Good (go):
    package p
    func f() error { if err := g(); err != nil { return wrap(err) }; return nil }
    ---
    package p
    func f() { if x > 1 { } }
    ---
    package p
    func f() { if err := g(); err == nil { h() } }

Bad (rust):
    fn f() { match g() { Ok(x) => h(x), Err(_) => {} } }
    ---
    fn f() { match g() { Ok(x) => h(x), Err(e) => () } }
    ---
    fn f() { if let Err(_) = g() {} }

Good (rust):
    fn f() { match g() { Ok(x) => h(x), Err(e) => log(e) } }
    ---
    fn f() { match g() { Some(x) => h(x), None => {} } }
    ---
    fn f() { if let Err(e) = g() { log(e); } }
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from remit.code.review import ir
from remit.code.review.parsing import File
from remit.code.review.syntax import nodes
from remit.code.review.values import Hit, Rule

RULE = Rule("ERR005", "Error swallowed", "error_handling", "warning",
            "Handle it, or say in a remark why nothing is to be done.", cwe=390)  # fmt: skip


def check(file: File) -> Iterable[Hit]:
    """Handlers that do nothing and do not say why; arms and tests of errors that are empty."""
    if file.test:
        return
    for handler in nodes(file, ir.Handler):
        if not handler.remark and all(_nothing(one) for one in handler.body) and not _remarked(file, handler.span):
            narrow = file.language == "python" and handler.type is not None and not _BROAD.search(_kinds(handler.type))
            yield Hit(handler.span, "the error is caught and nothing is done", severity="info" if narrow else "")
    for arm in nodes(file, ir.Arm):
        first = file.lines[arm.span[0] - 1][arm.span[1] :] if arm.span[0] <= len(file.lines) else ""
        if file.language == "rust" and re.match(r"Err\(\w+\)\s*=>\s*(\{\s*\}|\(\))", first):
            yield Hit(arm.span, "the error is matched and nothing is done")
    for node in nodes(file, ir.If):
        if (
            not [one for one in node.then if one.span != node.test.span]
            and not node.other
            and _tests_error(file, node)
            and not _remarked(file, node.span)
        ):
            yield Hit(node.span, "the error is tested and nothing is done")


_BROAD = re.compile(r"(^|[ .])(Exception|BaseException)( |$)")


def _kinds(node: Any) -> str:
    """The names of the errors that a handler takes."""
    return " ".join(ir.dotted(one) for one in (node.items if isinstance(node, ir.Sequence) else (node,)))


def _nothing(node: Any) -> bool:
    if isinstance(node, ir.Jump):
        return node.kind in ("pass", "continue")
    return isinstance(node, ir.Evaluate) and (isinstance(node.value, ir.Const) or (isinstance(node.value, ir.Opaque)
                                              and node.value.kind == "ellipsis"))  # fmt: skip


def _remarked(file: File, span: ir.Span) -> bool:
    return any(span[0] <= line <= span[2] for line, _ in file.module.comments)


def _tests_error(file: File, node: ir.If) -> bool:
    if file.language == "go":
        test = node.test
        return isinstance(test, ir.Binary) and test.op == "!=" and ir.last_name(test.left) == "err"
    line = file.lines[node.span[0] - 1][node.span[1] :] if node.span[0] <= len(file.lines) else ""
    return file.language == "rust" and bool(re.match(r"if let Err\(", line))
