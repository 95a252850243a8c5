"""A folder as a graph: texts to facts, facts to calls, each only where something changed.

A snapshot holds a row a file. What an edit costs: a stat of every file, the facts of the one that changed, and the
solution of what its change reaches (python/exchange.py, go/solving.py). Symbols and calls are read when they are asked
for. JavaScript and Rust are solved as a whole when one of their files changed.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from msgspec import Struct

from remit.code.graph.calls import Call, edge_of
from remit.code.graph.code_graph import CodeGraph, Parts
from remit.code.graph.reading import BY_LANGUAGE, Facts, language_of, lowered, room_of
from remit.code.graph.snapshot import Row, Snapshot, View, settled
from remit.code.graph.store import Kept, MemoryStore, Stale, Store, digest, fetch, keep, must
from remit.code.graph.tree import MANIFESTS, listed, text_of
from remit.code.graph.values import Dependency, Edge, Symbol, Unread

_CUT: Final = "only in part: the solver's bound was reached"


class _Whole(Struct, array_like=True):
    """What is stored of a language that is solved as a whole."""

    symbols: list[Symbol]
    edges: list[Edge]
    dependencies: list[Dependency]
    cut: bool = False


def index_folder(root: str, cache: str = "") -> CodeGraph:
    """The graph of a folder; `cache` is a file that makes the next time fast.

    Raises usage_invalid (no folder), extra_missing (no parsers), disk_failed (the cache cannot be opened).
    """
    store: Kept = Store(cache) if cache else MemoryStore()
    with _without_collections():
        try:
            return _of_folder(root, cache, store, fresh=False)
        except Stale:
            return _of_folder(root, cache, store, fresh=True)


def _of_folder(root: str, cache: str, store: Kept, *, fresh: bool) -> CodeGraph:
    unread: list[Unread] = []
    place = os.path.abspath(root)
    here = digest(b"folder", os.fsencode(place))
    old = Snapshot() if fresh else fetch(store, here, Snapshot) or Snapshot()
    new = Snapshot(os.path.basename(place))
    texts: dict[str, bytes] = {}
    began = _now(cache)
    for path, stat in listed(root, unread):
        row = old.rows.get(path)
        if row is None or row.stat != stat:
            text, why = text_of(os.path.join(root, path))
            row = _row(path, text, why)
            row.stat = stat if settled(stat, began) else (0, 0, 0, 0)
            if not why:
                texts[path] = text
        new.rows[path] = row
    graph = _Index(new, old, texts, store).graph(unread, lambda: index_folder(root))
    if cache and new != old:
        keep(store, new, here)
    if isinstance(store, Store):
        store.flush()
    return graph


def _now(cache: str) -> int:
    """The time by the clock of the file system, in nanoseconds; 0 without a cache."""
    if not cache:
        return 0
    os.utime(cache)
    return os.stat(cache).st_mtime_ns


def index_texts(texts: Mapping[str, bytes], *, root_name: str = "") -> CodeGraph:
    """The graph of texts `{path: text}`, manifests among them; `root_name`: what a root that is a package is called."""
    new = Snapshot(root_name, {path: _row(path, texts[path], "") for path in sorted(texts)})
    with _without_collections():
        return _Index(new, Snapshot(), dict(texts), MemoryStore()).graph([], None)


@contextmanager
def _without_collections() -> Iterator[None]:
    """Facts hold no cycles; looking for some in millions of lists costs a fifth of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _row(path: str, text: bytes, why: str) -> Row:
    manifest = path.rpartition("/")[2] in MANIFESTS
    language = "manifest" if manifest else language_of(path)
    room = "manifest" if manifest else room_of(path) if language in BY_LANGUAGE else ""
    return Row(key=digest(b"facts", language.encode(), text), why=why, room=room)


