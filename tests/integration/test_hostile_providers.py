"""Providers that mean harm, or are broken past any specification: all six families.

Each gives the right decode or one clear error; nothing grows without bound,
nothing is shown twice, no credential leaves.
"""

from __future__ import annotations

import json
import time
import tracemalloc
from importlib import import_module
from typing import Any

import msgspec
import pytest

from integration.hostile_frames import FAMILIES, Frame, whole, written
from remit.core.messages import Message
from remit.core.model import ModelRequest, Reply, TextDelta
from remit.errors import ModelError
from remit.testing.wire_replies import whole as whole_reply

CODECS: dict[str, Any] = {wire: import_module(f"remit.wire.{wire.replace('-', '_')}").CODEC for wire in FAMILIES}
STREAMED_CALLS = [wire for wire in FAMILIES if wire != "gemini"]  # whose arguments come as text, piece by piece
every_wire = pytest.mark.parametrize("wire", FAMILIES)
calls_in_pieces = pytest.mark.parametrize("wire", STREAMED_CALLS)


def decoded(wire: str, *chunks: bytes) -> tuple[Reply, list[Any]]:
    """The reply of a stream, and its events."""
    decoder, events = CODECS[wire].stream(), []
    for chunk in chunks:
        events += decoder.feed(chunk)
    return decoder.finish(), events


def text_of(events: list[Any]) -> str:
    """What a person saw."""
    return "".join(event.text for event in events if type(event) is TextDelta)


def calls_of(reply: Reply) -> list[tuple[str, Any, str]]:
    """Name, arguments and what was not JSON, by name."""
    return sorted((call.name, call.arguments, call.invalid) for call in reply.tool_calls)


# ---- counts, stop reasons, roles -----------------------------------------------------------------


@every_wire
@pytest.mark.parametrize(("given", "counted"), [(-5, 0), (7.0, 7), (None, 0), (10**15, 10**15)])
def test_counts_that_can_be_read(wire: str, given: Any, counted: int) -> None:
    """Negative means unknown, a whole float is a count, a missing one is nothing; what is given last holds."""
    family = FAMILIES[wire]
    usage = json.loads(json.dumps(family.usage))
    *way, last = family.counts[0].split(".")
    holder = usage
    for key in way:
        holder = holder[key]
    holder[last] = given
    reply, _ = decoded(wire, whole(family, family.text("hi"), usage=usage))
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (counted, 9)


@every_wire
@pytest.mark.parametrize("given", [10**18, 7.5, "7", True, [], {}])
def test_counts_that_cannot(wire: str, given: Any) -> None:
    """A count that is none is an error: a price must not be made of it."""
    family = FAMILIES[wire]
    usage = json.loads(json.dumps(family.usage))
    *way, last = family.counts[0].split(".")
    holder = usage
    for key in way:
        holder = holder[key]
    holder[last] = given
    with pytest.raises(ModelError) as caught:
        decoded(wire, whole(family, family.text("hi"), usage=usage))
    assert caught.value.code == "model_bad_reply" and not caught.value.retryable


@every_wire
def test_no_counts_an_unknown_stop_another_role(wire: str) -> None:
    """No usage is no tokens; a stop reason that nobody knows is `other`; whoever a delta says it is."""
    family = FAMILIES[wire]
    assert decoded(wire, whole(family, family.text("hi"), usage=None))[0].usage.input_tokens == 0
    assert decoded(wire, whole(family, family.text("hi"), stop="sudden_doubt"))[0].stop_reason == "other"
    for role in ("user", "system", "tool", 7, None):
        text = json.dumps([*family.begin(), *family.text("hi"), *family.end(family.stop, family.usage)])
        frames = [(event, value) for event, value in json.loads(text.replace('"assistant"', json.dumps(role)))]
        assert decoded(wire, b"".join(written(family, frames)))[0].text == "hi"


@every_wire
def test_what_comes_after_the_end(wire: str) -> None:
    """Text after the end marker is not part of the reply, in the same bytes or later; gemini has no such marker."""
    family = FAMILIES[wire]
    raw, more = whole(family, family.text("hi")), b"".join(written(family, family.text("MORE")))
    if wire == "gemini":
        return
    for chunks in ((raw + more,), (raw, more)):
        reply, events = decoded(wire, *chunks)
        assert (reply.text, text_of(events)) == ("hi", "hi")


# ---- calls ---------------------------------------------------------------------------------------


