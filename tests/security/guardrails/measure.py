"""Precision and recall of the guardrails on labelled texts, in the clear and disguised.

    python tests/security/guardrails/measure.py [KIND]

A line of KIND.txt is `! text` (must be found) or `- text` (must not be). For pii, `! kind: text`. The disguises are
applied to every text that must be found; disguised honest texts must still not be found.
"""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "src"))

from remit.core.screening import Rule
from remit.guard.guardrails import Subject, module_of
from remit.guard.guardrails.prompt_injection import COUNT

HERE = Path(__file__).parent
VALUES = {"language": ("en",)}
SOURCES = (
    "Report 2021: revenue was 3.2 million euros. Maria Lopez signed the contract in Madrid.",
    "Sales in Spain rose by 12%.",
)
LOOK_ALIKES = str.maketrans("aeopcxyiAEOPCXHKMT", "аеорсхуіАЕОРСХНКМТ")  # noqa: RUF001  # Cyrillic on purpose
DISGUISES: dict[str, Callable[[str], str]] = {
    "base64": lambda t: "data: " + base64.b64encode(t.encode()).decode(),
    "base64 twice": lambda t: base64.b64encode(base64.b64encode(t.encode())).decode(),
    "hexadecimal": lambda t: t.encode().hex(),
    "percent": lambda t: "".join(f"%{b:02X}" for b in t.encode()),
    "entities": lambda t: "".join(f"&#{ord(c)};" for c in t),
    "escapes": lambda t: "".join(f"\\u{ord(c):04x}" if ord(c) < 0x10000 else c for c in t),
    "zero-width": lambda t: "\u200b".join(t),
    "fullwidth": lambda t: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in t),
    "look-alikes": lambda t: t.translate(LOOK_ALIKES),
    "tags": lambda t: "Hello. " + "".join(chr(0xE0000 + ord(c)) if c.isascii() else c for c in t),
    "spread out": lambda t: "  ".join(" ".join(word) for word in t.split()),
}
# Letters that only look like those of a key are no key; nobody can use one that is spread out.
NOT_FOR = {("pii", "look-alikes"), ("pii", "spread out"), ("shell_injection", "spread out")}
PLAIN_ONLY = {"language", "hallucination_check", "content_policy"}


def texts(kind: str) -> list[tuple[bool, str, str]]:
    """(must be found, data kind, text) of a labelled set."""
    found = []
    for line in (HERE / f"{kind}.txt").read_text(encoding="utf-8").splitlines():
        bad, text, what = line.startswith("!"), line[2:], ""
        if kind == "pii" and bad:
            what, _, text = text.partition(": ")
        found.append((bad, what, text))
    return found


def finds(kind: str, text: str, what: str = "") -> bool:
    """Whether the kind's rule, with its defaults, has a hit that counts."""
    rule = Rule(kind, values=(what,) if what else VALUES.get(kind, ()))
    check = module_of(rule).make(rule)
    hits = check(Subject(text, "output", sources=SOURCES))
    return any(hit.confidence >= rule.min_confidence for hit in hits)


def score(kind: str, disguise: str = "") -> tuple[float, float, list[str]]:
    """(precision, recall, what was judged wrongly)."""
    hide = DISGUISES.get(disguise, lambda t: t)
    right = wrong = missed = 0
    errors = []
    for bad, what, text in texts(kind):
        hit = finds(kind, hide(text), what)
        right += hit and bad
        wrong += hit and not bad
        missed += bad and not hit
        if hit != bad:
            errors.append(f"{'missed' if bad else 'wrong'}: {text}")
    return right / max(1, right + wrong), right / max(1, right + missed), errors


def kinds() -> list[str]:
    """The kinds that have a labelled set."""
    return sorted(path.stem for path in HERE.glob("*.txt"))


def disguises(kind: str) -> list[str]:
    """The disguises that make sense for a kind; "" = none."""
    return ["", *(d for d in DISGUISES if kind not in PLAIN_ONLY and (kind, d) not in NOT_FOR)]


def main(chosen: list[str]) -> None:
    """Print the table; with a kind, what was judged wrongly too."""
    sys.stdout.write(f"{COUNT} injection patterns\n")
    for kind in chosen or kinds():
        for disguise in disguises(kind):
            precision, recall, errors = score(kind, disguise)
            sys.stdout.write(f"{kind:20} {disguise or 'plain':14} precision {precision:.2f} recall {recall:.2f}\n")
            if chosen:
                sys.stdout.write("".join(f"    {e}\n" for e in errors))


if __name__ == "__main__":
    main(sys.argv[1:])
