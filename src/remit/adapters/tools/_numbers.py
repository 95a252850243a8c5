"""Exact numbers with bounds: what the calculator computes with.

The idea: a number is a fraction, so that 0.1 + 0.2 is 0.3; what is irrational is rounded to 34 digits
and from then on marked as rounded. No operation starts whose result would be too large.

Invariant: numerator and denominator have at most MAX_BITS bits; every operation checks before it computes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Context, Decimal, InvalidOperation, Overflow
from fractions import Fraction
from typing import Final

from msgspec import Struct

from remit.errors import Invalid

MAX_BITS: Final = 14_000  # below 4,300 decimal digits, the interpreter's own bound on printing integers
MAX_FACTORIAL: Final = 1500
_DIGITS: Final = 34  # Source: IEEE 754 decimal128
_SHOWN_DIGITS: Final = 28
_FLOAT_DIGITS: Final = 15  # what every double holds


class Number(Struct, frozen=True):
    """A value, and whether it was rounded on the way."""

    value: Fraction
    rounded: int = 0
    """0 = exact; else the digits that are right"""

    def text(self) -> str:
        """Decimal digits; a repeating fraction also as a fraction; a rounded value with a leading ~."""
        number = self.value
        if self.rounded:
            return "~" + _decimal_text(number, min(self.rounded, _SHOWN_DIGITS))
        if number.denominator == 1:
            return str(number.numerator)
        places = _terminating_places(number.denominator)
        if places is not None and places <= 1000:
            return _exact_text(number, places)
        exact = f"{number.numerator}/{number.denominator}"
        return f"{_decimal_text(number, _SHOWN_DIGITS)}..." + (f" (exactly {exact})" if len(exact) <= 80 else "")


def exact(value: int | str | Fraction) -> Number:
    """An exact number within the bounds; raises value_invalid."""
    return checked(Fraction(value))


def checked(value: Fraction, rounded: int = 0) -> Number:
    """`value` as a number; raises value_invalid where it is too large."""
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise too_large()
    return Number(value, rounded)


def too_large() -> Invalid:
    """The error of a result beyond the bounds."""
    return Invalid("value_invalid", "the result has more than about 4,200 digits", hint="Compute with smaller numbers.")


def least(*numbers: Number) -> int:
    """How many digits a result of these is right to (0 = exact)."""
    return min((number.rounded for number in numbers if number.rounded), default=0)


def whole(number: Number, what: str) -> int:
    """`number` as an integer; raises value_invalid."""
    if number.value.denominator != 1:
        raise Invalid("value_invalid", f"{what} takes whole numbers, not {number.text()[:60]}")
    return number.value.numerator


def divide(a: Number, b: Number) -> Number:
    """a / b."""
    _no_zero(b)
    return checked(a.value / b.value, least(a, b))


def floor_divide(a: Number, b: Number) -> Number:
    """a // b, rounded down."""
    _no_zero(b)
    return checked(Fraction(a.value // b.value), least(a, b))


def remainder(a: Number, b: Number) -> Number:
    """a % b with the sign of b."""
    _no_zero(b)
    return checked(a.value % b.value, least(a, b))


def _no_zero(b: Number) -> None:
    if b.value == 0:
        raise Invalid("value_invalid", "division by zero")


def power(a: Number, b: Number) -> Number:
    """a ** b: exact for whole exponents, rounded otherwise."""
    if b.value.denominator == 1:
        exponent = b.value.numerator
        if a.value == 0 and exponent < 0:
            raise Invalid("value_invalid", "division by zero")
        if abs(a.value) == 1 or a.value == 0:
            exponent = exponent if abs(exponent) < 2 else 2 + exponent % 2
        bits = max(a.value.numerator.bit_length(), a.value.denominator.bit_length())
        if abs(exponent) * max(bits - 1, 1) > MAX_BITS:
            raise too_large()
        return checked(a.value**exponent, least(a, b))
    if a.value < 0:
        raise Invalid("value_invalid", "a negative number has no real power with a fraction")
    if a.value == 0:
        return Number(Fraction(0))
    return in_decimal(lambda c, x, y: c.power(x, y), a, b)


def square_root(a: Number) -> Number:
    """Exact where the root is a fraction."""
    if a.value < 0:
        raise Invalid("value_invalid", "a negative number has no real square root")
    top, bottom = math.isqrt(a.value.numerator), math.isqrt(a.value.denominator)
    if top * top == a.value.numerator and bottom * bottom == a.value.denominator:
        return Number(Fraction(top, bottom), a.rounded)
    return in_decimal(lambda c, x: c.sqrt(x), a)


def factorial(a: Number) -> Number:
    """n! for 0 <= n <= 1500."""
    n = whole(a, "factorial")
    if not 0 <= n <= MAX_FACTORIAL:
        raise Invalid("value_invalid", f"factorial takes 0 to {MAX_FACTORIAL}")
    return checked(Fraction(math.factorial(n)))


def in_decimal(compute: Callable[..., Decimal], *numbers: Number) -> Number:
    """The result of a decimal function, to 34 digits."""
    context = Context(prec=_DIGITS, Emax=4200, Emin=-4200)
    try:
        values = [context.divide(Decimal(n.value.numerator), Decimal(n.value.denominator)) for n in numbers]
        result = compute(context, *values)
        if not result.is_finite():
            raise Invalid("value_invalid", "the result is not a finite number")
        return checked(Fraction(result), least(*numbers, Number(Fraction(0), _DIGITS - 4)))
    except Overflow:
        raise too_large() from None
    except InvalidOperation:
        raise Invalid("value_invalid", "not defined for this number") from None


def in_float(compute: Callable[..., float], *numbers: Number) -> Number:
    """The result of a floating-point function, to 15 digits."""
    try:
        result = compute(*(float(number.value) for number in numbers))
    except OverflowError:
        raise too_large() from None
    except ValueError:
        raise Invalid("value_invalid", "not defined for this number") from None
    if not math.isfinite(result):
        raise Invalid("value_invalid", "the result is not a finite number")
    return Number(Fraction(repr(result)), _FLOAT_DIGITS)


def _terminating_places(denominator: int) -> int | None:
    """Decimal places of a fraction with this denominator; None where they never end."""
    twos = fives = 0
    while denominator % 2 == 0:
        denominator //= 2
        twos += 1
    while denominator % 5 == 0:
        denominator //= 5
        fives += 1
    return max(twos, fives) if denominator == 1 else None


def _exact_text(number: Fraction, places: int) -> str:
    digits = str(abs(number.numerator) * 10**places // number.denominator).rjust(places + 1, "0")
    return f"{'-' if number < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def _decimal_text(number: Fraction, digits: int) -> str:
    context = Context(prec=digits)
    value = context.divide(Decimal(number.numerator), Decimal(number.denominator))
    if value and -7 <= value.adjusted() < digits:
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(value.normalize(context)) if value else "0"
