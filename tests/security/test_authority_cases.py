"""Random proofs of the algebra; `python tests/security/authority_cases.py` runs 10,000 of each."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from remit.core.grants import Grant
from remit.core.remit import Remit
from remit.core.rules import RuleIndex


def _cases() -> Any:
    name = "authority_cases"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


CASES = _cases()


@pytest.mark.parametrize("name", sorted(CASES.PROPERTIES))
def test_the_property_holds_over_random_cases(name: str) -> None:
    """No case breaks the property, and enough needs were reached for that to mean something."""
    found = CASES.prove(name, 400, seed=2)
    assert found["failed"] == []
    assert found["hits"] > 200


def test_denials_unplugged_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof fails when denials are not asked."""
    monkeypatch.setattr(Grant, "denies", lambda *_: False)
    only = Remit().deny("fs.read:**")
    assert only.ruling(CASES.needs.fs_read("a")).denied is False
    monkeypatch.undo()
    original = Remit.ruling

    def without_denials(self: Remit, *args: Any, **options: Any) -> Any:
        bare = Remit(tuple(type(layer)(layer.grants, ()) for layer in self.layers))
        return original(bare if self.layers and self.layers[0].grants is not None else self, *args, **options)

    monkeypatch.setattr(Remit, "ruling", without_denials)
    assert CASES.prove("denial_beats_grant", 60)["failed"] != []


def test_a_meet_that_forgets_the_parent_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof fails when a hand-down gives the child what it asks for."""
    monkeypatch.setattr(Remit, "meet", lambda self, requested: requested)
    assert CASES.prove("no_escalation", 60)["failed"] != []


def test_an_index_that_loses_rules_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof fails when the index leaves out what it has no fixed text for."""
    monkeypatch.setattr(RuleIndex, "candidates", lambda self, need: self.rules[:3])
    assert CASES.prove("index_is_exact", 60)["failed"] != []
