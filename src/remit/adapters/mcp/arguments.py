"""Checks arguments against a server's JSON Schema, as far as it is understood, within bounds.

The server checks them again and in full; this check is for the model, which gets a clear error with a path, and it
keeps the size of what is sent bounded. Keywords that are not understood pass. A schema is a stranger's: its depth and
its steps are counted, references are not followed.

Source: JSON Schema 2020-12, validation vocabulary.
"""

from __future__ import annotations

from typing import Any, Final

from remit.errors import Invalid

MAX_DEPTH: Final = 32
MAX_STEPS: Final = 20_000
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def check_arguments(value: Any, schema: dict[str, Any]) -> None:
    """Raises arguments_invalid with the path of the first thing that does not fit."""
    if not isinstance(value, dict):
        raise Invalid("arguments_invalid", "Expected an object - at `$`")
    left: list[tuple[Any, Any, str, int]] = [(value, schema, "$", 0)]
    steps = 0
    while left:
        each, rule, path, depth = left.pop()
        steps += 1
        if steps > MAX_STEPS or depth > MAX_DEPTH:
            raise Invalid("arguments_invalid", f"the arguments are too many or nested too deeply - at `{path[:200]}`")
        if not isinstance(rule, dict):
            continue
        _check_one(each, rule, path)
        left += [(inner, its, f"{path}{step}", depth + 1) for inner, its, step in _inner(each, rule)]


def _check_one(value: Any, rule: dict[str, Any], path: str) -> None:
    kinds = rule.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    known = [kind for kind in kinds if isinstance(kind, str) and kind in _TYPES] if isinstance(kinds, list) else []
    if known and len(known) == len(kinds) and not any(_is(value, kind) for kind in known):
        raise Invalid("arguments_invalid", f"Expected {' or '.join(known)} - at `{path[:200]}`")
    if isinstance(rule.get("enum"), list) and value not in rule["enum"]:
        raise Invalid("arguments_invalid", f"Expected one of {str(rule['enum'])[:200]} - at `{path[:200]}`")
    if isinstance(value, dict):
        required = rule.get("required", [])
        for name in required if isinstance(required, list) else []:
            if name not in value:
                raise Invalid("arguments_invalid", f"Object missing required field `{name}` - at `{path[:200]}`")
        known_fields = rule.get("properties")
        if rule.get("additionalProperties") is False and isinstance(known_fields, dict):
            for name in value.keys() - known_fields.keys():
                raise Invalid("arguments_invalid", f"Object contains unknown field `{name[:60]}` - at `{path[:200]}`")


def _inner(value: Any, rule: dict[str, Any]) -> list[tuple[Any, Any, str]]:
    if isinstance(value, dict):
        fields = rule.get("properties")
        known = fields if isinstance(fields, dict) else {}
        return [(each, known.get(name, True), f".{name}") for name, each in value.items()]
    if isinstance(value, list):
        return [(each, rule.get("items", True), f"[{index}]") for index, each in enumerate(value)]
    return []


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[kind])
