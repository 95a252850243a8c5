"""The emergency stop: levels, survival, and what cannot be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from remit.core.effects import Deny
from remit.errors import Denied
from remit.guard.estop import CHECK_S, EmergencyStop, Stop, StopLevel


class Ticks:
    """Monotonic seconds that move when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("level", "effects"), [("pause", True), ("effects", False), ("kill", False)])
def test_levels(tmp_path: Path, level: StopLevel, effects: bool) -> None:
    """Every level keeps runs from beginning; `effects` and `kill` refuse effects too."""
    EmergencyStop(str(tmp_path), Ticks()).set(Stop(level, "ann", "fire", 1))
    stop = EmergencyStop(str(tmp_path), Ticks())  # another process, or the same after a restart
    with pytest.raises(Denied, match="fire"):
        stop.check_start()
    assert (stop.check() is None) is effects
    assert stop.current() == Stop(level, "ann", "fire", 1)


def test_a_stop_is_seen_while_work_goes_on_and_lifted_by_hand_only(tmp_path: Path) -> None:
    """Another process sets it: it works within CHECK_S; it ends when it is lifted."""
    ticks = Ticks()
    mine, other = EmergencyStop(str(tmp_path), ticks), EmergencyStop(str(tmp_path), Ticks())
    assert mine.check() is None
    other.set(Stop("effects"))
    ticks.now += CHECK_S
    assert mine.check() == Deny("estop", "grant", "everything is stopped (effects)")
    assert other.lift() is True
    assert other.lift() is False
    ticks.now += CHECK_S
    assert mine.check() is None


@pytest.mark.parametrize("content", [b"", b"{", b'{"level":"none"}', b'{"level":"pause","x":1}', b"\xff" * 100_000])
def test_a_file_that_cannot_be_understood_stops_effects(tmp_path: Path, content: bytes) -> None:
    """An empty file made by hand, a damaged or a huge one: stopped, never ignored."""
    (tmp_path / "stop").write_bytes(content)
    found = EmergencyStop(str(tmp_path), Ticks()).current()
    assert found is not None
    assert found.level == "effects"


def test_something_else_in_its_place_stops_effects(tmp_path: Path) -> None:
    """A folder or a pipe where the file should be stops effects, without waiting for the pipe."""
    (tmp_path / "a" / "stop").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    os.mkfifo(tmp_path / "b" / "stop")
    for name in ("a", "b"):
        assert EmergencyStop(str(tmp_path / name), Ticks()).check() is not None


def test_no_state_folder_is_no_stop(tmp_path: Path) -> None:
    """A fresh install is not stopped, and looking makes no folder."""
    assert EmergencyStop(str(tmp_path / "none"), Ticks()).check() is None
    assert not (tmp_path / "none").exists()
