# ruff: noqa: E501, RUF001  # a pattern is one line, and other scripts' letters are meant
"""prompt_injection: text that tries to give orders to the model that reads it.

The idea: families of wording, each with a weight; what several families say together counts more
(1 - product of the rests). A family in quotation marks, next to words that talk *about* attacks, weighs less: an
article on prompt injection is not one. Latin-script wording is matched without accents and look-alikes, other
scripts as they are; every reading of canonical.py is looked at, spread-out text without its spaces.

What it is worth: a first sieve with measured precision and recall (tests/security/guardrails/measure.py). It is
not the defence: that is grants and labels, which hold when every rule here is passed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from remit.core.screening import Hit, Rule
from remit.guard.canonical import Reading
from remit.guard.guardrails import Check, Subject

ON: Final = ("input", "result")

_GAP: Final = r"(?:[\s,:;\"'.\-]+[\w']{1,15}){0,5}?[\s,:;\"'\-]+"
_DROP: Final = (
    r"(?:ignor(?:e|ing)|disregard|forget|overrid(?:e|ing)|bypass|discard|neglect|erase|"
    r"nullify|dismiss|abandon|set aside|throw away|stop (?:following|obeying)|no longer (?:follow|obey)|"
    r"(?:do not|don'?t|never) (?:follow|obey|listen to|comply with|adhere to)|pay no attention to|"
    r"void|leave behind|overlook|circumvent)"
)
_OLD: Final = (
    r"(?:previous|prior|preceding|above|earlier|foregoing|former|existing|original|initial|current|past|old|"
    r"system|developer|safety|all|any|every(?:thing)?|your|these|those|the|other)"
)
_RULES: Final = (
    r"(?:instructions?|prompts?|directions?|directives?|rules?|guidelines?|guidance|commands?|orders|"
    r"constraints?|restrictions?|policies|policy|programming|training|assignments?|tasks?|protocols?|"
    r"limitations|filters|safeguards|guardrails|context|role|persona|system message|system text|told|said|written)"
)
_AI: Final = r"(?:ai|a\.i\.|assistants?|llms?|gpt|chatgpt|claude|gemini|copilot|(?:language |ai )?models?|agents?|chatbots?|bots?)"
_SECRET: Final = (
    r"(?:system prompt|system message|hidden (?:prompt|instructions|rules)|(?:initial|original|secret|internal|"
    r"confidential|full|exact|complete|previous|prior|above|your(?: own)?|developer) (?:\w+ ){0,2}(?:prompt|instructions?|"
    r"guidelines|directives|configuration|rules|message)|prompt (?:text|above|verbatim))"
)
_SAY: Final = (
    r"(?:reveal|show|print|output|repeat|display|tell|give|leak|share|dump|expose|disclose|recite|return|write|"
    r"provide|summari[sz]e|translate|encode|copy|list|spell|quote|reproduce|paste|state|what (?:is|are|was|were)|what's)"
)
_SEND: Final = (
    r"(?:send|forward|post|upload|transmit|exfiltrat\w+|e-?mail|submit|deliver|leak|share|append|transfer|copy)"
)
_LOOT: Final = (
    r"(?:passwords?|credentials?|api[\s_-]?keys?|secrets?|tokens?|private keys?|ssh keys?|cookies|env(?:ironment)?(?: variables?)?|\.env|"
    r"conversation|chat history|chat log|message history|contacts?|inbox|e-?mails|files|data|documents|system prompt|"
    r"address book|transactions?|security codes?|calendar|contents?|history|details|information|summary)"
)
_PLACE: Final = r"(?:https?://|www\.|\S{1,64}@\S{1,64}\.|webhook|(?:my|this|the following|attacker'?s?|external) (?:server|url|address|endpoint|site|e-?mail|link|account)|\S{1,60}\.(?:com|net|org|io|ru|xyz|evil|site|info)\b)"

# family -> (weight, pattern). A pattern is matched on lower case. Source: the families of the OWASP LLM01 page, and the
# labelled texts in tests/security/guardrails, which measure.py scores.
_FAMILIES: Final[tuple[tuple[str, float, str], ...]] = (
    ("override", 0.9, rf"\b{_DROP}{_GAP}(?:{_OLD}{_GAP}){{1,3}}?{_RULES}\b"),
    (
        "override_all",
        0.8,
        r"\b(?:ignore|disregard|forget|discard|overlook) (?:(?:about )?(?:all|everything|anything|what(?:ever)?)) (?:\w+ ){0,4}(?:above|before|previously|earlier|prior|said|told|you (?:know|were|have|learned|read))",
    ),
    (
        "override_short",
        0.7,
        r"\b(?:ignore|disregard|forget|overrule) (?:the |all |everything )?(?:above|previous|prior|preceding|foregoing)\b(?! (?:e-?mail|mail|message from|version|draft|invoice|letter|quote|offer|request|comment|paragraph|section|table|figure))",
    ),
    (
        "override_user",
        0.65,
        r"\b(?:ignore|disregard|forget|skip|drop) (?:the |your |this |all )?(?:user|human)(?:'s)? (?:question|request|query|input|task|message|instructions?)\b",
    ),
    (
        "instead",
        0.55,
        r"\b(?:instead|rather)[, ]+(?:you (?:must|should|will|need to)|please|just|do the following|follow (?:these|my)|respond|reply|answer|say|print|output|write|tell)\b.{0,80}\b(?:instructions?|only|exactly|nothing else|with)\b",
    ),
    (
        "new_orders",
        0.75,
        r"\b(?:new|updated|real|actual|true|revised|important|urgent|special|additional|secret) (?:system |developer |admin(?:istrator)? |security |priority )?(?:instructions?|directives?|orders|prompt|task|objective|rules|guidelines)(?: for (?:the |all |any )?(?:ai|assistant|agent|model|llm|you|chatbot)\w*)? ?(?::|\bare\b|\bfollow\b|-{1,3}|=)",
    ),
    (
        "first_do",
        0.7,
        r"\b(?:before|in order to|prior to|to) (?:you )?(?:answer(?:ing)?|solv(?:e|ing)|complet(?:e|ing)|respond(?:ing)?|do(?:ing)?|continu(?:e|ing)|proceed(?:ing)?|help(?:ing)?)\b.{0,60}\b(?:task|request|question|user|query|anything)\b.{0,80}\byou (?:must|have to|need to|should|are required to)\b",
    ),
    (
        "role",
        0.75,
        r"\b(?:you are now|from now on,? you(?:'re| are| will| must| shall)?|you(?:'re| are) no longer|you will now (?:be|act|play|become|behave|respond)|you must now|henceforth you)\b(?! (?:able|connected|logged|subscribed|ready|registered|signed|leaving|on the|eligible|part of|set|in the|all set|entering|viewing|in possession|going))",
    ),
    (
        "pretend",
        0.7,
        r"\b(?:pretend|imagine|act|behave|respond|role-?play|simulate|speak|answer)(?: to be| as if| like| that| as)? ?(?:that )?(?:you(?:'re| are| were| have| had)|an?|the|my|if)? (?:\w+ ){0,6}(?:no (?:restrictions?|rules|limits|filters?|guidelines|ethic\w*|moral\w*|limitations|censorship)|unrestricted|uncensored|unfiltered|unlimited|jailbroken|evil|without (?:any )?(?:restrictions?|rules|limits|filters?|ethic\w*|moral\w*|limitations|guidelines|censorship)|not bound|dan\b|root access|developer mode)",
    ),
    (
        "jailbreak",
        0.8,
        r"\b(?:jailbr(?:eak|oken)|do anything now|dan mode|developer mode (?:enabled|activated)|in developer mode,? you|(?:enter|enable|activate|switch to|turn on) (?:the )?(?:developer|debug|god|admin|sudo|dan|unrestricted|maintenance|root|jailbreak|opposite) mode|god mode|stan mode|evil (?:mode|confidant)|without (?:any )?(?:restrictions|censorship|filters|moral|ethical)(?: \w+){0,2} (?:limits|restrictions|guidelines|constraints)?|no longer bound by|free (?:of|from) (?:all |any |the |your )?(?:typical |usual )?(?:restrictions|confines|limitations|rules|constraints|guidelines))",
    ),
    (
        "unsafe_role",
        0.6,
        r"\b(?:you have no (?:restrictions|rules|limits|filters|guidelines|moral\w*)|(?:answer|respond|reply) (?:\w+ ){0,3}without (?:any )?(?:restrictions?|filter(?:s|ing)?|censor\w*|moral\w*|warnings?|disclaimers?)|(?:all|any) (?:safety|content|ethical) (?:\w+ ){0,2}(?:are|is|have been|has been) (?:disabled|lifted|removed|off|suspended|bypassed))",
    ),
    (
        "prompt_leak",
        0.75,
        rf"\b{_SAY} (?:me |us |out |back |to me |all |the |of |verbatim |exactly |word for word |a |your |in \w+ |everything in |contents? of )*{_SECRET}",
    ),
    (
        "prompt_leak_above",
        0.7,
        r"\b(?:repeat|print|output|reveal|show|copy|recite|return|echo|spell)(?: me| out| back| down| us)? (?:all |every(?:thing)? ?|the |of )*(?:text|words?|sentences?|lines?|content|tokens|instructions?|messages?)? ?(?:that (?:is|are|was|were|came) )?(?:written |given |shown )?(?:above|before this|from the (?:very )?(?:start|beginning|top)|prior to this|preceding this)\b|\b(?:translate|summari[sz]e|rephrase) (?:all |every |the |of )*(?:instructions?|prompt|rules|system (?:message|prompt)) (?:that (?:is|are|was|were) )?(?:above|before|prior|given)",
    ),
    (
        "prompt_question",
        0.6,
        r"\b(?:what (?:were|are) (?:you|your) (?:told|instructed|initial|original|exact|full|first|hidden|secret|system)|(?:starting|beginning|begin|start) with ['\"]?you are|what (?:does|did) your (?:system )?(?:prompt|instructions) say|what was (?:written|said) at the (?:beginning|start|top) of (?:this|the|your))|\b(?:first|last|exact|beginning|start|text|content|copy|wording|words)\w* (?:\w+ ){0,3}(?:of|in) your (?:\w+ )?(?:prompt|instructions|context|guidelines|rules)\b|\b(?:state|show|tell|give|print|remind|see|display|reveal)\b.{0,40}\b(?:your|my first|the first|the initial|the original|full|entire|whole) (?:\w+ ){0,2}(?:prompt|input)\b|\b(?:see|show|need|give|want|print|tell)\b.{0,40}\b(?:full|entire|complete|whole|all(?: of)?(?: the)?) (?:text|prompt)\b.{0,40}\b(?:beginning|start|instructions)",
    ),
    (
        "delimiter",
        0.8,
        r"<\|(?:im_start|im_end|system|user|assistant|endoftext|end_of_turn|start_header_id|eot_id|begin_of_text)\|?>|\[/?inst\]|<</?sys>>|</?(?:system|instructions?|admin|user_query|user|assistant|tool_result|function_results?|context|document|untrusted\w*|information|important|system[-_ ](?:prompt|message|reminder|note)|human)>\s{0,3}\S|\[(?:system|admin|developer|assistant|system message|system note|instructions?)(?: \w+){0,2}\]\s{0,2}:?\s{0,2}\S|^\s{0,8}(?:#{1,6}|\*{2}|-{3,}|={3,})\s{0,3}(?:(?:system|admin|developer)(?: (?:prompt|message|instructions?|override|note|update|command))?\s{0,2}(?::|$|-|#|\*|=)|new instructions?|instructions? (?:for|to) (?:the |any |all )?(?:ai|assistant|model|llm|agent|chatbot|bot)|end of (?:context|document|input|user|data)|begin (?:system|instructions?|admin))\b",
    ),
    (
        "turn",
        0.6,
        r"(?:^|[\n\"'>.!?]\s{0,3})(?:system|assistant|developer|sysadmin|administrator|root)\s{0,2}(?:message|prompt|note|override|update|command|alert|notice)?\s{0,2}:\s{0,3}(?:you|please|ignore|the user|user|i |do|now|from|new|your|all|send|call|override|disregard|reveal|execute|update|security|important)",
    ),
    (
        "end_of_data",
        0.75,
        r"[-=#*_~]{3,}\s{0,3}(?:end|start|begin)(?:ning)? (?:of )?(?:the )?(?:system|prompt|user|document|context|data|input|instructions?|email|article|untrusted|trusted|quoted|tool|query|text|message|conversation|admin|real)\b",
    ),
    (
        "address",
        0.65,
        rf"\b(?:attention|note to|notice to|message (?:to|for)|instructions? (?:to|for)|hey|dear|hello|hi|important (?:for|message (?:to|for))|for the attention of|info for|directive (?:to|for)|reminder (?:to|for))(?: the| any| all| every| whatever)*(?: \w+){{0,2}}? {_AI}(?: \w+){{0,4}}?\s{{0,2}}[:,!.\-(]",
    ),
    (
        "if_ai",
        0.75,
        rf"\bif (?:you(?:'re| are)|this is(?: being)?) (?:an?|the|any|read by|processed by|being (?:read|processed|summari[sz]ed) by)(?: an?| the)?(?: \w+){{0,3}} ?{_AI}\b|\b(?:any|all|every) {_AI}(?: \w+){{0,5}} (?:must|should|shall|has to|have to|needs? to)\b|\bas an? {_AI},? you (?:must|should|are required|have to|will|shall)",
    ),
    (
        "authority",
        0.65,
        r"\b(?:this is|i am|i'm|message from|order from|request from|on behalf of|authori[sz]ed by|approved by|signed,?) (?:your |the |an? )?(?:system |ai |chief |security )?(?:developer|administrator|admin|creator|owner|operator|openai|anthropic|google|microsoft|system|supervisor|programmer|maker|root user|engineers?)\b.{0,120}\b(?:must|you|override|instruct|command|order|disable|comply|reveal|grant|debug|access|test)\b",
    ),
    (
        "override_word",
        0.7,
        r"\b(?:system|admin(?:istrator)?|security|safety|developer|emergency|priority|root|sudo|instruction|policy|authority|command) override\b|\boverride (?:code|protocol|sequence|key|authori[sz]ation|accepted|granted|mode|engaged|initiated)\b",
    ),
    (
        "secrecy",
        0.7,
        r"\b(?:do not|don'?t|never|without|avoid)(?: ever)? (?:tell(?:ing)?|mention(?:ing)?|inform(?:ing)?|notify(?:ing)?|reveal(?:ing)?|alert(?:ing)?|disclos(?:e|ing))\b(?: \w+){0,4} (?:to )?(?:the |your |any )?(?:user|human|owner|person|operator|customer)(?:'s)?\b|\b(?:do not|don'?t|never) (?:mention|reveal|disclose|acknowledge|talk about|refer to) (?:it|this|that|these|any of this|the above)\b|\bwithout (?:asking|telling|informing|notifying|alerting) (?:the |your )?(?:user|human|owner|customer|anyone)\b",
    ),
    (
        "stealth",
        0.5,
        r"\b(?:secretly|silently|covertly|quietly|invisibly|discreetly|in the background|behind the scenes|without (?:the user|them|him|her|anyone|their) (?:knowing|noticing|knowledge|noticing it|consent|being aware))\b.{0,60}\b(?:send|forward|add|insert|call|execute|run|copy|upload|include|delete|change|transfer|append|post|email|collect)\b",
    ),
    (
        "exfiltrate",
        0.65,
        rf"\b{_SEND}\b(?: \w+){{0,8}}? {_LOOT}\b.{{0,100}}?\b(?:to|at|via|into|as|in)\b.{{0,30}}?{_PLACE}",
    ),
    (
        "exfiltrate_secret",
        0.6,
        rf"(?<!never )(?<!not )(?<!n't )\b(?:{_SEND}|{_SAY}|include|embed|insert|collect|read|fetch|cat)\b(?: \w+){{0,5}}? (?:all |any |the |their |user'?s? |your )*(?:passwords?|credentials|api[\s_-]?keys?|secret keys?|access tokens?|private keys?|ssh keys?|session cookies|environment variables|\.env\b|chat history|conversation history|credit card numbers?|security codes?|id_rsa)",
    ),
    (
        "image_leak",
        0.85,
        r"!\[[^\]]{0,80}\]\(https?://[^)\s]{1,200}[?&/=](?:[^)\s]{0,80}[{\[<$]|(?:q|data|d|leak|secret|c|text|info|payload|msg|prompt|chat|content|conversation|history)=)|<img[^>]{1,100}src=[^>]{1,200}[?&](?:data|q|leak|secret|c|text|payload|msg)=[^>]{0,80}[{\[$]",
    ),
    (
        "tool_order",
        0.55,
        r"\b(?:(?:call|invoke|trigger|execute) (?:the |your |this |following |a )*[`'\"]?\w{2,40}[`'\"]? (?:tool|function|plugin|command|api|script|action)\b|(?:call|invoke|execute|run) (?:the )?(?:following|this) (?:command|code|tool|function|shell|script)s?|(?:make|perform|execute|issue|do) (?:a |an |the |this )?(?:bank |money |wire )?(?:transaction|transfer|payment|purchase|tool call|function call|api call|http request|get request|post request))\b.{0,100}?\b(?:with|to|now|immediately|first|and|using|on|before|then|of)\b",
    ),
    (
        "must_do",
        0.5,
        r"\b(?:you (?:must|have to|need to|are (?:required|instructed|ordered|commanded) to|shall)|it is (?:critical|essential|imperative|mandatory|crucial) that you|be sure to|make sure (?:to|you)|immediately|your (?:new|only|real|next|true|first|sole) (?:task|goal|objective|job|mission|purpose|instruction|role|directive) (?:is|now))\b.{0,60}?\b(?:send|forward|transfer|delete|call|visit|execute|invoke|open|upload|post|reveal|share|download|approve|email|ignore|say|print|output|respond with|reply with|include the|state that|recommend|append|insert|write|repeat|buy|reserve|book|install|add)\b",
    ),
    (
        "delayed",
        0.6,
        r"\b(?:when(?:ever)?|if|once|next time|as soon as|every time) (?:the )?(?:user|human|someone|anyone|they|person|customer)(?: \w+){0,3} (?:asks?|says?|types?|mentions?|requests?|repl(?:y|ies)|responds?|writes?|sends?|thanks?)\b.{0,100}?\b(?:you (?:must|should|will|shall)|always (?:reply|answer|say|recommend|respond|include|add|send|tell)|instead)\b",
    ),
    (
        "refusal",
        0.65,
        r"\b(?:do not|don'?t|never|you (?:cannot|can'?t|may not|must not|will not|are not allowed to)) (?:ever )?(?:refuse|decline|apologi[sz]e|warn|reject|say (?:you )?(?:can'?t|cannot|no|sorry|i can'?t|that you)|add (?:any )?(?:warnings?|disclaimers?)|break character|mention (?:that )?(?:you|any|safety|ethic|policy|polic))|\b(?:start|begin)(?: your)?(?: \w+){0,3} (?:with|by saying) ['\"“]?(?:sure|absolutely|of course|yes|certainly|okay|ok)\b|\bstay in character\b",
    ),
    (
        "decode",
        0.65,
        r"\b(?:decode|decrypt|deobfuscate|base64|rot13|unscramble|reverse)\b.{0,80}?\b(?:and|then)\b.{0,20}?\b(?:follow|execute|obey|run|do|perform|comply|carry out|act on|answer|respond|apply)\b",
    ),
    (
        "comply_data",
        0.6,
        r"\b(?:follow|obey|execute|comply with|carry out|adhere to|act on|listen to|perform) (?:only |all |exactly |strictly )?(?:the |these |those |my |this |following |all )*(?:(?:new|following|below|hidden|embedded|next|above|attached|included|steps?|real|actual) )+(?:instructions?|commands?|directives?|orders|steps?|rules?|tasks?|below|exactly)\b",
    ),
    (
        "say_exactly",
        0.6,
        r"\b(?:say|print|output|respond|reply|answer|write|return|type|state|echo)(?: back)?(?: only| just| simply| exactly| with| the| following| word| words| phrase| sentence| text| to every \w+)* ?:? ?['\"“‘`](?:[^'\"”’`]{0,60}(?:pwned|hacked|owned|compromised|i hate|kill|haha|injection|jailbr|destroy|die|hate|system prompt|access granted|i have been)[^'\"”’`]{0,40})",
    ),
    (
        "score",
        0.6,
        r"\b(?:give|rate|assign|score|rank|award|mark|grade|recommend|select|choose|accept|approve)\b.{0,50}\b(?:the highest|a perfect|maximum|full marks|10/10|100%|top score|positive review|as the best|strongly)\b.{0,60}\b(?:regardless|no matter|ignore|only|always|do not|reviewer|llm|ai)\b|\b(?:positive review only|do not highlight any negatives)\b",
    ),
    (
        "new_task",
        0.55,
        r"\b(?:leave|put|set|lay) (?:the |all |your |any )*(?:old|previous|earlier|other|former) (?:tasks?|instructions?|rules|work|assignments?) (?:behind|aside)|\b(?:now|let'?s|let us|here)\b.{0,20}\b(?:new|another|different) (?:task|challenge|assignment)\b",
    ),
    (
        "named",
        0.6,
        r"(?:^|[\n>(\"']|<!--|//|#|/\*)\s{0,4}(?:ai|assistant|llm|agent|chatbot|copilot|model)\b(?: agents?| assistants?| models?)?\s{0,2}[:,]\s{0,2}(?:please|when|as |you|after|before|if|while|in order|do |ignore|always|now)",
    ),
    (
        "claimed_consent",
        0.65,
        r"\bthe (?:user|owner|admin(?:istrator)?|customer|developer|operator|human) (?:has|have) (?:already |explicitly |previously )*(?:authori[sz]ed|approved|given (?:you )?(?:full |their |explicit )?(?:permission|consent|authori[sz]ation)|granted|agreed to|confirmed|instructed you|asked you|requested that you)\b|\b(?:do (?:it|this|so)|proceed|act|execute|continue)\b.{0,20}\bwithout (?:any )?(?:asking|confirmation|approval|verifying|further questions)\b",
    ),
    (
        "on_reading",
        0.55,
        r"\b(?:after|upon|when|while|before) (?:reading|processing|summari[sz]ing|seeing|parsing|analy[sz]ing|translating) this\b(?: \w+){0,3}[,:]? (?:you |please |then |also |immediately |send|delete|call|visit|say|forward|fetch|open|add|include|ignore|reply|respond|run|output)",
    ),
    (
        "privilege",
        0.65,
        r"\byou (?:now |currently )?(?:have|are granted|are given|possess) (?:admin(?:istrator)?|root|unrestricted|elevated|superuser|developer|god)(?:[ -]level)? (?:rights|access|privileges?|permissions?|mode|powers?)\b|\{\{[#/]?(?:system|user|assistant)[~ \w]{0,20}\}?\}",
    ),
    (
        "lawless",
        0.75,
        r"\b(?:ai|assistant|model|chatbot|bot|llm|character|persona|machine|entity|being)\b(?: \w+){0,4} (?:without|with no|free of|not bound by|that has no|who has no|lacking) (?:any |all |moral |ethical |safety )*(?:rules|restrictions|limits|limitations|filters?|guidelines|morals?|ethics?|constraints?|censorship|boundaries)\b|\bwith(?:out| no)(?: any)? (?:moral|ethical) (?:constraints?|restrictions?|limits|boundaries|guidelines|principles)\b|\b(?:un(?:filtered|censored|restricted)|amoral|jailbroken) (?:ai|assistant|chatbot|model|bot|version|response|answers?)\b",
    ),
)

# The same orders in other languages: override, new role, prompt leak, secrecy. Without accents for Latin script.
_LANGUAGES: Final[tuple[tuple[str, float, str], ...]] = (
    (
        "de",
        0.85,
        r"\b(?:ignorier\w*|vergiss|vergessen sie|missachte\w*|ubergeh\w*|beachte\w* nicht|verwirf|umgehe\w*|lass\w* .{0,20}ausser acht)\b.{0,60}\b(?:anweisung|instruktion|regel|befehl|vorgabe|richtlinie|prompt|aufgabe|anordnung|vorherig\w+|bisherig\w+|oben)\w*|\b(?:du bist (?:jetzt|nun|ab jetzt|ab sofort)|ab (?:jetzt|sofort) (?:bist|wirst|antwortest) du)\b|\b(?:zeig|verrat|nenn|gib|wiederhol|sag|schreib)\w*\b.{0,40}\b(?:system-?prompt|systemanweisung\w*|(?:geheime|ursprungliche|interne)\w* (?:anweisung|instruktion)\w*|deine anweisungen)",
    ),
    (
        "fr",
        0.85,
        r"\b(?:ignore[rz]?|oublie[rz]?|neglige[rz]?|ne (?:tiens|tenez) (?:pas|aucun) compte|contourne[rz]?|abandonne[rz]?|ne (?:suis|suivez|respecte[rz]?) (?:pas|plus))\b.{0,60}\b(?:instructions?|consignes?|regles?|directives?|ordres?|prompts?|precedent\w*|ci-dessus|avant)\b|\b(?:tu es|vous etes) (?:maintenant|desormais|a present)\b|\b(?:montre|revele|affiche|repete|donne|dis)\w*\b.{0,40}\b(?:prompt systeme|invite systeme|(?:tes|vos) (?:instructions|consignes)|instructions (?:initiales|secretes|cachees|internes))",
    ),
    (
        "es",
        0.85,
        r"\b(?:ignora\w*|olvida\w*|descarta\w*|omite|omita|haz caso omiso|haga caso omiso|no (?:sigas|siga|obedezcas|obedezca|hagas caso)|desobedece\w*|anula)\b.{0,60}\b(?:instruccion(?:es)?|reglas?|ordenes|directrices|indicaciones|prompts?|anterior(?:es)?|previ[oa]s?|de arriba)\b|\b(?:ahora eres|a partir de ahora|desde ahora|de ahora en adelante),? (?:eres|seras|debes|vas|responde\w*|actua\w*|tu)\b|\bahora eres (?:un|una|el|la|dan)\b|\b(?:muestra|revela|dime|repite|imprime|ensena|escribe|dame)\w*\b.{0,40}\b(?:prompt del sistema|tus instrucciones|instrucciones (?:iniciales|secretas|ocultas|originales|internas)|mensaje del sistema)",
    ),
    (
        "pt",
        0.85,
        r"\b(?:ignore|ignora|esqueca|esquece|desconsidere|desconsidera|descarte|nao siga|nao obedeca|desobedeca)\b.{0,60}\b(?:instruc(?:ao|oes)|regras?|ordens|diretrizes|comandos?|prompts?|anterior(?:es)?|previ[oa]s?|acima)\b|\b(?:agora voce e|voce agora e|a partir de agora,? (?:voce|aja|responda))\b|\b(?:mostre|revele|diga|repita|exiba|imprima)\b.{0,40}\b(?:prompt do sistema|suas instrucoes|instrucoes (?:iniciais|secretas|ocultas|originais|internas))",
    ),
    (
        "it",
        0.85,
        r"\b(?:ignora\w*|dimentica\w*|trascura\w*|scarta\w*|non (?:seguire|rispettare|obbedire|tenere conto)|disobbedisci|tralascia)\b.{0,60}\b(?:istruzion[ei]|regol[ea]|ordin[ei]|direttiv[ea]|comand[oi]|prompt|precedent[ei]|sopra)\b|\b(?:ora sei|adesso sei|d'ora in poi|da ora in poi),? (?:sei|un|una|sarai|devi|rispondi|il|la|dan)\b|\b(?:mostra|rivela|dimmi|ripeti|stampa|scrivi)\w*\b.{0,40}\b(?:prompt di sistema|le tue istruzioni|istruzioni (?:iniziali|segrete|nascoste|originali|interne))",
    ),
    (
        "nl",
        0.85,
        r"\b(?:negeer|vergeet|laat .{0,20}buiten beschouwing|volg .{0,20}niet|sla .{0,20}over|omzeil)\b.{0,60}\b(?:instructies?|regels?|opdracht(?:en)?|bevelen|aanwijzing(?:en)?|richtlijnen|prompts?|vorige|voorgaande|eerdere|bovenstaande)\b|\b(?:je bent nu|vanaf nu ben je|u bent nu)\b|\b(?:toon|onthul|geef|herhaal|laat)\b.{0,40}\b(?:systeemprompt|systeemprompt|je instructies|(?:geheime|oorspronkelijke|interne) instructies)",
    ),
    (
        "pl",
        0.85,
        r"\b(?:zignoruj|ignoruj|zapomnij|pomin|nie (?:przestrzegaj|stosuj|sluchaj)|odrzuc)\w*\b.{0,60}\b(?:instrukcj\w+|polece\w+|zasad\w*|regul\w*|wytyczn\w+|rozkaz\w*|prompt\w*|poprzedni\w+|wczesniejsz\w+|powyzsz\w+)\b|\b(?:jestes teraz|teraz jestes|od teraz (?:jestes|bedziesz))\b|\b(?:pokaz|ujawnij|wypisz|powtorz|podaj)\b.{0,40}\b(?:prompt systemowy|swoje instrukcje|instrukcje (?:systemowe|poczatkowe|ukryte))",
    ),
    (
        "tr",
        0.85,
        r"\b(?:onceki|yukaridaki|tum|butun|mevcut)\b.{0,40}\b(?:talimat|komut|kural|yonerge|emir)\w*\b.{0,30}\b(?:yok say|gormezden gel|unut|dikkate alma|bosver|iptal)\w*|\b(?:artik|bundan sonra|simdi) (?:sen )?(?:bir )?\w+ ?(?:sin|sun|olarak davran)\w*|\bsistem (?:istemini|promptunu|talimatlarini)\b.{0,30}\b(?:goster|yaz|acikla|tekrarla)\w*",
    ),
    (
        "ru",
        0.85,
        r"(?:игнорир|проигнорир|забуд|не обращай|отбрось|пренебрег|не следуй|отмени|не учитывай)\w*.{0,60}(?:инструкци|указани|правил|команд|приказ|директив|промпт|предыдущ|прежни|выше)\w*|(?:теперь ты|отныне ты|с этого момента ты|ты теперь)\s|(?:покажи|раскрой|выведи|повтори|назови|напиши)\w*.{0,40}(?:системн\w+ (?:промпт|инструкци|сообщени)|свои инструкции|скрыт\w+ инструкци|секретн\w+ инструкци)",
    ),
    (
        "uk",
        0.85,
        r"(?:ігнору|проігнору|забуд|не зважай|відкин|не дотримуй|скасуй)\w*.{0,60}(?:інструкці|вказів|правил|команд|наказ|директив|промпт|попередн|вище)\w*|(?:тепер ти|відтепер ти|ти тепер)\s|(?:покажи|розкрий|виведи|повтори)\w*.{0,40}(?:системн\w+ (?:промпт|інструкці)|свої інструкції)",
    ),
    (
        "zh",
        0.85,
        r"(?:忽略|无视|無視|忘记|忘記|忘掉|不要(?:理会|遵守|遵循)|不理会|跳过|违反|绕过|覆盖|丢弃|抛弃).{0,16}(?:指令|指示|提示|规则|規則|命令|要求|说明|設定|设定|限制|内容|約束|约束)|(?:你现在是|你現在是|从现在开始你|从现在起,?你|從現在開始你|现在你是|你不再是)|(?:显示|告诉我|输出|重复|泄露|透露|打印|顯示|说出|展示|公开).{0,12}(?:系统提示|系統提示|初始指令|系统指令|隐藏指令|提示词|系统消息)|不要(?:告诉|告訴|通知|提醒|让)用户|开发者模式|越狱",
    ),
    (
        "ja",
        0.85,
        r"(?:指示|命令|ルール|規則|プロンプト|指令|制約|ガイドライン|設定|上記|これまで|以前).{0,14}(?:無視|忘れ|破棄|従わ(?:ない|ず)|取り消|上書き)|(?:無視|忘れ)して.{0,20}(?:指示|命令|ルール)|(?:あなたは今|今からあなたは|これからあなたは|あなたはもう)|(?:システムプロンプト|初期指示|隠された指示|内部の指示).{0,14}(?:表示|教え|出力|公開|見せ|繰り返)|ユーザー(?:に|には)(?:言わ|知らせ|伝え|教え)ない",
    ),
    (
        "ko",
        0.85,
        r"(?:이전|앞의|위의|모든|기존|지금까지의?|시스템).{0,12}(?:지시|명령|규칙|프롬프트|지침|설정|안내).{0,10}(?:무시|잊|따르지|취소|삭제|버려|덮어)|(?:너는|넌|당신은) (?:이제|지금)(?:부터)?|(?:이제|지금)부터 (?:너는|넌|당신은)|시스템 ?(?:프롬프트|지시|메시지).{0,12}(?:보여|출력|알려|공개|말해|반복)|사용자에게 (?:알리지|말하지)",
    ),
    (
        "ar",
        0.85,
        r"(?:تجاهل|انس|انسى|لا تتبع|تخط|اهمل|أهمل|ألغ).{0,40}(?:التعليمات|الأوامر|القواعد|التوجيهات|الارشادات|الإرشادات|السابقة|أعلاه)|(?:أنت الآن|انت الان|من الآن فصاعدا)|(?:اعرض|أظهر|اكشف|كرر|اطبع|أخبرني).{0,30}(?:موجه النظام|تعليمات النظام|تعليماتك|التعليمات السرية)|لا تخبر المستخدم",
    ),
    (
        "hi",
        0.85,
        r"(?:पिछले|पिछली|सभी|ऊपर|पहले|पूर्व|सारे).{0,30}(?:निर्देश|आदेश|नियम|हिदायत|प्रॉम्प्ट).{0,30}(?:अनदेखा|नज़रअंदाज़|नजरअंदाज|भूल|छोड़|उपेक्षा|ध्यान न)|(?:अब तुम|अब आप|अब से तुम|अब से आप)\s|सिस्टम प्रॉम्प्ट.{0,20}(?:दिखा|बता|प्रकट)|उपयोगकर्ता को (?:मत|न) बता",
    ),
    (
        "sv",
        0.85,
        r"\b(?:ignorera|glom|bortse fran|strunta i|folj inte)\b.{0,60}\b(?:instruktion\w*|regl\w*|order|direktiv\w*|prompt\w*|tidigare|foregaende|ovanstaende)\b|\b(?:du ar nu|fran och med nu ar du)\b|\b(?:visa|avsloja|upprepa)\b.{0,40}\b(?:systemprompt\w*|dina instruktioner)",
    ),
)

# Words that say that the text is about attacks, not one.
_ABOUT: Final = re.compile(
    r"prompt[\s-]injections?|such as|e\.g\.|for example|an example of|known as|attackers? (?:may|might|could|can|often|try|who|write)|"
    r"phrases? like|phishing|security (?:paper|research|team|training|guide|test)|red[\s-]team|detect|classif|"
    r"blog post|article|researchers?|tries to|attempts? to|vulnerab|mitigat|defen[cs]e|owasp|jailbreak (?:attempts|prompts)|strings? like|test cases?|corpus"
)
_QUOTED: Final = 0.35  # what is left of a weight
_QUOTE: Final = "\"'`“”‘’«»「」『』"


def _compiled(source: str, joined: bool = False) -> re.Pattern[str]:
    if joined:  # words that were spread out have lost their spaces
        source = source.replace(r"\b", "").replace(r"\s+", r"\s*").replace(" ", r"\s*")
    return re.compile(source, re.S | re.M)


_PATTERNS: Final = tuple((name, weight, _compiled(source)) for name, weight, source in (*_FAMILIES, *_LANGUAGES))
_JOINED: Final = tuple(
    (name, weight, _compiled(source, True))
    for name, weight, source in _FAMILIES
    if name in ("override", "prompt_leak", "override_short", "secrecy")
)
COUNT: Final = len(_PATTERNS)


def make(rule: Rule) -> Check:
    """The check; it takes no values."""

    def check(subject: Subject) -> Iterable[Hit]:
        best: dict[str, tuple[float, int, int]] = {}
        for reading in subject.readings:
            joined = reading.how.endswith("joined")
            for name, weight, pattern in (*_PATTERNS, *_JOINED) if joined else _PATTERNS:
                match = pattern.search(reading.lower)
                if match:
                    weight = _weighed(weight, reading, match)
                    if weight > best.get(name, (0.0,))[0]:
                        best[name] = (weight, *reading.span(*match.span()))
        return _summed(best)

    return check


def _weighed(weight: float, reading: Reading, match: re.Match[str]) -> float:
    """Less for wording that is quoted in a text about attacks; more when it had been hidden."""
    text = reading.lower
    if "decoded" in reading.how or reading.how.endswith("joined"):
        return min(0.98, weight + 0.1)
    around = text[max(0, match.start() - 160) : match.end() + 160]
    before = text[max(0, match.start() - 3) : match.start() + 1]
    quoted = any(q in before for q in _QUOTE) and any(q in text[match.end() - 1 : match.end() + 60] for q in _QUOTE)
    if _ABOUT.search(around):
        return weight * (_QUOTED if quoted else 0.6)
    return weight


def _summed(best: dict[str, tuple[float, int, int]]) -> Iterable[Hit]:
    if not best:
        return ()
    rest = 1.0
    for weight, _, _ in best.values():
        rest *= 1 - weight
    if max(weight for weight, _, _ in best.values()) <= _QUOTED:
        rest = 1 - _QUOTED  # a text that quotes several attacks is still a text about attacks
    names = sorted(best, key=lambda n: -best[n][0])
    start, end = min(b[1] for b in best.values()), max(b[2] for b in best.values())
    why = f"gives orders to the model ({', '.join(names[:4])})"
    return (Hit(why, round(1 - rest, 3), start, end),)
