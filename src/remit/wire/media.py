"""Media parts in the form that JSON wires take: data URLs, base64, plain text."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

from remit.core.messages import Audio, Echo, File, Image
from remit.errors import Invalid, ModelError


def base64_of(part: Image | Audio | File) -> str:
    """The part's bytes in base64; raises message_invalid when it has none."""
    if not part.data:
        kind = type(part).__name__.lower()
        raise Invalid("message_invalid", f"a part of kind {kind} has no data, and its other form is not taken here")
    return b64encode(part.data).decode()


def media_type(part: Image | Audio | File) -> str:
    """The part's media type, else the usual one of its kind."""
    if part.media_type:
        return part.media_type
    if type(part) is Image:
        return "image/png"
    return "audio/wav" if type(part) is Audio else "application/pdf"


def url_of(part: Image | Audio | File) -> str:
    """The part's URL, else a data URL of its bytes."""
    return part.url or f"data:{media_type(part)};base64,{base64_of(part)}"


def audio_format(part: Audio) -> str:
    """The short format name that audio inputs want, for example wav or mp3."""
    subtype = media_type(part).partition("/")[2].partition(";")[0].removeprefix("x-")
    return {"mpeg": "mp3", "wave": "wav", "vnd.wave": "wav"}.get(subtype, subtype)


def as_text(part: Any) -> str | None:
    """The text of a file whose media type is text or JSON, headed by its name; None for other parts."""
    if type(part) is not File or not part.data:
        return None
    if not (part.media_type.startswith("text/") or part.media_type == "application/json"):
        return None
    body = part.data.decode("utf-8", "replace")
    return f"{part.name}:\n{body}" if part.name else body


def media_of(data: str, kind: str, echo: Echo | None = None) -> Image | Audio | File:
    """The part of base64 data of media type `kind`; raises model_bad_reply for what is no base64."""
    try:
        raw = b64decode(data, validate=True)
    except ValueError:
        raise ModelError("model_bad_reply", f"data of type {kind[:60]} is not base64") from None
    if kind.startswith("image/"):
        return Image(raw, kind, echo=echo)
    return Audio(raw, kind, echo=echo) if kind.startswith("audio/") else File(raw, kind, echo=echo)
