"""The command line. A verb is a file in this folder: docstring = help, `add(parser)` = flags, `run(args)` = work.

Data goes to stdout, words for people to stderr, errors and hints are rendered here and nowhere else.
The folder is the registry (names that begin with `_` are no verbs). A verb's module imports what is
heavy inside `run`, so that help stays fast; the overview needs no argparse at all.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any, Final

from remit.errors import InternalError, Invalid, RemitError, Unavailable

EXIT_OF_FAMILY: Final[dict[str, int]] = {
    "Invalid": 2,
    "Denied": 3,
    "Exhausted": 4,
    "Unavailable": 5,
    "ModelError": 5,
    "Conflict": 6,
    "InternalError": 7,
}
EXIT_WAITING: Final = 8
EXIT_CANCELLED: Final = 130
EXIT_PIPE: Final = 141  # 128 + SIGPIPE
EXITS: Final = """exit codes:
  0 ok   1 failed   2 usage or configuration   3 denied   4 exhausted   5 unavailable, model
  6 conflict, broken chain   7 defect of remit   8 waiting for a person   130 cancelled"""


STARTED_HERE: Final[list[bool]] = []
"""not empty = this process is a `remit` command, and a verb may end it; empty = somebody called `main([...])`"""


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns its exit code. Never raises for what a person or the outside did."""
    args = list(sys.argv[1:] if argv is None else argv)
    if argv is None:
        STARTED_HERE.append(True)
    _fill_streams()
    try:
        code = _dispatch(args)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return EXIT_CANCELLED
    except RemitError as e:
        return _report(e, args)
    except OSError as e:
        return _broken_pipe() if isinstance(e, BrokenPipeError) else _report(_as_unavailable(e), args)
    except Exception as e:  # a defect: people get a code and a report line, never a bare traceback
        if os.environ.get("REMIT_DEBUG"):
            raise
        return _report(InternalError("internal", f"{type(e).__name__}: {e}"), args)


def verbs() -> tuple[str, ...]:
    """Every verb, sorted."""
    files = [name[:-3] for name in os.listdir(os.path.dirname(__file__)) if name.endswith(".py")]
    return tuple(sorted(name for name in files if not name.startswith("_")))


def exit_of(status: str, error: RemitError | None = None) -> int:
    """The exit code of a run's status, or of its error's family."""
    if status == "ok":
        return 0
    if status == "waiting":
        return EXIT_WAITING
    if status == "cancelled":
        return EXIT_CANCELLED
    return EXIT_OF_FAMILY[error.family] if error is not None else 1


def _fill_streams() -> None:
    """Put the null device where stdin, stdout or stderr were closed before the start.

    Else the event loop's own descriptors would take their numbers: libuv refuses to close those below 3.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < 3:
        pass
    os.close(descriptor)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))


def _dispatch(args: list[str]) -> int:
    for text in args:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise Invalid("usage_invalid", "an argument is not UTF-8") from None
    if not args or args[0] in ("-h", "--help", "help"):
        sys.stdout.write(_overview())
        return 0
    if args[0] == "--version":
        from remit import __version__

        sys.stdout.write(f"remit {__version__}\n")
        return 0
    verb = args[0]
    if verb.startswith("_") or verb not in verbs():
        raise _unknown_verb(verb)
    module = import_module(f"remit.cli.{verb}")
    parser = _parser_of(module, verb)
    try:
        parsed = parser.parse_args(args[1:])
    except SystemExit as e:  # --help has been printed
        return int(e.code or 0)
    code: int = module.run(parsed)
    return code


def _parser_of(module: Any, verb: str) -> Any:
    import argparse

    class Parser(argparse.ArgumentParser):
        """Reports like everything else: with a code and a hint, on stderr."""

        def error(self, message: str) -> Any:
            raise Invalid("usage_invalid", f"{self.prog}: {message}", hint=f"See: {self.prog} --help")

    parser = Parser(
        prog=f"remit {verb}",
        description=(module.__doc__ or "").strip(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add(parser)
    return parser


def _overview() -> str:
    lines = ["usage: remit VERB ...", "", "Agents that stay within what they were given.", "", "verbs:"]
    for verb in verbs():
        # Read, not imported: what a verb imports must not slow down the help of the others.
        with open(os.path.join(os.path.dirname(__file__), f"{verb}.py"), encoding="utf-8") as file:
            lines.append(f"  {verb:<11} {file.readline().strip().strip(chr(34))}")
    return "\n".join([*lines, "", EXITS, "", "More: remit VERB --help"]) + "\n"


def _unknown_verb(verb: str) -> Invalid:
    import difflib

    near = difflib.get_close_matches(verb, verbs(), 1, 0.5)
    hint = f"Did you mean: remit {near[0]}" if near else "See: remit --help"
    return Invalid("usage_invalid", f"there is no verb {verb!r:.60}", hint=hint)


def _report(error: RemitError, args: list[str]) -> int:
    """Show an error: words on stderr, and with --json the result line on stdout."""
    from remit.cli import _output

    _output.say_error(error)
    if "--json" in args:
        result: dict[str, Any] = {"type": "result", "status": "failed", "error": error.for_user()}
        if args[0] == "run":
            from remit.cli._result import failed_result

            result = failed_result(error)
        try:
            _output.json_line(result)
            sys.stdout.flush()
        except BrokenPipeError:
            _broken_pipe()
        except OSError:
            return EXIT_OF_FAMILY[error.family]  # stdout itself is what failed
    return EXIT_OF_FAMILY[error.family]


def _as_unavailable(e: OSError) -> RemitError:
    what = f"{e.strerror or e}" + (f": {e.filename}" if e.filename else "")
    return Unavailable("disk_failed", what, hint="Free disk space or correct the path, then try again.")


def _broken_pipe() -> int:
    """The reader of stdout is gone: nothing more can be said there, and the interpreter must not try at its end."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        pass  # stdout is not a file (a test's own stream)
    return EXIT_PIPE
