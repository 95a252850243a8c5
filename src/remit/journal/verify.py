"""Verification of one run: every rule that its stored entries must keep, as a list of problems.

A stream: entries go in one by one in stored order, nothing but the fold is kept. A broken entry does
not end the check; the following ones are compared with what is stored, so one changed row gives one
or two problems, not thousands. At most `MAX_PROBLEMS` texts a run are kept.

What a chain alone cannot show: someone who can rewrite the whole file can write another valid chain,
or remove a run with all its rows. That is what the log's signed tree is for (log_check.py).
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from remit.core.events import Event, RunResumed, RunStarted
from remit.errors import RemitError
from remit.journal.chain import GENESIS, decode_event, fault_of
from remit.journal.heads import Head, change_of
from remit.journal.sealed import stand_in
from remit.ports.journal import Entry

MAX_PROBLEMS: Final = 20


class RunCheck:
    """The check of one run: call `entry` or `stored` for each, then `finish`. `head` is the fold so far.

    Args:
        strict: a kind of event that this version does not know raises journal_format (a run that is to be
            continued) instead of being one more problem.
        rotated: a signed rotation dropped the run's bodies; what is left is numbers and hashes.
    """

    def __init__(self, run_id: str, *, strict: bool = False, rotated: bool = False) -> None:
        self.run_id = run_id
        self.head: Head | None = None
        self.last: Entry | None = None
        self._problems: list[str] = []
        self._more = 0
        self._strict = strict
        self._rotated = rotated

    def go_on(self, last: Entry) -> None:
        """Begin after `last`, whose chain was checked; what the events before it did to the list is not known."""
        self.last = last
        self.head = Head(self.run_id, RunStarted("", ""), last.at_ms)

    def problem(self, seq: int, reason: str) -> None:
        """Note one problem."""
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(f"run {self.run_id} seq {seq}: {reason}")
        else:
            self._more += 1

    def entry(self, entry: Entry, fault: str = "") -> None:
        """Check the next stored entry; `fault` = what the store already found wrong with its row."""
        last = self.last
        fault = fault or fault_of(
            entry, last.seq if last else 0, last.hash if last else GENESIS, last.epoch if last else 0
        )
        if fault:
            self.problem(entry.seq, fault)
        self.last = entry
        try:
            event = decode_event(stand_in(entry.body))  # a chain is verified without any key
            self._fold(event, entry)
        except RemitError as error:
            if self._strict and error.code == "journal_format":
                raise
            self.problem(entry.seq, error.message)

    def stored(self, entry: Entry, blob: bytes | None, gone: bool) -> None:
        """Check the next stored entry whose body may lie in `blobs`, or was dropped."""
        if self._rotated and gone and blob is None:
            seq = self.last.seq if self.last else 0
            if entry.seq != seq + 1:
                self.problem(entry.seq, f"seq {seq + 1} is missing" if entry.seq > seq else "out of order")
            self.last = entry
        else:
            self.entry(entry, blob_fault(entry, blob, gone))

    def _fold(self, event: Event, entry: Entry) -> None:
        if isinstance(event, RunStarted):
            if self.head is None:
                self.head = Head(self.run_id, event, entry.at_ms)
            else:
                self.problem(entry.seq, "the run starts a second time")
            return
        if self.head is None:
            self.problem(entry.seq, "the run does not begin with run_started")
            self.head = Head(self.run_id, RunStarted("", ""), entry.at_ms)
        if isinstance(event, RunResumed) and event.epoch != entry.epoch:
            self.problem(entry.seq, f"run_resumed names epoch {event.epoch} in epoch {entry.epoch}")
        change = change_of(event)
        if change is not None:
            self.head.apply(change, entry.seq)

    def finish(self) -> list[str]:
        """All problems found."""
        if self.last is None:
            self.problem(0, "the run has no events")
        if self._more:
            self._problems.append(f"run {self.run_id}: {self._more} further problems")
        return self._problems


def blob_fault(entry: Entry, blob: bytes | None, gone: bool) -> str:
    """What is wrong with the blob of `entry`; "" when nothing, or when there is none."""
    if gone:
        return "its content is missing" if blob is None else "its blob is missing"
    if blob is not None and sha256(entry.body).digest() != blob:
        return "its blob was altered"
    return ""
