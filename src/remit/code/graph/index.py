"""A folder as a graph: texts to facts, facts to calls, each only where something changed.

Files that import each other (directly or through others) are one component; a component's calls depend on its own
facts alone, so after an edit only the component of the edited file is solved again, and the result equals a cold one.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

from remit.code.graph.code_graph import CodeGraph
from remit.code.graph.go.lowering import lower as lower_go
from remit.code.graph.go.resolve import solve as solve_go
from remit.code.graph.python.imports import absolute, candidates
from remit.code.graph.python.lowering import M_IMPORTS, lower
from remit.code.graph.python.names import Names, first_parts, names_of
from remit.code.graph.python.program import Call, Solution, solve
from remit.code.graph.store import Store, digest
from remit.code.graph.symbols import go_symbols, symbols_of
from remit.code.graph.tree import sources
from remit.code.graph.values import Dependency, Edge, Symbol, Unread
from remit.errors import Unavailable


def index_folder(root: str, cache: str = "") -> CodeGraph:
    """The graph of a folder; `cache` is a file that makes the next time fast.

    Raises usage_invalid (no folder), extra_missing (no parsers), disk_failed (the cache cannot be opened).
    """
    unread: list[Unread] = []
    texts = {}
    for path, language, text in sources(root, unread):
        if language in ("python", "go"):
            texts[path] = text
        elif language != "stub":
            unread.append(Unread(path, f"{language} is not analysed yet"))
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


def index_texts(
    texts: Mapping[str, bytes], *, root_name: str = "", store: Store | None = None, unread: Iterable[Unread] = ()
) -> CodeGraph:
    """The graph of Python and Go texts `{path: text}`; `root_name` is what the root is called when it is a package."""
    missed = list(unread)
    every, keys = _facts(texts, store, missed)
    facts = {path: one for path, one in every.items() if not path.endswith(".go")}
    go = {path: one for path, one in every.items() if path.endswith(".go")}
    modules = names_of(facts, first_parts(row for one in facts.values() for row in one[M_IMPORTS]))
    where = {name: path for path, (name, _) in modules.items()}
    root_name = root_name if "" in where else ""
    dependencies = [d for path in sorted(facts) for d in _dependencies(path, facts, modules, where, root_name)]
    edges: list[Edge] = []
    for members in _components(sorted(facts), dependencies):
        solution = _solved({path: facts[path] for path in members}, modules, root_name, keys, store)
        edges.extend(_edge(call) for call in solution.calls)
        if solution.cut:
            missed.extend(Unread(path, "only in part: the solver's bound was reached") for path in members)
    symbols: list[Symbol] = []
    for path in sorted(facts):
        symbols.extend(symbols_of(path, modules[path][0], facts[path]))
    edges.extend(_go_edges(go, keys, store))
    for path in sorted(go):
        symbols.extend(go_symbols(path, go[path]))
    missed.sort(key=lambda one: (one.file, one.reason))
    return CodeGraph(symbols, edges, dependencies, missed)


def _facts(
    texts: Mapping[str, bytes], store: Store | None, unread: list[Unread]
) -> tuple[dict[str, list[Any]], dict[str, bytes]]:
    parsers: dict[str, Any] = {}
    facts: dict[str, list[Any]] = {}
    keys: dict[str, bytes] = {}
    new: list[tuple[bytes, Any]] = []
    for path in sorted(texts):
        language = "go" if path.endswith(".go") else "python"
        key = digest(b"facts", language.encode(), texts[path])
        kept = store.get(key) if store is not None else None
        if kept is None:
            if language not in parsers:
                parsers[language] = _parser(language)
            kept = (lower_go if language == "go" else lower)(texts[path], parsers[language])
            new.append((key, kept))
        if kept[0] is None:
            unread.append(Unread(path, kept[1]))
        else:
            facts[path], keys[path] = kept[0], key
    if store is not None and new:
        store.put(new)
    return facts, keys


def _parser(language: str) -> Any:
    try:
        from tree_sitter import Language, Parser

        grammar = import_module(f"tree_sitter_{language}")
    except ImportError:
        raise Unavailable("extra_missing", "the parsers are not installed: pip install 'remit[code]'") from None
    return Parser(Language(grammar.language()))


def _go_edges(facts: Mapping[str, list[Any]], keys: Mapping[str, bytes], store: Store | None) -> list[Edge]:
    """Calls of Go files, from the store when all their facts are as they were."""
    if not facts:
        return []
    said = [path.encode(errors="surrogateescape") for path in sorted(facts)]
    key = digest(b"go", *said, *(keys[path] for path in sorted(facts)))
    kept = store.get(key) if store is not None else None
    if kept is not None:
        return [Edge(**row) for row in kept]
    edges = solve_go(facts)
    if store is not None:
        store.put([(key, edges)])
    return edges


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


def _solved(
    facts: Mapping[str, list[Any]], names: Names, root_name: str, keys: Mapping[str, bytes], store: Store | None
) -> Solution:
    """The calls of one component, from the store when its facts are as they were."""
    if store is None:
        return solve(facts, names, root_name)
    said = [f"{path}\n{names[path][0]}".encode(errors="surrogateescape") for path in facts]
    key = digest(b"calls", root_name.encode(errors="surrogateescape"), *said, *(keys[path] for path in facts))
    kept = store.get(key)
    if kept is None:
        solution = solve(facts, names, root_name)
        store.put([(key, solution)])
        return solution
    return Solution([Call(*row) for row in kept[0]], kept[1])


def _edge(call: Call) -> Edge:
    inside = call.callee_module is not None
    confidence = round(max(0.1, 1 / max(1, call.choices)), 2) if call.reason != "unresolved" else 0.0
    return Edge(call.caller, call.callee, call.module, call.line, call.callee_module,
                call.callee_line if inside else None, confidence, call.reason)  # fmt: skip
