"""The workers of T1 and T2: what each layer holds back by itself, shown with the layers above it taken away."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from remit.adapters.sandboxes import code_jobs, component_build, wasm, worker_pool, worker_process
from remit.adapters.sandboxes.monty import Monty
from remit.adapters.sandboxes.sealed_files import KEY_NAME, MAC_BYTES, SealedFiles
from remit.adapters.sandboxes.wasm import Wasm
from remit.adapters.sandboxes.worker_pool import Lent, WorkerPool
from remit.adapters.sandboxes.worker_process import Spec, Worker
from remit.errors import Denied, Invalid, RemitError, Unavailable
from remit.ports.code_sandbox import CodeJob, CodeResult, ComponentJob

ROOT = Path(__file__).resolve().parents[2]
NOTHING = Lent((), None)

# An engine without any protection of its own: what it may do is what the worker's other layers leave.
BARE_ENGINE = """
import os, socket, time, resource
class Engine:
    def __init__(self, first, pipe=None):
        self.facts = {"environment": dict(os.environ), "fds": sorted(map(int, os.listdir("/proc/self/fd"))),
                      "cwd": os.getcwd(), "limits": {n: resource.getrlimit(getattr(resource, n))[0]
                      for n in ("RLIMIT_NOFILE", "RLIMIT_DATA", "RLIMIT_CORE")}}
    def run(self, request, pipe):
        said = {}
        for name, act in (("open", lambda: os.open("/etc/passwd", os.O_RDONLY)), ("socket", socket.socket),
                          ("unix", lambda: socket.socket(socket.AF_UNIX)), ("fork", os.fork),
                          ("exec", lambda: os.execv("/bin/true", ["true"])), ("unlink", lambda: os.unlink("VICTIM")),
                          ("limits", lambda: resource.setrlimit(resource.RLIMIT_CORE, (1, 1))),
                          ("ptrace", lambda: os.pidfd_open(1))):
            if name not in request["acts"]:
                continue
            try:
                act()
                said[name] = "done"
            except OSError as error:
                said[name] = error.errno
            except ValueError:
                said[name] = 1  # what the resource module makes of EPERM
        if "hang" in request["acts"]:
            time.sleep(3600)
        if "flood" in request["acts"]:
            pipe.send("x" * (1 << 24))
        if "garbage" in request["acts"]:
            os.write(pipe._out, b"\\xff" * 64)
        if "call" in request["acts"]:
            said["call"] = list(pipe.ask("open_door", "[]"))
        return {"value": said, "error": "", "killed": "", "output": "", "cut": 0}
"""


@pytest.fixture
def bare(tmp_path: Path) -> Spec:
    engine = tmp_path / "engine.py"
    engine.write_text(BARE_ENGINE.replace("VICTIM", str(tmp_path / "kept")))
    (tmp_path / "kept").write_text("x")
    return Spec("bare", "T2", str(engine), {})


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    made = WorkerPool()
    yield made
    made.close()


def acts(pool: WorkerPool, spec: Spec, *names: str, timeout_s: float = 5.0, lent: Lent = NOTHING) -> Any:
    return asyncio.run(pool.run(lambda: spec, {"acts": names}, timeout_s, lent))[0]


def test_a_worker_inherits_nothing(bare: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither environment values nor descriptors nor the folder of the host reach a worker; its limits are set."""
    monkeypatch.setenv("SECRET_OF_HOST", "canary")
    kept = os.open("/etc/passwd", os.O_RDONLY)
    os.set_inheritable(kept, True)
    worker = Worker(bare)
    try:
        facts = worker.facts
        assert set(facts["environment"]) <= {"LANG", "MALLOC_ARENA_MAX", "LC_CTYPE"}
        # 0-2 are the null device, then the two pipes and the listing itself
        assert len(facts["fds"]) <= 6
        assert facts["cwd"] == "/"
        assert facts["limits"] == {"RLIMIT_NOFILE": 64, "RLIMIT_DATA": 512 * 1024 * 1024, "RLIMIT_CORE": 0}
    finally:
        worker.kill()
        os.close(kept)


def test_a_broken_engine_still_cannot_reach_the_machine(bare: Spec, pool: WorkerPool, tmp_path: Path) -> None:
    """Without any engine the filter refuses to open, connect, start, delete or raise limits."""
    names = ("open", "socket", "unix", "fork", "exec", "unlink", "limits", "ptrace")
    assert acts(pool, bare, *names).value == dict.fromkeys(names, 1)  # EPERM
    assert (tmp_path / "kept").exists()


