"""Tier T2: model-written Python and third-party components under wasmtime, in worker processes.

Python is a component too: CPython with the standard library, built once by `component_build.py` and kept. A component
is compiled once for this machine (`SealedFiles` vouches for what was compiled), handed to the workers as sealed memory,
and instantiated afresh for every call. Missing wasmtime or a missing interpreter is `sandbox_missing`.

Invariants: 64 MiB, fuel and epoch inside, the wall clock outside; no files, no sockets, no environment are linked;
what a component imports beyond its job's `imports` is refused when it is loaded.

Source: DESIGN 7, row T2; spec/security.md 6; spec/tools.md 6.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import threading
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import msgspec
from msgspec import Struct

from remit.adapters.sandboxes.code_jobs import check_bounds, check_code, result_of, search_paths
from remit.adapters.sandboxes.component_build import interpreter_name
from remit.adapters.sandboxes.sealed_files import SealedFiles, sealed_memory
from remit.adapters.sandboxes.worker_pool import Lent, WorkerPool
from remit.adapters.sandboxes.worker_process import INSTALL, Ended, Spec, Worker
from remit.errors import Invalid, RemitError, Unavailable
from remit.ports.code_sandbox import (
    FUEL,
    MAX_JSON_BYTES,
    CodeJob,
    CodeResult,
    ComponentJob,
    Host,
)

MAX_COMPONENT_BYTES: Final = 50 * 1024 * 1024
CAPABILITIES: Final = ("log", "files", "http", "clock", "random")
FUNCTIONS: Final = ("files.read", "http.get")  # what the interfaces of these names ask of the host
COMPILE_S: Final = 180.0
COMPILE_BYTES: Final = 3 * 1024 * 1024 * 1024
HELD: Final = 4  # compiled components that stay in memory
BUILD: Final = "remit plugin setup"


class Answer(Struct, frozen=True):
    """What the interpreter component says of one run."""

    value: Any = None
    error: str = ""


class Compiled(Struct, frozen=True):
    """A compiled component: sealed memory, and what it imports."""

    digest: str
    fd: int
    imports: tuple[str, ...]


class Wasm:
    """A `ComponentSandbox` of tier T2.

    Args:
        folder: where the interpreter and compiled components are kept (made when it is needed).
        pool: the worker processes; its own by default.
    """

    tier = "T2"

    def __init__(self, folder: str, pool: WorkerPool | None = None) -> None:
        self.files = SealedFiles(folder)
        self.pool = pool or WorkerPool()
        self._held: dict[str, Compiled] = {}
        self._interpreter = ""  # its digest, once it is loaded
        self._lock = threading.Lock()

    async def run(self, job: CodeJob, host: Host | None = None) -> CodeResult:
        """Run Python source; see the port."""
        check_code(job)
        asked = {"code": job.code, "inputs": job.inputs, "calls": job.calls, "seed": secrets.randbits(64)}
        request = _request("run", [msgspec.json.encode(asked).decode()], job, FUEL)
        ended, duration_ms = await self.pool.run(self._python_spec, request, job.timeout_s, Lent(job.calls, host))
        return result_of(_python_answer(ended), duration_ms)

    async def call(self, job: ComponentJob, host: Host | None = None) -> CodeResult:
        """Call one export of a component; see the port."""
        check_bounds(job.timeout_s, job.max_memory_bytes, job.max_output_bytes)
        _check_component(job.component)
        if set(job.imports) - set(CAPABILITIES) or not 0 < job.fuel <= FUEL:
            raise Invalid("value_invalid", f"imports are of {', '.join(CAPABILITIES)}; fuel is 1 to {FUEL}")
        if sum(map(len, job.arguments)) > MAX_JSON_BYTES:
            raise Invalid("value_invalid", f"the arguments have more than {MAX_JSON_BYTES} characters")
        request = _request(job.export, list(job.arguments), job, job.fuel)
        ended, duration_ms = await self.pool.run(
            lambda: self._spec(job.component, tuple(sorted(job.imports))), request, job.timeout_s, Lent(FUNCTIONS, host)
        )
        return result_of(ended, duration_ms)

    async def imports_of(self, component: bytes) -> tuple[str, ...]:
        """What a component imports; compiles it."""
        _check_component(component)
        return (await asyncio.to_thread(self._compiled, component)).imports

    def describe(self) -> dict[str, Any]:
        """`{what, healthy, needs}`: healthy means that a worker started with the interpreter and locked itself down."""
        what = "wasmtime: Python and plugins in WebAssembly"
        try:
            spec = self._python_spec()
            try:
                Worker(spec).kill()
            finally:
                for fd in spec.fds:
                    os.close(fd)
        except RemitError as error:
            needs = BUILD if "interpreter" in error.message else INSTALL
            return {"what": f"{what} ({error.message})", "healthy": False, "needs": needs}
        return {"what": what, "healthy": True, "needs": ""}

    async def aclose(self) -> None:
        """End the workers, let go of compiled code."""
        await asyncio.to_thread(self.pool.close)
        with self._lock:
            for held in self._held.values():
                os.close(held.fd)
            self._held.clear()

    def keep_interpreter(self, component: bytes) -> None:
        """Store a freshly built interpreter and compile it, so that the first run need not wait."""
        self.files.put(interpreter_name(), component)
        self._interpreter = ""
        self._compiled(component)

    def _python_spec(self) -> Spec:
        with self._lock:
            held = self._held.get(self._interpreter)
            if held is not None:
                return self._worker_spec(held, ("calls", "clock", "random"))
        component = self.files.get(interpreter_name())
        if component is None:
            raise Unavailable(
                "sandbox_missing", "tier T2 has no Python interpreter yet", hint=f"Build it once: {BUILD}",
                retryable=False,
            )  # fmt: skip
        spec = self._spec(component, ("calls", "clock", "random"))
        self._interpreter = _digest(component)
        return spec

    def _spec(self, component: bytes, imports: tuple[str, ...]) -> Spec:
        compiled = self._compiled(component)
        missing = [name for name in compiled.imports if not _is_granted(name, imports)]
        if missing:
            raise Invalid("value_invalid", f"the component imports what it was not granted: {', '.join(missing)[:300]}")
        with self._lock:
            if self._held.get(compiled.digest) is compiled:
                return self._worker_spec(compiled, imports)
        return self._spec(component, imports)  # others have pushed it out of memory in between

    def _worker_spec(self, compiled: Compiled, imports: tuple[str, ...]) -> Spec:
        """The worker's kind, with a descriptor of its own; called under the lock."""
        fd = os.dup(compiled.fd)
        first = {"paths": search_paths("wasmtime"), "module_fd": fd, "imports": imports}
        return Spec(f"T2:{compiled.digest}:{','.join(imports)}", "T2", "worker_wasm.py", first, (fd,))

    def _compiled(self, component: bytes) -> Compiled:
        """The compiled form: held, kept on disk with a right MAC, or made now in a process of its own."""
        digest = _digest(component)
        with self._lock:
            if digest in self._held:
                return self._held[digest]
        name = f"{digest}.{_engine_id()}.compiled"
        stored = self.files.get(name)
        if stored is None:
            stored = _compile(component)
            self.files.put(name, stored)
        length = int.from_bytes(stored[:4], "little")
        imports = tuple(msgspec.json.decode(stored[4 : 4 + length], type=list[str]))
        with self._lock:
            if digest not in self._held:
                while len(self._held) >= HELD:
                    os.close(self._held.pop(next(iter(self._held))).fd)
                self._held[digest] = Compiled(digest, sealed_memory(memoryview(stored)[4 + length :]), imports)
            return self._held[digest]


