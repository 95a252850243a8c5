"""An asked form, in words: for models and requests whose wire has no field for a JSON Schema."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from remit.core.messages import Message, Text
from remit.core.model import ModelRequest, OutputSpec
from remit.wire.reading import as_json

_ASKED: Final = (
    "Answer with one JSON value and nothing else: no words before or after it, no code fence. "
    "It must be valid against this JSON Schema:\n"
)


def instruction(output: OutputSpec) -> str:
    """What the system text says of the asked form."""
    return _ASKED + as_json(output.schema)


def in_words(request: ModelRequest) -> ModelRequest:
    """The request with its form asked for in a system message, and no field for it."""
    if request.output is None:
        return request
    asked = Message("system", (Text(instruction(request.output)),))
    return replace(request, messages=(asked, *request.messages), output=None)
