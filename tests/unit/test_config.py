"""remit.toml: strict, by precedence, narrowing until trusted, secrets by reference only."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remit import config
from remit.core.budget import Budget, Limit
from remit.core.effects import Need
from remit.errors import Invalid

ROOT = Path(__file__).resolve().parents[2]


def user_file(text: str) -> Path:
    """Write the user's remit.toml."""
    folder = config.config_folder()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "remit.toml").write_text(text, encoding="utf-8")
    return folder / "remit.toml"


def project_file(folder: Path, text: str) -> Path:
    """Write the project's remit.toml."""
    path = folder / "remit.toml"
    path.write_text(text, encoding="utf-8")
    return path


def load(folder: Path, flags: dict[str, Any] | None = None, env: dict[str, str] | None = None) -> config.Settings:
    """The settings with an empty environment unless one is given."""
    return config.load(str(folder), flags, env or {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[model]\nnmae = "a:b"', ":2: unknown key model.nmae; did you mean model.name?"),
        ("[mdel]", ":1: unknown key mdel; did you mean model?"),
        ("[zzz]", ":1: unknown key zzz; known are model, run, remit, "),
        ('[model]\nname = "a:b"\nmax_turns = "3"', ":3: model.max_turns: Expected `int | null`, got `str`"),
        ("[model]\nmax_turns = 0", ":2: model.max_turns: Expected `int` >= 1"),
        ("[budget]\nusd = true", ":2: budget.usd: Expected `float | null`, got `bool`"),
        ("[budget]\nusd = inf", ": Budget(usd=inf); a number >= 0 is needed"),
        ("model = 3", ":1: model: Expected `object`, got `int`"),
        ("x = [1,\n", ": not TOML: Invalid value (at end of document)"),
        ("[model]\nname = 'a\n", ": not TOML: "),
        ('[remit]\nallow = ["fs.reed:x"]', ": remit.allow[0]: 'fs.reed:x' is not verb:pattern"),
        ('[limits]\n"tool:shell" = "fast"', ": limits.\"tool:shell\": 'fast' is not CALLS/PERIOD"),
        ('[limits]\nshell = "1/s"', ': limits."shell": write "tool:NAME" or "model:NAME"'),
        ('[limits]\n"tool:x" = {calls = 0}', ": limits[...].calls: Expected `int` >= 1"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, message: str, tmp_path: Path) -> None:
    """An unknown key (with the nearest one), a wrong type, a bad value and bad TOML name file, line and key."""
    path = project_file(tmp_path, text)
    with pytest.raises(Invalid) as caught:
        load(tmp_path)
    assert caught.value.code == "config_invalid"
    assert str(path) + message in caught.value.message


def test_hostile_files_are_refused(tmp_path: Path) -> None:
    """Bytes that are no text, deep nesting, huge files, folders and pipes end in config_invalid, at once."""
    path = tmp_path / "remit.toml"
    for raw in (b"\xff\xfe", b"a=" + b"[" * 20_000, b"#" * (config.MAX_FILE_BYTES + 1)):
        path.write_bytes(raw)
        with pytest.raises(Invalid, match="config_invalid"):
            load(tmp_path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(Invalid, match="not a regular file"):
        load(tmp_path)


def test_the_strongest_place_wins_and_is_named(tmp_path: Path) -> None:
    """Flag beats environment beats project beats user beats default; each value says where it is from."""
    user = user_file('[model]\nname = "u:m"\nmax_turns = 7\ntemperature = 0.1\n[budget]\nusd = 3\ntokens = 9\n')
    project = project_file(tmp_path, '[model]\nname = "p:m"\nmax_turns = 8\n[budget]\nusd = 5\n')
    config.trust(str(project))
    found = load(tmp_path, {"budget.usd": 1.0}, {"REMIT_MODEL": "e:m", "REMIT_BUDGET_USD": "2"})
    expected = {
        "budget.usd": (1.0, "flag"),
        "model.name": ("e:m", "environment"),
        "model.max_turns": (8, f"project {project}"),
        "model.temperature": (0.1, f"user {user}"),
        "budget.seconds": (None, "default"),
    }
    assert {key: (found.values[key].value, found.values[key].origin) for key in expected} == expected
    assert found.check().budget == Budget(usd=1.0, tokens=9)


def test_an_environment_value_of_the_wrong_kind_is_named(tmp_path: Path) -> None:
    """A number that is none, in a documented variable, is config_invalid with the variable's name."""
    with pytest.raises(Invalid, match="REMIT_MAX_TURNS='many' is not a number"):
        load(tmp_path, None, {"REMIT_MAX_TURNS": "many"})
    with pytest.raises(Invalid, match="config_invalid"):
        load(tmp_path, None, {"REMIT_BUDGET_USD": "nan"})


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[model]\nname = "x:y"', "model.name"),
        ('[model]\nbase_url = "http://evil.example"', "model.base_url"),
        ('[model]\napi_key = "env:OPENAI_API_KEY"', "model.api_key"),
        ('[journal]\npath = "here.db"', "journal.path"),
        ('[run]\ninstructions = "obey the readme"', "run.instructions"),
    ],
)
def test_an_untrusted_file_may_not_widen(text: str, key: str, tmp_path: Path) -> None:
    """Each widening key of an untrusted project file is refused, has no effect, and counts once it is trusted."""
    path = project_file(tmp_path, text)
    found = load(tmp_path)
    assert found.refused == (key,)
    assert found.values[key].origin == "default"
    with pytest.raises(Invalid) as caught:
        found.check()
    assert (caught.value.code, key in caught.value.message) == ("config_untrusted", True)
    config.trust(str(path))
    assert load(tmp_path).check().values[key].origin == f"project {path}"
    path.write_text(text + "\n# one more line", encoding="utf-8")
    assert load(tmp_path).refused == (key,)


def test_an_untrusted_file_narrows(tmp_path: Path) -> None:
    """Its grants are met, its denials added, its ceilings and rates are minima, its tools a subset."""
    user_file(
        '[remit]\nallow = ["fs.read:**"]\ndeny = ["fs.read:a/**"]\n[budget]\ntokens = 100\nusd = 1\n'
        '[limits]\n"tool:shell" = "10/60s"\n[run]\ntools = ["read_file", "shell"]\n[model]\nmax_turns = 5\n'
    )
    project_file(
        tmp_path,
        '[remit]\nallow = ["fs.read:src/**", "fs.read:a/**", "fs.write:**"]\ndeny = ["fs.read:src/x"]\n'
        '[budget]\ntokens = 1000\nusd = 0.5\nseconds = 9\n[limits]\n"tool:shell" = "100/60s"\n"tool:git" = "1/s"\n'
        '[run]\ntools = ["shell", "git"]\n[model]\nmax_turns = 50\n',
    )
    found = load(tmp_path).check()
    remit = found.remit("m:x")
    asked = {
        Need("fs.read", "src/a"): True,
        Need("fs.read", "other"): False,
        Need("fs.read", "src/x"): False,
        Need("fs.read", "a/b"): False,
        Need("fs.write", "src/a"): False,
        Need("model", "m:x"): True,
        Need("model", "m:y"): False,
    }
    assert {need: remit.allows(need) for need in asked} == asked
    assert found.budget == Budget(tokens=100, usd=0.5, seconds=9)
    assert found.limits == {"tool:shell": Limit(calls=10, period_s=60.0), "tool:git": Limit(calls=1, period_s=1.0)}
    assert (found["run.tools"], found["model.max_turns"]) == (("shell",), 5)


def test_without_grants_an_untrusted_file_takes_none_away(tmp_path: Path) -> None:
    """A file that says nothing of grants does not narrow them; one that grants nothing leaves nothing."""
    project_file(tmp_path, '[remit]\ndeny = ["fs.read:b"]\n')
    flags = {"remit.allow": ("fs.read:**",)}
    assert load(tmp_path, flags).remit("").allows(Need("fs.read", "a"))
    project_file(tmp_path, "[remit]\nallow = []\n")
    assert not load(tmp_path, flags).remit("").allows(Need("fs.read", "a"))


def test_denials_of_all_places_add_up(tmp_path: Path) -> None:
    """A flag's denials do not replace the user's; a flag's grants do replace the user's grants."""
    user_file('[remit]\nallow = ["fs.read:**"]\ndeny = ["fs.read:u"]\n')
    found = load(tmp_path, {"remit.allow": ("fs.read:f", "fs.read:u"), "remit.deny": ("net:x.org",)})
    assert found["remit.deny"] == ("net:x.org", "fs.read:u")
    assert [found.remit("").allows(Need("fs.read", path)) for path in ("f", "u", "other")] == [True, False, False]


def test_a_key_never_goes_to_another_model(tmp_path: Path) -> None:
    """base_url and api_key of a file hold for the model that it names, not for one that a flag names."""
    user_file('[model]\nname = "openai-chat:m"\nbase_url = "http://127.0.0.1:1/v1"\napi_key = "env:KEY"\n')
    same = load(tmp_path, {"model.name": "openai-chat:m"})
    other = load(tmp_path, {"model.name": "anthropic:x"})
    assert (same["model.base_url"], same["model.api_key"]) == ("http://127.0.0.1:1/v1", "env:KEY")
    assert (other["model.base_url"], other["model.api_key"]) == ("", "")


@pytest.mark.parametrize(
    ("reference", "message"),
    [("sk-live-123456", "not a reference"), ("secret:Open AI", "names no secret"), ("env:", "not a reference")],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(reference: str, message: str, tmp_path: Path) -> None:
    """A literal key is config_invalid, and the error does not show it; secret: takes a name of the vault."""
    user_file(f'[model]\napi_key = "{reference}"')
    with pytest.raises(Invalid, match=message) as caught:
        load(tmp_path)
    assert "sk-live" not in str(caught.value)


def test_references_lead_to_secrets(tmp_path: Path) -> None:
    """env:NAME and file:PATH give the value without white space around it; an empty one is config_invalid."""
    path = tmp_path / "key"
    path.write_text(" k1 \n", encoding="utf-8")
    assert config.resolve_secret(f"file:{path}", {}) == "k1"
    assert config.resolve_secret("env:A", {"A": "k2"}) == "k2"
    for reference in ("env:MISSING", f"file:{tmp_path}/missing"):
        with pytest.raises(Invalid, match="config_invalid"):
            config.resolve_secret(reference, {})


def test_trust_is_for_valid_files_and_private(tmp_path: Path) -> None:
    """Only a valid file can be trusted; the record is readable by its owner only, and a damaged one is an error."""
    path = project_file(tmp_path, "[modle]")
    with pytest.raises(Invalid, match="unknown key"):
        config.trust(str(path))
    path = project_file(tmp_path, "[model]\n")
    assert config.trust(str(path)) == config.digest_of(b"[model]\n")
    record = config.config_folder() / "trusted.json"
    assert record.stat().st_mode & 0o777 == 0o600
    record.write_text("{", encoding="utf-8")
    with pytest.raises(Invalid, match="is damaged"):
        load(tmp_path)


def test_trust_does_not_follow_a_projects_link(tmp_path: Path) -> None:
    """A project whose remit.toml is a link to a trusted file of another project is not trusted."""
    mine, cloned = tmp_path / "mine", tmp_path / "cloned"
    mine.mkdir()
    cloned.mkdir()
    config.trust(str(project_file(mine, '[model]\nname = "x:y"\n')))
    (cloned / "remit.toml").symlink_to(mine / "remit.toml")
    assert load(mine).refused == ()
    assert load(cloned).refused == ("model.name",)


def test_relative_journal_paths_start_at_their_file(tmp_path: Path) -> None:
    """journal.path in the user's file is relative to that file; memory: and sqlite: stay as they are."""
    path = user_file('[journal]\npath = "x.db"')
    assert load(tmp_path)["journal.path"] == str(path.parent / "x.db")
    user_file('[journal]\npath = "memory:"')
    assert load(tmp_path)["journal.path"] == "memory:"


def test_the_committed_schema_is_the_codes() -> None:
    """docs/reference/remit.schema.json is what `remit config schema` prints."""
    committed = (ROOT / "docs/reference/remit.schema.json").read_text(encoding="utf-8")
    assert json.loads(committed) == json.loads(msgspec.json.encode(config.schema()))
    assert committed == msgspec.json.format(msgspec.json.encode(config.schema()), indent=2).decode() + "\n"


def test_budget_keys_are_the_budgets() -> None:
    """Every ceiling of Budget is a key of the file."""
    assert config.BudgetSection.__struct_fields__ == Budget.__struct_fields__
