"""List, check and find models: every provider, its key, its features and its prices.

`remit models list` names every provider and whether its key is set (never the key). `remit models check PROVIDER:MODEL`
asks one model for one word. A further action is a file `_models_NAME.py` beside this one.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any, Final

_PREFIX: Final = "_models_"


def actions() -> tuple[str, ...]:
    """Every action, sorted: the files beside this one that begin with _models_."""
    files = [name[:-3] for name in os.listdir(os.path.dirname(__file__)) if name.endswith(".py")]
    return tuple(sorted(name.removeprefix(_PREFIX) for name in files if name.startswith(_PREFIX)))


def add(parser: Any) -> None:
    """The flags of every action; each file has a docstring, `add(parser)` and `run(args)`."""
    chosen = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name in actions():
        module = import_module(f"remit.cli.{_PREFIX}{name}")
        about = (module.__doc__ or "").strip()
        made = chosen.add_parser(name, help=about.partition("\n")[0], description=about, allow_abbrev=False)
        made.add_argument("--json", action="store_true", help="one result line on stdout")
        module.add(made)


def run(args: Any) -> int:
    """Do it."""
    code: int = import_module(f"remit.cli.{_PREFIX}{args.action}").run(args)
    return code
