"""Money caps that outlive a run: of a day and a month, over all calls or those of an agent, model, provider or tenant.

Caps are hard over all processes of one state folder. A process draws on a *lease*: under the file's lock it takes a
share of what is left (what it needs now and a fiftieth of the cap), then counts in memory; it goes back to the file
when the lease is used up. What is spent, and all leases, never pass the cap together.

    FILE = {"spent": {account: nano}, "leases": {holder: {"until_ms", "nano": {account: nano}}}}

An account is a key and a period in UTC (`* 2026-11-28`, `agent:coder 2026-11`), so nothing has to be set back.
A process that dies keeps its lease until it runs out; then it counts as spent: nobody knows better, and the cap
must hold. A lease is at most `LEASE_MS` old; a process that lived through it takes a new one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from remit.core.budget import SpendCap
from remit.core.effects import Deny
from remit.core.events import ModelNote
from remit.core.grants import name_match
from remit.core.usage import usd
from remit.errors import Conflict
from remit.guard.private_file import locked, make_folder, read_private, write_private

if TYPE_CHECKING:
    from remit.ports.clock import Clock

LEASE_MS: Final = 15 * 60_000
AHEAD: Final = 50  # a lease takes a fiftieth of the cap ahead
MAX_BYTES: Final = 1024 * 1024
MAX_ACCOUNTS: Final = 2000  # of the file; the oldest periods go first
ALERTS: Final = (80, 100)  # percent. Source: spec/models.md 7


class _Lease(Struct):
    until_ms: int
    nano: dict[str, int]


class _File(Struct):
    spent: dict[str, int] = {}
    leases: dict[str, _Lease] = {}


class Hold(NamedTuple):
    """What one call reserved."""

    accounts: tuple[Account, ...]
    nano: int


class Account:
    """One cap in one period, as this process sees it."""

    __slots__ = ("alerted", "held", "id", "lease", "limit", "spent", "used")

    def __init__(self, name: str, limit: int) -> None:
        self.id = name
        self.limit = limit
        self.lease = 0
        """nano-dollars that this process may spend without asking"""
        self.held = 0
        self.used = 0
        """spent here since the file was last written"""
        self.spent = 0
        """spent by all, as of then"""
        self.alerted = 0


class Spending:
    """See the module's text.

    Args:
        caps: pattern of a key (`*` = all calls, `agent:coder`, `model:openai:*`, `tenant:acme`) -> its caps.
        clock: wall time.
        folder: where the file is; "" = this process only.
        tenant: whose calls these are.
    """

    def __init__(self, caps: Mapping[str, SpendCap], clock: Clock, folder: str = "", tenant: str = "") -> None:
        self.caps = dict(caps)
        self.tenant = tenant
        self._clock = clock
        self._path = os.path.join(folder, "spending.json") if folder else ""
        self._own = _File()  # the file of whoever keeps none
        self._holder = f"{os.getpid()}-{clock.random_bits(64):016x}"
        self._until_ms = 0
        self._accounts: dict[str, Account] = {}

    def reserve(self, name: str, keys: tuple[str, ...], worst_nano: int | None) -> Hold | Deny:
        """Reserve the worst case of a call in every account that it falls into, or in none."""
        now_ms = self._clock.now_ms()
        if now_ms >= self._until_ms:
            self._sync((), 0, now_ms)
        accounts = tuple(self._of(keys, now_ms))
        if not accounts:
            return Hold((), 0)
        if worst_nano is None:
            return Deny("budget_unpriced", "budget", f"{name} has no known price, and a money cap holds")
        if any(a.used + a.held + worst_nano > a.lease for a in accounts):
            self._sync(accounts, worst_nano, now_ms)
        for account in accounts:
            if account.used + account.held + worst_nano > account.lease:
                left = max(0, account.limit - account.spent - account.held)
                why = f"the cap ${usd(account.limit):.2f} of {account.id} has ${usd(left):.6f} left; "
                return Deny("budget_exceeded", "budget", f"{why}this call could cost ${usd(worst_nano):.6f}")
        for account in accounts:
            account.held += worst_nano
        return Hold(accounts, worst_nano)

    def settle(self, hold: Hold, key: str, nano: int, emit: Callable[[ModelNote], None]) -> None:
        """Replace what was reserved by what it cost; the first passing of 80 % and of 100 % is told."""
        for account in hold.accounts:
            account.held -= hold.nano
            account.used += nano
            percent = 100 * (account.spent + account.used) // max(1, account.limit)
            passed = max((p for p in ALERTS if percent >= p), default=0)
            if passed > account.alerted:
                account.alerted = passed
                data = {"percent": percent, "limit_nano": account.limit, "spent_nano": account.spent + account.used}
                emit(ModelNote(key, "budget", account.id, f"{percent} % of ${usd(account.limit):.2f} are spent", data))

    def spent(self) -> dict[str, tuple[int, int]]:
        """Account of the present periods -> (spent, cap), in nano-dollars, over all processes."""
        now_ms = self._clock.now_ms()
        self._sync((), 0, now_ms)
        day, month = periods(now_ms)
        spent = self._read().spent
        found: dict[str, tuple[int, int]] = {}
        for pattern, cap in self.caps.items():
            for period, limit in ((day, cap.day_nano), (month, cap.month_nano)):
                if limit is None:
                    continue
                known = {name: (nano, limit) for name, nano in spent.items() if _is_of(name, pattern, period)}
                found |= known or {f"{pattern} {period}": (0, limit)}
        return found

    def record(self, keys: tuple[str, ...], nano: int) -> dict[str, tuple[int, int]]:
        """Count what was spent elsewhere, in every account that the keys fall into, whether or not a cap is passed.

        Returns: account -> (spent, cap), in nano-dollars.
        """
        found = {}
        with self._locked():
            file = self._read()
            for account in self._of(keys, self._clock.now_ms()):
                file.spent[account.id] = account.spent = file.spent.get(account.id, 0) + nano
                found[account.id] = (account.spent, account.limit)
            self._write(file)
        return found

    def reset(self, *, force: bool = False) -> int:
        """Set what was spent to nothing, in every period; returns how many accounts there were.

        `force`: also where the file is damaged; leases that other processes hold are lost with it.
        """
        with self._locked():
            file = _File({}, {}) if force else self._read()
            count = len(file.spent)
            file.spent = {}
            self._write(file)
        for account in self._accounts.values():
            account.spent = account.used = account.alerted = 0
        return count

    def close(self) -> None:
        """Give the lease back."""
        if self._accounts:
            self._until_ms = 0
            self._sync((), 0, self._clock.now_ms(), ending=True)

    def _of(self, keys: tuple[str, ...], now_ms: int) -> list[Account]:
        day, month = periods(now_ms)
        found = []
        for pattern, cap in self.caps.items():
            name = "*" if pattern == "*" else next((k for k in keys if name_match(pattern, k)), "")
            for period, limit in ((day, cap.day_nano), (month, cap.month_nano)):
                if name and limit is not None:
                    found.append(self._account(f"{name} {period}", limit))
        return found

    def _account(self, name: str, limit: int) -> Account:
        account = self._accounts.get(name)
        if account is None:
            if len(self._accounts) >= MAX_ACCOUNTS:
                self._accounts = {k: a for k, a in self._accounts.items() if a.held or a.used}
            account = self._accounts[name] = Account(name, limit)
        return account

    # --- the file --------------------------------------------------------------------------------

    def _sync(self, needed: tuple[Account, ...], nano: int, now_ms: int, *, ending: bool = False) -> None:
        """Write what was spent, and take new leases: for `needed`, `nano` more than now."""
        with self._locked():
            file = self._read()
            for holder, lease in list(file.leases.items()):
                if lease.until_ms < now_ms and holder != self._holder:
                    for name, left in lease.nano.items():
                        file.spent[name] = file.spent.get(name, 0) + left
                    del file.leases[holder]
            own = file.leases.setdefault(self._holder, _Lease(0, {}))
            for account in self._accounts.values():
                file.spent[account.id] = file.spent.get(account.id, 0) + account.used
                account.used, account.spent = 0, file.spent[account.id]
                others = sum(e.nano.get(account.id, 0) for h, e in file.leases.items() if h != self._holder)
                free = max(0, account.limit - account.spent - others)
                wanted = account.held + (nano + account.limit // AHEAD if account in needed else 0)
                account.lease = 0 if ending else min(free, max(wanted, account.held))
                own.nano[account.id] = account.lease
            self._until_ms = own.until_ms = now_ms + LEASE_MS
            if ending:
                del file.leases[self._holder]
            self._write(file)

    def _locked(self) -> Any:
        if not self._path:
            from contextlib import nullcontext

            return nullcontext()
        make_folder(os.path.dirname(self._path))
        return locked(self._path + ".lock")

    def _read(self) -> _File:
        if not self._path:
            return self._own
        raw = read_private(self._path, MAX_BYTES)
        if raw is None:
            return _File({}, {})
        try:
            return msgspec.json.decode(raw, type=_File)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise Conflict("record_altered", f"{self._path} is damaged", hint="remit cost reset --force") from None

    def _write(self, file: _File) -> None:
        if len(file.spent) > MAX_ACCOUNTS:
            newest = sorted(file.spent, key=lambda name: name.rpartition(" ")[2])[-MAX_ACCOUNTS:]
            file.spent = {name: file.spent[name] for name in newest}
        if self._path:
            write_private(self._path, msgspec.json.encode(file), durable_name=False)


def periods(now_ms: int) -> tuple[str, str]:
    """The day and the month of a moment, in UTC: 2026-11-28, 2026-11."""
    from time import gmtime

    at = gmtime(now_ms / 1000)
    return f"{at.tm_year:04}-{at.tm_mon:02}-{at.tm_mday:02}", f"{at.tm_year:04}-{at.tm_mon:02}"


def _is_of(account: str, pattern: str, period: str) -> bool:
    name, _, when = account.rpartition(" ")
    return when == period and (name == pattern or (pattern != "*" and name_match(pattern, name)))
