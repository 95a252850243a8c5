"""Binary event frames: any cut gives the same frames, and no flipped bit passes."""

from __future__ import annotations

import struct
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.errors import ModelError
from remit.wire.bedrock_converse import CODEC
from remit.wire.event_stream import EventStreamParser, encode_frame


def frame(event: str, payload: bytes, **more: str) -> bytes:
    """One frame as Bedrock sends it."""
    headers = {":event-type": event, ":content-type": "application/json", ":message-type": "event"}
    return encode_frame(headers | {f":{key.replace('_', '-')}": value for key, value in more.items()}, payload)


STREAM = (
    frame("messageStart", b'{"role":"assistant"}')
    + frame("contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"hi"}}')
    + frame("messageStop", b'{"stopReason":"end_turn"}')
    + frame("metadata", b'{"usage":{"inputTokens":1,"outputTokens":1}}')
)


def frames(*chunks: bytes) -> list[tuple[bytes, bytes]]:
    """Every frame of the chunks."""
    parser = EventStreamParser()
    return [found for chunk in chunks for found in parser.feed(chunk)] + parser.end()


def test_every_cut_gives_the_same_frames() -> None:
    """Two pieces at every boundary, and byte by byte."""
    whole = frames(STREAM)
    assert [event for event, _ in whole] == [b"messageStart", b"contentBlockDelta", b"messageStop", b"metadata"]
    assert frames(*[STREAM[i : i + 1] for i in range(len(STREAM))]) == whole
    for cut in range(len(STREAM)):
        assert frames(STREAM[:cut], STREAM[cut:]) == whole


def test_every_flipped_bit_is_refused() -> None:
    """Each single-bit change of a stream ends in an error; no altered frame is ever handed out."""
    whole = frames(STREAM)
    for position in range(len(STREAM)):
        for bit in (0, 3, 7):
            broken = bytearray(STREAM)
            broken[position] ^= 1 << bit
            decoder = CODEC.stream()
            with pytest.raises(ModelError) as caught:
                decoder.feed(bytes(broken))
                decoder.finish()
            assert caught.value.code in ("model_bad_reply", "model_stream_cut")
            kept: list[tuple[bytes, bytes]] = []
            try:
                for found in EventStreamParser().feed(bytes(broken)):
                    kept.append(found)
            except ModelError:
                pass
            assert kept == whole[: len(kept)]


def test_text_before_a_broken_frame_is_shown_first() -> None:
    """Deltas of good frames are handed out; the error comes with the next call, wherever the bytes were cut."""
    broken = STREAM[:-1] + bytes((STREAM[-1] ^ 1,))
    for chunks in ([broken], [broken[:200], broken[200:]], [broken[i : i + 1] for i in range(len(broken))]):
        decoder = CODEC.stream()
        shown = []
        with pytest.raises(ModelError):
            for chunk in chunks:
                shown += decoder.feed(chunk)
            decoder.finish()
        assert [event.text for event in shown] == ["hi"]  # type: ignore[union-attr]


@pytest.mark.parametrize("size", [0, 1, 15, 2**31])
def test_lengths_that_cannot_be_are_refused(size: int) -> None:
    """A frame with good prelude checksum and an impossible length."""
    prelude = struct.pack(">II", size, 0)
    with pytest.raises(ModelError):
        frames(prelude + struct.pack(">I", crc32(prelude)) + b"x" * 40)


def test_exceptions_are_named() -> None:
    """An exception frame and an error frame carry their type; the codec maps them to their class."""
    for headers, code in [
        ({":message-type": "exception", ":exception-type": "throttlingException"}, "model_rate_limited"),
        ({":message-type": "exception", ":exception-type": "serviceUnavailableException"}, "model_overloaded"),
        ({":message-type": "exception", ":exception-type": "modelStreamErrorException"}, "model_server_error"),
        ({":message-type": "exception", ":exception-type": "internalServerException"}, "model_server_error"),
        ({":message-type": "exception", ":exception-type": "validationException"}, "model_bad_request"),
        ({":message-type": "exception", ":exception-type": "modelTimeoutException"}, "model_timeout"),
        ({":message-type": "error", ":error-code": "InternalFailure", ":error-message": "no"}, "model_server_error"),
    ]:
        decoder = CODEC.stream()
        with pytest.raises(ModelError) as caught:
            decoder.feed(encode_frame(headers, b"" if "error" in headers[":message-type"] else b'{"message":"m"}'))
        assert caught.value.code == code


def test_a_json_error_instead_of_a_stream_is_read() -> None:
    """A server that ignores the stream answers with JSON; what it says is kept."""
    body = b'{"message":"Too many requests","__type":"ThrottlingException"}'
    for chunks in ([body], [body[:5], body[5:]]):
        decoder = CODEC.stream()
        with pytest.raises(ModelError) as caught:
            for chunk in chunks:
                decoder.feed(chunk)
            decoder.finish()
        assert "Too many requests" in caught.value.message


@given(st.lists(st.binary(max_size=60), max_size=6))
def test_garbage_never_does_more_than_raise(chunks: list[bytes]) -> None:
    """Any bytes: frames or ModelError."""
    try:
        frames(*chunks)
    except ModelError as error:
        assert error.code == "model_bad_reply"
