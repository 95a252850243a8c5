"""A remit as a token for another process or party: signed, only ever narrowed, short-lived, bound to its holder's key.

The container is a Biscuit (extra `policy`): block 0 is signed by the issuer, every later block narrows and is signed by
the one before it, so nobody can take a block away or change one without the issuer's key. Each block holds, as facts:

    remit(hex:JSON of Remit.data())   what it leaves; the token's remit is the meet of all blocks
    holder(hex:32-byte Ed25519 key)   in block 0; in a later one only when the holder before signed it (hand-over)
    check if time($t), $t < DATE      expiry

To use a token its holder signs a challenge of the verifier, which is single-use: a copied token, or a recorded proof,
is worth nothing.

Idea: authority is decided by our own algebra and not by the token's Datalog. A block that holds anything but these
three lines is refused before it is evaluated, so a hostile block can neither hide in a rule nor burn time in one.

Invariants: verify(attenuate(t)) <= verify(t); nothing is trusted before all signatures hold; the evaluator runs under
explicit limits. Rejected: Datalog checks per grant (patterns in two languages drift apart), JWT (no offline narrowing).
Source: Biscuit specification v3.3 (blocks, third-party blocks, revocation ids); RFC 8032 (Ed25519).
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import Any, Final

import msgspec
from msgspec import Struct

from remit.core.bounds import instant_text, read_instant
from remit.core.remit import Remit
from remit.errors import Denied, Invalid, Unavailable

LIFETIME_MS: Final = 15 * 60_000  # Source: spec/security.md 1
CHALLENGE_MS: Final = 60_000
MAX_CHALLENGES: Final = 10_000
MAX_TOKEN_CHARS: Final = 64 * 1024
MAX_BLOCKS: Final = 32
MAX_LAYERS: Final = 256
EVALUATION_MS: Final = 50  # of the token's date checks; the library's own 1 ms fails on a loaded machine
_MAX_FACTS: Final = 200
_PROOF: Final = b"remit holder proof v1\0"
_LINE: Final = re.compile(
    r"(?:remit\(hex:(?P<remit>[0-9a-f]*)\)|holder\(hex:(?P<holder>[0-9a-f]{64})\)"
    r"|check if time\(\$t\), \$t < (?P<date>[0-9TZ:+-]{20,25}));"
)


class _LayerForm(Struct, frozen=True, forbid_unknown_fields=True):
    grants: list[str] | None
    denials: list[str] = []
    depth: int = 0
    verbs: list[str] | None = None


class _RemitForm(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The strict form of `Remit.data()`."""

    layers: list[_LayerForm]
    limits: dict[str, float | int] = {}
    expires_ms: int | None = None
    depth: int = 0


class Verified(Struct, frozen=True):
    """What a token was found to say."""

    remit: Remit
    """the meet of all blocks; it expires with the token"""
    holder: bytes
    """the public key of who may use it; `verify` had it prove itself"""
    revocation_ids: tuple[str, ...]
    """one a block, hex; revoking any of them ends this token and every token narrowed from that block"""
    expires_ms: int


class _Block(Struct, frozen=True):
    remit: Remit | None
    holder: bytes | None
    expires_ms: int | None


def new_key() -> tuple[bytes, bytes]:
    """(private, public) Ed25519 key, 32 bytes each."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    return key.private_bytes_raw(), key.public_key().public_bytes_raw()


def mint(remit: Remit, *, issuer: bytes, holder: bytes, now_ms: int, lifetime_ms: int = LIFETIME_MS) -> str:
    """A token for `remit`.

    Args:
        issuer: private key of the issuer, 32 bytes.
        holder: public key of who may use it, 32 bytes.
        now_ms: wall clock.
        lifetime_ms: until it expires.

    Raises: Invalid value_invalid for TOP (root authority stays in its process) or a lifetime below one second;
        Unavailable extra_missing.
    """
    if all(layer.verbs is not None for layer in remit.layers):
        raise Invalid("value_invalid", "TOP is root authority; it never leaves its process as a token")
    if lifetime_ms < 1000:
        raise Invalid("value_invalid", f"lifetime_ms={lifetime_ms}; at least 1000")
    biscuit = _library()
    expires_ms = now_ms + lifetime_ms if remit.expires_ms is None else min(now_ms + lifetime_ms, remit.expires_ms)
    builder = biscuit.BiscuitBuilder(*_facts(remit, _key(holder), expires_ms))
    token: str = builder.build(_private(biscuit, issuer)).to_base64()
    return _bounded(token)


def attenuate(token: str, narrower: Remit, *, root: bytes, now_ms: int, lifetime_ms: int | None = None) -> str:
    """The token, narrowed; needs nobody's private key. `root` is the issuer's public key."""
    biscuit = _library()
    held = _parse(biscuit, token, root)
    expires_ms = None if lifetime_ms is None else now_ms + lifetime_ms
    return _bounded(held.append(biscuit.BlockBuilder(*_facts(narrower, None, expires_ms))).to_base64())


def hand_over(token: str, narrower: Remit, *, root: bytes, holder: bytes, to: bytes, now_ms: int) -> str:
    """The token for another holder: `holder` is the present one's private key, `to` the next one's public key."""
    biscuit = _library()
    held = _parse(biscuit, token, root)
    key = _private(biscuit, holder)
    block = held.third_party_request().create_block(key, biscuit.BlockBuilder(*_facts(narrower, _key(to), None)))
    return _bounded(held.append_third_party(biscuit.KeyPair.from_private_key(key).public_key, block).to_base64())


def prove(token: str, challenge: bytes, *, holder: bytes) -> bytes:
    """The holder's signature (64 bytes) over the verifier's challenge and this token."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(_key(holder)).sign(_statement(token, challenge))


