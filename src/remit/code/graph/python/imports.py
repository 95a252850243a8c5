"""Imports: modules of the project by their dotted name, everything else as something outside."""

from __future__ import annotations

from typing import Any

from remit.code.graph.python import objects as o
from remit.code.graph.python.attributes import module_attribute
from remit.code.graph.python.objects import NOTHING, Obj, Values
from remit.code.graph.python.scope import Scope


def find_module(scope: Scope, name: str) -> Obj | None:
    """A module by an absolute name."""
    for candidate in candidates(name, scope.module.name, scope.cells.root_name):
        found = scope.cells.module(candidate)
        if found is not None:
            return found
    return None


def candidates(name: str, importer: str, root_name: str) -> list[str]:
    """Where an absolute name may stand: as it is; without the root's own name; in a script's own folder."""
    made = [name]
    if root_name and (name == root_name or name.startswith(root_name + ".")):
        made.append(name[len(root_name) + 1 :])
    folder = importer.rpartition(".")[0]
    if folder:
        made.append(f"{folder}.{name}")
    return made


def import_modules(scope: Scope, ir: Any) -> None:
    """`import a.b`, `import a.b as c`."""
    for name, alias in ir[1]:
        whole = find_module(scope, name)
        make = scope.cells.make
        if alias:
            scope.bind(alias, frozenset((whole or make.get(o.EXT, name),)))
            continue
        first = name.split(".")[0]
        top = find_module(scope, first)
        if top is None and whole is not None:
            top = make.get(o.EXT, first)
        scope.bind(first, frozenset((top or make.get(o.EXT, first),)))


def import_from(scope: Scope, ir: Any) -> None:
    """`from ..a import b as c`, `from a import *`."""
    _, level, source, names, _ = ir
    name = absolute(scope.module.name, "package" in scope.module.marks, level, source)
    module = None if name is None else find_module(scope, name) if not level else scope.cells.module(name)
    for wanted, alias in names:
        if module is None:
            if alias != "*" and name:
                scope.bind(alias, _outside(scope, name, wanted))
        elif alias == "*":
            scope.cells.write(scope.module, "*", frozenset((module,)))
        else:
            scope.bind(alias, module_attribute(scope, module, wanted))


def _outside(scope: Scope, name: str, wanted: str) -> Values:
    """A name from something outside; a package without __init__ may be a folder of ours."""
    inside = scope.cells.module(f"{name}.{wanted}")
    if inside is not None:
        return frozenset((inside,))
    return frozenset((scope.cells.make.get(o.EXT, f"{name}.{wanted}"),)) if name else NOTHING


def absolute(module: str, package: bool, level: int, source: str) -> str | None:
    """The absolute name of a relative import; None above the root."""
    if not level:
        return source
    parts = module.split(".") if module else []
    if not package:
        parts = parts[:-1]
    up = level - 1
    if up > len(parts):
        return None
    parts = parts[: len(parts) - up] if up else parts
    return ".".join([*parts, source] if source else parts)
