"""Budgets (what a run may use at most; a meet takes the smaller of each, None = no limit) and rate limits."""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct, structs

from remit.core.usage import nano_of
from remit.errors import Invalid


class Budget(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Ceilings of one run and of all that it starts."""

    usd: float | None = None
    """money in US dollars"""
    tokens: int | None = None
    """input + output tokens"""
    input_tokens: int | None = None
    output_tokens: int | None = None
    model_calls: int | None = None
    tool_calls: int | None = None
    seconds: float | None = None
    """wall clock of the whole run"""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int | float) and 0 <= value < float("inf")):
                raise Invalid("value_invalid", f"Budget({name}={value!r}); a number >= 0 is needed")

    @property
    def bounded(self) -> bool:
        """Whether any ceiling but the clock's is set."""
        return not (
            self.usd is None
            and self.tokens is None
            and self.input_tokens is None
            and self.output_tokens is None
            and self.model_calls is None
            and self.tool_calls is None
        )

    @property
    def nano(self) -> int | None:
        """Money in nano-dollars."""
        return None if self.usd is None else nano_of(self.usd)


class Limit(Struct, frozen=True, kw_only=True):
    """How often and how many at once."""

    calls: int
    """calls in `period_s`"""
    period_s: float = 60.0
    burst: int = 0
    """calls that may go at once; 0 = a tenth of `calls`, at least 1"""
    concurrent: int = 0
    """calls under way; 0 = any number"""


UNLIMITED: Final = Budget()


def meet_budgets(a: Budget, b: Budget) -> Budget:
    """The smaller of each ceiling."""
    if b is UNLIMITED:
        return a
    least: dict[str, Any] = {}
    for name in a.__struct_fields__:
        values = [v for v in (getattr(a, name), getattr(b, name)) if v is not None]
        least[name] = min(values) if values else None
    return Budget(**least)


def budget_data(budget: Budget) -> dict[str, Any]:
    """The set ceilings, for the journal."""
    return {k: v for k, v in structs.asdict(budget).items() if v is not None}
