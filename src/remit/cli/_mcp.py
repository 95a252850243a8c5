"""What `remit mcp` does, an action a function. Whatever touches a server is an effect of a run, through the gate."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final

from remit.cli import _output
from remit.errors import Denied, Invalid

MAX_SHOWN_CHARS: Final = 400


def run(args: Any) -> int:
    """Run one action; its answer is one JSON line or a few lines of text."""
    from remit.cli._open import open_runtime, settings_here
    from remit.ports.stream import run_loop

    settings = settings_here(args).check()

    async def main() -> dict[str, Any]:
        async with open_runtime(settings) as runtime:
            return await ACTIONS[args.action](runtime.outside, args)

    answer: dict[str, Any] = run_loop(main())
    if args.json:
        _output.json_line({"type": "result", "status": "ok", **answer})
    else:
        _show(args.action, answer)
    return 0


def _show(action: str, answer: dict[str, Any]) -> None:
    if action == "list":
        rows = [[s["name"], s["transport"], s["state"], str(len(s["tools"]))] for s in answer["servers"]]
        _output.table(["SERVER", "TRANSPORT", "STATE", "TOOLS"], rows)
        return
    for name, value in answer.items():
        if name == "tools":
            for tool in value:
                state = f" ({tool['state']})" if tool.get("state") else ""
                _output.data(f"{tool['name']}{state}: {_output.one_line(tool['description'])[:MAX_SHOWN_CHARS]}")
        else:
            _output.data(f"{name}: {', '.join(value) if isinstance(value, list) else value}")


async def _list(outside: Any, _: Any) -> dict[str, Any]:
    return {"servers": outside.mcp.rows()}


async def _test(outside: Any, args: Any) -> dict[str, Any]:
    pin = await _probed(outside, args.name)
    answer: dict[str, Any] = outside.mcp.compared(pin)
    if args.tool:
        answer["result"] = await _called(outside, args)
    if answer["state"] == "changed" and not args.json:
        _output.say("this is not what was approved; the changed tools are refused", "yellow")
    return answer


async def _approve(outside: Any, args: Any) -> dict[str, Any]:
    pin = await _probed(outside, args.name)
    answer: dict[str, Any] = outside.mcp.compared(pin)
    if args.digest:
        if args.digest != answer["digest"]:
            raise Denied(
                "mcp_changed", f"the server {args.name} offers something else: its digest is {answer['digest']}"
            )
    elif not await _agreed(args.name, answer):
        raise Denied("mcp_unapproved", "nothing was approved", hint=f"remit mcp approve {args.name} --digest HEX")
    outside.mcp.pins.put(pin)
    return {**outside.mcp.compared(pin), "approved": True}


async def _agreed(name: str, answer: dict[str, Any]) -> bool:
    """Ask whoever sits at the terminal; False without one."""
    if not sys.stdin.isatty():
        raise Invalid(
            "usage_invalid",
            f"there is no terminal to ask; what the server offers has the digest {answer['digest']}",
            hint=f"Read it with: remit mcp test {name}; then: remit mcp approve {name} --digest {answer['digest']}",
        )
    from remit.cli._ask import read_terminal_line

    for tool in answer["tools"]:
        _output.say(f"{tool['name']} ({tool['state']})", "bold")
        _output.say(f"  {tool['description']}")
        _output.say(f"  arguments: {_output.one_line(str(tool['input_schema']), 1000)}", "dim")
    _output.say("Models will read these descriptions. Approve exactly this? y(es) n(o)", "yellow")
    return (await read_terminal_line() or "").strip().lower() in ("y", "yes")


async def _remove(outside: Any, args: Any) -> dict[str, Any]:
    outside.mcp.entry(args.name)
    return {"removed": outside.mcp.pins.drop(args.name)}


async def _probed(outside: Any, name: str) -> Any:
    """What a server offers now."""
    tool, found = outside.mcp.probe(name)
    await _effect(outside.mcp.entry(name), tool, {})
    return found()


async def _called(outside: Any, args: Any) -> str:
    import msgspec

    try:
        arguments = msgspec.json.decode(args.arguments, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid("usage_invalid", f"the arguments are no JSON object: {error}"[:300]) from None
    return await _effect(outside.mcp.entry(args.name), outside.mcp.tool(f"mcp__{args.name}__{args.tool}"), arguments)


async def _effect(entry: Any, tool: Any, arguments: dict[str, Any]) -> str:
    """One call, as an agent would make it, under exactly the grants that the entry itself implies."""
    from remit.cli._one_call import call_tool
    from remit.ports.secrets import handle_names

    grants = [f"net:{need.resource}" for need in tool.needs() if need.verb == "net"]
    hosts = [need.detail[2] for need in tool.needs() if need.verb == "net"]
    secrets = handle_names("\n".join(entry.headers.values()))
    grants += [f"secret:{name}@{host}" for name in secrets for host in hosts]
    return await call_tool("mcp-test", tool, arguments, grants)


ACTIONS: Final[dict[str, Callable[[Any, Any], Awaitable[dict[str, Any]]]]] = {
    "list": _list,
    "test": _test,
    "approve": _approve,
    "remove": _remove,
}
