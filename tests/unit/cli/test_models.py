"""`remit models`: every provider listed with the name of its key, one model checked, actions found by file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from remit import cli
from remit.cli import models
from remit.testing import WireServer


def test_every_action_is_a_file() -> None:
    """The files beside models.py are its actions."""
    assert {"list", "check", "discover"} <= set(models.actions())


def test_list_names_keys_and_never_shows_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key is `set` or `not set`; its value is nowhere; prices, features and addresses are there."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-the-secret-4711")
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    assert cli.main(["models", "list", "--json"]) == 0
    out = capsys.readouterr().out
    rows = {row["name"]: row for row in json.loads(out)["providers"]}
    assert len(rows) >= 20 and "4711" not in out
    assert rows["openai"]["key"] == "OPENAI_API_KEY set" and rows["groq"]["key"] == "GROQ_API_KEY not set"
    assert rows["ollama"]["key"] == "none needed" and rows["ollama"]["local"] is True
    assert rows["openai"]["priced"] > 50 and "tools" in rows["google"]["supports"]
    assert cli.main(["models", "list", "opnai"]) == 2
    assert "openai" in capsys.readouterr().err


@pytest.mark.parametrize("wire", ["openai-chat", "gemini", "bedrock-converse"])
def test_check_asks_one_model(
    wire: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whole and streamed, with counts; a server that is not there is exit 5 with a hint."""
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("GEMINI_API_KEY", "k")
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "k")
    with WireServer(answer="ready") as server:
        argv = ["models", "check", f"{wire}:m", "--base-url", server.base_url(wire), "--json"]
        assert cli.main(argv) == 0
        found = json.loads(capsys.readouterr().out)
        assert (found["answer"], found["streamed"], found["input_tokens"]) == ("ready", True, 20)
        assert [asked.stream for asked in server.asked] == [False, True]


def test_a_check_is_journalled_and_its_policies_hold(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both calls are in the user's journal; a rule of the user's own file refuses a third one."""
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    with WireServer(answer="ready") as server:
        argv = ["models", "check", "openai-chat:m", "--base-url", server.base_url("openai-chat"), "--json"]
        assert cli.main(argv) == 0
        capsys.readouterr()
        assert cli.main(["runs", "--json"]) == 0
        runs = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [row["status"] for row in runs[:-1]] == ["ok", "ok"]
        folder = Path(os.environ["REMIT_CONFIG_DIR"])
        folder.mkdir(parents=True, exist_ok=True)
        rule = '{ match = "model:openai-chat:*", decision = "deny" }'
        text = f'[policy]\nmode = "custom"\notherwise = "allow"\nrules = [{rule}]\n'
        (folder / "remit.toml").write_text(text, encoding="utf-8")
        asked = len(server.asked)
        assert cli.main(argv) != 0
        assert len(server.asked) == asked
