"""Show the configuration, trust a project's remit.toml, print the schema.

`show` prints every value (with --origin: and where it came from); `trust PATH` lets exactly the present content
of a project's remit.toml widen; `schema` prints the JSON Schema of the file.
"""

from __future__ import annotations

from typing import Any


def add(parser: Any) -> None:
    """The flags."""
    actions = parser.add_subparsers(dest="action", metavar="show|trust|schema", required=True)
    show = actions.add_parser("show", help="every effective value", allow_abbrev=False)
    show.add_argument("--origin", action="store_true", help="with the place each value comes from")
    show.add_argument("--workspace", metavar="DIR", default=".", help="the project's folder (default: this one)")
    show.add_argument("--json", action="store_true", help="one line a value, then one result line")
    trust = actions.add_parser("trust", help="trust a project's remit.toml as it is now", allow_abbrev=False)
    trust.add_argument("path", metavar="PATH", help="the file, or its folder")
    trust.add_argument("--json", action="store_true", help="one result line on stdout")
    schema = actions.add_parser("schema", help="the JSON Schema of remit.toml", allow_abbrev=False)
    schema.add_argument("--json", action="store_true", help="the same: the schema is JSON")


def run(args: Any) -> int:
    """Do what was asked."""
    match args.action:
        case "show":
            return _show(args)
        case "trust":
            return _trust(args)
        case _:
            return _schema()


def _show(args: Any) -> int:
    import msgspec

    from remit.cli import _output
    from remit.config import load

    settings = load(args.workspace)
    for key, setting in sorted(settings.values.items()):
        value = msgspec.to_builtins(setting.value)
        if args.json:
            _output.json_line({"key": key, "value": value, "origin": setting.origin})
        else:
            text = msgspec.json.encode(value).decode()
            _output.data(f"{key} = {text}" + (f"  # {setting.origin}" if args.origin else ""))
    untrusted = f"{settings.project} is not trusted"
    if settings.narrowed is not None:
        _output.say(f"{untrusted}: its grants only narrow: {', '.join(settings.narrowed) or 'nothing'}")
    if settings.refused:
        _output.say(f"{untrusted}: it may not set {', '.join(settings.refused)}; runs here are refused")
        _output.say(f"hint: read the file, then trust exactly it: remit config trust {settings.project}")
    if args.json:
        _output.json_line({"type": "result", "status": "ok", "refused": list(settings.refused),
                           "narrowed": settings.narrowed})  # fmt: skip
    return 0


def _trust(args: Any) -> int:
    import os

    from remit.cli import _output
    from remit.config import FILE_NAME, place_of, trust

    path = os.path.join(args.path, FILE_NAME) if os.path.isdir(args.path) else args.path
    digest = trust(path)
    if args.json:
        _output.json_line({"type": "result", "status": "ok", "path": place_of(path), "sha256": digest})
    else:
        _output.data(f"trusted: {place_of(path)} sha256:{digest}")
        _output.say("Any change of the file ends the trust.")
    return 0


def _schema() -> int:
    import msgspec

    from remit.cli import _output
    from remit.config import schema

    _output.data(msgspec.json.format(msgspec.json.encode(schema()), indent=2).decode())
    return 0
