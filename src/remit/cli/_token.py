"""The work of `remit token` and `remit run --token`: keys and tokens from files or pipes; no private key is shown."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

from remit.cli import _output
from remit.config import Settings, load, state_folder
from remit.core.budget import Budget
from remit.core.remit import UNSET, Remit
from remit.errors import Invalid
from remit.guard import tokens
from remit.guard.policy_meter import TOKEN
from remit.guard.private_file import make_folder, read_private, write_private
from remit.guard.revoked import revoked_tokens
from remit.guard.tokens import Verified

MAX_KEY_TEXT: Final = 256
MAX_MINUTES: Final = 60 * 24 * 366
MINUTE_MS: Final = 60_000
_ID: Final = re.compile(r"[0-9a-f]{128}")
_KEY: Final = re.compile(r"[0-9a-f]{64}")


def run(args: Any) -> int:
    """Do one action and print its result."""
    result = _ACTIONS[args.action](args)
    if args.json:
        _output.json_line({"type": "result", "status": "ok", "action": args.action, **result})
    return 0


# --- using a token -----------------------------------------------------------------------------------


def presented(args: Any, settings: Settings, env: Mapping[str, str]) -> Verified | None:
    """What the token of --token or REMIT_TOKEN grants, checked in every respect; None when none is given.

    The two variables name files: neither a token nor a key stands in the environment itself.

    Raises: usage_invalid, config_invalid (no issuer is trusted), key_invalid, token_invalid, token_expired,
        token_revoked, token_unproven, record_altered (the list of what is revoked), extra_missing.
    """
    token_path, key_path = (
        (args.token or env.get("REMIT_TOKEN", "")),
        (args.token_key or env.get("REMIT_TOKEN_KEY", "")),
    )
    if not token_path and not key_path:
        return None
    if not token_path or not key_path:
        raise Invalid("usage_invalid", "--token and --token-key go together",
                      hint="Name the token's file and the file of its holder's private key.")  # fmt: skip
    root = issuer_of(settings)
    token, key = read_token(token_path), read_key(key_path)
    challenges, now = tokens.Challenges(), now_ms()
    challenge = challenges.issue(now)
    proof = tokens.prove(token, challenge, holder=key)
    return tokens.verify(
        token, root=root, challenges=challenges, challenge=challenge, proof=proof, now_ms=now,
        revoked=revoked_tokens(str(state_folder())),
    )  # fmt: skip


def issuer_of(settings: Settings, given: str | None = None) -> bytes:
    """The trusted issuer's public key; raises config_invalid when there is none."""
    text = given or settings["policy.token_issuer"]
    if not text:
        raise Invalid("config_invalid", "policy.token_issuer is not set: no issuer of tokens is trusted here",
                      hint="Write the issuer's public key into your own remit.toml, section [policy].")  # fmt: skip
    return _public(text, "--issuer")


def now_ms() -> int:
    """Wall clock."""
    from remit.runtime import Runtime

    return Runtime("memory:", tune_gc=False).clock.now_ms()


def read_token(path: str) -> str:
    """A token from a file or a pipe; raises usage_invalid."""
    raw = _read(path, tokens.MAX_TOKEN_CHARS + 2)
    text = raw.decode("ascii", "replace").strip()
    if not text:
        raise Invalid("usage_invalid", f"there is no token in {path}")
    return text


def read_key(path: str) -> bytes:
    """A private key from a file of mode 0600 or a pipe; its content is never shown. Raises key_invalid."""
    if path == "-":
        raw: bytes | None = _read(path, MAX_KEY_TEXT)
    else:
        raw = read_private(os.path.realpath(os.path.expanduser(path)), MAX_KEY_TEXT, only_owner=True)
    text = (raw or b"").decode("ascii", "replace").strip()
    if not _KEY.fullmatch(text):
        raise Invalid("key_invalid", f"{path} holds no private key of 64 hex digits",
                      hint="Make one with: remit token new-key --out FILE")  # fmt: skip
    return bytes.fromhex(text)


def _read(path: str, limit: int) -> bytes:
    if path == "-":
        if sys.stdin.isatty():
            raise Invalid("usage_invalid", "- reads a pipe, and stdin is a terminal")
        found = sys.stdin.buffer.read(limit + 1)
    else:
        from remit.config import read_bounded

        found = read_bounded(os.path.expanduser(path), limit)
    if len(found) > limit:
        raise Invalid("usage_invalid", f"more than {limit} bytes in {path}")
    return found


def _public(text: str, flag: str) -> bytes:
    if not _KEY.fullmatch(text):
        raise Invalid("usage_invalid", f"{flag} {text[:20]!r}: a public key has 64 hex digits (0-9, a-f)")
    return bytes.fromhex(text)


# --- the verb ----------------------------------------------------------------------------------------


