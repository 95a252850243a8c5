"""Texts to facts: which language a path is, who lowers it, and what the store already knows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any, Final, NamedTuple

import msgspec

from remit.code.graph.tree import LANGUAGES
from remit.errors import Unavailable

Facts = list[Any]
Lowered = tuple[Facts | None, str]


class Language(NamedTuple):
    """A grammar and the module that makes facts of its trees."""

    grammar: str
    function: str
    lowering: str


BY_LANGUAGE: Final = {
    "python": Language("tree_sitter_python", "language", "remit.code.graph.python.lowering"),
    "go": Language("tree_sitter_go", "language", "remit.code.graph.go.lowering"),
    "javascript": Language("tree_sitter_javascript", "language", "remit.code.graph.javascript.lowering"),
    "typescript": Language("tree_sitter_typescript", "language_typescript", "remit.code.graph.javascript.lowering"),
    "tsx": Language("tree_sitter_typescript", "language_tsx", "remit.code.graph.javascript.lowering"),
    "rust": Language("tree_sitter_rust", "language", "remit.code.graph.rust.lowering"),
}
_ROOMS: Final = {"typescript": "javascript", "tsx": "javascript"}


def language_of(path: str) -> str:
    """The language of a path, as a key of BY_LANGUAGE; others have none."""
    return LANGUAGES.get(os.path.splitext(path)[1], "")


def room_of(path: str) -> str:
    """The languages whose files are solved together: python, go, javascript, rust."""
    language = language_of(path)
    return _ROOMS.get(language, language)


class Lowerer:
    """Makes facts of texts; parsers are loaded when a language is first met."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[Any, Callable[[bytes, Any], Lowered]]] = {}

    def lower(self, language: str, text: bytes) -> Lowered:
        """The facts of a text, or None and why it was not read."""
        made = self._made.get(language)
        if made is None:
            made = self._made[language] = _loaded(BY_LANGUAGE[language])
        return made[1](text, made[0])


def _loaded(language: Language) -> tuple[Any, Callable[[bytes, Any], Lowered]]:
    try:
        import tree_sitter

        grammar = getattr(import_module(language.grammar), language.function)()
    except ImportError:
        raise Unavailable("extra_missing", "the parsers are not installed: pip install 'remit[code]'") from None
    return tree_sitter.Parser(tree_sitter.Language(grammar)), import_module(language.lowering).lower


def lowered(paths: list[str], texts: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """(path, encoded (facts or None, why)) of texts: in processes of their own where there are many."""
    from remit.code.graph import workers

    if sum(len(texts[path]) for path in paths) >= workers.MIN_BYTES:
        for language in {language_of(path) for path in paths}:
            _loaded(BY_LANGUAGE[language])  # a missing parser is said here, not in a process
        work = [(at, language_of(path), texts[path]) for at, path in enumerate(paths)]
        yield from ((paths[at], raw) for at, raw in workers.lowered(work))
        return
    lowerer = Lowerer()
    for path in paths:
        yield path, msgspec.msgpack.encode(lowerer.lower(language_of(path), texts[path]))
