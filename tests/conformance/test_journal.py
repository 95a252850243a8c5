"""Every journal keeps the contract of the journal port: in memory, in a file, encrypted, sealed, in Postgres."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remit.guard.keys import KeyRing
from remit.guard.keys_sources import LocalKey
from remit.guard.subjects import Subjects
from remit.journal.encrypted import AtRest
from remit.journal.open import open_journal
from remit.ports.clock import Clock
from remit.ports.conformance.journal import CHECKS
from remit.ports.journal import Journal

KEK = secrets.token_bytes(32)


def at_rest(kind: str, folder: Path) -> AtRest:
    """The protection of a file of this kind."""
    if kind == "sqlite":
        return AtRest()
    ring = KeyRing(f"{folder}/state", f"{folder}/config/anchor", lambda _: LocalKey(KEK))
    return AtRest(ring.keys("journal"), Subjects(ring, f"{folder}/state", sealing=kind == "sealed"))


@pytest.mark.parametrize("kind", ["memory", "sqlite", "encrypted", "sealed", "postgres", "postgres sealed"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_journal_conforms(
    check: Callable[[Any], None], kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The check of the suite holds for this journal."""
    server = request.getfixturevalue("postgres") if kind.startswith("postgres") else None

    def make(clock: Clock) -> Journal:
        if server is not None:
            sealed = (lambda: at_rest("sealed", tmp_path)) if "sealed" in kind else None
            return open_journal(server.address(), clock, sealed)
        if kind == "memory":
            return open_journal("memory:", clock)
        return open_journal(f"sqlite:{tmp_path}/state/journal.db", clock, lambda: at_rest(kind, tmp_path))

    check(make)
