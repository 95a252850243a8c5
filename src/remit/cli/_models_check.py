"""ask one model for one word, whole and streamed: key, address, name and price in one go

Both calls pass the gate under the user's policies, limits and caps; the journal and `remit cost` hold them.
"""

from __future__ import annotations

from typing import Any


def add(parser: Any) -> None:
    """The flags."""
    parser.add_argument("model", metavar="PROVIDER:MODEL")
    parser.add_argument("--base-url", metavar="URL", default="", help="instead of the provider's own")
    parser.add_argument("--journal", metavar="SPEC", help="sqlite:PATH or postgres://...; by default the user's own")


def run(args: Any) -> int:
    """Ask, and say what came; an error is reported as everywhere."""
    from remit.cli import _output
    from remit.cli._open import settings_here
    from remit.ports.stream import run_loop

    found = run_loop(_ask(args.model, args.base_url, settings_here(args).check()))
    if args.json:
        _output.json_line({"type": "result", "status": "ok", **found})
        return 0
    cost = _output.money(found["cost_nano"])
    _output.data(f"{args.model}: ok, {found['answer']!r}")
    _output.data(f"model named by the provider: {found['model'] or 'not said'}")
    _output.data(
        f"tokens: {found['input_tokens']} in, {found['output_tokens']} out; {cost}; streamed: {found['streamed']}"
    )
    return 0


async def _ask(name: str, base_url: str, given: Any) -> dict[str, Any]:
    from remit.cli._open import open_ruled
    from remit.core.model import Settings, StreamEnd
    from remit.models.handle import model
    from remit.models.prices import price_nano

    asked = "Answer with the one word: ready"
    settings = Settings(max_tokens=64)
    async with open_ruled(given):
        handle = model(name, base_url=base_url)
        whole = await handle.request(asked, settings=settings)
        streamed = None
        async with handle.stream(asked, settings=settings) as stream:
            async for event in stream:
                streamed = event.reply if type(event) is StreamEnd else streamed
    provider, _, named = name.partition(":")
    usage = whole.usage if streamed is None else whole.usage + streamed.usage
    return {
        "answer": whole.text[:200],
        "model": whole.model,
        "stop_reason": whole.stop_reason,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost_nano": price_nano(provider, named, usage),
        "streamed": streamed is not None,
    }
