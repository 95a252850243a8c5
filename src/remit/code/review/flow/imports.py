"""Imports: files of the project by their dotted name, everything else by its name alone."""

from __future__ import annotations

from typing import Final

from remit.code.review import ir
from remit.code.review.flow.places import bind
from remit.code.review.flow.run import Run
from remit.code.review.flow.values import Frame, ModuleInfo, Value

MAX_IMPORTING: Final = 30
"""Modules that are run because one imports the next; those behind run later, and their names are not known yet."""


def run_module(run: Run, module: ModuleInfo) -> None:
    """Run a module's own level, once; in a cycle what is bound so far is what is seen."""
    from remit.code.review.flow.run import OutOfSteps
    from remit.code.review.flow.statements import execute

    if module.ran or run.importing >= MAX_IMPORTING:
        return
    module.ran = True
    run.importing += 1
    before = run.frame, run.state, run.steps, run.limit, run.stack, run.depth
    run.frame, run.state, run.steps, run.stack, run.depth = module.frame, run.root, 0, [], min(run.depth, 60)
    run.limit = 20_000 + 40 * len(module.module.body)
    module.frame.base = run.root
    try:
        execute(run, module.module.body)
    except OutOfSteps:
        module.module.cut = True
    finally:
        run.importing -= 1
        run.root.dead = False
        run.frame, run.state, run.steps, run.limit, run.stack, run.depth = before


def find(run: Run, name: str, importer: ModuleInfo) -> ModuleInfo | None:
    """A module of the project by an absolute name: as it is, or beside the importer; a path of JavaScript."""
    if name.startswith("."):
        folder = importer.name.split(".")[:-1]
        for part in name.split("/"):
            if part == "..":
                folder = folder[:-1]
            elif part != ".":
                folder = [*folder, part]
        whole: str = ".".join(folder)
        return run.modules.get(whole) or run.modules.get(whole.rpartition(".")[0])
    found = run.modules.get(name)
    if found is None:
        beside = importer.name if importer.package else importer.name.rpartition(".")[0]
        found = run.modules.get(f"{beside}.{name}") if beside else None
    return found


def absolute(module: ModuleInfo, level: int, source: str) -> str:
    """The absolute name of a relative import."""
    if not level:
        return source
    parts = module.name.split(".") if module.name else []
    if not module.package:
        parts = parts[:-1]
    parts = parts[: len(parts) - (level - 1)] if level > 1 else parts
    return ".".join([*parts, source] if source else parts)


def submodule(run: Run, module: ModuleInfo, name: str) -> Value | None:
    """A module beneath a package."""
    found = run.modules.get(f"{module.name}.{name}" if module.name else name)
    return Value(target=found, qual=found.name) if found is not None else None


def bring(run: Run, node: ir.Import) -> None:
    """Bind what an import names."""
    importer = run.frame.module
    name = absolute(importer, node.level, node.module)
    found = find(run, name, importer)
    for wanted, alias in node.names:
        if not wanted:
            _bring_module(run, name, alias, found)
        elif wanted == "*":
            _bring_all(run, name, found)
        elif found is not None:
            bind(run, alias, _member(run, found, name, wanted))
        else:
            inner = find(run, f"{name}.{wanted}", importer)
            qual = f"{name}.{wanted}" if name else wanted
            bind(run, alias, Value(target=inner, qual=qual))


def _bring_module(run: Run, name: str, alias: str, found: ModuleInfo | None) -> None:
    if alias:
        bind(run, alias, Value(target=found, qual=name))
        return
    first = name.split(".")[0]
    top = find(run, first, run.frame.module)
    bind(run, first, Value(target=top, qual=first))


def _member(run: Run, module: ModuleInfo, name: str, wanted: str) -> Value:
    run_module(run, module)
    value = run.state.get((module.frame.key, wanted))
    if value is not None:
        return value
    inner = submodule(run, module, wanted)
    return inner if inner is not None else Value(qual=f"{name}.{wanted}")


def _bring_all(run: Run, name: str, found: ModuleInfo | None) -> None:
    if found is None:
        bind(run, "*", Value(qual=name))
        return
    run_module(run, found)
    frame: Frame = found.frame
    for (key, known), value in list(run.root.vars.items()):
        if key == frame.key and not known.startswith("_"):
            bind(run, known, value)
