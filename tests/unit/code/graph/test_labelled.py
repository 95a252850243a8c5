"""Every labelled program: the edges inside the code base, exactly."""

from __future__ import annotations

import pytest
from tests.unit.code.graph.labelled import Case, cases_of, found_in, graph_of


@pytest.mark.parametrize("case", cases_of("javascript"), ids=lambda case: case.name)
def test_javascript_and_typescript_calls(case: Case) -> None:
    """The calls of the program are found, and no others."""
    graph = graph_of(case)
    assert (found_in(graph), graph.unread) == (case.edges, ())


@pytest.mark.parametrize("case", cases_of("rust"), ids=lambda case: case.name)
def test_rust_calls(case: Case) -> None:
    """The calls of the program are found, and no others."""
    graph = graph_of(case)
    assert (found_in(graph), graph.unread) == (case.edges, ())
