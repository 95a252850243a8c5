"""remit.embedder over HTTP: three wires, batches as effects with cost, limits and errors; the semantic cache."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

import remit
from remit.core.budget import Limit
from remit.core.events import EffectDone, EffectIntent
from remit.errors import Denied, Invalid, ModelError, RemitError
from remit.journal.chain import decode_event
from remit.models.cache import CacheRules
from remit.models.embedder import BATCH_CHARS, BATCH_TEXTS, batches
from remit.models.policy import Policy
from remit.runtime import Runtime
from remit.testing import FunctionModel


def vector(text: str) -> list[float]:
    """A vector of a text; words that mean the same point the same way."""
    same = {"cheap": 0, "inexpensive": 0, "hotel": 1, "flight": 2}
    found = [0.25] * 4
    for word in text.lower().replace("?", "").split():
        found[same.get(word, 3)] += 1.0
    return found


Answer = Callable[[str, Any], tuple[int, Any]]


def plain(path: str, body: Any) -> tuple[int, Any]:
    """What each of the three wires answers."""
    if path.endswith("/embeddings"):
        rows = [{"index": i, "embedding": vector(t)} for i, t in enumerate(body["input"])]
        return 200, {"data": rows[::-1], "model": "m", "usage": {"prompt_tokens": 5 * len(rows)}}
    if path.endswith("/embed"):
        rows = [vector(t) for t in body["texts"]]
        return 200, {
            "id": "e",
            "embeddings": {"float": rows},
            "meta": {"billed_units": {"input_tokens": 5 * len(rows)}},
        }
    texts = [r["content"]["parts"][0]["text"] for r in body["requests"]]
    return 200, {"embeddings": [{"values": vector(t)} for t in texts]}


@contextmanager
def serving(answer: Answer = plain) -> Iterator[tuple[str, list[Any]]]:
    """(address, every (path, body, headers) asked for)."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked.append((self.path, body, {k.lower(): v for k, v in self.headers.items()}))
            status, found = answer(self.path, body)
            raw = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def embed(provider: str, texts: Any, answer: Answer = plain, **options: Any) -> tuple[Any, list[Any], list[Any]]:
    """(vectors, what was asked, the events of every run)."""

    async def main(address: str) -> tuple[Any, list[Any]]:
        async with Runtime(**options) as runtime:
            handle = remit.embedder(f"{provider}:m", base_url=address, api_key="k-4711", dimensions=4)
            found = await handle.embed(texts, query=True)
            runs = [r.run_id for r in runtime.journal.runs(100)]
            return found, [decode_event(e.body) for r in runs for e in runtime.journal.read(r)]

    with serving(answer) as (address, asked):
        found, events = asyncio.run(main(f"{address}/v1"))
    return found, asked, events


@pytest.mark.parametrize("provider", ["openai", "cohere", "google"])
def test_a_vector_a_text_through_gate_and_journal(provider: str) -> None:
    """In the order of the texts; one effect a batch, granted by the name; the key only in its header."""
    texts = ["a cheap hotel", "a flight", "größe"]
    found, asked, events = embed(provider, texts)
    assert found == [vector(t) for t in texts]
    intents = [e for e in events if isinstance(e, EffectIntent)]
    assert [(e.kind, e.name, e.tier) for e in intents] == [("model", f"{provider}:m", "pure")]
    assert len(asked) == 1 and "k-4711" in str(asked[0][2]) and "k-4711" not in str((asked[0][1], events))
    said = json.dumps(asked[0][1])
    assert (
        "4" in said
        and {"openai": "dimensions", "cohere": "search_query", "google": "RETRIEVAL_QUERY"}[provider] in said
    )


def test_many_texts_go_in_batches() -> None:
    """At most so many texts and characters a call; nothing is lost or swapped; usage is each batch's own."""
    texts = [f"text {n}" for n in range(2 * BATCH_TEXTS + 5)]
    found, asked, events = embed("openai", texts)
    assert found == [vector(t) for t in texts] and [len(a[1]["input"]) for a in asked] == [BATCH_TEXTS, BATCH_TEXTS, 5]
    done = [e for e in events if isinstance(e, EffectDone)]
    assert sorted(e.usage.input_tokens for e in done if e.usage) == [25, 5 * BATCH_TEXTS, 5 * BATCH_TEXTS]
    long = "x" * (BATCH_CHARS // 2)
    assert [len(b) for b in batches([long] * 5)] == [2, 2, 1] and batches([]) == []


def test_it_costs_what_its_tokens_cost() -> None:
    """A priced model's cost is in the journal."""

    async def main(address: str) -> list[Any]:
        async with Runtime() as runtime:
            await remit.embedder("openai:text-embedding-3-small", base_url=address, api_key="k").embed("a")
            (run,) = runtime.journal.runs(9)
            return [decode_event(e.body) for e in runtime.journal.read(run.run_id)]

    with serving() as (address, _):
        (done,) = [e for e in asyncio.run(main(address)) if isinstance(e, EffectDone)]
    assert done.usage is not None and done.usage.input_tokens == 5 and done.cost_nano == 100


def test_a_denial_and_a_limit_stand_against_it() -> None:
    """Nothing is sent that the ceiling denies or a limit of rate refuses."""
    from remit import Remit

    ceiling = Remit.allow("model:*").deny("model:openai:m")
    with pytest.raises(Denied) as refused:
        embed("openai", "a", ceiling=ceiling)
    assert refused.value.code == "denied_by_rule"
    with pytest.raises(RemitError) as late:
        embed("openai", ["a"] * (BATCH_TEXTS + 1), limits={"model:openai:*": Limit(calls=1, period_s=3600, queue=0)})
    assert late.value.code == "queue_full"


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ([[1.0, math.nan]], "model_bad_reply"), ([[1.0], [1.0, 2.0]], "model_bad_reply"), ([], "model_bad_reply"),
        ([[]], "model_bad_reply"), ([[1e300]], "model_bad_reply"), ([["x"]], "model_bad_reply"),
        ([[1.0], [2.0], [3.0]], "model_bad_reply"), ([["1"] * 3, [2.0]], "model_bad_reply"),
    ],
)  # fmt: skip
def test_what_is_no_vector_is_an_error(row: Any, code: str) -> None:
    """NaN, other sizes, too few, too many, too large, no numbers."""
    answer = {"data": [{"index": i, "embedding": r} for i, r in enumerate(row)], "usage": {"prompt_tokens": 1}}
    with pytest.raises(ModelError) as found:
        embed("openai", ["a", "b"], lambda *_: (200, json.dumps(answer).encode()))
    assert found.value.code == code


