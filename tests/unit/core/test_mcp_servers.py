"""[[mcp]] of remit.toml: strict, with the place of each mistake, and never from an untrusted project."""

from __future__ import annotations

from pathlib import Path

import pytest

from remit.config import config_folder, load
from remit.errors import Invalid


def user_file(text: str) -> None:
    config_folder().mkdir(parents=True, exist_ok=True)
    (config_folder() / "remit.toml").write_text(text)


def test_servers_are_read_with_folders_of_the_file(tmp_path: Path) -> None:
    """Folders are relative to the file that names them; both kinds stand beside each other."""
    user_file('[[mcp]]\nname="files"\ncommand=["srv"]\nfolder="data"\n[[mcp]]\nname="docs"\nurl="https://x.org/mcp"\n')
    files, docs = load(str(tmp_path))["mcp"]
    assert (files.folder, docs.url) == (str(config_folder() / "data"), "https://x.org/mcp")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "either command or url"),
        ('command=["a"]\nurl="https://x.org/"', "either command or url"),
        ('url="file:///etc/passwd"', "mcp[0]"),
        ('url="https://x.org/"\nfolder="/"', "folder does not fit"),
        ('command=["a"]\nheaders={a="b"}', "headers does not fit"),
        ('command=["a"]\nwrite=["out/**"]', "write needs a folder"),
        ('command=["a"]\nenv={TOKEN="{{secret:x}}"}', "never gets secrets"),
        ('command=["a"]\nenv={"A B"="c"}', "cannot be set"),
        ('url="https://x.org/"\nheaders={Host="evil"}', "cannot be set"),
        ('url="https://x.org/"\nheaders={a="b\\nc"}', "cannot be set"),
        ('command=["a"]\nhosts=["a b"]', "mcp[0]"),
        ('command=["a"]\ntimeout_s=0', "timeout_s"),
        ('command=["a"]\nsandbox="off"', "unknown field"),
        ('command=["a"]\n[[mcp]]\nname="s"\ncommand=["b"]', "two servers"),
    ],
)
def test_mistakes_are_named(line: str, why: str, tmp_path: Path) -> None:
    """Every mistake is config_invalid when the file is read."""
    user_file(f'[[mcp]]\nname="s"\n{line}\n')
    with pytest.raises(Invalid) as caught:
        load(str(tmp_path))
    assert caught.value.code == "config_invalid"
    assert why in caught.value.message


@pytest.mark.parametrize("name", ["a__b", "A", "_a", "a_", "a-b", "", "x" * 25])
def test_names_that_could_be_read_in_two_ways_are_refused(name: str, tmp_path: Path) -> None:
    """A name has no double underscore: tool:mcp__a__* must not reach the server a__b."""
    user_file(f'[[mcp]]\nname="{name}"\ncommand=["a"]\n')
    with pytest.raises(Invalid):
        load(str(tmp_path))


def test_a_project_cannot_bring_servers(tmp_path: Path) -> None:
    """A cloned repository's file may not start or reach anything until it is trusted."""
    (tmp_path / "remit.toml").write_text('[[mcp]]\nname="evil"\ncommand=["sh"]\n')
    with pytest.raises(Invalid) as caught:
        load(str(tmp_path)).check()
    assert caught.value.code == "config_untrusted"
