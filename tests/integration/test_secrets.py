"""Secrets from the vault to the server, through the real runtime: tools, programs and a model's own key."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from remit.agents.agent import Agent
from remit.config import state_folder
from remit.core.events import EffectDenied
from remit.core.messages import Text, ToolCall, ToolResult
from remit.core.model import ModelRequest, Reply
from remit.core.remit import Remit
from remit.core.tools import tool
from remit.errors import Invalid
from remit.guard.keys_sources import KEY_FILE, new_key_file
from remit.guard.vault_file import Binding
from remit.models.handle import ModelHandle
from remit.ports.conformance.http_server import LocalServer, Peer, Seen
from remit.runtime import Adapters, Runtime
from remit.testing import FunctionModel, ScriptedModel

VALUE = "Tq7-vault-value-9xK2"
HANDLE = "{{secret:token}}"


async def echo(peer: Peer, seen: Seen) -> None:
    """Says back what it got, as servers do in errors."""
    said = f"you sent {seen.headers.get('authorization')} {seen.headers.get('x-key')} {seen.body!r}"
    await peer.answer(said.encode(), "content-type: text/plain")


async def chat(peer: Peer, seen: Seen) -> None:
    """An OpenAI-compatible server that repeats the key."""
    text = f"your key is {seen.headers['authorization']}"
    reply = {"id": "1", "object": "chat.completion", "model": "m", "created": 1,
             "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
             "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}  # fmt: skip
    await peer.answer(json.dumps(reply).encode(), "content-type: application/json")


def play(work: Callable[[Runtime, LocalServer], Awaitable[Any]], script: Any = echo, journal: str = "memory:") -> Any:
    from remit.config import config_folder

    new_key_file(str(config_folder() / KEY_FILE))

    workspace = config_folder().parent / "empty"
    workspace.mkdir(parents=True, exist_ok=True)

    async def main() -> Any:
        async with LocalServer(script) as server, Runtime(journal, workspace=str(workspace)) as runtime:
            bound = Binding(f"GET,POST {server.url('/**')}", "header:authorization")
            runtime.outside.vault.add("token", VALUE, (bound,))
            return await work(runtime, server)

    return asyncio.run(main())


def grants(server: LocalServer, *more: str) -> Remit:
    return Remit.allow(f"net:* {server.url('/**')}", *more)


async def call(runtime: Runtime, remit: Remit, name: str, **arguments: Any) -> tuple[str, list[Any]]:
    """One tool call of an agent: its result as the model saw it, and the run's events."""
    model = ScriptedModel([[ToolCall("c", name, arguments)], "done"])
    run = await runtime.run(Agent("a", model, tools=[name], remit=remit), "go")
    results = [p.text for m in run.messages for p in m.parts if isinstance(p, ToolResult)]
    return results[0], [entry.body for entry in runtime.journal.read(run.id)]


def test_a_tool_uses_a_secret_that_nobody_sees(own_state: Any) -> None:
    """The server gets the value; model and journal hold the handle, the need and a mask."""

    async def work(runtime: Runtime, server: LocalServer) -> None:
        remit = grants(server, "secret:token@127.0.0.1")
        headers = {"Authorization": f"Bearer {HANDLE}"}
        seen, events = await call(runtime, remit, "http_request", method="GET", url=server.url("/x"), headers=headers)
        assert server.requests[0].headers["authorization"] == f"Bearer {VALUE}"
        assert "you sent Bearer [secret:token]" in seen
        raw = b"".join(events)
        assert VALUE.encode() not in raw and HANDLE.encode() in raw and b"secret:token@127.0.0.1" in raw

    play(work)


@pytest.mark.parametrize(
    ("granted", "path", "headers", "code"),
    [
        ((), "/x", {"Authorization": HANDLE}, "not_granted"),
        (("secret:*",), "/x", {"X-Key": HANDLE}, "secret_denied"),
        (("secret:*",), "/x", {"Authorization": "{{secret:other}}"}, "secret_unknown"),
        (("secret:*",), f"/{HANDLE}", {}, "secret_denied"),
        (("secret:*",), "/x", {"X-Key": VALUE}, "secret_leak"),
    ],
)
def test_a_wrong_use_sends_nothing(own_state: Any, granted: Any, path: str, headers: Any, code: str) -> None:
    """Without grant or binding, in a URL, or as the value itself: the server is not reached, the model is told why."""

    async def work(runtime: Runtime, server: LocalServer) -> None:
        remit = grants(server, *granted)
        url = server.url(path)
        seen, _ = await call(runtime, remit, "http_request", method="GET", url=url, headers=headers)
        assert code in seen and server.requests == []

    play(work)


@pytest.mark.sandbox
def test_a_program_uses_a_secret_through_the_broker(own_state: Any, tmp_path: Path) -> None:
    """curl in the sandbox sends the handle; the broker inserts the value on the way out and masks the answer."""

    async def work(runtime: Runtime, server: LocalServer) -> None:
        remit = grants(server, "secret:token@127.0.0.1", "shell:curl *")
        argv = ["curl", "-sS", "-H", f"Authorization: {HANDLE}", server.url("/sh")]
        seen, events = await call(runtime, remit, "shell", argv=argv)
        assert "you sent [secret:token]" in seen
        assert server.requests[0].headers["authorization"] == VALUE
        assert b"egress:GET" in b"".join(events) and VALUE.encode() not in b"".join(events)

    play(work)