def test_without_the_filter_it_could(
    bare: Spec, pool: WorkerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unplugged: with a filter that allows everything the same engine opens and deletes files."""
    allow_all = b"\x06\x00\x00\x00\x00\x00\xff\x7f"
    monkeypatch.setattr(worker_process, "build_worker_filter", lambda _: allow_all)
    assert acts(pool, bare, "open", "unlink").value == {"open": "done", "unlink": "done"}
    assert not (tmp_path / "kept").exists()


def test_the_wall_clock_kills_what_does_not_end(bare: Spec, pool: WorkerPool) -> None:
    """An engine that ignores its deadline is killed, with its process; the pool serves the next run."""
    acts(pool, bare)
    (first,) = pool.pids()
    ended = acts(pool, bare, "hang", timeout_s=0.2)
    assert (ended.killed, first in pool.pids()) == ("timeout", False)
    assert not os.path.exists(f"/proc/{first}")
    assert worker_pool.GRACE_S <= 0.25
    assert acts(pool, bare).value == {}


def test_a_run_after_a_kill_finds_a_worker(bare: Spec, pool: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A killed worker is replaced beside the runs, so the next run does not pay for a start; single-flight."""
    starts: list[str] = []

    def start(spec: Spec) -> Worker:
        starts.append(threading.current_thread().name.split("_")[0])
        return Worker(spec)

    monkeypatch.setattr(worker_pool, "Worker", start)
    acts(pool, bare)
    for _ in range(3):
        acts(pool, bare, "hang", timeout_s=0.2)
        until(lambda: len(pool.pids()) == 2)
    assert starts[0] == "remit-code"
    assert set(starts[1:]) == {"remit-spare"}
    pool.close()
    assert pool.pids() == ()


def test_more_spares_may_be_wanted_while_one_is_started(
    bare: Spec, pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill that comes while a first spare worker starts is not forgotten: both spares are there in the end."""
    begun, go_on = threading.Event(), threading.Event()

    def start(spec: Spec) -> Worker:
        begun.set()
        assert go_on.wait(20)
        return Worker(spec)

    monkeypatch.setattr(worker_pool, "Worker", start)
    pool._keep_spare(lambda: bare, bare.key, 1)
    assert begun.wait(20)
    pool._keep_spare(lambda: bare, bare.key, 2)
    go_on.set()
    until(lambda: len(pool.pids()) == 2)
    until(lambda: not pool._starting)


def until(done: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("act", ["flood", "garbage"])
def test_a_worker_that_breaks_the_protocol_is_ended(act: str, bare: Spec, pool: WorkerPool) -> None:
    """Frames that are too long or no frames cost the worker its life, and nothing of them is believed."""
    ended = acts(pool, bare, act, timeout_s=1.0)
    assert ended.killed in ("crash", "timeout")
    assert (ended.value, pool.pids()) == (None, ())


def test_only_lent_names_reach_the_host(bare: Spec, pool: WorkerPool) -> None:
    """A name that the job did not lend is refused in the pool, whatever the engine asks."""
    asked = []

    async def host(name: str, arguments: list[Any]) -> Any:
        asked.append(name)
        return "opened"

    assert acts(pool, bare, "call", lent=Lent(("other",), host)).value == {
        "call": [False, "'open_door' is not lent here"]
    }
    assert asked == []
    assert acts(pool, bare, "call", lent=Lent(("open_door",), host)).value == {"call": [True, '"opened"']}


def test_closing_ends_what_is_at_work(bare: Spec, pool: WorkerPool) -> None:
    """Close does not wait for endless code: its worker is killed, its run ends, and the loop is never blocked."""

    async def main() -> Any:
        endless = asyncio.ensure_future(pool.run(lambda: bare, {"acts": ["hang"]}, 3000.0, NOTHING))
        while not pool._busy:
            await asyncio.sleep(0.01)
        await asyncio.to_thread(pool.close)
        return (await endless)[0].killed

    assert asyncio.run(main()) == "crash"
    assert (pool.pids(), pool._busy) == ((), set())


def test_a_cancelled_run_does_not_wait_for_a_compiler(bare: Spec, pool: WorkerPool) -> None:
    """Cancelled while its component is still being compiled: the caller goes on, the worker ends when it is there."""
    compiled = threading.Event()
    finished = []

    def compiling() -> Spec:
        compiled.wait(30.0)
        finished.append(1)
        return bare

    async def main() -> list[int]:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await pool.run(compiling, {"acts": ["hang"]}, 3000.0, NOTHING)
        seen = list(finished)
        compiled.set()
        await asyncio.to_thread(pool.close)
        return seen

    assert asyncio.run(main()) == []
    assert (finished, pool.pids()) == ([1], ())


def test_workers_die_with_their_host(tmp_path: Path) -> None:
    """kill -9 of the host, in the middle of endless code: its workers and their children are gone."""
    program = textwrap.dedent(
        """
        import asyncio, os, sys
        from remit.adapters.sandboxes.monty import Monty
        from remit.adapters.sandboxes.process_tree import descendants
        from remit.ports.code_sandbox import CodeJob
        async def main():
            task = asyncio.ensure_future(Monty().run(CodeJob("while True: pass", timeout_s=3000)))
            while len(descendants(os.getpid(), 10)) < 2: await asyncio.sleep(0.02)
            await asyncio.sleep(0.2)
            print(*descendants(os.getpid(), 10), flush=True)
            await task
        asyncio.run(main())
        """
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment) as host:
        assert host.stdout
        pids = [int(pid) for pid in host.stdout.readline().split()]
        host.send_signal(signal.SIGKILL)
        host.wait()
    assert len(pids) == 2
    for _ in range(500):
        if not any(_runs(pid) for pid in pids):
            break
        time.sleep(0.02)
    assert [pid for pid in pids if _runs(pid)] == []


def _runs(pid: int) -> bool:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        return file.read().rsplit(")", 1)[1].split()[0] not in ("Z", "X")
    return False


# A component in text form: `spin` never ends, `grow` takes memory, `name` answers with one text.
COMPONENT = """
(component
  {imports}
  (core module $m
    (memory (export "memory") 1 4096)
    (data (i32.const 16) "\\20\\00\\00\\00\\02\\00\\00\\00")
    (data (i32.const 32) "ok")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
    (func (export "name") (result i32) i32.const 16)
    (func (export "spin") (loop br 0))
    (func (export "grow") (loop (br_if 0 (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable))
  (core instance $i (instantiate $m))
  (func (export "name") (result string) (canon lift (core func $i "name") (memory (core memory $i "memory"))))
  (func (export "spin") (canon lift (core func $i "spin")))
  (func (export "grow") (canon lift (core func $i "grow"))))
"""


def component(imports: str = "") -> bytes:
    return bytes(wasmtime.wat2wasm(COMPONENT.replace("{imports}", imports)))


def call(folder: Path, export: str, made: bytes | None = None, **more: Any) -> CodeResult:
    async def main() -> CodeResult:
        sandbox = Wasm(str(folder))
        try:
            return await sandbox.call(ComponentJob(made or component(), export, **more))
        finally:
            await sandbox.aclose()

    return asyncio.run(main())


def test_a_component_is_held_by_time_fuel_and_memory(tmp_path: Path) -> None:
    """Each of the three limits ends a component that runs into it, and is named."""
    assert call(tmp_path, "name").value == "ok"
    assert call(tmp_path, "spin", timeout_s=0.2).killed == "timeout"
    assert call(tmp_path, "spin", timeout_s=20.0, fuel=10_000).killed == "fuel"
    grown = call(tmp_path, "grow", timeout_s=20.0, max_memory_bytes=4 * 1024 * 1024)
    assert "unreachable" in grown.error  # the limiter said no, and it gave up
    assert "there is no function" in call(tmp_path, "missing").error


@pytest.mark.parametrize(
    "name", ["remit:plugin/files@1.0.0", "remit:plugin/calls@1.0.0", "other:host/exec@0.1.0", "remit:pluginx/log@1.0.0"]
)
def test_an_import_that_is_not_granted_is_refused_at_load(name: str, tmp_path: Path) -> None:
    """Capabilities are imports: a component that imports more than its job lists never runs."""
    made = component(f'(import "{name}" (instance))')
    with pytest.raises(Invalid) as caught:
        call(tmp_path, "name", made, imports=("log", "http"))
    assert (caught.value.code, name.partition("@")[0] in caught.value.message) == ("value_invalid", True)


def test_an_import_of_wasi_is_empty(tmp_path: Path) -> None:
    """What WASI would offer is linked as a trap: it loads, and there is nothing behind it."""
    made = component('(import "wasi:sockets/tcp-create-socket@0.2.0" (instance))')
    assert call(tmp_path, "name", made).value == "ok"


@pytest.mark.parametrize("garbage", [b"", b"\0asm", b"\0asm\x0d\0\1\0" + b"\xff" * 64, b"MZ" * 100])
def test_what_is_no_component_is_refused(garbage: bytes, tmp_path: Path) -> None:
    """Bytes that are no component are value_invalid; the compiler's process is gone."""
    with pytest.raises(Invalid) as caught:
        call(tmp_path, "name", garbage or b"\0")
    assert caught.value.code == "value_invalid"


def test_a_changed_cache_is_never_loaded(tmp_path: Path) -> None:
    """Each flipped byte of compiled code, its length or another key: the file counts as absent and is made again."""
    assert call(tmp_path, "name").value == "ok"
    (compiled,) = tmp_path.glob("*.compiled")
    good = compiled.read_bytes()
    for place in (0, MAC_BYTES, MAC_BYTES + 5, len(good) // 2, len(good) - 1):
        bad = bytearray(good)
        bad[place] ^= 1
        compiled.write_bytes(bad)
        assert SealedFiles(str(tmp_path)).get(compiled.name) is None
    assert call(tmp_path, "name").value == "ok"
    assert SealedFiles(str(tmp_path)).get(compiled.name) is not None
    compiled.rename(tmp_path / "another.compiled")
    assert SealedFiles(str(tmp_path)).get("another.compiled") is None


def test_without_the_mac_a_changed_cache_would_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unplugged: with a comparison that always says yes the changed bytes reach the loader."""
    assert call(tmp_path, "name").value == "ok"
    (compiled,) = tmp_path.glob("*.compiled")
    raw = bytearray(compiled.read_bytes())
    raw[-1] ^= 1
    compiled.write_bytes(raw)
    monkeypatch.setattr("remit.adapters.sandboxes.sealed_files.hmac.compare_digest", lambda *_: True)
    assert SealedFiles(str(tmp_path)).get(compiled.name) == bytes(raw[MAC_BYTES:])


def test_the_key_of_the_cache_is_private(tmp_path: Path) -> None:
    """The key file has mode 0600; one that others may read is refused, and so is a name that leaves the folder."""
    files = SealedFiles(str(tmp_path / "new"))
    files.put("a", b"x")
    key = tmp_path / "new" / KEY_NAME
    assert (key.stat().st_mode & 0o777, (tmp_path / "new").stat().st_mode & 0o777) == (0o600, 0o700)
    key.chmod(0o644)
    with pytest.raises(Denied) as caught:
        files.get("a")
    assert caught.value.code == "path_denied"
    for name in ("../a", "/etc/passwd", "a/../b", ".."):
        with pytest.raises(Denied):
            files.put(name, b"x")


def test_a_missing_engine_is_a_refusal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without its package a tier is sandbox_missing with a hint; nothing else runs the code."""
    started: list[Any] = []
    monkeypatch.setattr(code_jobs, "find_spec", lambda _: None)
    monkeypatch.setattr(worker_pool, "Worker", lambda spec: started.append(spec))
    for sandbox in (Monty(), Wasm(str(tmp_path))):
        for work in (sandbox.run(CodeJob("1")),):
            with pytest.raises(Unavailable) as caught:
                asyncio.run(work)
            assert (caught.value.code, caught.value.retryable) == ("sandbox_missing", False)
            assert "Install" in caught.value.hint or "Build" in caught.value.hint
        assert sandbox.describe()["healthy"] is False
    assert started == []


def test_a_missing_interpreter_is_a_refusal(tmp_path: Path) -> None:
    """T2 without its Python component is sandbox_missing; T1 does not take its place."""
    sandbox = Wasm(str(tmp_path))
    with pytest.raises(Unavailable) as caught:
        asyncio.run(sandbox.run(CodeJob("1 + 1")))
    assert (caught.value.code, "remit plugin setup" in caught.value.hint) == ("sandbox_missing", True)
    assert "no Python interpreter" in sandbox.describe()["what"]


def test_a_missing_builder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without componentize-py, or with another version of it, the interpreter is not built."""

    def absent(_: str) -> str:
        raise component_build.PackageNotFoundError

    monkeypatch.setattr(component_build, "version", absent)
    with pytest.raises(RemitError) as caught:
        component_build.build_interpreter()
    assert (caught.value.code, "componentize-py==" in caught.value.hint) == ("program_missing", True)
    monkeypatch.setattr(component_build, "version", lambda _: "0.0.1")
    with pytest.raises(RemitError) as caught:
        component_build.build_interpreter()
    assert "not the pinned" in caught.value.message


def test_the_recipe_names_the_interpreter(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another guest program, interface or builder is another interpreter: an old one is never taken for a new one."""
    names = {component_build.interpreter_name()}
    monkeypatch.setattr(component_build, "BUILDER", "9.9.9")
    names.add(component_build.interpreter_name())
    assert len(names) == 2
    assert wasm.interpreter_name is not None
