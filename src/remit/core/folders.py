"""Where remit keeps things, as plain paths: found out in every start, so without pathlib.

Source: XDG Base Directory Specification 0.8 (XDG_STATE_HOME, XDG_CONFIG_HOME).
"""

from __future__ import annotations

import os
from typing import Final

VAULT_FILE: Final = "vault.sealed"  # in the state folder; where it is missing there is no vault


def state_path() -> str:
    """The absolute path of the state folder; REMIT_STATE_DIR names another."""
    return _path("REMIT_STATE_DIR", "XDG_STATE_HOME", ".local/state")


def config_path() -> str:
    """The absolute path of the user's config folder; REMIT_CONFIG_DIR names another."""
    return _path("REMIT_CONFIG_DIR", "XDG_CONFIG_HOME", ".config")


def _path(own: str, xdg: str, below_home: str) -> str:
    if os.environ.get(own):
        return os.path.abspath(os.environ[own])
    base = os.environ.get(xdg, "")
    return os.path.join(base if base.startswith("/") else os.path.join(os.path.expanduser("~"), below_home), "remit")
