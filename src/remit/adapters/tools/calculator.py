"""calculator: an arithmetic expression, by a grammar of its own; no code is evaluated.

    sum      = product (("+" | "-") product)*
    product  = sign (("*" | "/" | "//" | "%") sign)*
    sign     = ("+" | "-") sign | power
    power    = postfix (("**" | "^") sign)?
    postfix  = atom "!"*
    atom     = number | name | name "(" sum ("," sum)* ")" | "(" sum ")"

Invariants: at most 1,000 characters and 50 levels; numbers stay within `_numbers.MAX_BITS`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction
from functools import reduce
from typing import Any, Final, NoReturn

from remit.adapters.tools import _numbers as numbers
from remit.adapters.tools._numbers import Number, checked, exact, least, whole
from remit.core.tools import tool
from remit.errors import Invalid
from remit.ports.tool import Context

MAX_CHARS: Final = 1000
MAX_DEPTH: Final = 50
_MAX_EXPONENT: Final = 4000
_TOKEN: Final = re.compile(
    r"\s*(?:(0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)"
    r"|([A-Za-z][A-Za-z0-9_]*)|(\*\*|//|[-+*/%^!(),\u00d7\u00f7\u2212]))",
    re.ASCII,
)
_SAME: Final = {"^": "**", "\u00d7": "*", "\u00f7": "/", "\u2212": "-"}
_CONSTANTS: Final = {
    # Source: OEIS A000796, A001113, to the 30 digits that are kept
    "pi": Number(Fraction("3.14159265358979323846264338328"), 30),
    "e": Number(Fraction("2.71828182845904523536028747135"), 30),
    "tau": Number(Fraction("6.28318530717958647692528676656"), 30),
}

Function = Callable[..., Number]


@tool(effect="read", returns="tool", builtin=True)
def calculator(ctx: Context[Any], expression: str) -> str:
    """Compute an arithmetic expression exactly; a rounded result starts with ~.

    Operators + - * / // % ** ^ (power) ! and parentheses; numbers such as 1_000, 2.5e3, 0xff; pi, e, tau;
    functions abs, min, max, sum, mean, median, round(x, places), floor, ceil, trunc, sqrt, cbrt, exp, ln, log(x, base),
    log2, log10, sin, cos, tan, asin, acos, atan, atan2, sinh, cosh, tanh, radians, degrees, gcd, lcm, factorial,
    comb, perm, mod, hypot, sign.

    Args:
        expression: at most 1,000 characters
    """
    if len(expression) > MAX_CHARS:
        raise Invalid("value_invalid", f"the expression is longer than {MAX_CHARS} characters")
    return _Parser(expression).result().text()


class _Parser:
    """Recursive descent over the grammar above; computes while it reads."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None:
                rest = text[at:].lstrip()
                raise _error(f"unexpected {rest[:1]!r} at character {len(text) - len(rest) + 1}")
            kind = "number" if found[1] else "name" if found[2] else "sign"
            value = found[1] or found[2] or found[3]
            self.tokens.append((kind, _SAME.get(value, value), found.end() - len(value) + 1))
            at = found.end()
        self.at = 0
        self.depth = 0

    def result(self) -> Number:
        if not self.tokens:
            raise _error("the expression is empty")
        value = self._sum()
        if self.at < len(self.tokens):
            self._unexpected()
        return value

    def _sign_is(self, *wanted: str) -> str:
        """Take the next token when it is one of `wanted`."""
        if self.at < len(self.tokens):
            kind, value, _ = self.tokens[self.at]
            if kind == "sign" and value in wanted:
                self.at += 1
                return value
        return ""

    def _sum(self) -> Number:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _error(f"nested deeper than {MAX_DEPTH} levels")
        value = self._product()
        while sign := self._sign_is("+", "-"):
            other = self._product()
            total = value.value + other.value if sign == "+" else value.value - other.value
            value = checked(total, least(value, other))
        self.depth -= 1
        return value

    def _product(self) -> Number:
        value = self._signed()
        while sign := self._sign_is("*", "/", "//", "%"):
            value = _PRODUCTS[sign](value, self._signed())
        return value

    def _signed(self) -> Number:
        negative = False
        while sign := self._sign_is("+", "-"):
            negative ^= sign == "-"
        value = self._power()
        return Number(-value.value, value.rounded) if negative else value

    def _power(self) -> Number:
        value = self._atom()
        while self._sign_is("!"):
            value = numbers.factorial(value)
        if self._sign_is("**"):
            self.depth += 1
            if self.depth > MAX_DEPTH:
                raise _error(f"nested deeper than {MAX_DEPTH} levels")
            value = numbers.power(value, self._signed())
            self.depth -= 1
        return value

    def _atom(self) -> Number:
        if self.at == len(self.tokens):
            raise _error("the expression ends too early")
        kind, value, _ = self.tokens[self.at]
        if kind == "number":
            self.at += 1
            return _literal(value)
        if kind == "name":
            return self._named(value)
        if self._sign_is("("):
            inner = self._sum()
            self._close()
            return inner
        self._unexpected()

    def _named(self, name: str) -> Number:
        self.at += 1
        key = name.lower()
        if not self._sign_is("("):
            if key not in _CONSTANTS:
                raise _error(f"unknown name {name[:40]!r}; constants are {', '.join(_CONSTANTS)}")
            return _CONSTANTS[key]
        if key not in _FUNCTIONS:
            raise _error(f"unknown function {name[:40]!r}; functions are {', '.join(sorted(_FUNCTIONS))}")
        arguments = [self._sum()]
        while self._sign_is(","):
            arguments.append(self._sum())
        self._close()
        low, high, function = _FUNCTIONS[key]
        if not low <= len(arguments) <= high:
            wanted = str(low) if low == high else f"{low} to {high}" if high < MAX_CHARS else f"{low} or more"
            raise _error(f"{name} takes {wanted} arguments, not {len(arguments)}")
        return function(*arguments)

    def _close(self) -> None:
        if not self._sign_is(")"):
            if self.at == len(self.tokens):
                raise _error("a parenthesis is not closed")
            self._unexpected()

    def _unexpected(self) -> NoReturn:
        _, value, place = self.tokens[self.at]
        raise _error(f"unexpected {value[:40]!r} at character {place}")


