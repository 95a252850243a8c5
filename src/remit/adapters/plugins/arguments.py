"""Checks a tool's arguments against the JSON Schema of its manifest: the part of it that tools use.

Understood: type (one or several), properties, required, additionalProperties (true or false), items, enum, const,
minimum, maximum, minLength, maxLength, minItems, maxItems. A schema with any other validating keyword is refused when
the plugin is loaded, so that nothing which an author wrote is silently not checked.

Source: JSON Schema 2020-12, validation vocabulary.
"""

from __future__ import annotations

from typing import Any, Final

from remit.errors import Invalid

MAX_DEPTH: Final = 16
_SILENT: Final = frozenset({"title", "description", "default", "examples", "$schema", "deprecated"})
_KNOWN: Final = frozenset({"type", "properties", "required", "additionalProperties", "items", "enum", "const",
                           "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"})  # fmt: skip
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def check_schema(schema: Any, depth: int = 0) -> None:
    """Raises value_invalid for a schema that `check_arguments` would not follow in full."""
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        raise Invalid("value_invalid", "an input_schema is an object, nested at most 16 deep")
    unknown = sorted(schema.keys() - _KNOWN - _SILENT)
    if unknown:
        raise Invalid("value_invalid", f"an input_schema uses {unknown[0][:40]!r}, which is not checked here")
    if any(kind not in _TYPES for kind in _kinds(schema)):
        raise Invalid("value_invalid", "an input_schema names a type that JSON does not have")
    for inner in (*_properties(schema).values(), *([schema["items"]] if "items" in schema else [])):
        check_schema(inner, depth + 1)


def check_arguments(value: Any, schema: dict[str, Any], path: str = "$") -> None:
    """Raises arguments_invalid with the path of the first thing that does not fit."""
    kinds = _kinds(schema)
    if kinds and not any(_is(value, kind) for kind in kinds):
        raise Invalid("arguments_invalid", f"Expected {' or '.join(kinds)} - at `{path}`")
    if "enum" in schema and value not in schema["enum"]:
        raise Invalid("arguments_invalid", f"Expected one of {str(schema['enum'])[:200]} - at `{path}`")
    if "const" in schema and value != schema["const"]:
        raise Invalid("arguments_invalid", f"Expected {str(schema['const'])[:200]} - at `{path}`")
    _check_bounds(value, schema, path)
    if isinstance(value, dict):
        _check_object(value, schema, path)
    elif isinstance(value, list) and "items" in schema:
        for index, each in enumerate(value):
            check_arguments(each, schema["items"], f"{path}[{index}]")


def _check_object(value: dict[str, Any], schema: dict[str, Any], path: str) -> None:
    known = _properties(schema)
    for name in schema.get("required", ()):
        if name not in value:
            raise Invalid("arguments_invalid", f"Object missing required field `{name}` - at `{path}`")
    for name, each in value.items():
        if name in known:
            check_arguments(each, known[name], f"{path}.{name}")
        elif schema.get("additionalProperties", False) is False:
            raise Invalid("arguments_invalid", f"Object contains unknown field `{name[:60]}` - at `{path}`")


def _check_bounds(value: Any, schema: dict[str, Any], path: str) -> None:
    measured: Any = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        measured, low, high = value, "minimum", "maximum"
    elif isinstance(value, str):
        measured, low, high = len(value), "minLength", "maxLength"
    elif isinstance(value, list):
        measured, low, high = len(value), "minItems", "maxItems"
    else:
        return
    if low in schema and measured < schema[low]:
        raise Invalid("arguments_invalid", f"Expected {low} {schema[low]} - at `{path}`")
    if high in schema and measured > schema[high]:
        raise Invalid("arguments_invalid", f"Expected {high} {schema[high]} - at `{path}`")


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])


def _kinds(schema: dict[str, Any]) -> list[str]:
    kind = schema.get("type", [])
    return [kind] if isinstance(kind, str) else list(kind)


def _properties(schema: dict[str, Any]) -> dict[str, Any]:
    found = schema.get("properties", {})
    return found if isinstance(found, dict) else {}
