"""The leak guard: what leaves must not carry secrets, whoever put them there.

Three detectors, surest first: every form of every value in the vault (leaks_matcher.py); the shapes of well-known
keys; long random-looking words. Two answers: redact (the text goes on with `[secret:NAME]`, `[key:KIND]` or
`[random]` in place) or block (secret_leak).

What is no secret is let through by shape, not by luck: hexadecimal digests and UUIDs, words of one case or
without digits, path segments, data URLs and other base64 longer than any key, integrity strings (sha256-...),
handles. Redaction leaves names and punctuation alone, so JSON stays JSON.

Invariants: linear in the text; a value of the vault is found first and named; messages name kinds, never values.
Source: the shapes are those that the issuers document for secret scanning (prefixes and lengths).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any, Final

from msgspec import Struct

from remit.errors import Denied
from remit.guard.leaks_matcher import Matcher, replaced

MODES: Final = ("redact", "block", "off")
SENSITIVITY: Final = 0.7  # spec/security.md 8
MIN_RANDOM: Final = 32
MAX_RANDOM: Final = 512  # a longer run is data: an image, a certificate, a signature over it
# (kind, what must be in the text at all, pattern). Group 1, where there is one, is what is replaced.
KEY_SHAPES: Final[tuple[tuple[str, tuple[bytes, ...], re.Pattern[bytes]], ...]] = tuple(
    (kind, marks, re.compile(pattern))
    for kind, marks, pattern in (
        ("private-key", (b"PRIVATE KEY",),
         rb"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----[^-]{0,20000}"
         rb"(?:-----END [A-Z0-9 ]{1,60}-----)?"),
        ("age-key", (b"AGE-SECRET-KEY-1",), rb"\bAGE-SECRET-KEY-1[0-9A-Z]{40,80}"),
        ("x25519-key", (b"25519",), rb"(?i)x25519[-_ :=\"']{1,8}(?:(?:private|secret)[-_ ]?(?:key)?[-_ :=\"']{1,8})?"
         rb"([A-Za-z0-9+/_-]{43}=?|[0-9a-f]{64})(?![A-Za-z0-9+/_-])"),
        ("jwt", (b"eyJ",), rb"\beyJ[A-Za-z0-9_-]{8,4096}\.eyJ[A-Za-z0-9_-]{8,8192}\.[A-Za-z0-9_-]{0,4096}"),
        ("anthropic", (b"sk-ant-",), rb"\bsk-ant-[A-Za-z0-9_-]{16,256}"),
        ("openai", (b"sk-",), rb"(?<![A-Za-z0-9_-])sk-(?!ant-)(?=[A-Za-z_-]{0,200}[0-9])[A-Za-z0-9_-]{20,256}"),
        ("stripe", (b"k_live_", b"k_test_"), rb"\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,256}"),
        ("aws", (b"AKIA", b"ASIA"), rb"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
        ("github", (b"gh",), rb"\bgh[pousr]_[A-Za-z0-9]{30,255}|\bgithub_pat_[A-Za-z0-9_]{40,255}"),
        ("gitlab", (b"glpat-",), rb"\bglpat-[A-Za-z0-9_-]{20,128}"),
        ("slack", (b"xox",), rb"\bxox[abeoprs]-[A-Za-z0-9-]{10,256}"),
        ("google", (b"AIza",), rb"\bAIza[A-Za-z0-9_-]{35}"),
        ("npm", (b"npm_",), rb"\bnpm_[A-Za-z0-9]{36}"),
        ("pypi", (b"pypi-",), rb"\bpypi-[A-Za-z0-9_-]{50,512}"),
        ("huggingface", (b"hf_",), rb"\bhf_[A-Za-z0-9]{30,64}"),
        ("database-url", (b"://",), rb"\b[a-z][a-z0-9+]{2,30}://[^\s:/@\"'<>]{1,128}:([^\s/@\"'<>]{3,256})@[A-Za-z0-9.-]"),
        ("bearer", (b"earer", b"EARER"), rb"(?i)\bbearer[ \t]{1,8}([A-Za-z0-9._~+/=-]{16,4096})"),
    )
)  # fmt: skip
_WORD: Final = re.compile(rb"(?<![A-Za-z0-9+/_=.-])[A-Za-z0-9+/_-]{32,}={0,2}")
_HEX: Final = re.compile(rb"[0-9a-fA-F]+(?:-[0-9a-fA-F]+){0,8}")
_BEFORE_DATA: Final = re.compile(rb"(?:base64,|sha(?:1|256|384|512)[:=])$")
_DIGEST: Final = re.compile(rb"sha(?:1|256|384|512)-")
_PREFIX: Final = re.compile(rb"[a-z]{1,12}[_-]")  # of an id: run_01K9...
_NAMED: Final = re.compile(rb"[a-z]+|[A-Z][a-z]+|[A-Z]{2,}(?![a-z])|[0-9]+")


class Finding(Struct, frozen=True, gc=False):
    """Something that looks like a secret at [start, end) of the UTF-8 bytes."""

    kind: str
    """secret:NAME | key:KIND | random"""
    start: int
    end: int


class LeakGuard:
    """Looks at what leaves.

    Args:
        matcher: the vault's values, asked for at each look (they rotate); None = there is no vault.
        mode: redact | block | off; `off` still blocks the vault's own values.
        random: whether random-looking words count.
        sensitivity: 0 to 1; how little randomness of a word is enough.
    """

    def __init__(
        self,
        matcher: Callable[[], Matcher] | None = None,
        *,
        mode: str = "redact",
        random: bool = True,
        sensitivity: float = SENSITIVITY,
    ) -> None:
        self._matcher = matcher
        self.mode = mode
        self._random = random
        # From 4.8 bits a character at 0 to 3.3 at 1; random base64 of 32 to 64 characters has 4.4 to 5.3.
        self._bits = 4.8 - 1.5 * sensitivity

    def values(self, data: bytes) -> list[Finding]:
        """Forms of the vault's values."""
        if self._matcher is None:
            return []
        return [Finding(f"secret:{s.name}", s.start, s.end) for s in self._matcher().find(data)]

    def find(self, data: bytes) -> list[Finding]:
        """Everything that looks like a secret, in order, without overlaps."""
        found = self.values(data)
        if self.mode != "off":
            found += key_shapes(data)
            if self._random:
                found += random_words(data, self._bits)
        kept: list[Finding] = []
        for finding in sorted(found, key=lambda f: (f.start, -f.end)):
            if not kept or finding.start >= kept[-1].end:
                kept.append(finding)
            elif finding.end > kept[-1].end:
                kept[-1] = Finding(kept[-1].kind, kept[-1].start, finding.end)
        return kept

    def clean(self, data: bytes, place: str) -> bytes:
        """`data` as it may leave; raises secret_leak in mode block.

        Args:
            data: what is about to leave.
            place: named in the error, as "the body".
        """
        found = self.find(data)
        if not found:
            return data
        if self.mode != "redact":
            raise leak(found, place)
        return replaced(data, [(f.start, f.end, f.kind) for f in found])

    def clean_text(self, text: str, place: str) -> str:
        """`clean` for text."""
        data = text.encode("utf-8", "surrogatepass")
        cleaned = self.clean(data, place)
        return text if cleaned is data else cleaned.decode("utf-8", "replace")

    def clean_value(self, value: Any, place: str) -> Any:
        """`clean` for every text in a JSON value, keys too."""
        if isinstance(value, str):
            return self.clean_text(value, place)
        if isinstance(value, dict):
            return {self.clean_text(k, place): self.clean_value(v, place) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self.clean_value(v, place) for v in value]
        return value

    def refuse_values(self, data: bytes, place: str) -> None:
        """Raise secret_leak when `data` holds a value of the vault: for what cannot be redacted (URLs, headers)."""
        found = self.values(data)
        if found:
            raise leak(found, place)

    def mask_text(self, text: str) -> str:
        """`text` without the vault's values: for what comes in (a file, a program's output, an answer)."""
        if self._matcher is None:
            return text
        data = text.encode("utf-8", "surrogatepass")
        masked = self._matcher().mask(data)
        return text if masked is data else masked.decode("utf-8", "replace")


