"""Hostile providers over HTTP, all six families: endless, dripping, exploding, redirecting, and repeating the key."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from email.utils import formatdate
from typing import Any

import pytest

import remit
from integration.hostile_frames import FAMILIES, whole, written
from integration.hostile_server import CODECS, KEY, Hostile, ask, head
from remit.adapters.providers import http_model
from remit.adapters.providers._key_echo import KeyMask
from remit.core.model import Reply, StreamReset, TextDelta, ThinkingDelta, ToolCallDelta
from remit.core.usage import Usage
from remit.errors import ModelError
from remit.journal.chain import decode_event
from remit.ports.http import MAX_BODY_BYTES
from remit.runtime import Runtime
from remit.testing import FakeClock
from remit.testing.wire_replies import whole as whole_reply

every_wire = pytest.mark.parametrize("wire", FAMILIES)


def text_of(events: list[Any]) -> str:
    """What a person saw."""
    return "".join(event.text for event in events if type(event) is TextDelta)


@every_wire
@pytest.mark.parametrize("stream", [False, True])
def test_a_call_without_counts_is_not_free(wire: str, stream: bool) -> None:
    """A server that gives no counts, or only noughts: they are made from the characters, and marked."""
    family = FAMILIES[wire]
    body = json.loads(whole_reply(wire, Reply("x" * 400)))
    for name in ("usage", "usageMetadata"):
        body.pop(name, None)
    raw = json.dumps(body).encode()
    answer = head() + whole(family, family.text("x" * 400), usage=None) if stream else head() + raw
    seen = ask(wire, Hostile(answer), stream=stream)
    assert seen.reply is not None and seen.reply.usage == Usage(1, output_tokens=100, estimated=True)


def test_what_is_unusual_is_said_once() -> None:
    """An unknown reason to stop and estimated counts are notes in the journal, once a model."""
    from remit.core.events import ModelNote
    from remit.models import unusual

    unusual._said.clear()
    family = FAMILIES["openai-chat"]
    raw = head() + whole(family, family.text("hi"), stop="sudden_doubt", usage=None)
    server = Hostile(raw)

    async def run() -> list[ModelNote]:
        async with server, Runtime(clock=FakeClock()) as runtime:
            model = remit.model("openai-chat:odd", base_url=f"http://127.0.0.1:{server.port}/v1", api_key=KEY)
            notes = []
            for _ in range(2):
                async with model.stream("hi") as events:
                    async for _ in events:
                        pass
            for row in runtime.journal.runs(10):
                notes += [decode_event(e.body) for e in runtime.journal.read(row.run_id)]
            return [note for note in notes if isinstance(note, ModelNote)]

    notes = asyncio.run(run())
    assert [(note.kind, note.name) for note in notes] == [("unusual", "openai-chat:odd")] * 2
    assert "'sudden_doubt'" in notes[0].reason and "estimated" in notes[1].reason


@every_wire
def test_a_stream_that_never_ends(wire: str) -> None:
    """Text without end is cut at the cap of a body, and is not bought again."""
    family = FAMILIES[wire]
    piece = b"".join(written(family, family.text("x" * 2_000_000)))
    seen = ask(wire, Hostile(head() + b"".join(written(family, family.begin())), piece), stream=True)
    assert seen.error is not None and seen.error.code == "model_bad_reply", seen.error
    assert len(seen.requests) == 1
    assert len(seen.shown) <= MAX_BODY_BYTES


@pytest.mark.parametrize("stream", [False, True])
def test_a_drip_in_head_or_body_ends_at_the_deadline(stream: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then passes the deadlines of silence; that of the whole answer holds, for a whole reply too."""
    monkeypatch.setattr(http_model, "TOTAL_S", 0.3)
    for start in (b"HTTP/1.1 200 OK\r\nx-", head()):
        began = time.monotonic()
        seen = ask("openai-chat", Hostile(start, b"a", 0.05), stream=stream)
        assert seen.error is not None and seen.error.code in ("model_timeout", "model_stream_cut"), seen.error
        assert time.monotonic() - began < 10


@every_wire
@pytest.mark.parametrize("stream", [False, True])
def test_a_gzip_bomb(wire: str, stream: bool) -> None:
    """A body that unpacks beyond the cap is refused where it passes it."""
    bomb = gzip.compress(b" " * (MAX_BODY_BYTES + 1_000_000))
    seen = ask(wire, Hostile(head(content_encoding="gzip") + bomb), stream=stream)
    assert seen.error is not None and seen.error.code == "model_bad_reply", seen.error
    assert len(seen.requests) == 1


@pytest.mark.parametrize("flood", ["many", "long", "interim"])
def test_a_flood_of_headers(flood: str) -> None:
    """Heads beyond the bound are refused, whatever they are made of."""
    floods = {
        "many": head(**{f"x{i}": "1" for i in range(20_000)}),
        "long": head(x="y" * 1_000_000),
        "interim": b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * 1000,
    }
    seen = ask("openai-chat", Hostile(floods[flood]), stream=False)
    assert seen.error is not None and seen.error.code == "model_connection", seen.error


