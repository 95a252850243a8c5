"""T1 and T2 keep the contract of the code sandbox port."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from remit.adapters.sandboxes.monty import Monty
from remit.adapters.sandboxes.wasm import Wasm
from remit.ports.code_sandbox import CodeSandbox
from remit.ports.conformance.code_sandbox import CHECKS
from wasm_interpreter import interpreter_folder


@pytest.mark.parametrize("tier", ["T1", "T2"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_code_sandbox_conforms(check: Callable[[Callable[[], CodeSandbox]], None], tier: str) -> None:
    """The check of the suite holds for this tier."""
    folder = interpreter_folder() if tier == "T2" else ""

    def make() -> CodeSandbox:
        made: CodeSandbox = Monty() if tier == "T1" else Wasm(folder)
        assert made.tier == tier
        return made

    check(make)
