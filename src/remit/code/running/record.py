"""What a recorded run says: outcomes, the structured report, and which functions each test executed."""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Any, Final

import msgspec
from msgspec import Struct

MARK: Final = "@remit-record "
MAX_RECORD_BYTES: Final = 256 * 1024 * 1024


class Executed(Struct, frozen=True):
    """Functions by (file, qualified name) and the tests that ran them, as pytest names those."""

    functions: tuple[tuple[str, str], ...] = ()
    tests: dict[str, tuple[int, ...]] = {}
    shared: tuple[int, ...] = ()
    """functions that ran outside of any one test: whoever depends on them cannot be told from the record"""
    outcomes: dict[str, str] = {}
    junit: str = ""


def record_in(stdout: str) -> tuple[str, Executed | None]:
    """(the output without the record, the record); None where there is none or it cannot be read."""
    text, mark, line = stdout.rpartition("\n" + MARK)
    if not mark:
        return stdout, None
    try:
        packed = base64.b64decode(line.strip(), validate=True)
        stream = zlib.decompressobj()
        raw = stream.decompress(packed, MAX_RECORD_BYTES)
        return text, msgspec.json.decode(raw, type=Executed) if stream.eof else None
    except (binascii.Error, zlib.error, msgspec.DecodeError, msgspec.ValidationError, ValueError):
        return text, None


def kept(record: Executed) -> Any:
    """What is worth keeping for a later selection."""
    return msgspec.json.encode(msgspec.structs.replace(record, junit=""))
