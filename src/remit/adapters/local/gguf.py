"""`gguf:PATH`: a GGUF file run in this process by llama-cpp-python (the extra `llamacpp`).

The engine speaks openai-chat's JSON, so requests and replies pass that codec; small models' calls are
mended and say so. An asked form is a grammar: the answer is valid JSON of its schema by construction.
One generation at a time a file, in a thread of its own; leaving a stream early stops it at the next
token. The file is opened at the first request and stays open with the model.

Source: llama-cpp-python API reference, `Llama.create_chat_completion`; spec/models.md 4 for the defaults.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from importlib import import_module
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from remit.core.model import ModelRequest, Reply, StreamEnd, StreamEvent
from remit.core.usage import Usage
from remit.errors import Invalid, ModelError, Unavailable
from remit.wire.openai_chat.encode import body_of
from remit.wire.openai_chat.stream import StreamDecoder
from remit.wire.repair import repaired

MAGIC: Final = b"GGUF"
CONTEXT: Final = 8192  # tokens; less where the model has less
MAX_TOKENS: Final = 2048
TEMPERATURE: Final = 0.7
TOP_P: Final = 0.9
_SENT: Final = ("messages", "tools", "tool_choice", "temperature", "top_p", "max_tokens", "stop", "seed")
_END: Final = object()
_encode = msgspec.json.Encoder().encode


class GgufModel:
    """`Model` over one weights file.

    Args:
        path: the file; a beginning `~` is the home folder.

    Raises, at once: config_invalid without the file, extra_missing without the engine; a request loads the file.
    """

    url = ""

    def __init__(self, path: str) -> None:
        self.name = f"gguf:{path}"
        self._path = os.path.abspath(os.path.expanduser(path))
        self._engine: Any = None
        self._busy = threading.Lock()
        _check_file(self._path)
        _engine_class()

    async def request(self, request: ModelRequest) -> Reply:
        """The fold of the stream."""
        reply: Reply | None = None
        async for event in self.stream(request):
            if type(event) is StreamEnd:
                reply = event.reply
        assert reply is not None
        return reply

    async def stream(self, request: ModelRequest) -> AsyncIterator[StreamEvent]:
        """Deltas as the tokens are made; the last event is StreamEnd."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Any] = asyncio.Queue()
        stopped = threading.Event()

        def generate() -> None:
            try:
                for chunk in self._chunks(request, stopped):
                    loop.call_soon_threadsafe(queue.put_nowait, chunk)
                loop.call_soon_threadsafe(queue.put_nowait, _END)
            except (ValueError, RuntimeError, OSError, TypeError, KeyError) as error:
                loop.call_soon_threadsafe(queue.put_nowait, error)

        decoder = StreamDecoder()
        work = loop.run_in_executor(None, generate)
        try:
            while (item := await queue.get()) is not _END:
                if isinstance(item, Exception):
                    raise _engine_error(item) from item
                for event in decoder.feed(b"data: " + _encode(item) + b"\n\n"):
                    yield event
            reply = decoder.finish()
        finally:
            stopped.set()
            await asyncio.shield(work)
        counted = self._usage(reply)
        yield StreamEnd(repaired(replace(reply, usage=counted, model=os.path.basename(self._path)), request))

    def _chunks(self, request: ModelRequest, stopped: threading.Event) -> Iterator[dict[str, Any]]:
        """In the worker's thread: load, generate, stop when nobody listens any more."""
        with self._busy:
            if self._engine is None:
                self._engine = _engine_class()(self._path, n_ctx=CONTEXT, verbose=False)
            for chunk in self._engine.create_chat_completion(stream=True, **_arguments(request)):
                yield chunk
                if stopped.is_set():
                    return

    def _usage(self, reply: Reply) -> Usage:
        made = len(self._engine.tokenize((reply.text + reply.thinking).encode(), add_bos=False, special=False))
        made += sum(len(self._engine.tokenize(_encode(call.arguments), add_bos=False)) for call in reply.tool_calls)
        return Usage(max(int(self._engine.n_tokens) - made, 0), 0, 0, made)


def _arguments(request: ModelRequest) -> dict[str, Any]:
    body = body_of(request, True)
    given: dict[str, Any] = {key: body[key] for key in _SENT if key in body}
    given.setdefault("temperature", TEMPERATURE if request.output is None else request.output.temperature)
    given.setdefault("top_p", TOP_P)
    given["max_tokens"] = body.get("max_tokens") or body.get("max_completion_tokens") or MAX_TOKENS
    if "stop" in given:
        given["stop"] = list(given["stop"])
    if request.output is not None:
        given["response_format"] = {"type": "json_object", "schema": request.output.schema}
    return given


def _check_file(path: str) -> None:
    try:
        with open(path, "rb") as file:
            head = file.read(len(MAGIC))
    except OSError as error:
        raise Invalid("config_invalid", f"the model file cannot be read: {error.strerror}: {path}") from None
    if head != MAGIC:
        raise Invalid("config_invalid", f"{path} is no GGUF file", hint="Convert it with llama.cpp's convert script.")


def _engine_class() -> Any:
    try:
        return import_module("llama_cpp").Llama
    except ImportError:
        hint = "pip install 'remit[llamacpp]' (it compiles llama.cpp: a C++ compiler and cmake are needed)"
        raise Unavailable("extra_missing", "models in this process need the extra llamacpp", hint=hint) from None


def _engine_error(error: Exception) -> ModelError:
    return ModelError("model_failed", f"the engine failed: {type(error).__name__}: {str(error)[:300]}", retryable=False)
