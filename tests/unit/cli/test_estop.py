"""`remit cancel --all|--lift|--status` and `remit approve --code`: the emergency stop and the second factor."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from remit import Agent, Remit, tool
from remit.cli import main
from remit.config import config_folder, state_folder
from remit.core.messages import ToolCall
from remit.guard.estop import EmergencyStop
from remit.guard.totp import totp
from remit.runtime import Runtime
from remit.testing import FunctionModel


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, Any]:
    """Exit code and the last line as JSON."""
    code = main([*argv, "--json"])
    out = capsys.readouterr().out.strip().splitlines()
    return code, json.loads(out[-1]) if out else None


def test_stop_look_and_lift(capsys: pytest.CaptureFixture[str]) -> None:
    """Each level is set, seen by every process, and lifted by hand."""
    stop = EmergencyStop(str(state_folder()), lambda: 0.0)
    assert said(capsys, "cancel", "--status")[1]["level"] == ""
    for level in ("pause", "effects", "kill"):
        code, answer = said(capsys, "cancel", "--all", "--level", level, "--reason", "fire")
        assert (code, answer["level"], answer["ended"]) == (0, level, [])
        found = stop.read()
        assert found is not None
        assert (found.level, found.reason, found.by.startswith("user ")) == (level, "fire", True)
        assert said(capsys, "cancel", "--status")[1]["level"] == level
    assert said(capsys, "cancel", "--lift")[1]["lifted"] is True
    assert said(capsys, "cancel", "--lift")[1]["lifted"] is False
    assert stop.read() is None


@pytest.mark.parametrize("argv", [["cancel"], ["cancel", "--all", "--lift"], ["cancel", "run_x", "--all"]])
def test_wrong_combinations_are_usage_errors(argv: list[str]) -> None:
    """One thing at a time."""
    assert main(argv) == 2


def test_a_listed_call_is_approved_with_a_code_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the code nothing is answered; with it the answer says that a code was checked."""
    (tmp_path / "page.txt").write_text("pay 9")
    config_folder().mkdir(parents=True)
    (config_folder() / "remit.toml").write_text('[second_factor]\ntools = ["pay*"]\n')

    @tool(effect="unsafe")
    def pay(amount: int) -> str:
        """Pay."""
        return "paid"

    def model(request: Any) -> Any:
        first = ToolCall("1", "read_file", {"path": "page.txt"})
        return first if len(request.messages) == 1 else ToolCall("2", "pay", {"amount": 9})

    async def work() -> str:
        spec = f"sqlite:{state_folder()}/journal.db"
        agent = Agent("a", FunctionModel(model), tools=["read_file", pay], remit=Remit.allow("fs.read:**"))
        async with Runtime(spec, workspace=str(tmp_path)) as runtime:
            return (await runtime.run(agent, "go")).waiting_for[0]

    item = asyncio.run(work())
    assert main(["approve", "--enroll"]) == 0
    secret = base64.b32decode(parse_qs(urlsplit(capsys.readouterr().out.strip()).query)["secret"][0])
    assert main(["approve", "--enroll"]) == 3
    assert main(["approve", item]) == 3
    assert main(["approve", item, "--code", "000000"]) == 3
    capsys.readouterr()
    now_s = Runtime("memory:", tune_gc=False).clock.now_ms() // 1000
    code, answer = said(capsys, "approve", item, "--code", totp(secret, now_s))
    assert (code, answer["decision"]) == (0, "approved")
