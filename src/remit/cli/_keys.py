"""The flags of `remit vault keys`; the work is in _keys_steps.py, which imports what is heavy."""

from __future__ import annotations

from typing import Any


def add(actions: Any) -> None:
    """The flags of `keys`, added to the subparsers of a verb."""
    keys = actions.add_parser("keys", help="the key ring, encryption at rest, erasure", allow_abbrev=False)
    steps = keys.add_subparsers(
        dest="step", metavar="list|init|encrypt|decrypt|rotate|re-encrypt|erase|accept", required=True
    )
    lines = {
        "list": "data keys, their state, and what is encrypted",
        "init": "make a key file, when no key is given, and the key ring",
        "encrypt": "encrypt the journal file",
        "decrypt": "make the journal file plain again",
        "rotate": "new data keys; everything they protect is re-encrypted",
        "re-encrypt": "go on with an interrupted rotation",
        "erase": "destroy the key of a subject",
        "accept": "vouch for a key ring that looks put back",
    }
    for name, text in lines.items():
        step = steps.add_parser(name, help=text, allow_abbrev=False)
        step.add_argument("--json", action="store_true", help="one line a key, then one result line")
        step.add_argument("--journal", metavar="SPEC", help="sqlite:PATH; by default the user's own journal")
        if name == "rotate":
            step.add_argument(
                "purpose", nargs="?", default="", help="only this one, as journal, vault or store/subjects"
            )
            step.add_argument("--key", metavar="REF", help="wrap the ring with this key: env:NAME, file:PATH, ...")
        if name == "erase":
            step.add_argument("subject", metavar="SUBJECT", help="as given with --subject")
            step.add_argument("--yes", action="store_true", help="do not ask")
            step.add_argument("--rotate", action="store_true", help="also renew the key that seals all subject keys")


def run(args: Any) -> int:
    """Do one step."""
    from remit.cli._keys_steps import take

    return take(args)
