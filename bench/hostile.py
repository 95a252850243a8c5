"""Hostile trees for the code graph: bounded time and memory, everything said, no crash.

    python bench/hostile.py [--files 100000]

Each row: what it is, files read, files reported as unread, CPU seconds, peak memory of this process so far.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from remit.code.graph.index import index_folder

ENDINGS = ("py", "go", "js", "ts", "tsx", "rs")


def deep(root: Path, _: int) -> None:
    """Brackets and blocks thousands deep, in every language."""
    for ending in ENDINGS:
        for name, opened, closed in (("round", "(", ")"), ("square", "[", "]"), ("curly", "{", "}")):
            (root / f"{name}.{ending}").write_text("x = " + opened * 50_000 + closed * 50_000 + "\n")
        (root / f"calls.{ending}").write_text("f" + "(f" * 20_000 + ")" * 20_000 + "\n")
    (root / "ifs.py").write_text("".join(" " * n + "if a:\n" for n in range(2_000)) + " " * 2_000 + "pass\n")
    (root / "chain.js").write_text("a" + ".b()" * 50_000 + ";\n")
    (root / "chain.rs").write_text("fn f() { a" + ".b()" * 5_000 + "; }\n")


def lines(root: Path, size: int) -> None:
    """One line of 50 MB (or of `size` bytes, if that is more than a count of files), in every language."""
    for ending in ENDINGS:
        (root / f"line.{ending}").write_bytes(b"x = '" + b"y" * (size if size >= 1_000_000 else 50_000_000) + b"'\n")


def binary(root: Path, _: int) -> None:
    """Bytes that are no text under names of sources; invalid UTF-8."""
    for ending in ENDINGS:
        (root / f"binary.{ending}").write_bytes(bytes(range(256)) * 4_000)
        (root / f"latin.{ending}").write_bytes(b"\xff\xfe" * 1_000)


def links(root: Path, _: int) -> None:
    """Symbolic links in a loop, to themselves, to devices and out of the tree; a fifo."""
    os.symlink(".", root / "loop")
    os.symlink("self.py", root / "self.py")
    os.symlink("/dev/zero", root / "zero.py")
    os.symlink("/etc", root / "etc")
    os.mkfifo(root / "fifo.py")


def many(root: Path, count: int) -> None:
    """A repository of very many small files."""
    for at in range(count):
        folder = root / f"d{at // 500}"
        folder.mkdir(exist_ok=True)
        ending = ENDINGS[at % len(ENDINGS)]
        text = f"def f{at}():\n    return {at}\n" if ending == "py" else "package p\n" if ending == "go" else ""
        (folder / f"m{at}.{ending}").write_text(text)


def manifests(root: Path, _: int) -> None:
    """Manifests that lie: loops of re-exports, wrong types, deep JSON."""
    (root / "package.json").write_text('{"name": "a", "exports": ' + '{"x":' * 5_000 + "1" + "}" * 5_000 + "}")
    (root / "tsconfig.json").write_text('{"compilerOptions": {"paths": {"*": ["*"], "a": 3}, "baseUrl": 7}}')
    (root / "Cargo.toml").write_text("[package]\nname = [1]\n")
    (root / "a.ts").write_text("export * from './b'; import { x } from 'a'; x();\n")
    (root / "b.ts").write_text("export * from './a'; export { y as y } from './b';\n")
    (root / "a.rs").write_text("pub use crate::b::*; pub use self::x as x; fn f() { x(); }\n")
    (root / "b.rs").write_text("pub use crate::a::*;\n")


def main() -> None:
    """Print a row for each kind of tree."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=100_000)
    args = parser.parse_args()
    kinds: tuple[Callable[[Path, int], None], ...] = (deep, lines, binary, links, manifests, many)
    for make in kinds:
        with tempfile.TemporaryDirectory() as scratch:
            make(Path(scratch), args.files)
            began = time.process_time()
            graph = index_folder(scratch)
            spent = time.process_time() - began
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        print(f"{make.__name__:10} {graph.summary()['files']:7} read {len(graph.unread):6} unread "
              f"{spent:7.2f} s CPU {memory:5} MB")  # fmt: skip


if __name__ == "__main__":
    main()
