"""Tokens: only narrower, short-lived, bound to a key; what is forged, stale or copied is refused."""

from __future__ import annotations

import base64
import random
from typing import Any

import pytest

biscuit = pytest.importorskip("biscuit_auth", reason="needs biscuit-python (extra policy)")

from remit.core import needs  # noqa: E402  # after the skip
from remit.core.budget import Budget  # noqa: E402
from remit.core.remit import BOTTOM, TOP, UNSET, Remit, deny_only  # noqa: E402
from remit.errors import Denied, Invalid  # noqa: E402
from remit.guard import tokens  # noqa: E402
from remit.guard.tokens import Challenges, Verified, attenuate, hand_over, mint, new_key, prove, verify  # noqa: E402

NOW = 1_700_000_000_000
ISSUER, ROOT = new_key()
HOLDER, HOLDER_PUBLIC = new_key()
THIEF, THIEF_PUBLIC = new_key()
REMIT: Remit = Remit.allow("fs.read:src/**", "net:GET api.x.org/**", "tool:t where uses=2").deny("fs.read:src/key")


def minted(remit: Remit = REMIT, **options: Any) -> str:
    return mint(remit, issuer=ISSUER, holder=HOLDER_PUBLIC, now_ms=NOW, **options)


def present(token: str, *, holder: bytes = HOLDER, now_ms: int = NOW, **options: Any) -> Verified:
    challenges = options.pop("challenges", None) or Challenges()
    challenge = challenges.issue(now_ms)
    proof = prove(token, challenge, holder=holder)
    return verify(
        token, root=options.pop("root", ROOT), challenges=challenges, challenge=challenge, proof=proof, now_ms=now_ms,
        **options,
    )  # fmt: skip


def code(work: Any, *args: Any, **options: Any) -> str:
    with pytest.raises(Denied) as caught:
        work(*args, **options)
    return caught.value.code


def test_a_token_says_what_was_minted() -> None:
    """The same grants, bounds, denials and limits, and the token's expiry beside them."""
    remit = Remit(REMIT.layers, Budget(usd=0.5, tool_calls=3))
    found = present(minted(remit))
    assert found.remit == Remit(remit.layers, remit.limits, NOW + tokens.LIFETIME_MS)
    assert (found.holder, found.expires_ms, len(found.revocation_ids)) == (HOLDER_PUBLIC, NOW + 900_000, 1)


def test_it_lives_fifteen_minutes_or_as_long_as_its_remit() -> None:
    """It expires after the default, an own, or the remit's own time, whichever is first."""
    assert code(present, minted(), now_ms=NOW + 900_000) == "token_expired"
    assert code(present, minted(lifetime_ms=5000), now_ms=NOW + 5000) == "token_expired"
    early = Remit(REMIT.layers, expires_ms=NOW + 60_000)
    assert code(present, minted(early), now_ms=NOW + 61_000) == "token_expired"
    assert present(minted(), now_ms=NOW + 899_000).remit.allows(needs.fs_read("src/a"), NOW)


def test_attenuation_only_narrows() -> None:
    """A wider request changes nothing; a narrower one narrows; a shorter life shortens."""
    token = attenuate(minted(), Remit.allow("fs.read:**", "net:*", "shell:*"), root=ROOT, now_ms=NOW)
    wide = present(token).remit
    asked = [needs.fs_read("src/a"), needs.fs_read("src/key"), needs.fs_read("etc"), needs.shell(("ls",))]
    assert [wide.allows(n, NOW) for n in asked] == [True, False, False, False]
    token = attenuate(token, Remit.allow("fs.read:src/a/**"), root=ROOT, now_ms=NOW, lifetime_ms=10_000)
    assert [present(token).remit.allows(needs.fs_read(p), NOW) for p in ("src/a/x", "src/b")] == [True, False]
    assert code(present, token, now_ms=NOW + 10_000) == "token_expired"
    nothing = present(attenuate(token, BOTTOM, root=ROOT, now_ms=NOW)).remit
    assert not nothing.allows(needs.fs_read("src/a/x"), NOW)
    unset = present(attenuate(minted(), UNSET, root=ROOT, now_ms=NOW)).remit
    assert unset.allows(needs.fs_read("src/a"), NOW)


