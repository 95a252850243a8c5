"""shell: one program in the sandbox."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from remit.adapters.tools._argv import checked_argv, split_command
from remit.adapters.tools._text import clip, decoded, notes
from remit.core import needs as need
from remit.core.effects import Need
from remit.core.tools import tool
from remit.errors import Invalid
from remit.ports.sandbox import SandboxResult
from remit.ports.tool import Context

_MAX_STREAM_CHARS: Final = 24 * 1024
_MAX_HOSTS: Final = 16


def _argv(command: str = "", argv: list[str] | None = None) -> tuple[str, ...]:
    if bool(command) == bool(argv):
        raise Invalid("value_invalid", "give either command or argv")
    return checked_argv(argv) if argv else split_command(command)


def _needs(
    command: str = "", argv: list[str] | None = None, hosts: list[str] | None = None, **_: Any
) -> Sequence[Need]:
    named = hosts or []
    if len(named) > _MAX_HOSTS:
        raise Invalid("value_invalid", f"{len(named)} hosts; at most {_MAX_HOSTS}")
    return (need.shell(_argv(command, argv)), *(need.tunnel(host) for host in named))


@tool(effect="unsafe", returns="untrusted", builtin=True, verbs=("shell",), needs=_needs)
async def shell(  # a model names them
    ctx: Context[Any],
    command: str = "",
    argv: list[str] | None = None,
    cwd: str = ".",
    stdin: str = "",
    hosts: list[str] | None = None,
) -> str:
    """Run one program in a sandbox and return its exit code and output.

    There is no shell: no pipes, redirection, variables, wildcards or `;`. Quotes work. Give `command` or `argv`.
    The network is reached only through a proxy (http_proxy, https_proxy), and only where it is granted.

    Args:
        command: program and arguments as one line, for example git log -n 3
        argv: the same as a list, for arguments with special characters
        cwd: folder to run in, relative to the workspace
        stdin: text for the program's input
        hosts: HOST or HOST:PORT that the program will speak TLS with; name them when untrusted data was read before
    """
    result = await ctx.shell.run(_argv(command, argv), cwd=cwd, stdin=stdin.encode(errors="replace"), network=True)
    return shown(result)


def shown(result: SandboxResult) -> str:
    """Exit code, both outputs, and what was cut or killed."""
    out, out_note = decoded(result.stdout)
    err, err_note = decoded(result.stderr)
    parts = [f"exit code: {result.exit_code}"]
    if result.killed:
        parts[0] += f" (killed: {result.killed})"
    if out:
        parts.append(f"stdout:\n{_ends(clip(out, _MAX_STREAM_CHARS, 'ask for less output'), err)}")
    if err:
        parts.append(f"stderr:\n{clip(err, _MAX_STREAM_CHARS, 'ask for less output')}")
    if not out and not err:
        parts.append("[no output]")
    cut = f"[cut: {result.cut_bytes} bytes of output were dropped]" if result.cut_bytes else ""
    return "\n".join(parts).rstrip("\n") + notes(out_note or err_note, cut)


def _ends(text: str, following: str) -> str:
    return text.rstrip("\n") if following else text
