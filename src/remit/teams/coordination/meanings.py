"""What an embedder says of two texts: how alike they are as a whole, and what each says that the other does not.

A cosine of whole texts is nearly the same for "it grew 3 %" and "it grew 30 %", and for a paraphrase. So the words that
only one of them has, with the small words around them, are embedded too and compared with the whole other text: of a
paraphrase they are still near ("stepped down" and "the minister resigned"), of something new they are not.

Embedders differ in what a cosine means: of one, unrelated texts have .05, of another .75. So each is measured with
six texts of which three pairs say the same, once where it can be remembered, and its cosines are put on one scale.

One call of the embedder a pair. `parts(a, b)` are all texts that it is asked for, for a table of vectors made
beforehand; a table that knows the two texts only is enough, with less to go by.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from remit.errors import Invalid
from remit.teams.coordination.stems import COMMON, NEGATIONS, fold

Embed = Callable[[Sequence[str]], Sequence[Sequence[float]]]
"""texts -> vectors of one length"""

MAX_CHARS: Final = 100_000  # of one text that are looked at
MAX_TOKENS: Final = 400  # of one text that are compared with the other's
SAME: Final = 0.85  # what the cosine of texts that say the same becomes; of unrelated ones it becomes 0
LEAST_SPREAD: Final = 0.05  # between the two; an embedder that cannot tell them apart is taken as it is
ANCHORS: Final = (
    "The meeting was moved to Tuesday because the room was taken.",
    "Since the room was not free, they shifted the meeting to Tuesday.",
    "For its growth a plant requires light.", "Plants need light to grow.",
    "They shut the old bridge in order to repair it.", "The old bridge was closed for repairs.",
)  # fmt: skip
_TOKEN: Final = re.compile(r"[^\W_]+(?:['.,%][^\W_]+)*%?|[$€£]")
Scale = tuple[float, float]
"""cosine of texts that have nothing in common, and of texts that say the same"""
AS_IT_IS: Final[Scale] = (0.0, SAME)
_scales: WeakKeyDictionary[Any, dict[str, Scale]] = WeakKeyDictionary()


class Meaning(NamedTuple):
    """Cosines on one scale, 0 to 1."""

    whole: float
    new: float | None = None
    """of what only the new text says and the earlier text; 1 where it says nothing of its own, None = not known"""
    old: float | None = None
    """of what only the earlier text says and the new one"""


def meaning(earlier: str, new: str, embed: Embed, *, whole: bool = False) -> Meaning:
    """The cosines of a pair.

    Args:
        whole: leave out what only one of them says.

    Raises: value_invalid when the embedder gives another number of vectors than it was given texts, vectors of
        different lengths, or values that are no finite numbers. What the embedder raises itself comes through, but for
        the value_invalid of a table that knows the two texts only: then its cosine is taken as it is.
    """
    both = (earlier[:MAX_CHARS], new[:MAX_CHARS])
    rests = ("", "") if whole else (rest(both[1], both[0]), rest(both[0], both[1]))
    known = _known(embed)
    asked = [*both, *(text for text in rests if text), *(() if known else ANCHORS)]
    try:
        made = embed(tuple(asked))
    except Invalid as error:
        if error.code != "value_invalid" or len(asked) == 2:
            raise
        first, second = checked(embed(both), 2)
        return Meaning(near(first, second, AS_IT_IS))
    found = checked(made, len(asked))
    scale = known or _measured(embed, found[-len(ANCHORS) :])
    score = near(found[0], found[1], scale)
    if whole:
        return Meaning(score)
    others = iter(found[2:])
    return Meaning(score, *(near(next(others), found[at], scale) if text else 1.0 for at, text in enumerate(rests)))


def parts(earlier: str, new: str) -> list[str]:
    """The texts that `meaning` asks its embedder for."""
    found = (earlier, new, rest(new, earlier), rest(earlier, new))
    return [*(text[:MAX_CHARS] for text in found if text), *ANCHORS]


def rest(text: str, other: str) -> str:
    """The words of a text that another does not have, with the small words beside them; "" = none."""
    words = _TOKEN.findall(text.replace("\u2019", "'"))[:MAX_TOKENS]
    if not words:
        return ""
    known = {_key(word) for word in _TOKEN.findall(other.replace("\u2019", "'"))[:MAX_TOKENS]}
    small = [word.lower() in COMMON for word in words]
    own = [not few and _key(word) not in known for few, word in zip(small, words, strict=True)]
    beside = [before or after for before, after in zip([False, *own[:-1]], [*own[1:], False], strict=True)]
    return " ".join(
        word for word, mine, few, close in zip(words, own, small, beside, strict=True) if mine or (few and close)
    )


def checked(made: Sequence[Sequence[float]], count: int) -> list[Sequence[float]]:
    """What an embedder made of `count` texts; raises value_invalid (see `meaning`)."""
    found = list(made)
    if len(found) != count:
        raise Invalid("value_invalid", f"the embedder made {len(found)} vectors of {count} texts")
    sizes = {len(vector) for vector in found}
    if len(sizes) != 1 or 0 in sizes:
        raise Invalid("value_invalid", f"the embedder made vectors of {sorted(sizes)} values; one length is needed")
    if not all(math.isfinite(value) for vector in found for value in vector):
        raise Invalid("value_invalid", "the embedder made a vector with a value that is no finite number")
    return found


def near(a: Sequence[float], b: Sequence[float], scale: Scale) -> float:
    """The cosine on the common scale, 0 to 1."""
    low, high = scale
    return max(0.0, min(1.0, SAME * (cosine(a, b) - low) / (high - low)))


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    """-1 to 1; 0 where a vector has no length."""
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    size = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(y * y for y in b))
    return max(-1.0, min(1.0, dot / size)) if 0 < size < math.inf else 0.0


def _key(word: str) -> str:
    word = word.lower()
    return word if word in COMMON or word in NEGATIONS else fold(word)


def scale_of(embed: Embed) -> Scale:
    """What the cosines of an embedder mean; as they are, where it is a table that does not know the six texts."""
    known = _known(embed)
    if known is not None:
        return known
    try:
        made = embed(ANCHORS)
    except Invalid as error:
        if error.code != "value_invalid":
            raise
        return AS_IT_IS
    return _measured(embed, checked(made, len(ANCHORS)))


def _known(embed: Embed) -> Scale | None:
    owner, name = getattr(embed, "__self__", embed), getattr(embed, "__name__", "")
    try:
        return _scales.get(owner, {}).get(name)
    except TypeError:  # it has no hash, or no weak reference: it is measured with each pair
        return None


def _measured(embed: Embed, anchors: Sequence[Sequence[float]]) -> Scale:
    pairs = [(i, j) for i in range(len(anchors)) for j in range(i)]
    same = [cosine(anchors[i], anchors[j]) for i, j in pairs if i // 2 == j // 2]
    other = [cosine(anchors[i], anchors[j]) for i, j in pairs if i // 2 != j // 2]
    low, high = sum(other) / len(other), sum(same) / len(same)
    scale = (low, high) if high - low >= LEAST_SPREAD else AS_IT_IS
    owner, name = getattr(embed, "__self__", embed), getattr(embed, "__name__", "")
    try:
        _scales.setdefault(owner, {})[name] = scale
    except TypeError:
        pass  # see `_known`
    return scale
