"""Texts to programs: parse, lower, name the modules; what could not be read is said."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Any, Final

from msgspec import Struct

from remit.code.graph.python.names import first_parts, names_of
from remit.code.review import ir
from remit.code.review.flow.values import ModuleInfo
from remit.code.review.values import NotReviewed
from remit.errors import Unavailable

ENDINGS: Final = {
    ".py": "python", ".go": "go", ".rs": "rust", ".js": "javascript", ".jsx": "javascript", ".mjs": "javascript",
    ".cjs": "javascript", ".ts": "typescript", ".tsx": "typescript", ".mts": "typescript", ".cts": "typescript",
}  # fmt: skip
MAX_BYTES: Final = 2 * 1024 * 1024
MAX_LINE_BYTES: Final = 100_000
MAX_HOLES: Final = 50


class File(Struct):
    """One file for the rules that look at syntax."""

    path: str
    language: str
    raw: bytes
    lines: list[str]
    module: ir.Module
    test: bool
    listed: tuple[list[ir.Function], list[ir.Class]] | None = None
    nodes: dict[type, list[Any]] | None = None
    """by kind, filled by the first rule that asks"""


class Program(Struct):
    """All files of a review, by path."""

    files: dict[str, File]
    missed: list[NotReviewed]


def language_of(path: str) -> str:
    """The language of a path, "" when it is none of ours."""
    return ENDINGS.get(os.path.splitext(path)[1], "")


def is_test(path: str) -> bool:
    """Whether a path is a test by the habits of its language."""
    name = path.rpartition("/")[2]
    stem = name.partition(".")[0]
    folders = path.split("/")[:-1]
    return (stem.startswith("test_") or stem.endswith("_test") or stem in ("conftest", "tests") or ".test." in name
            or ".spec." in name or any(one in ("tests", "test", "__tests__", "testdata",
            "spec", "conformance") for one in folders))  # fmt: skip


def read(texts: Mapping[str, str | bytes]) -> Program:
    """Parse texts `{path: text}`; raises extra_missing without the parsers."""
    program = Program({}, [])
    for path in sorted(texts):
        language = language_of(path)
        if not language:
            program.missed.append(NotReviewed(path, "no language that is reviewed"))
            continue
        text = texts[path]
        raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        why = _refused(raw)
        if why:
            program.missed.append(NotReviewed(path, why))
            continue
        module = _module(path, language, raw)
        lines = raw.decode("utf-8", "replace").split("\n")
        program.files[path] = File(path, language, raw, lines, module, is_test(path))
        if module.holes:
            shown = ", ".join(str(line) for line in sorted(set(module.holes))[:5])
            whole = len(module.holes) > MAX_HOLES or not module.body
            program.missed.append(
                NotReviewed(path, f"{'does' if whole else 'in part: does'} not parse at line {shown}")
            )
        if module.cut:
            program.missed.append(NotReviewed(path, "in part: nested too deep"))
    return program


def _refused(raw: bytes) -> str:
    if len(raw) > MAX_BYTES:
        return f"{len(raw)} bytes; at most {MAX_BYTES} are read"
    if b"\0" in raw:
        return "binary"
    if len(raw) > MAX_LINE_BYTES and max(map(len, raw.split(b"\n"))) > MAX_LINE_BYTES:
        return f"a line longer than {MAX_LINE_BYTES} bytes"
    return ""


def _module(path: str, language: str, raw: bytes) -> ir.Module:
    tree = parser("tsx" if path.endswith(".tsx") else language).parse(raw)
    name = "javascript" if language == "typescript" else language
    made = import_module(f"remit.code.review.lowering.{name}").lower(path, raw, tree)
    assert isinstance(made, ir.Module)
    made.language = language
    return made


@cache
def parser(language: str) -> Any:
    """The parser of a language."""
    try:
        from tree_sitter import Language, Parser

        if language in ("typescript", "tsx"):
            grammar = import_module("tree_sitter_typescript")
            return Parser(Language(getattr(grammar, f"language_{language}")()))
        return Parser(Language(import_module(f"tree_sitter_{language}").language()))
    except ImportError:
        raise Unavailable("extra_missing", "the parsers are not installed: pip install 'remit[code]'") from None


def modules_of(program: Program, language: str) -> dict[str, ModuleInfo]:
    """The modules of one language by their dotted name."""
    files = {path: file for path, file in program.files.items() if file.language == language}
    if language == "python":
        rows = [
            [node.level, node.module]
            for file in files.values()
            for node in file.module.body
            if isinstance(node, ir.Import)
        ]
        named = names_of(files, first_parts(rows))
        return {named[path][0]: ModuleInfo(file.module, *named[path]) for path, file in files.items()}
    return {_plain_name(path): ModuleInfo(file.module, _plain_name(path), False) for path, file in files.items()}


def _plain_name(path: str) -> str:
    return path.rpartition(".")[0].replace("/", ".").removesuffix(".index").removesuffix(".mod")