class Challenges:
    """The verifier's challenges: each counts once, for a minute."""

    def __init__(self) -> None:
        self._open: dict[bytes, int] = {}

    def issue(self, now_ms: int) -> bytes:
        """A fresh challenge, 32 bytes. Raises: Denied token_unproven when too many are open."""
        import secrets

        self._open = {c: until for c, until in self._open.items() if until > now_ms}
        if len(self._open) >= MAX_CHALLENGES:
            raise Denied("token_unproven", f"{MAX_CHALLENGES} challenges are open")
        challenge = secrets.token_bytes(32)
        self._open[challenge] = now_ms + CHALLENGE_MS
        return challenge

    def spend(self, challenge: bytes, now_ms: int) -> bool:
        """Whether the challenge was ours, open and never used; it is used now."""
        return self._open.pop(challenge, 0) > now_ms


def verify(  # noqa: PLR0913  # all that a verifier must say, each by keyword
    token: str, *, root: bytes, challenges: Challenges, challenge: bytes, proof: bytes, now_ms: int,
    revoked: Container[str] = (),
) -> Verified:  # fmt: skip
    """What the token grants to whoever sent this proof.

    Args:
        root: the issuer's public key, 32 bytes.
        challenges: of this verifier; `challenge` must be one that it issued and that was never used.
        proof: what `prove` returned.
        revoked: revocation ids that no longer count.

    Raises: Denied token_invalid (forged, malformed, foreign content), token_expired, token_revoked, token_unproven
        (wrong holder, replayed or stale challenge); Unavailable extra_missing.
    """
    fresh = challenges.spend(challenge, now_ms)  # used up whatever comes next
    found = inspect(token, root=root, now_ms=now_ms, revoked=revoked)
    if not fresh or not _proven(found.holder, _statement(token, challenge), proof):
        raise Denied("token_unproven", "the challenge is not open, or the proof is not the holder's")
    return found


def inspect(token: str, *, root: bytes, now_ms: int, revoked: Container[str] = ()) -> Verified:
    """What the token says, signatures, dates and revocations checked; who presents it is not proven: see `verify`.

    Raises: Denied token_invalid, token_expired, token_revoked; Unavailable extra_missing.
    """
    biscuit = _library()
    parsed = _parse(biscuit, token, root)
    blocks = [_read(parsed.block_source(i)) for i in range(parsed.block_count())]
    ids = tuple(str(i) for i in parsed.revocation_ids)
    if any(i in revoked for i in ids):
        raise Denied("token_revoked", "the token, or one that it was narrowed from, was revoked")
    _check_dates(biscuit, parsed, now_ms)
    remit, holder, expires_ms = _fold(parsed, blocks)
    return Verified(remit, holder, ids, expires_ms)


def _fold(parsed: Any, blocks: list[_Block]) -> tuple[Remit, bytes, int]:
    """The meet of all blocks, the last rightful holder, the earliest expiry."""
    first = blocks[0]
    if first.remit is None or first.holder is None or first.expires_ms is None:
        raise Denied("token_invalid", "the first block lacks its remit, holder or expiry")
    if all(layer.verbs is not None for layer in first.remit.layers):
        raise Denied("token_invalid", "the token would hold root authority; that never travels")
    remit, holder, expires_ms = first.remit, first.holder, first.expires_ms
    for number, block in enumerate(blocks[1:], 1):
        if block.holder is not None:
            signer = parsed.block_external_key(number)
            if signer is None or bytes(signer.to_bytes()) != holder:
                raise Denied("token_invalid", f"block {number} names a holder, and the holder before did not sign it")
            holder = block.holder
        if block.remit is not None:
            remit = remit.meet(block.remit)
        expires_ms = expires_ms if block.expires_ms is None else min(expires_ms, block.expires_ms)
    # TOP in a meet says nothing, so a token is at most its first block; and it ends with the run's own clock too.
    return remit.meet(Remit((), expires_ms=expires_ms)), holder, expires_ms


