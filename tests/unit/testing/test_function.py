"""FunctionModel: any function, any form of answer, its errors as values of the run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from remit import Agent, ModelRequest, Reply, Runtime, Text, ToolCall
from remit.core.messages import as_messages
from remit.errors import ModelError
from remit.testing import FunctionModel

REQUEST = ModelRequest(as_messages("hello"))
CALL = ToolCall("1", "add", {})


async def asynchronous(request: ModelRequest) -> Reply:
    """An async answer."""
    return Reply(request.messages[-1].text.upper())


@pytest.mark.parametrize(
    ("fn", "expected"),
    [
        (asynchronous, Reply("HELLO", model="asynchronous")),
        (lambda request: "hi", Reply("hi", model="lambda")),
        (lambda request: CALL, Reply(CALL, model="lambda")),
        (lambda request: [Text("a"), CALL], Reply([Text("a"), CALL], model="lambda")),
    ],
)
def test_sync_and_async_functions_may_answer_in_any_form(fn: Any, expected: Reply) -> None:
    """A Reply, a string, a call or a list of parts are answers; the model is named after its function."""
    model = FunctionModel(fn)
    assert asyncio.run(model.request(REQUEST)) == expected
    assert (model.name, model.url, model.requests) == (f"function:{expected.model}", "", [REQUEST])


def test_a_given_name_is_kept() -> None:
    """`name` is the model's name in journal and grants."""
    assert FunctionModel(asynchronous, name="own:one").name == "own:one"


def test_an_error_of_the_function_is_the_attempts_error() -> None:
    """A RemitError passes as it is; any other exception becomes model_script, is not retried, and ends the run well."""

    def refused(request: ModelRequest) -> str:
        raise ModelError("model_auth", "no key", retryable=False)

    def broken(request: ModelRequest) -> str:
        assert request.messages == (), "nothing was expected"
        return ""

    async def main() -> list[tuple[str, str]]:
        async with Runtime() as runtime:
            runs = [await runtime.run(Agent("a", model=FunctionModel(fn)), "x") for fn in (refused, broken)]
            return [(run.status, run.error.code) for run in runs if run.error is not None]

    assert asyncio.run(main()) == [("failed", "model_auth"), ("failed", "model_script")]


def test_what_is_no_answer_is_named() -> None:
    """An answer of another type is message_invalid, with the type."""
    with pytest.raises(Exception, match="message_invalid: not a part: int"):
        asyncio.run(FunctionModel(lambda request: 7).request(REQUEST))
