"""Who calls: API keys and tokens, each a principal that is a person with roles, scopes and a remit.

    Authorization: Bearer remit_ID_SECRET      a key of `remit serve keys add`
    Authorization: Biscuit TOKEN               a token of the trusted issuer; X-Remit-Challenge holds what POST
                                               /v1/challenge gave, X-Remit-Proof the holder's signature; both base64

A missing, wrong, revoked and expired key have one answer. A challenge counts once, and the proof is over it and the
token, so neither a recorded request nor a copied token is worth anything.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from remit.core.remit import Remit, deny_only
from remit.errors import Denied, Exhausted
from remit.guard import tokens
from remit.guard.api_keys import ApiKey, ApiKeys
from remit.guard.rate_bucket import Gcra
from remit.guard.revoked import revoked_tokens
from remit.guard.roles import Person, Role

REQUESTS_A_MINUTE: Final = 600  # Source: spec/operations.md 1
BURST: Final = 50
MAX_KNOWN: Final = 10_000  # people and addresses whose requests are counted
TOKEN_SCOPES: Final = frozenset({"runs:read", "runs:write"})
DEFAULT_ROLE: Final = "developer"
_ONE_ANSWER: Final = "no credential that counts came with the request"


class Principal(Struct, frozen=True):
    """Who calls, and what may be done in that name."""

    name: str
    """whose runs these are: a person's name of API keys, or `holder:KEY` of a token"""
    scopes: frozenset[str]
    person: Person
    remit: Remit
    tokens: tuple[str, ...] = ()
    """revocation ids, hex"""
    key: str = ""
    """id of the API key"""
    expires_ms: int | None = None
    proven: bool = True

    @property
    def sees_all(self) -> bool:
        """Whether runs of others are visible."""
        return bool(self.scopes & {"runs:manage", "admin"})

    def narrowed_by_role(self) -> Remit | None:
        """The skills that a role denies, as denials of tools; None = there are none."""
        denied = [f"tool:{glob}" for role in self.person.roles for glob in role.denied_skills]
        return deny_only(*denied) if denied else None


class Principals:
    """Authentication.

    Args:
        folder: the state folder: API keys, revoked tokens.
        roles: by name.
        issuer: public key of the trusted issuer of tokens; None = no token counts.
        token_roles: of holders of tokens.
        now_ms: wall clock.
    """

    def __init__(
        self, folder: str, roles: Mapping[str, Role], issuer: bytes | None, token_roles: Sequence[str],
        now_ms: Callable[[], int],
    ) -> None:  # fmt: skip
        self.keys = ApiKeys(folder)
        self.challenges = tokens.Challenges()
        self._folder = folder
        self._roles = roles
        self._issuer = issuer
        self._token_roles = tuple(token_roles)
        self._now_ms = now_ms
        self._people: OrderedDict[tuple[str, tuple[str, ...]], Person] = OrderedDict()

    def of(self, headers: Mapping[str, str]) -> Principal:
        """Who sent these headers (names in lower case).

        Raises: unauthenticated, token_invalid, token_expired, token_revoked, token_unproven, record_altered.
        """
        scheme, _, text = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            key = self.keys.find(text.strip(), self._now_ms())
            if key is not None:
                return self._holder_of(key)
        elif scheme.lower() == "biscuit":
            return self._bearer_of(text.strip(), headers)
        raise Denied("unauthenticated", _ONE_ANSWER)

    def still(self, principal: Principal) -> bool:
        """Whether the credential still counts: asked while a stream is open."""
        now = self._now_ms()
        if principal.key and not self.keys.live(principal.key, now):
            return False
        if principal.expires_ms is not None and now >= principal.expires_ms:
            return False
        return not principal.tokens or not revoked_tokens(self._folder) & set(principal.tokens)

    def challenge(self) -> bytes:
        """A fresh challenge."""
        return self.challenges.issue(self._now_ms())

    def _holder_of(self, key: ApiKey) -> Principal:
        return Principal(key.name, frozenset(key.scopes), self._person(key.name, key.roles), key.remit, key=key.id,
                         expires_ms=key.expires_ms)  # fmt: skip

    def _bearer_of(self, token: str, headers: Mapping[str, str]) -> Principal:
        if self._issuer is None:
            raise Denied("unauthenticated", "no issuer of tokens is trusted here")
        now, revoked = self._now_ms(), revoked_tokens(self._folder)
        proven = "x-remit-challenge" in headers or "x-remit-proof" in headers
        if proven:
            challenge, proof = (_bytes(headers.get(f"x-remit-{name}", "")) for name in ("challenge", "proof"))
            found = tokens.verify(token, root=self._issuer, challenges=self.challenges, challenge=challenge,
                                  proof=proof, now_ms=now, revoked=revoked)  # fmt: skip
        else:
            found = tokens.inspect(token, root=self._issuer, now_ms=now, revoked=revoked)
        name = f"holder:{found.holder.hex()}"
        return Principal(name, TOKEN_SCOPES, self._person(name, self._token_roles), found.remit,
                         found.revocation_ids, expires_ms=found.expires_ms, proven=proven)  # fmt: skip

    def _person(self, name: str, roles: Iterable[str]) -> Person:
        """The person, whose requests are counted from one to the next; a role that is gone gives nothing."""
        key = (name, tuple(roles))
        person = self._people.get(key)
        if person is None:
            person = self._people[key] = Person(name, [self._roles[r] for r in key[1] if r in self._roles])
        self._people.move_to_end(key)
        if len(self._people) > MAX_KNOWN:
            self._people.popitem(last=False)
        return person


class Requests:
    """600 requests a minute each, 50 at once: of principals, and of addresses whose credentials do not count."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, Gcra] = OrderedDict()

    def take(self, who: str) -> None:
        """Count one request; raises too_many_requests."""
        now = self._monotonic()
        bucket = self._buckets.get(who)
        if bucket is None:
            bucket = self._buckets[who] = Gcra(REQUESTS_A_MINUTE, 60.0, BURST, refunds=False)
        self._buckets.move_to_end(who)
        if len(self._buckets) > MAX_KNOWN:
            self._buckets.popitem(last=False)
        wait_s = bucket.wait_s(1, now)
        if wait_s > 0:
            raise Exhausted("too_many_requests", f"more than {REQUESTS_A_MINUTE} requests a minute", retryable=True,
                            details={"retry_after_s": int(wait_s) + 1})  # fmt: skip
        bucket.take(1, now)


def _bytes(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError):
        raise Denied("token_unproven", "X-Remit-Challenge and X-Remit-Proof are base64") from None
