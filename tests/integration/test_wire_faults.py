"""Every wire under every fault: the right error, the right wait, no text lost or repeated, no hang."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

import remit
from remit.adapters.providers import http_model
from remit.core.messages import Text, ToolCall
from remit.core.model import Reply, StreamEnd, StreamReset, TextDelta
from remit.core.usage import Usage
from remit.errors import ModelError
from remit.runtime import Runtime
from remit.testing import FakeClock, WireFault, WireServer

WIRES = ("openai-chat", "openai-responses", "anthropic-messages", "gemini", "bedrock-converse", "cohere-v2")
KEY = "wire-secret-key-4711-abcdef"
TEXT = "A whole answer that takes several pieces, with an umlaut \u00fc and a \U0001f40d, then the end."
ANSWER = Reply((Text(TEXT), ToolCall("c1", "f", {"a": [1, "\u00fc"]})), "tool_use", Usage(20, 5, 0, 9), "m", "r1")


class Outcome:
    """What a call gave: its reply or error, what was shown since the last reset, the waits, the requests."""

    def __init__(self) -> None:
        self.reply: Reply | None = None
        self.error: ModelError | None = None
        self.shown = ""
        self.resets = 0
        self.waits: list[float] = []
        self.asked = 0


def ask(wire: str, *faults: WireFault | None, stream: bool = True, answer: Any = ANSWER) -> Outcome:
    """One call of a model of `wire` through gate and journal, with faults at its first requests."""
    outcome = Outcome()

    async def run() -> None:
        clock = FakeClock()
        async with WireServer(answer=answer, faults=faults) as server, Runtime(clock=clock):
            model = remit.model(f"{wire}:m", base_url=server.base_url(wire), api_key=KEY)
            try:
                if stream:
                    await _streamed(model, outcome)
                else:
                    outcome.reply = await model.request("hi")
            except ModelError as error:
                outcome.error = error
            outcome.waits, outcome.asked = clock.slept, len(server.asked)

    asyncio.run(run())
    return outcome


async def _streamed(model: Any, outcome: Outcome) -> None:
    async with model.stream("hi") as stream:
        async for event in stream:
            if type(event) is TextDelta:
                outcome.shown += event.text
            elif type(event) is StreamReset:
                outcome.shown = ""
                outcome.resets += 1
            elif type(event) is StreamEnd:
                outcome.reply = event.reply


def whole(outcome: Outcome) -> None:
    """The reply is the server's, and what was shown is its text."""
    assert outcome.error is None and outcome.reply is not None
    assert outcome.reply.text == TEXT
    assert [(c.id, c.name, c.arguments) for c in outcome.reply.tool_calls] == [("c1", "f", {"a": [1, "\u00fc"]})]
    assert outcome.reply.stop_reason == "tool_use"


@pytest.mark.parametrize("wire", WIRES)
def test_without_a_fault(wire: str) -> None:
    """Whole and streamed: the same reply, the counts, one request."""
    streamed, plain = ask(wire), ask(wire, stream=False)
    for outcome in (streamed, plain):
        whole(outcome)
        assert outcome.asked == 1 and outcome.waits == []
        u = outcome.reply.usage  # type: ignore[union-attr]
        assert (u.input_tokens, u.output_tokens) == (20, 9)
    assert streamed.shown == TEXT
    longest = ask(wire, answer=Reply("cut", "max_tokens"))
    assert longest.reply is not None and longest.reply.stop_reason == "max_tokens"


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("status", [429, 503, 529])
def test_statuses_and_waits(wire: str, status: int) -> None:
    """Each overload status with each form of a wait: waited exactly that long, once; without one, jitter below 1 s."""
    seven: list[Any] = [WireFault("status", status=status, wait=form, wait_s=7.0) for form in ("seconds", "date")]
    two: list[Any] = [WireFault("status", status=status, wait=form, wait_s=2.5) for form in ("ms", "body")]
    outcome = ask(wire, *seven, two[0], stream=status != 503)
    whole(outcome)
    assert (outcome.asked, outcome.waits) == (4, [7.0, 7.0, 2.5])
    outcome = ask(wire, two[1], WireFault("status", status=status), stream=status == 503)
    whole(outcome)
    assert outcome.asked == 3 and outcome.waits[0] == 2.5 and 0 <= outcome.waits[1] <= 2.0


