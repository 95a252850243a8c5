r'''A module without documentation.

Bad (python):
    x = 1
    ---
    import os
    """Too late."""
    x = os
    ---
    # a remark
    def f(): return 1

Good (python):
    """What it is."""
    x = 1
    ---
    """What it is."""
    import os
    ---
    """What it is."""

Bad (javascript):
    const x = 1;
    ---
    import a from "a";
    f(a);
    ---
    function f() {}

Good (javascript):
    /** What it is. */
    const x = 1;
    ---
    /* What it is. */
    f();
    ---
    // What it is.
    f();

Bad (go):
    package p
    ---
    package p
    // F does it.
    func F() {}
    ---
    package p
    import "fmt"

Good (go):
    // Package p is it.
    package p
    ---
    /* Package p is it. */
    package p
    ---
    // Package p is it.
    package p
    func F() {}

Bad (rust):
    fn f() {}
    ---
    // a remark
    fn f() {}
    ---
    use std::fs;

Good (rust):
    //! What it is.
    fn f() {}
    ---
    //! What it is.
    ---
    //! What it is.
    use std::fs;
'''

from __future__ import annotations

from collections.abc import Iterable

from remit.code.review.parsing import File
from remit.code.review.values import Hit, Rule

RULE = Rule("DOC003", "Undocumented module", "documentation", "info",
            "Say at its top what the module is and what it holds.", confidence=0.9)  # fmt: skip


def check(file: File) -> Iterable[Hit]:
    """Files with code and without words at their head."""
    if file.test or file.module.doc or (not file.module.body and file.language != "go"):
        return
    comments = file.module.comments
    if (
        file.language in ("javascript", "typescript")
        and comments
        and not any(line.strip() for line in file.lines[: comments[0][0] - 1])
    ):
        return
    yield Hit((1, 0, 1, 1), "the module says nowhere what it is")
