"""Both journals keep the contract of the journal port."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remit.journal.open import open_journal
from remit.ports.clock import Clock
from remit.ports.conformance.journal import CHECKS
from remit.ports.journal import Journal


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_journal_conforms(check: Callable[[Any], None], kind: str, tmp_path: Path) -> None:
    """The check of the suite holds for this journal."""

    def make(clock: Clock) -> Journal:
        return open_journal("memory:" if kind == "memory" else f"sqlite:{tmp_path}/state/journal.db", clock)

    check(make)
