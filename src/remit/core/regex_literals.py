"""Plain texts without which a regular expression cannot match, so that most files are passed over without a match.

Finding a text is some fifty times cheaper than trying a pattern at every place of a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

_MAX_TEXTS: Final = 16

Texts = tuple[str, ...]


def required(tree: Any, flags: int) -> Texts:
    """Texts of which every match holds at least one; () = none is known.

    Args:
        tree: a pattern as `re` parses it.
        flags: of the compiled pattern; where letters match in either case, no text is required.
    """
    return () if flags & re.IGNORECASE else _of(tree)


def _of(tree: Any) -> Texts:
    """The rarest of what the parts of a sequence require: the set whose shortest text is the longest."""
    return max(_parts(tree), key=lambda texts: min(map(len, texts), default=0), default=())


def _parts(tree: Any) -> Iterator[Texts]:
    run = ""
    for op, argument in tree:
        if str(op) == "LITERAL":
            run += chr(argument)
            continue
        if run:
            yield (run,)
            run = ""
        yield _node(str(op), argument)
    if run:
        yield (run,)


def _node(op: str, argument: Any) -> Texts:
    match op:
        case "SUBPATTERN" if not argument[1] & re.IGNORECASE:
            return _of(argument[3])
        case "BRANCH":
            each = [_of(branch) for branch in argument[1]]
            texts = tuple(dict.fromkeys(text for found in each for text in found))
            return texts if all(each) and len(texts) <= _MAX_TEXTS else ()
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT" if argument[0] >= 1:
            return _of(argument[2])
        case "ATOMIC_GROUP":
            return _of(argument)
        case _:
            return ()