@every_wire
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_not_followed(wire: str, status: str) -> None:
    """The credential goes to the named host and to no other; the error says where it was sent."""

    async def run() -> tuple[ModelError, int]:
        async with Hostile(head()) as other, Runtime(clock=FakeClock()):
            async with Hostile(head(status, location=f"http://127.0.0.1:{other.port}/v1")) as server:
                url = f"http://127.0.0.1:{server.port}{CODECS[wire].version_path}"
                with pytest.raises(ModelError) as caught:
                    await remit.model(f"{wire}:m", base_url=url, api_key=KEY).request("hi")
            return caught.value, len(other.requests)

    error, requests = asyncio.run(run())
    assert (error.code, requests) == ("model_bad_reply", 0), error
    assert not error.retryable


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("1000000000", 30, 30), ("-5", 0, 0), (formatdate(0, usegmt=True), 0, 0), ("nan", 0, 1), ("inf", 0, 1),
        ("9" * 400, 0, 1), ("soon", 0, 1), ("Fri, 31 Dec 99999 23:59:59 GMT", 0, 1), ("", 0, 1), ("1e9", 30, 30),
    ],
)  # fmt: skip
def test_waits_that_nobody_would_wait(value: str, least: float, most: float) -> None:
    """A wait is obeyed up to the cap, a past one at once; what is no wait leaves the usual jitter."""
    answer = head("429 Too Many", retry_after=value, content_length="2") + b"{}"
    seen = ask("openai-chat", Hostile(answer), stream=False)
    assert seen.error is not None and seen.error.code == "model_rate_limited"
    assert len(seen.requests) == 4
    assert least <= seen.waits[0] <= most


# ---- the key -------------------------------------------------------------------------------------


def written_as(wire: str, stream: bool, text: str, escaped: bool) -> bytes:
    """A good answer that says a text; streamed in pieces of three characters; `escaped` = as \\u escapes."""
    if not stream:
        body = whole_reply(wire, Reply(text))
        if escaped:
            body = body.replace(text.encode(), "".join(f"\\u{ord(c):04x}" for c in text).encode())
        return head(content_length=str(len(body))) + body
    family = FAMILIES[wire]
    return head() + whole(family, [f for i in range(0, len(text), 3) for f in family.text(text[i : i + 3])])


@every_wire
@pytest.mark.parametrize(("stream", "escaped"), [(False, False), (False, True), (True, False)])
def test_a_reply_that_repeats_the_key(
    wire: str, stream: bool, escaped: bool, tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The key in a good answer, whole, escaped or cut over many deltas: not shown, not returned, not journalled."""
    said = f"You sent {KEY}, and s and sk- and sk-live- are words."
    seen = ask(
        wire, Hostile(written_as(wire, stream, said, escaped)), stream=stream, journal=f"sqlite:{tmp_path / 'j.db'}"
    )
    clean = said.replace(KEY, "[secret]")
    assert seen.reply is not None and seen.reply.text == clean, seen.error
    assert seen.shown == (clean if stream else "")
    everything = repr(seen.events) + repr(seen.reply) + json.dumps(seen.reply.raw) + caplog.text
    assert KEY not in everything and "9f8e7d6c5b4a" not in everything
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert len(stored) > 1000
    assert b"9f8e7d6c5b4a" not in stored


@every_wire
def test_an_error_in_a_stream_that_repeats_the_key(wire: str) -> None:
    """The same in the error that a 200 stream carries."""
    from remit.testing.wire_replies import error_frame

    seen = ask(wire, Hostile(head() + error_frame(wire, f"no access for {KEY} here")), stream=True)
    assert seen.error is not None
    assert "9f8e7d6c5b4a" not in f"{seen.error!r} {seen.error} {seen.error.hint} {seen.error.details} {seen.events!r}"


def test_a_masked_stream_is_the_stream_without_the_key() -> None:
    """Every cut of a text in two and three deltas of every kind: what is shown is the masked text, nothing is lost."""
    text = f"s{KEY}k-{KEY[:9]}"
    clean = text.replace(KEY, "[secret]")
    for one in range(len(text)):
        for two in range(one, len(text), 5):
            mask = KeyMask(KEY)
            pieces = [text[:one], text[one:two], text[two:]]
            shown = [e for piece in pieces for e in mask.events(TextDelta(piece))]
            shown += mask.events(ThinkingDelta("s")) + mask.events(ToolCallDelta(0, "c", "f", "sk-"))
            shown += mask.events(ToolCallDelta(1, "d", "g", "l")) + mask.events(StreamReset(1, ""))
            assert text_of(shown) == clean
            assert "".join(e.text for e in shown if type(e) is ThinkingDelta) == "s"
            assert [(e.index, e.arguments) for e in shown if type(e) is ToolCallDelta and e.arguments] == [
                (0, "sk-"), (1, "l"),
            ]  # fmt: skip
