"""Old kinds of events, read as what they have become.

The rule: a field that is added gets a default, and old events need nothing. A kind that is renamed, split or whose
fields change their meaning gets a new tag, and the old tag an upcaster here: a pure function from the old event's
fields to those of the next kind, whose tag may itself be old by then. What no upcaster knows fails closed
(journal_format). The stored bytes never change: the chain is over them, and every reader sees the new kind.

`tests/fixtures/journals` holds journals of each format as they were written; tests/unit/journal/test_corpus.py replays
all of them. A change of an event that a reader of these cannot take is a change that needs an upcaster.

    UPCASTERS["old_tag"] = lambda fields: {**fields, "type": "new_tag", "renamed": fields.pop("name")}
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from remit.errors import Conflict

MAX_STEPS: Final = 32
"""kinds that one event may have been, one after the other"""

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
UPCASTERS: Final[dict[str, Upcaster]] = {}
"""old tag -> what makes the next kind's fields of it; format 1 and 2 have needed none"""


def upcast(tag: str, body: bytes) -> bytes | None:
    """The body of a newer kind, or None when nobody knows the tag. Raises chain_broken for fields that do not fit."""
    fields: dict[str, Any] | None = None
    for _ in range(MAX_STEPS):
        make = UPCASTERS.get(tag)
        if make is None:
            break
        try:
            fields = make(msgspec.json.decode(body) if fields is None else fields)
            tag = str(fields["type"])
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise Conflict("chain_broken", f"an old event cannot be read: {type(error).__name__}: {tag}") from None
    return None if fields is None else msgspec.json.encode(fields)
