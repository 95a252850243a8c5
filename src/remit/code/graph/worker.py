"""A parsing process: texts in, facts out, until its input ends. Started by `workers`, never imported by others.

Frames on standard input and output: 4 bytes of length, then MessagePack: [language, text] in, [facts or None, why] out.
"""

from __future__ import annotations

import sys
from typing import BinaryIO

import msgspec

from remit.code.graph.reading import Lowerer


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer every request."""
    import gc

    gc.disable()  # facts hold no cycles, and each is dropped when it is sent
    lowerer = Lowerer()
    while len(head := requests.read(4)) == 4:
        language, text = msgspec.msgpack.decode(requests.read(int.from_bytes(head, "big")), type=tuple[str, bytes])
        raw = msgspec.msgpack.encode(lowerer.lower(language, text))
        answers.write(len(raw).to_bytes(4, "big") + raw)
        answers.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