def _error(why: str) -> Invalid:
    return Invalid("value_invalid", why, hint="Write an expression such as (2 + 3) * sqrt(2).")


def _literal(text: str) -> Number:
    text = text.replace("_", "")
    if text[:2].lower() in ("0x", "0b", "0o"):
        if len(text) == 2:
            raise _error(f"{text!r} is no number")
        return exact(int(text, 0))
    mantissa, _, exponent = text.lower().partition("e")
    if exponent and (len(exponent) > 6 or abs(int(exponent)) > _MAX_EXPONENT):
        raise numbers.too_large()
    return exact(Fraction(mantissa.rstrip(".") or "0") * Fraction(10) ** int(exponent or 0))


def _product_of(a: Number, b: Number) -> Number:
    if a.value.numerator.bit_length() + b.value.numerator.bit_length() > 2 * numbers.MAX_BITS:
        raise numbers.too_large()
    return checked(a.value * b.value, least(a, b))


def _round(a: Number, places: Number | None = None) -> Number:
    digits = whole(places, "round") if places else 0
    if abs(digits) > 1000:
        raise _error("round takes at most 1000 places")
    # Half to even, as round() does; written for fractions.
    return checked(Fraction(round(a.value * 10**digits)) / Fraction(10) ** digits)


def _log(a: Number, base: Number | None = None) -> Number:
    if a.value <= 0 or (base is not None and (base.value <= 0 or base.value == 1)):
        raise _error("a logarithm takes numbers above 0, and a base other than 1")
    if base is None:
        return numbers.in_decimal(lambda c, x: c.ln(x), a)
    if base.value == 10:
        return numbers.in_decimal(lambda c, x: c.log10(x), a)
    return numbers.in_decimal(lambda c, x, y: c.divide(c.ln(x), c.ln(y)), a, base)


def _total(*values: Number) -> Number:
    return checked(sum((v.value for v in values), Fraction(0)), least(*values))


