"""The reference pages say what the code says."""

from __future__ import annotations

import re

import pytest

from docs import generated
from docs.pages import ROOT, normalise, remit
from remit.core import needs
from remit.core.effects import Need
from remit.core.remit import Remit
from remit.errors import CODES

VERBS = ["demo", "run", "runs", "show", "watch", "inbox", "approve"]
VERBS += ["cancel", "audit", "doctor", "config", "init", "completion"]
GRANTS = ROOT / "docs/reference/grants.md"
EXAMPLE = re.compile(r"^\| `(?P<grant>[^`]+)` \| `(?P<covers>[^`]+)` \| `(?P<misses>[^`]+)` \|$", re.M)


def need_of(text: str) -> Need:
    """The need that an example writes as `verb resource`."""
    verb, _, resource = text.partition(" ")
    match verb:
        case "shell":
            return needs.shell(resource.split(" "))
        case "net":
            return needs.net(*resource.split(" "))
        case _:
            return Need(verb, resource)


def test_error_codes_page_is_complete() -> None:
    """docs/reference/errors.md is exactly what remit.errors.CODES holds."""
    assert generated.ERRORS.read_text(encoding="utf-8") == generated.error_page()
    assert all(f"`{code}`" in generated.error_page() for code in CODES)


def test_cli_page_is_what_help_prints() -> None:
    """docs/reference/cli.md holds the help of every verb, and every promised verb is there."""
    assert set(VERBS) <= set(generated.verbs())
    assert generated.CLI.read_text(encoding="utf-8") == generated.cli_page()


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str) -> None:
    """`remit VERB --help` prints its usage to stdout and exits 0."""
    done = remit(verb, "--help")
    assert done.returncode == 0, done.stderr
    assert f"remit {verb}" in done.stdout


@pytest.mark.parametrize("row", EXAMPLE.findall(GRANTS.read_text(encoding="utf-8")), ids=lambda row: row[0])
def test_grant_examples_hold(row: tuple[str, str, str]) -> None:
    """Each example of docs/reference/grants.md covers what it says and nothing of what it says it does not."""
    grant, covers, misses = row
    remit_of = Remit.allow(grant)
    assert remit_of.allows(need_of(covers)), f"{grant} does not cover {covers}"
    assert not remit_of.allows(need_of(misses)), f"{grant} covers {misses}"


def test_grant_examples_are_there() -> None:
    """The grants page has examples for every verb that is matched in its own way."""
    verbs = {row[0].partition(":")[0] for row in EXAMPLE.findall(GRANTS.read_text(encoding="utf-8"))}
    assert {"fs.read", "shell", "net", "tool", "model", "delegate"} <= verbs


def test_normalising_keeps_words() -> None:
    """What is compared after normalising still tells two outputs apart by their words."""
    assert normalise("took 1.25 s at /a/b/c") == normalise("took 13 s at /x/y")
    assert normalise("denied: not_granted") != normalise("denied: path_denied")


def test_every_configuration_key_is_documented() -> None:
    """Each key that `remit config show` prints stands on the configuration page."""
    page = (ROOT / "docs/reference/config.md").read_text(encoding="utf-8")
    done = remit("config", "show")
    assert done.returncode == 0, done.stderr
    keys = set(re.findall(r"^\s*([a-z_]+(?:\.[a-z_]+)+)\b", done.stdout, re.M))
    assert len(keys) >= 3, done.stdout
    assert {key for key in keys if f"`{key}`" not in page} == set()
