"""Hostile texts through review: each ends in bounded time and memory with a report, never with an exception.

    python bench/review_hostile.py [--size N]

Prints CPU seconds, the peak memory so far and what was reported as not reviewed. `--size` scales the texts (1 = full).
"""

# ruff: noqa: E501  (a program is one line here)
from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator

from remit.code.review.engine import review


def texts(size: float) -> Iterator[tuple[str, dict[str, str | bytes]]]:
    """(what, files)."""
    n = max(1, int(size * 1000))
    yield "a line of 50 MB", {"a.py": "x = '" + "a" * (n * 50_000) + "'\n"}
    yield "a file of 60 MB", {"a.js": "var x = 1;\n" * (n * 5_500)}
    yield "binary", {"a.py": bytes(range(256)) * n, "b.go": b"\xff\xfe" * n, "c.rs": b"\x00" * n}
    yield "parentheses", {"a.py": "x = " + "(" * (50 * n) + ")" * (50 * n), "a.js": "f(" * (30 * n) + ")" * (30 * n)}
    yield (
        "blocks",
        {
            "a.go": "package p\nfunc f() {" + "{" * (20 * n) + "}" * (20 * n) + "}\n",
            "a.rs": "fn f() {" + "if a {" * (10 * n),
        },
    )
    yield "a chain of calls", {"a.py": "x = a" + ".b(1)" * (10 * n) + "\n", "a.js": "x = a" + ".b(1)" * (10 * n) + "\n"}
    yield "a chain of operators", {"a.py": "x = " + " + ".join(["a"] * (50 * n)) + "\n"}
    yield (
        "branches in a row",
        {"a.py": "def f(x):\n" + "".join(f"    if x == {i}:\n        x = g(x)\n" for i in range(5 * n))},
    )
    yield (
        "branches in branches",
        {
            "a.py": "def f(x):\n"
            + "".join(" " * (4 + i) + f"if x[{i}]:\n" for i in range(min(n, 90)))
            + " " * 120
            + "pass\n"
        },
    )
    calls = "".join(f"def f{i}(x):\n    return f{(i * 7 + 1) % n}(x) + f{(i * 3 + 2) % n}(x)\n\n\n" for i in range(n))
    yield "functions that call each other", {"a.py": calls}
    chain = "".join(
        f"class C{i}(C{i - 1 if i else 'object'}):\n    def m(self, x):\n        return super().m(x)\n\n\n"
        for i in range(n)
    )
    yield "a long line of classes", {"a.py": chain.replace("(Cobject)", "(object)")}
    yield (
        "decorators on decorators",
        {"a.py": "def d(f):\n    return f\n\n\n" + "@d\n" * n + "def g(x):\n    return x\n"},
    )
    yield (
        "objects that index themselves",
        {
            "a.py": "class A:\n    def __getitem__(self, k):\n        return self[k]\n\n    def __str__(self):\n        return f'{self}'\n\n\nx = str(A()[1])\n"
        },
    )
    yield "a growing text", {"a.py": "x = 'a'\n" + "x = x + x\n" * n + "x = '%s%s' % (x, x)\n" * n}
    yield "a growing list", {"a.py": "x = [1]\n" + "x = x + x\n" * n + "y = {**x, 'a': x}\n" * n}
    yield (
        "merges of objects",
        {"a.py": "def f(a):\n    x = []\n" + "".join(f"    if a[{i}]:\n        x = [x, a]\n" for i in range(n))},
    )
    yield "a big table", {"a.py": "t = {" + ", ".join(f"'{i}': [{i}, 'x']" for i in range(50 * n)) + "}\n"}
    yield (
        "patterns",
        {
            "a.py": "import re\ndef f(x):\n    if re.match('^"
            + "(a-z|" * 40
            + "', x):\n        eval(x)\n    if re.search('[^"
            + "a-" * 120
            + "]', x):\n        eval(x)\n"
        },
    )
    yield (
        "modules in a ring",
        {
            f"m{i}.py": f"from m{(i + 1) % n} import *\nimport m{(i + 2) % n}\nx{i} = m{(i + 2) % n}.x{(i + 2) % n}\n"
            for i in range(n)
        },
    )


def main() -> None:
    """Print a line a text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=float, default=1.0)
    for what, files in texts(parser.parse_args().size):
        start = time.process_time()
        report = review(files, max_findings=0)
        used = time.process_time() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        missed = sorted({one.reason[:60] for one in report.not_reviewed})
        print(f"{what:32} {used:6.2f} s {peak:5} MB  {report.total:6} findings  {missed[:2]}", flush=True)


if __name__ == "__main__":
    main()
