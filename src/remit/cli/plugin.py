"""Make, check and install plugins: WebAssembly components that reach only what is granted.

An author: `new ID`, `key FILE`, `build FOLDER --key FILE`, `test FOLDER TOOL ARGUMENTS`. A user: `verify FILE`,
`install FILE --key PUBLIC-KEY --allow GRANT`, `list`, `show ID` (what it would be given), `remove ID`. `setup` builds
tier T2's Python interpreter once, from componentize-py.
"""

from __future__ import annotations

from typing import Any


def add(parser: Any) -> None:
    """The flags."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, text: str) -> Any:
        made = actions.add_parser(name, help=text, description=text, allow_abbrev=False)
        made.add_argument("--json", action="store_true", help="one result line on stdout")
        return made

    action("setup", "build the Python interpreter of tier T2; about half a minute, once")
    new = action("new", "write the files of a new plugin")
    new.add_argument("id", metavar="ID", help="[a-z][a-z0-9_]*, at most 31 characters")
    new.add_argument("--language", choices=("python", "javascript"), default="python")
    new.add_argument("--folder", metavar="DIR", default="", help="default: a new folder named ID")
    key = action("key", "make a signing key; prints its public half")
    key.add_argument("file", metavar="FILE", help="where the private half goes; nothing is written over")
    build = action("build", "build FOLDER and write ID-VERSION.rplugin beside it")
    build.add_argument("folder", metavar="FOLDER")
    build.add_argument("--key", metavar="FILE", default="", help="sign with this key file")
    test = action("test", "build FOLDER and run one of its tools in the sandbox")
    test.add_argument("folder", metavar="FOLDER")
    test.add_argument("tool", metavar="TOOL")
    test.add_argument("arguments", metavar="JSON", nargs="?", default="{}")
    test.add_argument("--allow", metavar="GRANT", action="append", default=[], help="fs.read:... or net:...")
    for name, text in (("verify", "check a package, or an installed plugin by its id"),
                       ("install", "check a package and install it")):  # fmt: skip
        made = action(name, text)
        made.add_argument("file", metavar="FILE")
        made.add_argument("--key", metavar="PUBLIC-KEY", default="", help="trust this signer, 64 hex digits")
        made.add_argument("--unsigned", action="store_true", help="for your own work in progress only")
        if name == "install":
            made.add_argument("--allow", metavar="GRANT", action="append", default=[], help="of what it asks for")
    action("list", "installed plugins and their tools")
    for name, text in (("show", "dry run: what a plugin would be given"), ("remove", "take a plugin away")):
        action(name, text).add_argument("id", metavar="ID")


def run(args: Any) -> int:
    """Do it."""
    from remit.cli import _plugin

    return _plugin.run(args)
