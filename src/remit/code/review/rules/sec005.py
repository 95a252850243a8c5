r"""An unsafe block, or the language's equivalent escape hatch.

Bad (python):
    import ctypes
    def f(p):
        return ctypes.string_at(p, 8)
    ---
    import ctypes
    def f(a):
        return ctypes.cast(a, ctypes.c_void_p)
    ---
    import ssl
    def f():
        return ssl._create_unverified_context()

Good (python):
    import ctypes
    def f():
        return ctypes.sizeof(ctypes.c_int)
    ---
    import ssl
    def f():
        return ssl.create_default_context()
    ---
    def cast(x):
        return x

Bad (typescript):
    function f(a: unknown) { return (a as any).b; }
    ---
    function f(s: string) { return <any>s; }
    ---
    const x = JSON.parse("{}") as any;

Good (typescript):
    function f(a: unknown) { return a as string; }
    ---
    function f(a: number): number { return a; }
    ---
    const x = [1] as const;

Bad (go):
    package p
    import "unsafe"
    func f(p *int) uintptr { return uintptr(unsafe.Pointer(p)) }
    ---
    package p
    import "unsafe"
    func f(p *byte) string { return unsafe.String(p, 3) }
    ---
    package p
    import "unsafe"
    func f(a []byte) *byte { return unsafe.SliceData(a) }

Good (go):
    package p
    import "unsafe"
    func f() uintptr { return unsafe.Sizeof(1) }
    ---
    package p
    func f(p *int) int { return *p }
    ---
    package p
    func unsafeName(s string) string { return s }

Bad (rust):
    fn f(p: *const u8) -> u8 { unsafe { *p } }
    ---
    fn f() { let x = unsafe { g() }; h(x); }
    ---
    fn f(v: &[u8]) -> &str { unsafe { std::str::from_utf8_unchecked(v) } }

Good (rust):
    fn f(p: &u8) -> u8 { *p }
    ---
    fn f() { let unsafe_name = 1; g(unsafe_name); }
    ---
    fn f(v: &[u8]) -> Option<&str> { std::str::from_utf8(v).ok() }
"""

from __future__ import annotations

from collections.abc import Iterable

from remit.code.review import ir
from remit.code.review.parsing import File
from remit.code.review.syntax import nodes
from remit.code.review.values import Hit, Rule

RULE = Rule("SEC005", "Escape hatch", "security", "warning",
            "Keep it small, say why it is sound, and check what goes in.", cwe=242, confidence=0.7,
            languages=("python", "typescript", "go", "rust"))  # fmt: skip
_GO = frozenset(
    ("unsafe.Pointer", "unsafe.String", "unsafe.StringData", "unsafe.Slice", "unsafe.SliceData", "unsafe.Add")
)
_PYTHON = frozenset(("ctypes.string_at", "ctypes.memmove", "ctypes.memset", "ctypes.cast", "ctypes.from_address",
                     "ctypes.wstring_at", "ssl._create_unverified_context", "sys._getframe.f_locals"))  # fmt: skip


def check(file: File) -> Iterable[Hit]:
    """Blocks (Rust), casts to any (TypeScript), raw memory (Python, Go)."""
    for node in nodes(file, ir.Block, ir.Cast, ir.Call):
        if isinstance(node, ir.Block) and node.kind == "unsafe":
            yield Hit(node.span, "an unsafe block: the compiler checks nothing in it")
        elif isinstance(node, ir.Cast) and file.language == "typescript" and node.type == "as any":
            yield Hit(node.span, "a cast to any: the compiler checks nothing from here on")
        elif isinstance(node, ir.Call):
            name = ir.dotted(node.callee)
            if name in (_GO if file.language == "go" else _PYTHON if file.language == "python" else ()):
                yield Hit(node.span, f"{name} goes around the language's checks")
