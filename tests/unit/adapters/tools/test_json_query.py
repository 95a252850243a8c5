"""json_query: the language, its errors, its bounds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from remit.adapters.tools import _jsonpath
from remit.adapters.tools.json_query import json_query
from remit.core.effects import Need
from remit.errors import RemitError

DATA = json.dumps(
    {
        "items": [
            {"name": "a", "price": 5, "tags": ["x", "y"], "ok": True},
            {"name": "b", "price": 15.5, "tags": [], "ok": False},
            {"name": "c", "price": 25, "tags": ["y"], "note": None},
        ],
        "odd key": {"name": "deep"},
        "limit": 10,
    }
)


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("$.limit", [10]),
        ("limit", [10]),
        ("$.items[0].name", ["a"]),
        ("items[-1].name", ["c"]),
        ("$.items[9]", []),
        ("$.items[*].price", [5, 15.5, 25]),
        ("$.items[1:].name", ["b", "c"]),
        ("$.items[::-1].name", ["c", "b", "a"]),
        ("$.items[0,2].name", ["a", "c"]),
        ("$['odd key']['name']", ["deep"]),
        ('$["limit","absent"]', [10]),
        ("$..name", ["a", "b", "c", "deep"]),
        ("$.items[0].*", ["a", 5, ["x", "y"], True]),
        ("$.items[?@.price > 10].name", ["b", "c"]),
        ("$.items[?(@.price < $.limit)].name", ["a"]),
        ("$.items[?@.price >= 5 && @.name != 'a'].name", ["b", "c"]),
        ("$.items[?@.name == 'a' || @.name == \"c\"].name", ["a", "c"]),
        ("$.items[?!(@.ok == true)].name", ["b", "c"]),
        ("$.items[?@.note].name", ["c"]),
        ("$.items[?!@.note].name", ["a", "b"]),
        ("$.items[?@.note == null].name", ["c"]),
        ("$.items[?@.tags[?@ == 'y']].name", ["a", "c"]),
        ("$.items[?@.ok == 1].name", []),
        ("$.items | count", 3),
        ("$.items[*].price | sum", 45.5),
        ("$.items[*].price | max", 25),
        ("$.items[*].price | mean", 45.5 / 3),
        ("$.items[*].tags | flatten | unique | sort", ["x", "y"]),
        ("$ | keys", ["items", "odd key", "limit"]),
        ("$.items[*].name | last", "c"),
        ("$", [json.loads(DATA)]),
    ],
)
def test_queries(bench: Any, query: str, answer: Any) -> None:
    """Selections are lists; pipes make what they say."""
    assert json.loads(json_query(bench.ctx(), query, data=DATA)) == answer


@pytest.mark.parametrize(
    "query",
    [
        "$.",
        "$[",
        "$[?",
        "$['a",
        "$.a b",
        "$[1:2:0]",
        "$.items | nothing",
        "$ |",
        "$[?@.a ==]",
        "$[?(@.a]",
        "$.items[*].name | sum",
        "$.none | first",
        "$.none | max",
        "$[?" + "(" * 50 + "@" + ")" * 50 + "]",
        "$" + ".a" * 600,
        "$[?__import__('os')]",
    ],
)
def test_refusals(bench: Any, query: str) -> None:
    """A broken or unbounded query is an error of ours with its place."""
    with pytest.raises(RemitError) as caught:
        json_query(bench.ctx(), query, data=DATA)
    assert caught.value.code == "value_invalid"


def test_a_query_that_visits_too_much_ends(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Descents of descents multiply; the step budget stops them."""
    monkeypatch.setattr(_jsonpath, "MAX_STEPS", 10_000)
    data = json.dumps([[[[[[1] * 5] * 5] * 5] * 5] * 5] * 5)
    with pytest.raises(RemitError) as caught:
        json_query(bench.ctx(), "$..*..*..*", data=data)
    assert caught.value.code == "output_too_large"


@pytest.mark.parametrize("data", ["", "{", "[" * 100_000, "nul", '{"a":1}x', "\ud800"])
def test_documents_that_are_none(bench: Any, data: str) -> None:
    """Broken and too deep JSON is refused."""
    with pytest.raises(RemitError) as caught:
        json_query(bench.ctx(), "$", data=data)
    assert caught.value.code == "value_invalid"


def test_files(bench: Any) -> None:
    """A file is read through its handle, needs its grant, and gives untrusted text."""
    bench.put("d.json", "\ufeff" + DATA)
    assert json.loads(json_query(bench.ctx(), "$.limit", path="d.json")) == [10]
    assert json_query.needs is not None
    assert (json_query.needs(query="$", path="./d.json"), json_query.needs(query="$", data="1")) == (
        (Need("fs.read", "d.json"),),
        (),
    )
    assert json_query.returns == "untrusted"
