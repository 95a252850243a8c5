"""remit models route and remit cost: choices explained, caps and calls shown."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from remit import Agent, Reply
from remit.cli import main
from remit.core.messages import Text
from remit.core.usage import Usage
from remit.runtime import Runtime
from remit.testing import FunctionModel


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
    assert found == result(capsys, "cost") == result(capsys, "cost", "--runs", "7", "status")
    caps = found["caps"]
    assert isinstance(caps, dict) and sorted(c["cap_usd"] for c in caps.values()) == [2.5, 100.0]
    assert result(capsys, "cost", "reset")["accounts"] == 0
    assert main(["cost", "export"]) == 0
    assert capsys.readouterr().out.startswith("run_id,key,at_ms")
    settings("")
    assert main(["cost", "reset"]) == 2


def test_what_was_spent_elsewhere_counts_against_the_caps(capsys: pytest.CaptureFixture[str]) -> None:
    """Recorded money is in the accounts that it falls into, for every later reading; other amounts are refused."""
    settings("[cost]\non = true\nday_usd = 2.5\n")
    found = result(capsys, "cost", "record", "1.25", "--model", "openai:gpt-4o", "--agent", "coder")
    caps = found["caps"]
    assert isinstance(caps, dict) and [c["spent_usd"] for c in caps.values()] == [1.25, 1.25]
    assert result(capsys, "cost", "record", "2")["caps"] != caps
    assert sorted(c["spent_usd"] for c in result(capsys, "cost")["caps"].values()) == [3.25, 3.25]  # type: ignore[attr-defined]
    for wrong in (("0",), ("-1",), ("nan",), ("inf",), ("1", "--model", "gpt")):
        assert main(["cost", "record", *wrong]) == 2
    assert result(capsys, "cost", "reset")["accounts"] == 2


def test_a_damaged_file_of_counters_can_be_given_up(capsys: pytest.CaptureFixture[str]) -> None:
    """Its error names the way, and the way works."""
    settings("[cost]\non = true\nday_usd = 2.5\n")
    result(capsys, "cost", "record", "1")
    file = next(Path(os.environ["REMIT_STATE_DIR"]).rglob("spending.json"))
    file.write_bytes(b"{")
    assert main(["cost"]) != 0 and main(["cost", "reset"]) != 0
    assert "remit cost reset --force" in capsys.readouterr().err
    result(capsys, "cost", "reset", "--force")
    assert result(capsys, "cost")["status"] == "ok"


def test_cost_shows_what_the_prompt_cache_saved(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """10,000 tokens at $3 a million: read for a tenth, written for a quarter more."""
    journal = f"sqlite:{tmp_path / 'j.db'}"
    usages = [Usage(10_000, 0, 10_000), Usage(10_000, 10_000), Usage(10_000)]

    async def main_() -> None:
        reply = FunctionModel(lambda _: Reply((Text("x"),), usage=usages.pop()), name="anthropic:claude-sonnet-4-5")
        async with Runtime(journal, tune_gc=False):
            for _ in range(3):
                assert (await Agent("a", model=reply).run("go")).status == "ok"

    asyncio.run(main_())
    found = result(capsys, "cost", "status", "--journal", journal)
    assert found["prompt_cache"] == {"read_tokens": 10_000, "written_tokens": 10_000, "saved_usd": 0.0195}
    assert main(["cost", "status", "--journal", journal]) == 0
    assert "10000 tokens read, 10000 written" in capsys.readouterr().out
