"""What servers say of their tools, and what calls of them return: read, bounded, cleaned.

A definition is text of a stranger that a model will read. It is kept as it came for the digest, and shown without
control, invisible and direction characters. A result is text too; pictures and sounds are named, not passed on.

Source: MCP 2026-07-28, server/tools. The bounds are this project's.
"""

from __future__ import annotations

import hashlib
import unicodedata
from typing import Any, Final

import msgspec
from msgspec import Struct

from remit.core.labels import INTEGRITY, MAX_SOURCES, Label
from remit.wire.mcp.messages import broken
from remit.wire.mcp.revisions import LABEL

MAX_TOOLS: Final = 256
MAX_DESCRIPTION_CHARS: Final = 4_000
MAX_DEFINITION_BYTES: Final = 64 * 1024
MAX_PARTS: Final = 1_000
MAX_READERS: Final = 256
_UNTRUSTED: Final = Label("untrusted")
_VOLATILE: Final = frozenset({"_meta", "icons"})  # what a model never reads


class Definition(Struct, frozen=True):
    """One tool of a server."""

    name: str
    """as the server calls it"""
    description: str
    """cleaned"""
    input_schema: dict[str, Any]
    digest: str
    """SHA-256 of the whole definition, in hex"""


class Called(Struct, frozen=True):
    """What a call returned."""

    text: str
    failed: bool
    label: Label
    """what the server says of it, never better than untrusted"""


def read_tools(result: dict[str, Any]) -> tuple[list[Definition], str]:
    """The tools of one page, and where the next page begins ("" = there is none); raises mcp_failed."""
    listed = result.get("tools")
    if type(listed) is not list or len(listed) > MAX_TOOLS:
        raise broken(f"its tools are no list of at most {MAX_TOOLS}")
    cursor = result.get("nextCursor")
    return [_definition(each) for each in listed], cursor if type(cursor) is str else ""


def read_called(result: dict[str, Any]) -> Called:
    """The result of tools/call; raises mcp_failed."""
    kind = result.get("resultType", "complete")
    if kind != "complete":
        raise broken(f"a result is of the kind {str(kind)[:40]!r}; a tool here gets its arguments and nothing more")
    parts = result.get("content", [])
    if type(parts) is not list or len(parts) > MAX_PARTS:
        raise broken(f"the content is no list of at most {MAX_PARTS} parts")
    label = read_label(result.get("_meta"))
    shown = [_part(each) for each in parts]
    if not any(shown) and "structuredContent" in result:
        shown = [msgspec.json.encode(result["structuredContent"]).decode()]
    return Called("\n".join(text for text in shown if text), result.get("isError") is True, label)


def read_label(meta: Any) -> Label:
    """What a `_meta` object says of trust and readers. It can make a value worse, never better."""
    given = meta.get(LABEL) if isinstance(meta, dict) else None
    if not isinstance(given, dict):
        return _UNTRUSTED
    readers = given.get("readers")
    if readers is not None and not _texts(readers, MAX_READERS):
        raise broken("the readers of a label are no list of short texts")
    sources = given.get("sources", [])
    if not _texts(sources, MAX_SOURCES) or given.get("integrity", "untrusted") not in INTEGRITY:
        raise broken("a label is not one")
    return Label("untrusted", None if readers is None else tuple(sorted(set(readers))), tuple(sources))


def label_meta(label: Label) -> dict[str, Any]:
    """`_meta` that carries a label."""
    found: dict[str, Any] = {"integrity": label.integrity, "sources": list(label.sources)}
    return {LABEL: found if label.readers is None else {**found, "readers": list(label.readers)}}


def clean(text: str) -> str:
    """Text as a model or a person may read it: without what hides or reorders it."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c)[0] != "C")


def _definition(value: Any) -> Definition:
    if type(value) is not dict:
        raise broken("a tool is no object")
    name, description, schema = value.get("name"), value.get("description", ""), value.get("inputSchema")
    if type(name) is not str or not 0 < len(name) <= 128 or clean(name) != name:
        raise broken("a tool's name is no text of 1 to 128 characters")
    if type(description) is not str or type(schema) is not dict or schema.get("type", "object") != "object":
        raise broken(f"the tool {name[:64]!a} has no description or no input schema of an object")
    kept = {key: each for key, each in value.items() if key not in _VOLATILE}
    raw = msgspec.json.encode(kept, order="sorted")
    if len(raw) > MAX_DEFINITION_BYTES:
        raise broken(f"the definition of {name[:64]!a} has more than {MAX_DEFINITION_BYTES} bytes")
    if any(type(ref) is not str or not ref.startswith("#") for ref in _references(schema)):
        raise broken(f"the schema of {name[:64]!a} refers to another document")
    shown = clean(description)[:MAX_DESCRIPTION_CHARS]
    return Definition(name, shown, schema, hashlib.sha256(raw).hexdigest())


def _references(schema: Any) -> list[Any]:
    found: list[Any] = []
    left = [schema]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            found += [each[key] for key in ("$ref", "$dynamicRef") if key in each and not isinstance(each[key], dict)]
            left += each.values()
        elif isinstance(each, list):
            left += each
    return found


def _part(value: Any) -> str:
    if type(value) is not dict:
        raise broken("a part of the content is no object")
    kind = value.get("type")
    if kind == "text":
        return _text(value.get("text"))
    if kind == "resource_link":
        return f"[link: {clean(str(value.get('uri', ''))[:2000])}]"
    if kind == "resource" and isinstance(value.get("resource"), dict):
        resource = value["resource"]
        if "text" in resource:
            return _text(resource["text"])
        return f"[resource {clean(str(resource.get('uri', ''))[:2000])}: {_size(resource.get('blob'))}, not shown]"
    if kind in ("image", "audio"):
        return f"[{kind} {clean(str(value.get('mimeType', ''))[:100])}: {_size(value.get('data'))}, not shown]"
    raise broken(f"a part of the content is of the unknown kind {str(kind)[:40]!r}")


def _text(value: Any) -> str:
    if type(value) is not str:
        raise broken("a text part has no text")
    return value


def _size(encoded: Any) -> str:
    return f"{len(encoded) * 3 // 4} bytes" if type(encoded) is str else "of unknown size"


def _texts(value: Any, most: int) -> bool:
    return type(value) is list and len(value) <= most and all(type(e) is str and len(e) <= 256 for e in value)
