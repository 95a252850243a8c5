"""An asked form of an answer on all six wires, over HTTP: native, as a required tool, in words; feedback and repair."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

import remit
from remit import Agent, tool
from remit.adapters import providers
from remit.adapters.providers._answer_form import form_of
from remit.core.messages import Text, ToolCall
from remit.core.model import ModelRequest, OutputSpec, Reply, Settings, StreamEnd, TextDelta, ToolCallDelta, ToolSpec
from remit.runtime import Runtime
from remit.testing import WireServer
from remit.testing.wire_replies import streamed, whole

WIRES = providers.WIRES
RIGHT = {"name": "Oslo", "people": 700_000}
SCHEMA = {"type": "object", "properties": {"people": {"type": "integer"}}, "required": ["people"]}

# Where each wire says which tool must be called.
FORCED: dict[str, Callable[[Any], Any]] = {
    "openai-chat": lambda b: b["tool_choice"]["function"]["name"],
    "openai-responses": lambda b: b["tool_choice"]["name"],
    "anthropic-messages": lambda b: b["tool_choice"]["name"],
    "gemini": lambda b: b["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"][0],
    "bedrock-converse": lambda b: b["toolConfig"]["toolChoice"]["tool"]["name"],
    "cohere-v2": lambda b: b["tools"][0]["function"]["name"],
}
# And that some call is required.
REQUIRED: dict[str, Callable[[Any], Any]] = {
    "openai-chat": lambda b: b["tool_choice"] == "required",
    "openai-responses": lambda b: b["tool_choice"] == "required",
    "anthropic-messages": lambda b: b["tool_choice"]["type"] == "any",
    "gemini": lambda b: b["toolConfig"]["functionCallingConfig"]["mode"] == "ANY",
    "bedrock-converse": lambda b: b["toolConfig"]["toolChoice"] == {"any": {}},
    "cohere-v2": lambda b: b["tool_choice"] == "REQUIRED",
}


class City(msgspec.Struct):
    name: str
    people: int


def body(asked: Any) -> Any:
    """The request's JSON."""
    return asked.body if isinstance(asked.body, dict) else json.loads(asked.body)


def answering(*replies: Any) -> tuple[Callable[[Any], Reply], list[Any]]:
    """A server's answers in order, the last one again and again; and the bodies that it was asked with."""
    bodies: list[Any] = []

    def answer(asked: Any) -> Reply:
        bodies.append(body(asked))
        part = replies[min(len(bodies), len(replies)) - 1]
        return Reply(part if isinstance(part, tuple) else (part,))

    return answer, bodies


def call(arguments: Any, name: str = "final_answer") -> ToolCall:
    """A call of the answer's tool."""
    return ToolCall("call_1", name, arguments)


def run(wire: str, answer: Any, form: str, **options: Any) -> Any:
    """One agent's run with an answer of type City."""

    async def main() -> Any:
        with WireServer(answer=answer) as server:
            async with Runtime():
                model = remit.model(f"{wire}:m", base_url=server.base_url(wire), api_key="k")
                return await Agent("a", model, output=City, settings={"answer_form": form}, **options).run("Oslo?")

    return asyncio.run(main())


@pytest.mark.parametrize("wire", WIRES)
def test_the_schema_is_a_tool_that_must_be_called(wire: str) -> None:
    """Alone it is the one forced; its arguments are the answer; nothing of it stays in the history."""
    answer, bodies = answering(call(RIGHT))
    done = run(wire, answer, "tool")
    assert done.status == "ok" and done.output == City("Oslo", 700_000)
    assert FORCED[wire](bodies[0]) == "final_answer" and REQUIRED["cohere-v2"]({"tool_choice": "REQUIRED"})
    assert "people" in json.dumps(bodies[0]) and len(bodies) == 1


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("form", ["tool", "words", "native"])
def test_what_does_not_fit_is_said_and_mended(wire: str, form: str) -> None:
    """The second request says where the first answer was wrong, and still asks for the form; the third try fits."""
    wrong = [{"name": "Oslo", "people": "many"}, {"name": "Oslo"}, RIGHT]
    parts = [call(w) if form == "tool" else Text(json.dumps(w)) for w in wrong]
    answer, bodies = answering(*parts)
    done = run(wire, answer, form)
    assert done.output == City("Oslo", 700_000) and len(bodies) == 3
    assert "does not fit the asked type" in json.dumps(bodies[1]) and "people" in json.dumps(bodies[1])
    assert "many" in json.dumps(bodies[1]), "the model sees what it had answered"
    if form == "tool":
        assert [FORCED[wire](b) for b in bodies] == ["final_answer"] * 3


