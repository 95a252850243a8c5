"""The wasmtime engine of a worker process (see worker.py): one component, a fresh instance for every request.

A capability is an import. What the job does not list is not linked at all for remit's own interfaces, and of WASI
there is only this: an empty environment, no preopened folder, a clock and random bytes, which are zero unless they are
granted. All other WASI functions are linked as traps, so a language runtime loads and a call of them ends the run.

Time: one thread raises the engine's epoch at the deadline; host calls ignore epochs, so the pool kills the process
when an answer is late. Memory: the store's limiter; work: fuel.

Source: wasmtime's Python API (Store.set_limits, set_fuel, set_epoch_deadline); WASI 0.2.
"""

from __future__ import annotations

import json
import mmap
import os
import re
import threading
import time
from typing import Any, Final

import wasmtime
from remit_worker import Output  # type: ignore[import-not-found]  # the program itself, under a name of its own
from wasmtime import component as wit

STACK_BYTES: Final = 1024 * 1024
PACKAGE: Final = "remit:plugin/"
GRACE_S: Final = 0.02
_VERSION: Final = re.compile(r"@[0-9.]+$")


def make_engine() -> Any:
    """The one configuration that compiled code is made for and loaded by."""
    config = wasmtime.Config()
    config.epoch_interruption = True
    config.consume_fuel = True
    config.max_wasm_stack = STACK_BYTES
    config.wasm_threads = False
    config.memory_reservation = 128 * 1024 * 1024
    config.memory_reservation_for_growth = 0
    return wasmtime.Engine(config)


