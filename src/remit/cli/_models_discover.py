"""look for model servers on this machine (Ollama, llama.cpp, LM Studio, vLLM, SGLang); loopback only

Each local provider's usual address is asked for its models, all at once, at most 2 s each. Every question is an effect
of one run, with a grant of exactly its address: denials and policies of the user's configuration stand against it, and
the journal holds it. An address from the environment that leads elsewhere is named, and nothing is sent there.
"""

from __future__ import annotations

from typing import Any, Final

PROBE_S: Final = 2.0
MAX_MODELS: Final = 200  # that are shown of one server
MAX_NAME_CHARS: Final = 200
_NOBODY: Final = ("network_failed", "tool_timeout", "deadline_exceeded")


def add(parser: Any) -> None:
    """The flag of the journal."""
    parser.add_argument("--journal", metavar="SPEC", help="sqlite:PATH or postgres://...; by default the user's own")


def run(args: Any) -> int:
    """A line a local provider: running, absent, not local, refused or unknown, and its models."""
    import os

    from remit.cli import _output
    from remit.cli._open import open_ruled, settings_here
    from remit.ports.stream import run_loop

    settings = settings_here(args).check()

    async def main() -> list[dict[str, Any]]:
        async with open_ruled(settings) as runtime:
            return await discover(runtime.outside.provider_rows(os.environ))

    rows = run_loop(main())
    if args.json:
        _output.json_line({"type": "result", "status": "ok", "servers": rows})
        return 0
    shown = [[row["provider"], row["state"], row["address"], ", ".join(row["models"][:8]) or "-"] for row in rows]
    _output.table(["PROVIDER", "STATE", "ADDRESS", "MODELS"], shown)
    return 0


async def discover(providers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row (provider, address, state, models) for every local one of `provider_rows`."""
    from remit.cli._one_call import call_tools

    local = [row for row in providers if row["local"]]
    urls = list(dict.fromkeys(row["models_url"] for row in local if row["models_url"]))
    said = await call_tools("models-discover", _probe(), [{"url": url} for url in urls], [f"net:GET {u}" for u in urls])
    found = dict(zip(urls, map(_read, said), strict=True))
    rows = []
    for row in local:
        elsewhere = "not local" if "://" in row["address"] else f"unknown {row['address'][:80]}"
        state, models = found.get(row["models_url"], (elsewhere, []))
        rows.append({"provider": row["name"], "address": row["address"], "state": state, "models": models})
    return rows


def _probe() -> Any:
    """The tool that asks one server for its models; it needs the grant of exactly this request."""
    from remit.core.needs import net
    from remit.core.tools import tool
    from remit.ports.tool import Context

    @tool(effect="read", returns="untrusted", builtin=True, verbs=("net",), timeout_s=PROBE_S,
          needs=lambda url: (net("GET", url),))  # fmt: skip
    async def list_models(ctx: Context[Any], url: str) -> str:
        """Ask a model server for the names of its models."""
        import msgspec

        reply = await ctx.http.fetch("GET", url, headers={"accept": "application/json"})
        return msgspec.json.encode(_heard(reply.status, reply.body)).decode()

    return list_models


def _heard(status: int, body: bytes) -> tuple[str, list[str]]:
    """(state, models) of an answer."""
    from remit.errors import RemitError
    from remit.wire import model_lists

    if status in (401, 403):
        return "running (wants a key)", []
    if status != 200:
        return f"unknown (HTTP {status})", []
    try:
        names = model_lists.decode(body)
    except RemitError:
        return "unknown (something else answers there)", []
    return "running", [name[:MAX_NAME_CHARS] for name in names if name.isprintable()][:MAX_MODELS]


def _read(said: Any) -> tuple[str, list[str]]:
    """(state, models) of a call's outcome."""
    import msgspec

    from remit.errors import Denied

    if isinstance(said, str):
        return msgspec.json.decode(said, type=tuple[str, list[str]])
    if said.code in _NOBODY:
        return "absent", []
    return f"{'refused' if isinstance(said, Denied) else 'unknown'} ({said.code})", []
