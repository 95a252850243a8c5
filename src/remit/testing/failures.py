"""The error of a double whose test and program disagree: both sides, in one message."""

from __future__ import annotations

from remit.core.model import ModelRequest
from remit.errors import ModelError
from remit.testing.answers import said


def script_error(name: str, expected: str, request: ModelRequest) -> ModelError:
    """model_script with what the script expects and what was asked; never retried."""
    return ModelError(
        "model_script",
        f"{name}: the script expects {expected}; the request has {_shown(request)}",
        retryable=False,
    )


def function_failed(name: str, error: BaseException) -> ModelError:
    """model_script for a function that raised."""
    return ModelError("model_script", f"{name} raised {type(error).__name__}: {str(error)[:500]}", retryable=False)


def _shown(request: ModelRequest) -> str:
    tools = ", ".join(tool.name for tool in request.tools) or "none"
    if not request.messages:
        return f"no messages, tools: {tools}"
    last = request.messages[-1]
    return f"{len(request.messages)} messages, the last ({last.role}) says {said(last)[:300]!r}, tools: {tools}"
