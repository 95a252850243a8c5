"""datetime: the time now, and arithmetic with dates, times and zones."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any, Final, Literal

from remit.core.tools import tool
from remit.errors import Invalid
from remit.ports.tool import Context

_DURATION: Final = re.compile(
    r"([+-]?)P(?=.)(?:(\d{1,5})Y)?(?:(\d{1,6})M)?(?:(\d{1,7})W)?(?:(\d{1,8})D)?"
    r"(?:T(?=.)(?:(\d{1,9})H)?(?:(\d{1,10})M)?(?:(\d{1,12})S)?)?"
)
_OFFSET: Final = re.compile(r"([+-])(\d{2}):?(\d{2})")
# Only what every system prints the same; glibc's widths (%9999d) and locale formats stay out.
_FORMAT: Final = re.compile(r"(?:%[aAbBdHIjmMpSwyYzZUWGVuf%]|[^%\x00])*")
_WRITTEN: Final = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M",
    "%d %B %Y",
    "%d %b %Y",
    "%B %d, %Y",
    "%b %d, %Y",
    "%a, %d %b %Y %H:%M:%S %z",
    "%A, %d %B %Y",
    "%Y%m%d",
    "%Y-%m",
)

Operation = Literal["now", "parse", "add", "difference", "format", "zone"]


@tool(effect="read", returns="tool", builtin=True)
def datetime(
    ctx: Context[Any], operation: Operation, value: str = "", other: str = "", zone: str = "UTC", pattern: str = ""
) -> str:
    """Dates and times. Results are ISO 8601 with offset and weekday; a time without a zone is one of `zone`.

    Args:
        operation: now; parse; format (by pattern); zone (shown in `zone`); add (duration); difference (other - value)
        value: ISO 8601, a common written form such as 3 May 2024, Unix seconds, or now
        other: second time (difference), or ISO 8601 duration such as P1DT2H or -P3M (add)
        zone: IANA name such as Europe/Rome, UTC, or an offset such as +02:00
        pattern: strftime pattern such as %d.%m.%Y
    """
    where = _zone(zone)
    now = dt.datetime.fromtimestamp(ctx.now_ms / 1000, where)
    if operation == "now":
        return _shown(now)
    moment = _parse(value, where, now)
    try:
        match operation:
            case "parse":
                return f"{_shown(moment)}\nunix: {_unix(moment)}"
            case "zone":
                return _shown(moment.astimezone(where))
            case "add":
                return _shown(_add(moment, other))
            case "format":
                return _formatted(moment, pattern)
            case "difference":
                return _difference(moment, _parse(other, where, now))
    except OverflowError:
        raise Invalid("value_invalid", "the result lies outside the years 1 to 9999") from None


def _zone(name: str) -> dt.tzinfo:
    if name.upper() in ("UTC", "Z", "GMT"):
        return dt.UTC
    offset = _OFFSET.fullmatch(name)
    if offset:
        minutes = int(offset[2]) * 60 + int(offset[3])
        if minutes < 24 * 60:
            return dt.timezone(dt.timedelta(minutes=-minutes if offset[1] == "-" else minutes))
    # Only for named zones: it reads the system's zone files.
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise Invalid("value_invalid", f"unknown time zone {name[:60]!r}", hint="Use Europe/Rome or +02:00.") from None


def _parse(text: str, where: dt.tzinfo, now: dt.datetime) -> dt.datetime:
    text = text.strip()
    if text.lower() == "now":
        return now
    if not text or len(text) > 100:
        raise Invalid("value_invalid", "no time is given" if not text else "the time is longer than 100 characters")
    try:
        if re.fullmatch(r"-?\d{9,12}(?:\.\d{1,9})?", text, re.ASCII):
            return dt.datetime.fromtimestamp(float(text), where)
        moment = _from_iso(text) or _from_written(text)
    except (OverflowError, OSError, ValueError):
        raise Invalid("value_invalid", f"{text!r} lies outside the years 1 to 9999") from None
    if moment is None:
        raise Invalid("value_invalid", f"{text!r} is no known form of a time", hint="Write it as 2024-05-03T14:00:00Z.")
    return moment if moment.tzinfo else moment.replace(tzinfo=where)


def _from_iso(text: str) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        return None


def _from_written(text: str) -> dt.datetime | None:
    for pattern in _WRITTEN:
        try:
            return dt.datetime.strptime(text, pattern)
        except ValueError:
            continue
    return None


def _shown(moment: dt.datetime) -> str:
    return f"{moment.isoformat(timespec='microseconds' if moment.microsecond else 'seconds')} {moment:%A}"


def _unix(moment: dt.datetime) -> str:
    return f"{moment.timestamp():.6f}".rstrip("0").rstrip(".")


def _add(moment: dt.datetime, text: str) -> dt.datetime:
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise Invalid(
            "value_invalid", f"{text[:60]!r} is no duration", hint="Write it as P1Y2M3DT4H5M6S, -P2W or PT90M."
        )
    sign = -1 if found[1] == "-" else 1
    years, months, weeks, days, hours, minutes, seconds = (sign * int(part or 0) for part in found.groups()[1:])
    index = moment.year * 12 + moment.month - 1 + years * 12 + months
    year, month = index // 12, index % 12 + 1
    if not 1 <= year <= 9999:
        raise OverflowError
    # 31 January + 1 month is the last day of February.
    moment = moment.replace(year=year, month=month, day=min(moment.day, _days_in(year, month)))
    moment += dt.timedelta(weeks=weeks, days=days)  # calendar days keep the hour of the clock
    exact = dt.timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return (moment.astimezone(dt.UTC) + exact).astimezone(moment.tzinfo) if exact else moment


def _days_in(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _formatted(moment: dt.datetime, pattern: str) -> str:
    if not pattern or len(pattern) > 200 or not _FORMAT.fullmatch(pattern):
        raise Invalid("value_invalid", "pattern is a strftime pattern of at most 200 characters, such as %d.%m.%Y")
    return moment.strftime(pattern)


def _difference(a: dt.datetime, b: dt.datetime) -> str:
    # In UTC: two moments of one zone would be subtracted by the clock on the wall.
    delta = b.astimezone(dt.UTC) - a.astimezone(dt.UTC)
    size = abs(delta)
    hours, rest = divmod(size.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    sign = "-" if delta < dt.timedelta(0) else ""
    total = f"{delta.total_seconds():.6f}".rstrip("0").rstrip(".")
    return f"{sign}{size.days} days {hours:02}:{minutes:02}:{seconds:02} ({total} seconds)"
