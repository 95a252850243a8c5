"""Parsing processes: a text that crashes or holds up a parser costs its own file, not the run.

Used where there is enough to parse to pay for their start. A process is started new (never forked), gets texts and
gives facts, touches no file and ends with this one; a text that takes longer than DEADLINE_S, or that ends its process,
is reported. This file owns them: the code room works without a gate, and no program of a user runs in them (docs/adr).
"""

from __future__ import annotations

import os
import select
import subprocess  # noqa: TID251 - this file owns the parsing processes
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Final

import msgspec

MIN_BYTES: Final = 2_000_000
"""Texts to parse, together; below it the start of the processes costs more than they bring."""
MAX_WORKERS: Final = 4
DEADLINE_S: Final = 60.0
"""For one text of at most 4 MB; the slowest honest one takes about 3 s."""
Work = tuple[int, str, bytes]
"""(number, language, text)"""


class _Worker:
    """One process."""

    def __init__(self) -> None:
        # -P: nothing of the current folder is imported; the package is found where this one was.
        paths = os.pathsep.join([path for path in sys.path if path and os.path.isdir(path)])
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "remit.code.graph.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env={"PYTHONPATH": paths, "PATH": os.environ.get("PATH", "")},
        )  # fmt: skip

    def ask(self, language: str, text: bytes) -> bytes:
        """The encoded facts; raises EOFError when it died, TimeoutError when it took too long."""
        raw = msgspec.msgpack.encode((language, text))
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(len(raw).to_bytes(4, "big") + raw)
            self.process.stdin.flush()
        except OSError:
            raise EOFError from None
        return self._read(int.from_bytes(self._read(4), "big"))

    def _read(self, count: int) -> bytes:
        assert self.process.stdout is not None
        made = bytearray()
        while len(made) < count:
            if not select.select([self.process.stdout], [], [], DEADLINE_S)[0]:
                raise TimeoutError
            part = os.read(self.process.stdout.fileno(), count - len(made))
            if not part:
                raise EOFError
            made += part
        return bytes(made)

    def end(self) -> None:
        """Kill it and wait."""
        self.process.kill()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    pass  # what was still to be written has no reader
        self.process.wait()


def lowered(work: Sequence[Work]) -> Iterator[tuple[int, bytes]]:
    """(number, encoded facts or None and why) of every text, in any order."""
    waiting: SimpleQueue[Work | None] = SimpleQueue()
    done: SimpleQueue[tuple[int, bytes]] = SimpleQueue()
    count = min(MAX_WORKERS, os.cpu_count() or 1, len(work))
    for one in (*sorted(work, key=lambda w: -len(w[2])), *[None] * count):
        waiting.put(one)
    with ThreadPoolExecutor(count) as pool:
        threads = [pool.submit(_serve, waiting, done) for _ in range(count)]
        for _ in work:
            yield done.get()
        for thread in threads:
            thread.result()


def _serve(waiting: SimpleQueue[Work | None], done: SimpleQueue[tuple[int, bytes]]) -> None:
    worker = _Worker()
    try:
        while (one := waiting.get()) is not None:
            number, language, text = one
            try:
                done.put((number, worker.ask(language, text)))
            except (EOFError, TimeoutError) as error:
                why = "the parser crashed" if isinstance(error, EOFError) else f"not parsed within {DEADLINE_S:.0f} s"
                done.put((number, msgspec.msgpack.encode((None, why))))
                worker.end()
                worker = _Worker()
    finally:
        worker.end()
