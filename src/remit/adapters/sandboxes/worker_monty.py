"""The pydantic-monty engine of a worker process (see worker.py): a restricted interpreter without an outside.

Monty has no imports of the machine, no files, no sockets: operating-system calls go to a handler, and there is none.
Its interpreter is a child of this process with a clean environment and the same limits; a fresh session serves each
request, and a child that died ends this process too (the filter forbids to start another one).

Source: pydantic-monty 1.4, ResourceLimits and OSPolicy.
"""

from __future__ import annotations

import json
from typing import Any

import pydantic_monty as monty
from remit_worker import Output  # type: ignore[import-not-found]  # the program itself, under a name of its own

# Exceptions that may cross into the sandbox with their own type; everything else becomes a RuntimeError there.
_SESSION_LIMITS = {"max_recursion_depth": 500, "max_suspensions": 2_000}


class Engine:
    """One interpreter process."""

    def __init__(self, first: dict[str, Any]) -> None:
        self._pool = monty.Monty(min_processes=1, max_processes=1, request_timeout=None, feed_duration_limit_grace=None)
        self._pool.__enter__()
        with self._pool.checkout() as session:
            session.feed_run("1")
        self.facts = {"engine": monty.__version__}

    def run(self, request: dict[str, Any], pipe: Any) -> dict[str, Any]:
        """Run one source in a fresh session."""
        output = Output(request["output"])
        found: dict[str, Any] = {"value": None, "error": "", "killed": ""}
        limits: Any = {
            **_SESSION_LIMITS,
            "max_feed_duration_secs": request["timeout_s"],
            "max_memory": request["memory"],
            "max_total_sleep_secs": request["timeout_s"],
        }
        try:
            with self._pool.checkout(limits=limits) as session:
                value = session.feed_run(
                    request["code"],
                    inputs=request["inputs"],
                    external_lookup={name: _lent(pipe, name) for name in request["calls"]},
                    print_callback=lambda _, text: output.add(text),
                )
                found["value"] = _as_json(value)
        except (monty.MontySyntaxError, monty.MontyRuntimeError, monty.MontyConversionError) as error:
            found["error"] = _shown(error)
            found["killed"] = _limit(error)
        return {**found, "output": "".join(output.parts), "cut": output.cut}


def _lent(pipe: Any, name: str) -> Any:
    def call(*arguments: Any) -> Any:
        good, text = pipe.ask(name, json.dumps([_as_json(each) for each in arguments]))
        if not good:
            raise RuntimeError(text)
        return json.loads(text)

    return call


def _shown(error: Any) -> str:
    display = getattr(error, "display", None)
    return str(display() if display is not None else error)[:16_000]


def _limit(error: Any) -> str:
    """The limit that ended the run, "" for an exception of the code itself."""
    text = str(error)
    if "time limit exceeded" in text or "sleep limit exceeded" in text:
        return "timeout"
    return "memory" if "memory limit exceeded" in text else ""


def _as_json(value: Any, depth: int = 0) -> Any:
    """`value` as JSON can hold it; else its repr."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else repr(value)
    if depth < 32 and isinstance(value, list | tuple):
        return [_as_json(each, depth + 1) for each in value]
    if depth < 32 and isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _as_json(each, depth + 1) for key, each in value.items()}
    return repr(value)[:10_000]
