"""The work of `remit run`: settings -> runtime and agent -> one run, its events shown, its end as a result line.

Signals end a run well: the first SIGINT, SIGTERM or SIGHUP cancels it, and the partial result is
printed; a second one ends the process at once (the journal can be resumed from wherever it stands).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

from remit.agents.agent import Agent
from remit.cli import EXIT_CANCELLED, STARTED_HERE, _output, exit_of
from remit.cli._ask import TerminalApprover, with_second_factor
from remit.cli._open import event_line, find_run, open_runtime
from remit.cli._progress import Progress, summary
from remit.cli._result import run_result
from remit.cli._resume import breakpoints, resumed_agent
from remit.config import Settings, load, resolve_secret
from remit.core.model import Settings as Sampling
from remit.errors import Invalid, RemitError
from remit.guard.policy import rulebook_of
from remit.journal.fork import lineage
from remit.journal.replay import Recorded
from remit.models.handle import ModelHandle
from remit.ports.stream import run_loop

AGENT_NAME: Final = "cli"
TOKEN_VARIABLES: Final = ("REMIT_TOKEN", "REMIT_TOKEN_KEY")
CLOSING_S: Final = 3.0
"""how long a thread of a tool that passed its deadline may hold up the end of the process"""


def start(args: Any) -> int:
    """Run to the end; raises RemitError for what is wrong before a run begins."""
    _check(args)
    code: int = run_loop(_Command(args).work())
    return code


def _check(args: Any) -> None:
    if args.resume is None and not (args.task or "").strip():
        raise Invalid("usage_invalid", "there is no TASK", hint='Write: remit run "TASK" --model M')
    if args.resume is None and (args.break_at or args.step is not None):
        raise Invalid("usage_invalid", "--break and --step go with --resume")
    if args.pool is not None and args.resume is not None:
        raise Invalid("usage_invalid", "--pool does not go with --resume: a pool goes on with its runs by itself")
    for name in ("deadline_s", "max_turns"):
        value = getattr(args, name)
        if value is not None and not 0 < value < 1e9:
            raise Invalid("usage_invalid", f"--{name.replace('_', '-')} {value:g}: a number above 0 is needed")
    if args.budget_usd is not None and not 0 <= args.budget_usd < 1e9:
        raise Invalid("usage_invalid", f"--budget-usd {args.budget_usd:g}: a number from 0 on is needed")


def settings_of(args: Any, workspace: str) -> Settings:
    """The effective settings; raises config_untrusted before anything runs."""
    names = None if args.tools is None else tuple(name.strip() for name in args.tools.split(",") if name.strip())
    flags = {
        "model.name": args.model,
        "model.base_url": args.base_url,
        "model.max_turns": args.max_turns,
        "run.instructions": args.instructions,
        "run.tools": names,
        "remit.allow": None if args.allow is None else tuple(args.allow),
        "remit.deny": None if args.deny is None else tuple(args.deny),
        "budget.usd": args.budget_usd,
        "budget.seconds": args.deadline_s,
        "journal.path": args.journal,
    }
    return load(workspace, flags).check()


class _Command:
    """One invocation. `run_id` is known with the run's first event."""

    def __init__(self, args: Any) -> None:
        self.args = args
        self.folder = os.path.abspath(args.workspace)
        if not os.path.isdir(self.folder):
            raise Invalid("usage_invalid", f"--workspace {args.workspace!r} is not a folder")
        self.progress = Progress()
        self.token: Any = None
        self.run_id = ""
        self.stop_reason = ""
        self.cancel: Callable[[str], None] = lambda reason: None

    async def work(self) -> int:
        """The whole invocation, inside the loop."""
        self._catch_signals()
        folder = self.folder
        settings = settings_of(self.args, folder)
        terminal = _output.interactive() and not self.args.json
        approver = with_second_factor(TerminalApprover(), settings) if terminal else None
        verified = self._verified(settings)
        options: dict[str, Any] = {
            "approver": approver, "limits": settings.limits, "rulebook": rulebook_of(settings),
        }  # fmt: skip
        if verified is not None:
            options["ceiling"] = verified.remit
        async with open_runtime(settings, workspace=folder, **options) as runtime:
            if verified is not None:
                runtime.revocations.hold(verified.revocation_ids, verified.remit, runtime.clock.now_ms())
            if self.args.pool is not None:
                return await self._submit(runtime, settings)
            run = await self._run(runtime, settings)
            code = exit_of(run.status, run.error)
            if self.args.json:
                _output.json_line(run_result(run))
            else:
                _show(run, self.progress.turns)
        if STARTED_HERE:
            # A tool's thread that ignores its deadline must not hold the process: everything is written by now.
            guard = threading.Timer(CLOSING_S, _leave, [code])
            guard.daemon = True
            guard.start()
        return code

    def _verified(self, settings: Settings) -> Any:
        """What the given token grants; None = there is none. Raises before anything is opened or written."""
        if not (self.args.token or self.args.token_key or any(os.environ.get(name) for name in TOKEN_VARIABLES)):
            return None
        from remit.cli._token import presented

        self.token = presented(self.args, settings, os.environ)
        return self.token

    def _within(self, agent: Agent) -> Agent:
        """The agent under the token: never more than either, and its run says so to whoever goes on with it."""
        if self.token is not None:
            own = agent.remit.with_implied([f"model:{getattr(agent.model, 'name', '')}"])
            agent.remit = self.token.remit.meet(own)
            agent.tokens = tuple(dict.fromkeys((*agent.tokens, *self.token.revocation_ids)))
        return agent

    async def _submit(self, runtime: Any, settings: Settings) -> int:
        """Leave the run to a pool."""
        from remit.cli._worker import leave_to_pool

        run_id = await leave_to_pool(runtime, settings, self._within(new_agent(settings)), self.args)
        if self.args.json:
            _output.json_line({"type": "result", "status": "ok", "run_id": run_id, "pool": self.args.pool})
        else:
            _output.data(run_id)
        return 0

    async def _run(self, runtime: Any, settings: Settings) -> Any:
        task = asyncio.current_task()

        def cancel(reason: str) -> None:
            if not (self.run_id and runtime.cancel(self.run_id, "user", reason)) and task is not None:
                task.cancel()

        self.cancel = cancel
        try:
            if self.args.resume is not None:
                return await self._resume(runtime, settings)
            agent = self._within(new_agent(settings))
            if not self.args.json:
                _output.say(f"remit    {agent.model.name} in {runtime.workspace}", "dim")
            return await runtime.run(
                agent,
                self.args.task,
                listener=self._listen,
                deltas=not self.args.json,
                subject=self.args.subject or "",
            )
        except RemitError as e:
            if not self.run_id:
                raise
            return _Broken(self.run_id, e)

    async def _resume(self, runtime: Any, settings: Settings) -> Any:
        run_id = find_run(runtime.journal, self.args.resume)
        recorded = Recorded(lineage(runtime.journal, run_id))
        agent = None
        if recorded.done is None:
            agent = self._within(resumed_agent(recorded.started, settings, self.args))
            self.run_id = run_id
        if not self.args.json:
            _output.say(f"Resume   {run_id}")
        control = breakpoints(self.args)
        return await runtime.resume(run_id, agent, listener=self._listen, deltas=not self.args.json, control=control)

    def _listen(self, entry: Any, event: Any) -> None:
        if entry is not None and not self.run_id:
            self.run_id = entry.run_id
            if self.stop_reason:  # the signal came before there was a run to stop
                asyncio.get_running_loop().call_soon(self.cancel, self.stop_reason)
        if not self.args.json:
            self.progress.show(event)
        elif entry is not None:
            try:
                _output.json_line(event_line(entry))
            except OSError as e:  # the reader is gone, or the disk behind stdout is full: end the run well
                self._stop(f"stdout: {e.strerror}")

    def _catch_signals(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # a program that calls main() in a thread keeps its own signals
        loop = asyncio.get_running_loop()
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            loop.add_signal_handler(getattr(signal, name), self._stop, name)

    def _stop(self, reason: str) -> None:
        signalled = reason.startswith("SIG")
        if signalled and self.stop_reason.startswith("SIG"):
            _leave(EXIT_CANCELLED)
        first, self.stop_reason = not self.stop_reason, reason
        if first:
            _output.say(f"Cancel   {reason}: ending the run; a second signal ends the process at once", "yellow")
            self.cancel(reason)


class _Broken:
    """A run whose journal failed under way: it can be resumed, and has no other result."""

    def __init__(self, run_id: str, error: RemitError) -> None:
        from remit.core.usage import NO_USAGE

        self.id, self.error, self.status = run_id, error, "failed"
        self.usage, self.cost_nano, self.cost_usd = NO_USAGE, None, None
        self.tool_calls = self.denied = 0
        self.output: Any = None


def new_agent(settings: Settings) -> Agent:
    """The agent that the settings describe; raises model_unknown, tool_unknown, config_invalid."""
    name = settings["model.name"]
    if not name:
        raise Invalid("model_unknown", "no model is named", hint="Name one: --model provider:model, or in remit.toml.")
    return Agent(
        AGENT_NAME,
        handle_of(settings),
        instructions=settings["run.instructions"],
        tools=settings["run.tools"],
        remit=settings.remit(name),
        budget=settings.budget,
        settings=Sampling(max_tokens=settings["model.max_tokens"], temperature=settings["model.temperature"]),
        max_turns=settings["model.max_turns"],
    )


def handle_of(settings: Settings) -> ModelHandle:
    """The configured model, its key read from where the settings point."""
    reference = settings["model.api_key"]
    key = resolve_secret(reference, os.environ) if reference else None
    return ModelHandle(settings["model.name"], base_url=settings["model.base_url"] or "", api_key=key)


def _show(run: Any, turns: int) -> None:
    """The answer on stdout, then how it ended."""
    if isinstance(run.output, str):
        _output.data(run.output)
    elif run.output is not None:
        _output.json_line(run.output)
    summary(run, turns)


def _leave(code: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass  # nobody reads it any more
    os._exit(code)