class Engine:
    """A compiled component and what it may import."""

    def __init__(self, first: dict[str, Any], pipe: Any) -> None:
        self._engine = make_engine()
        if "compile_fd" in first:
            try:
                component = wit.Component(self._engine, _read_all(first["compile_fd"]))
            except wasmtime.WasmtimeError as error:
                raise ValueError(f"no component: {error}") from None
            _write_all(first["out_fd"], component.serialize())
            self.facts = {"imports": sorted(component.type.imports(self._engine))}
            return
        self._component = wit.Component.deserialize_file(self._engine, f"/proc/self/fd/{first['module_fd']}")
        os.close(first["module_fd"])
        self.facts = {"imports": sorted(self._component.type.imports(self._engine))}
        self._granted = frozenset(first["imports"])
        self._pipe = pipe
        self._output = Output(0)
        try:
            self._linker = self._link()
        except wasmtime.WasmtimeError as error:
            raise ValueError(f"it cannot be linked: {error}") from None
        self._deadline = 0.0
        self._wake = threading.Condition()
        threading.Thread(target=self._watch, daemon=True).start()

    def run(self, request: dict[str, Any], _: Any) -> dict[str, Any]:
        """Call one export in a fresh instance."""
        store = wasmtime.Store(self._engine)
        store.set_limits(memory_size=request["memory"], instances=64, tables=64, memories=16, table_elements=200_000)
        store.set_fuel(request["fuel"])
        store.set_epoch_deadline(1)
        self._output = Output(request["output"])
        self._until(time.monotonic() + request["timeout_s"])
        found: dict[str, Any] = {"value": None, "error": "", "killed": ""}
        try:
            instance = self._linker.instantiate(store, self._component)
            function = instance.get_func(store, request["export"])
            if function is None:
                raise wasmtime.WasmtimeError(f"there is no function {request['export']!r}")
            found["value"] = _plain(function(store, *request["arguments"]))
        except (wasmtime.WasmtimeError, TypeError, ValueError, MemoryError) as error:
            found["error"], found["killed"] = _explained(str(error))
        finally:
            self._until(0.0)
            store.close()
        return {**found, "output": "".join(self._output.parts), "cut": self._output.cut}

    def _until(self, deadline: float) -> None:
        with self._wake:
            self._deadline = deadline
            self._wake.notify()

    def _watch(self) -> None:
        """Raise the epoch once a deadline is over."""
        with self._wake:
            while True:
                if not self._deadline:
                    self._wake.wait()
                    continue
                left = self._deadline - time.monotonic()
                if left > 0:
                    self._wake.wait(left)
                    continue
                self._engine.increment_epoch()
                self._wake.wait(GRACE_S)  # again, in case the store was made in between

    def _link(self) -> Any:
        linker = wit.Linker(self._engine)
        linker.allow_shadowing = True
        named = {_VERSION.sub("", name): name for name in self.facts["imports"]}
        strange = [n for n in named if not n.startswith("wasi:") and n.removeprefix(PACKAGE) not in self._granted]
        if strange:
            raise ValueError(f"not granted: {', '.join(strange)[:500]}")
        linker.define_unknown_imports_as_traps(self._component)
        interfaces = {**self._wasi(), **self._lent()}
        with linker.root() as root:
            for name, functions in interfaces.items():
                if name in named:
                    with root.add_instance(named[name]) as instance:
                        for function, body in functions.items():
                            instance.add_func(function, body)
        return linker

    def _lent(self) -> dict[str, dict[str, Any]]:
        """remit's own interfaces, each a call to the host."""

        def lent(name: str) -> Any:
            def call(_: Any, *arguments: Any) -> Any:
                good, text = self._pipe.ask(name, json.dumps(list(arguments)))
                return wit.Variant("ok", str(json.loads(text))) if good else wit.Variant("err", text)

            return call

        def forward(_: Any, name: str, arguments: str) -> Any:
            good, text = self._pipe.ask(name, arguments)
            return wit.Variant("ok" if good else "err", text)

        lent_interfaces: dict[str, dict[str, Any]] = {
            "calls": {"call": forward, "show": lambda _, text: self._output.add(text)},
            "log": {"write": lambda _, level, text: self._output.add(f"[{level}] {text}\n")},
            "files": {"read": lent("files.read")},
            "http": {"get": lent("http.get")},
        }
        return {PACKAGE + name: found for name, found in lent_interfaces.items() if name in self._granted}

    def _wasi(self) -> dict[str, dict[str, Any]]:
        """The harmless part of WASI 0.2; runtimes want a clock and a seed at start, so what is not granted is zero."""
        found: dict[str, dict[str, Any]] = {
            "wasi:cli/environment": {
                "get-environment": lambda _: [],
                "get-arguments": lambda _: [],
                "initial-cwd": lambda _: None,
            },
            "wasi:filesystem/preopens": {"get-directories": lambda _: []},
        }
        clock, random = "clock" in self._granted, "random" in self._granted
        found["wasi:clocks/wall-clock"] = {
            "now": _wall_time if clock else lambda _: _instant(0, 0),
            "resolution": lambda _: _instant(0, 1000),
        }
        found["wasi:clocks/monotonic-clock"] = {
            "now": (lambda _: time.monotonic_ns()) if clock else (lambda _: 0),
            "resolution": lambda _: 1000,
        }
        found["wasi:random/random"] = {
            "get-random-bytes": lambda _, count: (os.urandom if random else bytes)(min(count, 1 << 20)),
            "get-random-u64": lambda _: int.from_bytes(os.urandom(8), "little") if random else 0,
        }
        found["wasi:random/insecure-seed"] = {"insecure-seed": lambda _: (0, 0)}
        return found


def _instant(seconds: int, nanoseconds: int) -> Any:
    record: Any = wit.Record()
    record.seconds = seconds
    record.nanoseconds = nanoseconds
    return record


def _wall_time(_: Any) -> Any:
    now = time.clock_gettime_ns(time.CLOCK_REALTIME)
    return _instant(now // 1_000_000_000, now % 1_000_000_000)


def _plain(value: Any) -> Any:
    """A string, or `{"ok": text}` / `{"err": text}` of a result."""
    if isinstance(value, wit.Variant):
        return {value.tag: value.payload}
    return value


def _explained(text: str) -> tuple[str, str]:
    """What went wrong, and the limit that ended it."""
    for needle, killed in (("interrupt", "timeout"), ("all fuel consumed", "fuel")):
        if needle in text:
            return "", killed
    if "forcing trap when growing memory" in text or "exceeds memory limits" in text:
        return "", "memory"
    reason = text.rsplit("Caused by:", 1)[-1].strip() if "Caused by:" in text else text
    return reason[:2000], "crash"


def _read_all(fd: int) -> bytes:
    with mmap.mmap(fd, 0, prot=mmap.PROT_READ) as view:
        return view[:]


def _write_all(fd: int, data: bytes | bytearray) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
