"""look for model servers on this machine (Ollama, llama.cpp, LM Studio, vLLM, SGLang); loopback only"""

from __future__ import annotations

from typing import Any


def add(parser: Any) -> None:
    """The flags: none beside --json."""
    del parser


def run(args: Any) -> int:
    """Ask each local provider's usual address for its models, at most 2 s each, all at once."""
    from remit.cli import _output
    from remit.ports.stream import run_loop
    from remit.runtime import Adapters

    rows = run_loop(_find(Adapters()))
    if args.json:
        _output.json_line({"type": "result", "status": "ok", "servers": rows})
        return 0
    shown = [[row["provider"], row["state"], row["address"], ", ".join(row["models"][:8]) or "-"] for row in rows]
    _output.table(["PROVIDER", "STATE", "ADDRESS", "MODELS"], shown)
    return 0


async def _find(outside: Any) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = await outside.local_servers()
        return found
    finally:
        await outside.aclose()
