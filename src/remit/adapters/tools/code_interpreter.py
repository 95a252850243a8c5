"""code_interpreter: Python that a model wrote, in a sandbox without files, network, processes or environment."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec

from remit.adapters.tools._text import clip, notes, tidy
from remit.core import needs as need
from remit.core.effects import Need
from remit.core.tools import tool
from remit.errors import Denied, Invalid
from remit.ports.code_sandbox import CodeResult
from remit.ports.tool import Context

_MAX_CHARS: Final = 24 * 1024
_MAX_FILES: Final = 20
_MAX_FILE_BYTES: Final = 1024 * 1024
_TIMEOUT_S: Final = 60.0


def _needs(code: str, files: list[str] | None = None, **_: Any) -> Sequence[Need]:
    if len(files or []) > _MAX_FILES:
        raise Invalid("value_invalid", f"{len(files or [])} files; at most {_MAX_FILES}")
    return (Need("tool", "code_interpreter"), *(need.fs_read(tidy(path)) for path in files or []))


@tool(effect="read", returns="untrusted", builtin=True, verbs=("tool",), needs=_needs, timeout_s=_TIMEOUT_S)
async def code_interpreter(
    ctx: Context[Any],
    code: str,
    tier: Literal["T1", "T2"] = "T2",
    files: list[str] | None = None,
    timeout_s: float = 10.0,
) -> str:
    """Run Python and return what it prints and the value of its last expression.

    T2 is CPython with the standard library's pure part; T1 is a small interpreter that starts faster and knows less.
    There are no files, no network, no processes, no packages and no state from one call to the next. The code calls
    `read_file(path)` for the text of a file that is named in `files`.

    Args:
        code: Python source
        tier: T2, or T1 for short glue code
        files: paths of text files that the code may read, up to 20 of 1 MiB
        timeout_s: seconds, up to 55
    """
    if not 0 < timeout_s <= _TIMEOUT_S - 5:
        raise Invalid("value_invalid", f"timeout_s is more than 0 and at most {_TIMEOUT_S - 5:g}")
    named = {tidy(path) for path in files or []}

    async def read_file(path: str) -> str:
        if type(path) is not str or tidy(path) not in named:
            raise Denied("path_denied", f"{str(path)[:100]!r} is not one of the call's files")
        raw = await asyncio.to_thread(ctx.files.read, tidy(path), 0, _MAX_FILE_BYTES)
        return raw.decode("utf-8", "replace")

    lend = {"read_file": read_file} if named else {}
    return shown(await ctx.code.run(code, tier=tier, lend=lend, timeout_s=timeout_s))


def shown(result: CodeResult) -> str:
    """Output, value and error, with what was cut."""
    parts = []
    if result.output:
        parts.append("output:\n" + clip(result.output, _MAX_CHARS, "print less").rstrip("\n"))
    if result.value is not None:
        value = result.value if isinstance(result.value, str) else msgspec.json.encode(result.value).decode()
        parts.append("value:\n" + clip(value, _MAX_CHARS, "return less"))
    if result.killed:
        parts.append(f"killed: {result.killed} ({result.error})" if result.error else f"killed: {result.killed}")
    elif result.error:
        parts.append("error:\n" + clip(result.error.rstrip("\n"), _MAX_CHARS, "see its last line"))
    cut = f"[cut: {result.cut_bytes} bytes of output were dropped]" if result.cut_bytes else ""
    return ("\n".join(parts) or "[no output, no value]") + notes(cut)