def _new_key(args: Any) -> dict[str, Any]:
    path = os.path.abspath(os.path.expanduser(args.out))
    if os.path.lexists(path):
        raise Invalid("value_invalid", f"the key file exists: {args.out}", hint="Choose another name.")
    private, public = tokens.new_key()
    make_folder(os.path.dirname(path))
    write_private(path, private.hex().encode() + b"\n")
    if not args.json:
        _output.data(public.hex())
    return {"public": public.hex(), "file": args.out}


def _mint(args: Any) -> dict[str, Any]:
    if not args.allow:
        raise Invalid("usage_invalid", "a token without --allow GRANT would grant nothing")
    remit = _remit(args)
    token = tokens.mint(
        remit, issuer=read_key(args.key), holder=_public(args.holder, "--holder"), now_ms=now_ms(),
        lifetime_ms=_lifetime_ms(args) or tokens.LIFETIME_MS,
    )  # fmt: skip
    return _put(args, token)


def _narrow(args: Any) -> dict[str, Any]:
    token, root = read_token(args.token), _issuer(args)
    lifetime_ms = _lifetime_ms(args)
    if not (args.allow or args.deny or lifetime_ms or args.budget_usd is not None):
        raise Invalid("usage_invalid", "nothing is narrowed: give --allow, --deny, --minutes or --budget-usd")
    return _put(args, tokens.attenuate(token, _remit(args), root=root, now_ms=now_ms(), lifetime_ms=lifetime_ms))


def _hand_over(args: Any) -> dict[str, Any]:
    token, root, to = read_token(args.token), _issuer(args), _public(args.to, "--to")
    key = read_key(args.key)
    return _put(args, tokens.hand_over(token, _remit(args), root=root, holder=key, to=to, now_ms=now_ms()))


def _show(args: Any) -> dict[str, Any]:
    found = tokens.inspect(read_token(args.token), root=_issuer(args), now_ms=now_ms(),
                           revoked=revoked_tokens(str(state_folder())))  # fmt: skip
    left_s = (found.expires_ms - now_ms()) // 1000
    layers = found.remit.data()["layers"]
    if not args.json:
        _output.data(f"holder   {found.holder.hex()}")
        _output.data(f"expires  in {left_s} s")
        for number, layer in enumerate(layers, 1):
            for kind, texts in (("allow", layer["grants"] or ()), ("deny", layer["denials"])):
                for text in texts:
                    _output.data(f"block {number}  {kind:<5}  {text}")
        _output.data(f"id       {found.revocation_ids[-1]}")
    return {"holder": found.holder.hex(), "expires_ms": found.expires_ms, "remit": found.remit.data(),
            "revocation_ids": found.revocation_ids}  # fmt: skip


def _revoke(args: Any) -> dict[str, Any]:
    from remit.cli._answer import who
    from remit.cli._open import open_runtime, settings_here
    from remit.ports.stream import run_loop

    if _ID.fullmatch(args.token):
        name = args.token
    else:
        # Read as of time 0: a token may be revoked after it has expired.
        found = tokens.inspect(read_token(args.token), root=_issuer(args), now_ms=0)
        name = found.revocation_ids[0 if args.root else -1]

    async def main() -> None:
        async with open_runtime(settings_here(args)) as runtime:
            await runtime.revoke_lastingly(TOKEN + name, by=who(), reason=args.reason)

    run_loop(main())
    if not args.json:
        _output.data(f"revoked  {name}")
    return {"revocation_id": name}


_ACTIONS: Final[dict[str, Callable[[Any], dict[str, Any]]]] = {
    "new-key": _new_key,
    "mint": _mint,
    "narrow": _narrow,
    "hand-over": _hand_over,
    "show": _show,
    "revoke": _revoke,
}


def _issuer(args: Any) -> bytes:
    return issuer_of(load(os.getcwd(), {}), args.issuer)


def _remit(args: Any) -> Remit:
    """What the flags say; without --allow it takes nothing away but denials and limits."""
    given: Remit = UNSET.allow(*args.allow) if args.allow else UNSET
    denied: Remit = given.deny(*args.deny) if args.deny else given
    if args.budget_usd is None:
        return denied
    return Remit(denied.layers, Budget(usd=args.budget_usd))


def _lifetime_ms(args: Any) -> int | None:
    if args.minutes is None:
        return None
    if not 0 < args.minutes <= MAX_MINUTES:
        raise Invalid("usage_invalid", f"--minutes {args.minutes:g}: above 0, at most {MAX_MINUTES}")
    minutes: float = args.minutes
    return max(1000, round(minutes * MINUTE_MS))


def _put(args: Any, token: str) -> dict[str, Any]:
    if args.out:
        path = os.path.abspath(os.path.expanduser(args.out))
        make_folder(os.path.dirname(path))
        write_private(path, token.encode() + b"\n")
        return {"file": args.out}
    if not args.json:
        _output.data(token)
    return {"token": token}
