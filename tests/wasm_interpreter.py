"""Tier T2's interpreter for tests: built once for this user and recipe, and kept between sessions."""

from __future__ import annotations

import functools
import os
import tempfile

import pytest

from remit.adapters.sandboxes import component_build
from remit.adapters.sandboxes.wasm import Wasm
from remit.errors import RemitError


@functools.cache
def interpreter_trouble() -> str:
    """Why there is no interpreter here; empty when `interpreter_folder` holds one."""
    folder = _folder()
    wasm = Wasm(folder)
    if wasm.files.get(component_build.interpreter_name()) is not None:
        return ""
    try:
        wasm.keep_interpreter(component_build.build_interpreter())
    except RemitError as error:
        return f"tier T2 has no interpreter here: {error.message}; {error.hint}"
    return ""


def interpreter_folder() -> str:
    """The folder of a `Wasm` that has an interpreter; skips the test where none can be built."""
    if interpreter_trouble():
        pytest.skip(interpreter_trouble())
    return _folder()


def _folder() -> str:
    folder = os.path.join(tempfile.gettempdir(), f"remit-tests-{os.geteuid()}", "sandbox")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    if os.stat(os.path.dirname(folder)).st_uid != os.geteuid():
        pytest.skip("the folder of the tests' interpreter belongs to somebody else")
    return folder
