"""The MCP codec: strict messages, both framings, a session that trusts nothing, bounded definitions and results."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.core.labels import Label
from remit.errors import Unavailable
from remit.wire.mcp.http import header_value, mirrored, mirrored_paths, reply_frames, request_headers, session_of
from remit.wire.mcp.lines import LineReader
from remit.wire.mcp.messages import Fault, Message, Notification, Request, Result, decode, encode
from remit.wire.mcp.session import MAX_STRAYS, MAX_UNASKED, Answer, Changed, Reply, Session
from remit.wire.mcp.tools import clean, label_meta, read_called, read_label, read_tools

CLIENT = {"name": "remit", "version": "1"}
IDS = st.integers(-(2**53), 2**53) | st.text(max_size=20)
OBJECTS = st.dictionaries(st.text(max_size=5), st.none() | st.integers(-9, 9) | st.text(max_size=5), max_size=3)
MESSAGES: st.SearchStrategy[Message] = st.one_of(
    st.builds(Request, IDS, st.text(min_size=1, max_size=20), OBJECTS),
    st.builds(Notification, st.text(min_size=1, max_size=20), OBJECTS),
    st.builds(Result, IDS, OBJECTS),
    st.builds(Fault, st.none() | IDS, st.integers(-40000, 0), st.text(max_size=20), st.none() | OBJECTS),
)


@given(MESSAGES)
def test_messages_survive_the_wire(message: Message) -> None:
    """What is encoded is decoded to the same value, without a line break in it."""
    data = encode(message)
    assert decode(data) == [message]
    assert b"\n" not in data


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"jsonrpc":"1.0","method":"a"}',
        '{"jsonrpc":"2.0"}',
        '{"jsonrpc":"2.0","id":1}',
        '{"jsonrpc":"2.0","id":null,"method":"a"}',
        '{"jsonrpc":"2.0","id":true,"method":"a"}',
        '{"jsonrpc":"2.0","id":1.5,"method":"a"}',
        '{"jsonrpc":"2.0","id":[],"method":"a"}',
        '{"jsonrpc":"2.0","id":1e30,"result":{}}',
        '{"jsonrpc":"2.0","method":""}',
        '{"jsonrpc":"2.0","method":7}',
        '{"jsonrpc":"2.0","method":"a","params":[1]}',
        '{"jsonrpc":"2.0","id":1,"result":[]}',
        '{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"m"}}',
        '{"jsonrpc":"2.0","id":1,"method":"a","result":{}}',
        '{"jsonrpc":"2.0","id":1,"error":{"code":"1","message":"m"}}',
        '{"jsonrpc":"2.0","id":1,"error":{"code":1}}',
        '{"jsonrpc":"2.0","result":{}}',
        '{"jsonrpc":"2.0","method":"a","more":1}',
        '[{"jsonrpc":"2.0","method":"a"}]',
        '{"jsonrpc":"2.0","method":"a","params":' + '{"a":' * 200 + "1" + "}" * 200 + "}",
        "\xff",
    ],
)
def test_what_is_no_message_is_refused(text: str) -> None:
    """Half messages, two at once, ids that are none, lists where no batch is spoken, and deep nesting."""
    with pytest.raises(Unavailable) as caught:
        decode(text.encode("latin-1"))
    assert caught.value.code == "mcp_failed"


@given(st.binary(max_size=200))
def test_any_bytes_are_messages_or_refused(data: bytes) -> None:
    """Nothing but mcp_failed comes out of bytes that are no message."""
    for batch in (True, False):
        try:
            decode(data, batch=batch)
        except Unavailable as error:
            assert error.code == "mcp_failed"


def test_batches_are_read_where_they_are_spoken() -> None:
    """Several messages in one array, at most 64, and not an empty one."""
    one = {"jsonrpc": "2.0", "method": "a"}
    assert decode(json.dumps([one, one]).encode(), batch=True) == [Notification("a"), Notification("a")]
    for many in ([], [one] * 65):
        with pytest.raises(Unavailable):
            decode(json.dumps(many).encode(), batch=True)


@given(st.lists(st.binary(max_size=30).filter(lambda b: b.strip() and b"\n" not in b), max_size=6), st.data())
def test_lines_come_whole_however_they_are_cut(lines: list[bytes], data: st.DataObject) -> None:
    """The same lines for every cut."""
    whole = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    reader, found = LineReader(), []
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        found += reader.feed(whole[start:end])
    assert found == lines


def test_a_line_is_bounded() -> None:
    """Neither an unfinished nor a finished line passes the bound."""
    for pieces in ([b"x" * 11], [b"x" * 6, b"x" * 6], [b"ab\n" + b"x" * 11]):
        reader = LineReader(10)
        with pytest.raises(Unavailable):
            for piece in pieces:
                reader.feed(piece)


# --- session --------------------------------------------------------------------------------------


def result(identity: Any, **fields: Any) -> bytes:
    return encode(Result(identity, fields))


def test_a_stateless_server_is_told_everything_each_time() -> None:
    """After discovery each request carries revision, client and capabilities; given `_meta` stays beside them."""
    session = Session(CLIENT)
    identity, _ = session.discover()
    (event,) = session.receive(result(identity, supportedVersions=["2026-07-28", "2025-11-25"]))
    assert isinstance(event, Answer)
    assert session.discovered(event.message) == "2026-07-28"
    _, data = session.request("tools/call", {"name": "x", "_meta": {"remit/label": {}}})
    meta = json.loads(data)["params"]["_meta"]
    assert meta == {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": CLIENT,
        "io.modelcontextprotocol/clientCapabilities": {},
        "remit/label": {},
    }


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (Fault(1, -32601, "no"), ""),
        (Fault(1, -32022, "no", {"supported": ["2025-11-25"]}), ""),
        (Fault(1, -32022, "no", {"supported": ["2026-07-28"]}), "2026-07-28"),
        (Result(1, {"supportedVersions": ["2025-06-18"]}), ""),
    ],
)
def test_the_era_is_read_from_the_answer(answer: Result | Fault, found: str) -> None:
    """Any error but one of the newer era means the older handshake."""
    assert Session(CLIENT).discovered(answer) == found


@pytest.mark.parametrize("offered", [["2999-01-01"], [], None, "2026-07-28"])
def test_no_common_revision_is_an_error(offered: Any) -> None:
    """What nobody here speaks, or no list at all."""
    with pytest.raises(Unavailable):
        Session(CLIENT).discovered(Result(1, {"supportedVersions": offered}))


def test_the_handshake_of_older_servers() -> None:
    """initialize, its answer, initialized; requests then carry no metadata."""
    session = Session(CLIENT)
    identity, data = session.initialize()
    assert json.loads(data)["params"]["protocolVersion"] == "2025-11-25"
    assert json.loads(session.initialized(Result(identity, {"protocolVersion": "2025-03-26"}))) == {
        "jsonrpc": "2.0", "method": "notifications/initialized",
    }  # fmt: skip
    assert "_meta" not in json.loads(session.request("tools/list", {})[1]).get("params", {})
    for wrong in (Fault(1, -1, "no"), Result(1, {"protocolVersion": "2026-07-28"}), Result(1, {})):
        with pytest.raises(Unavailable):
            Session(CLIENT).initialized(wrong)


def test_an_answer_counts_once_and_only_for_who_waits() -> None:
    """Late, repeated and invented answers are dropped; too many break the connection."""
    session = Session(CLIENT, "2026-07-28")
    first, _ = session.request("a", {})
    second, _ = session.request("b", {})
    assert json.loads(session.abandon(second, "why"))["params"] == {"requestId": second, "reason": "why"}
    assert session.receive(result(first)) == [Answer(first, Result(first, {}))]
    for late in (first, second, 99, "x"):
        assert session.receive(result(late)) == []
    with pytest.raises(Unavailable):
        for _ in range(MAX_STRAYS):
            session.receive(result("x"))


def test_what_a_server_may_send_unasked() -> None:
    """A ping is answered, a changed list is an event, everything else is refused or dropped; a flood is the end."""
    session = Session(CLIENT, "2025-11-25")
    assert session.receive(encode(Request(7, "ping"))) == [Reply(encode(Result(7, {})))]
    (reply,) = session.receive(encode(Request("s", "roots/list")))
    assert isinstance(reply, Reply)
    assert json.loads(reply.data)["error"]["code"] == -32601
    assert session.receive(encode(Notification("notifications/tools/list_changed"))) == [Changed()]
    note = encode(Notification("notifications/message"))
    assert session.receive(note) == []
    with pytest.raises(Unavailable):
        for _ in range(MAX_UNASKED):
            session.receive(note)


# --- tools ----------------------------------------------------------------------------------------


def listed(**more: Any) -> dict[str, Any]:
    return {"tools": [{"name": "t", "description": "d", "inputSchema": {"type": "object"}, **more}]}


def test_a_digest_covers_what_a_model_reads() -> None:
    """Order, icons and `_meta` do not change it; any other member does."""
    (plain,), _ = read_tools(listed())
    backwards = {"tools": [dict(reversed(listed()["tools"][0].items()))]}
    assert read_tools(backwards)[0][0].digest == plain.digest
    assert read_tools(listed(icons=[1], _meta={"a": 1}))[0][0].digest == plain.digest
    for more in ({"description": "D"}, {"title": "t"}, {"annotations": {"readOnlyHint": True}}, {"name": "u"}):
        assert read_tools(listed(**more))[0][0].digest != plain.digest


@pytest.mark.parametrize(
    "result_",
    [
        {},
        {"tools": {}},
        {"tools": [1]},
        listed(name=""),
        listed(name="a" * 129),
        listed(name="a\u202eb"),
        listed(description=5),
        listed(inputSchema=None),
        listed(inputSchema={"type": "array"}),
        listed(inputSchema={"properties": {"a": {"items": [{"$ref": "http://169.254.169.254/"}]}}}),
        listed(extra="x" * 70_000),
    ],
)
def test_what_is_no_definition_is_refused(result_: dict[str, Any]) -> None:
    """Names, descriptions and schemas that are none, references to elsewhere, and size."""
    with pytest.raises(Unavailable):
        read_tools(result_)


def test_clean_text_hides_nothing() -> None:
    """Control, format, private and unassigned characters are gone; letters, tabs and line breaks stay."""
    assert clean("a\u200bb\u202ec\x1b[2J\td\n\ue000\ud800é") == "abc[2J\td\né"


@pytest.mark.parametrize("meta", [{"readers": "ann"}, {"readers": [1]}, {"sources": {}}, {"integrity": "root"}])
def test_a_label_that_is_none_is_refused(meta: dict[str, Any]) -> None:
    """A label is never guessed."""
    with pytest.raises(Unavailable):
        read_label({"remit/label": meta})


def test_labels_go_out_whole_and_come_in_worse() -> None:
    """What is sent keeps its trust; what is received never has more than none."""
    label = Label("user", ("ann",), ("s",))
    assert read_label(label_meta(label)) == Label("untrusted", ("ann",), ("s",))
    assert read_label({}) == read_label(None) == Label("untrusted")


def test_structured_content_is_shown_where_no_text_is() -> None:
    """The JSON stands in for missing text."""
    assert read_called({"content": [], "structuredContent": {"a": 1}}).text == '{"a":1}'
    assert read_called({"content": [{"type": "text", "text": "t"}], "structuredContent": 1}).text == "t"


# --- HTTP -----------------------------------------------------------------------------------------


def test_headers_repeat_what_intermediaries_read() -> None:
    """Version, method and name for the newer revision; only the version for the older ones that know it."""
    new = request_headers("2026-07-28", "tools/call", {"name": "größe"}, "s1")
    assert (new["mcp-method"], new["mcp-name"]) == ("tools/call", "=?base64?Z3LDtsOfZQ==?=")
    assert (new["mcp-session-id"], new["mcp-protocol-version"]) == ("s1", "2026-07-28")
    assert "mcp-method" not in request_headers("2025-11-25", "tools/call", {"name": "a"})
    assert "mcp-protocol-version" not in request_headers("2025-03-26", "ping", {})


@pytest.mark.parametrize(
    ("value", "header"),
    [
        ("us-west1", "us-west1"),
        ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
        (" padded ", "=?base64?IHBhZGRlZCA=?="),
        ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
        ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
    ],
)
def test_values_in_headers(value: str, header: str) -> None:
    """The examples of the specification, value encoding."""
    assert header_value(value) == header


def test_arguments_are_mirrored_where_a_schema_asks() -> None:
    """Nested properties are reached; numbers, missing values and null are not sent."""
    schema = {
        "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "deep": {"properties": {"on": {"type": "boolean", "x-mcp-header": "On"}}},
            "n": {"type": "integer", "x-mcp-header": "N"},
        }
    }
    paths = mirrored_paths(schema)
    assert mirrored(paths, {"region": "eu", "deep": {"on": True}, "n": None}) == {
        "mcp-param-region": "eu", "mcp-param-on": "true",
    }  # fmt: skip
    assert mirrored(paths, {"n": 2**60, "deep": 3}) == {}


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"type": "string", "x-mcp-header": ""}}},
        {"properties": {"a": {"type": "string", "x-mcp-header": "A\r\nHost: x"}}},
        {"properties": {"a": {"type": "number", "x-mcp-header": "A"}}},
        {"properties": {"a": {"type": "array", "items": {"type": "string", "x-mcp-header": "A"}}}},
        {"anyOf": [{"properties": {"a": {"type": "string", "x-mcp-header": "A"}}}]},
        {"properties": {"a": {"type": "string", "x-mcp-header": "A"}, "b": {"type": "string", "x-mcp-header": "a"}}},
    ],
)
def test_annotations_that_are_not_allowed(schema: dict[str, Any]) -> None:
    """Header injection, types that may not, places that are not reached, and one name twice."""
    with pytest.raises(Unavailable):
        mirrored_paths(schema)


def test_answers_of_http() -> None:
    """One JSON object, or the data of events; another type of content is refused, and so is a strange session id."""
    assert reply_frames("application/json; charset=utf-8", b'{"a":1}') == [b'{"a":1}']
    assert reply_frames("application/json", b"") == []
    stream = b": hi\n\nevent: message\ndata: {\ndata: }\n\ndata: 2\n\n"
    assert reply_frames("text/event-stream", stream) == [b"{\n}", b"2"]
    for kind in ("text/html", ""):
        with pytest.raises(Unavailable):
            reply_frames(kind, b"<html>")
    assert session_of({"mcp-session-id": "abc"}) == "abc"
    for wrong in ("a b", "ü", "x" * 600):
        with pytest.raises(Unavailable):
            session_of({"mcp-session-id": wrong})
