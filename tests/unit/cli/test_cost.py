"""remit models route and remit cost: choices explained, caps and calls shown."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from remit.cli import main


def settings(text: str) -> None:
    """The user's own remit.toml."""
    folder = Path(os.environ["REMIT_CONFIG_DIR"])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "remit.toml").write_text(text, encoding="utf-8")


def result(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    """The final line of a command that ends well."""
    assert main([*arguments, "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def test_route_explains_the_choice_and_sends_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Every model of [router] is shown with its estimate; the plan names one of them."""
    settings('[router]\nmodels = ["openai:gpt-4o-mini", "anthropic:claude-opus-4-1"]\nstrategy = "tiered"\n')
    found = result(capsys, "models", "route", "say hello")
    assert (found["model"], found["strategy"]) == ("openai:gpt-4o-mini", "tiered")
    assert main(["models", "route", "say hello"]) == 0
    assert "claude-opus-4-1" in capsys.readouterr().out


def test_route_without_models_says_what_to_write(capsys: pytest.CaptureFixture[str]) -> None:
    """Without [router] the error names the section."""
    assert main(["models", "route", "say hello"]) == 2
    assert "[router] models" in capsys.readouterr().err


def test_cost_shows_caps_and_resets_them(capsys: pytest.CaptureFixture[str]) -> None:
    """With [cost] on the caps are shown; reset counts accounts; export has a header; off = an error."""
    settings("[cost]\non = true\nday_usd = 2.5\n")
    found = result(capsys, "cost", "status")
    caps = found["caps"]
    assert isinstance(caps, dict) and sorted(c["cap_usd"] for c in caps.values()) == [2.5, 100.0]
    assert result(capsys, "cost", "reset")["accounts"] == 0
    assert main(["cost", "export"]) == 0
    assert capsys.readouterr().out.startswith("run_id,key,at_ms")
    settings("")
    assert main(["cost", "reset"]) == 2
