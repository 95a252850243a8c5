"""The result line of `remit run --json`: one form for every end, also when no run began."""

from __future__ import annotations

from typing import Any

import msgspec

from remit.errors import RemitError


def run_result(run: Any) -> dict[str, Any]:
    """The line of a finished, waiting or failed run."""
    usage = run.usage
    return {
        "type": "result",
        "run_id": run.id,
        "status": run.status,
        "output": msgspec.to_builtins(run.output),
        "usage": {
            "input_tokens": usage.input_tokens,
            "cached_tokens": usage.cached_tokens,
            "output_tokens": usage.output_tokens,
            "reasoning_tokens": usage.reasoning_tokens,
            **({"estimated": True} if usage.estimated else {}),
        },
        "cost_usd": run.cost_usd,
        "tool_calls": run.tool_calls,
        "denied": run.denied,
        "error": None if run.error is None else run.error.for_user(),
    }


def failed_result(error: RemitError, run_id: str | None = None) -> dict[str, Any]:
    """The line of a run that could not start (run_id None), or whose journal failed."""
    return {
        "type": "result",
        "run_id": run_id,
        "status": "failed",
        "output": None,
        "usage": {"input_tokens": 0, "cached_tokens": 0, "output_tokens": 0, "reasoning_tokens": 0},
        "cost_usd": 0.0,
        "tool_calls": 0,
        "denied": 0,
        "error": error.for_user(),
    }
