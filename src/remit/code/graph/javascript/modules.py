"""What an import specifier means: files beside, packages of the code base, aliases of tsconfig.

Source: Node's module resolution (CommonJS and ES modules), package.json `main`, `module`, `exports`, `imports`;
tsconfig.json `baseUrl`, `paths`. A specifier that names nothing here is outside.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

ENDINGS: Final = (".js", ".ts", ".tsx", ".jsx", ".mjs", ".cjs", ".mts", ".cts", ".d.ts")
CONDITIONS: Final = ("import", "require", "node", "default", "module", "types")
MANIFESTS: Final = frozenset(["package.json", "tsconfig.json", "jsconfig.json"])
_COMPILED: Final = {".js": (".ts", ".tsx", ".jsx"), ".jsx": (".tsx",), ".mjs": (".mts",), ".cjs": (".cts",)}
_NOISE: Final = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/|,(?=\s*[}\]])', re.S)
MAX_MANIFEST: Final = 1_000_000


def stem(path: str) -> str:
    """The dotted name of a file: its path without the ending."""
    for ending in (".d.ts", *ENDINGS):
        if path.endswith(ending):
            return path[: -len(ending)].replace("/", ".")
    return path.replace("/", ".")


def manifest(raw: bytes) -> dict[str, Any]:
    """A manifest as an object; comments and last commas are allowed, what cannot be read is empty."""
    if len(raw) > MAX_MANIFEST:
        return {}
    try:
        found = msgspec.json.decode(raw)
    except RecursionError:
        return {}
    except (msgspec.DecodeError, UnicodeDecodeError):
        try:
            found = msgspec.json.decode(_NOISE.sub(lambda m: m[1] or "", raw.decode("utf-8", "replace")))
        except (msgspec.DecodeError, RecursionError):
            return {}
    return found if isinstance(found, dict) else {}


class Modules:
    """The files of a code base by what imports call them."""

    def __init__(self, files: Mapping[str, Any], manifests: Mapping[str, dict[str, Any]]) -> None:
        self.files = files
        self.packages: dict[str, tuple[str, dict[str, Any]]] = {}
        self.folders: dict[str, dict[str, Any]] = {}
        self.aliases: list[tuple[str, str, list[str]]] = []
        self.bases: list[tuple[str, str]] = []
        self.known: dict[tuple[str, str], str | None] = {}
        for path in sorted(manifests):
            folder, _, name = path.rpartition("/")
            one = manifests[path]
            if name == "package.json":
                self.folders[folder] = one
                if isinstance(one.get("name"), str):
                    self.packages.setdefault(one["name"], (folder, one))
            else:
                self._tsconfig(folder, one.get("compilerOptions"))

    def _tsconfig(self, folder: str, options: Any) -> None:
        if not isinstance(options, dict):
            return
        base = options.get("baseUrl")
        root = _join(folder, base) if isinstance(base, str) else folder
        if isinstance(base, str):
            self.bases.append((folder, root))
        paths = options.get("paths")
        for pattern, goals in paths.items() if isinstance(paths, dict) else ():
            if isinstance(goals, list):
                self.aliases.append((folder, pattern, [_join(root, g) for g in goals if isinstance(g, str)]))

    def resolve(self, importer: str, specifier: str) -> str | None:
        """The file that a specifier means, None outside the code base."""
        folder = importer.rpartition("/")[0]
        key = (folder, specifier)
        if key not in self.known:
            self.known[key] = self._resolve(folder, specifier.partition("?")[0])
        return self.known[key]

    def _resolve(self, folder: str, specifier: str) -> str | None:
        if specifier.startswith((".", "/")):
            return self._file(_join(folder, specifier) if specifier[0] == "." else specifier.lstrip("/"))
        if specifier.startswith("#"):
            return self._mapped_in(folder, specifier)
        for where, pattern, goals in self.aliases:
            near = not where or folder == where or folder.startswith(where + "/")
            rest = _match(pattern, specifier) if near else None
            for goal in goals if rest is not None else ():
                found = self._file(goal.replace("*", str(rest), 1))
                if found is not None:
                    return found
        found = self._package(specifier)
        for where, root in self.bases if found is None else ():
            if not where or folder == where or folder.startswith(where + "/"):
                found = found or self._file(_join(root, specifier))
        return found

    def _mapped_in(self, folder: str, specifier: str) -> str | None:
        """`#name`: the `imports` of the package around."""
        parts = folder.split("/")
        for at in range(len(parts), -1, -1):
            where = "/".join(parts[:at])
            if where in self.folders:
                goal = _mapped(self.folders[where].get("imports"), specifier)
                return self._file(_join(where, goal)) if goal else None
        return None

    def _package(self, specifier: str) -> str | None:
        parts = specifier.split("/")
        name = "/".join(parts[:2]) if specifier.startswith("@") else parts[0]
        if name not in self.packages:
            return None
        folder, one = self.packages[name]
        rest = specifier[len(name) + 1 :]
        goal = _mapped(one.get("exports"), f"./{rest}" if rest else ".")
        if goal:
            return self._file(_join(folder, goal))
        return self._file(_join(folder, rest)) if rest else self._folder(folder)

    def _folder(self, folder: str) -> str | None:
        """The main file of a folder."""
        one = self.folders.get(folder, {})
        for key in ("source", "module", "main"):
            goal = one.get(key)
            found = self._file(_join(folder, goal)) if isinstance(goal, str) and goal not in (".", "./") else None
            if found is not None:
                return found
        for ending in ENDINGS:
            found = f"{folder}/index{ending}" if folder else f"index{ending}"
            if found in self.files:
                return found
        return None

    def _file(self, path: str) -> str | None:
        if path in self.files:
            return path
        for ending in ENDINGS:
            if path + ending in self.files:
                return path + ending
        base, ending = posixpath.splitext(path)
        for other in _COMPILED.get(ending, ()):
            if base + other in self.files:
                return base + other
        for built, source in (("dist/", "src/"), ("lib/", "src/"), ("build/", "src/")):
            if f"/{built}" in f"/{path}" and not path.startswith(source):
                head, _, tail = f"/{path}".partition(f"/{built}")
                swapped = f"{head}/{source}{posixpath.splitext(tail)[0]}".lstrip("/")
                found = next((swapped + e for e in ENDINGS if swapped + e in self.files), None)
                if found is not None:
                    return found
        return self._folder(path) if path not in ("", ".") or "" in self.folders else self._folder("")


def _join(folder: str, path: str) -> str:
    made = posixpath.normpath(f"{folder}/{path}" if folder else path)
    return "" if made == "." else made.removeprefix("./")


def _match(pattern: str, specifier: str) -> str | None:
    """What `*` stands for, None where the pattern does not match."""
    head, star, tail = pattern.partition("*")
    if not star:
        return "" if pattern == specifier else None
    if len(specifier) >= len(head) + len(tail) and specifier.startswith(head) and specifier.endswith(tail):
        return specifier[len(head) : len(specifier) - len(tail)]
    return None


def _mapped(table: Any, wanted: str, depth: int = 0) -> str | None:
    """The goal of `exports` or `imports` for a subpath."""
    if isinstance(table, str):
        return table if wanted == "." else None
    if not isinstance(table, dict) or depth > 8:
        return None
    if not any(key.startswith((".", "#")) for key in table):
        return _goal(table, depth) if wanted == "." else None
    for key, value in table.items():
        rest = _match(key, wanted)
        goal = _goal(value, depth) if rest is not None else None
        if goal:
            return goal.replace("*", str(rest))
    return None


def _goal(value: Any, depth: int) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return next((g for g in (_goal(one, depth + 1) for one in value[:16]) if g), None) if depth < 8 else None
    if isinstance(value, dict) and depth < 8:
        return next((g for g in (_goal(value[c], depth + 1) for c in CONDITIONS if c in value) if g), None)
    return None
