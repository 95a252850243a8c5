"""`remit vault keys`: the key ring and what it encrypts. Keys are named by their ids; no key is ever shown.

list          the data keys, their state, and what is encrypted
init          make a key file (unless a key is given elsewhere) and the key ring
encrypt       encrypt the journal file; decrypt: make it plain again
rotate        new data keys; what they protect is re-encrypted; --key: another key-encryption key
re-encrypt    go on with a rotation that was interrupted
erase         destroy the key of a subject: the contents of its runs cannot be read again
accept        vouch for a key ring that was restored from a backup
"""

from __future__ import annotations

import os
from typing import Any, Final

from remit.cli import _output
from remit.cli._open import journal_spec
from remit.config import Settings, config_folder, load, state_folder
from remit.core.sections import EncryptionSection
from remit.errors import Invalid
from remit.guard.keys import KeyRing
from remit.guard.keys_open import JOURNAL, open_ring
from remit.guard.keys_sources import KEY_FILE, find_source, new_key_file
from remit.guard.stores import EncryptedStore

STORE: Final = "store/"
VAULT: Final = "vault"
TOLD_EVERY: Final = 0.5
"""seconds between two lines of progress"""


def take(args: Any) -> int:
    """Do the step that `args.step` names."""
    settings = load(os.getcwd(), {"journal.path": args.journal})
    section = settings.encryption
    if args.step == "init":
        make_key_file(section)
    ask = _ask(twice=args.step == "init")
    ring = open_ring(section, os.environ, ask=ask, create=args.step == "init", accept=args.step == "accept")
    try:
        result = _STEPS[args.step](args, settings, ring)
    finally:
        ring.close()
    if args.json:
        _output.json_line({"type": "result", "status": "ok", "step": args.step, **result})
    return 0


def make_key_file(section: EncryptionSection) -> None:
    """A key file in the configuration folder, when nothing else gives a key."""
    folder = str(config_folder())
    reference = section.key or ""
    path = reference.removeprefix("file:") if reference.startswith("file:") else os.path.join(folder, KEY_FILE)
    try:
        find_source(reference, {}, os.environ, folder, lambda _: "").close()
    except Invalid as error:
        if error.code != "key_missing" or os.path.lexists(path) or reference.partition(":")[0] not in ("", "file"):
            return  # opening the ring says what is wrong
        new_key_file(path)
        _output.say(f"A new key is in {path} (mode 0600). Keep a copy elsewhere: without it nothing can be read.")


def _list(args: Any, settings: Settings, ring: KeyRing) -> dict[str, Any]:
    from msgspec import structs

    from remit.journal.encrypted import is_encrypted

    rows = sorted(ring.listing(), key=lambda key: (key.purpose, key.state))
    if args.json:
        for key in rows:
            _output.json_line({"type": "key", **structs.asdict(key)})
    else:
        _output.table(("PURPOSE", "KEY", "STATE", "ALGORITHM"), [(k.purpose, k.id, k.state, k.algorithm) for k in rows])
    path = _journal_path(settings)
    encrypted = is_encrypted(path)
    _say(args, f"journal {path}: {'none yet' if encrypted is None else 'encrypted' if encrypted else 'plain'}")
    _say(args, f"key-encryption key {ring.source_id}, key ring generation {ring.generation}")
    return {"keys": len(rows), "journal_encrypted": encrypted, "generation": ring.generation, "source": ring.source_id}


def _init(args: Any, settings: Settings, ring: KeyRing) -> dict[str, Any]:
    _say(args, f"key ring ready: generation {ring.generation}, key-encryption key {ring.source_id}")
    if settings.encryption.mode == "off":
        _say(args, 'Encryption is off; to turn it on: [encryption] mode = "encrypted" in your remit.toml')
    return {"generation": ring.generation, "source": ring.source_id}


def _encrypt(args: Any, settings: Settings, ring: KeyRing) -> dict[str, Any]:
    return _convert(args, settings, ring, encrypt=True)


def _decrypt(args: Any, settings: Settings, ring: KeyRing) -> dict[str, Any]:
    return _convert(args, settings, ring, encrypt=False)


def _convert(args: Any, settings: Settings, ring: KeyRing, *, encrypt: bool) -> dict[str, Any]:
    """Bring the journal file under the ring's active key, or out of encryption."""
    from remit.journal.encrypted import choose_key, convert, is_encrypted

    path = _journal_path(settings)
    found = is_encrypted(path)
    keys = ring.keys(JOURNAL)
    if found is None:
        _say(args, f"{path}: there is no journal yet")
        return {"rows": 0}
    old = choose_key(path, keys, 2000) if found else None
    new = keys[0] if encrypt else None
    if old == new:
        _say(args, f"{path} is {'encrypted with the active key' if encrypt else 'plain'} already")
        return {"rows": 0}
    rows = convert(path, old, new, _progress(args, "rows"))
    _say(args, f"{path}: {rows} row(s) rewritten, now {'encrypted' if encrypt else 'plain'}")
    wanted = settings.encryption.mode in ("encrypted", "full")
    if wanted != encrypt:
        _output.say(f'hint: set [encryption] mode = "{"encrypted" if encrypt else "off"}" in your remit.toml')
    return {"rows": rows}