@calls_in_pieces
@pytest.mark.parametrize("numbers", [(1, 2), (3, 90_000), (2, 1), (-1, -2), (10**30, 10**31)], ids=str)
@pytest.mark.parametrize("ids", [("a", "b"), ("a", "a"), (None, None), ("", "")], ids=str)
def test_interleaved_calls_with_any_numbers_and_ids(wire: str, numbers: Any, ids: Any) -> None:
    """Arguments of parallel calls come by turns: each call gets its own, whatever number and id it has."""
    family = FAMILIES[wire]
    one, two = numbers
    frames: list[Frame] = [*family.call(one, ids[0], "f"), *family.call(two, ids[1], "g")]
    for number, piece in ((one, '{"a":'), (two, '{"b"'), (one, "1"), (two, ":2}"), (one, "}")):
        frames += family.piece(number, piece)
    reply, _ = decoded(wire, whole(family, frames))
    assert calls_of(reply) == [("f", {"a": 1}, ""), ("g", {"b": 2}, "")]
    assert len({call.id for call in reply.tool_calls}) == 2 - (ids == ("a", "a"))
    assert all(call.id for call in reply.tool_calls)


@calls_in_pieces
@pytest.mark.parametrize("number", [None, 0, 1, "x"])
def test_calls_one_after_the_other_with_the_same_number(wire: str, number: Any) -> None:
    """No number, or the same one for every call: none is lost, and none takes over another's arguments."""
    if wire == "openai-responses" and number in (0, 1):
        return  # there the number is the item: a second one in its place replaces it, with its own whole arguments
    family = FAMILIES[wire]
    frames: list[Frame] = []
    for name in "fgh":
        frames += [
            *family.call(number, f"id-{name}", name),
            *family.piece(number, f'{{"{name}"'),
            *family.piece(number, ":1}"),
        ]
    assert calls_of(decoded(wire, whole(family, frames))[0]) == [(n, {n: 1}, "") for n in "fgh"]


@calls_in_pieces
def test_a_call_that_begins_twice_is_one(wire: str) -> None:
    """The same beginning sent again, as proxies do: one call."""
    family = FAMILIES[wire]
    begin = family.call(1, "a", "f")
    reply, _ = decoded(wire, whole(family, [*begin, *begin, *family.piece(1, '{"x":1}')]))
    assert calls_of(reply) == [("f", {"x": 1}, "")]


DEEP = '{"x":' * 20_000 + "1" + "}" * 20_000
ARGUMENTS: list[tuple[str, Any]] = [
    ('{"x":1,"x":2}', {"x": 2}),
    ('{"x":"\\ud800"}', {"x": "\ufffd"}),
    (f'{{"x":{10**40}}}', {"x": 10**40}),
    ("", {}),
    ("  ", {}),
    ("null", {}),
    *((text, None) for text in (
        DEEP, '{"x":NaN}', '{"x":-Infinity}', '{"x":1e999}', "[1]", '"x"', "null!", '{"x":1}{"y":2}', '{"x":', "\x00",
    )),
]  # fmt: skip


@calls_in_pieces
@pytest.mark.parametrize(("given", "expected"), ARGUMENTS, ids=lambda value: str(value)[:16])
def test_arguments_that_are_no_arguments(wire: str, given: str, expected: Any) -> None:
    """What is no JSON object goes to the model as its own mistake, whole; the reply can be journalled and sent back."""
    family = FAMILIES[wire]
    reply, _ = decoded(wire, whole(family, [*family.call(1, "a", "f"), *(family.piece(1, given) if given else [])]))
    assert calls_of(reply) == [("f", {}, given) if expected is None else ("f", expected, "")]
    msgspec.json.encode(reply)
    for codec in CODECS.values():
        codec.encode(ModelRequest((Message("assistant", reply.parts),), model="m"), False)


@every_wire
@pytest.mark.parametrize(
    "text", ["[" * 50_000 + "]" * 50_000, "NaN", "-Infinity", "1e999", '"\\q"', "01", '"\xff"'], ids=lambda t: t[:8]
)
def test_values_that_no_frame_may_hold(wire: str, text: str) -> None:
    """Nesting, NaN, numbers out of range, broken text, in a field of a frame or of a whole reply: model_bad_reply."""
    family = FAMILIES[wire]
    bad = [("", f'{{"zz": {text}}}')]
    if family.binary:
        bad = [("contentBlockDelta", bad[0][1])]
    raw = b"".join(written(family, family.begin())) + b"".join(written(family, bad))
    if text == '"\xff"' and not family.binary:
        raw = raw.replace("\xff".encode(), b"\xff")
    elif text == '"\xff"':
        return
    with pytest.raises(ModelError) as caught:
        decoded(wire, raw, b"".join(written(family, family.end(family.stop, family.usage))))
    assert caught.value.code == "model_bad_reply"
    if text == "1e999":
        return  # in a field that a typed decoder skips it harms nobody
    body = whole_reply(wire, Reply("ok"))[:-1] + b',"zz":' + text.encode("latin-1") + b"}"
    with pytest.raises(ModelError) as caught:
        CODECS[wire].decode(body)
    assert caught.value.code == "model_bad_reply"


