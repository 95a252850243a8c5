"""An asked form, in words: for models and requests whose wire has no field for a JSON Schema."""

from __future__ import annotations

from typing import Final

from remit.core.model import OutputSpec
from remit.wire.reading import as_json

_ASKED: Final = (
    "Answer with one JSON value and nothing else: no words before or after it, no code fence. "
    "It must be valid against this JSON Schema:\n"
)


def instruction(output: OutputSpec) -> str:
    """What the system text says of the asked form."""
    return _ASKED + as_json(output.schema)
