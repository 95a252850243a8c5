"""Run a task, or go on with a run.

The task is done by one agent with the built-in tools that its grants reach. With --json every journal event is
one line, then one line of type `result` ends the output, also when the run could not start.
"""

from __future__ import annotations

from typing import Any


def add(parser: Any) -> None:
    """The flags."""
    parser.add_argument("task", nargs="?", metavar="TASK", help="what to do")
    parser.add_argument("--workspace", metavar="DIR", default=".", help="the folder to work in (default: this one)")
    parser.add_argument("--model", metavar="M", help="provider:model, for example openai:gpt-4o-mini")
    parser.add_argument("--base-url", metavar="URL", help="address of the model's API, version prefix included")
    parser.add_argument("--allow", metavar="GRANT", action="append", help="a grant, as fs.read:src/** (repeat)")
    parser.add_argument("--deny", metavar="GRANT", action="append", help="a denial; it beats every grant (repeat)")
    parser.add_argument("--token", metavar="FILE", help="a token that the run stays within (REMIT_TOKEN), - = a pipe")
    parser.add_argument("--token-key", metavar="FILE", help="its holder's private key (REMIT_TOKEN_KEY), - = a pipe")
    parser.add_argument("--budget-usd", metavar="X", type=float, help="most that the run may cost, in US dollars")
    parser.add_argument("--deadline-s", metavar="N", type=float, help="seconds for the whole run, waits included")
    parser.add_argument("--max-turns", metavar="N", type=int, help="model turns at most (default: 10)")
    parser.add_argument("--instructions", metavar="TEXT", help="the system prompt")
    parser.add_argument("--tools", metavar="A,B", help="tools to offer (default: all that the grants reach)")
    parser.add_argument("--subject", metavar="NAME", help="whose data it is: `remit vault keys erase NAME`")
    parser.add_argument("--resume", metavar="RUN", help="go on with this run: an id, its beginning, or last")
    parser.add_argument(
        "--break",
        dest="break_at",
        metavar="PATTERN",
        action="append",
        default=[],
        help="with --resume: park before an effect of this key or name",
    )
    parser.add_argument("--step", metavar="N", type=int, help="with --resume: park after N new effects")
    parser.add_argument("--pool", metavar="POOL", help="leave the run to the workers of POOL; prints its id and ends")
    parser.add_argument("--journal", metavar="SPEC", help="sqlite:PATH, memory: or postgres://...")
    parser.add_argument("--json", action="store_true", help="NDJSON events on stdout, then one result line")


def run(args: Any) -> int:
    """Start or resume; the exit code says how it ended."""
    from remit.cli._run import start

    return start(args)