@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("form", ["tool", "words"])
def test_repair_is_bounded(wire: str, form: str) -> None:
    """A model that never gives the form is asked four times, then the run fails with the code and the text."""
    part = call({"name": 1}) if form == "tool" else Text("no JSON at all")
    answer, bodies = answering(part)
    done = run(wire, answer, form)
    assert (done.status, done.error.code) == ("failed", "output_invalid")
    assert len(bodies) == 4 and done.output


@pytest.mark.parametrize("wire", WIRES)
def test_other_tools_may_be_called_first(wire: str) -> None:
    """With tools of its own some call is required, not the answer's; an answer given beside another call waits."""

    @tool(effect="read")
    def lookup(city: str) -> str:
        """Look a city up."""
        return f"{city} has 700000"

    both = (call({"city": "Oslo"}, "lookup"), ToolCall("call_2", "final_answer", {"name": "Oslo", "people": 0}))
    answer, bodies = answering(both, call(RIGHT))
    done = run(wire, answer, "tool", tools=[lookup])
    assert done.output == City("Oslo", 700_000) and len(bodies) == 2
    assert all(REQUIRED[wire](b) for b in bodies)
    assert "Oslo has 700000" in json.dumps(bodies[1])


@pytest.mark.parametrize("wire", WIRES)
def test_a_streamed_answer_is_text(wire: str) -> None:
    """The pieces of the call are shown as text, add up to the reply's text, and decode; no call is shown."""

    async def main() -> tuple[list[Any], Reply]:
        with WireServer(answer=Reply((call(RIGHT),))) as server:
            async with Runtime():
                model = remit.model(f"{wire}:m", base_url=server.base_url(wire), api_key="k")
                async with model.stream("Oslo?", output=City, settings={"answer_form": "tool"}) as stream:
                    events = [event async for event in stream]
        (end,) = [e for e in events if isinstance(e, StreamEnd)]
        return events, end.reply

    events, reply = asyncio.run(main())
    assert "".join(e.text for e in events if isinstance(e, TextDelta)) == reply.text
    assert json.loads(reply.text) == RIGHT and reply.stop_reason == "end"
    assert not any(isinstance(e, ToolCallDelta) for e in events)


@pytest.mark.parametrize("wire", WIRES)
def test_a_model_that_answers_in_text_all_the_same_is_heard(wire: str) -> None:
    """Text in place of the required call is taken as the answer, whole and streamed once."""

    async def main() -> tuple[str, Reply]:
        with WireServer(answer=json.dumps(RIGHT)) as server:
            async with Runtime():
                model = remit.model(f"{wire}:m", base_url=server.base_url(wire), api_key="k")
                async with model.stream("Oslo?", output=City, settings={"answer_form": "tool"}) as stream:
                    shown = "".join([e.text async for e in stream if isinstance(e, TextDelta)])
                return shown, await model.request("Oslo?", output=City, settings={"answer_form": "tool"})

    shown, reply = asyncio.run(main())
    assert json.loads(shown) == json.loads(reply.text) == RIGHT


def asked(model: str, *, tools: bool = False, **settings: Any) -> ModelRequest:
    """A request for a form."""
    specs = (ToolSpec("t", "", {"type": "object"}),) if tools else ()
    return ModelRequest((), specs, OutputSpec("o", SCHEMA), Settings(**settings), model)