@lru_cache(maxsize=HELD)
def _digest(component: bytes) -> str:
    """SHA-256 (hex), made once for an object: a plugin's bytes are the same object at every call."""
    return hashlib.sha256(component).hexdigest()


def _compile(component: bytes) -> bytes:
    """Compile in a process of its own: a compiler that a hostile component stops or fills takes nothing along."""
    source, out = sealed_memory(component), sealed_memory(b"", seal=False)
    try:
        first = {"paths": search_paths("wasmtime"), "compile_fd": source, "out_fd": out}
        spec = Spec("compile", "T2", "worker_wasm.py", first, (source, out), COMPILE_BYTES, COMPILE_S)
        try:
            worker = Worker(spec)
        except Unavailable as error:
            if error.code == "sandbox_failed" and "no component: " in error.message:
                raise Invalid("value_invalid", f"not a WebAssembly component: {error.message[-300:]}") from None
            raise
        worker.kill()
        names = msgspec.json.encode([str(name).rpartition("@")[0] or name for name in worker.facts["imports"]])
        size = os.fstat(out).st_size
        return len(names).to_bytes(4, "little") + names + os.pread(out, size, 0)
    finally:
        os.close(source)
        os.close(out)


def _is_granted(name: str, imports: tuple[str, ...]) -> bool:
    """Whether an imported interface is one of ours that is granted, or one of WASI (which is empty: worker_wasm.py)."""
    return name.startswith("wasi:") or (name.startswith("remit:plugin/") and name.partition("/")[2] in imports)


def _check_component(component: bytes) -> None:
    if not component[:4] == b"\0asm" or len(component) > MAX_COMPONENT_BYTES:
        raise Invalid("value_invalid", f"not a WebAssembly component of at most {MAX_COMPONENT_BYTES} bytes")


def _request(export: str, arguments: list[str], job: CodeJob | ComponentJob, fuel: int) -> dict[str, Any]:
    return {
        "export": export,
        "arguments": arguments,
        "timeout_s": job.timeout_s,
        "memory": job.max_memory_bytes,
        "output": job.max_output_bytes,
        "fuel": fuel,
    }


def _python_answer(ended: Ended) -> Ended:
    """The engine's account with the interpreter's own answer read out of it; the code may have forged that answer."""
    if ended.killed or ended.error or not isinstance(ended.value, str):
        return ended
    try:
        answer = msgspec.json.decode(ended.value, type=Answer)
    except (msgspec.DecodeError, RecursionError):
        answer = Answer(None, "the code broke its own interpreter")
    return Ended(answer.value, answer.error[:32_000], "", ended.output, ended.cut)


def _engine_id() -> str:
    """What compiled code is bound to: engine version and processor."""
    try:
        engine = version("wasmtime")
    except PackageNotFoundError:
        engine = "unknown"
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            flags = next((line for line in file if line.startswith(("flags", "Features"))), "")
    except OSError:
        flags = ""
    return f"{engine}-{hashlib.sha256((os.uname().machine + flags).encode()).hexdigest()[:16]}"
