"""The work of `remit cost`: readings of the journal, and the caps of the state folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from remit.cli import _output
from remit.cli._open import settings_here, with_journal
from remit.core.usage import Usage, nano_of, usd
from remit.errors import Invalid
from remit.guard.spending import Spending, periods
from remit.journal.projections import cost, savings
from remit.models.prices import price_nano
from remit.ports.journal import Entry, Journal

MAX_RECORDED_USD = 1_000_000.0
FIELDS = ("run_id", "key", "at_ms", "agent", "model", "status", "input_tokens", "cached_tokens", "output_tokens",
          "reasoning_tokens", "cost_nano", "cache_write_tokens", "estimated")  # fmt: skip


def status(args: Any) -> int:
    """Totals, caps and savings."""
    caps = _caps(args)

    async def work(journal: Journal) -> int:
        found, saved = cost.EMPTY, savings.EMPTY
        today, month, kept = 0, 0, 0
        for call in _calls(journal, args.runs):
            day, this_month = periods(call["at_ms"])
            now_day, now_month = periods(_now_ms())
            today += (call["cost_nano"] or 0) * (day == now_day)
            month += (call["cost_nano"] or 0) * (this_month == now_month)
            kept += _prefix_saved(call)
        for entries in _runs(journal, args.runs):
            found, saved = cost.fold(found, entries), savings.fold(saved, entries)
        data = {
            "today_usd": usd(today), "month_usd": usd(month), "total_usd": usd(found.total.nano),
            "calls": found.total.calls, "unpriced_calls": found.total.unpriced,
            "models": {name: usd(c.nano) for name, c in sorted(found.models.items())},
            "agents": {name: usd(c.nano) for name, c in sorted(found.agents.items())},
            "cache": {"hits": saved.hits, "saved_tokens": saved.cached_tokens, "saved_usd": usd(saved.cached_nano)},
            "prompt_cache": {"read_tokens": found.total.usage.cached_tokens,
                             "written_tokens": found.total.usage.cache_write_tokens, "saved_usd": usd(kept)},
            "routing": {"calls": saved.routed, "spent_usd": usd(saved.spent_nano),
                        "always_ablest_usd": usd(saved.ablest_nano), "saved_percent": round(saved.percent, 1)},
            "caps": {name: {"spent_usd": usd(spent), "cap_usd": usd(limit)} for name, (spent, limit) in caps.items()},
        }  # fmt: skip
        if args.json:
            _output.json_line({"type": "result", "status": "ok", **data})
        else:
            _show(data)
        return 0

    return with_journal(args, work)


def record(args: Any) -> int:
    """Count against the caps what was spent outside of remit; the journal holds only what it did itself."""
    if not 0 < args.usd <= MAX_RECORDED_USD:
        raise Invalid("usage_invalid", f"{args.usd:g}: an amount above 0, at most {MAX_RECORDED_USD:g} dollars")
    if args.model and ":" not in args.model:
        raise Invalid("usage_invalid", f"{args.model!r:.60} is not provider:model")
    keys = [f"model:{args.model}", f"provider:{args.model.partition(':')[0]}"] if args.model else []
    spending = _caps_of(args)
    keys += [f"agent:{args.agent}"] * bool(args.agent) + [f"tenant:{spending.tenant}"] * bool(spending.tenant)
    found = spending.record(tuple(keys), nano_of(args.usd))
    if args.json:
        caps = {name: {"spent_usd": usd(spent), "cap_usd": usd(limit)} for name, (spent, limit) in found.items()}
        _output.json_line({"type": "result", "status": "ok", "caps": caps})
    else:
        _output.table(("CAP", "SPENT"), [(n, f"{_money(usd(s))} of {_money(usd(c))}") for n, (s, c) in found.items()])
    return 0


def reset(args: Any) -> int:
    """Set the caps' counters back; the journal keeps what was spent."""
    count = _caps_of(args).reset(force=args.force)
    if args.json:
        _output.json_line({"type": "result", "status": "ok", "accounts": count})
    else:
        _output.data(f"{count} counters were set to nothing")
    return 0


