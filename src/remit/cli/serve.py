"""Serve runs to others over HTTP, and make the API keys that they need.

Listens on 127.0.0.1:42617 unless told otherwise; any other address needs TLS. Every request but /health needs an API
key, or a token of the issuer in [policy] token_issuer. A run gets what the server's remit.toml, its caller and the
request all grant. Without --pool this process carries the runs out: SIGTERM parks those under way, and the next start
goes on with them. With --pool they are left to `remit worker --pool POOL`.

  remit serve keys add ann --scope runs:write --scope runs:read
  remit serve
"""

from __future__ import annotations

from typing import Any


def add(parser: Any) -> None:
    """The flags."""
    from argparse import SUPPRESS

    parser.add_argument("--json", action="store_true", help="NDJSON on stdout: where it listens, then how it ended")
    parser.add_argument("--journal", metavar="SPEC", help="sqlite:PATH, memory: or postgres://...")
    parser.add_argument("--host", metavar="ADDRESS", default="127.0.0.1", help="a literal address (default: 127.0.0.1)")
    parser.add_argument("--port", metavar="N", type=int, default=42617, help="0 = any free one (default: 42617)")
    parser.add_argument("--workspace", metavar="DIR", default=".", help="the folder that runs work in (default: this)")
    parser.add_argument("--pool", metavar="POOL", default="", help="leave runs to the workers of POOL")
    parser.add_argument("--app", metavar="MODULE:NAME", help="the program's agents: a dict by name, or a list of them")
    parser.add_argument("--concurrency", metavar="N", type=int, default=100, help="runs at once (default: 100)")
    parser.add_argument("--tls-cert", metavar="FILE", help="certificate chain; replaces [gateway] tls_cert")
    parser.add_argument("--tls-key", metavar="FILE", help="its private key; replaces [gateway] tls_key")
    keys = parser.add_subparsers(dest="what", metavar="keys").add_parser(
        "keys", help="API keys", allow_abbrev=False,
        description="add NAME [--scope S] [--role R] [--allow GRANT] [--deny GRANT] [--days N]; list; revoke ID",
    )  # fmt: skip
    actions = keys.add_subparsers(dest="action", metavar="add|list|revoke", required=True)
    made = actions.add_parser("add", help="make a key; it is shown this once", allow_abbrev=False)
    made.add_argument("name", metavar="NAME", help="of the person: their runs are theirs, whichever key they use")
    made.add_argument("--scope", metavar="SCOPE", action="append", default=[],
                      help="runs:read, runs:write, runs:manage (others' runs, approvals), admin (repeat)")  # fmt: skip
    made.add_argument("--role", metavar="ROLE", action="append", default=[], help="default: developer (repeat)")
    made.add_argument("--allow", metavar="GRANT", action="append", help="grants of its runs; default: as the server's")
    made.add_argument("--deny", metavar="GRANT", action="append", default=[], help="denials of its runs (repeat)")
    made.add_argument("--days", metavar="N", type=float, help="until it expires; default: never")
    listed = actions.add_parser("list", help="every key, never a secret", allow_abbrev=False)
    ended = actions.add_parser("revoke", help="end a key", allow_abbrev=False)
    ended.add_argument("id", metavar="ID", help="as `keys list` prints it")
    for each in (made, listed, ended):
        each.add_argument("--json", action="store_true", default=SUPPRESS, help="one result line on stdout")


def run(args: Any) -> int:
    """Serve until a signal, or change keys."""
    if args.what == "keys":
        from remit.cli import _serve_keys

        return _serve_keys.run(args)
    from remit.cli import _serve

    return _serve.start(args)
