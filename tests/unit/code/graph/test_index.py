"""Folders: what is read, what is not, and that an edited folder gives what a fresh one gives."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest

from remit.code.graph import reading
from remit.code.graph.code_graph import CodeGraph
from remit.code.graph.index import index_folder, index_texts
from remit.code.graph.python import solving
from remit.code.graph.store import digest
from remit.code.graph.tree import MAX_FILE_BYTES, MAX_LINE_BYTES
from remit.errors import Invalid, RemitError


def written(root: Path, files: dict[str, str]) -> str:
    """A folder with these files."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return str(root)


def content(graph: CodeGraph) -> Any:
    """All that a graph says."""
    return graph.edges, graph.symbols, graph.dependencies, graph.unread


def test_files_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    """A syntax error, binary, huge, linked or foreign file is in unread with its reason; the rest is analysed."""
    root = written(tmp_path, {"a.py": "def f(): pass\nf()\n", "bad.py": "x = 1\ndef f(:\n", "a.rs": "fn main( {}\n"})
    for name, opened, closed in (("deep.js", "{", "}"), ("deep.ts", "(", ")"), ("deep.rs", "fn f() {", "}")):
        (tmp_path / name).write_text(opened * 2000 + closed * 2000 + "\n")
    (tmp_path / "min.js").write_text("a();" * 3000 + "\n")
    (tmp_path / "bin.py").write_bytes(b"x = '\0'")
    (tmp_path / "big.py").write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    (tmp_path / "long.py").write_bytes(b"x = '" + b"y" * MAX_LINE_BYTES + b"'\n")
    (tmp_path / "deep.py").write_text("x = " + "(" * 3000 + ")" * 3000 + "\n")
    (tmp_path / "nested.py").write_text("x = " + "[" * 300 + "]" * 300 + "\n")
    os.symlink("a.py", tmp_path / "link.py")
    os.symlink(".", tmp_path / "loop")
    graph = index_folder(root)
    assert [(e.caller, e.callee) for e in graph.calls()] == [("a", "a.f")]
    reasons = {one.file: one.reason for one in graph.unread}
    more = {"deep.js", "deep.ts", "deep.rs", "min.js"}
    assert set(reasons) == more | {
        "bad.py", "a.rs", "bin.py", "big.py", "long.py", "deep.py", "nested.py", "link.py",
    }  # fmt: skip
    assert reasons["bad.py"] == "syntax error at line 2"
    assert (reasons["bin.py"], reasons["link.py"], reasons["nested.py"]) == (
        "binary",
        "symbolic link",
        "nested too deep",
    )


def test_long_chains_do_not_count_as_depth() -> None:
    """Ten thousand operands, items or elif arms are analysed."""
    text = "def f(): pass\nx = " + " + ".join(["f()"] * 10_000) + "\nif a: pass\n" + "elif a: f()\n" * 2_000
    text += "y = " + " or ".join(["f()"] * 5_000) + "\n"
    graph = index_texts({"m.py": text.encode()})
    assert graph.unread == ()
    assert {(e.caller, e.callee) for e in graph.calls()} == {("m", "m.f")}


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    """A path that is no folder is usage_invalid."""
    with pytest.raises(Invalid) as caught:
        index_folder(str(tmp_path / "nothing"))
    assert caught.value.code == "usage_invalid"


