"""Proofs of identity that depend on the request or the time: AWS signatures, Google service accounts.

Both keep the private half in this process and send a proof that expires: a signature over the whole
request (valid 15 minutes), or a token that the account signs itself (valid an hour, made again five
minutes before). Nothing is fetched for either.

Source: AWS "Signature Version 4"; Google AIP-4111 "Self-signed JWT".
"""

from __future__ import annotations

import re
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from remit.errors import Invalid, ModelError
from remit.ports.provider import Profile
from remit.wire.sigv4 import AwsKey, Scope, signed_headers

TOKEN_S: Final = 3600
RENEW_S: Final = 300
MAX_ACCOUNT_BYTES: Final = 64 * 1024
_SIGNED: Final = ("content-type",)
_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"

Headers = tuple[tuple[str, str], ...]


def _now_s() -> float:
    return time.time()  # noqa: TID251 -- both proofs state the wall clock, and the provider compares it with its own


class AwsSigner:
    """Signs each request with an access key."""

    def __init__(self, key: AwsKey, region: str, service: str = "bedrock", now_s: Callable[[], float] = _now_s) -> None:
        self._key = key
        self._region = region
        self._service = service
        self._now_s = now_s

    def headers(self, url: str, headers: Headers, body: bytes) -> Headers:
        """The date, the session token and the signature."""
        at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self._now_s()))
        kept = tuple((name, value) for name, value in headers if name in _SIGNED)
        return signed_headers(self._key, Scope(self._region, self._service, at), ("POST", url), kept, body)


class GoogleAccount:
    """Signs a token of its own for each hour, with a service account's key."""

    def __init__(self, account: Mapping[str, Any], now_s: Callable[[], float] = _now_s) -> None:
        self._email = str(account.get("client_email") or "")
        self._key_id = str(account.get("private_key_id") or "")
        self._pem = str(account.get("private_key") or "")
        self._now_s = now_s
        self._token = ""
        self._until = 0.0
        if not self._email or not self._pem:
            raise Invalid("config_invalid", "the service account's file holds no client_email or private_key")

    def headers(self, url: str, headers: Headers, body: bytes) -> Headers:
        """A bearer header."""
        now = self._now_s()
        if now > self._until - RENEW_S:
            self._token, self._until = self._signed(int(now)), now + TOKEN_S
        return (("authorization", f"Bearer {self._token}"),)

    def _signed(self, now: int) -> str:
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        try:
            key = load_pem_private_key(self._pem.encode(), None)
        except (ValueError, TypeError):
            raise ModelError("model_auth", "the service account's private_key is no PEM key", retryable=False) from None
        if not isinstance(key, RSAPrivateKey):
            raise ModelError("model_auth", "the service account's private_key is no RSA key", retryable=False)
        head = {"alg": "RS256", "typ": "JWT", "kid": self._key_id}
        claims = {"iss": self._email, "sub": self._email, "scope": _SCOPE, "iat": now, "exp": now + TOKEN_S}
        text = f"{_part(msgspec.json.encode(head))}.{_part(msgspec.json.encode(claims))}"
        return f"{text}.{_part(key.sign(text.encode(), PKCS1v15(), SHA256()))}"


def _part(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def signer_of(profile: Profile, url: str, key: str, env: Mapping[str, str]) -> AwsSigner | GoogleAccount | None:
    """Who signs the requests of a profile; None where the key stands in a header, or there is nothing to sign with."""
    if key:
        return None
    if profile.auth == "aws":
        return _aws(url, env)
    path = env.get("GOOGLE_APPLICATION_CREDENTIALS", "").strip() if profile.auth == "google" else ""
    return GoogleAccount(_account(path)) if path else None


def _aws(url: str, env: Mapping[str, str]) -> AwsSigner | None:
    key_id, secret = env.get("AWS_ACCESS_KEY_ID", "").strip(), env.get("AWS_SECRET_ACCESS_KEY", "").strip()
    if not key_id or not secret:
        return None
    token = env.get("AWS_SESSION_TOKEN", "").strip()
    for value in (key_id, token):
        if not value.isascii() or not all(c.isprintable() and c != " " for c in value):
            raise Invalid("config_invalid", "an AWS key holds characters that no header can carry")
    # The region is in the host; an address of one's own (a proxy) is signed for the environment's.
    host = urlsplit(url).hostname or ""
    found = re.match(r"bedrock[a-z-]*\.([a-z]{2}(?:-[a-z]+)+-\d)\.", host)
    region = found[1] if found else env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or "us-east-1"
    return AwsSigner(AwsKey(key_id, secret, token), region)


def _account(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            account = msgspec.json.decode(file.read(MAX_ACCOUNT_BYTES))
    except OSError as e:
        raise Invalid("config_invalid", f"GOOGLE_APPLICATION_CREDENTIALS cannot be read: {e.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Invalid("config_invalid", "GOOGLE_APPLICATION_CREDENTIALS names a file that is no JSON") from None
    if type(account) is not dict or account.get("type") != "service_account":
        raise Invalid("config_invalid", "GOOGLE_APPLICATION_CREDENTIALS names no service account's key file",
                      hint="Set VERTEX_ACCESS_TOKEN to a token of another kind of account.")  # fmt: skip
    return account
