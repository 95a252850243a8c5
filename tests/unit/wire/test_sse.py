"""SSE framing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.errors import ModelError
from remit.wire.sse import Frame, SseParser


def _frames(*chunks: bytes) -> list[Frame]:
    parser = SseParser()
    return [frame for chunk in chunks for frame in parser.feed(chunk)] + parser.end()


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: a\n\ndata: b\n\n", [(b"", b"a"), (b"", b"b")]),
        (b"data: a\r\n\r\ndata: b\r\rdata:c\n\n", [(b"", b"a"), (b"", b"b"), (b"", b"c")]),
        (b"\xef\xbb\xbfdata: a\n\n", [(b"", b"a")]),
        (b": comment\n\n:\ndata: a\n\n", [(b"", b"a")]),
        (b"event: error\ndata: x\n\ndata: y\n\n", [(b"error", b"x"), (b"", b"y")]),
        (b"event: only a name\n\ndata: y\n\n", [(b"", b"y")]),
        (b"data: one\ndata: two\ndata:  three\n\n", [(b"", b"one\ntwo\n three")]),
        (b"data\ndata: a\n\n", [(b"", b"\na")]),
        (b"id: 1\nretry: 5\ndata: a\n\n", [(b"", b"a")]),
        (b"data: no empty line at the end", [(b"", b"no empty line at the end")]),
        (b"", []),
    ],
)
def test_frames_of_a_stream_at_every_cut(stream: bytes, expected: list[Frame]) -> None:
    """Line ends, comments, names, several data lines and a BOM, whole and cut at every byte."""
    assert _frames(stream) == expected
    assert _frames(*[stream[i : i + 1] for i in range(len(stream))]) == expected
    for cut in range(len(stream)):
        assert _frames(stream[:cut], stream[cut:]) == expected


@given(
    st.lists(st.sampled_from([b"data: x", b"data:", b"\n", b"\r", b"\r\n", b":", b"event: e", b"\xef\xbb\xbf", b"z"]))
)
def test_any_cut_of_any_bytes_gives_the_same_frames(pieces: list[bytes]) -> None:
    """Framing is a function of the bytes, not of the chunks."""
    assert _frames(*pieces) == _frames(b"".join(pieces))


def test_a_frame_over_the_bound_is_refused() -> None:
    """A frame without end, in one line or in many, raises model_bad_reply instead of growing."""
    for piece in (b"x" * 100, b"data: " + b"x" * 94 + b"\n"):
        parser = SseParser(max_frame_bytes=1000)
        with pytest.raises(ModelError) as caught:
            for _ in range(20):
                parser.feed(piece)
        assert caught.value.code == "model_bad_reply"


def test_frames_within_the_bound_do_not_add_up() -> None:
    """The bound is one frame's, not the stream's."""
    parser = SseParser(max_frame_bytes=1000)
    assert sum(len(parser.feed(b"data: " + b"x" * 500 + b"\n\n")) for _ in range(50)) == 50


def test_what_is_no_event_stream_is_kept() -> None:
    """A JSON error instead of a stream stays readable."""
    parser = SseParser()
    parser.feed(b'{\n  "error": "x"\n}')
    parser.end()
    assert parser.stray == b'{\n  "error": "x"\n}'