@pytest.mark.parametrize("wire", WIRES)
def test_it_gives_up_after_three_retries_with_the_providers_words(wire: str) -> None:
    """Four requests, the last error, a wait that is capped at 30 s; other 4xx are never asked again."""
    outcome = ask(wire, *[WireFault("status", status=429, wait="seconds", wait_s=90)] * 5)
    assert outcome.error is not None
    assert (outcome.error.code, outcome.asked, outcome.waits) == ("model_rate_limited", 4, [30.0] * 3)
    assert "a fault of the test" in outcome.error.message
    for status, code in ((400, "model_bad_request"), (401, "model_auth"), (404, "model_not_found")):
        refused = ask(wire, WireFault("status", status=status), stream=False)
        assert refused.error is not None and (refused.error.code, refused.asked) == (code, 1)
        assert KEY not in str(refused.error.for_user())


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("kind", ["truncated", "reset", "error_frame"])
@pytest.mark.parametrize("middle", [0.0, 0.7])
def test_streams_that_break(wire: str, kind: Any, middle: float) -> None:
    """Broken at the start, in the middle and near the end: another attempt, and its text alone is left."""
    outcome = ask(wire, WireFault(kind, middle=middle))
    whole(outcome)
    assert (outcome.asked, outcome.resets, outcome.shown) == (2, 1, TEXT)


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize(
    ("kind", "code"),
    [("truncated", "model_stream_cut"), ("reset", "model_stream_cut"), ("garbage", "model_bad_reply"),
     ("error_frame", "model_overloaded")],
)  # fmt: skip
def test_the_error_of_a_broken_stream(wire: str, kind: Any, code: str) -> None:
    """When every attempt breaks, the error says how. What is no JSON is not bought again; a bad checksum is."""
    outcome = ask(wire, *[WireFault(kind)] * 4)
    asked = 1 if kind == "garbage" and wire != "bedrock-converse" else 4
    assert outcome.error is not None and (outcome.error.code, outcome.asked) == (code, asked)


@pytest.mark.parametrize("wire", WIRES)
def test_a_slow_and_a_repeated_stream(wire: str) -> None:
    """Slow pieces and a stream that comes twice: one attempt, the text once."""
    for fault in (WireFault("slow", delay_s=0.001), WireFault("duplicated")):
        outcome = ask(wire, fault)
        whole(outcome)
        assert (outcome.asked, outcome.shown) == (1, TEXT)


