"""Builds WebAssembly components of Python source with componentize-py, and the interpreter of tier T2.

The recipe of the interpreter is in `guest/`: the interface (plugin.wit) and the program (interpreter.guest). With the
version of componentize-py it is the interpreter's name, so a change of either builds another one. The versions and
hashes that remit is tested with are in requirements/guest.txt. Same inputs, same behaviour; not the same bytes, because
componentize-py stores a heap that has seen the clock and a random hash seed.

The build runs as a process of its own with an empty environment, and sees only the folders it is given.
Source: componentize-py 0.25, `componentize-py --help`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess  # noqa: TID251 - this file owns the build process
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Final

from remit.errors import Invalid, Unavailable

FOLDER: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "guest")
INTERFACE: Final = "plugin.wit"
PROGRAM: Final = "interpreter.guest"
_NODE: Final = """import {{ writeFile }} from "node:fs/promises";
import {{ componentize }} from "@bytecodealliance/componentize-js";
const {{ component }} = await componentize({asked});
await writeFile({out}, component);"""
_JS_FEATURES: Final = (("random", "random"), ("clocks", "clock"))
BUILD_S: Final = 300.0
BUILDER: Final = "0.25.1"  # the version in requirements/guest.txt
MAX_WASM_BYTES: Final = 50 * 1024 * 1024
_START: Final = "import sys; sys.path.insert(0, sys.argv.pop(1)); import componentize_py; componentize_py.script()"


def interpreter_name() -> str:
    """The file name of the interpreter of this recipe."""
    recipe = hashlib.sha256(BUILDER.encode())
    for name in (INTERFACE, PROGRAM):
        with open(os.path.join(FOLDER, name), "rb") as file:
            recipe.update(hashlib.sha256(file.read()).digest())
    return f"python-{recipe.hexdigest()[:32]}.wasm"


def read_guest(name: str) -> str:
    """A file of the recipe."""
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        return file.read()


def build_interpreter() -> bytes:
    """The interpreter component; about ten seconds. Raises as `build_component`."""
    found = _builder_version()
    if found != BUILDER:
        raise Unavailable("program_missing", f"componentize-py {found} is not the pinned {BUILDER}", hint=_hint())
    return build_component({"code_guest.py": read_guest(PROGRAM)}, "code_guest", "code", ())


def build_component(sources: dict[str, str], module: str, world: str, imports: tuple[str, ...]) -> bytes:
    """A component of Python source.

    Args:
        sources: file name -> text of every module.
        module: the one that defines `class WitWorld(wit_world.WitWorld)`.
        world: world of plugin.wit.
        imports: remit's interfaces that a plugin's world imports; clock and random are part of WASI.

    Raises: Unavailable `program_missing` without componentize-py, `tool_failed` for a build that failed.
    """
    _builder_version()
    with tempfile.TemporaryDirectory(prefix="remit-build-") as folder:
        for name, text in {**sources, "wit/plugin.wit": world_text(imports)}.items():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        _run(folder, ["-d", "wit", "-w", world, "componentize", module, "-p", folder, "-o", "built.wasm"])
        with open(os.path.join(folder, "built.wasm"), "rb") as built:
            return built.read(MAX_WASM_BYTES + 1)


def build_javascript(folder: str, source: str, imports: tuple[str, ...]) -> bytes:
    """A component of one JavaScript module, with the componentize-js that lies in the folder's own node_modules.

    Args:
        folder: the plugin's folder, after `npm install` there.
        source: its module, relative to the folder.
        imports: as for `build_component`; what WASI would add (clocks, random, streams, HTTP) is left out.

    Raises: Unavailable `program_missing` without node or the package, Invalid `value_invalid` for a build that failed.
    """
    node = shutil.which("node")
    package = os.path.join(os.path.abspath(folder), "node_modules", "@bytecodealliance", "componentize-js")
    if node is None or not os.path.isdir(package):
        what = "node is not installed" if node is None else "componentize-js is not installed in the plugin's folder"
        raise Unavailable("program_missing", what, hint="Install node, then run `npm install` in the plugin's folder.")
    with tempfile.TemporaryDirectory(prefix="remit-build-") as work:
        os.mkdir(os.path.join(work, "wit"))
        with open(os.path.join(work, "wit", INTERFACE), "w", encoding="utf-8") as file:
            file.write(world_text(imports))
        off = ["stdio", "http", "fetch-event", *(f for f, grant in _JS_FEATURES if grant not in imports)]
        asked = json.dumps({"sourcePath": os.path.abspath(os.path.join(folder, source)), "witPath": f"{work}/wit",
                            "worldName": "plugin", "disableFeatures": off})  # fmt: skip
        script = _NODE.format(asked=asked, out=json.dumps(f"{work}/built.wasm"))
        _run_program([node, "--input-type=module", "--eval", script], os.path.abspath(folder))
        with open(os.path.join(work, "built.wasm"), "rb") as built:
            return built.read(MAX_WASM_BYTES + 1)


def world_text(imports: tuple[str, ...]) -> str:
    """plugin.wit with the imports of one plugin in its world."""
    lines = "".join(f"  import {name};\n" for name in sorted(imports) if name in ("log", "files", "http"))
    return read_guest(INTERFACE).replace("world plugin {\n", f"world plugin {{\n{lines}", 1)


def _run(folder: str, arguments: list[str]) -> None:
    spec = find_spec("componentize_py")
    assert spec and spec.origin  # _builder_version has seen it
    paths = os.path.dirname(os.path.dirname(os.path.abspath(spec.origin)))
    _run_program([sys.executable, "-I", "-c", _START, paths, *arguments], folder)


def _run_program(argv: list[str], folder: str) -> None:
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=folder,
        env={"PATH": os.devnull, "LANG": "C.UTF-8", "TMPDIR": folder},
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=BUILD_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise Unavailable("tool_failed", f"the build passed its {BUILD_S:g} s") from None
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    if process.returncode != 0:
        text = said.decode("utf-8", "replace").replace(folder, "").strip()
        raise Invalid("value_invalid", f"the component cannot be built: {text[-1500:]}")


def _builder_version() -> str:
    try:
        return version("componentize-py")
    except PackageNotFoundError:
        raise Unavailable("program_missing", "componentize-py is not installed", hint=_hint()) from None


def _hint() -> str:
    return f"Install it: pip install componentize-py=={BUILDER} (hashes: requirements/guest.txt)"