@pytest.mark.parametrize("texts", ["", ["a", " "], [1], ["x" * 100_001]])
def test_what_is_no_text_is_never_sent(texts: Any) -> None:
    """Refused before anything is sent, with the number of the text."""
    with pytest.raises(Invalid, match=r"text \d"):
        embed("openai", texts, lambda *_: pytest.fail("sent"))


def test_who_has_no_embeddings_is_said() -> None:
    """Another provider's name, and a name that is none."""
    with pytest.raises(Invalid, match="no embeddings; these have"):
        embed("anthropic", "a")
    with pytest.raises(Invalid, match="not provider:model"):
        remit.embedder("openai")


def test_a_refused_key_says_so_without_the_key() -> None:
    """401 is model_auth; what the provider repeats of the key is masked."""
    with pytest.raises(ModelError) as found:
        embed("openai", "a", lambda *_: (401, {"error": {"message": "bad key k-4711"}}))
    assert found.value.code == "model_auth" and "k-4711" not in str(found.value)


def test_a_table_serves_who_cannot_wait() -> None:
    """novelty takes vectors by a plain function; a text without a vector is an error, not a call."""

    async def main(address: str) -> tuple[float, float, Any]:
        async with Runtime():
            table = await remit.embedder("openai:m", base_url=address, api_key="k").table(
                ["cheap hotel", "inexpensive hotel", "flight", "flight"]
            )
            near = remit.novelty("cheap hotel", "inexpensive hotel", embed=table)
            return near, remit.novelty("cheap hotel", "flight", embed=table), table

    with serving() as (address, asked):
        near, far, table = asyncio.run(main(address))
    assert near < 0.05 < 0.3 < far and len(asked[0][1]["input"]) == 3
    with pytest.raises(Invalid, match="no vector was made"):
        table(["another"])


def cached(questions: list[str], answer: Answer = plain) -> tuple[list[str], int, int, list[Any]]:
    """(answers, calls of the model, requests for vectors, events) of questions to a policy with a semantic cache."""
    calls: list[str] = []

    def reply(request: Any) -> str:
        calls.append(request.messages[-1].text)
        return f"answer {len(calls)}"

    async def main(address: str) -> tuple[list[str], list[Any]]:
        async with Runtime() as runtime:
            handle = remit.embedder("openai:m", base_url=address, api_key="k")
            policy = Policy(models=("openai:gpt-4o-mini",), strategy="fixed", cache=CacheRules(), embedder=handle)
            runtime.outside._make_model = lambda _: FunctionModel(reply, name="openai:gpt-4o-mini")  # type: ignore[method-assign]
            said = [(await remit.Agent("a", policy).run(q)).output for q in questions]
            runs = [r.run_id for r in runtime.journal.runs(100)]
            return said, [decode_event(e.body) for r in runs for e in runtime.journal.read(r)]

    with serving(answer) as (address, asked):
        said, events = asyncio.run(main(address))
    return said, len(calls), len(asked), events


def test_the_semantic_cache_knows_synonyms_by_the_embedder() -> None:
    """The same meaning in other words is given again; another meaning is asked; the same words need no vector."""
    questions = ["find a cheap hotel", "find a inexpensive hotel", "find a flight", "find a cheap hotel"]
    said, calls, vectors, events = cached(questions)
    assert said == ["answer 1", "answer 1", "answer 2", "answer 1"]
    assert (calls, vectors) == (2, 3)
    assert sum(isinstance(e, EffectIntent) and e.key.endswith("/embed") for e in events) == 3


def test_without_a_vector_words_decide() -> None:
    """An embedder that fails costs the synonym, never the answer."""
    said, calls, _, _ = cached(
        ["find a cheap hotel", "find a inexpensive hotel", "please find a cheap hotel"],
        lambda *_: (400, {"error": {"message": "no"}}),
    )
    assert said == ["answer 1", "answer 2", "answer 1"] and calls == 2
