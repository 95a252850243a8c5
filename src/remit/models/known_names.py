"""Names of models that are near to one that a provider does not know, from the price table."""

from __future__ import annotations

import re
from typing import Final

from remit.core.effects import Failed
from remit.models.prices import listed_names

MAX_SHOWN: Final = 3
_UNKNOWN: Final = re.compile(r"model.{0,80}(?:invalid|not found|not exist|not supported|unknown)", re.I | re.S)


def nearest(model: str) -> tuple[str, ...]:
    """Up to three listed names like `provider:name`'s name, nearest first."""
    from difflib import get_close_matches

    provider, _, name = model.partition(":")
    return tuple(get_close_matches(name.lower()[:200], listed_names(provider), MAX_SHOWN, 0.6))


def with_names(outcome: Failed, model: str) -> Failed:
    """The outcome; the hint of an error that a model is unknown names the nearest ones."""
    error = outcome.error
    if error.code == "model_not_found" or (error.code == "model_bad_request" and _UNKNOWN.search(error.message)):
        names = nearest(model)
        if names and "Nearest:" not in error.hint:
            error.hint = f"{error.hint} Nearest: {', '.join(names)}."
    return outcome
