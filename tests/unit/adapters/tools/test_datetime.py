"""datetime: parsing, arithmetic across zones and months, formats."""

from __future__ import annotations

from typing import Any

import pytest

from remit.adapters.tools.datetime import datetime
from remit.errors import Invalid


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        ({"operation": "now"}, "2023-11-14T22:13:20+00:00 Tuesday"),
        ({"operation": "now", "zone": "+02:00"}, "2023-11-15T00:13:20+02:00 Wednesday"),
        ({"operation": "parse", "value": "2024-05-03"}, "2024-05-03T00:00:00+00:00 Friday\nunix: 1714694400"),
        ({"operation": "parse", "value": "3 May 2024"}, "2024-05-03T00:00:00+00:00 Friday\nunix: 1714694400"),
        ({"operation": "parse", "value": "1714694400"}, "2024-05-03T00:00:00+00:00 Friday\nunix: 1714694400"),
        ({"operation": "parse", "value": "20240503T120000Z"}, "2024-05-03T12:00:00+00:00 Friday\nunix: 1714737600"),
        ({"operation": "add", "value": "2024-01-31", "other": "P1M"}, "2024-02-29T00:00:00+00:00 Thursday"),
        ({"operation": "add", "value": "2024-03-31", "other": "-P1M1D"}, "2024-02-28T00:00:00+00:00 Wednesday"),
        ({"operation": "add", "value": "2024-01-01", "other": "P1Y2W3DT4H5M6S"}, "2025-01-18T04:05:06+00:00 Saturday"),
        (
            {"operation": "add", "value": "2024-03-30T12:00:00", "other": "P1D", "zone": "Europe/Rome"},
            "2024-03-31T12:00:00+02:00 Sunday",
        ),
        (
            {"operation": "add", "value": "2024-03-30T12:00:00", "other": "PT24H", "zone": "Europe/Rome"},
            "2024-03-31T13:00:00+02:00 Sunday",
        ),
        (
            {"operation": "difference", "value": "2024-01-01", "other": "2024-03-01T01:02:03"},
            "60 days 01:02:03 (5187723 seconds)",
        ),
        (
            {
                "operation": "difference",
                "value": "2024-03-30T12:00",
                "other": "2024-03-31T12:00",
                "zone": "Europe/Rome",
            },
            "0 days 23:00:00 (82800 seconds)",
        ),
        ({"operation": "difference", "value": "now", "other": "2023-11-14T22:13:19Z"}, "-0 days 00:00:01 (-1 seconds)"),
        ({"operation": "format", "value": "2024-05-03", "pattern": "%d.%m.%Y %%"}, "03.05.2024 %"),
        (
            {"operation": "zone", "value": "2024-07-01T12:00:00Z", "zone": "America/New_York"},
            "2024-07-01T08:00:00-04:00 Monday",
        ),
    ],
)
def test_answers(bench: Any, arguments: dict[str, str], answer: str) -> None:
    """The clock is the call's own; days keep the wall clock, hours are exact."""
    assert datetime(bench.ctx(), **arguments) == answer


@pytest.mark.parametrize(
    "arguments",
    [
        {"operation": "parse"},
        {"operation": "parse", "value": "soon"},
        {"operation": "parse", "value": "2024-02-30"},
        {"operation": "parse", "value": "x" * 101},
        {"operation": "parse", "value": "999999999999"},
        {"operation": "add", "value": "2024-01-01", "other": "1 day"},
        {"operation": "add", "value": "2024-01-01", "other": "P"},
        {"operation": "add", "value": "2024-01-01", "other": "P1DT"},
        {"operation": "add", "value": "2024-01-01", "other": "P99999Y"},
        {"operation": "add", "value": "9999-12-31", "other": "P1D"},
        {"operation": "add", "value": "2024-01-01", "other": "P99999999D"},
        {"operation": "difference", "value": "2024-01-01"},
        {"operation": "format", "value": "now", "pattern": "%99999999d"},
        {"operation": "format", "value": "now", "pattern": "%c"},
        {"operation": "format", "value": "now"},
        {"operation": "zone", "value": "now", "zone": "Mars/Base"},
        {"operation": "zone", "value": "now", "zone": "../../etc/passwd"},
        {"operation": "zone", "value": "now", "zone": "/etc/passwd"},
        {"operation": "now", "zone": "+99:00"},
    ],
)
def test_refusals(bench: Any, arguments: dict[str, str]) -> None:
    """value_invalid, and nothing else."""
    with pytest.raises(Invalid) as caught:
        datetime(bench.ctx(), **arguments)
    assert caught.value.code == "value_invalid"