class _Index:
    """One indexing: rows that are known, texts that are new."""

    def __init__(self, new: Snapshot, old: Snapshot, texts: dict[str, bytes], store: Kept) -> None:
        self._new, self._old = new, old
        self._texts = texts
        self._store = store
        self._facts: dict[str, Facts] = {}
        self._whole: list[_Whole] = []

    def graph(self, unread: list[Unread], again: Callable[[], CodeGraph] | None) -> CodeGraph:
        """Bring all rows up to date; `again` makes the graph when what is stored is gone before it was read."""
        changed = self._read()
        if any(row.room == "python" for row in self._new.rows.values()):
            from remit.code.graph.python import solving

            solving.update(self._new, self._old, changed, self.facts, self._store)
        if any(row.room == "go" for row in self._new.rows.values()):
            from remit.code.graph.go import solving as go

            go.update(self._new, self._old, changed, self.facts, self._store)
        for room, solved in (("javascript", _javascript), ("rust", _rust)):
            paths = [path for path, row in self._new.rows.items() if row.room == room and not row.why]
            if paths:
                self._whole.append(self._together(room, paths, solved))
                if self._whole[-1].cut:
                    unread += [Unread(path, _CUT) for path in paths]
        for path, row in self._new.rows.items():
            if row.why or row.cut:
                unread.append(Unread(path, row.why or _CUT))
        self._facts.clear()
        self._texts.clear()
        unread.sort(key=lambda one: (one.file, one.reason))
        return CodeGraph(lambda: self._parts(again), unread)

    def _read(self) -> set[str]:
        """Facts of new texts; the files that changed."""
        changed: set[str] = set()
        missing: list[str] = []
        for path, row in self._new.rows.items():
            known = self._old.rows.get(path)
            if row is known or row.why or not row.room:
                continue
            if known is not None and known.key == row.key and known.room == row.room:
                self._new.rows[path] = msgspec.structs.replace(known, stat=row.stat)
                continue
            changed.add(path)
            if row.room != "manifest":
                if not self._stored(path, row):
                    missing.append(path)
            elif path in self._texts:
                self._store.put_raw(row.key, msgspec.msgpack.encode(self._texts[path]))
        for path, raw in lowered(missing, self._texts):
            self._store.put_raw(self._new.rows[path].key, raw)
            self._stored(path, self._new.rows[path])
        return changed

    def _stored(self, path: str, row: Row) -> bool:
        found = fetch(self._store, row.key, tuple[Any, str])
        if found is None:
            return False
        row.why = found[1] if found[0] is None else ""
        if found[0] is not None:
            self._facts[path] = found[0]
        return True

    def facts(self, path: str) -> Facts:
        """The facts of a file that is read."""
        found = self._facts.get(path)
        if found is None:
            row = self._new.rows[path]
            if not self._stored(path, row):
                raise Stale
            found = self._facts[path]
        return found

    def _together(self, room: str, paths: list[str], solved: Callable[[Any, Any], _Whole]) -> _Whole:
        """A language that is solved as a whole: as it was when no file and no manifest changed."""
        manifests = [path for path, row in self._new.rows.items() if row.room == "manifest" and not row.why]
        said = [os.fsencode(path) for path in (*paths, *manifests)]
        key = digest(room.encode(), *said, *(self._new.rows[path].key for path in (*paths, *manifests)))
        kept: _Whole | None = fetch(self._store, key, _Whole)
        if kept is None:
            texts = {path: must(self._store, self._new.rows[path].key, bytes) for path in manifests}
            kept = solved({path: self.facts(path) for path in paths}, texts)
            keep(self._store, kept, key)
        return kept

    def _parts(self, again: Callable[[], CodeGraph] | None) -> Parts:
        """Symbols and edges of all files."""
        made = Parts([], [], [])
        views: dict[str, View] = {}
        try:
            rows = [(path, row) for path, row in sorted(self._new.rows.items()) if row.view]
            for path, row in rows:
                views[path] = view = must(self._store, row.view, View)
                made.symbols.extend(view.symbols)
                made.dependencies.extend(view.dependencies)
            lines = {path: view.lines for path, view in views.items()}
            for path, row in rows:
                for call in must(self._store, row.calls, list[Call]):
                    made.edges.append(edge_of(call, path, lines))
        except Stale:
            if again is None:
                raise
            graph = again()
            return Parts(list(graph.symbols), list(graph.edges), list(graph.dependencies))
        for whole in self._whole:
            made.symbols.extend(whole.symbols)
            made.edges.extend(whole.edges)
            made.dependencies.extend(whole.dependencies)
        return made


def _javascript(facts: Mapping[str, Facts], manifests: Mapping[str, bytes]) -> _Whole:
    from remit.code.graph.javascript.modules import manifest
    from remit.code.graph.javascript.program import solve
    from remit.code.graph.javascript.symbols import symbols_of

    said = {path: manifest(text) for path, text in manifests.items() if path.endswith(".json")}
    edges, dependencies, cut = solve(facts, said)
    symbols = [one for path in sorted(facts) for one in symbols_of(path, facts[path])]
    return _Whole(symbols, edges, dependencies, cut)


def _rust(facts: Mapping[str, Facts], manifests: Mapping[str, bytes]) -> _Whole:
    from remit.code.graph.rust.program import RustCode

    code = RustCode(facts, {path: text for path, text in manifests.items() if path.endswith(".toml")})
    return _Whole([one for path in sorted(facts) for one in code.symbols(path)], code.edges(), code.dependencies())
