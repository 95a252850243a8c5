"""Block 9, outcome: the result as text with its label, bounded, and never silently cut."""

from __future__ import annotations

from typing import Any

import msgspec

from remit.core.labels import Label, join
from remit.core.schema import encode_foreign
from remit.core.tools import Tool

_encoder = msgspec.json.Encoder(enc_hook=encode_foreign)


def as_text(value: Any, max_chars: int) -> str:
    """A tool's return value as the text that the model reads; says what was cut."""
    if value is None:
        return "done"
    if not isinstance(value, str):
        value = value.decode("utf-8", "replace") if isinstance(value, bytes) else _encoder.encode(value).decode()
    # A lone surrogate cannot be journalled or sent; it becomes the replacement character.
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode("utf-8")
    if len(value) > max_chars:
        return f"{value[:max_chars]}\n[cut: {len(value) - max_chars} of {len(value)} characters; ask for a part]"
    return str(value)


def label_of(tool: Tool, context: Label) -> Label:
    """The label of what `tool` returned: what it declares, joined with the context its arguments came from."""
    declared = Label(tool.returns, None, (f"tool:{tool.name}",) if tool.returns == "untrusted" else ())
    return join(context, declared)
