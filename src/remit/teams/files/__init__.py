"""Workflows as files: agents, teams, crews and graphs in YAML or TOML, checked strictly, the same as in code."""

from __future__ import annotations

from remit.teams.files.building import load_team, team_of
from remit.teams.files.reading import read_file

__all__ = ["load_team", "read_file", "team_of"]
