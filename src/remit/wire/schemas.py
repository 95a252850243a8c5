"""JSON Schemas of an asked answer, in the form that a provider accepts.

The answer is validated by remit after it arrived, so a keyword that a provider refuses can be left
out of what it is sent without losing a check.
"""

from __future__ import annotations

import re
from typing import Any, Final

# Keywords outside Anthropic's subset for structured outputs; a request that holds one is refused.
# Source: Claude docs, "Structured outputs", JSON Schema limitations.
_UNSUPPORTED: Final = frozenset(
    (
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
        "contains",
        "patternProperties",
    )
)

_VALUES: Final = ("enum", "const", "required", "default", "examples")  # what they hold is no schema


def schema_name(name: str) -> str:
    """`name` in the alphabet that all families take: letters, digits, _ and -, at most 64."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64] or "output"


def is_strict(schema: Any) -> bool:
    """Whether OpenAI's strict mode takes `schema`: every object closed, every property required.

    Source: OpenAI docs, "Structured model outputs", supported schemas.
    """
    if type(schema) is list:
        return all(is_strict(item) for item in schema)
    if type(schema) is not dict:
        return True
    properties = schema.get("properties")
    if schema.get("type") == "object" or properties is not None:
        if schema.get("additionalProperties") is not False:
            return False
        if set(properties or ()) != set(schema.get("required") or ()):
            return False
    if "default" in schema or "oneOf" in schema:
        return False
    return all(is_strict(value) for key, value in schema.items() if key not in _VALUES)


def closed(schema: Any, names: bool = False) -> Any:
    """A copy with closed objects and without the keywords that Anthropic refuses.

    `names` = the keys of this object are property names, not keywords.
    """
    if type(schema) is list:
        return [closed(item) for item in schema]
    if type(schema) is not dict:
        return schema
    if names:
        return {key: closed(value) for key, value in schema.items()}
    copy = {
        key: value if key in _VALUES else closed(value, key in ("properties", "$defs", "definitions"))
        for key, value in schema.items()
        if key not in _UNSUPPORTED and not (key == "minItems" and value not in (0, 1))
    }
    if schema.get("type") == "object" or "properties" in schema:
        copy["additionalProperties"] = False
    return copy
