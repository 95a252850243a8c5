"""What tests ask of processes beneath this one."""

from __future__ import annotations

import os

from remit.adapters.sandboxes.process_tree import descendants


def new_processes(before: set[int]) -> set[int]:
    """Those that neither were there before nor belong to one that was: another test's database server may live."""
    theirs = {pid for each in before for pid in descendants(each, 1000)}
    return set(descendants(os.getpid(), 1000)) - before - theirs
