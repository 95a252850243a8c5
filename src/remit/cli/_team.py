"""Workflow files on the command line.

A file only asks: its models and grants count where --allow, --model or the user's settings give them, because a
cloned repository must not grant itself anything.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from importlib import resources
from typing import Any

import msgspec

from remit.cli import _output, exit_of
from remit.cli._open import event_line, find_run, open_runtime
from remit.cli._run import handle_of, settings_of
from remit.config import Settings
from remit.core.budget import meet_budgets
from remit.core.effects import Need
from remit.core.remit import Remit
from remit.errors import Denied, Invalid
from remit.ports.stream import run_loop
from remit.teams.files import load_team

UNNAMED = "model:of-the-caller"  # stands for --model while a file is only checked


def check_file(args: Any) -> int:
    """Build the team and say what it is; raises what is wrong with the file."""
    team = load_team(args.file, model=UNNAMED)
    estimate = team.estimate()
    if args.mermaid:
        if not hasattr(team, "mermaid"):
            raise Invalid("usage_invalid", f"{args.file} is a {team.kind}; only a graph is drawn")
        _output.data(team.mermaid().rstrip())
    elif args.json:
        found = {
            "type": "result",
            "status": "ok",
            "name": team.name,
            "kind": team.kind,
            "members": sorted(team.members),
        }
        _output.json_line({**found, "estimate": msgspec.to_builtins(estimate)})
    else:
        _output.data(f"{team.kind} {team.name}: {len(team.members)} members, model calls {estimate}")
    return 0


def write_template(args: Any) -> int:
    """Write a template to a file that is not there yet."""
    folder = resources.files("remit.teams.files") / "templates"
    names = sorted(each.name.removesuffix(".template") for each in folder.iterdir())
    if args.template not in names:
        raise Invalid(
            "usage_invalid", f"there is no template {args.template!r:.60}", hint=f"One of: {', '.join(names)}"
        )
    path = args.out or f"{args.template}.yaml"
    text = (folder / f"{args.template}.template").read_text(encoding="utf-8")
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Invalid("usage_invalid", f"{path} exists", hint="Name another file with --out.") from None
    _output.say(f"wrote {path}; next: remit team check {path}")
    return 0


def run_file(args: Any) -> int:
    """Run the file's team to its end; the exit code says how it ended."""
    for name in ("max_turns", "instructions", "tools"):
        setattr(args, name, None)  # flags of `remit run` that a file says itself
    folder = os.path.abspath(args.workspace)
    if not os.path.isdir(folder):
        raise Invalid("usage_invalid", f"--workspace {args.workspace!r} is not a folder")
    settings = settings_of(args, folder)
    named = settings["model.name"]
    team = load_team(args.file, model=handle_of(settings) if named else UNNAMED if args.estimate else None)
    team.budget = meet_budgets(team.budget, settings.budget)
    estimate = team.estimate()
    if args.estimate:
        if args.json:
            _output.json_line({"type": "result", "status": "ok", "estimate": msgspec.to_builtins(estimate)})
        else:
            _output.data(f"{team.kind} {team.name}: model calls {estimate}")
        return 0
    ceiling = settings.remit(named or "").with_implied([f"model:{named}"] if named else [])
    _check_models(team, ceiling)
    _output.say(f"team     {team.kind} {team.name}; model calls {estimate}", "dim")
    code: int = run_loop(_work(args, settings, team, (ceiling, folder)))
    return code


def _check_models(team: Any, ceiling: Remit) -> None:
    """Refuse before the start what naming a model in a file may not grant."""
    for grant in team.implied():
        verb, _, resource = grant.partition(":")
        if verb == "model" and not ceiling.ruling(Need("model", resource)).allowed:
            raise Denied("not_granted", f"the file names the model {resource}, which nobody granted",
                         hint=f'Grant it: --allow "model:{resource}"')  # fmt: skip


async def _work(args: Any, settings: Settings, team: Any, under: tuple[Remit, str]) -> int:
    ceiling, folder = under
    listen = _Listener(args.json)
    async with open_runtime(settings, workspace=folder, ceiling=ceiling, limits=settings.limits) as runtime:
        stop = _stopper(runtime, listen)
        if args.resume is not None:
            run = await team.resume(find_run(runtime.journal, args.resume), listener=listen, deltas=False)
        else:
            run = await team.run(_task(team, args.task), listener=listen, deltas=False)
        stop()
    if args.json:
        _output.json_line({"type": "result", **run.data()})
    else:
        _show(run)
    return exit_of(run.status, run.error)


def _task(team: Any, text: str | None) -> Any:
    """The task; for a graph, JSON is its state."""
    if text is None or not text.strip():
        if team.kind == "graph":
            return None
        raise Invalid("usage_invalid", "there is no TASK", hint='Write: remit team run FILE "TASK"')
    if team.kind == "graph" and text.lstrip().startswith("{"):
        try:
            return msgspec.json.decode(text)
        except msgspec.DecodeError as e:
            raise Invalid("usage_invalid", f"TASK is no JSON: {e}") from None
    return text


class _Listener:
    """Shows what happens: events as lines, or one line a member for people."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.root = ""

    def __call__(self, entry: Any, event: Any) -> None:
        if entry is None:
            return
        self.root = self.root or entry.run_id
        if self.as_json:
            _output.json_line(event_line(entry))
        elif entry.run_id == self.root:
            kind = event.__struct_config__.tag
            if kind == "effect_intent" and event.kind == "member":
                _output.say(f"  begins  {event.name} ({event.key})", "dim")
            elif kind == "effect_done" and event.key != "result":
                _output.say(f"  done    {event.key}", "dim")
            elif kind == "wait_opened":
                _output.say(f"  waits   {event.question}", "yellow")


def _stopper(runtime: Any, listen: _Listener) -> Any:
    """A signal cancels the team; what this returns takes the handlers away again."""
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    loop = asyncio.get_running_loop()
    names = [signal.SIGINT, signal.SIGTERM]
    for name in names:
        loop.add_signal_handler(name, lambda: runtime.cancel(listen.root, "user", "signal"))
    return lambda: [loop.remove_signal_handler(name) for name in names]


def _show(run: Any) -> None:
    if isinstance(run.output, str):
        _output.data(run.output)
    elif run.output is not None:
        _output.json_line(msgspec.to_builtins(run.output, enc_hook=str))
    for one in run.dissent:
        _output.say(f"dissent  {one.member}: {_output.one_line(one.position, 120)}", "yellow")
    if run.error is not None:
        _output.say_error(run.error)
    for item in run.waiting_for:
        _output.say(f"waits    {item}; answer it with: remit approve {item}", "yellow")
    calls = run.estimate.of(run.model_calls) if run.estimate is not None else f"{run.model_calls} model calls"
    _output.say(f"{run.status}  {run.id}  stages {run.stages}, {calls}, {_output.money(run.cost_nano)}", "dim")