def test_random_chains_of_blocks_never_widen() -> None:
    """Along 40 random attenuations each token allows a subset of the one before."""
    rng = random.Random(7)
    texts = [
        "fs.read:**",
        "fs.read:src/**",
        "fs.read:src/a/**",
        "net:*",
        "net:GET api.x.org/v1/**",
        "tool:*",
        "shell:*",
    ]
    asked = [needs.fs_read(p) for p in ("src/a/x", "src/b", "src/key", "y")]
    asked += [
        needs.net("GET", "https://api.x.org/v1/x"),
        needs.net("POST", "https://api.x.org/v1"),
        needs.shell(("ls",)),
    ]
    for _ in range(8):
        token, before = minted(), {n for n in asked if REMIT.allows(n, NOW)}
        for _ in range(5):
            requested = rng.choice([UNSET, TOP, deny_only("fs.read:src/b"), Remit.allow(*rng.sample(texts, 3))])
            token = attenuate(token, requested, root=ROOT, now_ms=NOW)
            after = {n for n in asked if present(token).remit.allows(n, NOW)}
            assert after <= before
            before = after


def test_a_thief_gains_nothing() -> None:
    """The wrong key, a replayed proof, an old challenge, a foreign one, another token's proof: all refused."""
    token, challenges = minted(), Challenges()
    assert code(present, token, holder=THIEF) == "token_unproven"
    challenge = challenges.issue(NOW)
    proof = prove(token, challenge, holder=HOLDER)
    given: dict[str, Any] = {"root": ROOT, "challenges": challenges, "challenge": challenge, "proof": proof}
    assert verify(token, **given, now_ms=NOW).holder == HOLDER_PUBLIC
    assert code(verify, token, **given, now_ms=NOW) == "token_unproven"
    given["challenge"] = challenges.issue(NOW)
    assert code(verify, token, **given, now_ms=NOW) == "token_unproven"
    given["challenge"] = challenges.issue(NOW)
    given["proof"] = prove(token, given["challenge"], holder=HOLDER)
    assert code(verify, token, **given, now_ms=NOW + 60_000) == "token_unproven"
    given |= {"challenge": (foreign := Challenges().issue(NOW)), "proof": prove(token, foreign, holder=HOLDER)}
    assert code(verify, token, **given, now_ms=NOW) == "token_unproven"
    narrow = attenuate(token, Remit.allow("fs.read:src/a"), root=ROOT, now_ms=NOW)
    given |= {"challenge": (own := challenges.issue(NOW)), "proof": prove(narrow, own, holder=HOLDER)}
    assert code(verify, token, **given, now_ms=NOW) == "token_unproven"


def test_only_its_holder_hands_a_token_over() -> None:
    """The next holder proves itself, the former no longer can; a block that nobody rightful signed is refused."""
    next_private, next_public = new_key()
    narrower = Remit.allow("fs.read:src/a/**")
    token = hand_over(minted(), narrower, root=ROOT, holder=HOLDER, to=next_public, now_ms=NOW)
    assert present(token, holder=next_private).holder == next_public
    assert code(present, token, holder=HOLDER) == "token_unproven"
    stolen = hand_over(minted(), narrower, root=ROOT, holder=THIEF, to=THIEF_PUBLIC, now_ms=NOW)
    assert code(present, stolen, holder=THIEF) == "token_invalid"
    parsed = biscuit.Biscuit.from_base64(minted(), biscuit.PublicKey.from_bytes(ROOT, biscuit.Algorithm.Ed25519))
    block = biscuit.BlockBuilder("holder({h})", {"h": THIEF_PUBLIC})
    assert code(present, parsed.append(block).to_base64(), holder=THIEF) == "token_invalid"


