"""Structured output: the asked type as a schema, and a reply's text decoded to it strictly.

JSON is taken from a plain reply, from a fenced block, or from the first place in the text where a
whole JSON value of the right kind begins. What does not fit says where, for the model to mend.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from remit.core.model import OutputSpec
from remit.core.patterns import lazy

MAX_JSON_CHARS: Final = 1_000_000
_FENCE: Final = lazy(r"```(?:json|JSON)?[ \t]*\n(.*?)```", re.DOTALL)
_WRAP: Final = "value"  # providers ask for an object at the top; other types travel in this field


class OutputError(Exception):
    """The text does not fit; the message is for the model."""


class Output:
    """The asked type of an answer; `kind` None or str = plain text."""

    __slots__ = ("kind", "spec", "wrapped")

    def __init__(self, kind: Any = None) -> None:
        self.kind = kind
        self.spec: OutputSpec | None = None
        self.wrapped = False
        if kind is None or kind is str:
            return
        from remit.core.schema import type_schema

        schema = type_schema(kind)
        if schema.get("type") != "object":
            self.wrapped = True
            defs = schema.pop("$defs", None)
            schema = {"type": "object", "properties": {_WRAP: schema}, "required": [_WRAP]}
            if defs:
                schema["$defs"] = defs
        self.spec = OutputSpec(getattr(kind, "__name__", "answer"), schema)

    def decode(self, text: str) -> Any:
        """The typed value; raises OutputError with the path and what was expected."""
        if self.spec is None:
            return text
        from remit.core.schema import decode_as

        value = find_json(text)
        if self.wrapped and isinstance(value, dict) and set(value) == {_WRAP}:
            value = value[_WRAP]
        try:
            msgspec.json.encode(value)  # a lone surrogate could be decoded, but never journalled
            return decode_as(self.kind, value)
        except (ValueError, TypeError, RecursionError) as e:
            raise OutputError(str(e)[:800]) from e


def find_json(text: str) -> Any:
    """The JSON value in a reply; raises OutputError where there is none."""
    if len(text) > MAX_JSON_CHARS:
        raise OutputError(f"the answer has {len(text)} characters; at most {MAX_JSON_CHARS}")
    import json  # only typed answers need it

    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    for block in _FENCE.findall(text):
        try:
            return json.loads(block)
        except (ValueError, RecursionError):
            continue
    decoder = json.JSONDecoder()
    for found in list(re.finditer(r"[{\[]", text))[:200]:
        try:
            return decoder.raw_decode(text, found.start())[0]
        except (ValueError, RecursionError):
            continue
    raise OutputError("there is no JSON in the answer")


NO_OUTPUT: Final = Output()
