"""Impact, ranking and questions: what a change reaches, in the words of the runner."""

# ruff: noqa: E501 -- a program or a patch stands on one line
from __future__ import annotations

import pytest

from remit.code.graph.code_graph import CodeGraph
from remit.code.graph.impact import changed_symbols, impact_of, paths_in
from remit.code.graph.index import index_texts
from remit.code.graph.ranking import map_line, relevant, repo_map, tokens
from remit.errors import Invalid

FILES = {
    "app/__init__.py": "",
    "app/core.py": "LIMIT = 3\n\ndef low():\n    return 1\n\ndef _other():\n    return 2\n\nclass Box:\n    size = 1\n\n"
    "    def open(self):\n        return low()\n",
    "app/api.py": "from app import core\n\ndef serve():\n    box = core.Box()\n    return box.open()\n",
    "tests/conftest.py": "import pytest\nfrom app.api import serve\n\n@pytest.fixture\ndef served():\n    return serve()\n",
    "tests/test_api.py": "from app.api import serve\n\nclass TestServe:\n    def test_it(self):\n        assert serve()\n\n"
    "def test_fixture(served):\n    assert served\n",
    "tests/test_core.py": "from app.core import _other\n\ndef test_other():\n    assert _other()\n",
    "tests/test_dynamic.py": "def test_by_name(thing):\n    thing.open()\n",
}


def graph() -> CodeGraph:
    """The graph of FILES."""
    return index_texts({path: text.encode() for path, text in FILES.items()})


def test_a_change_reaches_callers_tests_and_fixtures() -> None:
    """Callers come with depth and path; tests by their node id: direct, through a fixture, and by a method's name."""
    found = impact_of(graph(), ["app.core.low"])
    assert [(one.name, one.depth) for one in found.callers] == [
        ("app.core.Box.open", 1), ("app.api.serve", 2), ("tests.conftest.served", 3),
    ]  # fmt: skip
    assert found.callers[1].path == ("app.api.serve", "app.core.Box.open", "app.core.low")
    assert found.tests == (
        "tests/test_api.py::TestServe::test_it", "tests/test_api.py::test_fixture",
        "tests/test_dynamic.py::test_by_name",
    )  # fmt: skip
    assert found.api == ("app.api.serve", "app.core.Box.open", "app.core.low", "tests.conftest.served")


def test_module_code_reaches_whoever_imports_it() -> None:
    """A changed line outside all functions reaches the tests that import the module."""
    found = impact_of(graph(), ["app.core"])
    assert "tests/test_core.py::test_other" in found.tests
    assert "tests/test_api.py::test_fixture" in found.tests


@pytest.mark.parametrize(("callers", "name", "risk"), [
    (0, "_f", "low"), (3, "_f", "medium"), (6, "_f", "high"), (11, "_f", "critical"),
    (0, "f", "medium"), (3, "f", "high"), (6, "f", "critical"),
])  # fmt: skip
def test_risk_counts_direct_callers(callers: int, name: str, risk: str) -> None:
    """More than 10 direct callers, or public and more than 5: critical, and so on down the table."""
    text = f"def {name}(): pass\n" + "".join(f"def c{i}(): {name}()\n" for i in range(callers))
    assert impact_of(index_texts({"m.py": text.encode()}), [f"m.{name}"]).risk == risk


PATCH = "--- a/app/core.py\n+++ b/app/core.py\n@@ -3,4 +3,4 @@\n def low():\n-    return 1\n+    return 10\n \n def _other():\n"


def test_a_patch_names_symbols_before_and_after_it_is_applied() -> None:
    """The same patch gives the same symbol on the old tree and on the new one."""
    old = FILES["app/core.py"].split("\n")
    new = FILES["app/core.py"].replace("return 1\n", "return 10\n").split("\n")
    assert paths_in(PATCH) == ["app/core.py"]
    assert changed_symbols(graph(), PATCH, {"app/core.py": old}) == ["app.core.low"]
    assert changed_symbols(graph(), PATCH, {"app/core.py": new}) == ["app.core.low"]


def test_what_is_no_patch_is_refused() -> None:
    """Text without a change in it is patch_invalid."""
    with pytest.raises(Invalid) as caught:
        paths_in("this is no patch\n")
    assert caught.value.code == "patch_invalid"


def test_names_are_found_and_doubtful_ones_refused() -> None:
    """find puts the exact name first; one() refuses a name that several symbols or none have."""
    made = graph()
    assert made.find("open")[0].name == "app.core.Box.open"
    assert made.one("low").name == "app.core.low"
    assert (made.one("LIMIT").line, made.one("LIMIT").end) == (1, 1)
    for name in ("nothing_has_this", "test_it.x"):
        with pytest.raises(Invalid):
            made.one(name)
    assert [e.caller for e in made.references("app.core.low")] == ["app.core.Box.open"]
    assert made.reach(["app.core.low"], back=True, depth=1) == {"app.core.Box.open": (1, "app.core.low")}
    assert made.summary() == {
        "files": 7, "symbols": {"class": 2, "constant": 1, "function": 7, "method": 2, "module": 7}, "public": 18,
        "calls": 6, "unread": 0,
    }  # fmt: skip


def test_a_map_keeps_its_budget() -> None:
    """The lines of a map fit into its tokens, and more tokens never show less."""
    made = graph()
    sizes = []
    for budget in (1, 20, 60, 200, 4000):
        chosen = repo_map(made, budget)
        files = {s.file for s in chosen}
        assert sum(tokens(map_line(s)) for s in chosen) + sum(tokens(f"{f}:\n") for f in files) <= budget
        sizes.append(len(chosen))
    assert sizes == sorted(sizes)
    assert sizes[-1] == 11


def test_context_begins_with_what_the_task_names() -> None:
    """A task that names a function ranks it and what it depends on before the rest."""
    ranked = [symbol.name for symbol, rank in relevant(graph(), "speed up serve") if rank]
    assert ranked[0] == "app.api.serve"
    assert "app.core.Box.open" in ranked[:4]