def leak(found: list[Finding], place: str) -> Denied:
    """The error; it names kinds, never values."""
    kinds = ", ".join(dict.fromkeys(f.kind for f in found[:5]))
    return Denied("secret_leak", f"{place} holds what looks like a secret ({kinds}); it was not sent")


def key_shapes(data: bytes) -> list[Finding]:
    """Well-known keys by their shape."""
    found = []
    for kind, marks, pattern in KEY_SHAPES:
        if not any(mark in data for mark in marks):
            continue
        for match in pattern.finditer(data):
            group = 1 if pattern.groups else 0
            if not _placeholder(match[group]):
                found.append(Finding(f"key:{kind}", match.start(group), match.end(group)))
    return found


def random_words(data: bytes, bits: float) -> list[Finding]:
    """Words of 32 to 512 characters that look random.

    Args:
        data: the text.
        bits: entropy a character (of the word's own letters) from which on it counts.
    """
    found = []
    for match in _WORD.finditer(data):
        word = match[0]
        if len(word) > MAX_RANDOM or _BEFORE_DATA.search(data, max(0, match.start() - 10), match.start()):
            continue
        for start, end in _segments(word):
            if looks_random(word[start:end], bits):
                found.append(Finding("random", match.start() + start, match.start() + end))
    return found


def looks_random(word: bytes, bits: float) -> bool:
    """Whether a word of one alphabet is neither digest, name nor number."""
    if len(word) < MIN_RANDOM or _HEX.fullmatch(word) or _DIGEST.match(word):
        return False
    prefix = _PREFIX.match(word)
    word = word[prefix.end() :] if prefix else word
    classes = (any(97 <= b <= 122 for b in word), any(65 <= b <= 90 for b in word), any(48 <= b <= 57 for b in word))
    if not all(classes):
        return False
    # A name (CamelCase, snake_case, kebab-case with numbers) is made of few long runs, a random word of many short.
    runs = len(_NAMED.findall(word))
    return runs * 3.2 >= len(word) and entropy(word) >= bits


def entropy(word: bytes) -> float:
    """Bits a character by the word's own frequencies (Shannon)."""
    size = len(word)
    return -sum(n / size * math.log2(n / size) for n in Counter(word).values())


def _segments(word: bytes) -> list[tuple[int, int]]:
    """The word, or the segments of a path: more than two slashes in pieces that are short make a path."""
    cuts = [i for i, b in enumerate(word) if b == 47]
    if len(cuts) * 12 <= len(word):
        return [(0, len(word))]
    edges = [-1, *cuts, len(word)]
    return [(a + 1, b) for a, b in pairwise(edges)]


def _placeholder(word: bytes) -> bool:
    """Whether it stands for a key: `sk-xxxxxxxxxxxxxxxxxxxx`, `{{secret:NAME}}`, `<your-token>`."""
    return len(set(word)) < 8 or b"{{" in word or b"EXAMPLE" in word