@pytest.mark.parametrize("wire", WIRES)
def test_silence_ends_at_the_deadline(wire: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No first byte, and nothing after the middle: model_timeout or model_stream_cut at the deadline, then again."""
    monkeypatch.setattr(http_model, "FIRST_BYTE_S", 0.15)
    monkeypatch.setattr(http_model, "IDLE_S", 0.15)
    for kind in ("silent", "stall"):
        began = time.monotonic()
        outcome = ask(wire, WireFault(kind))
        whole(outcome)
        assert (outcome.asked, outcome.shown) == (2, TEXT)
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("wire", WIRES)
def test_a_stream_that_drips_ends_too(wire: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every piece comes in time, the whole never: the deadline of the whole stream holds."""
    monkeypatch.setattr(http_model, "TOTAL_S", 0.3)
    began = time.monotonic()
    outcome = ask(wire, *[WireFault("slow", delay_s=0.1)] * 4)
    assert outcome.error is not None and outcome.error.code in ("model_timeout", "model_stream_cut")
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("kind", ["html", "not_utf8", "nan", "truncated", "reset"])
def test_whole_replies_that_are_none(wire: str, kind: Any) -> None:
    """A web page, bytes that are no UTF-8, NaN, half a body: an error of the model, never another exception."""
    outcome = ask(wire, *[WireFault(kind)] * 4, stream=False)
    assert outcome.error is not None
    assert outcome.error.code in ("model_bad_reply", "model_connection", "model_stream_cut")
    assert outcome.error.hint
    assert KEY not in f"{outcome.error.for_user()}{outcome.error!r}"
    if kind == "html":
        assert "base_url" in outcome.error.hint and outcome.asked == 1


def test_an_oversized_reply_is_refused_at_the_cap() -> None:
    """More than the cap is never held: the error names the cap, and it is not asked again."""
    outcome = ask("openai-chat", WireFault("oversized", size_bytes=33 * 1024 * 1024), stream=False)
    assert outcome.error is not None and (outcome.error.code, outcome.asked) == ("model_bad_reply", 1)
    assert "33554432" in outcome.error.message


@pytest.mark.parametrize(
    ("name", "near"),
    [("openai-chat:gpt-4o-mni", "gpt-4o-mini"), ("anthropic-messages:claude-opus-4-9", "claude-opus-4-"),
     ("gemini:gemini-3.6-flahs", "gemini-3"), ("bedrock-converse:amazon.nova-micro-v1:O", "amazon.nova-micro")],
)  # fmt: skip
def test_an_unknown_model_names_the_nearest(name: str, near: str) -> None:
    """The hint of model_not_found lists known names that are like it."""

    async def run() -> ModelError:
        wire = name.partition(":")[0]
        async with WireServer(faults=[WireFault("status", status=404)]) as server, Runtime(clock=FakeClock()):
            with pytest.raises(ModelError) as caught:
                await remit.model(name, base_url=server.base_url(wire), api_key=KEY).request("hi")
            return caught.value

    error = asyncio.run(run())
    assert error.code == "model_not_found" and near in error.hint.partition("Nearest:")[2]


def test_wrong_addresses() -> None:
    """A closed port, and plain http where base_url says https: hints that name the place."""

    async def run(base_url: str) -> ModelError:
        async with Runtime(clock=FakeClock()):
            with pytest.raises(ModelError) as caught:
                await remit.model("openai-chat:m", base_url=base_url, api_key=KEY).request("hi")
            return caught.value

    closed = asyncio.run(run("http://127.0.0.1:9/v1"))
    assert closed.code == "model_connection" and "127.0.0.1:9" in closed.hint

    async def plain() -> ModelError:
        async with WireServer() as server:
            return await run(f"https://127.0.0.1:{server.port}/v1")

    tls = asyncio.run(plain())
    assert tls.code == "model_connection" and "http://" in tls.hint, tls.message


def test_a_certificate_that_is_not_trusted(tmp_path: Any) -> None:
    """TLS with a certificate of nobody: refused, and the hint says that verification stays on."""
    import datetime
    import ssl

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start.replace(year=2090))
    certificate = builder.sign(key, hashes.SHA256())
    pem = tmp_path / "c.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)

    async def run() -> ModelError:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        async with Runtime(clock=FakeClock()):
            with pytest.raises(ModelError) as caught:
                await remit.model("openai-chat:m", base_url=f"https://127.0.0.1:{port}/v1", api_key=KEY).request("hi")
        server.close()
        return caught.value

    error = asyncio.run(run())
    assert error.code == "model_connection" and "certificate" in error.hint, error.message


@pytest.mark.parametrize("wire", WIRES)
def test_the_key_is_nowhere(wire: str, tmp_path: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A provider that repeats the key in its errors: not in message, hint, journal, log or any chained exception."""
    from remit.testing import wire_faults as wire_server

    async def run() -> ModelError:
        faults = [WireFault("status", status=401)]
        journal = f"sqlite:{tmp_path / 'j.db'}"
        async with WireServer(faults=faults) as server, Runtime(journal, clock=FakeClock()):
            original = wire_server.failure
            wire_server.failure = lambda *a, **k: original(a[0], a[1], f"Incorrect API key provided: {KEY}.", "")
            try:
                with pytest.raises(ModelError) as caught:
                    await remit.model(f"{wire}:m", base_url=server.base_url(wire), api_key=KEY).request("hi")
            finally:
                wire_server.failure = original
            return caught.value

    error = asyncio.run(run())
    chain: list[str] = []
    seen: BaseException | None = error
    while seen is not None:
        chain.append(f"{seen!r}{seen}{getattr(seen, 'hint', '')}{getattr(seen, 'details', '')}")
        seen = seen.__cause__ or seen.__context__
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert error.code == "model_auth"
    assert KEY not in "".join(chain) + caplog.text + str(error.for_user()) + str(error.for_model())
    assert KEY.encode() not in written and len(written) > 1000
