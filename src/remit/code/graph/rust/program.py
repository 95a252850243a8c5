"""All Rust files together: their calls, imports and symbols."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from remit.code.graph.rust import facts as r
from remit.code.graph.rust.bodies import Body, Place
from remit.code.graph.rust.crates import Crates
from remit.code.graph.values import Dependency, Edge, Symbol

MAX_ROUNDS: Final = 4
"""Rounds over all bodies, until no further function reaches a parameter."""


class RustCode:
    """A solved Rust tree."""

    def __init__(self, facts: Mapping[str, list[Any]], manifests: Mapping[str, bytes]) -> None:
        self.facts = facts
        self.crates = Crates(facts, manifests)

    def edges(self) -> list[Edge]:
        """The calls, in the order of files and lines."""
        passed: dict[tuple[str, int, int], dict[Place, None]] = {}
        made: dict[Edge, None] = {}
        for _ in range(MAX_ROUNDS):
            before = sum(len(one) for one in passed.values())
            made = {}
            for path in sorted(self.facts):
                for at, fact in enumerate(self.facts[path][r.R_FUNCTIONS]):
                    if fact[r.N_BODY] is not None:
                        body = Body(self.crates, path, at, passed)
                        body.walk()
                        made.update(body.edges)
            if sum(len(one) for one in passed.values()) == before:
                break
        return sorted(made, key=lambda e: (e.file, e.line, e.caller, e.callee, e.reason))

    def dependencies(self) -> list[Dependency]:
        """`use` declarations, and the file of the module that they name."""
        files = {module: path for path, module in sorted(self.crates.modules.items(), reverse=True)}
        made = []
        for path in sorted(self.facts):
            for module, used, alias, _, line in self.facts[path][r.R_USES]:
                home = self.crates.join(self.crates.modules[path], module)
                inside = self._file(home, used, files)
                names = (used[-1],) if alias != "*" else ("*",)
                made.append(Dependency(path, "::".join(used if alias == "*" else used[:-1]), names, line, inside))
        return made

    def _file(self, home: str, used: list[str], files: Mapping[str, str]) -> str | None:
        for end in (len(used), len(used) - 1):
            found = self.crates._holder(home, used[:end], 0) if end else None
            while found and found not in files and "." in found:
                found = found.rpartition(".")[0]
            if found is not None and found in files:
                return files[found]
        return None

    def symbols(self, path: str) -> Iterator[Symbol]:
        """The symbols of a file."""
        one, base = self.facts[path], self.crates.modules[path]
        yield Symbol(base, "module", path, 1, one[r.R_END], language="rust", doc=one[r.R_DOC])
        for row in one[r.R_TYPES]:
            parent = self.crates.join(base, row[0])
            yield Symbol(
                f"{parent}.{row[1]}", row[2], path, row[3], row[4], _seen(row[5]), "rust", row[9], parent, row[10]
            )
        for row in one[r.R_TRAITS]:
            parent = self.crates.join(base, row[0])
            yield Symbol(f"{parent}.{row[1]}", "trait", path, row[2], row[3], _seen(row[4]), "rust", f"trait {row[1]}",
                         parent, row[6])  # fmt: skip
        for row in one[r.R_CONSTANTS]:
            parent = self.crates.join(base, row[0])
            yield Symbol(f"{parent}.{row[1]}", "constant", path, row[4], row[4], _seen(row[5]), "rust", parent=parent)
        for at, fact in enumerate(one[r.R_FUNCTIONS]):
            name = self.crates.name(path, at)
            kind = "method" if fact[r.N_IMPL] >= 0 or fact[r.N_TRAIT] >= 0 else "function"
            yield Symbol(name, kind, path, fact[r.N_LINE], fact[r.N_END], _seen(fact[r.N_PUBLIC]), "rust",
                         fact[r.N_HEAD], name.rpartition(".")[0], fact[r.N_DOC],
                         tuple(p[0][1] if p[0][0] == "bind" else "_" for p in fact[r.N_PARAMS]),
                         tuple(fact[r.N_MARKS]))  # fmt: skip


def _seen(public: bool) -> str:
    return "public" if public else "private"
