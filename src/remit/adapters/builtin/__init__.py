"""Models in this process that need no key: one a file, listed by name and imported on use.

To add one, put a file that defines `MODEL` (a Model, ports/model.py) beside the others. Its name is
`builtin:` and the file's. Nothing that such a model is shown leaves the process.
"""

from __future__ import annotations

import importlib
import os

from remit.errors import Invalid
from remit.ports.model import Model


def names() -> tuple[str, ...]:
    """Every built-in model, sorted: the public files of this folder."""
    found = {file.partition(".")[0] for file in os.listdir(__path__[0]) if file.endswith((".py", ".pyc"))}
    return tuple(sorted(name for name in found if not name.startswith("_")))


def load(name: str) -> Model:
    """The model `builtin:NAME`; raises model_unknown with the names there are."""
    known = names()
    if name not in known:
        shown = ", ".join(f"builtin:{each}" for each in known)
        raise Invalid("model_unknown", f"there is no built-in model {name[:60]!r}", hint=f"Built in: {shown}")
    model: Model = importlib.import_module(f"{__name__}.{name}").MODEL
    return model
