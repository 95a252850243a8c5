"""What to do about a failed call, in one sentence that names this provider, address and model.

Only words are added, and only to the general hint of a code: what an error is, and whether it is
retried, is decided before (one exception: a web page in place of a reply never becomes one).
"""

from __future__ import annotations

import re
from typing import Final

from remit.errors import CODES, ModelError
from remit.ports.provider import Profile

_PAGE: Final = re.compile(rb"\s*(?:\xef\xbb\xbf)?<(?:!doctype|html|head|\?xml)", re.I)
_CERTIFICATE: Final = re.compile(r"certificate|self.signed|hostname mismatch|CERT_|verify failed|unknown ?issuer", re.I)
_TLS: Final = re.compile(r"\b(?:tls|ssl)\b|handshake|wrong.version|record layer|InvalidContentType", re.I)


def is_page(body: bytes) -> bool:
    """Whether a body is a web page: a proxy's or a portal's, or that of another server."""
    return _PAGE.match(body) is not None


def page_error(profile: Profile, url: str) -> ModelError:
    """The error of a web page where a reply should be."""
    return ModelError(
        "model_bad_reply",
        f"{_place(url)} answered with a web page, not with {profile.wire}",
        hint=_base_url_hint(profile, url),
        retryable=False,
    )


def explain(error: ModelError, profile: Profile, model: str, url: str) -> None:
    """Make the hint of `error` say what to look at; a hint of its own stays."""
    if error.hint and error.hint != CODES[error.code][1]:
        return
    hint = ""
    if error.code == "model_auth":
        hint = _key_hint(profile)
    elif error.code == "model_not_found":
        hint = f"Check the name {model[:80]!r} and base_url; asked was {_place(url)}."
    elif error.code == "model_connection":
        hint = _connection_hint(error.message, url)
    elif error.code == "model_bad_reply":
        hint = f"If this happens always: {_base_url_hint(profile, url)}"
    if hint:
        error.hint = hint


def _key_hint(profile: Profile) -> str:
    names = list(profile.key_env)
    if profile.auth == "aws":
        names.append("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    elif profile.auth == "google":
        names.append("GOOGLE_APPLICATION_CREDENTIALS")
    if not names:
        return "The server wants a key: give api_key=..."
    return f"Check the key of {profile.name}: {' or '.join(names)}, and whether it may use this model."


def _connection_hint(message: str, url: str) -> str:
    place = _place(url)
    if _CERTIFICATE.search(message):
        return (
            f"The certificate of {place} is not trusted for that name. Check base_url's host, this machine's "
            "certificates and clock; verification cannot be turned off."
        )
    if _TLS.search(message):
        return f"TLS failed with {place}: a server that speaks plain http needs base_url to begin with http://."
    return f"Nothing answered at {place}: check base_url, and that the server runs."


def _base_url_hint(profile: Profile, url: str) -> str:
    usual = f", usually {profile.base_url}" if profile.base_url else ""
    return f"check base_url{usual}; asked was {_place(url)}"


def _place(url: str) -> str:
    """The URL without what may hold a secret."""
    return url.partition("?")[0][:200]
