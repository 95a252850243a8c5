"""Tools: a function, what the model is told of it, and what the gate must know.

`@tool` only records; signature and docstring are read on first use and kept for the function, so
that importing a module of tools costs nothing. Arguments are decoded strictly against the
signature; what does not fit goes back to the model with its path.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from remit.core.effects import TIERS, Need, Tier
from remit.core.labels import INTEGRITY, Label
from remit.core.model import ToolSpec
from remit.errors import Invalid

if TYPE_CHECKING:
    from remit.core.label_file import ToolLabels

DEFAULT_TIMEOUT_S: Final = 30.0
MAX_RESULT_CHARS: Final = 64 * 1024

Needs = Callable[..., Sequence[Need]]
Fn = TypeVar("Fn", bound=Callable[..., Any])


class Tool:
    """One tool definition. Calling it calls the plain function, so that it stays testable."""

    __slots__ = (
        "_names",
        "_signature",
        "builtin",
        "description",
        "effect",
        "fn",
        "label",
        "labels",
        "max_chars",
        "name",
        "needs",
        "reconcile",
        "returns",
        "serial",
        "tier",
        "timeout_s",
        "verbs",
    )

    def __init__(self, fn: Callable[..., Any], *, name: str = "", effect: str = "unsafe", **options: Any) -> None:
        if effect not in TIERS:
            raise Invalid("value_invalid", f"effect={effect!r}; one of {', '.join(TIERS)}")
        self.fn = fn
        self.name = name or fn.__name__
        if (
            not self.name.isascii()
            or not self.name.replace("_", "a").isalnum()
            or len(self.name) > 64
            or (self.name != self.name.lower())
        ):
            raise Invalid("value_invalid", f"tool name {self.name!r}; use [a-z0-9_], at most 64 characters")
        self.effect = effect
        self.tier: Tier = TIERS[effect]
        self.description: str = options.pop("description", "")
        self.needs: Needs | None = options.pop("needs", None)
        self.reconcile: Callable[..., Any] | None = options.pop("reconcile", None)
        self.verbs: tuple[str, ...] = options.pop("verbs", ())
        self.returns: str = options.pop("returns", "tool")
        self.label = Label(self.returns, None, (f"tool:{self.name}",) if self.returns == "untrusted" else ())
        """trust of what it returns, before the context's own label joins it"""
        if self.returns not in INTEGRITY:
            raise Invalid("value_invalid", f"returns={self.returns!r}; one of {', '.join(INTEGRITY)}")
        self.labels: ToolLabels | None = _labels(self.name, options.pop("labels", None))
        """what its fields and arguments mean (core/label_file.py); None = the tool as a whole has one trust"""
        self.serial: bool = options.pop("serial", False)
        self.builtin: bool = options.pop("builtin", False)
        self.timeout_s: float = options.pop("timeout_s", DEFAULT_TIMEOUT_S)
        self.max_chars: int = options.pop("max_chars", MAX_RESULT_CHARS)
        self._signature: Any = options.pop("signature", None)
        self._names: dict[str, Any] | None = options.pop("names", None)
        if options:
            raise Invalid("value_invalid", f"unknown option of tool {self.name}: {', '.join(options)}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.fn(*args, **kwargs)

    def __repr__(self) -> str:
        return f"Tool({self.name}, effect={self.effect})"

    def with_labels(self, labels: ToolLabels) -> Tool:
        """The same tool, its labels replaced."""
        from copy import copy  # most tools keep theirs

        other = copy(self)
        other.labels = labels
        return other

    @property
    def signature(self) -> Any:
        """Schema, decoder and caller (core/schema.py), made on first use."""
        if self._signature is None:
            from remit.core.schema import Signature

            self._signature = Signature.of(self.fn, self.name, self._names)
            self._names = None
        return self._signature

    @property
    def spec(self) -> ToolSpec:
        """What the model is told."""
        signature = self.signature
        return ToolSpec(self.name, self.description or signature.description, signature.schema)


@overload
def tool(fn: Callable[..., Any], /) -> Tool: ...
@overload
def tool(
    *,
    name: str = "",
    description: str = "",
    effect: str = "unsafe",
    needs: Needs | None = None,
    verbs: tuple[str, ...] = (),
    reconcile: Callable[..., Any] | None = None,
    returns: str = "tool",
    labels: Any = None,
    serial: bool = False,
    builtin: bool = False,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    max_chars: int = MAX_RESULT_CHARS,
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a tool of a typed sync or async function; its docstring is what the model reads.

    Args:
        effect: read | write | idempotent | transactional | unsafe; undeclared = unsafe: after a crash it is
            never run again without a person, and it asks when untrusted data is in the context.
        needs: arguments as keywords -> the resources that grants must cover (built-in tools; an own tool needs
            only `tool:NAME`, which listing it grants).
        verbs: the grant verbs that `needs` can ask for; a built-in is shown to a model when each has a grant.
        reconcile: (ctx, arguments as keywords) -> "done" | "not-done" | "unknown" after a crash; sync or async.
        returns: trust of what it returns: untrusted | tool | system.
        labels: what the fields of its result and its arguments mean, as one tool of a label file
            (docs/reference/label-files.md); then single values are followed instead of the whole context.
        serial: never runs beside another call of its turn.
        timeout_s: deadline in seconds.
        max_chars: longest result in characters; more is cut, and the result says so.

    Raises:
        Invalid: value_invalid for a bad name or option; schema_invalid on first use for a bad signature.
    """
    # Types defined in the function that the tool is defined in; annotations are read later, as text.
    frame = sys._getframe(1)
    names = None if frame.f_locals is frame.f_globals else frame.f_locals
    return Tool(fn, names=names) if fn is not None else lambda f: Tool(f, names=names, **options)


def _labels(name: str, given: Any) -> ToolLabels | None:
    if given is None:
        return None
    from remit.core.label_file import tool_labels  # most tools have none

    return tool_labels(name, given)