def test_without_the_parsers_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without tree-sitter the error is extra_missing."""
    monkeypatch.setitem(__import__("sys").modules, "tree_sitter_python", None)
    with pytest.raises(RemitError) as caught:
        index_texts({"a.py": b"x = 1\n"})
    assert caught.value.code == "extra_missing"


def test_a_cache_that_cannot_be_opened_is_said(tmp_path: Path) -> None:
    """A cache in a folder that does not exist is disk_failed."""
    with pytest.raises(RemitError) as caught:
        index_folder(str(tmp_path), str(tmp_path / "no" / "cache.db"))
    assert caught.value.code == "disk_failed"


def test_names_begin_at_the_package_root(tmp_path: Path) -> None:
    """Below src/ a package has its own name; a folder without __init__ that is imported by its path keeps it."""
    files = {
        "src/pkg/__init__.py": "", "src/pkg/a.py": "from pkg.b import f\nf()\n", "src/pkg/b.py": "def f(): pass\n",
        "nest/mod.py": "def g(): pass\n", "run.py": "from nest import mod\nmod.g()\nimport pkg.b\npkg.b.f()\n",
    }  # fmt: skip
    graph = index_folder(written(tmp_path, files))
    assert {(e.caller, e.callee) for e in graph.calls()} == {
        ("pkg.a", "pkg.b.f"), ("run", "nest.mod.g"), ("run", "pkg.b.f"),
    }  # fmt: skip


def test_a_root_that_is_a_package_knows_its_own_name(tmp_path: Path) -> None:
    """`from NAME.b import f` inside the package NAME finds the file, also when the folder given is NAME itself."""
    files = {"own/__init__.py": "", "own/a.py": "from own.b import f\nf()\n", "own/b.py": "def f(): pass\n"}
    written(tmp_path, files)
    graph = index_folder(str(tmp_path / "own"))
    assert [(e.caller, e.callee) for e in graph.calls()] == [("a", "b.f")]


def test_an_edited_folder_gives_what_a_fresh_one_gives(tmp_path: Path) -> None:
    """After every one of 40 random edits the graph with a cache equals the graph without."""
    chance = random.Random(7)
    root, cache = tmp_path / "tree", str(tmp_path / "cache.db")
    names = [f"m{i}" for i in range(6)]
    for step in range(40):
        name = chance.choice(names)
        other, third = chance.choice(names), chance.choice(names)
        text = f"import {other}\nfrom {third} import f as g\ndef f(x=None):\n    {other}.f(g)\n    x()\n    return x\n"
        text += f"def h{step}():\n    f(h{step})()\n" if chance.random() < 0.7 else "f(f)\n"
        if chance.random() < 0.1:
            text += "def broken(:\n"
        written(root, {f"{name}.py": text})
        assert content(index_folder(str(root), cache)) == content(index_folder(str(root)))


def test_what_others_read_of_an_edited_module_is_read_again(tmp_path: Path) -> None:
    """A name, base or result that another file saw, or did not see, is noticed when it comes, changes or goes."""
    root, cache = tmp_path / "tree", str(tmp_path / "cache.db")
    user = "from a import A, make\nfrom c import C\ndef use(x: A):\n    x.f()\n    make().g()\n    C().h()\n"
    written(root, {"u.py": user, "c.py": "import a\nclass C(a.A):\n    def f(self): self.h()\n"})
    made = "def make(): return A()\n"
    for text in (
        "class A: pass\n" + made,
        "class A:\n    def f(self): pass\n    def h(self): pass\n" + made,
        "class A:\n    def g(self): pass\n" + made,
        "class A: pass\n",
        "class A:\n    h = f = len\n" + made,
        "class B:\n    def h(self): self.f()\nclass A(B): pass\n",
        "x = 1\n",
        "class A: pass\n" + made,
    ):
        written(root, {"a.py": text})
        assert content(index_folder(str(root), cache)) == content(index_folder(str(root)))


def test_only_what_an_edit_reaches_is_parsed_and_solved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a cache an edit costs one parse, and the files whose input it changes: none for a body or a new function."""
    files = {
        "a.py": "import b\nb.f()\n",
        "b.py": "def f(): pass\n",
        "c.py": "import d\nd.f()\n",
        "d.py": "def f(): pass\n",
    }
    root, cache = written(tmp_path / "tree", files), str(tmp_path / "cache.db")
    index_folder(root, cache)
    parsed: list[bytes] = []
    solved: list[str] = []
    lower, unit = reading.Lowerer.lower, solving.Unit
    monkeypatch.setattr(
        reading.Lowerer, "lower", lambda self, name, text: (parsed.append(text), lower(self, name, text))[1]
    )
    monkeypatch.setattr(solving, "Unit", lambda path, *rest: (solved.append(path), unit(path, *rest))[1])
    written(tmp_path / "tree", {"b.py": "def f(): g()\ndef g(): pass\n"})
    index_folder(root, cache)
    index_folder(root, cache)
    assert (parsed, solved) == ([b"def f(): g()\ndef g(): pass\n"], ["b.py"])
    solved.clear()
    written(tmp_path / "tree", {"b.py": "def f(x): x()\n"})
    assert content(index_folder(root, cache)) == content(index_folder(root))
    assert solved[:2] == ["b.py", "a.py"]


def test_an_edited_go_folder_gives_what_a_fresh_one_gives(tmp_path: Path) -> None:
    """After every one of 24 random edits of types, methods, interfaces, signatures and packages the same holds."""
    chance = random.Random(11)
    root, cache = tmp_path / "tree", str(tmp_path / "cache.db")
    folders = ["a", "b", "c"]
    for _ in range(24):
        here, other = chance.choice(folders), chance.choice(folders)
        text = f'package {here}\nimport "x/{other}"\ntype I interface {{ M(); {chance.choice(["N()", ""])} }}\n'
        text += f"type T struct {{ {chance.choice([f'{other}.T', 'x int'])} }}\n"
        text += "\n" * chance.randrange(3) + chance.choice(["func (t T) M() {}\n", "func (t *T) N() {}\n", ""])
        text += f"func F(i {other}.I) {other}.T {{ i.M(); return {other}.G() }}\n"
        text += f"var V = {chance.choice(['F(nil)', '1', other + '.V'])}\n"
        text += f"func G() T {{ {chance.choice(['V.M()', 'F(nil).M()', other + '.V.N()'])}; return T{{}} }}\n"
        written(root, {f"{here}/{chance.choice('mn')}.go": text})
        assert content(index_folder(str(root), cache)) == content(index_folder(str(root)))


def test_an_edit_that_keeps_size_and_time_is_seen(tmp_path: Path) -> None:
    """A file that is written again right after the index, with its old time, is read again."""
    root, cache = written(tmp_path / "tree", {"a.py": "def f(): pass\nf()\n"}), str(tmp_path / "cache.db")
    before = os.stat(tmp_path / "tree" / "a.py")
    index_folder(root, cache)
    written(tmp_path / "tree", {"a.py": "def g(): pass\ng()\n"})
    os.utime(tmp_path / "tree" / "a.py", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert [e.callee for e in index_folder(root, cache).calls()] == ["a.g"]


def test_a_store_that_is_emptied_costs_time_only(tmp_path: Path) -> None:
    """Rows that are gone are made again, also when they go between the index and the question."""
    import apsw

    root, cache = written(tmp_path / "tree", {"a.py": "def f(): pass\nf()\n"}), str(tmp_path / "cache.db")
    graph = index_folder(root, cache)
    apsw.Connection(cache).execute("DELETE FROM kept")
    assert content(graph) == content(index_folder(root))
    folder = digest(b"folder", os.fsencode(os.path.abspath(root)))
    index_folder(root, cache)
    apsw.Connection(cache).execute("DELETE FROM kept WHERE key != ?", (folder,))
    written(tmp_path / "tree", {"a.py": "def g(): pass\ng()\n", "b.py": "import a\na.g()\n"})
    assert content(index_folder(root, cache)) == content(index_folder(root))
