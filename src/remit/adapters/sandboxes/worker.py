"""The program of a worker process: runs code of others under an engine, for the pool in worker_pool.py.

Started as `python -I worker.py`, with nothing inherited but its two pipes and the descriptors it was promised. It
imports the standard library and one engine (pydantic-monty or wasmtime), never remit. Frames both ways: four bytes of
length, little-endian, then JSON. The first frame says what to load; then the process locks itself down (resource
limits, a system-call filter for all threads) and says it is ready. From there on it answers one request after the
other; `{"call": [name, arguments]}` asks the pool for a lent function, `{"done": ...}` ends a request.

Invariants: one request at a time; the pipe's end is the worker's end, even while code runs (a thread of its own
waits for it); whatever goes wrong beyond the code itself ends the process, and the pool starts another one.

Rejected: fork of the host (it would inherit everything), one process a call (150 ms instead of 2).
Source: seccomp(2), prctl(2), getrlimit(2).
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import signal
import struct
import sys
import threading
from typing import Any, Final

PR_SET_NO_NEW_PRIVS: Final = 38
SECCOMP_SET_MODE_FILTER: Final = 1
SECCOMP_FILTER_FLAG_TSYNC: Final = 1
SECCOMP_CALL: Final = {"x86_64": 317, "aarch64": 277}
MAX_FRAME_BYTES: Final = 64 * 1024 * 1024


class Pipe:
    """Frames on the two pipes; a thread watches for the end of the host, which is then seen at once."""

    def __init__(self, kill_group: bool) -> None:
        self._kill_group = kill_group
        self._out = os.dup(1)
        self._in = os.dup(0)
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)  # what a library prints must not land between frames
        os.close(null)
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._in, 0)  # nothing but the other end's end
        while not poll.poll():
            pass
        self._end()

    def _end(self) -> None:
        if self._kill_group:
            os.killpg(0, signal.SIGKILL)
        os._exit(0)

    def _exactly(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            piece = os.read(self._in, min(count - len(parts), 1 << 20))
            if not piece:  # the host has closed the pipe, or is gone
                self._end()
            parts += piece
        return bytes(parts)

    def receive(self) -> Any:
        """The next frame."""
        return json.loads(self._exactly(struct.unpack("<I", self._exactly(4))[0]))

    def send(self, frame: Any) -> None:
        """Write one frame."""
        data = json.dumps(frame, ensure_ascii=True).encode()
        data = struct.pack("<I", len(data)) + data
        while data:
            data = data[os.write(self._out, data) :]

    def ask(self, name: str, arguments: str) -> tuple[bool, str]:
        """A lent function's answer as JSON text, or (False, message)."""
        self.send({"call": [name, arguments]})
        answer = self.receive()
        return bool(answer["ok"]), str(answer["text"])


class Output:
    """Printed text up to a bound; what is beyond it is counted."""

    def __init__(self, limit: int) -> None:
        self.parts: list[str] = []
        self.room = limit
        self.cut = 0

    def add(self, text: str) -> None:
        """Keep what fits."""
        size = len(text.encode("utf-8", "replace"))
        if size <= self.room:
            self.parts.append(text)
            self.room -= size
            return
        kept = text.encode("utf-8", "replace")[: self.room].decode("utf-8", "ignore")
        self.parts.append(kept)
        self.cut += size - len(kept.encode())
        self.room = 0


def set_limits(limits: dict[str, int]) -> None:
    """Resource limits by name, soft and hard, for this process and its children."""
    for name, value in limits.items():
        what = getattr(resource, name)
        hard = resource.getrlimit(what)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (value, value))


def install_filter(code: bytes) -> None:
    """Put a system-call filter on every thread of this process; it can never be taken off again."""

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]

    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = Program(len(code) // 8, ctypes.addressof(buffer))
    number = SECCOMP_CALL[os.uname().machine]
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or libc.syscall(
        number, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, ctypes.byref(program)
    ):
        raise OSError(ctypes.get_errno(), "the system-call filter was refused")


def main() -> None:
    """Load what the first frame names, lock down, answer."""
    pipe = Pipe(kill_group="--group" in sys.argv)
    first = pipe.receive()
    sys.path[:0] = first.get("paths", [])  # where the host found the engine, when that is no standard place
    set_limits(first["limits"])
    engine: Any
    try:
        if first["tier"] == "T1":
            from_file = _load(first["engine_file"])
            install_filter(bytes.fromhex(first["child_filter"]))
            engine = from_file.Engine(first)
        else:
            engine = _load(first["engine_file"]).Engine(first, pipe)
    except (ImportError, OSError, ValueError, RuntimeError) as error:
        pipe.send({"failed": f"{type(error).__name__}: {error}"[:2000], "missing": isinstance(error, ImportError)})
        return
    install_filter(bytes.fromhex(first["filter"]))
    pipe.send({"ready": engine.facts})
    while True:
        pipe.send({"done": engine.run(pipe.receive(), pipe)})


def _load(path: str) -> Any:
    """The module of one engine, by file: this program runs outside of the package."""
    from importlib.util import module_from_spec, spec_from_file_location

    sys.modules.setdefault("remit_worker", sys.modules["__main__"])
    spec = spec_from_file_location("remit_worker_engine", path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
