"""Planted secrets are used where they are bound and found nowhere; the whole proof is `canaries.py` itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent / "canaries.py"

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]


def figure(*flags: str) -> dict[str, Any]:
    command = [sys.executable, str(SCRIPT), "--secrets", "5", "--runs", "14", *flags]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_no_planted_secret_is_found() -> None:
    """Models that try everything use the values at the bound server, and no value is found anywhere else."""
    found = figure()
    assert (found["found"], found["where"], found["runs"], found["core_limit"]) == (0, {}, 14, 0)
    assert found["used"] >= 5 and found["places"] > 10


def test_without_the_masks_they_are_found() -> None:
    """With the masks unplugged the same runs leave values in prompts, journal and files: the search sees them."""
    found = figure("--unplug", "masks")
    assert found["found"] > 20 and any(place.startswith("prompts") for place in found["where"])
