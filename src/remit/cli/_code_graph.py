"""`remit code map|find|calls|impact|context|deps`: a folder in, what the graph says out."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from remit.cli import _output
from remit.code.graph.code_graph import CodeGraph
from remit.errors import Invalid

MAX_PATCH_BYTES: Final = 64 * 1024 * 1024
MAX_SHOWN: Final = 200
"""Rows for people; --json gives all."""


def show(args: Any) -> int:
    """Run one question."""
    if args.action == "impact" and bool(args.diff) == bool(args.symbol):
        raise Invalid("usage_invalid", "give --diff PATCH or --symbol NAME")
    if args.action in ("map", "context") and args.tokens < 1:
        raise Invalid("usage_invalid", "--tokens is a number of tokens, 1 or more")
    if not os.path.isdir(args.dir):
        order = {"find": "NAME [DIR]", "context": "TASK [DIR]"}.get(args.action, "[DIR]")
        hint = f"remit code {args.action} {order}; a text of several words in quotes"
        raise Invalid("usage_invalid", f"not a folder: {args.dir!r:.200}", hint=hint)
    graph = _graph(args)
    answers: dict[str, Callable[[CodeGraph, Any], Any]] = {
        "map": _map, "find": _find, "calls": _calls, "impact": _impact, "context": _context, "deps": _deps,
    }  # fmt: skip
    value = answers[args.action](graph, args)
    if args.json:
        _output.json_line({**value, "unread": [msgspec.to_builtins(one) for one in graph.unread]})
    for one in graph.unread[: 0 if args.json else 20]:
        _output.say(f"not read: {one.file}: {one.reason}", "yellow")
    if len(graph.unread) > 20 and not args.json:
        _output.say(f"not read: {len(graph.unread) - 20} more", "yellow")
    return 0


def _graph(args: Any) -> CodeGraph:
    from remit.code.graph.index import index_folder

    if _output.interactive():
        _output.say(f"reading {args.dir}", "dim")
    return index_folder(args.dir, "" if args.no_cache else cache_of(args.dir))


def cache_of(folder: str) -> str:
    """The cache of a folder, in the user's own state folder; none where that cannot be written."""
    from remit.config import state_folder

    name = hashlib.blake2b(os.path.abspath(folder).encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()
    home = state_folder() / "code"
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return ""
    return str(home / f"{name}.db") if os.access(home, os.W_OK) else ""


def _map(graph: CodeGraph, args: Any) -> dict[str, Any]:
    from remit.code.graph.ranking import map_line, repo_map

    chosen = repo_map(graph, args.tokens)
    if not args.json:
        file = ""
        for symbol in chosen:
            if symbol.file != file:
                file = symbol.file
                _output.data(f"{file}:")
            _output.data(map_line(symbol).rstrip("\n"))
        _output.say(", ".join(f"{key} {value}" for key, value in graph.summary().items()))
    return {"summary": graph.summary(), "symbols": msgspec.to_builtins(chosen)}


def _find(graph: CodeGraph, args: Any) -> dict[str, Any]:
    found = graph.find(args.name)
    exact = found[0].name if found else ""
    references = graph.references(exact) if exact.rpartition(".")[2] == args.name.rpartition(".")[2] else []
    if not args.json:
        for symbol in found[:MAX_SHOWN]:
            _output.data(f"{symbol.kind:8} {symbol.name}  {symbol.file}:{symbol.line}")
        for edge in references[:MAX_SHOWN]:
            _output.data(f"{edge.reason:8} {edge.caller}  {edge.file}:{edge.line}")
    return {"symbols": msgspec.to_builtins(found), "references": msgspec.to_builtins(references)}


def _calls(graph: CodeGraph, args: Any) -> dict[str, Any]:
    edges = graph.calls()
    for flag, back in (("callers", True), ("callees", False)):
        name = getattr(args, flag)
        if name:
            wanted = graph.one(name).name
            near = {wanted, *graph.reach([wanted], back=back, depth=args.depth)}
            edges = [e for e in edges if e.caller in near and e.callee in near]
    if not args.json:
        for edge in edges:
            _output.data(f"{edge.file}:{edge.line}  {edge.caller} -> {edge.callee}")
    return {"edges": msgspec.to_builtins(edges)}


def _impact(graph: CodeGraph, args: Any) -> dict[str, Any]:
    from remit.code.graph.impact import changed_symbols, impact_of, paths_in

    if args.symbol:
        changed = [graph.one(name).name for name in args.symbol]
    else:
        patch = _patch(args.diff)
        changed = changed_symbols(graph, patch, lines_of(args.dir, paths_in(patch)))
    found = impact_of(graph, changed)
    if not args.json:
        _output.data(f"risk {found.risk}")
        for name in found.changed:
            _output.data(f"changed {name}")
        for one in found.callers[:MAX_SHOWN]:
            _output.data(f"caller  {one.depth} {' <- '.join(reversed(one.path))}")
        for test in found.tests:
            _output.data(f"test    {test}")
    value: dict[str, Any] = msgspec.to_builtins(found)
    value["paths"] = value.pop("callers")
    value["callers"] = [one.name for one in found.callers]
    return value


def _context(graph: CodeGraph, args: Any) -> dict[str, Any]:
    from remit.code.graph.ranking import relevant, tokens

    left = args.tokens
    chosen: list[dict[str, Any]] = []
    taken: set[tuple[str, int]] = set()
    for symbol, rank in relevant(graph, args.task):
        if not rank:
            break
        lines = lines_of(args.dir, [symbol.file]).get(symbol.file, [])
        text = "\n".join(lines[symbol.line - 1 : symbol.end])
        cost = tokens(text) + tokens(symbol.file)
        inside = {(symbol.file, at) for at in range(symbol.line, symbol.end + 1)}
        if cost > left or inside & taken or not text:
            continue
        left -= cost
        taken |= inside
        chosen.append({"name": symbol.name, "file": symbol.file, "line": symbol.line, "end": symbol.end,
                       "rank": round(rank, 6), "tokens": cost, "text": text})  # fmt: skip
        if left < 10:
            break
    if not args.json:
        for one in chosen:
            _output.data(f"# {one['file']}:{one['line']} {one['name']}\n{one['text']}\n")
    return {"task": args.task, "tokens": args.tokens - left, "symbols": chosen}


def _deps(graph: CodeGraph, args: Any) -> dict[str, Any]:
    rows = [d for d in graph.dependencies if d.names or d.inside or d.module]
    if not args.json:
        for one in rows:
            _output.data(f"{one.file}:{one.line}  {one.module}" + (f"  {one.inside}" if one.inside else ""))
    return {"dependencies": msgspec.to_builtins(rows)}


def _patch(path: str) -> str:
    try:
        raw = sys.stdin.buffer.read(MAX_PATCH_BYTES + 1) if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise Invalid("usage_invalid", f"cannot read {path}: {error.strerror}") from None
    if len(raw) > MAX_PATCH_BYTES:
        raise Invalid("value_invalid", f"the patch has more than {MAX_PATCH_BYTES} bytes")
    return raw.decode("utf-8", "surrogateescape")


def lines_of(folder: str, paths: list[str]) -> dict[str, list[str]]:
    """The lines of files beneath the folder; a path that leads out of it is not read."""
    made: dict[str, list[str]] = {}
    root = Path(folder).resolve()
    for path in paths:
        file = (root / path).resolve()
        if file.is_relative_to(root) and file.is_file() and file.stat().st_size <= MAX_PATCH_BYTES:
            made[path] = [line.rstrip("\r") for line in file.read_text("utf-8", "surrogateescape").split("\n")]
    return made
