"""A regular expression that is compiled when it is first used.

A process that imports remit compiles two dozen patterns for nothing otherwise: 4 ms of a cold start, measured by
`python -X importtime`. After the first use the compiled pattern's own methods stand on the object.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from re import Pattern
else:

    class Pattern:
        """The methods of `re.Pattern`, each found on first use."""

        def __class_getitem__(cls, _: Any) -> Any:
            return cls

        def __init__(self, text: str, flags: int = 0) -> None:
            self._text = text
            self._flags = flags

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            found = getattr(re.compile(self._text, self._flags), name)
            self.__dict__[name] = found
            return found


def lazy(text: str, flags: int = 0) -> Pattern[str]:
    """The pattern `text`, compiled on first use; an error in it shows then."""
    return Pattern(text, flags)  # type: ignore[call-arg]  # at run time it is the class above
