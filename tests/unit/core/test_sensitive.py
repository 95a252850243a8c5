"""remit.core.sensitive: what agents never read, and never write."""

from __future__ import annotations

import pytest

from remit.core.globs import compile_glob
from remit.core.sensitive import NOT_SENSITIVE, PROTECTED, SENSITIVE, is_protected, is_sensitive, sensitive_entry

READ = [
    ".env",
    "a/b/.env",
    "deploy/prod.env",
    ".ENV",
    ".env.production",
    ".ssh/id_rsa",
    "home/.ssh/config",
    "x/id_ed25519",
    "certs/server.key",
    "server.pem",
    ".aws/credentials",
    ".config/gcloud/x/y",
    ".netrc",
    ".git-credentials",
    ".npmrc",
    ".bash_history",
    ".mozilla/firefox/p/cookies.sqlite",
    ".git/hooks/pre-commit",
    ".git/hooks",
    ".git/modules/m/hooks/x",
    ".remit/journal.db",
    ".claude/settings.json",
    ".aider.conf.yml",
    "client_secret_1.json",
    ".kube/config",
    "t.tfstate",
]
HARMLESS = [
    ".env.example",
    ".env.sample",
    "src/env.py",
    "certifi/cacert.pem",
    "ssh/readme.md",
    ".git/config",
    "key.py",
    "remit.toml",
    "keys/README.md",
    "docs/credentials.md",
    ".github/workflows/ci.yml",
    "a/.gitignore",
    "environment",
]


@pytest.mark.parametrize("path", READ)
def test_sensitive(path: str) -> None:
    """Keys, credentials, profiles, histories, agent configuration and hooks are recognised at any depth."""
    assert is_sensitive(path)


@pytest.mark.parametrize("path", HARMLESS)
def test_harmless(path: str) -> None:
    """Ordinary project files are not taken for secrets."""
    assert not is_sensitive(path)


def test_a_public_name_in_a_secret_folder_stays_secret() -> None:
    """The exceptions excuse a file's own name, never the folder it lies in."""
    assert is_sensitive(".ssh/cacert.pem") is True
    assert is_sensitive("x/cacert.pem") is False


@pytest.mark.parametrize("path", [".git", ".git/config", "sub/.git/HEAD", "a/remit.toml", ".remit/x", ".GIT/config"])
def test_protected(path: str) -> None:
    """VCS state, remit.toml and remit's own folder are protected, nested ones too."""
    assert is_protected(path)


@pytest.mark.parametrize("path", [".gitignore", "git/config", "remit.toml.md", "x.git/config", ".github/a"])
def test_not_protected(path: str) -> None:
    """Names that only look alike are writable."""
    assert not is_protected(path)


def test_the_lists_are_usable() -> None:
    """At least 40 patterns; each compiles, is lower case and said once."""
    assert len(SENSITIVE) >= 40
    for patterns in (SENSITIVE, NOT_SENSITIVE, PROTECTED):
        assert len(set(patterns)) == len(patterns)
        assert all(compile_glob(pattern) and pattern == pattern.lower() for pattern in patterns)


@pytest.mark.parametrize("path", READ + HARMLESS)
def test_entry_by_entry(path: str) -> None:
    """A walk that stops at the first matching entry finds what is_sensitive says."""
    parts = path.split("/")
    found = any(sensitive_entry(parts[n], "/".join(parts[: n + 1])) for n in range(len(parts)))
    assert found is is_sensitive(path)