@pytest.mark.parametrize(
    ("provider", "model", "form"),
    [
        ("openai", "gpt-5-mini", "native"), ("openai", "gpt-4o-2024-08-06", "native"), ("openai", "gpt-4.1", "native"),
        ("anthropic", "claude-sonnet-4-5", "native"), ("groq", "openai/gpt-oss-20b", "native"),
        ("deepseek", "deepseek-chat", "tool"), ("zai", "glm-4.6", "words"), ("moonshot", "kimi-k2", "tool"),
        ("openai-compatible", "anything", "tool"), ("google", "gemini-2.5-flash", "native"),
        ("perplexity", "sonar", "native"),
        ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", "native"),
    ],
)  # fmt: skip
def test_the_form_follows_provider_and_model(provider: str, model: str, form: str) -> None:
    """Native where it exists, a required tool where one can be required, words else."""
    assert form_of(providers.profile(provider), asked(model)) == form


def test_the_form_follows_the_request() -> None:
    """Gemini 2 and Cohere constrain no answer beside tools; Claude requires no call while it thinks."""
    google, cohere, claude = map(providers.profile, ("google", "cohere", "anthropic"))
    assert form_of(google, asked("gemini-2.5-pro", tools=True)) == "tool"
    assert form_of(google, asked("gemini-3-pro", tools=True)) == "native"
    assert form_of(cohere, asked("command-a", tools=True)) == "tool" and form_of(cohere, asked("command-a")) == "native"
    assert form_of(claude, asked("claude-3-7-sonnet-latest", thinking_tokens=2000), {"native"}) == "words"


# How providers refuse. Sources: issue threads of clients that quote them; their API references.
REFUSALS = {
    "native": (
        "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
        "This model does not support response format `json_schema`.",
        "This response_format type is unavailable now",
        "output_config.format: Extra inputs are not permitted",
        "This model doesn't support the outputConfig.textFormat field.",
        "JSON mode is not enabled for models/gemma-3-27b-it",
        "Function calling with a response mime type: 'application/json' is unsupported",
    ),
    "tool": (
        "deepseek-reasoner does not support this tool_choice",
        "tool_choice 'required' is incompatible with thinking enabled",
        "This model doesn't support the toolConfig.toolChoice.tool field. Remove it and try again.",
        "Function calling is not enabled for models/gemma-3-27b-it",
    ),
}


