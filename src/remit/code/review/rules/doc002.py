r'''A public type without documentation.

Bad (python):
    class A:
        x = 1
    ---
    class B(A): pass
    ---
    from dataclasses import dataclass
    @dataclass
    class C:
        x: int

Good (python):
    class A:
        """A."""
    ---
    class _A: pass
    ---
    x = 1

Bad (typescript):
    export class A { x = 1; }
    ---
    export interface B { x: number }
    ---
    export enum C { X }

Good (typescript):
    /** A. */
    export class A { x = 1; }
    ---
    class A { x = 1; }
    ---
    /** B. */
    export interface B { x: number }

Bad (go):
    package p
    type A struct{}
    ---
    package p
    type B interface { M() }
    ---
    package p
    type C int

Good (go):
    package p
    // A is it.
    type A struct{}
    ---
    package p
    type a struct{}
    ---
    package p
    // B is it.
    type B interface { M() }

Bad (rust):
    pub struct A;
    ---
    pub enum B { X }
    ---
    pub trait C { fn m(&self); }

Good (rust):
    /// A.
    pub struct A;
    ---
    struct A;
    ---
    /// B.
    pub enum B { X }
'''

from __future__ import annotations

from collections.abc import Iterable

from remit.code.review.parsing import File
from remit.code.review.rules.doc001 import exported
from remit.code.review.syntax import classes, head
from remit.code.review.values import Hit, Rule

RULE = Rule("DOC002", "Undocumented type", "documentation", "warning",
            "Say what one value of it stands for.", confidence=0.9)  # fmt: skip


def check(file: File) -> Iterable[Hit]:
    """Public classes, structs, interfaces, traits and enums."""
    if file.test:
        return
    for one in classes(file):
        if not one.public or one.doc:
            continue
        if file.language in ("javascript", "typescript") and not exported(file, one.span[0]):
            continue
        yield Hit(head(one.span), f"{one.name} is public and not documented")
