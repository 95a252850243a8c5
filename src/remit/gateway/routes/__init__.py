"""The routes, an area a file: each file has ROUTES; the folder is the registry."""

from __future__ import annotations

import os
from importlib import import_module

from remit.gateway.calls import Row


def rows() -> tuple[Row, ...]:
    """Every route of every area, in the order of the files' names."""
    files = sorted(name[:-3] for name in os.listdir(os.path.dirname(__file__)) if name.endswith(".py"))
    areas = [import_module(f"{__name__}.{name}") for name in files if not name.startswith("_")]
    return tuple(row for area in areas for row in area.ROUTES)