# ---- framing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("wire", [wire for wire, family in FAMILIES.items() if not family.binary])
@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r"])
def test_every_legal_form_of_an_event_stream(wire: str, ends: bytes) -> None:
    """BOM, comments, ids, retry, fields nobody knows, all three line ends, data over several lines: the same reply."""
    family = FAMILIES[wire]
    plain = whole(family, [*family.text("one "), *family.text("two")])
    lines = [b"\xef\xbb\xbf: a comment", b"retry: 10", b""]
    for line in plain.split(b"\n"):
        if line.startswith(b'data: {"'):
            head, _, rest = line.partition(b'": ')  # a line may end between any two tokens of JSON
            lines += [b":", b"id: 7", head + b'":', b"data:" + rest]
        else:
            lines.append(line)
    odd = ends.join(lines)
    expected, _ = decoded(wire, plain)
    for chunks in ((odd,), tuple(odd[i : i + 1] for i in range(len(odd)))):
        reply, events = decoded(wire, *chunks)
        assert (reply.text, text_of(events), reply.usage) == ("one two", "one two", expected.usage)


@pytest.mark.parametrize("at", ["lengths", "headers", "body", "crc", "huge", "tiny"])
def test_binary_frames_that_lie(at: str) -> None:
    """A flipped byte anywhere, or lengths that cannot be: what came before is shown, then an error that may pass."""
    family = FAMILIES["bedrock-converse"]
    good, bad = (bytearray(written(family, family.text(said))[0]) for said in ("good", "evil"))
    place = {"lengths": 2, "headers": 20, "body": -10, "crc": -1}
    if at in place:
        bad[place[at]] ^= 0x40
    else:
        from zlib import crc32

        bad[:4] = (2**31 if at == "huge" else 3).to_bytes(4)
        bad[8:12] = crc32(bad[:8]).to_bytes(4)
    decoder = CODECS["bedrock-converse"].stream()
    assert text_of(decoder.feed(bytes(good + bad))) == "good"
    with pytest.raises(ModelError) as caught:
        decoder.finish()
    assert caught.value.code == "model_bad_reply" and caught.value.retryable


@every_wire
def test_a_frame_without_an_end_is_refused_at_a_bound(wire: str) -> None:
    """Bytes that never become a frame are not held for ever."""
    decoder = CODECS[wire].stream()
    chunk = b"x" * 1_000_000
    raw = b"data: " if not FAMILIES[wire].binary else written(FAMILIES[wire], FAMILIES[wire].text("y" * 25_000_000))[0]
    began = time.process_time()
    with pytest.raises(ModelError) as caught:
        decoder.feed(raw[:1_000_000])
        for _ in range(40):
            decoder.feed(chunk)
        decoder.finish()
    assert caught.value.code == "model_bad_reply"
    assert time.process_time() - began < 2


@every_wire
def test_many_tiny_deltas_take_little_memory(wire: str) -> None:
    """What is kept of a stream is a small multiple of its bytes, so the cap of the body bounds it; no delta is lost."""
    family = FAMILIES[wire]
    one = b"".join(written(family, family.text("x")))
    count = 20_000
    decoder = CODECS[wire].stream()
    decoder.feed(b"".join(written(family, family.begin())))
    tracemalloc.start()
    shown = sum(len(decoder.feed(one * 100)) for _ in range(count // 100))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    decoder.feed(b"".join(written(family, family.end(family.stop, family.usage))))
    assert shown == count
    assert decoder.finish().text == "x" * count
    assert kept < 4 * count * len(one)


@every_wire
@pytest.mark.parametrize("kind", ["text", "arguments"])
def test_a_long_text_costs_what_its_bytes_cost(wire: str, kind: str) -> None:
    """Five times the pieces, at most some twelve times the time: no text is copied for each piece of it."""
    family = FAMILIES[wire]
    frames = family.text("x" * 400) if kind == "text" else family.piece(1, "x" * 400)
    piece = b"".join(written(family, frames))
    if not piece:
        return
    begin = b"".join(written(family, [*family.begin(), *(family.call(1, "a", "f") if kind == "arguments" else [])]))

    def seconds(times: int) -> float:
        decoder = CODECS[wire].stream()
        start = time.process_time()
        decoder.feed(begin + piece * times)
        decoder.feed(b"".join(written(family, family.end(family.stop, family.usage))))
        decoder.finish()
        return time.process_time() - start

    assert min(seconds(10_000) for _ in range(2)) < 12 * max(min(seconds(2_000) for _ in range(2)), 0.01)
