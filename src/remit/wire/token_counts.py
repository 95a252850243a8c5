"""Token counts by the provider's own endpoint: path, body and answer of each wire that has one.

Source: Anthropic API reference "Count tokens"; Gemini API reference "countTokens"; Amazon Bedrock API
reference "CountTokens".
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from remit.core.model import DEFAULT_SETTINGS, ModelRequest
from remit.errors import Invalid
from remit.wire import reading
from remit.wire.provider_errors import error_in
from remit.wire.reading import bad_reply, count

# wire -> (path, field of the answer)
_PLACES: Final = {
    "anthropic-messages": ("/messages/count_tokens", "input_tokens"),
    "gemini": ("/models/{model}:countTokens", "totalTokens"),
    "bedrock-converse": ("/model/{model}/count-tokens", "inputTokens"),
}
_COUNTED: Final = ("model", "messages", "system", "tools", "tool_choice", "thinking")


def path(wire: str) -> str:
    """The path beside base_url, {model} to be replaced; raises value_invalid where the wire has none."""
    if wire not in _PLACES:
        raise Invalid("value_invalid", f"{wire[:60]} has no endpoint that counts tokens")
    return _PLACES[wire][0]


def encode(wire: str, request: ModelRequest) -> bytes:
    """The JSON body that asks how many input tokens `request` has."""
    path(wire)
    plain = replace(DEFAULT_SETTINGS, tool_choice=request.settings.tool_choice, prompt_cache="off")
    kept = replace(request, settings=plain)
    codec = import_module(f"remit.wire.{wire.replace('-', '_')}").CODEC
    body: dict[str, Any] = msgspec.json.decode(codec.encode(kept, False))
    if wire == "anthropic-messages":
        body = {key: value for key, value in body.items() if key in _COUNTED}
    elif wire == "gemini":
        name = f"models/{request.model.removeprefix('models/')}"
        body = {"generateContentRequest": {"model": name, **body}}
    else:
        body.pop("outputConfig", None)
        body = {"input": {"converse": body}}
    return msgspec.json.encode(body)


def decode(wire: str, body: bytes) -> int:
    """The number of input tokens; raises model_bad_reply, or the error that the body carries."""
    raw = reading.read_object(body)
    error = error_in(raw)
    if error is not None:
        raise error
    field = _PLACES[wire][1] if wire in _PLACES else ""
    if field not in raw:
        raise bad_reply(f"the reply has no {field or 'count'}")
    return count(raw, field)
