"""OpenAPI 3.1 from the routes' own table and structs: what the server takes is what it describes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

import remit
from remit.gateway.calls import Row
from remit.gateway.gateway import HEALTH

_PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["code", "message", "hint", "retryable"],
    "properties": {
        "code": {"type": "string"},
        "message": {"type": "string"},
        "hint": {"type": "string"},
        "retryable": {"type": "boolean"},
    },
}


def document(rows: Sequence[Row]) -> dict[str, Any]:
    """The description of all routes."""
    bodies = [row.body for row in rows if row.body is not None]
    schemas, components = msgspec.json.schema_components(bodies, ref_template="#/components/schemas/{name}")
    of = dict(zip(bodies, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for row in rows:
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row, of)
    paths[HEALTH] = {"get": {"summary": "Whether the process lives", "security": [], "responses": {"200": _JSON}}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "remit", "version": remit.__version__},
        "security": [{"key": []}, {"token": []}],
        "paths": paths,
        "components": {
            "schemas": {**components, "Problem": _PROBLEM},
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer"},
                "token": {"type": "http", "scheme": "biscuit"},
            },
        },
    }


def _operation(row: Row, bodies: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    problem = {"description": "refused", "content": {"application/json": {"schema": _REF}}}
    found: dict[str, Any] = {
        "summary": row.summary,
        "description": f"Scopes: {', '.join(row.access.scopes) or 'any'}. Permission: {row.access.permission or '-'}.",
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            for name in re.findall(r"{(\w+)}", row.path)
        ],
        "responses": {str(row.status): _JSON, "default": problem},
    }
    if row.body is not None:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": bodies[row.body]}}}
    return found


_JSON: Final[dict[str, Any]] = {"description": "done", "content": {"application/json": {}}}
_REF: Final = {"$ref": "#/components/schemas/Problem"}
