"""Where remit keeps things on this machine: the state folder (journals) and the config folder.

REMIT_STATE_DIR and REMIT_CONFIG_DIR name them; else the XDG folders. Source: XDG Base Directory
Specification 0.8 (XDG_STATE_HOME, XDG_CONFIG_HOME).
"""

from __future__ import annotations

import os
from pathlib import Path


def state_folder() -> Path:
    """Journals live here; made by the journal with mode 0700."""
    return _folder("REMIT_STATE_DIR", "XDG_STATE_HOME", ".local/state")


def config_folder() -> Path:
    """The user's own remit.toml and what they trust."""
    return _folder("REMIT_CONFIG_DIR", "XDG_CONFIG_HOME", ".config")


def _folder(own: str, xdg: str, below_home: str) -> Path:
    if os.environ.get(own):
        return Path(os.environ[own]).absolute()
    base = os.environ.get(xdg, "")
    return (Path(base) if base.startswith("/") else Path.home() / below_home) / "remit"
