"""Checks of an answer before it is taken from a cheap model: its asked form, its tool calls, an own judge."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from remit.core.model import ModelRequest, Reply
from remit.core.output import find_json
from remit.errors import RemitError
from remit.models.policy import Judge

MAX_DEPTH: Final = 32
_KINDS: Final[dict[str, type | tuple[type, ...]]] = {
    "object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float),
    "null": type(None),
}  # fmt: skip


def check_name(request: ModelRequest, judge: Judge | None) -> str:
    """What can judge answers to this request: own:NAME, schema, calls; "" = nothing can."""
    if judge is not None:
        return f"own:{getattr(judge, '__name__', 'judge')}"[:64]
    if request.output is not None:
        return "schema"
    return "calls" if request.tools else ""


def verdict(request: ModelRequest, reply: Reply, judge: Judge | None) -> bool | None:
    """Whether the answer may be taken; None = nothing can say."""
    if reply.stop_reason in ("refusal", "content_filter", "error", "max_tokens"):
        return False
    if reply.tool_calls:
        return calls_fit(request, reply)
    if judge is not None:
        return judge(request, reply)
    if request.output is not None:
        try:
            return fits(find_json(reply.text), request.output.schema)
        except (RemitError, ValueError, RecursionError):
            return False
    return None if reply.text.strip() else False


def calls_fit(request: ModelRequest, reply: Reply) -> bool:
    """Whether every call names an offered tool and its arguments fit the tool's schema."""
    tools = {tool.name: tool.schema for tool in request.tools}
    return all(
        not call.invalid and call.name in tools and fits(call.arguments, tools[call.name]) for call in reply.tool_calls
    )


def fits(value: Any, schema: Any, root: Any = None, depth: int = 0) -> bool:
    """Whether a JSON value has the form of a schema: types, required, properties, items, enum, const, anyOf, $ref.

    What it does not know it lets pass: this is a check of cheap answers, not the gate's strict decoding.
    """
    root = schema if root is None else root
    if not isinstance(schema, dict) or depth > MAX_DEPTH:
        return True
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/"):
        found: Any = root
        for step in reference[2:].split("/"):
            found = found.get(step) if isinstance(found, dict) else None
        return fits(value, found, root, depth + 1)
    if "const" in schema and value != schema["const"]:
        return False
    if isinstance(schema.get("enum"), list) and value not in schema["enum"]:
        return False
    options = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(options, list) and not any(fits(value, each, root, depth + 1) for each in options):
        return False
    return _typed(value, schema.get("type")) and _inside(value, schema, root, depth)


def _typed(value: Any, kind: Any) -> bool:
    kinds = [kind] if isinstance(kind, str) else kind if isinstance(kind, list) else []
    known = [k for k in kinds if k in _KINDS]
    if not known:
        return True
    if isinstance(value, bool):
        return "boolean" in known
    return any(isinstance(value, _KINDS[k]) or (k == "integer" and _whole(value)) for k in known)


def _whole(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer()


def _inside(value: Any, schema: dict[str, Any], root: Any, depth: int) -> bool:
    if isinstance(value, dict):
        properties = schema.get("properties") or {}
        if any(name not in value for name in schema.get("required") or ()):
            return False
        return all(fits(item, properties.get(name), root, depth + 1) for name, item in value.items())
    if isinstance(value, list):
        return all(fits(item, schema.get("items"), root, depth + 1) for item in value)
    return True


def size_of(request: ModelRequest) -> int:
    """Estimated input tokens: four bytes each. Source: spec/models.md 1 (an estimate, marked as one)."""
    return len(msgspec.json.encode(request)) // 4
