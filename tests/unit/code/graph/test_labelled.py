"""Every labelled program: the edges inside the code base, exactly."""

from __future__ import annotations

import pytest
from tests.unit.code.graph.labelled import Case, cases_of, found_in, graph_of

JAVASCRIPT = cases_of("javascript")


@pytest.mark.parametrize("case", JAVASCRIPT, ids=lambda case: case.name)
def test_javascript_and_typescript_calls(case: Case) -> None:
    """The calls of the program are found, and no others."""
    graph = graph_of(case)
    assert (found_in(graph), graph.unread) == (case.edges, ())
