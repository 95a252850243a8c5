"""Paths that no agent reads, or writes, unless a grant names them exactly.

`SENSITIVE` is never read: keys, credentials, browser profiles, shell histories, the configuration of
agents and VCS hooks. `PROTECTED` is never written: what decides what runs later on the user's machine
or what an agent may do. The gate asks `is_sensitive` and `is_protected`; the sandboxes mask by them.

Both are matched without regard to case (case-insensitive file systems, and a name in capitals is still
a secret) on the path and on every folder above it.

Source: gitleaks' and trufflehog's path rules, GitHub's gitignore templates, the sensitive-file lists of
LinPEAS, OpenSSH's FILES section, docs of the named tools (aws, gcloud, kubectl, docker, npm, pip, ...).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from remit.core.globs import GlobSet

SENSITIVE: Final[tuple[str, ...]] = (
    # environment files
    "**/.env",
    "**/*.env",
    "**/.env.local",
    "**/.env.*.local",
    "**/.env.dev",
    "**/.env.development",
    "**/.env.staging",
    "**/.env.test",
    "**/.env.prod",
    "**/.env.production",
    "**/.env.bak",
    "**/.env.old",
    "**/.env.backup",
    "**/.envrc",
    "**/.dev.vars",
    # private keys and key stores
    "**/.ssh/**",
    "**/id_rsa",
    "**/id_dsa",
    "**/id_ecdsa",
    "**/id_ecdsa_sk",
    "**/id_ed25519",
    "**/id_ed25519_sk",
    "**/*.pem",
    "**/*.key",
    "**/*.ppk",
    "**/*.p8",
    "**/*.p12",
    "**/*.pfx",
    "**/*.jks",
    "**/*.keystore",
    "**/*.kdbx",
    "**/*.asc.key",
    "**/*.age.key",
    "**/*.ovpn",
    "**/.gnupg/**",
    "**/.password-store/**",
    "**/.local/share/keyrings/**",
    "**/library/keychains/**",
    "**/ssh_host_*_key",
    # credentials of tools and clouds
    "**/.netrc",
    "**/_netrc",
    "**/.git-credentials",
    "**/.pypirc",
    "**/.npmrc",
    "**/.yarnrc.yml",
    "**/.pgpass",
    "**/.my.cnf",
    "**/.htpasswd",
    "**/.aws/**",
    "**/.azure/**",
    "**/.config/gcloud/**",
    "**/.config/gh/**",
    "**/.config/hub",
    "**/.config/op/**",
    "**/.config/rclone/**",
    "**/.docker/config.json",
    "**/.dockercfg",
    "**/.kube/**",
    "**/kubeconfig",
    "**/.terraform.d/credentials.tfrc.json",
    "**/.terraformrc",
    "**/*.tfstate",
    "**/*.tfstate.backup",
    "**/.vault-token",
    "**/.boto",
    "**/.s3cfg",
    "**/.cargo/credentials",
    "**/.cargo/credentials.toml",
    "**/.gem/credentials",
    "**/.m2/settings.xml",
    "**/.gradle/gradle.properties",
    "**/.composer/auth.json",
    "**/.databrickscfg",
    "**/.snowflake/**",
    "**/.huggingface/token",
    "**/.cache/huggingface/token",
    "**/.kaggle/kaggle.json",
    "**/.streamlit/secrets.toml",
    "**/service-account*.json",
    "**/client_secret*.json",
    "**/credentials.json",
    "**/application_default_credentials.json",
    "**/secrets.yml",
    "**/secrets.yaml",
    "**/secrets.json",
    "**/secrets.toml",
    "**/master.key",
    "**/wp-config.php",
    "**/.secrets/**",
    # browser and mail profiles
    "**/.mozilla/**",
    "**/.config/google-chrome/**",
    "**/.config/chromium/**",
    "**/.config/bravesoftware/**",
    "**/.config/microsoft-edge/**",
    "**/library/application support/google/chrome/**",
    "**/.thunderbird/**",
    "**/cookies.sqlite",
    "**/logins.json",
    "**/key4.db",
    "**/login data",
    # histories
    "**/.bash_history",
    "**/.zsh_history",
    "**/.histfile",
    "**/.ash_history",
    "**/.local/share/fish/fish_history",
    "**/.python_history",
    "**/.node_repl_history",
    "**/.psql_history",
    "**/.mysql_history",
    "**/.sqlite_history",
    "**/.rediscli_history",
    "**/.lesshst",
    "**/.viminfo",
    # configuration of agents, remit's own state
    "**/.remit/**",
    "**/.claude/**",
    "**/.codex/**",
    "**/.cursor/mcp.json",
    "**/.gemini/**",
    "**/.continue/**",
    "**/.aider*",
    "**/.mcp.json",
    "**/.config/github-copilot/**",
    # VCS hooks
    "**/.git/hooks/**",
    "**/.git/modules/**/hooks/**",
    "**/.hg/hgrc",
)

# Public certificates that many trees ship under a name that SENSITIVE would take for a key.
NOT_SENSITIVE: Final[tuple[str, ...]] = ("**/cacert.pem", "**/cacerts.pem", "**/fullchain.pem", "**/example.env")

PROTECTED: Final[tuple[str, ...]] = (
    "**/.git/**",
    "**/.hg/**",
    "**/.svn/**",
    "**/.remit/**",
    "**/remit.toml",
)


@lru_cache(maxsize=1)
def _sets() -> tuple[GlobSet, GlobSet, GlobSet]:
    """The compiled lists, made at the first question and not at import."""
    return GlobSet(SENSITIVE), GlobSet(NOT_SENSITIVE), GlobSet(PROTECTED)


def sensitive_entry(name: str, path: str) -> bool:
    """`is_sensitive` for a walk from the top that stops at a match: the folders above `path` are known not to match."""
    sensitive, harmless, _ = _sets()
    name, path = name.lower(), path.lower()
    return sensitive.match_entry(name, path) and not harmless.match_entry(name, path)


@lru_cache(maxsize=16384)
def is_sensitive(relpath: str) -> bool:
    """Whether `relpath` (slash-separated, beneath the workspace) holds, or lies in, what no agent reads."""
    sensitive, harmless, _ = _sets()
    path = relpath.lower()
    folder, _slash, name = path.rpartition("/")
    return sensitive.match(path) and (not harmless.match_entry(name, path) or sensitive.match(folder))


@lru_cache(maxsize=16384)
def is_protected(relpath: str) -> bool:
    """Whether `relpath` is, or lies in, what no agent writes: VCS state, remit.toml, remit's own folder."""
    return _sets()[2].match(relpath.lower())
