"""Prompts that one agent hands to another carry a seal: HMAC-SHA256 over who hands what to whom, checked on receipt.

The seal is made by the code that hands over and checked by the code that starts the receiver, also when the receiver's
run goes on in another process: then the task in its journal must be the one that was sealed. What was altered or forged
on the way is refused before the receiver has read it. The key belongs to the runtime and never leaves it.

Source: spec/teams.md 13; RFC 2104; fields are joined with their lengths, so that none can run into the next.
"""

from __future__ import annotations

import hmac
import os
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from msgspec import Struct

from remit.core.folders import state_path
from remit.errors import Denied
from remit.guard.private_file import locked, make_folder, read_private, write_private
from remit.journal.memory import MemoryJournal

if TYPE_CHECKING:
    from remit.agents.runner import Runner

KEY_BYTES: Final = 32
_keys: WeakKeyDictionary[Any, bytes] = WeakKeyDictionary()


class Handover(Struct, frozen=True):
    """A prompt on its way."""

    sender: str
    """run that hands it over"""
    receiver: str
    """name of the agent"""
    run_id: str
    """the receiver's run"""
    prompt: str
    mac: str
    """64 hex digits"""


def seal(key: bytes, sender: str, receiver: str, run_id: str, prompt: str) -> Handover:
    """The prompt with its seal."""
    return Handover(sender, receiver, run_id, prompt, _mac(key, sender, receiver, run_id, prompt))


def opened(key: bytes, handed: Handover, receiver: str, run_id: str) -> str:
    """The prompt of a handover to `receiver` under `run_id`; raises prompt_altered for any other."""
    made = _mac(key, handed.sender, receiver, run_id, handed.prompt)
    if not hmac.compare_digest(made, handed.mac):
        raise Denied(
            "prompt_altered", f"the prompt for {receiver[:60]} is not the one that {handed.sender} handed over"
        )
    return handed.prompt


def _mac(key: bytes, *fields: str) -> str:
    made = hmac.new(key, digestmod=sha256)
    for field in fields:
        data = field.encode("utf-8", "surrogatepass")
        made.update(len(data).to_bytes(8, "big"))
        made.update(data)
    return made.hexdigest()


def key_of(runtime: Runner) -> bytes:
    """The key of a runtime's journal: one that lasts has it in a private file of the state folder."""
    journal = runtime.journal
    found = _keys.get(journal)
    if found is None:
        fresh = runtime.clock.random_bits(8 * KEY_BYTES).to_bytes(KEY_BYTES, "big")
        found = _keys[journal] = fresh if isinstance(journal, MemoryJournal) else _kept_key(fresh)
    return found


def _kept_key(fresh: bytes) -> bytes:
    folder = state_path()
    make_folder(folder)
    path = os.path.join(folder, "handover.key")
    with locked(f"{path}.lock"):
        found = read_private(path, KEY_BYTES, only_owner=True)
        if found is None or len(found) != KEY_BYTES:
            write_private(path, fresh)
            found = fresh
    return found
