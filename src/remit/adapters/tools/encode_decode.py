"""encode_decode: base64, hexadecimal, URL and HTML escapes."""

from __future__ import annotations

import base64
import binascii
import html
from typing import Any, Final, Literal
from urllib.parse import quote, unquote_to_bytes

from remit.adapters.tools._text import clip, unescaped
from remit.core.tools import tool
from remit.errors import Invalid
from remit.ports.tool import Context

_MAX_TEXT_CHARS: Final = 500_000
_MAX_CHARS: Final = 60_000

Kind = Literal["base64", "base64url", "hex", "url", "html"]


@tool(effect="read", returns="tool", builtin=True)
def encode_decode(ctx: Context[Any], operation: Literal["encode", "decode"], kind: Kind, text: str) -> str:
    """Encode a text, or decode it back; bytes that are no UTF-8 text come back as hexadecimal.

    Args:
        operation: encode or decode
        kind: base64, base64url (no padding), hex, url (percent escapes), html (entities)
        text: at most 500,000 characters
    """
    if len(text) > _MAX_TEXT_CHARS:
        raise Invalid("value_invalid", f"the text is longer than {_MAX_TEXT_CHARS} characters")
    result = _encode(kind, text) if operation == "encode" else _decode(kind, text)
    return clip(result, _MAX_CHARS)


def _encode(kind: Kind, text: str) -> str:
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise Invalid("value_invalid", "the text holds half of a surrogate pair") from None
    match kind:
        case "base64":
            return base64.b64encode(data).decode()
        case "base64url":
            return base64.urlsafe_b64encode(data).decode().rstrip("=")
        case "hex":
            return data.hex()
        case "url":
            return quote(text, safe="")
        case "html":
            return html.escape(text)


def _decode(kind: Kind, text: str) -> str:
    if kind == "html":
        return unescaped(text)
    try:
        data = _bytes(kind, text)
    except (binascii.Error, ValueError) as e:
        raise Invalid("value_invalid", f"the text is no {kind}: {e}") from None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return f"[{len(data)} bytes, no UTF-8 text; in hexadecimal]\n{data.hex()}"


def _bytes(kind: Kind, text: str) -> bytes:
    if kind == "url":
        return unquote_to_bytes(text)
    plain = "".join(text.split())
    if kind == "hex":
        return bytes.fromhex(plain.removeprefix("0x").replace(":", ""))
    if kind == "base64url":
        plain = plain.replace("-", "+").replace("_", "/")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
