"""Parsing processes: the same facts, and a text that ends or holds up its process costs itself only."""

from __future__ import annotations

import msgspec
import pytest

from remit.code.graph import workers
from remit.code.graph.index import index_texts
from remit.code.graph.reading import Lowerer

TEXTS = {
    "a.py": b"import b\nb.f()\n",
    "b.py": b"def f(): pass\n",
    "bad.py": b"def f(:\n",
    "m.js": b"function f() {}\nf();\n",
    "m.rs": b"fn f() {} fn g() { f(); }\n",
    "m.go": b"package m\nfunc f() {}\nfunc g() { f() }\n",
}


def test_processes_say_what_this_process_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """The graph is the same with and without them."""
    here = index_texts(TEXTS)
    monkeypatch.setattr(workers, "MIN_BYTES", 1)
    there = index_texts(TEXTS)
    assert (there.edges, there.symbols, there.unread) == (here.edges, here.symbols, here.unread)
    assert [one.file for one in there.unread] == ["bad.py"]


def test_a_crash_and_a_delay_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The text of a process that ends or is late is reported; the others have their facts."""
    ask = workers._Worker.ask

    def hostile(self: workers._Worker, language: str, text: bytes) -> bytes:
        if text == b"crash":
            self.process.kill()
        if text == b"late":
            raise TimeoutError
        return ask(self, language, text)

    monkeypatch.setattr(workers._Worker, "ask", hostile)
    work = [(0, "python", b"crash"), (1, "python", b"late"), (2, "python", b"x = 1\n"), (3, "go", b"package m\n")]
    found = {number: msgspec.msgpack.decode(raw) for number, raw in workers.lowered(work)}
    assert (found[0], found[1]) == ([None, "the parser crashed"], [None, "not parsed within 60 s"])
    assert found[2] == list(Lowerer().lower("python", b"x = 1\n"))
    assert found[3][0] is not None