def _mean(*values: Number) -> Number:
    return checked(_total(*values).value / len(values), least(*values))


def _median(*values: Number) -> Number:
    ordered = sorted(v.value for v in values)
    middle = len(ordered) // 2
    value = ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
    return checked(value, least(*values))


def _cube_root(a: Number) -> Number:
    if a.value < 0:
        root = _cube_root(Number(-a.value, a.rounded))
        return Number(-root.value, root.rounded)
    whole_root = round(float(a.value) ** (1 / 3)) if a.value.denominator == 1 and a.value < 10**45 else 0
    if whole_root**3 == a.value:
        return Number(Fraction(whole_root), a.rounded)
    return numbers.power(a, Number(Fraction(1, 3)))


def _selections(name: str, compute: Callable[[int, int], int]) -> Function:
    def function(a: Number, b: Number) -> Number:
        n, k = whole(a, name), whole(b, name)
        if not (k >= 0 and 0 <= n <= MAX_CHARS):
            raise _error(f"{name} takes whole numbers from 0 to {MAX_CHARS}")
        return exact(compute(n, k))

    return function


def _integers(name: str, compute: Callable[[int, int], int]) -> Function:
    return lambda *values: exact(reduce(compute, (whole(v, name) for v in values)))


def _float(compute: Callable[..., float]) -> Function:
    return lambda *values: numbers.in_float(compute, *values)


def _kept(compute: Callable[[Fraction], int | Fraction]) -> Function:
    return lambda a: checked(Fraction(compute(a.value)), a.rounded)


_PRODUCTS: Final[dict[str, Function]] = {
    "*": _product_of,
    "/": numbers.divide,
    "//": numbers.floor_divide,
    "%": numbers.remainder,
}
_MANY: Final = MAX_CHARS
# name -> (fewest arguments, most arguments, function)
_FUNCTIONS: Final[dict[str, tuple[int, int, Function]]] = {
    "abs": (1, 1, _kept(abs)),
    "acos": (1, 1, _float(math.acos)),
    "asin": (1, 1, _float(math.asin)),
    "atan": (1, 1, _float(math.atan)),
    "atan2": (2, 2, _float(math.atan2)),
    "cbrt": (1, 1, _cube_root),
    "ceil": (1, 1, _kept(math.ceil)),
    "comb": (2, 2, _selections("comb", math.comb)),
    "cos": (1, 1, _float(math.cos)),
    "cosh": (1, 1, _float(math.cosh)),
    "degrees": (1, 1, _float(math.degrees)),
    "exp": (1, 1, lambda a: numbers.in_decimal(lambda c, x: c.exp(x), a)),
    "factorial": (1, 1, numbers.factorial),
    "floor": (1, 1, _kept(math.floor)),
    "gcd": (1, _MANY, _integers("gcd", math.gcd)),
    "hypot": (2, 2, lambda a, b: numbers.square_root(_total(_product_of(a, a), _product_of(b, b)))),
    "lcm": (1, _MANY, _integers("lcm", math.lcm)),
    "ln": (1, 1, _log),
    "log": (1, 2, _log),
    "log10": (1, 1, lambda a: _log(a, exact(10))),
    "log2": (1, 1, lambda a: _log(a, exact(2))),
    "max": (1, _MANY, lambda *values: max(values, key=lambda v: v.value)),
    "mean": (1, _MANY, _mean),
    "median": (1, _MANY, _median),
    "min": (1, _MANY, lambda *values: min(values, key=lambda v: v.value)),
    "mod": (2, 2, numbers.remainder),
    "perm": (2, 2, _selections("perm", math.perm)),
    "radians": (1, 1, _float(math.radians)),
    "round": (1, 2, _round),
    "sign": (1, 1, _kept(lambda x: (x > 0) - (x < 0))),
    "sin": (1, 1, _float(math.sin)),
    "sinh": (1, 1, _float(math.sinh)),
    "sqrt": (1, 1, numbers.square_root),
    "sum": (1, _MANY, _total),
    "tan": (1, 1, _float(math.tan)),
    "tanh": (1, 1, _float(math.tanh)),
    "trunc": (1, 1, _kept(math.trunc)),
}
