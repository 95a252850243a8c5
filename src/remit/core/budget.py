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
    """How often, how many at once, how many tokens and how much money. Each dimension has a clock of its own; 0 = any.

    A burst is what may go at once after a pause; unset, a tenth of the period's amount. Source: spec/models.md 8.
    """

    calls: int = 0
    """calls in `period_s`"""
    period_s: float = 60.0
    burst: int = 0
    """calls that may go at once; 0 = a tenth of `calls`, at least 1"""
    concurrent: int = 0
    """calls under way; 0 = any number"""
    tokens: int = 0
    """input + output tokens in `tokens_period_s`"""
    tokens_period_s: float = 60.0
    token_burst: int = 0
    cents: float = 0.0
    """US cents in `cents_period_s`"""
    cents_period_s: float = 3600.0
    cent_burst: float = 0.0
    queue: int = 100
    """calls that may wait; more are refused. 0 = none may"""
    warn_percent: float = 80.0
    """share of a dimension's amount, in percent, from which its use is reported"""

    def __post_init__(self) -> None:
        if not (self.calls > 0 or self.concurrent > 0 or self.tokens > 0 or self.cents > 0):
            raise Invalid("value_invalid", "a Limit limits something: calls, concurrent, tokens or cents")
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if not 0 <= value < float("inf") or (name.endswith("period_s") and value == 0):
                raise Invalid("value_invalid", f"Limit({name}={value!r}); a finite number above 0 is needed")


def lower_limit(a: Limit, b: Limit) -> Limit:
    """The stricter of two limits in each dimension."""
    kept: dict[str, Any] = {"queue": min(a.queue, b.queue), "warn_percent": min(a.warn_percent, b.warn_percent)}
    for amount, period in (("calls", "period_s"), ("tokens", "tokens_period_s"), ("cents", "cents_period_s")):
        set_ones = [each for each in (a, b) if getattr(each, amount)]
        slow = min(set_ones, key=lambda each: getattr(each, amount) / getattr(each, period), default=a)
        kept |= {amount: getattr(slow, amount), period: getattr(slow, period)}
    for name in ("burst", "concurrent", "token_burst", "cent_burst"):
        kept[name] = min((n for n in (getattr(a, name), getattr(b, name)) if n), default=0)
    return Limit(**kept)


class SpendCap(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Money that calls may cost in a day and in a month (UTC), over all runs; None = no cap."""

    day_usd: float | None = None
    month_usd: float | None = None

    def __post_init__(self) -> None:
        for value in (self.day_usd, self.month_usd):
            if value is not None and not 0 <= value < float("inf"):
                raise Invalid("value_invalid", f"SpendCap({value!r}); a number >= 0 is needed")

    @property
    def day_nano(self) -> int | None:
        """Nano-dollars a day."""
        return None if self.day_usd is None else nano_of(self.day_usd)

    @property
    def month_nano(self) -> int | None:
        """Nano-dollars a month."""
        return None if self.month_usd is None else nano_of(self.month_usd)


PRESETS: Final[dict[str, Limit]] = {
    "high": Limit(calls=10, concurrent=2, burst=2, tokens=100_000, cents=500.0),
    "mid": Limit(calls=50, concurrent=10, burst=5, tokens=500_000, cents=100.0),
    "low": Limit(calls=200, concurrent=50, burst=20, tokens=2_000_000, cents=50.0),
}
"""Limits by the cost class of a model: the dearer, the stricter. Source: spec/models.md 8."""

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
