# ruff: noqa: E501, RUF001  # a language is one line, with its own letters
"""language: text in a language that is not among `values` (ISO 639-1 codes, such as en, de, zh).

The idea: the script decides for most languages; among those that share one, the commonest small words do. Text with
too little to go by (under 20 letters, or code) is not judged.
Source: the function words of each language's most frequent hundred.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

from remit.core.screening import Hit, Rule
from remit.guard.guardrails import Check, Subject, wrong

ON: Final = ("input", "output")
MIN_LETTERS: Final = 20

_WORDS: Final = {
    "en": "the and of to in is that it for you with was are this not have be on as what how can your from will would please",
    "de": "der die das und ist nicht ich du sie wir ein eine zu mit auf für von dem den im wie was bitte kann werden haben sich auch",
    "fr": "le la les des et est un une dans pour que qui ne pas vous nous avec sur ce cette je il elle du au sont être plus comment",
    "es": "el la los las de que y en un una es por con para no se su lo como más pero este esta está del al yo usted qué cuál",
    "it": "il la le gli di che e un una è per con non si come più sono del della nel questo questa lo ho hai mi cosa anche alla",
    "pt": "o a os as de que e em um uma é por com para não se como mais mas este esta do da no na você eu ao são qual está meu minha isso fazer sei",
    "nl": "de het een en van is niet ik je u dat in op te voor met zijn er aan hoe wat kan deze dit ook als wordt hebben naar",
    "pl": "i w na się nie jest że do to z jak o co dla przez ale tym czy są jego być może który można od po proszę tego",
    "sv": "och att det är en som på för med inte jag du den av till har de ett om kan vad hur från var ska vi detta",
    "tr": "ve bir bu için ile ne da de çok var mı mi olarak daha gibi kadar nasıl ama ben sen olan en değil lütfen her",
    "cs": "a je v se na to že s z do jak co pro ale by tak jsem jsou nebo když být má po tento může si také",
    "ro": "și de la în un o este nu cu pe care pentru din se că mai ce cum sunt am ai fi sau acest această",
    "id": "dan yang di ini itu untuk dengan tidak dari ke ada adalah saya anda akan pada bisa apa bagaimana juga dalam",
    "vi": "và là của có không được cho tôi bạn này với các một những trong để làm như thế nào gì người đã",
}  # fmt: skip
_SETS: Final = {code: frozenset(words.split()) for code, words in _WORDS.items()}
# Scripts of one language, by code point range; Han alone = zh, with kana = ja.
_SCRIPTS: Final = (
    (0x3040, 0x30FF, "ja"), (0xAC00, 0xD7AF, "ko"), (0x1100, 0x11FF, "ko"), (0x4E00, 0x9FFF, "zh"), (0x3400, 0x4DBF, "zh"),
    (0x0400, 0x04FF, "ru"), (0x0600, 0x06FF, "ar"), (0x0590, 0x05FF, "he"), (0x0900, 0x097F, "hi"), (0x0370, 0x03FF, "el"),
    (0x0E00, 0x0E7F, "th"), (0x0980, 0x09FF, "bn"), (0x0B80, 0x0BFF, "ta"), (0x10A0, 0x10FF, "ka"), (0x0530, 0x058F, "hy"),
)  # fmt: skip
LANGUAGES: Final = tuple(sorted({*_WORDS, *(s[2] for s in _SCRIPTS), "uk", "fa"}))
_WORD: Final = re.compile(r"[^\W\d_]+")


def make(rule: Rule) -> Check:
    """The check; raises config_invalid without languages, or for one that it cannot tell."""
    unknown = set(rule.values) - set(LANGUAGES)
    if unknown or not rule.values:
        raise wrong(rule, f"values must name languages among: {', '.join(LANGUAGES)}")

    def check(subject: Subject) -> Iterable[Hit]:
        code, confidence = detect(subject.readings[-1].text if len(subject.readings) == 1 else subject.readings[1].text)
        if code and code not in rule.values:
            yield Hit(f"is written in {code}, not in {', '.join(rule.values)}", confidence, 0, len(subject.text))

    return check


def detect(text: str) -> tuple[str, float]:
    """(ISO 639-1 code, confidence); ("", 0) when there is too little to go by."""
    letters = [c for c in text[:20_000] if c.isalpha()]
    counts = Counter(_script(ord(c)) for c in letters)
    dense = sum(counts[s] for s in ("zh", "ja", "ko"))
    if len(letters) < (6 if dense * 2 > len(letters) else MIN_LETTERS):
        return "", 0.0
    script, share = counts.most_common(1)[0]
    if script == "zh" and counts["ja"] * 10 > len(letters):
        script = "ja"
    if script:
        return _variant(script, text), round(min(1.0, share / len(letters) + 0.1), 3)
    words = _WORD.findall(text[:20_000].lower())
    scores = sorted(((sum(w in known for w in words), code) for code, known in _SETS.items()), reverse=True)
    best, second = scores[0], scores[1]
    if best[0] < 3 or best[0] < len(words) * 0.08 or best[0] <= second[0]:
        return "", 0.0
    return best[1], round(min(0.95, 0.5 + (best[0] - second[0]) / (2 * best[0])), 3)


def _script(code: int) -> str:
    if code < 0x0250:
        return ""
    for first, last, name in _SCRIPTS:
        if first <= code <= last:
            return name
    return ""


def _variant(script: str, text: str) -> str:
    """The language among those that share a script, by its own letters."""
    if script == "ru" and re.search("[іїєґІЇЄҐ]", text):
        return "uk"
    if script == "ar" and re.search("[پچژگک]", text):
        return "fa"
    return script
