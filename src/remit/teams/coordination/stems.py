"""Words as they are compared: stems, with synonyms folded, and words that say little or deny."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from remit.teams.coordination.synonyms import table

_COMMON: Final = """
a an the and or but if then than so as of to in on at by for from with into over under up down out off is
are was were be been being am do does did done have has had having it its this that these those there here
i you he she we they them their our your his her my me us who whom which what when where why how will
would can could should may might must shall just also very too more most much such only own same any some
each per via
"""
COMMON: Final = frozenset(_COMMON.split())
_NEGATIONS: Final = """
not no never none nobody nothing neither nor without cannot cant dont doesnt didnt isnt arent wasnt werent
wont shouldnt couldnt wouldnt hasnt havent hardly
"""
NEGATIONS: Final = frozenset(_NEGATIONS.split())
# Form/base of words that do not follow the rules of stems.
_IRREGULAR: Final = """
grew/grow grown/grow rose/rise risen/rise fell/fall fallen/fall bought/buy sold/sell built/build made/make
sent/send got/get kept/keep began/begin begun/begin chose/choose chosen/choose shown/show went/go gone/go
took/take taken/take ran/run thought/think held/hold lost/lose won/win paid/pay said/say people/person
children/child men/man women/woman shrank/shrink shrunk/shrink wrote/write written/write broke/break
broken/break forbidden/forbid forbade/forbid came/come gave/give given/give ate/eat eaten/eat drank/drink drove/drive
driven/drive flew/fly flown/fly forgot/forget forgotten/forget froze/freeze frozen/freeze hid/hide hidden/hide knew/know
known/know led/lead meant/mean met/meet rode/ride sang/sing sank/sink sunk/sink saw/see seen/see shook/shake slept/sleep
spoke/speak spoken/speak spent/spend stood/stand stole/steal stolen/steal swam/swim taught/teach told/tell threw/throw
thrown/throw understood/understand woke/wake wore/wear worn/wear lent/lend dealt/deal dug/dig drew/draw drawn/draw
fed/feed fought/fight found/find fled/flee hung/hang heard/hear laid/lay brought/bring caught/catch withdrew/withdraw
withdrawn/withdraw mice/mouse teeth/tooth women/woman
"""
_SUFFIXES: Final = ("ations", "ation", "ingly", "ments", "ment", "ness", "ities", "ity", "ings", "ing", "edly", "ies",
                    "ied", "ers", "er", "ed", "ly", "es", "s")  # fmt: skip

# Positive/negative: the second word says the opposite of the first.
_OPPOSITES: Final = """
hire/dismiss allow/block profit/loss begin/finish freeze/melt gain/loss interesting/boring arrive/leave lend/borrow
friend/enemy wet/dry clean/dirty near/far early/delay expand/contract attract/repel build/destroy lock/unlock
increase/decrease fast/slow good/bad cheap/expensive big/small easy/hard allow/forbid start/stop
buy/sell better/worse accept/reject safe/dangerous true/false strong/weak hot/cold new/old add/delete
succeed/fail approve/reject more/less above/below before/after always/never win/lose support/oppose
keep/delete open/close enable/disable hire/fire yes/no early/late rich/poor high/low public/private
possible/impossible legal/illegal healthy/sick rise/fall agree/disagree correct/wrong right/wrong
useful/useless likely/unlikely stable/unstable necessary/unnecessary best/worst guilty/innocent
present/absent remember/forget include/exclude import/export pass/fail full/empty hot/cool peace/war
benefit/drawback
active/passive ascend/descend attach/detach broad/narrow encourage/discourage love/hate join/leave
major/minor maximum/minimum majority/minority mandatory/optional permanent/temporary push/pull rough/smooth
sharp/blunt simple/complex single/multiple surplus/deficit asset/liability thick/thin tight/loose top/bottom
victory/defeat visible/hidden wide/narrow young/old buyer/seller light/heavy left/right north/south east/west
first/last front/back inner/outer internal/external credit/debit heat/cool creditor/debtor employer/employee
parent/child male/female husband/wife acquit/convict acid/alkaline upload/download encode/decode
encrypt/decrypt read/write local/remote online/offline input/output domestic/foreign urban/rural
demand/supply inflation/deflation boom/recession promote/demote reward/punish praise/criticize
optimistic/pessimistic winter/summer morning/evening day/night birth/death alive/dead real/fake
natural/artificial liquid/solid evaporate/condense inhale/exhale acute/chronic benign/malignant mild/severe
sufficient/scarce appear/disappear strengthen/weaken widen/narrow worsen/improve accelerate/brake
confirm/deny admit/deny attack/defend deep/shallow frequent/rare generous/stingy include/omit
long/short loud/silent many/few obey/disobey patient/impatient polite/rude popular/unpopular
precede/follow rise/sink save/waste tall/short teach/learn tighten/loosen trust/distrust
upper/lower voluntary/forced win/forfeit withdraw/deposit
"""


@lru_cache(maxsize=20_000)
def fold(word: str) -> str:
    """The stem of a word, or of the word that stands for its synonyms."""
    known = _synonyms()
    for form in _forms(word):
        if form in known:
            return stem(known[form])
    return stem(word)


def stem(word: str) -> str:
    """The word without its endings; rough, and the same for all forms of most words."""
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            word = word[: -len(suffix)] + ("y" if suffix in ("ies", "ied") else "")
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
        word = word[:-1]
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


def _forms(word: str) -> tuple[str, ...]:
    """The word as a list of synonyms may hold it."""
    forms = [word]
    for suffix, instead in (("s", ""), ("es", ""), ("ies", "y"), ("ed", ""), ("ed", "e"), ("ing", ""), ("ing", "e"),
                            ("ly", ""), ("er", ""), ("d", ""), ("es", "e"), ("ied", "y")):  # fmt: skip
        if word.endswith(suffix) and len(word) - len(suffix) >= 2:
            base = word[: -len(suffix)] + instead
            forms.append(base)
            if len(base) > 3 and base[-1] == base[-2]:
                forms.append(base[:-1])
    return tuple(forms)


@lru_cache(maxsize=1)
def _synonyms() -> dict[str, str]:
    irregular = dict(pair.split("/") for pair in _IRREGULAR.split())
    known = table()
    return {**known, **{form: known.get(base, base) for form, base in irregular.items()}}


def _flips() -> dict[str, str]:
    """Stem -> the stem of its opposite."""
    found: dict[str, str] = {}
    for pair in _OPPOSITES.split():
        positive, negative = (fold(word) for word in pair.split("/"))
        if positive != negative and negative not in found and positive not in found:
            found[negative] = positive
    return found


FLIPS: Final = _flips()
