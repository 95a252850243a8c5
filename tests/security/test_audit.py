"""The audit log under attack: edits are found and located, and each mechanism is missed when it is gone."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

import remit.journal.log_check as log_check
from remit.journal.log_check import LogCheck
from security import audit_edits

Unplug = Callable[[pytest.MonkeyPatch], None]


def test_edits_are_found_and_located() -> None:
    """Every kind of edit, 8 times each: all found, all located, and the file without an edit is intact."""
    kinds = len(audit_edits.LOCATED) + len(audit_edits.FOUND)
    figures = audit_edits.main(8 * kinds, 11)
    assert {name: figures[name] for name in ("edits", "found", "located", "intact")} == {
        "edits": 8 * kinds,
        "found": 8 * kinds,
        "located": 8 * kinds,
        "intact": True,
    }


def _no_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(LogCheck, "kept", lambda *_: 0)


def _no_signatures(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(log_check, "is_signed", lambda *_: True)


def _no_leaves(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(LogCheck, "events", lambda _: None)


def _no_places(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(LogCheck, "place", lambda *_: ("unknown", 0))


@pytest.mark.parametrize(
    ("unplug", "kind"),
    [
        (_no_kept, "cut_log"),
        (_no_signatures, "flip_checkpoint"),
        (_no_leaves, "edit_and_chain"),
        (_no_leaves, "delete_run"),
        (_no_leaves, "cut_run"),
        (_no_places, "delete_run"),
        (_no_places, "cut_run"),
    ],
)
def test_without_its_mechanism_an_edit_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unplug: Unplug, kind: str
) -> None:
    """The copy outside, the signature, the leaf hashes, the places: none of them is for show."""
    image, path, place = audit_edits.make(tmp_path)

    def missed() -> int:
        """Attacks of this kind that are not found, or not located."""
        rng, count = random.Random(2), 0
        for _ in range(12):
            problems, where = audit_edits.attack(image, path, place, kind, rng)
            named = where is None or any(f"run {where[0]} seq {where[1]}:" in problem for problem in problems)
            count += not problems or not named
        return count

    assert missed() == 0
    unplug(monkeypatch)
    assert missed() > 0