def _rotate(args: Any, settings: Settings, ring: KeyRing) -> dict[str, Any]:
    if args.key:
        ring.change_source(find_source(args.key, {}, os.environ, str(config_folder()), _ask(twice=True)))
        _say(args, f"the key ring is wrapped by key {ring.source_id} now; give this key from now on ([encryption] key)")
        if not args.purpose:
            return {"source": ring.source_id, "rotated": []}
    held = {key.purpose for key in ring.listing() if not key.purpose.startswith("index/")}
    if args.purpose and args.purpose not in held:
        raise Invalid("value_invalid", f"the key ring has no {args.purpose!r:.60}", hint="See: remit vault keys list")
    chosen = sorted({args.purpose} if args.purpose else held)
    for purpose in chosen:
        ring.rotate(purpose)
    return {"source": ring.source_id, "rotated": chosen, **_move(args, settings, ring, chosen)}


def _re_encrypt(args: Any, settings: Settings, ring: KeyRing) -> dict[str, Any]:
    waiting = {key.purpose for key in ring.listing() if key.state == "retired"}
    return _move(args, settings, ring, sorted(waiting))


def _move(args: Any, settings: Settings, ring: KeyRing, purposes: list[str]) -> dict[str, Any]:
    """Bring what the purposes protect under their active keys."""
    moved = 0
    for purpose in purposes:
        if purpose.startswith(STORE):
            store = EncryptedStore(ring, str(state_folder()), purpose.removeprefix(STORE))
            count = store.re_encrypt(_progress(args, purpose))
        elif purpose == JOURNAL:
            # Other journal files may still be under the old key: it stays, retired, and goes on opening them.
            count = int(_convert(args, settings, ring, encrypt=True)["rows"]) if _is_encrypted(settings) else 0
        elif purpose == VAULT:
            count = _seal_vault(ring)
        else:
            continue  # its owner seals anew with the active key the next time it writes
        moved += count
        _say(args, f"{purpose}: {count} record(s) re-encrypted")
    return {"moved": moved}


def _seal_vault(ring: KeyRing) -> int:
    from remit.guard.vault_file import VaultFile

    with VaultFile(str(state_folder()), lambda: ring).changing() as entries:
        count = len(entries)
    for key in ring.listing():
        if key.purpose == VAULT and key.state == "retired":
            ring.destroy(VAULT, key.id)
    return count


def _erase(args: Any, settings: Settings, ring: KeyRing) -> dict[str, Any]:
    from remit.guard.subjects import Subjects

    if not args.yes:
        if not _output.interactive():
            raise Invalid("usage_invalid", "erasing cannot be undone", hint="Say that you mean it: --yes")
        _output.say(f"Erase everything sealed for {_output.one_line(args.subject, 80)}? It cannot be undone. Type yes:")
        if input().strip() != "yes":
            raise Invalid("usage_invalid", "nothing was erased")
    subjects = Subjects(ring, str(state_folder()), sealing=True)
    known = subjects.erase(args.subject, rotate=args.rotate)
    _say(args, "the key is destroyed: what was sealed for this subject reads [erased]" if known else
         "there was no key of this subject; a run for it is refused from now on")  # fmt: skip
    return {"known": known, "subject": subjects.id_of(args.subject)}


def _accept(args: Any, _settings: Settings, ring: KeyRing) -> dict[str, Any]:
    _say(args, f"the key ring of generation {ring.generation} is the newest from now on")
    return {"generation": ring.generation}


def _journal_path(settings: Settings) -> str:
    spec = journal_spec(settings["journal.path"])
    kind, _, path = spec.partition(":")
    if kind != "sqlite":
        raise Invalid("value_invalid", f"not a journal file: {spec!r:.120}", hint="Write --journal sqlite:PATH")
    return os.path.realpath(path)


def _is_encrypted(settings: Settings) -> bool:
    from remit.journal.encrypted import is_encrypted

    return bool(is_encrypted(_journal_path(settings)))


def _ask(*, twice: bool) -> Any:
    """Asks at the terminal, without an echo; None when nobody is there. A new passphrase is asked for twice."""
    if not _output.interactive():
        return None
    from getpass import getpass

    def ask(prompt: str) -> str:
        text = getpass(prompt)
        if twice and getpass("The same again: ") != text:
            raise Invalid("key_invalid", "the two passphrases differ", hint="Try again.")
        return text

    return ask


def _say(args: Any, text: str) -> None:
    (_output.say if args.json else _output.data)(text)


def _progress(args: Any, what: str) -> Any:
    """Tells how far it is, at most every TOLD_EVERY seconds."""
    import time

    last = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > TOLD_EVERY:
            last = time.monotonic()
            _output.say(f"{what}: {done} of {total}", "dim")

    return tell


_STEPS: Final[dict[str, Any]] = {
    "list": _list,
    "init": _init,
    "encrypt": _encrypt,
    "decrypt": _decrypt,
    "rotate": _rotate,
    "re-encrypt": _re_encrypt,
    "erase": _erase,
    "accept": _accept,
}
