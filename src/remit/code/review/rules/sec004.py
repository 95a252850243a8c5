r"""Outside text inside a shell or process command.

Bad (python):
    import os
    from flask import request
    def view():
        os.system("ping " + request.args["host"])
    ---
    import subprocess
    from flask import request
    def view():
        subprocess.run(f"ls {request.form['d']}", shell=True)
    ---
    import subprocess
    from flask import request
    def view():
        subprocess.Popen(["sh", "-c", "echo " + request.cookies.get("x")])
    ---
    import os
    def ping(host):
        os.popen("ping " + host)

Good (python):
    import subprocess
    from flask import request
    def view():
        subprocess.run(["ls", "--", request.form["d"]])
    ---
    import os, shlex
    from flask import request
    def view():
        os.system("ping " + shlex.quote(request.args["host"]))
    ---
    import os
    from flask import request
    def view():
        host = request.args["host"]
        if host not in ("a", "b"):
            return
        os.system("ping " + host)
    ---
    import subprocess
    def run():
        subprocess.run("ls -l", shell=True)

Bad (javascript):
    const { exec } = require("child_process");
    app.get("/p", (req, res) => { exec("ping " + req.query.host); });
    ---
    const cp = require("child_process");
    app.get("/p", (req, res) => { cp.execSync(`ping ${req.params.host}`); });
    ---
    import { spawn } from "child_process";
    app.get("/p", (req, res) => { spawn("sh", ["-c", "ping " + req.query.host]); });

Good (javascript):
    const { execFile } = require("child_process");
    app.get("/p", (req, res) => { execFile("ping", [req.query.host]); });
    ---
    const { exec } = require("child_process");
    app.get("/p", (req, res) => { exec("ping " + Number(req.query.n)); });
    ---
    const { exec } = require("child_process");
    function f() { exec("ls -l"); }

Bad (go):
    package p
    import "os/exec"
    func h(w http.ResponseWriter, r *http.Request) { exec.Command("sh", "-c", "ping " + r.FormValue("h")).Run() }
    ---
    package p
    import "os/exec"
    func h(w http.ResponseWriter, r *http.Request) { exec.Command(r.URL.Query().Get("c")).Run() }
    ---
    package p
    import ("os/exec"; "fmt")
    func h(w http.ResponseWriter, r *http.Request) {
        c := fmt.Sprintf("ls %s", r.FormValue("d"))
        exec.Command("bash", "-c", c).Run()
    }

Good (go):
    package p
    import "os/exec"
    func h(w http.ResponseWriter, r *http.Request) { exec.Command("ping", r.FormValue("h")).Run() }
    ---
    package p
    import "os/exec"
    func f() { exec.Command("sh", "-c", "ls -l").Run() }
    ---
    package p
    import ("os/exec"; "strconv")
    func h(w http.ResponseWriter, r *http.Request) {
        n, _ := strconv.Atoi(r.FormValue("n"))
        exec.Command("sh", "-c", "head -" + strconv.Itoa(n)).Run()
    }

Bad (rust):
    async fn h(q: Query<P>) { std::process::Command::new("sh").arg("-c").arg(format!("ls {}", q.dir)).output(); }
    ---
    use std::process::Command;
    async fn h(q: Query<P>) { Command::new(q.program).spawn(); }
    ---
    use std::process::Command;
    async fn h(q: Query<P>) { let c = format!("ls {}", q.dir); Command::new("bash").args(&["-c", &c]).status(); }

Good (rust):
    use std::process::Command;
    async fn h(q: Query<P>) { Command::new("ls").arg(q.dir).output(); }
    ---
    use std::process::Command;
    fn f() { Command::new("sh").arg("-c").arg("ls").output(); }
    ---
    use std::process::Command;
    async fn h(Path(n): Path<u32>) { Command::new("sh").arg("-c").arg(format!("head -{}", 3)).output(); }
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from remit.code.review.flow.events import Event
from remit.code.review.flow.values import HOLE, Value
from remit.code.review.values import Flow, Rule, Sink

RULE = Rule("SEC004", "Command built from data", "security", "critical",
            "Start the program with a list of arguments and no shell.", cwe=78, confidence=0.9)  # fmt: skip
SHELLS = frozenset(("sh", "bash", "zsh", "dash", "ksh", "cmd", "cmd.exe", "powershell", "powershell.exe", "pwsh",
                    "sudo", "ssh", "env"))  # fmt: skip
_WORDY = frozenset(("cmd", "cmd.exe", "powershell", "powershell.exe", "pwsh", "sudo", "ssh", "env"))
"""Programs that read all the words behind as one command."""
_SCRIPT = re.compile(r"^(-[a-z]*c|/[ck]|-command|-encodedcommand)$", re.I)


def _shell(event: Event, value: Value) -> bool:
    """A shell reads it: shell=True, a text instead of a list, or a list that starts a shell or is named by data."""
    box = event.box(value)
    if box is None:
        return event.constant(-1, "shell") is True or event.name.startswith("asyncio.") or _program(value)
    items = box.items or []
    if event.constant(-1, "shell") is True or not items:
        return bool(items) or (box.rest is not None and event.constant(-1, "shell") is True)
    return _argv(event, items)


def _argv(event: Event, items: Sequence[Value]) -> bool:
    """Data names the program, or is (part of) the script that a shell is started with."""
    if not items or items[0].taints:
        return bool(items)
    started = [one for one in items[0].constants if isinstance(one, str)]
    if not any(one.rpartition("/")[2] in SHELLS for one in started):
        return False
    for at, one in enumerate(items[1:-1], 1):
        if any(isinstance(said, str) and _SCRIPT.match(said) for said in one.constants):
            rest = items[at + 1 :] if any(said in _WORDY for said in started) else items[at + 1 : at + 2]
            return any(event.reaching(said, "command", ("outside",)) for said in rest)
    return any(one in _WORDY for one in started) or bool(items[1:] and items[1].taints)


def _exec(event: Event, value: Value) -> bool:
    """`os.execlp("sh", "sh", "-c", text)`, `os.spawnv(mode, "sh", [...])`."""
    args = list(event.args[1:] if event.method.startswith("spawn") else event.args)
    box = event.box(args[1]) if len(args) == 2 else None
    argv = list(box.items or ()) if box is not None else args[1:]
    return bool(args) and (bool(args[0].taints) or _argv(event, [args[0], *argv[1:]]))


def _program(value: Value) -> bool:
    """The data may name the program: the text begins with it."""
    return value.shape is None or value.shape.startswith(HOLE)


def _assembled(event: Any, value: Value) -> bool:
    return value.shape is not None and HOLE in value.shape and not value.shape.startswith(HOLE)


def _assembled_shell(event: Event, value: Value) -> bool:
    return event.constant(-1, "shell") is True and _assembled(event, value)


def _shell_first(event: Event, value: Value) -> bool:
    """The program is a shell, or the data names the program."""
    first = event.args[0] if event.args else value
    if first.const == "" or event.name.endswith("CommandContext"):
        first = event.args[1] if len(event.args) > 1 else first
    return _named_shell(first) or value is first or bool(first.taints)


def _named_shell(value: Value) -> bool:
    return any(isinstance(one, str) and one.rpartition("/")[2] in SHELLS for one in value.constants)


def _shell_chain(event: Event, value: Value) -> bool:
    """`Command::new("sh").arg("-c").arg(x)`: x is what the shell is started with."""
    box = event.box(event.receiver)
    if box is None or box.kind != "command" or not box.items or box.items[0].taints:
        return False
    given = event.box(value)
    return _argv(event, [*box.items, *(given.items or () if given is not None else (value,))])


_SUBPROCESS = tuple(f"subprocess.{name}" for name in ("run", "call", "Popen", "check_call", "check_output"))
_TEXT = ("os.system", "os.popen", "commands.getoutput", "commands.getstatusoutput", "subprocess.getoutput",
         "subprocess.getstatusoutput", "asyncio.create_subprocess_shell", "popen2.popen2", "pty.spawn",
         "*.exec_command", "fabric.api.run", "invoke.run", "os.startfile")  # fmt: skip
_CP = tuple(f"{owner}.{name}" for owner in ("child_process", "node:child_process") for name in ("exec", "execSync"))
_SPAWN = tuple(f"{owner}.{name}" for owner in ("child_process", "node:child_process")
               for name in ("spawn", "spawnSync", "execFile", "execFileSync"))  # fmt: skip

FLOW = Flow(
    "command",
    "{source} becomes part of the command that {sink} runs",
    {
        "python": (
            Sink(_TEXT, (0,), ("cmd", "command"), None, ("outside", "local")),
            Sink(_TEXT, (0,), ("cmd", "command"), _assembled, ("parameter",)),
            Sink(_SUBPROCESS, (0,), ("args",), _shell, ("outside",)),
            Sink(_SUBPROCESS, (0,), ("args",), _assembled_shell, ("local", "parameter")),
            Sink(("os.execl", "os.execle", "os.execlp", "os.execv", "os.execve", "os.execvp", "os.spawnl", "os.spawnv",
                  "os.spawnlp", "os.spawnvp", "os.posix_spawn", "os.spawnve", "os.spawnle", "os.execlpe", "os.execvpe"),
                 (), (), _exec),
            Sink(("asyncio.create_subprocess_exec",), (0,)),
        ),
        "javascript": (
            Sink(_CP, (0,), (), None, ("outside", "local")),
            Sink(_CP, (0,), (), _assembled, ("parameter",)),
            Sink(_SPAWN, (0, 1), (), _shell_first, ("outside",)),
            Sink(("shelljs.exec", "execa.command", "execaCommand"), (0,)),
        ),
        "go": (Sink(("os/exec.Command", "exec.Command", "os/exec.CommandContext", "exec.CommandContext"), (0, 1, 2, 3),
                    (), _shell_first, ("outside", "local")),
               Sink(("syscall.Exec", "os.StartProcess"), (0,))),
        "rust": (Sink(("std.process.Command.new", "Command.new", "tokio.process.Command.new"), (0,)),
                 Sink(("*.arg", "*.args"), (0,), (), _shell_chain)),
    },
    {
        "python": ("shlex.quote", "shlex.join", "pipes.quote"),
        "javascript": ("shell-quote.quote", "shell-escape", "shellescape"),
        "go": ("shellescape.Quote", "strconv.Itoa"),
        "rust": ("shell_escape.escape", "shlex.quote"),
    },
)  # fmt: skip