def export(args: Any) -> int:
    """Every model call as a line."""

    async def work(journal: Journal) -> int:
        count = 0
        as_json = args.json or args.format == "json"
        if not as_json:
            _output.data(",".join(FIELDS))
        for call in _calls(journal, args.runs):
            count += 1
            if as_json:
                _output.json_line({"type": "call", **call})
            else:
                _output.data(",".join(_cell(call[name]) for name in FIELDS))
        if args.json:
            _output.json_line({"type": "result", "status": "ok", "calls": count})
        return 0

    return with_journal(args, work)


def _show(data: dict[str, Any]) -> None:
    rows = [("today", _money(data["today_usd"])), ("this month", _money(data["month_usd"])),
            ("in all", _money(data["total_usd"]))]  # fmt: skip
    rows += [(f"model {name}", _money(value)) for name, value in data["models"].items()]
    rows += [(f"agent {name or '-'}", _money(value)) for name, value in data["agents"].items()]
    rows += [(f"cap {n}", f"{_money(c['spent_usd'])} of {_money(c['cap_usd'])}") for n, c in data["caps"].items()]
    cache, routing = data["cache"], data["routing"]
    rows.append(("cache", f"{cache['hits']} hits saved {cache['saved_tokens']} tokens, {_money(cache['saved_usd'])}"))
    prefix = data["prompt_cache"]
    if prefix["read_tokens"] or prefix["written_tokens"]:
        counts = f"{prefix['read_tokens']} tokens read, {prefix['written_tokens']} written"
        rows.append(("prompt cache", f"{counts}: {_money(prefix['saved_usd'])} saved"))
    if routing["calls"]:
        against = f"{_money(routing['spent_usd'])} instead of {_money(routing['always_ablest_usd'])}"
        rows.append(("routing", f"{routing['calls']} calls, {against}: {routing['saved_percent']} % saved (estimated)"))
    _output.table(("WHAT", "COST"), rows)


def _prefix_saved(call: dict[str, Any]) -> int:
    """Nano-dollars that the provider's prompt cache saved in a call; below 0 where only writing was paid for."""
    if call["cost_nano"] is None or not (call["cached_tokens"] or call["cache_write_tokens"]):
        return 0
    provider, _, name = call["model"].partition(":")
    plain = Usage(call["input_tokens"], output_tokens=call["output_tokens"])
    nano = price_nano(provider, name, plain, call["at_ms"])
    return 0 if nano is None else nano - call["cost_nano"]


def _money(value: float | None) -> str:
    return "unknown" if value is None else f"${value:.6f}"


def _cell(value: Any) -> str:
    """A CSV cell; a text that a spreadsheet would run as a formula is quoted (OWASP, CSV injection)."""
    text = "" if value is None else str(value)
    text = f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") and not isinstance(value, int) else text
    return f'"{text.replace(chr(34), chr(34) * 2)}"' if any(c in text for c in ',"\n\r') else text


def _runs(journal: Journal, limit: int) -> Iterator[list[Entry]]:
    if limit < 1:
        raise Invalid("usage_invalid", f"--runs {limit}: a number above 0 is needed")
    for row in journal.runs(limit):
        yield journal.read(row.run_id)


def _calls(journal: Journal, limit: int) -> Iterator[dict[str, Any]]:
    for entries in _runs(journal, limit):
        yield from cost.calls(entries)


def _caps(args: Any) -> dict[str, tuple[int, int]]:
    spending = _spending(args)
    return {} if spending is None else spending.spent()


def _caps_of(args: Any) -> Spending:
    spending = _spending(args)
    if spending is None:
        raise Invalid("usage_invalid", "there are no caps", hint="Set them in remit.toml: [cost] on = true")
    return spending


def _spending(args: Any) -> Spending | None:
    from remit.core.folders import state_path
    from remit.models.handle import made_setup
    from remit.runtime import Adapters

    setup = made_setup(settings_here(args))
    return None if setup is None else setup.spending(Adapters().clock, os.fspath(state_path()))


def _now_ms() -> int:
    from remit.runtime import Adapters

    return Adapters().clock.now_ms()
