"""Write a commented remit.toml into a folder; an existing one is never touched."""

from __future__ import annotations

from typing import Any

TEMPLATE = """\
# remit.toml: what agents in this folder may do. `remit config show --origin` prints what is in force.
# Until it is trusted (`remit config trust .`) this file only narrows what the user's own settings and flags give;
# the keys marked with (trust) are refused before that.

[model]
# name = "openai:gpt-4o-mini"          # (trust) provider:model
# base_url = "http://127.0.0.1:8080/v1"  # (trust) any OpenAI-compatible server
# api_key = "env:OPENAI_API_KEY"       # (trust) a reference, env:NAME or file:PATH; never the key itself
# temperature = 0.7
# max_tokens = 4096                    # output tokens of one reply
# max_turns = 10                       # model turns of one run

[run]
# instructions = "You work on this code base."  # (trust)
# tools = ["read_file", "content_search"]       # default: all that the grants reach

[remit]
# allow = ["fs.read:**", "fs.write:out/**", "shell:git status"]
deny = ["fs.read:**/.env"]

[budget]
# usd = 0.50
# tokens = 200000
# tool_calls = 50
# seconds = 600

[limits]
# "tool:shell" = "10/60s"
# "model:*" = { calls = 60, period_s = 60, burst = 5, concurrent = 2 }

[journal]
# path = "runs.db"                     # (trust)
"""


def add(parser: Any) -> None:
    """The flags."""
    parser.add_argument("dir", metavar="DIR", nargs="?", default=".", help="the folder (default: this one)")
    parser.add_argument("--json", action="store_true", help="one result line on stdout")


def run(args: Any) -> int:
    """Write the file."""
    import os

    from remit.cli import _output
    from remit.config import FILE_NAME
    from remit.errors import Invalid

    path = os.path.join(args.dir, FILE_NAME)
    try:
        # O_EXCL: neither an existing file nor what a link points to is written.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    except FileExistsError:
        raise Invalid("usage_invalid", f"{path} exists; it is left as it is") from None
    except (FileNotFoundError, NotADirectoryError):
        raise Invalid("usage_invalid", f"{args.dir!r} is not a folder") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(TEMPLATE)
    if args.json:
        _output.json_line({"type": "result", "status": "ok", "path": path})
    else:
        _output.data(path)
        _output.say("Edit it, then: remit config show --origin")
    return 0
