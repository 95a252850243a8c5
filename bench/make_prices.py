"""Generate src/remit/models/prices.json from the data of the `genai-prices` package (MIT licence).

    pip install genai-prices && python bench/make_prices.py

What is kept: per provider the model patterns, the token prices and their tiers. Prices that ended
before today and prices by service tier are left out, and so is everything that is not counted in
tokens.
"""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import pathlib
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from genai_prices import types
from genai_prices.data import providers

TARGET = pathlib.Path(__file__).parent.parent / "src" / "remit" / "models" / "prices.json"
KEYS = {
    "input_mtok": "i",
    "cache_read_mtok": "c",
    "cache_write_mtok": "w",
    "cache_write_1h_mtok": "h",
    "output_mtok": "o",
    "output_reasoning_mtok": "r",
    "requests_kcount": "q",
    "input_audio_mtok": "a",
    "cache_audio_read_mtok": "b",
    "output_audio_mtok": "p",
    "output_image_mtok": "m",
}


def pico(price: Decimal) -> int:
    """Pico-dollars per million tokens; some prices have more than nine decimals."""
    return int((price * 10**12).to_integral_value(ROUND_HALF_EVEN))


def rate(price: Any) -> Any:
    """A number, or [base, [start, price], ...]."""
    if isinstance(price, types.TieredPrices):
        return [pico(price.base), *[[tier.start, pico(tier.price)] for tier in price.tiers]]
    return pico(price)


def prices(model_price: Any) -> dict[str, Any]:
    """The token prices of one model."""
    given = model_price.__dict__
    return {short: rate(given[key]) for key, short in KEYS.items() if given.get(key) is not None}


def clause(match: Any) -> list[Any]:
    """[operator, operand]; all operands lower case except regular expressions."""
    for name, sign in (("equals", "="), ("starts_with", "^"), ("ends_with", "$"), ("contains", "~")):
        if hasattr(match, name):
            return [sign, getattr(match, name).lower()]
    if hasattr(match, "regex"):
        return ["r", match.regex]
    if hasattr(match, "or_"):
        return ["|", [clause(item) for item in match.or_]]
    return ["&", [clause(item) for item in match.and_]]


def seconds(value: datetime.time) -> int:
    """Seconds of a day (UTC)."""
    return value.hour * 3600 + value.minute * 60 + value.second


def conditional(entries: Any, today: datetime.date) -> list[Any]:
    """[[condition, prices], ...], the last that holds counts; condition = null, [day] or [from_s, until_s]."""
    kept: list[Any] = []
    for entry in entries:
        constraint = entry.constraint
        if constraint is None:
            kept, condition = [], None
        elif isinstance(constraint, types.StartDateConstraint):
            if constraint.start_date <= today:
                kept, condition = [], None
            else:
                condition = [(constraint.start_date - datetime.date(1970, 1, 1)).days]
        else:
            condition = [seconds(constraint.start_time), seconds(constraint.end_time)]
        kept.append([condition, prices(entry.prices)])
    if kept[0][0] is not None:  # the first counts when none holds
        kept.insert(0, [None, prices(entries[0].prices)])
    return kept


def free(model: Any) -> bool:
    """Whether the source says that nothing is paid; an empty price alone does not say so."""
    said = model.price_comments or ""
    return bool(model.id.endswith(":free") or said.startswith(("Free of charge", "Included in the subscription")))


def main() -> None:
    """Write the table."""
    today = datetime.datetime.now(datetime.UTC).date()
    table: dict[str, Any] = {}
    for provider in providers:
        models = []
        for model in provider.models:
            given = model.prices
            found = conditional(given, today) if isinstance(given, list) else [[None, prices(given)]]
            if len(found) == 1 and not found[0][1] and free(model):
                found[0][1] = {"i": 0}
            models.append([clause(model.match), found[0][1] if len(found) == 1 else found])
        table[provider.id] = {"fallback": provider.fallback_model_providers or [], "models": models}
    version = importlib.metadata.version("genai-prices")
    lines = [f"{json.dumps(name)}:{json.dumps(entry, separators=(',', ':'))}" for name, entry in table.items()]
    head = {
        "source": f"genai-prices {version}, MIT licence, Copyright (c) Pydantic Services Inc.",
        "date": today.isoformat(),
        "unit": "pico-dollars per million tokens; q: per thousand requests",
    }
    text = json.dumps(head, indent=0)[:-2] + ',\n"providers": {\n' + ",\n".join(lines) + "\n}\n}\n"
    TARGET.write_text(text, encoding="utf-8")
    print(f"{len(table)} providers, {sum(len(p['models']) for p in table.values())} models, {len(text)} bytes")


if __name__ == "__main__":
    main()