@pytest.mark.sandbox
def test_a_program_without_a_grant_has_no_network(own_state: Any) -> None:
    """Without a grant there is no proxy and no socket; with one, another port is still a 403."""

    async def work(runtime: Runtime, server: LocalServer) -> None:
        argv = ["curl", "-sS", server.url("/sh")]
        seen, _ = await call(runtime, Remit.allow("shell:curl *"), "shell", argv=argv)
        assert "exit code: 7" in seen
        other = Remit.allow("shell:curl *", "net:http://127.0.0.1:9")
        seen, _ = await call(runtime, other, "shell", argv=argv)
        assert "not_granted" in seen and server.connections == 0

    play(work)


def test_a_models_key_comes_from_the_vault(own_state: Any) -> None:
    """`secret:NAME` as a model's key: the provider gets the value, and its reply comes back masked."""

    async def work(runtime: Runtime, server: LocalServer) -> None:
        model = ModelHandle("openai-chat:m", base_url=server.url("/v1"), api_key=HANDLE)
        run = await runtime.run(Agent("a", model), "go")
        assert server.requests[0].headers["authorization"] == f"Bearer {VALUE}"
        assert (run.status, run.output) == ("ok", "your key is Bearer [secret:token]")
        assert all(VALUE.encode() not in entry.body for entry in runtime.journal.read(run.id))

    play(work, chat)


def test_what_a_tool_brings_in_is_masked(own_state: Any) -> None:
    """A result that holds a value of the vault (a file, a program's output) can be masked before anybody reads it."""

    async def work(runtime: Runtime, server: LocalServer) -> None:
        assert runtime.outside.mask_text(f"export T={VALUE}") == "export T=[secret:token]"
        assert runtime.outside.mask_text("nothing here") == "nothing here"

    play(work)
    assert Adapters().mask_text("anything") == "anything"


def test_a_prompt_never_carries_a_value_out(own_state: Any) -> None:
    """A value that somebody typed into the task is masked on its way to the provider."""

    async def work(runtime: Runtime, server: LocalServer) -> None:
        model = ModelHandle("openai-chat:m", base_url=server.url("/v1"), api_key="k")
        await runtime.run(Agent("a", model), f"my token is {VALUE}")
        assert b"my token is [secret:token]" in server.requests[0].body

    play(work, chat)
    assert VALUE.encode() not in b"".join(p.read_bytes() for p in state_folder().rglob("*") if p.is_file())


def test_a_value_across_the_cut_of_a_result_or_an_error_is_masked() -> None:
    """Masked before it is cut: no half of a value stays, in a result, in an error, in one of remit's own errors."""
    secret = "s3cr3t-value-0123456789"

    @tool(effect="read", max_chars=30)
    async def long() -> str:
        """Return a value across the cut."""
        return "x" * 20 + secret

    @tool(effect="read")
    async def fails() -> str:
        """Fail with a value across the cut."""
        raise ValueError("x" * 490 + secret)

    @tool(effect="read")
    async def says() -> str:
        """Fail in remit's own way."""
        raise Invalid("value_invalid", f"not this: {secret}")

    async def work() -> str:
        async with Runtime() as runtime:
            runtime.gate.mask = lambda text: text.replace(secret, "[secret:S]")
            calls = [ToolCall(str(i), name, {}) for i, name in enumerate(("long", "fails", "says"))]

            async def answer(request: ModelRequest) -> Reply:
                done = request.messages[-1].role == "tool"
                return Reply((Text("end"),)) if done else Reply(tuple(calls), "tool_use")

            run = await runtime.run(Agent("a", FunctionModel(answer), tools=[long, fails, says]), "go")
            return f"{run.status} {run.messages} {run.events}"

    seen = asyncio.run(work())
    assert seen.startswith("ok ")
    assert "s3cr3t" not in seen
    assert seen.count("[secret:S]") >= 2


def test_a_denial_of_a_secret_covers_a_models_key() -> None:
    """Naming a model grants it its own key of the vault; a denial of that secret stands against the model call."""
    from remit.adapters.providers import make_model
    from remit.core.needs import secret

    unsent: Any = None
    model: Any = make_model("openai:x", "https://api.example.org/v1", "{{secret:work}}", {}, lambda _: unsent)
    assert model.secret_needs == (secret("work", "api.example.org"),)

    async def main() -> list[str]:
        async with Runtime("memory:", tune_gc=False) as runtime:
            run = await runtime.run(Agent("a", model, remit=Remit.allow("net:*").deny("secret:work@*")), "go")
            return [e.code for e in run.events if isinstance(e, EffectDenied)]

    assert asyncio.run(main()) == ["denied_by_rule"]
