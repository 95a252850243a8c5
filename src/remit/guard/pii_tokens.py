"""Reversible tokens: what a remote model sees in place of personal and secret data.

    hide("mail ann@x.org")    -> "mail PII-EMAIL-0001"        the value stays in this process
    show("To: PII-EMAIL-0001") -> "To: ann@x.org"              replies and tool arguments get it back

The idea: a model can work with a name for a thing without knowing the thing. One value has one token as long as
the run lives, so the model can compare and repeat it; whatever comes back, a text, an argument of a tool, a piece
of a stream, has its tokens replaced before anything else sees it, so the tool gets the user's own address and the
gate checks the real one.

Invariants: show(hide(t)) == t for every text. A text that already looks like a token is itself hidden (kind
TEXT), so nobody can write a token and have somebody's data put in its place. Tokens are letters, digits and `-`
only: they survive JSON, URLs, HTML and Markdown. Numbers follow the order of first sight, so the same history gives
the same tokens. A run knows at most MAX_VALUES values; what comes after is masked for good (`[email removed]`).
Rejected: random tokens (a resumed run would send another prompt), encrypting the value into the token (long, and
the ciphertext leaves), format-preserving fakes (a fake address may be somebody's).
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from remit.guard.pii import KINDS, find

MAX_VALUES: Final = 50_000
TOKEN: Final = re.compile(r"PII-[A-Z]{3,8}-\d{4,6}(?!\d)")
# The end of a piece of a stream that may be the beginning of a token.
_BEGUN: Final = re.compile(r"(?:P|PI|PII|PII-[A-Z]{0,8}|PII-[A-Z]{3,8}-\d{0,6})\Z")
_NAMES: Final = {
    "private_key": "SSHKEY", "jwt": "JWT", "database_url": "DBURL", "api_key": "APIKEY", "iban": "IBAN",
    "card": "CARD", "ssn": "SSN", "email": "EMAIL", "us_phone": "PHONE", "ipv4": "IPADDR",
}  # fmt: skip
_LITERAL: Final = "TEXT"


class Tokens:
    """The tokens of one run. `mask` = one-way: what is removed never comes back."""

    __slots__ = ("_counts", "_mask", "_token_of", "_value_of", "redactions")

    def __init__(self, mask: bool = False) -> None:
        self._mask = mask
        self._token_of: dict[str, str] = {}
        self._value_of: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self.redactions: dict[str, int] = {}
        """kind -> places where it was replaced"""

    def hide(self, text: str) -> str:
        """`text` with a token for each piece of personal or secret data."""
        spans = [(m.start, m.end, m.kind) for m in find(text, KINDS)]
        if "PII-" in text:
            spans = self._with_literals(text, spans)
        if not spans:
            return text
        parts, at = [], 0
        for start, end, kind in spans:
            while end < len(text) and text[end].isdigit():
                end += 1  # a digit right after a token would read as part of its number
            parts += [text[at:start], self._token(text[start:end], kind)]
            at = end
        return "".join([*parts, text[at:]])

    def show(self, text: str) -> str:
        """`text` with the values in place of the tokens that this run gave out; other look-alikes stay."""
        if "PII-" not in text:
            return text
        return TOKEN.sub(lambda m: self._value_of.get(m[0], m[0]), text)

    def hide_in(self, value: Any) -> Any:
        """A JSON value with `hide` done on every text, keys too."""
        return _mapped(value, self.hide)

    def show_in(self, value: Any) -> Any:
        """A JSON value with `show` done on every text, keys too; the value itself when it holds no token."""
        return _mapped(value, self.show) if self._value_of else value

    def show_json(self, fragment: str) -> str:
        """A piece of JSON source: a value that takes a token's place is escaped as JSON text."""
        return TOKEN.sub(lambda m: json.dumps(self._value_of.get(m[0], m[0]))[1:-1], fragment)

    def _with_literals(self, text: str, spans: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
        taken = bytearray(len(text))
        for start, end, _ in spans:
            taken[start:end] = b"\1" * (end - start)
        literal = [(*m.span(), _LITERAL) for m in TOKEN.finditer(text) if not any(taken[slice(*m.span())])]
        return sorted(spans + literal)

    def _token(self, value: str, kind: str) -> str:
        if kind != _LITERAL:
            self.redactions[kind] = self.redactions.get(kind, 0) + 1
        if self._mask and kind != _LITERAL:
            return f"[{kind} removed]"
        token = self._token_of.get(value)
        if token is None:
            if len(self._token_of) >= MAX_VALUES:
                return f"[{kind} removed]"
            name = _NAMES.get(kind, _LITERAL)
            number = self._counts[name] = self._counts.get(name, 0) + 1
            token = f"PII-{name}-{number:04}"
            self._token_of[value] = token
            self._value_of[token] = value
        return token


class Shower:
    """Puts values back into a stream of pieces: a token may be cut anywhere."""

    __slots__ = ("_held", "_json", "_tokens")

    def __init__(self, tokens: Tokens, as_json: bool = False) -> None:
        self._tokens = tokens
        self._json = as_json
        self._held = ""

    def feed(self, piece: str) -> str:
        """What can be shown now; the beginning of a possible token is held back."""
        text = self._held + piece
        begun = _BEGUN.search(text, max(0, len(text) - 20))
        cut = begun.start() if begun else len(text)
        self._held = text[cut:]
        return self._shown(text[:cut])

    def end(self) -> str:
        """What was held back."""
        rest, self._held = self._held, ""
        return self._shown(rest)

    def _shown(self, text: str) -> str:
        return self._tokens.show_json(text) if self._json else self._tokens.show(text)


def _mapped(value: Any, change: Any) -> Any:
    """A copy of a JSON value with `change` applied to every text; depth is bounded by the codec that made it."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(k) if isinstance(k, str) else k: _mapped(v, change) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([_mapped(v, change) for v in value])
    return value