def _facts(remit: Remit, holder: bytes | None, expires_ms: int | None) -> tuple[str, dict[str, Any]]:
    """Datalog with its parameters; values never become text of the program."""
    values: dict[str, Any] = {"remit": msgspec.json.encode(remit.data())}
    source = "remit({remit});"
    if holder is not None:
        source, values["holder"] = source + " holder({holder});", holder
    if expires_ms is not None:
        from datetime import datetime

        values["until"] = datetime.fromisoformat(instant_text(expires_ms))
        source += " check if time($t), $t < {until};"
    return source, values


def _read(source: str) -> _Block:
    """A block's three kinds of lines; raises token_invalid for any other."""
    found: dict[str, str] = {}
    for line in source.strip().split("\n") if source.strip() else ():
        matched = _LINE.fullmatch(line)
        if matched is None:
            raise Denied("token_invalid", "a block holds something other than a remit, a holder and an expiry")
        kind = str(matched.lastgroup)
        if kind in found:
            raise Denied("token_invalid", f"a block holds two lines of {kind}")
        found[kind] = matched[kind]
    remit = _remit(bytes.fromhex(found["remit"])) if "remit" in found else None
    holder = bytes.fromhex(found["holder"]) if "holder" in found else None
    try:
        return _Block(remit, holder, read_instant(found["date"]) if "date" in found else None)
    except Invalid as e:
        raise Denied("token_invalid", e.message) from None


def _remit(raw: bytes) -> Remit:
    try:
        form = msgspec.json.decode(raw, type=_RemitForm)
        if len(form.layers) > MAX_LAYERS or form.depth < 0 or any(layer.depth < 0 for layer in form.layers):
            raise Denied("token_invalid", "the token's remit is too deep")
        return Remit.from_data(msgspec.to_builtins(form))
    except (msgspec.DecodeError, RecursionError, TypeError) as e:
        raise Denied("token_invalid", f"the token's remit does not decode: {str(e)[:200]}") from None
    except Invalid as e:
        raise Denied("token_invalid", f"the token's remit: {e.message[:200]}") from None


def _check_dates(biscuit: Any, parsed: Any, now_ms: int) -> None:
    from datetime import datetime, timedelta

    now = datetime.fromisoformat(instant_text(now_ms))
    builder = biscuit.AuthorizerBuilder("time({now}); allow if true;", {"now": now})
    limits = builder.limits()
    limits.max_time = timedelta(milliseconds=EVALUATION_MS)
    limits.max_facts, limits.max_iterations = _MAX_FACTS, 10
    builder.set_limits(limits)
    try:
        builder.build(parsed).authorize()
    except biscuit.AuthorizationError:
        raise Denied("token_expired", "the token has expired") from None


def _parse(biscuit: Any, token: str, root: bytes) -> Any:
    _bounded(token)
    try:
        public = biscuit.PublicKey.from_bytes(_key(root), biscuit.Algorithm.Ed25519)
        parsed = biscuit.Biscuit.from_base64(token, public)
    except (biscuit.BiscuitValidationError, biscuit.BiscuitSerializationError, ValueError):
        raise Denied("token_invalid", "the token is not whole, or not signed by this issuer") from None
    if parsed.block_count() > MAX_BLOCKS:
        raise Denied("token_invalid", f"the token has more than {MAX_BLOCKS} blocks")
    return parsed


def _proven(holder: bytes, statement: bytes, proof: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(holder).verify(proof, statement)
    except (InvalidSignature, ValueError):
        return False
    return True


def _statement(token: str, challenge: bytes) -> bytes:
    from hashlib import sha256

    return _PROOF + sha256(token.encode()).digest() + sha256(challenge).digest()


def _private(biscuit: Any, key: bytes) -> Any:
    return biscuit.PrivateKey.from_bytes(_key(key), biscuit.Algorithm.Ed25519)


def _key(key: bytes) -> bytes:
    if len(key) != 32:
        raise Invalid("value_invalid", f"an Ed25519 key has 32 bytes, not {len(key)}")
    return key


def _bounded(token: str) -> str:
    if len(token) > MAX_TOKEN_CHARS:
        raise Denied("token_invalid", f"the token has {len(token)} characters; at most {MAX_TOKEN_CHARS}")
    return token


def _library() -> Any:
    try:
        import biscuit_auth
    except ImportError:
        raise Unavailable("extra_missing", "tokens need biscuit-python", hint="pip install 'remit[policy]'") from None
    return biscuit_auth
