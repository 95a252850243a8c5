"""JSON-RPC 2.0 messages of MCP: bytes to values and back.

A message is exactly one of request, notification, result, fault. Anything else (two of them at once, a null id in a
request, parameters that are no object) is refused: a peer that sends it is broken or hostile.

Source: JSON-RPC 2.0, sections 4 and 5; MCP basic: ids are strings or integers, never null.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

from remit.errors import ModelError, Unavailable
from remit.wire.reading import read_json

MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024
MAX_BATCH: Final = 64
MAX_NAME_CHARS: Final = 256  # of a method, of an id
MAX_ERROR_CHARS: Final = 2_000
MAX_ID: Final = 2**53  # what every JSON implementation keeps whole
_KEYS: Final = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})

Id = int | str


class Request(Struct, frozen=True):
    """Asks for an answer."""

    id: Id
    method: str
    params: dict[str, Any] = {}


class Notification(Struct, frozen=True):
    """Asks for nothing."""

    method: str
    params: dict[str, Any] = {}


class Result(Struct, frozen=True):
    """The answer of a request that went well."""

    id: Id
    result: dict[str, Any]


class Fault(Struct, frozen=True):
    """The answer of a request that failed; `id` is None where the peer could not read it."""

    id: Id | None
    code: int
    message: str
    data: Any = None


Message = Request | Notification | Result | Fault


def broken(why: str) -> Unavailable:
    """The error of a peer that broke the protocol."""
    return Unavailable("mcp_failed", f"the MCP server broke the protocol: {why}", retryable=False)


def decode(data: bytes, *, batch: bool = False) -> list[Message]:
    """The message, or with `batch` the messages, of one frame.

    Raises:
        Unavailable: mcp_failed.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        raise broken(f"a message has more than {MAX_MESSAGE_BYTES} bytes")
    try:
        value = read_json(data)
    except ModelError as error:
        raise broken(error.message) from None
    if batch and type(value) is list:
        if not 0 < len(value) <= MAX_BATCH:
            raise broken(f"a batch has {len(value)} messages; at most {MAX_BATCH}")
        return [_message(each) for each in value]
    return [_message(value)]


def encode(message: Message) -> bytes:
    """One message as JSON without line breaks."""
    body: dict[str, Any] = {"jsonrpc": "2.0"}
    if isinstance(message, Request | Notification):
        if isinstance(message, Request):
            body["id"] = message.id
        body["method"] = message.method
        if message.params:
            body["params"] = message.params
    elif isinstance(message, Result):
        body |= {"id": message.id, "result": message.result}
    else:
        error = {"code": message.code, "message": message.message}
        if message.data is not None:
            error["data"] = message.data
        body |= {"error": error} if message.id is None else {"id": message.id, "error": error}
    return msgspec.json.encode(body)


def _message(value: Any) -> Message:
    if type(value) is not dict or value.get("jsonrpc") != "2.0":
        raise broken("a message is no JSON-RPC 2.0 object")
    strange = value.keys() - _KEYS
    if strange:
        raise broken(f"a message has the unknown member {sorted(strange)[0][:40]!r}")
    kinds = [kind for kind in ("method", "result", "error") if kind in value]
    if len(kinds) != 1:
        raise broken("a message has not exactly one of method, result, error")
    if kinds == ["method"]:
        return _call(value)
    if kinds == ["result"]:
        if type(value["result"]) is not dict:
            raise broken("a result is no object")
        return Result(_id(value.get("id")), value["result"])
    return _fault(value)


def _call(value: dict[str, Any]) -> Request | Notification:
    method, params = value["method"], value.get("params", {})
    if type(method) is not str or not 0 < len(method) <= MAX_NAME_CHARS:
        raise broken("a method is no text of 1 to 256 characters")
    if type(params) is not dict:
        raise broken("the parameters are no object")
    return Request(_id(value["id"]), method, params) if "id" in value else Notification(method, params)


def _fault(value: dict[str, Any]) -> Fault:
    error = value["error"]
    if type(error) is not dict or type(error.get("code")) is not int or type(error.get("message")) is not str:
        raise broken("an error has no code and message")
    identity = value.get("id")
    found = None if identity is None else _id(identity)
    return Fault(found, error["code"], error["message"][:MAX_ERROR_CHARS], error.get("data"))


def _id(value: Any) -> Id:
    if type(value) is str and len(value) <= MAX_NAME_CHARS:
        return value
    if type(value) is int and -MAX_ID <= value <= MAX_ID:
        return value
    raise broken("an id is neither a short text nor an integer")
