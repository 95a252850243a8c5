"""Modules, names and implementations of a Rust tree.

A file's module follows from its path beneath the crate's `src` (`mod` declarations are not needed to find it). A name
is looked up in its module, then through `use`, globs and re-exports, as Rust does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from remit.code.graph.rust import facts as r

MAX_STEPS: Final = 24
"""Re-exports followed for one name."""
Item = tuple[str, str]
"""(module, name): names of one kind are unique there"""


def package_name(raw: bytes) -> str:
    """The name of a package in a Cargo.toml, '' without one."""
    import tomllib

    try:
        found = tomllib.loads(raw.decode("utf-8", "replace"))
    except (tomllib.TOMLDecodeError, RecursionError):
        return ""
    one = found.get("package")
    name = one.get("name") if isinstance(one, dict) else None
    return name.replace("-", "_") if isinstance(name, str) else ""


class Crates:
    """All crates of a tree."""

    def __init__(self, facts: Mapping[str, list[Any]], manifests: Mapping[str, bytes]) -> None:
        self.facts = facts
        named = {path.rpartition("/")[0]: package_name(raw) for path, raw in sorted(manifests.items())}
        self.packages = {folder: name for folder, name in named.items() if name}
        self.modules: dict[str, str] = {}
        self.types: dict[Item, tuple[str, list[Any]]] = {}
        self.traits: dict[Item, tuple[str, int]] = {}
        self.functions: dict[Item, tuple[str, int]] = {}
        self.constants: dict[Item, list[Any]] = {}
        self.uses: dict[str, list[tuple[list[str], str, bool]]] = {}
        self.roots: set[str] = set()
        self.methods: dict[Item, dict[str, tuple[str, int]]] = {}
        """methods of a type, its own before those of traits"""
        self.trait_methods: dict[Item, dict[str, tuple[str, int]]] = {}
        self.implementors: dict[Item, list[Item]] = {}
        self.implemented: dict[Item, list[Item]] = {}
        self.blankets: list[tuple[Item, str, int]] = []
        self.overrides: dict[tuple[Item, Item], dict[str, tuple[str, int]]] = {}
        """{(trait, type): its methods there}"""
        for path in sorted(facts):
            self._declare(path)
        for path in sorted(facts):
            self._implement(path)

    def _declare(self, path: str) -> None:
        base = self.modules[path] = self._module(path)
        one = self.facts[path]
        for module, _, _ in ((m, n, i) for m, n, i in one[r.R_MODS]):
            self.uses.setdefault(self.join(base, module), [])
        self.uses.setdefault(base, [])
        for module, name, inline in one[r.R_MODS]:
            if inline:
                self.uses.setdefault(self.join(base, f"{module}.{name}" if module else name), [])
        for module, used, alias, public, _ in one[r.R_USES]:
            self.uses.setdefault(self.join(base, module), []).append((used, alias, public))
        for row in one[r.R_TYPES]:
            self.types.setdefault((self.join(base, row[0]), row[1]), (path, row))
        for at, row in enumerate(one[r.R_TRAITS]):
            self.traits.setdefault((self.join(base, row[0]), row[1]), (path, at))
        for row in one[r.R_CONSTANTS]:
            self.constants.setdefault((self.join(base, row[0]), row[1]), row)
        for at, fact in enumerate(one[r.R_FUNCTIONS]):
            if fact[r.N_IMPL] < 0 and fact[r.N_TRAIT] < 0:
                self.functions.setdefault((self.join(base, fact[r.N_MODULE]), fact[r.N_NAME]), (path, at))

    def _module(self, path: str) -> str:
        """The dotted module of a file."""
        folder = path
        while folder and folder.rpartition("/")[0] not in self.packages and "/" in folder:
            folder = folder.rpartition("/")[0]
        package = folder.rpartition("/")[0] if folder else ""
        several = len(set(self.packages.values())) > 1
        root = self.packages.get(package, "crate") if several else "crate"
        rest = path[len(package) + 1 if package else 0 :].removesuffix(".rs").split("/")
        if rest[0] == "src":
            rest = rest[1:]
        if rest[-1] == "mod" or (len(rest) == 1 and rest[0] in ("main", "lib")):
            rest = rest[:-1]
        self.roots.add(root)
        return ".".join([root, *rest])

    @staticmethod
    def join(base: str, module: str) -> str:
        """A module inside a file's module."""
        return f"{base}.{module}" if module else base

    def root_of(self, module: str) -> str:
        """The crate of a module."""
        return module.partition(".")[0]

    def resolve(self, module: str, path: list[str], table: Mapping[Item, Any], steps: int = 0) -> Item | None:
        """The item of a table (types, traits, functions) that a path means in a module."""
        if steps > MAX_STEPS or not path:
            return None
        holder = self._holder(module, path[:-1], steps)
        return self._in(holder, path[-1], table, steps, len(path) == 1) if holder is not None else None

    def _holder(self, module: str, path: list[str], steps: int) -> str | None:
        """The module that the first parts of a path mean."""
        for at, part in enumerate(path):
            if part == "crate":
                module = self.root_of(module)
            elif part == "self":
                continue
            elif part == "super":
                module = module.rpartition(".")[0] or module
            else:
                found = self._child(module, part, steps, at == 0)
                if found is None:
                    return None
                module = found
        return module

    def _child(self, module: str, name: str, steps: int, first: bool) -> str | None:
        inner = f"{module}.{name}"
        if inner in self.uses:
            return inner
        if steps > MAX_STEPS:
            return None
        for path, alias, _ in self.uses.get(module, ()):
            if alias == name and path[-1:] != ["*"] and not (first and path == [name]):
                found = self._holder(module, path, steps + 1)
                if found is not None:
                    return found
        return name if first and name in self.roots else None

    def _in(self, module: str, name: str, table: Mapping[Item, Any], steps: int, own: bool) -> Item | None:
        if (module, name) in table:
            return module, name
        if steps > MAX_STEPS:
            return None
        globs = []
        for path, alias, _ in self.uses.get(module, ()):
            if alias == "*":
                globs.append(path)
            elif alias == name and path != [name]:
                found = self.resolve(module, path, table, steps + 1)
                if found is not None:
                    return found
        for path in globs:
            holder = self._holder(module, path, steps + 1)
            found = self._in(holder, name, table, steps + 4, False) if holder not in (None, module) and holder else None
            if found is not None:
                return found
        return None

    def _implement(self, path: str) -> None:
        one, base = self.facts[path], self.modules[path]
        places = [self._target(self.join(base, row[0]), row) for row in one[r.R_IMPLS]]
        for at, fact in enumerate(one[r.R_FUNCTIONS]):
            if fact[r.N_TRAIT] >= 0:
                row = one[r.R_TRAITS][fact[r.N_TRAIT]]
                key = (self.join(base, row[0]), row[1])
                self.trait_methods.setdefault(key, {})[fact[r.N_NAME]] = (path, at)
            elif fact[r.N_IMPL] >= 0:
                kind, trait = places[fact[r.N_IMPL]]
                if kind is not None and trait is not None:
                    self.overrides.setdefault((trait, kind), {})[fact[r.N_NAME]] = (path, at)
                if kind is not None:
                    methods = self.methods.setdefault(kind, {})
                    if trait is None or fact[r.N_NAME] not in methods:
                        methods[fact[r.N_NAME]] = (path, at)
        for kind, trait in places:
            if kind is not None and trait is not None and kind not in self.implementors.setdefault(trait, []):
                self.implementors[trait].append(kind)
                self.implemented.setdefault(kind, []).append(trait)

    def _target(self, module: str, row: list[Any]) -> tuple[Item | None, Item | None]:
        kind, trait = row[1], row[2]
        found = self.resolve(module, kind[1], self.types) if kind[0] == "p" else None
        if found is None and kind[0] == "p" and kind[1][-1] not in row[3]:
            found = ("std", kind[1][-1])  # a type from outside that a trait of ours is implemented for
        over = self.resolve(module, trait[1], self.traits) if trait is not None and trait[0] == "p" else None
        if found is None and kind[0] == "dyn" and kind[1]:
            found = self.resolve(module, kind[1][0][1], self.traits)
        return found, over

    def method(self, kind: Item, name: str) -> tuple[str, int] | None:
        """A method of a type: its own, of a trait's implementation, or a trait's default."""
        found = self.methods.get(kind, {}).get(name)
        if found is not None:
            return found
        for trait in self.implemented.get(kind, ()):
            found = self.trait_method(trait, name)
            if found is not None:
                return found
        return None

    def trait_method(self, trait: Item, name: str, steps: int = 0) -> tuple[str, int] | None:
        """A method that a trait, or one above it, declares."""
        found = self.trait_methods.get(trait, {}).get(name)
        if found is not None or steps > MAX_STEPS or trait not in self.traits:
            return found
        path, at = self.traits[trait]
        for one in self.facts[path][r.R_TRAITS][at][5]:
            above = self.resolve(trait[0], one[1], self.traits) if one[0] == "p" else None
            found = self.trait_method(above, name, steps + 1) if above is not None else None
            if found is not None:
                return found
        return None

    def dispatch(self, trait: Item, name: str) -> list[tuple[str, int]]:
        """All functions that a call through a trait may reach: every implementation, and a default that is used."""
        declared = self.trait_method(trait, name)
        if declared is None:
            return []
        path, at = declared
        fact = self.facts[path][r.R_FUNCTIONS][at]
        row = self.facts[path][r.R_TRAITS][fact[r.N_TRAIT]]
        home = (self.join(self.modules[path], row[0]), row[1])
        made: dict[tuple[str, int], None] = {}
        for kind in self.implementors.get(trait, ()):
            own = self.overrides.get((home, kind), {}).get(name)
            if own is not None or fact[r.N_BODY] is not None:
                made[own or declared] = None
        return list(made) or [declared]

    def name(self, path: str, at: int) -> str:
        """The dotted name of a function."""
        one = self.facts[path]
        fact = one[r.R_FUNCTIONS][at]
        base = self.join(self.modules[path], fact[r.N_MODULE])
        if fact[r.N_TRAIT] >= 0:
            base = f"{base}.{one[r.R_TRAITS][fact[r.N_TRAIT]][1]}"
        elif fact[r.N_IMPL] >= 0:
            row = one[r.R_IMPLS][fact[r.N_IMPL]]
            found = self._target(self.join(self.modules[path], row[0]), row)[0]
            kind = row[1]
            last = kind[1][-1] if kind[0] == "p" and kind[1] else kind[0]
            base = ".".join(found) if found is not None and found[0] != "std" else f"{base}.{last}"
        elif fact[r.N_OUTER]:
            base = f"{base}.{fact[r.N_OUTER]}"
        return f"{base}.{fact[r.N_NAME]}"