@pytest.mark.parametrize(
    "block",
    ['remit("x")', "right(1)", "check if true", "remit(hex:7b7d); remit(hex:7b7d)", "remit(hex:ff)", "remit(hex:7b7d)",
     "allowed($x) <- remit($x)", "holder(hex:00)", "check if time($t), $t < 2999-01-01T00:00:00Z, $t > 0"],
)  # fmt: skip
def test_foreign_content_is_refused(block: str) -> None:
    """A block may hold a remit, a rightful holder and an expiry; anything else is refused before it is evaluated."""
    parsed = biscuit.Biscuit.from_base64(minted(), biscuit.PublicKey.from_bytes(ROOT, biscuit.Algorithm.Ed25519))
    assert code(present, parsed.append(biscuit.BlockBuilder(block)).to_base64()) == "token_invalid"


def test_forged_and_damaged_tokens_are_refused() -> None:
    """Another issuer, every kind of damage, and bytes that are none: token_invalid, never a crash."""
    forged = mint(REMIT, issuer=THIEF, holder=HOLDER_PUBLIC, now_ms=NOW)
    assert code(present, forged) == "token_invalid"
    assert code(present, minted(), root=THIEF_PUBLIC) == "token_invalid"
    raw, rng = bytearray(base64.urlsafe_b64decode(minted())), random.Random(3)
    for _ in range(300):
        bad = bytearray(raw)
        at = rng.randrange(len(bad))
        match rng.randrange(3):
            case 0:
                bad[at] ^= 1 << rng.randrange(8)
            case 1:
                del bad[at:]
            case _:
                bad[at:at] = rng.randbytes(3)
        text = base64.urlsafe_b64encode(bytes(bad)).decode()
        if bytes(bad) != bytes(raw):
            assert code(present, text) == "token_invalid"
    for text in ("", "x", "é", "A" * 70_000):
        assert code(present, text) == "token_invalid"


def test_a_revoked_token_takes_its_offspring_with_it() -> None:
    """Revoking the first block's id ends all; revoking a later one's leaves the first."""
    first = minted()
    second = attenuate(first, Remit.allow("fs.read:src/**"), root=ROOT, now_ms=NOW)
    root_id, block_id = present(second).revocation_ids
    assert code(present, second, revoked={root_id}) == code(present, first, revoked={root_id}) == "token_revoked"
    assert code(present, second, revoked={block_id}) == "token_revoked"
    assert present(first, revoked={block_id}).revocation_ids == (root_id,)


@pytest.mark.parametrize("remit", [TOP, deny_only("fs.read:x")])
def test_root_authority_never_travels(remit: Remit) -> None:
    """TOP, and TOP less something, are not minted."""
    with pytest.raises(Invalid):
        minted(remit)


def test_wrong_keys_and_lifetimes_are_refused() -> None:
    """A key that is none, and a life below a second."""
    with pytest.raises(Invalid):
        mint(REMIT, issuer=b"short", holder=HOLDER_PUBLIC, now_ms=NOW)
    with pytest.raises(Invalid):
        minted(lifetime_ms=10)


def test_the_evaluator_has_a_limit_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the library's 1 ms; without time it refuses (fail closed)."""
    assert tokens.EVALUATION_MS > 1
    monkeypatch.setattr(tokens, "EVALUATION_MS", 0)
    assert code(present, minted()) == "token_expired"


def test_the_proof_is_what_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unplugged (every proof holds), a thief's key is taken."""
    monkeypatch.setattr(tokens, "_proven", lambda *_: True)
    assert present(minted(), holder=THIEF).holder == HOLDER_PUBLIC


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """extra_missing names the extra."""
    import sys

    from remit.errors import Unavailable

    monkeypatch.setitem(sys.modules, "biscuit_auth", None)
    with pytest.raises(Unavailable) as caught:
        minted()
    assert (caught.value.code, "remit[policy]" in caught.value.hint) == ("extra_missing", True)
