"""The work of `remit worker`, and of `remit run --pool`: runtimes of the tenants, one dispatcher, a sweep a tenant."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import threading
from contextlib import AsyncExitStack
from importlib import import_module
from typing import Any, Final

from remit.agents.agent import Agent
from remit.agents.dispatch import Sweep, Worker, submit
from remit.agents.workflow import Workflow
from remit.cli import _output
from remit.cli._open import open_runtime
from remit.config import POSTGRES, Settings, load
from remit.core.sections import DispatchSection
from remit.errors import Invalid
from remit.guard.policy import rulebook_of
from remit.ports.bus import READY
from remit.ports.dispatcher import DEFAULT_TENANT, Dispatcher
from remit.ports.stream import run_loop

POOL: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
IDLE_S: Final = 0.3


def start(args: Any) -> int:
    """Serve; raises RemitError for what is wrong before."""
    check_pool(args.pool)
    if args.concurrency < 1 or args.sweep_s <= 0:
        raise Invalid("usage_invalid", "--concurrency is at least 1, --sweep-s above 0")
    settings = load(os.getcwd(), {"journal.path": args.journal, "dispatch.temporal": args.temporal}).check()
    tenants = args.tenant or [settings["journal.tenant"] or DEFAULT_TENANT]
    if args.tenant and not settings["journal.path"].startswith(POSTGRES):
        raise Invalid("usage_invalid", "--tenant: only a journal in Postgres has tenants")
    run_loop(_serve(args, settings, tenants, agents_of(args.app)))
    return 0


async def _serve(args: Any, settings: Settings, tenants: list[str], agents: dict[str, Agent | Workflow]) -> None:
    from remit.runtime import make_dispatcher

    stop = asyncio.Event()
    catch_signals(stop)
    async with AsyncExitStack() as stack:
        workers: dict[str, Worker] = {}
        sweeps: list[Sweep] = []
        dispatcher: Dispatcher | None = None
        for tenant in tenants:
            options = {"limits": settings.limits, "rulebook": rulebook_of(settings), "tenant": tenant}
            runtime = await stack.enter_async_context(open_runtime(settings, **options))
            dispatcher = dispatcher or make_dispatcher(dispatch_of(settings), runtime.clock)
            bus = runtime.journal.bus()
            stack.push_async_callback(bus.aclose)
            workers[tenant] = Worker(runtime, agents, runtime.journal.me)
            sweeps.append(Sweep(runtime, bus, dispatcher, args.pool, tenant, args.sweep_s))
            sweeps[-1].worker = workers[tenant]
        assert dispatcher is not None
        stack.push_async_callback(dispatcher.aclose)
        _output.say(f"worker   pool {args.pool}, {len(workers)} tenant(s), pid {os.getpid()}")
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(dispatcher.serve(args.pool, workers, args.concurrency))]
                tasks += [group.create_task(sweep.run()) for sweep in sweeps]
                await (_idle(workers, sweeps, stop) if args.until_idle else stop.wait())
                for task in tasks:
                    task.cancel()
        except ExceptionGroup as failed:  # the first failure ends the others; it is what there is to say
            raise failed.exceptions[0] from None


async def _idle(workers: dict[str, Worker], sweeps: list[Sweep], stop: asyncio.Event) -> None:
    """Return when twice in a row nothing is under way and nothing could go on, or when asked to stop."""
    quiet = 0
    while quiet < 2 and not stop.is_set():
        busy = any([worker.busy for worker in workers.values()])
        ready = [await sweep.ready() for sweep in sweeps]
        quiet = quiet + 1 if not busy and not any(ready) else 0
        await asyncio.sleep(IDLE_S)


async def leave_to_pool(runtime: Any, settings: Settings, agent: Agent, args: Any) -> str:
    """Submit a run to a pool; returns its id."""
    from remit.runtime import make_dispatcher

    run_id = await submit(runtime, agent, args.task, pool=check_pool(args.pool), subject=args.subject or "")
    section = dispatch_of(settings)
    if section.temporal:
        dispatcher = make_dispatcher(section, runtime.clock)
        try:
            await dispatcher.submit(run_id, args.pool, settings["journal.tenant"] or DEFAULT_TENANT)
        finally:
            await dispatcher.aclose()
    else:
        bus = runtime.journal.bus()
        bus.tell(READY)
        await bus.aclose()
    return run_id


def dispatch_of(settings: Settings) -> DispatchSection:
    """How runs reach workers."""
    return DispatchSection(**{name: settings[f"dispatch.{name}"] for name in DispatchSection.__struct_fields__})


def check_pool(pool: str) -> str:
    """`pool` itself, or usage_invalid."""
    if not POOL.fullmatch(pool):
        raise Invalid("usage_invalid", f"--pool {pool!r:.80}: letters a-z, digits and ._-")
    return pool


def agents_of(app: str | None) -> dict[str, Agent | Workflow]:
    """The agents and workflows that `MODULE:NAME` names, by their names; {} for none. Raises usage_invalid."""
    if app is None:
        return {}
    module, _, name = app.partition(":")
    sys.path.insert(0, os.getcwd())
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise Invalid("usage_invalid", f"--app {app!r:.120}: {error}") from None
    given = list(found.values()) if isinstance(found, dict) else list(found)
    if not all(isinstance(each, Agent | Workflow) for each in given):
        raise Invalid("usage_invalid", f"--app {app!r:.120} names something else than agents and workflows")
    return {each.name: each for each in given}


def catch_signals(stop: asyncio.Event) -> None:
    """Set `stop` on SIGINT, SIGTERM and SIGHUP."""
    if threading.current_thread() is not threading.main_thread():
        return  # a program that calls main() in a thread keeps its own signals
    loop = asyncio.get_running_loop()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        loop.add_signal_handler(getattr(signal, name), stop.set)
