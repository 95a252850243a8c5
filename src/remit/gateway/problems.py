"""Errors as HTTP: the same `{code, message, hint, retryable}` as the command line's, with the right status."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from starlette.responses import Response

from remit.errors import RemitError

_BY_FAMILY: Final = {
    "Invalid": 400, "Denied": 403, "Exhausted": 429, "Unavailable": 503, "ModelError": 502, "Conflict": 409,
    "InternalError": 500,
}  # fmt: skip
_BY_CODE: Final = {
    "run_unknown": 404, "item_unknown": 404, "route_unknown": 404, "key_unknown": 404, "run_rotated": 410,
    "unauthenticated": 401, "token_expired": 401, "token_invalid": 401, "token_revoked": 401, "token_unproven": 401,
    "host_denied": 421, "request_too_large": 413, "request_slow": 408, "record_altered": 500, "disk_failed": 500,
    "chain_broken": 500, "extra_missing": 501, "output_too_large": 413,
}  # fmt: skip
_INNER: Final = ("record_altered", "disk_failed", "chain_broken", "internal")
"""codes whose messages name places of the machine"""
HEADERS: Final = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
_CHALLENGE: Final = 'Bearer realm="remit", Biscuit realm="remit"'


def status_of(error: RemitError) -> int:
    """The HTTP status of an error."""
    return _BY_CODE.get(error.code, _BY_FAMILY[error.family])


def reply(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON response that nobody keeps."""
    return Response(msgspec.json.encode(value), status, {**HEADERS, **(headers or {})}, "application/json")


def problem(error: RemitError) -> Response:
    """An error's response; the connection ends, because a body may still be on its way."""
    status = status_of(error)
    headers, said = {"connection": "close"}, error.for_user()
    if error.code in _INNER:
        said["message"], said["hint"] = "the server failed", "Whoever runs it sees why with: remit doctor"
    if status == 401:
        headers["www-authenticate"] = _CHALLENGE
    if status in (429, 503):
        headers["retry-after"] = str(error.details.get("retry_after_s", 1))
    return reply(said, status, headers)
