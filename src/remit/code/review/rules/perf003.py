r"""A blocking call in async code: sleep is an error, file access a warning.

Bad (python):
    import time
    async def f():
        time.sleep(1)
    ---
    async def f(p):
        return open(p).read()
    ---
    import requests
    async def f(u):
        return requests.get(u)

Good (python):
    import asyncio
    async def f():
        await asyncio.sleep(1)
    ---
    import time
    def f():
        time.sleep(1)
    ---
    import asyncio
    async def f(p):
        def read():
            return open(p).read()
        return await asyncio.to_thread(read)

Bad (javascript):
    const fs = require("fs");
    async function f(p) { return fs.readFileSync(p); }
    ---
    async function f() { Atomics.wait(a, 0, 0, 1000); }
    ---
    const cp = require("child_process");
    const f = async () => { cp.execSync("ls"); };

Good (javascript):
    const fs = require("fs");
    async function f(p) { return fs.promises.readFile(p); }
    ---
    const fs = require("fs");
    function f(p) { return fs.readFileSync(p); }
    ---
    async function f() { await sleep(1000); }

Bad (rust):
    async fn f() { std::thread::sleep(d); }
    ---
    async fn f(p: &str) { let s = std::fs::read_to_string(p); g(s); }
    ---
    use std::thread;
    async fn f() { thread::sleep(d); }

Good (rust):
    async fn f() { tokio::time::sleep(d).await; }
    ---
    fn f() { std::thread::sleep(d); }
    ---
    async fn f(p: &str) { let s = tokio::fs::read_to_string(p).await; g(s); }
"""

from __future__ import annotations

from collections.abc import Iterable

from remit.code.review import ir
from remit.code.review.parsing import File
from remit.code.review.syntax import functions, own_nodes
from remit.code.review.values import Hit, Rule

RULE = Rule("PERF003", "Blocking call in async code", "performance", "error",
            "Await the async form, or hand it to a thread.", languages=("python", "javascript", "typescript",
            "rust"))  # fmt: skip
_SLEEPS = frozenset(("time.sleep", "Atomics.wait", "std.thread.sleep", "thread.sleep"))
_WAITS = frozenset((
    "requests.get", "requests.post", "requests.put", "requests.delete", "requests.request", "urllib.request.urlopen",
    "subprocess.run", "subprocess.call", "subprocess.check_output", "os.system", "socket.create_connection",
    "child_process.execSync", "cp.execSync", "execSync", "spawnSync", "reqwest.blocking.get",
))  # fmt: skip
_FILES = frozenset(("open", "std.fs.read_to_string", "fs.read_to_string", "std.fs.read", "std.fs.write",
    "std.fs.File.open",
                    "File.open", "fs.write", "fs.read", "shutil.copy", "shutil.rmtree", "os.listdir"))  # fmt: skip


def check(file: File) -> Iterable[Hit]:
    """Calls whose dotted name is known to block, in an async function itself."""
    for function in functions(file):
        if not function.is_async:
            continue
        awaited = {id(one.operand) for one in own_nodes(function) if isinstance(one, ir.Wrap) and one.kind == "await"}
        for node in own_nodes(function):
            if not isinstance(node, ir.Call) or id(node) in awaited:
                continue
            name = ir.dotted(node.callee)
            if name in _SLEEPS or name in _WAITS:
                yield Hit(node.span, f"{name} stops every task of the loop")
            elif (name in _FILES and not name.startswith("tokio")) or (
                name.startswith("fs.") and name.endswith("Sync")
            ):
                yield Hit(node.span, f"{name} waits for the disk and stops every task meanwhile", severity="warning")
