"""The models that a provider lists: the names in the answer of GET {base}/models, in every known form.

Source: OpenAI, Anthropic, Gemini, Cohere and Ollama API references, "List models".
"""

from __future__ import annotations

from typing import Any, Final

from remit.wire import reading
from remit.wire.provider_errors import error_in
from remit.wire.reading import bad_reply

_LISTS: Final = ("data", "models", "modelSummaries", "publisherModels")
_NAMES: Final = ("id", "name", "model", "modelId")
MAX_MODELS: Final = 10_000


def decode(body: bytes) -> tuple[str, ...]:
    """Names in the order that they came in; raises model_bad_reply, or the error that the body carries."""
    raw = reading.read_json(body)
    rows: Any = raw
    if type(raw) is dict:
        error = error_in(raw)
        if error is not None:
            raise error
        rows = next((raw[key] for key in _LISTS if type(raw.get(key)) is list), None)
    if type(rows) is not list:
        raise bad_reply("the reply lists no models")
    return tuple(dict.fromkeys(name for row in rows[:MAX_MODELS] if (name := _name(row))))


def _name(row: Any) -> str:
    if type(row) is str:
        return row
    if type(row) is not dict:
        return ""
    name = next((row[key] for key in _NAMES if type(row.get(key)) is str), "")
    # Gemini and Vertex write models/NAME and publishers/google/models/NAME.
    return name.rpartition("models/")[2] if "models/" in name and not name.endswith("/") else name
