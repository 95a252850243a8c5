"""Symbols of a JavaScript or TypeScript file, from its facts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from remit.code.graph.javascript import facts as j
from remit.code.graph.javascript.modules import stem
from remit.code.graph.values import Symbol


def symbols_of(path: str, facts: list[Any]) -> Iterator[Symbol]:
    """The module itself, its classes, functions, interfaces and constants."""
    module = stem(path)
    language = "typescript" if path.endswith((".ts", ".tsx", ".mts", ".cts")) else "javascript"
    yield Symbol(module, "module", path, 1, facts[j.J_END], language=language, doc=facts[j.J_DOC])
    parameters = {fact[j.N_QUAL]: len(fact[j.N_PARAMS]) for fact in facts[j.J_FUNCTIONS]}
    for kind, qual, line, end, exported, head, parent, doc in facts[j.J_SYMBOLS]:
        name = qual.rpartition(".")[2]
        hidden = name.startswith(("_", "#")) or "private " in head[:40]
        visibility = "protected" if "protected " in head[:40] else "private" if hidden or not exported else "public"
        yield Symbol(f"{module}.{qual}", kind, path, line, end, visibility, language, head,
                     f"{module}.{parent}" if parent else module, doc,
                     tuple(f"p{at}" for at in range(parameters.get(qual, 0))))  # fmt: skip
