"""A folder as a graph: texts to facts, facts to calls, each only where something changed.

Files that import each other (directly or through others) are one component; a component's calls depend on its own
facts alone, so after an edit only the component of the edited file is solved again, and the result equals a cold one.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from remit.code.graph.code_graph import CodeGraph
from remit.code.graph.go.resolve import solve as solve_go
from remit.code.graph.javascript.modules import manifest
from remit.code.graph.javascript.program import solve as solve_javascript
from remit.code.graph.javascript.symbols import symbols_of as javascript_symbols
from remit.code.graph.python.imports import absolute, candidates
from remit.code.graph.python.lowering import M_IMPORTS
from remit.code.graph.python.names import Names, first_parts, names_of
from remit.code.graph.python.program import Call, solve
from remit.code.graph.reading import BY_LANGUAGE, Facts, facts_of, room_of
from remit.code.graph.rust.program import RustCode
from remit.code.graph.store import Store, digest
from remit.code.graph.symbols import go_symbols, symbols_of
from remit.code.graph.tree import MANIFESTS, sources
from remit.code.graph.values import Dependency, Edge, Symbol, Unread


def index_folder(root: str, cache: str = "") -> CodeGraph:
    """The graph of a folder; `cache` is a file that makes the next time fast.

    Raises usage_invalid (no folder), extra_missing (no parsers), disk_failed (the cache cannot be opened).
    """
    unread: list[Unread] = []
    texts = {}
    for path, language, text in sources(root, unread):
        if language in BY_LANGUAGE or language == "manifest":
            texts[path] = text
    name = os.path.basename(os.path.abspath(root))
    store = Store(cache)
    # Facts hold no cycles; looking for some in millions of lists costs a fifth of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return index_texts(texts, root_name=name, store=store, unread=unread)
    finally:
        store.close()
        if collecting:
            gc.enable()


class _Whole:
    """What is gathered, language by language."""

    def __init__(self, keys: Mapping[str, bytes], store: Store | None, unread: list[Unread]) -> None:
        self.keys = keys
        self.store = store
        self.unread = unread
        self.symbols: list[Symbol] = []
        self.edges: list[Edge] = []
        self.dependencies: list[Dependency] = []


def index_texts(
    texts: Mapping[str, bytes], *, root_name: str = "", store: Store | None = None, unread: Iterable[Unread] = ()
) -> CodeGraph:
    """The graph of texts `{path: text}`, manifests among them; `root_name`: what a root that is a package is called."""
    missed = list(unread)
    manifests = {path: text for path, text in texts.items() if path.rpartition("/")[2] in MANIFESTS}
    every, keys = facts_of({path: text for path, text in texts.items() if path not in manifests}, store, missed)
    whole = _Whole(keys, store, missed)
    rooms: dict[str, dict[str, Facts]] = {}
    for path, one in every.items():
        rooms.setdefault(room_of(path), {})[path] = one
    _add_python(whole, rooms.get("python", {}), root_name)
    _add_go(whole, rooms.get("go", {}))
    _add_javascript(whole, rooms.get("javascript", {}), manifests)
    _add_rust(whole, rooms.get("rust", {}), manifests)
    missed.sort(key=lambda one: (one.file, one.reason))
    return CodeGraph(whole.symbols, whole.edges, whole.dependencies, missed)


def _add_python(whole: _Whole, facts: Mapping[str, Facts], root_name: str) -> None:
    modules = names_of(facts, first_parts(row for one in facts.values() for row in one[M_IMPORTS]))
    where = {name: path for path, (name, _) in modules.items()}
    root_name = root_name if "" in where else ""
    dependencies = [d for path in sorted(facts) for d in _dependencies(path, facts, modules, where, root_name)]
    for members in _components(sorted(facts), dependencies):
        solved = _solved({path: facts[path] for path in members}, modules, root_name, whole.keys, whole.store)
        whole.edges.extend(solved.edges)
        if solved.cut:
            whole.unread.extend(Unread(path, "only in part: the solver's bound was reached") for path in members)
    whole.dependencies.extend(dependencies)
    for path in sorted(facts):
        whole.symbols.extend(symbols_of(path, modules[path][0], facts[path]))


def _add_go(whole: _Whole, facts: Mapping[str, Facts]) -> None:
    kept = _kept(whole, b"go", facts, {}, list[Edge])
    edges = kept if kept is not None else solve_go(facts) if facts else []
    if kept is None:
        _keep(whole, b"go", facts, {}, edges)
    whole.edges.extend(edges)
    for path in sorted(facts):
        whole.symbols.extend(go_symbols(path, facts[path]))


def _add_javascript(whole: _Whole, facts: Mapping[str, Facts], manifests: Mapping[str, bytes]) -> None:
    if not facts:
        return
    said = {path: text for path, text in manifests.items() if path.endswith(".json")}
    kept = _kept(whole, b"javascript", facts, said, tuple[list[Edge], list[Dependency], bool])
    if kept is None:
        kept = solve_javascript(facts, {path: manifest(text) for path, text in said.items()})
        _keep(whole, b"javascript", facts, said, kept)
    edges, dependencies, cut = kept
    whole.edges.extend(edges)
    whole.dependencies.extend(dependencies)
    if cut:
        whole.unread.extend(Unread(path, "only in part: the solver's bound was reached") for path in sorted(facts))
    for path in sorted(facts):
        whole.symbols.extend(javascript_symbols(path, facts[path]))


def _add_rust(whole: _Whole, facts: Mapping[str, Facts], manifests: Mapping[str, bytes]) -> None:
    if not facts:
        return
    said = {path: text for path, text in manifests.items() if path.endswith(".toml")}
    code = RustCode(facts, said)
    kept = _kept(whole, b"rust", facts, said, list[Edge])
    edges = kept if kept is not None else code.edges()
    if kept is None:
        _keep(whole, b"rust", facts, said, edges)
    whole.edges.extend(edges)
    whole.dependencies.extend(code.dependencies())
    for path in sorted(facts):
        whole.symbols.extend(code.symbols(path))


def _key(whole: _Whole, what: bytes, facts: Mapping[str, Facts], more: Mapping[str, bytes]) -> bytes:
    said = [path.encode(errors="surrogateescape") for path in (*sorted(facts), *sorted(more))]
    return digest(what, *said, *(whole.keys[path] for path in sorted(facts)), *(more[path] for path in sorted(more)))


def _kept(whole: _Whole, what: bytes, facts: Mapping[str, Facts], more: Mapping[str, bytes], kind: Any) -> Any:
    """What is stored for these facts, None when some of them changed."""
    return whole.store.get_as(_key(whole, what, facts, more), kind) if whole.store is not None and facts else None


def _keep(whole: _Whole, what: bytes, facts: Mapping[str, Facts], more: Mapping[str, bytes], value: Any) -> None:
    if whole.store is not None and facts:
        whole.store.put([(_key(whole, what, facts, more), value)])


def _dependencies(
    path: str, facts: Mapping[str, list[Any]], modules: Names, where: Mapping[str, str],
    root_name: str,
) -> list[Dependency]:  # fmt: skip
    module, package = modules[path]
    made: list[Dependency] = []
    for level, source, names, line in facts[path][M_IMPORTS]:
        name = absolute(module, package, level, source)
        if name is None:
            continue
        found = [name] if level else candidates(name, module, root_name)
        inside = next((where[one] for one in found if one in where), None)
        made.append(Dependency(path, name or ".", tuple(names), line, inside))
        for one in found:
            wider = [f"{one}.{n}" if one else n for n in names] + [one[:at] for at, c in enumerate(one) if c == "."]
            for other in wider:
                if other in where and where[other] not in (inside, path):
                    made.append(Dependency(path, other, (), line, where[other]))
    return made


def _components(paths: list[str], dependencies: list[Dependency]) -> list[list[str]]:
    """Files joined by imports, each list sorted."""
    parent = {path: path for path in paths}

    def top(path: str) -> str:
        while parent[path] != path:
            parent[path] = parent[parent[path]]
            path = parent[path]
        return path

    for one in dependencies:
        if one.inside is not None:
            a, b = sorted((top(one.file), top(one.inside)))
            parent[b] = a
    groups: dict[str, list[str]] = {}
    for path in paths:
        groups.setdefault(top(path), []).append(path)
    return list(groups.values())


class _Solved(Struct, array_like=True):
    """What is stored of a component."""

    edges: list[Edge]
    cut: bool


def _solved(
    facts: Mapping[str, list[Any]], names: Names, root_name: str, keys: Mapping[str, bytes], store: Store | None
) -> _Solved:
    """The calls of one component, from the store when its facts are as they were."""
    key = b""
    if store is not None:
        said = [f"{path}\n{names[path][0]}".encode(errors="surrogateescape") for path in facts]
        key = digest(b"calls", root_name.encode(errors="surrogateescape"), *said, *(keys[path] for path in facts))
        kept: _Solved | None = store.get_as(key, _Solved)
        if kept is not None:
            return kept
    solution = solve(facts, names, root_name)
    made = _Solved([_edge(call) for call in solution.calls], solution.cut)
    if store is not None:
        store.put([(key, made)])
    return made


def _edge(call: Call) -> Edge:
    inside = call.callee_module is not None
    confidence = round(max(0.1, 1 / max(1, call.choices)), 2) if call.reason != "unresolved" else 0.0
    return Edge(call.caller, call.callee, call.module, call.line, call.callee_module,
                call.callee_line if inside else None, confidence, call.reason)  # fmt: skip
