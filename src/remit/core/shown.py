"""What a tool returned, as the text that a model reads: bounded, and never silently cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from remit.core.schema import encode_foreign

_encoder = msgspec.json.Encoder(enc_hook=encode_foreign)


def as_text(value: Any, max_chars: int, mask: Callable[[str], str] = str) -> str:
    """A tool's return value as the text that the model reads; masked whole, then cut, and it says what was cut."""
    if value is None:
        return "done"
    if not isinstance(value, str):
        value = value.decode("utf-8", "replace") if isinstance(value, bytes) else _encoder.encode(value).decode()
    # A lone surrogate cannot be journalled or sent; it becomes the replacement character.
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode("utf-8")
    value = mask(value)
    if len(value) > max_chars:
        return f"{value[:max_chars]}\n[cut: {len(value) - max_chars} of {len(value)} characters; ask for a part]"
    return str(value)
