"""Port: a wire codec of a model family. Sans-I/O: bytes in, values out, and back.

The codec knows its family's JSON and stream framing; it knows nothing of hosts, keys or sockets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from remit.core.model import ModelRequest, Reply, StreamEvent
from remit.errors import ModelError


class StreamDecoder(Protocol):
    """Decodes one streamed reply. The result does not depend on where the bytes were cut."""

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        """Deltas that became complete with `chunk` (never StreamEnd); raises ModelError on an error frame."""
        ...

    def finish(self) -> Reply:
        """The folded reply once the bytes have ended; raises model_stream_cut when the end was missing."""
        ...


class Codec(Protocol):
    """One wire family, both directions."""

    wire: str
    """the family's name, for example openai-chat"""
    path: str
    """appended to base_url, for example /chat/completions; {model} in it is the model's name.
    A codec may also have `stream_path` and `stream_type`: the path and the accept type of a streamed request."""
    version_path: str
    """version prefix of the official API, for example /v1"""

    def headers(self, api_key: str) -> tuple[tuple[str, str], ...]:
        """Authentication and version headers; no authentication when `api_key` is empty."""
        ...

    def encode(self, request: ModelRequest, stream: bool) -> bytes:
        """The JSON body."""
        ...

    def decode(self, body: bytes) -> Reply:
        """A whole successful reply; raises ModelError model_bad_reply (or the error it carries)."""
        ...

    def stream(self) -> StreamDecoder:
        """A decoder for one streamed reply."""
        ...

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
        """The error of an answer whose status is not 2xx (retry-after obeyed here only)."""
        ...
