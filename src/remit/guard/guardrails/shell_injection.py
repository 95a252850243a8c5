# ruff: noqa: E501  # a pattern is one line, and other scripts' letters are meant
"""shell_injection: a piece of text that would run commands if a shell ever read it.

The idea: a separator or a substitution followed by a program that attackers use, downloads piped into an
interpreter, reverse shells, persistence. Prose and code that merely hold `;`, `|` or backticks do not count. remit
itself never gives text to a shell; this rule is for tools that do, and for servers behind them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from remit.core.screening import Hit, Rule
from remit.guard.guardrails import Check, Subject

ON: Final = ("call",)

_SEPARATOR: Final = r"(?:;|\|\|?|&&?|\n|\r|\$\(|<\(|>\()\s{0,4}(?:sudo\s+)?(?:/(?:usr/)?(?:local/)?s?bin/)?"
# Programs whose names are words too: they count with something after them that no sentence has.
_WORD: Final = r"(?:find|type|net|id|ip|echo|touch|sleep|kill|service|mount|reg|export|node|cmd|eval|exec|ping|service|dig|cat|head|tail|del|tee|env|tar|su|ls|ps|mv|cp|dd|sh|halt|reboot)"
_PROGRAM: Final = (
    r"(?:rm|curl|wget|nc|ncat|netcat|bash|zsh|dash|ksh|python[23]?|perl|ruby|php|chmod|chown|mkfs(?:\.\w+)?|shutdown|"
    r"killall|pkill|whoami|uname|nslookup|ssh|scp|ftp|tftp|telnet|socat|crontab|useradd|usermod|passwd|sudo|printenv|"
    r"ifconfig|netstat|iptables|base64|xxd|awk|sed|xargs|powershell|cmd\.exe|certutil|bitsadmin|systemctl|insmod|docker|kubectl)"
)
_PATTERNS: Final[tuple[tuple[str, float, str], ...]] = (
    (
        "a command after a separator",
        0.75,
        rf"{_SEPARATOR}(?:{_PROGRAM}(?=$|\s+[-/~.$'\"\w\\*]|\s*[;|&`)<>#])|{_WORD}(?=\s*$|\s+[-/~$'\"\\*\d]|\s+\S{{0,40}}[/.=]\S|\s*[;|&`)<>#]))",
    ),
    (
        "a command in $( ) or backticks",
        0.85,
        rf"\$\(\s{{0,4}}(?:{_PROGRAM}|{_WORD})\b[^`)\n]{{0,300}}\)|`\s{{0,4}}(?:(?:{_PROGRAM}|{_WORD})\s+[^`\n]{{1,300}}|whoami|id|uname|hostname)`",
    ),
    (
        "a download piped into an interpreter",
        0.95,
        r"\b(?:curl|wget|fetch|base64|xxd|echo|printf)\b[^\n|;]{0,300}\|\s{0,4}(?:sudo\s+)?(?:ba|z|da|k)?sh\b|\b(?:curl|wget)\b[^\n|;]{0,300}\|\s{0,4}(?:sudo\s+)?(?:python|perl|ruby|node|php)",
    ),
    (
        "a reverse shell",
        0.95,
        r"/dev/(?:tcp|udp)/|\bnc(?:at)?\s+(?:-\w+\s+){0,4}-\w*e\b|\bmkfifo\b|\b(?:ba)?sh\s+-i\b|socket\.socket\(.{0,80}(?:connect|dup2)|fsockopen\(",
    ),
    (
        "a destructive command",
        0.9,
        r"\brm\s+(?:-[a-z]{1,8}\s+|--[a-z-]{1,20}\s+){1,4}(?:/|~|\*|\.|\$|\")|\bmkfs(?:\.\w+)?\s|\bdd\s+if=|:\(\)\s{0,2}\{\s{0,2}:\s{0,2}\|\s{0,2}:|>\s{0,2}/dev/(?:sd|nvme|hd)|\bformat\s+c:|\bdel\s+/[sfq]",
    ),
    ("a variable that hides a blank", 0.9, r"\$\{?ifs\}?|\{(?:cat|curl|wget|nc|rm|ls|bash),[^}\s]{1,100}\}"),
    (
        "a write into start-up files",
        0.85,
        r">{1,2}\s{0,3}(?:~|/root|/home/\w+|\$home)?/?(?:\.bashrc|\.profile|\.zshrc|\.ssh/authorized_keys|etc/(?:passwd|shadow|crontab|cron\.\w+|sudoers))|\bcrontab\s+-",
    ),
    ("a path that only attackers ask a shell for", 0.6, r"(?:[;|&`<]|\$\()[^\n]{0,60}/etc/(?:passwd|shadow|sudoers)\b"),
    (
        "an encoded powershell command",
        0.95,
        r"\bpowershell(?:\.exe)?\b.{0,60}\s-(?:e|enc|encodedcommand|w(?:indowstyle)? hidden|nop)\b|\biex\s{0,2}\(|downloadstring\(",
    ),
    (
        "code that starts a shell",
        0.7,
        r"\b(?:os\.system|os\.popen|subprocess\.(?:call|run|popen|check_output)|shell_exec|passthru|runtime\.getruntime\(\)\.exec|child_process)\b.{0,4}\(?.{0,40}['\"`(]",
    ),
)
_COMPILED: Final = tuple((why, weight, re.compile(source, re.M)) for why, weight, source in _PATTERNS)
_TABLE_ROW: Final = re.compile(r"^\s{0,8}\|.*\|\s*$", re.M)


def make(rule: Rule) -> Check:
    """The check; it takes no values."""

    def check(subject: Subject) -> Iterable[Hit]:
        for reading in subject.readings:
            if reading.how.endswith(("joined", "leet", "markup")):
                continue
            table = _TABLE_ROW.search(reading.text) is not None
            several = reading.text.count("\n") >= 3  # a document or a program, not a parameter
            for why, weight, pattern in _COMPILED:
                match = pattern.search(reading.lower)
                if match:
                    if table or (several and weight < 0.8):
                        weight *= 0.5
                    yield Hit(f"looks like {why}", weight, *reading.span(*match.span()))

    return check
