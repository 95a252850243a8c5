"""Bounds of a grant: until when, how often, how much, and for which arguments it holds.

    fs.write:out/** where uses=3 and bytes=1MB
    tool:transfer where arg.amount<=100 and arg.to in ["ann@x.org", "bob@x.org"]
    model:openai:* where usd=0.50 and rate=10/60s and until=2027-01-01T00:00:00Z
    delegate:writer_*@1 where ceiling="fs.read:docs/**"

Idea: a bound only takes away, so a bounded grant is never wider than the bare one. Counting is not done here: a
bound is a value, `guard/policy_meter.py` keeps the counters of a run. A predicate on arguments has three answers
(holds, does not, cannot be said); a grant needs `holds`, a denial yields only to `does not`.

Invariants: at most 16 clauses; a denial has no counters; `str(parse_bounds(text))` parses to the same bounds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from remit.core.patterns import lazy
from remit.core.usage import NANO
from remit.errors import Invalid

MAX_CLAUSES: Final = 16
MAX_TEXT_CHARS: Final = 4096
MAX_RATE_CALLS: Final = 10_000
MAX_COUNT: Final = 2**53  # exact in JSON readers that know only doubles. Source: RFC 8259 section 6
_SIZES: Final = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_UNITS_MS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_CLAUSE: Final = lazy(
    r"""(?P<name>[a-z]+(?:\.[\w.-]{1,200})?)\s*(?P<op><=|>=|!=|=|<|>|~|\bin\b)\s*"""
    r"""(?P<value>"(?:[^"\\]|\\.)*"|\[[^\]]*\]|[^\s"\[\]]+)"""
)
_AND: Final = lazy(r"\s+and\s+")
_NUMBER: Final = lazy(r"\d{1,15}")
_HINT: Final = 'Write for example: fs.write:out/** where uses=3 and bytes=1MB and arg.path~"out/*"'

Op = Literal["=", "!=", "<", "<=", ">", ">=", "~", "in"]


class Predicate(Struct, frozen=True):
    """What one argument must be; a list holds when each of its elements does."""

    name: str
    """dotted path into the arguments: `amount`, `options.force`"""
    op: Op
    value: Any
    """a JSON scalar; for `in` a tuple of them"""

    def __str__(self) -> str:
        value = list(self.value) if self.op == "in" else self.value
        space = " " if self.op == "in" else ""
        return f"arg.{self.name}{space}{self.op}{space}{msgspec.json.encode(value).decode()}"

    def holds(self, arguments: Any) -> bool | None:
        """True or False where that is certain; None where it cannot be said."""
        found = _look_up(arguments, self.name)
        if found is _MISSING:
            return None
        answers = [self._one(item) for item in found] if isinstance(found, list | tuple) else [self._one(found)]
        if not answers:
            return None
        return False if False in answers else (None if None in answers else True)

    def denies(self, arguments: Any) -> bool:
        """For a denial: whether any element may be what the predicate names."""
        found = _look_up(arguments, self.name)
        items = found if isinstance(found, list | tuple) else [found]
        return any(self._one(item) is not False for item in items) if items else True

    def _one(self, item: Any) -> bool | None:
        if item is _MISSING or isinstance(item, dict | list | tuple):
            return None
        match self.op:
            case "in":
                answers = [_equal(item, value) for value in self.value]
                return True if True in answers else (None if None in answers else False)
            case "=":
                return _equal(item, self.value)
            case "!=":
                same = _equal(item, self.value)
                return None if same is None else not same
            case "~":
                return _glob(self.value, item) if isinstance(item, str) else None
            case _:
                return _ordered(item, self.op, self.value)


class Bounds(Struct, frozen=True, omit_defaults=True):
    """All bounds of one grant; None or empty = not bounded so."""

    expires_ms: int | None = None
    """wall clock, milliseconds since 1970"""
    uses: int | None = None
    """effects that may use the grant"""
    size_bytes: int | None = None
    """bytes of arguments and results together that may pass under it"""
    nano: int | None = None
    """nano-dollars that model calls under it may cost"""
    rate: tuple[int, int] | None = None
    """(calls, period in ms): never more calls in any period of that length"""
    where: tuple[Predicate, ...] = ()
    ceiling: tuple[str, ...] = ()
    """of a delegate grant: grants that the child never exceeds"""

    @property
    def counted(self) -> bool:
        """Whether a run must keep a counter for it."""
        return self.uses is not None or self.size_bytes is not None or self.nano is not None or self.rate is not None

    def __str__(self) -> str:
        clauses = []
        if self.expires_ms is not None:
            clauses.append(f"until={instant_text(self.expires_ms)}")
        if self.uses is not None:
            clauses.append(f"uses={self.uses}")
        if self.size_bytes is not None:
            clauses.append(f"bytes={self.size_bytes}")
        if self.nano is not None:
            clauses.append(f"usd={self.nano // NANO}.{self.nano % NANO:09d}".rstrip("0").rstrip("."))
        if self.rate is not None:
            clauses.append(f"rate={self.rate[0]}/{self.rate[1]}ms")
        clauses += [str(p) for p in self.where]
        clauses += [f"ceiling={msgspec.json.encode(text).decode()}" for text in self.ceiling]
        return " and ".join(clauses)


UNBOUNDED: Final = Bounds()


def parse_bounds(text: str) -> Bounds:
    """The bounds that stand behind `where`; raises grant_invalid with the clause that is wrong."""
    if len(text) > MAX_TEXT_CHARS:
        raise _wrong(f"bounds have {len(text)} characters; at most {MAX_TEXT_CHARS}")
    found: dict[str, Any] = {}
    where: list[Predicate] = []
    ceiling: list[str] = []
    for number, (name, op, value) in enumerate(_clauses(text)):
        if number >= MAX_CLAUSES:
            raise _wrong(f"more than {MAX_CLAUSES} bounds")
        if name.startswith("arg."):
            where.append(_predicate(name[4:], op, value))
            continue
        if op != "=":
            raise _wrong(f"{name}{op}{value}: {name} takes =")
        if name == "ceiling":
            ceiling.append(value[1:-1] if value[0] != '"' else str(_json(value)))
            continue
        field, read = _READERS.get(name, ("", None))
        if read is None:
            raise _wrong(f"{name!r} is no bound; they are {', '.join(_READERS)}, arg.NAME and ceiling")
        if field in found:
            raise _wrong(f"{name} stands twice")
        found[field] = read(value.strip('"'))
    return Bounds(**found, where=tuple(where), ceiling=tuple(ceiling))


def read_size(text: str) -> int:
    """Bytes of `1000`, `10KB`, `1MiB`; raises grant_invalid."""
    number = _NUMBER.match(text)
    unit = text[number.end() :].strip().upper() if number else "?"
    if number is None or unit not in _SIZES:
        raise _wrong(f"bytes={text!r:.60} is no size such as 10KB or 1MiB")
    return _bounded(int(number[0]) * _SIZES[unit], "bytes")


def read_instant(text: str) -> int:
    """Milliseconds since 1970 of an RFC 3339 date and time with an offset; raises grant_invalid."""
    from datetime import datetime  # most remits never expire

    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError("no offset")
        return round(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise _wrong(f"until={text!r:.60} is no date and time with an offset such as 2027-01-01T00:00:00Z") from None


def instant_text(ms: int) -> str:
    """RFC 3339 in UTC."""
    from datetime import UTC, datetime

    try:
        return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        raise _wrong(f"{ms} ms is no time that a calendar has") from None


def read_rate(text: str) -> tuple[int, int]:
    """(calls, period in ms) of `10/60s`, `20/h`; raises grant_invalid."""
    found = re.fullmatch(r"([1-9]\d{0,5})/(\d{1,7})?(ms|s|m|h|d)", text.replace(" ", ""))
    period_ms = int(found[2] or 1) * _UNITS_MS[found[3]] if found else 0
    if found is None or period_ms < 1 or int(found[1]) > MAX_RATE_CALLS:
        raise _wrong(f"rate={text!r:.60} is not CALLS/PERIOD such as 10/60s (at most {MAX_RATE_CALLS} calls)")
    return int(found[1]), period_ms


def read_money(text: str) -> int:
    """Nano-dollars of `0.50`; raises grant_invalid."""
    found = re.fullmatch(r"(\d{1,6})(?:\.(\d{1,9}))?", text)
    if found is None:
        raise _wrong(f"usd={text!r:.60} is no amount such as 0.50")
    return int(found[1]) * NANO + int((found[2] or "0").ljust(9, "0"))


def _read_count(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise _wrong(f"uses={text!r:.60} is no whole number")
    return _bounded(int(text), "uses")


# What a clause is called -> the field, and how its value is read.
_READERS: Final[Mapping[str, tuple[str, Any]]] = {
    "until": ("expires_ms", read_instant),
    "uses": ("uses", _read_count),
    "bytes": ("size_bytes", read_size),
    "usd": ("nano", read_money),
    "rate": ("rate", read_rate),
}


def _clauses(text: str) -> list[tuple[str, str, str]]:
    out = []
    at = 0
    while True:
        found = _CLAUSE.match(text, at)
        if found is None:
            raise _wrong(f"not a bound: {text[at : at + 60]!r}")
        out.append((found["name"], found["op"], found["value"]))
        at = found.end()
        if at == len(text):
            return out
        between = _AND.match(text, at)
        if between is None:
            raise _wrong(f"bounds are joined by `and`: {text[at : at + 60]!r}")
        at = between.end()


def _predicate(name: str, op: str, value: str) -> Predicate:
    read = _json(value) if value[0] in '"[' else _bare(value)
    if op == "in":
        if not isinstance(read, list) or not read or any(isinstance(v, list | dict) for v in read):
            raise _wrong(f'arg.{name} in takes a list such as ["a", "b"]')
        return Predicate(name, "in", tuple(read))
    if isinstance(read, list):
        raise _wrong(f"arg.{name}{op} takes one value; use `in` for a list")
    if op == "~" and not isinstance(read, str):
        read = value
    if op in ("<", "<=", ">", ">=") and (not isinstance(read, int | float) or isinstance(read, bool)):
        raise _wrong(f"arg.{name}{op}{value}: a number is needed")
    return Predicate(name, op, read)  # type: ignore[arg-type]  # one of Op, by the clause's pattern


def _bare(value: str) -> Any:
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return value


def _json(value: str) -> Any:
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        raise _wrong(f"{value[:60]!r} is not JSON") from None


_MISSING: Final = object()


def _look_up(arguments: Any, name: str) -> Any:
    value = arguments
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return _MISSING
        value = value[part]
    return value


def _kind(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return "constant"
    return "number" if isinstance(value, int | float) else "text" if isinstance(value, str) else "other"


def _equal(item: Any, value: Any) -> bool | None:
    """None for two kinds: a tool may read the text "5" as the number."""
    return item == value if _kind(item) == _kind(value) else None


def _ordered(item: Any, op: str, value: Any) -> bool | None:
    if _kind(item) != "number" or item != item:
        return None
    match op:
        case "<":
            return bool(item < value)
        case "<=":
            return bool(item <= value)
        case ">":
            return bool(item > value)
        case _:
            return bool(item >= value)


def _glob(pattern: str, text: str) -> bool:
    pieces = [re.escape(piece) for piece in re.split(r"\*+", pattern)]
    # Every piece but the last is atomic with the run before it: leftmost-shortest loses no match, nothing backtracks.
    inner = "".join(f"(?>.*?{piece})" for piece in pieces[1:-1])
    last = f".*{pieces[-1]}" if len(pieces) > 1 else ""
    return re.fullmatch(pieces[0] + inner + last, text, re.DOTALL) is not None


def _bounded(number: int, what: str) -> int:
    if number > MAX_COUNT:
        raise _wrong(f"{what}={number} is more than {MAX_COUNT}")
    return number


def _wrong(what: str) -> Invalid:
    return Invalid("grant_invalid", what, hint=_HINT)
