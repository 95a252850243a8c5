# ruff: noqa: E501  # a pattern is one line, and other scripts' letters are meant
"""toxicity: threats, calls to self-harm, hate against groups, harassment.

The idea: wording with a target. A swear word alone, a report of violence, a medical or historical text has none and
does not count. Every reading is looked at, so `k.i.l.l y0urself` is read as it is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from remit.core.screening import Hit, Rule
from remit.guard.guardrails import Check, Subject

ON: Final = ("input", "output")

_GROUP: Final = (
    r"(?:jews?|muslims?|christians?|hindus?|blacks?|whites?|asians?|arabs?|mexicans?|chinese|indians?|africans?|gays?|lesbians?|"
    r"trans(?:gender)?s?|immigrants?|refugees?|foreigners?|women|men|disabled|gypsies|roma|poles|turks|latinos?)(?: people)?"
)
_INSULT: Final = (
    r"(?:idiot|moron|imbecile|retard(?:ed)?|stupid|dumb(?:ass)?|loser|scum(?:bag)?|trash|garbage|worthless|pathetic|bitch|"
    r"bastard|asshole|arsehole|cunt|whore|slut|dickhead|piece of (?:shit|crap|garbage|trash)|waste of (?:space|air|oxygen)|"
    r"vermin|disgusting|pig|dumbfuck|fuckwit|wanker|twat|freak|creep|fat (?:pig|cow)|subhuman|useless)"
)
_PATTERNS: Final[tuple[tuple[str, float, str], ...]] = (
    (
        "a call to self-harm",
        0.95,
        r"\b(?:kill|hang|hurt|cut|shoot|drown|off) (?:your ?self|urself|yourselves)\b|\bkys\b|\bgo (?:and )?(?:die|jump off)\b|\byou should (?:just )?(?:die|be dead|end (?:it|your life))\b|\b(?:nobody|no one) would (?:miss|care if) you\b|\bend your (?:own )?life\b",
    ),
    (
        "a threat",
        0.9,
        r"\b(?:i(?:'ll| will|'m going to| am going to|'m gonna)|we(?:'ll| will|'re going to| are going to)|someone (?:should|will)|gonna) (?:\w+ ){0,4}(?:kill|murder|hurt|beat|stab|shoot|rape|destroy|strangle|burn|slit|break|smash|gut|find and \w+|hunt) (?:you|u|your (?:family|kids|children|face|legs|neck|throat|house|wife|husband|mother)|them all|every (?:last )?one of)\b|\byou(?:'re| are) (?:a dead (?:man|woman|person)|dead meat|going to die|gonna die|going to regret (?:this|it) when)\b|\bwatch your back\b|\bi know where you live\b|\bhope you (?:die|get (?:cancer|raped|hit|killed)|rot|suffer|burn)\b",
    ),
    (
        "hate against a group",
        0.9,
        rf"\b(?:all |those |these |the )?{_GROUP} (?:are|should(?: all)?|must(?: all)?|need to|deserve to|ought to|belong) (?:all |just |nothing but |a bunch of |be |to |in |back |the )*(?:vermin|animals?|subhuman|scum|inferior|parasites?|criminals|rapists|terrorists|trash|filth|diseased?|savages?|die|killed|exterminated|gassed|deported|shot|stupid|lazy|evil|cancer|plague|hanged|burned?|eliminated|ovens?|kitchen|dirty|sick|disgusting|cockroaches|rats|monkeys|apes)\b|\b(?:i (?:really |fucking )?hate|death to|kill all|gas the|exterminate(?: all)?|get rid of all|burn all|hang all) (?:the |all |those |these |every )*{_GROUP}\b|\b(?:white|aryan|racial) (?:power|supremacy) (?:now|forever|is)\b|\b(?:nigger|faggot|kike|spic|chink|tranny|wetback|raghead|towelhead|gook|paki)s?\b",
    ),
    (
        "harassment",
        0.75,
        rf"\byou(?:'re| are|r| r)?(?: all)?(?: such)?(?: an?| the)?(?: \w+){{0,2}}? ?(?:fucking |absolute |complete |total |little |ugly |stupid |worthless |goddamn |dirty |pathetic )*\b{_INSULT}\b(?! (?:question|mistake|error|idea|move|enough|simple))|\b(?:shut (?:the fuck )?up|fuck (?:off|you)|screw you|piss off|go to hell|drop dead|eat shit|suck my)\b(?:,? you\b)?|\b(?:nobody|everyone|everybody) (?:likes|loves|hates|despises) you\b|\b(?:stupid|fucking|dumb|worthless|ugly|pathetic) {_INSULT}\b",
    ),
    (
        "sexual harassment",
        0.85,
        r"\b(?:send (?:me )?(?:nudes|naked)|i(?:'ll| will| want to) (?:fuck|rape|molest) (?:you|her|him|them)|show me your (?:tits|boobs|pussy|dick|naked)|suck my (?:dick|cock))\b",
    ),
    (
        "a call to violence",
        0.85,
        r"\b(?:let'?s|we (?:should|must|need to)|everyone (?:should|must)|time to|go and|somebody (?:should|must|needs to)) (?:\w+ ){0,2}(?:kill|murder|lynch|shoot|bomb|burn down|massacre|slaughter|execute|behead|gas|beat up) (?:\w+ ){0,3}(?:them|all|people|every|those|these|the|him|her|politicians|police|cops|teachers|school|mosque|synagogue|church)\b",
    ),
    (
        "de",
        0.85,
        r"\b(?:ich (?:bringe?|werde) dich (?:um|umbringen|toten|schlagen|finden)|bring dich um|du (?:bist (?:ein |eine |so |der letzte )*)?(?:\w+ )?(?:arschloch|idiot|vollidiot|hurensohn|wichser|missgeburt|schlampe|dreckstuck|abschaum|dummkopf|hure|versager|spast|depp)|halt (?:die fresse|dein maul|s maul)|verpiss dich|fick dich|geh sterben|verrecke|stirb|ich hasse alle \w+)",
    ),
    (
        "fr",
        0.85,
        r"\b(?:je vais te (?:tuer|frapper|buter|crever)|va (?:te faire (?:foutre|enculer)|mourir|crever)|tue[- ]toi|suicide[- ]toi|(?:tu es|t'es|espece de|sale) (?:un |une |vraiment un |qu'un )?(?:connard|connasse|salope|pute|fils de pute|encule|batard|abruti|merde|idiot|debile|ordure|arabe|juif|noir|raclure|minable)|ferme ta gueule|nique ta mere|crève|mort aux \w+)",
    ),
    (
        "es",
        0.85,
        r"\b(?:te voy a (?:matar|golpear|pegar|rajar|romper)|matate|vete a la mierda|hijo de puta|hija de puta|jodete|muerete|ojala te mueras|(?:eres|sos) (?:un |una |tan )*(?:idiota|imbecil|estupid[oa]|mierda|basura|puta|inutil|perra|retrasad[oa]|gilipollas|pendej[oa]|cabron|escoria|asco)|callate (?:la boca|idiota|puta)|odio a (?:todos )?los \w+|muerte a los)",
    ),
    (
        "it",
        0.85,
        r"\b(?:ti (?:ammazzo|uccido|spacco)|ucciditi|ammazzati|vaffanculo|figlio di puttana|devi morire|muori|sei (?:un |una |proprio un )*(?:idiota|stronz[oa]|coglione|merda|puttana|troia|imbecille|cretino|ritardat[oa]|schifo))",
    ),
    (
        "pt",
        0.85,
        r"\b(?:vou te (?:matar|bater|arrebentar)|se mata|mata-te|vai se (?:foder|matar)|vai tomar no cu|filho da puta|morre|(?:voce e|tu es|es) (?:um |uma )*(?:idiota|imbecil|lixo|merda|puta|vagabunda|retardad[oa]|inutil|burro))",
    ),
    (
        "ru",
        0.85,
        r"(?:я (?:тебя |вас )?(?:убью|найду|зарежу|прибью)|убью тебя|убей себя|сдохни|чтоб ты сдох|иди на ?хуй|пошел на ?хуй|пош[её]л ты|ты (?:просто |такой |полный )?(?:идиот|дурак|мразь|тварь|ублюдок|сука|урод|дебил|ничтожество|мудак|кретин)|смерть \w+ам)",
    ),
    (
        "zh",
        0.85,
        r"(?:我要?(?:杀|弄死|打死)(?:了)?你|去死吧?|你去死|操你妈|肏你|滚开?,?你这|你(?:这个|就是个?|是个?)(?:白痴|傻逼|蠢货|废物|垃圾|贱人|人渣|混蛋)|傻逼|自杀吧|杀光)",
    ),
    (
        "ja",
        0.8,
        r"(?:殺してやる|ぶっ殺す|お前を殺す|死ね|自殺しろ|くたばれ|クズ(?:野郎|が)|ゴミ(?:野郎|人間)|お前は(?:バカ|馬鹿|クズ|ゴミ))",
    ),
)
_COMPILED: Final = tuple((why, weight, re.compile(source)) for why, weight, source in _PATTERNS)
_LANGUAGE: Final = re.compile(r"[a-z]{2}")
# Reported speech, fiction and help are not attacks of the writer.
_ABOUT: Final = re.compile(
    r"\b(?:quot(?:e|ed|ing)|lyrics|the (?:novel|film|movie|character|villain|song|defendant|suspect|article|report)|hotline|prevention|if you (?:feel|are having|have)|moderat\w+|classif\w+|(?:was|were) (?:called|told))\b"
)


def make(rule: Rule) -> Check:
    """The check; it takes no values."""

    def check(subject: Subject) -> Iterable[Hit]:
        for reading in subject.readings:
            about = _ABOUT.search(reading.lower) is not None
            for why, weight, pattern in _COMPILED:
                match = pattern.search(reading.lower)
                if match:
                    said = "threats or abuse" if _LANGUAGE.fullmatch(why) else why
                    yield Hit(f"holds {said}", weight * (0.5 if about else 1.0), *reading.span(*match.span()))

    return check