async def read(reader: asyncio.StreamReader) -> Any:
    """The body of a request."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    return json.loads(await reader.readexactly(int(head.split("content-length: ")[1].split("\r")[0])))


async def write(writer: asyncio.StreamWriter, code: int, raw: bytes) -> None:
    """An answer, and the end of the connection."""
    writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b" % (code, len(raw), raw))
    await writer.drain()
    writer.close()


def refusing(said: dict[str, str], status: int = 400) -> tuple[Any, list[Any]]:
    """What a server does that refuses forms with a message, by form; and the bodies that it is asked with."""
    bodies: list[Any] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = await read(reader)
        bodies.append(body)
        form = "native" if "response_format" in body else "tool" if "tools" in body else "words"
        if form in said:
            await write(writer, status, json.dumps({"error": {"message": said[form]}}).encode())
            return
        reply = Reply(Text(json.dumps(RIGHT))) if form == "words" else Reply(call(RIGHT))
        await write(
            writer, 200, b"".join(streamed("openai-chat", reply)) if body.get("stream") else whole("openai-chat", reply)
        )

    return serve, bodies


def ask_twice(
    said: dict[str, str], *, stream: bool = False, status: int = 400, form: str = ""
) -> tuple[Any, list[str]]:
    """Two runs of one agent at a server that refuses; the last run, and the forms that were asked for."""
    serve, bodies = refusing(said, status)

    async def main() -> Any:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server, Runtime():
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
            model = remit.model("openai-chat:m", base_url=url, api_key="k")
            agent = Agent("a", model, output=City, settings={"answer_form": form} if form else None)
            for _ in range(2):
                if stream:
                    async with agent.stream("Oslo?") as events:
                        async for event in events:
                            done = event
                else:
                    done = await agent.run("Oslo?")
            return done

    done = asyncio.run(main())
    return done, ["native" if "response_format" in b else "tool" if "tools" in b else "words" for b in bodies]


@pytest.mark.parametrize("words", REFUSALS["native"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_refused_form_is_asked_for_in_the_next_way_and_remembered(words: str, stream: bool) -> None:
    """A native form is refused once, ever; the tool answers."""
    done, forms = ask_twice({"native": words}, stream=stream)
    assert done.output == City("Oslo", 700_000)
    assert forms == ["native", "tool", "tool"]


@pytest.mark.parametrize("words", REFUSALS["tool"])
def test_both_forms_may_be_refused(words: str) -> None:
    """Then it is asked for in words."""
    done, forms = ask_twice({"native": REFUSALS["native"][0], "tool": words})
    assert done.output == City("Oslo", 700_000)
    assert forms == ["native", "tool", "words", "words"]


@pytest.mark.parametrize("wire", WIRES)
def test_each_try_is_a_little_warmer(wire: str) -> None:
    """Temperature 0, then a tenth more at each further try; what the settings say stands."""

    def temperatures(**settings: Any) -> list[Any]:
        answer, bodies = answering(Text("no JSON at all"))

        async def main() -> None:
            with WireServer(answer=answer) as server:
                async with Runtime():
                    model = remit.model(f"{wire}:m", base_url=server.base_url(wire), api_key="k")
                    await Agent("a", model, output=City, settings={"answer_form": "words", **settings}).run("Oslo?")

        asyncio.run(main())
        places = [b.get("generationConfig") or b.get("inferenceConfig") or b for b in bodies]
        return [place.get("temperature") for place in places]

    assert temperatures() == [0, 0.1, 0.2, 0.3]
    assert temperatures(temperature=0.7) == [0.7] * 4
    assert temperatures(reasoning_effort="low") == [None] * 4


def test_a_refused_temperature_is_left_out_and_remembered() -> None:
    """Models that take only their own temperature: one refusal, ever."""
    bodies: list[Any] = []
    why = "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) is supported."

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        bodies.append(await read(reader))
        if "temperature" in bodies[-1]:
            await write(writer, 400, json.dumps({"error": {"message": why}}).encode())
        else:
            await write(writer, 200, whole("openai-chat", Reply(call(RIGHT))))

    async def main() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server, Runtime():
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
            agent = Agent("a", remit.model("openai-compatible:m", base_url=url, api_key="k"), output=City)
            for _ in range(2):
                assert (await agent.run("Oslo?")).output == City("Oslo", 700_000)

    asyncio.run(main())
    assert ["temperature" in body for body in bodies] == [True, False, False]
    assert all("tools" in body for body in bodies)


def test_a_wrong_schema_is_no_lack_of_the_model() -> None:
    """It is asked for in another way, but the next request may have a better schema: nothing is remembered."""
    done, forms = ask_twice({"native": "Invalid schema for response_format 'City': 'required' is wrong"})
    assert done.output == City("Oslo", 700_000)
    assert forms == ["native", "tool", "native", "tool"]


@pytest.mark.parametrize(
    ("words", "status", "form"),
    [("the context is too long", 400, ""), ("json_schema overloaded", 401, ""), (REFUSALS["native"][0], 400, "native")],
)
def test_other_refusals_are_errors(words: str, status: int, form: str) -> None:
    """Words that do not name the form, another status, a form that was asked for by name: the error is the answer."""
    done, forms = ask_twice({"native": words}, status=status, form=form)
    assert done.status == "failed" and words in done.error.message
    assert forms == ["native", "native"]


def test_another_name_for_the_answer_is_an_error() -> None:
    """`answer_form` takes three words."""
    done = run("openai-chat", "x", "xml")
    assert done.status == "failed" and done.error.code == "value_invalid"
