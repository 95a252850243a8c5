r"""Needless allocation: a text or list that grows piece by piece in a loop and could be joined or sized.

Bad (python):
    def f(rows):
        text = ""
        for row in rows:
            text += str(row)
        return text
    ---
    def f(rows):
        out = ""
        while rows:
            out = out + rows.pop()
        return out
    ---
    def f(rows):
        all = []
        for row in rows:
            all = all + [row]
        return all

Good (python):
    def f(rows):
        return "".join(str(row) for row in rows)
    ---
    def f(rows):
        total = 0
        for row in rows:
            total += row
        return total
    ---
    def f(rows):
        out = []
        for row in rows:
            out.append(row)
        return out

Bad (javascript):
    function f(xs) { let all = []; for (const x of xs) { all = all.concat([x]); } return all; }
    ---
    function f(xs) { let all = []; for (const x of xs) { all = [...all, x]; } return all; }
    ---
    function f(xs) { let o = {}; for (const x of xs) { o = { ...o, [x]: 1 }; } return o; }

Good (javascript):
    function f(xs) { const all = []; for (const x of xs) { all.push(x); } return all; }
    ---
    function f(xs) { let n = 0; for (const x of xs) { n += x; } return n; }
    ---
    function f(a, b) { return [...a, ...b]; }

Bad (go):
    package p
    func f(xs []string) string { s := ""; for _, x := range xs { s += x }; return s }
    ---
    package p
    func f(xs []string) string { s := ""; for i := 0; i < 3; i++ { s = s + xs[i] }; return s }
    ---
    package p
    import "fmt"
    func f(xs []int) string { s := ""; for _, x := range xs { s += fmt.Sprint(x) }; return s }

Good (go):
    package p
    import "strings"
    func f(xs []string) string { return strings.Join(xs, "") }
    ---
    package p
    func f(xs []int) int { s := 0; for _, x := range xs { s += x }; return s }
    ---
    package p
    func f(xs []string) []string { var o []string; for _, x := range xs { o = append(o, x) }; return o }

Bad (rust):
    fn f(v: &[String]) -> String { let mut s = String::new(); for x in v { s = format!("{}{}", s, x); } s }
    ---
    fn f(v: &[String]) -> String { let mut s = String::from(""); for x in v { s = s + x; } s }
    ---
    fn f(v: &[String]) { let mut s = "".to_string(); for x in v { s = s + "," + x; } g(s); }

Good (rust):
    fn f(v: &[String]) -> String { let mut s = String::new(); for x in v { s.push_str(x); } s }
    ---
    fn f(v: &[u32]) -> u32 { let mut s = 0; for x in v { s = s + x; } s }
    ---
    fn f(v: &[String]) -> String { v.join("") }
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from remit.code.review import ir
from remit.code.review.parsing import File
from remit.code.review.syntax import functions, in_loop
from remit.code.review.values import Hit, Rule

RULE = Rule("PERF002", "Growing piece by piece", "performance", "info",
            "Collect the pieces and join them once, or append in place.", confidence=0.7)  # fmt: skip


def check(file: File) -> Iterable[Hit]:
    """`a = a + piece` in a loop where `a` began as an empty text or list."""
    for function in functions(file):
        began = _began(function)
        if not began:
            continue
        seen: set[ir.Span] = set()
        for loop in (one for one in ir.within(list(function.body)) if isinstance(one, ir.Loop)):
            for node in in_loop(loop):
                if (
                    isinstance(node, ir.Assign)
                    and not node.declares
                    and node.span not in seen
                    and len(node.targets) == 1
                ):
                    kind = began.get(ir.last_name(node.targets[0]), "")
                    if kind and _grows(node, kind, file.language):
                        seen.add(node.span)
                        yield Hit(node.span, f"{ir.last_name(node.targets[0])} is copied whole in every round")


def _began(function: ir.Function) -> dict[str, str]:
    made: dict[str, str] = {}
    for node in ir.within(list(function.body)):
        if isinstance(node, ir.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ir.Name):
            kind = _empty(node.value)
            if kind:
                made[node.targets[0].name] = kind
    return made


def _empty(node: Any) -> str:
    if isinstance(node, ir.Const) and node.value == "":
        return "text"
    if isinstance(node, ir.Sequence) and not node.items and node.kind == "list":
        return "list"
    if isinstance(node, ir.Mapping) and not node.keys:
        return "map"
    name = ir.dotted(node)
    return "text" if name in ("String.new()", "String.from()") or name.endswith(".to_string()") or \
        (isinstance(node, ir.Call) and isinstance(node.callee, ir.Attr) and isinstance(node.callee.object,
            ir.Const) and \
        node.callee.name in ("to_string", "to_owned", "into")) else ""  # fmt: skip


def _grows(node: ir.Assign, kind: str, language: str) -> bool:
    name = ir.last_name(node.targets[0])
    value = node.value
    if isinstance(value, ir.Binary) and value.op == "+":
        if kind == "list" or language in ("javascript", "typescript"):
            return (
                kind == "list"
                and language == "python"
                and isinstance(value.right, ir.Sequence)
                and not _augmented(node)
            )
        left: Any = value
        while isinstance(left, ir.Binary):
            left = left.left
        return ir.last_name(left) == name
    if isinstance(value, ir.Text):
        return bool(value.parts) and ir.last_name(value.parts[0]) == name and language == "rust"
    if kind == "list" and isinstance(value, ir.Call):
        return (
            isinstance(value.callee, ir.Attr)
            and value.callee.name == "concat"
            and ir.last_name(value.callee.object) == name
        )
    parts = value.items if isinstance(value, ir.Sequence) else value.values if isinstance(value, ir.Mapping) else []
    spread = parts[0] if parts else None
    return ir.last_name(spread) == name and language != "python" and kind in ("list", "map")


def _augmented(node: ir.Assign) -> bool:
    """`a += [b]` extends in place."""
    return isinstance(node.value, ir.Binary) and node.value.span == node.span
