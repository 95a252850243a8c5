"""Checks of what goes into a code sandbox and bounds of what comes out, for T1 and T2 alike."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from typing import Any, Final, get_args

import msgspec

from remit.adapters.sandboxes.worker_process import Ended
from remit.errors import Invalid, Unavailable
from remit.ports.code_sandbox import MAX_CODE_BYTES, MAX_JSON_BYTES, CodeJob, CodeResult, Killed

MAX_TIMEOUT_S: Final = 3_600
MIN_MEMORY_BYTES: Final = 1024 * 1024
MAX_MEMORY_BYTES: Final = 256 * 1024 * 1024
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def check_code(job: CodeJob) -> None:
    """Raises value_invalid for a job that no engine should see."""
    try:
        size = len(job.code.encode())
    except UnicodeEncodeError:
        raise Invalid("value_invalid", "the code is not UTF-8") from None
    if not 0 < size <= MAX_CODE_BYTES or "\0" in job.code:
        raise Invalid("value_invalid", f"code is 1 to {MAX_CODE_BYTES} bytes without null bytes")
    bad = [name for name in (*job.inputs, *job.calls) if not _NAME.fullmatch(name) or name.startswith("__")]
    if bad:
        raise Invalid("value_invalid", f"{bad[0][:80]!r} is no name for an input or a function")
    try:
        size = len(msgspec.json.encode(job.inputs))
    except (TypeError, ValueError, RecursionError) as error:
        raise Invalid("value_invalid", f"the inputs are no JSON: {str(error)[:200]}") from None
    if size > MAX_JSON_BYTES:
        raise Invalid("value_invalid", f"the inputs have {size} bytes; at most {MAX_JSON_BYTES}")
    check_bounds(job.timeout_s, job.max_memory_bytes, job.max_output_bytes)


def check_bounds(timeout_s: float, memory_bytes: int, output_bytes: int) -> None:
    """Raises value_invalid for limits that are none."""
    if not 0 < timeout_s <= MAX_TIMEOUT_S:
        raise Invalid("value_invalid", f"timeout_s must be in (0, {MAX_TIMEOUT_S}]")
    if not MIN_MEMORY_BYTES <= memory_bytes <= MAX_MEMORY_BYTES:
        raise Invalid("value_invalid", f"max_memory_bytes is {MIN_MEMORY_BYTES} to {MAX_MEMORY_BYTES}")
    if not 0 <= output_bytes <= MAX_JSON_BYTES // 4:
        raise Invalid("value_invalid", f"max_output_bytes is 0 to {MAX_JSON_BYTES // 4}")


def result_of(ended: Ended, duration_ms: int) -> CodeResult:
    """The port's result of an engine's account."""
    killed: Any = ended.killed if ended.killed in get_args(Killed) else "crash"
    reasons = {
        "timeout": "the deadline is over",
        "memory": "the memory limit is reached",
        "fuel": "the work limit is reached",
        "crash": "the sandbox's worker ended",
    }
    return CodeResult(
        None if killed else ended.value,
        ended.output,
        ended.error or reasons.get(killed, ""),
        killed,
        ended.cut,
        duration_ms,
    )


def search_paths(package: str) -> list[str]:
    """The folder that holds an engine's package; raises sandbox_missing. The package itself is not imported."""
    spec = find_spec(package)
    if spec is None or not spec.origin:
        raise Unavailable(
            "sandbox_missing", f"the package {package} is not installed", hint="Install it: pip install 'remit[wasm]'",
            retryable=False,
        )  # fmt: skip
    return [os.path.dirname(os.path.dirname(os.path.abspath(spec.origin)))]
