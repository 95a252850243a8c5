"""The work of `remit serve`: settings -> runtime -> gateway, until a signal."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from remit.agents.agent import Agent
from remit.agents.workflow import Workflow
from remit.cli import _output
from remit.cli._open import open_runtime
from remit.cli._run import new_agent
from remit.cli._worker import agents_of, catch_signals, check_pool, dispatch_of
from remit.config import Settings, load
from remit.core.sections import GatewaySection
from remit.errors import Invalid, Unavailable
from remit.guard.policy import rulebook_of
from remit.guard.roles import roles_of
from remit.ports.dispatcher import DEFAULT_TENANT
from remit.ports.stream import run_loop


def start(args: Any) -> int:
    """Serve; raises RemitError for what is wrong before the first client."""
    try:
        from remit.gateway import server
    except ImportError as error:
        raise Unavailable("extra_missing", f"serving needs uvicorn and starlette ({error.name})",
                          hint="pip install 'remit[server]'") from None  # fmt: skip
    if not 0 <= args.port < 65536 or args.concurrency < 1:
        raise Invalid("usage_invalid", "--port is 0 to 65535, --concurrency at least 1")
    if args.pool:
        check_pool(args.pool)
    if not os.path.isdir(args.workspace):
        raise Invalid("usage_invalid", f"--workspace {args.workspace!r} is not a folder")
    settings = load(args.workspace, {"journal.path": args.journal}).check()
    section = section_of(settings)
    certificate, key = args.tls_cert or section.tls_cert or "", args.tls_key or section.tls_key or ""
    tls = server.tls_of(args.host, certificate, key, os.environ.get("REMIT_ENV", "") == "production")
    run_loop(_serve(args, settings, agents_of(args.app), (os.path.abspath(args.workspace), tls)))
    return 0


async def _serve(args: Any, settings: Settings, agents: dict[str, Agent | Workflow], place: tuple[str, Any]) -> None:
    from remit.gateway.server import Server

    folder, tls = place
    stop = asyncio.Event()
    catch_signals(stop)
    options = {"limits": settings.limits, "rulebook": rulebook_of(settings)}
    async with open_runtime(settings, workspace=folder, **options) as runtime:

        def make(port: int) -> Any:
            return gateway_of(args, settings, agents, runtime, port)

        await Server(make, lambda url: _said(args, url)).serve(args.host, args.port, tls, stop)
    if args.json:
        _output.json_line({"type": "result", "status": "ok"})


def gateway_of(args: Any, settings: Settings, agents: dict[str, Agent | Workflow], runtime: Any, port: int) -> Any:
    """The gateway that flags and settings describe, for a listener on `port`."""
    from remit.gateway import bounding
    from remit.gateway.gateway import Gateway
    from remit.gateway.principals import DEFAULT_ROLE, Principals
    from remit.gateway.server import names_of
    from remit.gateway.work import Work

    section, name = section_of(settings), settings["model.name"]
    standard = None
    if name:
        standard = new_agent(settings)
        standard.name = bounding.NAME
    offered = {each.name: each for each in agents.values() if isinstance(each, Agent)}
    issuer = settings["policy.token_issuer"]
    hosts, origins = names_of(args.host, port, section, bool(args.tls_cert or section.tls_cert))
    return Gateway(
        runtime,
        principals=Principals(
            _state(), roles_of(settings["roles"]), bytes.fromhex(issuer) if issuer else None,
            section.token_roles or (DEFAULT_ROLE,), runtime.clock.now_ms,
        ),
        bounding=bounding.Bounding(runtime, settings.remit(""), standard, offered),
        work=Work(
            runtime, agents=agents, pool=args.pool, section=dispatch_of(settings),
            tenant=settings["journal.tenant"] or DEFAULT_TENANT, concurrency=args.concurrency,
        ),
        hosts=hosts, origins=origins, second_factor=settings.second_factor,
    )  # fmt: skip


def section_of(settings: Settings) -> GatewaySection:
    """[gateway] as it holds."""
    return GatewaySection(**{name: settings[f"gateway.{name}"] for name in GatewaySection.__struct_fields__})


def _state() -> str:
    from remit.config import state_folder

    return str(state_folder())


def _said(args: Any, url: str) -> None:
    if args.json:
        _output.json_line({"type": "listening", "url": url, "pid": os.getpid()})
    else:
        _output.say(f"serving  {url}, pid {os.getpid()}")
