"""Prove what happened: verify the log, prove a record, export, follow, rotate.

`remit audit verify` checks the signed log, the hash chain of every run (or of RUN) and what is kept beside them. Exit
code 0: intact; 6: every problem is printed. `proof` and `export --format bundle` are checked without remit by the one
file that `remit audit verifier` prints; they need nothing but python3 and the public key (`remit audit key`).
`rotate` drops the content of old runs; the proofs stay.
"""

from __future__ import annotations

from typing import Any

FORMATS = ("jsonl", "csv", "ocsf", "cef", "bundle")


def add(parser: Any) -> None:
    """The flags."""
    names = "verify|proof|export|tail|rotate|key|verifier"
    actions = parser.add_subparsers(dest="action", metavar=names, required=True)

    def action(name: str, text: str, *, journal: bool = True) -> Any:
        added = actions.add_parser(name, help=text, description=text, allow_abbrev=False)
        if journal:
            added.add_argument("--journal", metavar="SPEC", help="sqlite:PATH")
        return added

    verify = action("verify", "check the log, the chains and what is kept beside them")
    verify.add_argument("run", metavar="RUN", nargs="?", default="", help="only this run: id, its beginning, or last")
    verify.add_argument("--key", action="append", metavar="KEY", help="trust this public key, not those kept here")
    verify.add_argument("--witness", metavar="FILE", help="compare with the checkpoints in this file")
    verify.add_argument("--json", action="store_true", help="one line a problem, then one result line")
    proof = action("proof", "prove one record, or that one checkpoint continues another; JSON")
    proof.add_argument("run", metavar="RUN", nargs="?", default="", help="an id, its beginning, or last")
    proof.add_argument("seq", metavar="SEQ", nargs="?", type=int, help="the record's number in the run")
    proof.add_argument("--between", nargs="+", type=int, metavar="SIZE", help="sizes of two checkpoints, or of one")
    export = action("export", "print every decision and outcome, or a bundle that can be verified elsewhere")
    export.add_argument("--format", choices=FORMATS, default="jsonl", help="default: jsonl")
    _add_filters(export)
    tail = action("tail", "print the newest decisions and outcomes")
    tail.add_argument("-f", "--follow", action="store_true", help="go on as they happen")
    tail.add_argument("-n", "--lines", type=int, default=10, metavar="N", help="at most N of the newest (default: 10)")
    tail.add_argument("--json", action="store_true", help="one JSON line each")
    tail.add_argument(
        "--to", action="append", metavar="SINK", help="send all to jsonl:FILE, sqlite:FILE or webhook:URL"
    )
    tail.add_argument("--alerts", action="store_true", help="print what somebody should look at, not every record")
    tail.add_argument("--level", default="info", help="with --to: info, warning, error or critical, and worse")
    tail.add_argument("--redact", action="append", metavar="FIELD", help="with --to: this field reads [redacted]")
    _add_filters(tail)
    rotate = action("rotate", "drop the content of runs that ended long ago; hashes and checkpoints stay")
    rotate.add_argument("--keep-days", type=float, required=True, metavar="N", help="keep runs that ended since then")
    rotate.add_argument("--archive", metavar="FILE", help="write what is dropped to this new file (gzip) before")
    rotate.add_argument("--dry-run", action="store_true", help="only say what would be dropped")
    rotate.add_argument("--json", action="store_true", help="one result line on stdout")
    key = action("key", "print the public keys that sign this log")
    key.add_argument("--json", action="store_true", help="one result line on stdout")
    action("verifier", "print the offline verifier, one file that needs only python3", journal=False)


def _add_filters(parser: Any) -> None:
    parser.add_argument("--run", metavar="RUN", default="", help="only this run: id, its beginning, or last")
    parser.add_argument("--since", metavar="WHEN", help="2026-01-31, 2026-01-31T12:00, or an age such as 2h or 7d")
    parser.add_argument("--kind", action="append", metavar="KIND", help="only this kind, such as tool_call or security")


def run(args: Any) -> int:
    """Do what the action says."""
    from remit.cli import _audit_records, _audit_verify
    from remit.cli._open import with_journal

    if args.action == "verifier":
        return _audit_verify.print_verifier()
    work = {
        "verify": _audit_verify.verify,
        "proof": _audit_verify.proof,
        "key": _audit_verify.key,
        "rotate": _audit_verify.rotate,
        "export": _audit_records.export,
        "tail": _audit_records.tail,
    }[args.action]
    return with_journal(args, lambda journal: work(journal, args))
