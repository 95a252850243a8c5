"""What `remit plugin` does, an action a function. Each answers with data; `run` shows it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from remit.cli import _output
from remit.cli._one_call import call_tool
from remit.errors import Invalid


def run(args: Any) -> int:
    """Run one action; its answer is one JSON line or a few lines of text."""
    from remit.ports.stream import run_loop
    from remit.runtime import Runtime

    async def main() -> dict[str, Any]:
        async with Runtime(tune_gc=False) as runtime:
            return await ACTIONS[args.action](runtime.outside, args)

    answer: dict[str, Any] = run_loop(main())
    if args.json:
        _output.json_line({"type": "result", "status": "ok", **answer})
        return 0
    _show(args.action, answer)
    return 0


def _show(action: str, answer: dict[str, Any]) -> None:
    if action == "list":
        rows = [[p["id"], p["version"], p["signer"][:16], p["problem"] or p["tools"]] for p in answer["plugins"]]
        _output.table(["ID", "VERSION", "SIGNER", "TOOLS"], rows)
        return
    for name, value in answer.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            for each in value:
                _output.data(f"{name}: {each['name']}: {_output.one_line(each['description'])}")
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            _output.data(f"{name}: {shown}")


async def _setup(outside: Any, _: Any) -> dict[str, Any]:
    import asyncio

    _output.say("building and compiling the interpreter; this takes about half a minute", "dim")
    await asyncio.to_thread(outside.build_interpreter)
    return {"interpreter": "ready", **outside.code_sandbox("T2").describe()}


async def _new(outside: Any, args: Any) -> dict[str, Any]:
    folder = args.folder or args.id
    made = outside.plugins.scaffold(folder, args.id, args.language)
    if args.language == "javascript":
        _output.say("next: npm install in the folder, then remit plugin build", "dim")
    return {"folder": folder, "files": list(made)}


async def _key(outside: Any, args: Any) -> dict[str, Any]:
    return {"public_key": outside.plugins.new_key(args.file), "file": args.file}


async def _build(outside: Any, args: Any) -> dict[str, Any]:
    import asyncio

    _output.say("building; about ten seconds", "dim")
    manifest, path = await asyncio.to_thread(outside.plugins.build, args.folder, args.key)
    if not args.key:
        _output.say("it is not signed; others can install it only when you name a key file: --key FILE", "yellow")
    return {"package": path, "id": manifest.id, "version": manifest.version, "digest": manifest.digest}


async def _test(outside: Any, args: Any) -> dict[str, Any]:
    import msgspec

    try:
        arguments = msgspec.json.decode(args.arguments, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid("usage_invalid", f"the arguments are no JSON object: {error}"[:300]) from None
    _output.say("building and compiling; about half a minute", "dim")
    tool = await outside.plugins.draft_tool(args.folder, args.tool, tuple(args.allow))
    return {"tool": tool.name, "result": await call_tool("plugin-test", tool, arguments, args.allow)}


async def _verify(outside: Any, args: Any) -> dict[str, Any]:
    if args.file in outside.plugins.store.ids():
        shown: dict[str, Any] = outside.plugins.dry_run(args.file)
        return {"intact": True, "id": shown["id"], "version": shown["version"], "signer": shown["key"] or "unsigned"}
    manifest, signer = await outside.plugins.check_file(args.file, args.key, args.unsigned)
    return {"intact": True, "id": manifest.id, "version": manifest.version, "signer": signer or "unsigned",
            "imports": list(manifest.imports), "asks_for": list(manifest.grants)}  # fmt: skip


async def _install(outside: Any, args: Any) -> dict[str, Any]:
    _output.say("checking and compiling", "dim")
    done = await outside.plugins.install(
        args.file, key=args.key, unsigned=args.unsigned, grants=tuple(dict.fromkeys(args.allow))
    )
    found: dict[str, Any] = outside.plugins.dry_run(done.id)
    left = sorted(set(found["asks_for"]) - set(found["granted"]))
    if left:
        _output.say(f"asked for and not granted: {', '.join(left)}", "yellow")
    return found


async def _list(outside: Any, _: Any) -> dict[str, Any]:
    from remit.errors import RemitError

    rows = []
    for plugin in outside.plugins.store.ids():
        try:
            found = outside.plugins.dry_run(plugin)
            names = ", ".join(tool["name"] for tool in found["tools"])
            signer = found["key"] or "unsigned"
            rows.append({"id": plugin, "version": found["version"], "signer": signer, "tools": names, "problem": ""})
        except RemitError as error:
            rows.append({"id": plugin, "version": "?", "signer": "?", "tools": "", "problem": str(error)})
    return {"plugins": rows}


async def _show_one(outside: Any, args: Any) -> dict[str, Any]:
    found: dict[str, Any] = outside.plugins.dry_run(args.id)
    return found


async def _remove(outside: Any, args: Any) -> dict[str, Any]:
    outside.plugins.store.remove(args.id)
    return {"removed": args.id}


ACTIONS: Final[dict[str, Callable[[Any, Any], Awaitable[dict[str, Any]]]]] = {
    "setup": _setup,
    "new": _new,
    "key": _key,
    "build": _build,
    "test": _test,
    "verify": _verify,
    "install": _install,
    "list": _list,
    "show": _show_one,
    "remove": _remove,
}
