"""The site policy: a TOML file of an administrator that says what any agent on this machine may do.

    [[rules]]
    name = "read the docs"               # shown when it decides
    tool = "read_*"                      # glob or list of globs; "*" unless given
    filesystem = ["read:docs/**"]        # read:GLOB, write:GLOB, or GLOB for both
    egress = ["GET api.example.org/v1"]  # as in a net grant
    commands = ["git status", "ls *"]    # as in a shell grant
    models = ["openai:*"]                # model calls; ungoverned where no rule names models
    decision = "allow"                   # allow | deny | prompt

Deny first: a deny rule beats a prompt rule, which beats an allow rule, wherever they stand; what no rule allows is
denied. A deny or prompt rule without resources speaks of the whole tool; an allow rule opens the resources that it
lists and no others.

Idea: the file is read twice. `decide` judges a call with its tool's name at the gate; `ceiling` is the widest remit
that any tool gets, so that sandboxes and own tools stay below the file as well.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from remit.config import read_bounded
from remit.core.bounds import UNBOUNDED
from remit.core.decisions import ALLOW, Decision, Facts
from remit.core.effects import Need
from remit.core.grants import Grant, name_match, parse_denial, parse_grant
from remit.core.remit import Layer, Remit
from remit.errors import Invalid, RemitError

MAX_RULES: Final = 2000
_GOVERNED: Final = ("fs.read", "fs.write", "net", "shell")
_Globs = Annotated[tuple[str, ...], Meta(max_length=1000)]


class _Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """A rule as written."""

    decision: Literal["allow", "deny", "prompt"]
    name: str = ""
    tool: str | _Globs = "*"
    filesystem: _Globs = ()
    egress: _Globs = ()
    commands: _Globs = ()
    models: _Globs = ()


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    """The file as written."""

    rules: Annotated[tuple[_Rule, ...], Meta(max_length=MAX_RULES)] = ()


class SiteRule(Struct, frozen=True):
    """A rule, its patterns parsed."""

    decision: Literal["allow", "deny", "prompt"]
    name: str
    tools: tuple[str, ...]
    patterns: tuple[Grant, ...]

    def names(self, facts: Facts) -> bool:
        """Whether it speaks of this tool or model."""
        if facts.kind == "model":
            return any(p.verb == "model" for p in self.patterns)
        return any(name_match(glob, facts.name) for glob in self.tools)

    def stands_against(self, facts: Facts) -> bool:
        """For deny and prompt: whether it reaches the call; every doubt counts."""
        if not self.names(facts):
            return False
        resources = [p for p in self.patterns if p.verb != "model" or facts.kind == "model"]
        return not resources or any(p.forbids(need) for p in resources for need in facts.needs)

    def opens(self, facts: Facts, need: Need) -> bool:
        """For allow: whether it opens the need to this tool."""
        if not self.names(facts):
            return False
        return need.verb not in (*_GOVERNED, "model") or any(p.covers(need) for p in self.patterns)


class SitePolicy:
    """A site policy file."""

    def __init__(self, rules: tuple[SiteRule, ...], place: str = "site policy") -> None:
        self.rules = rules
        self.place = place
        self._models = any(p.verb == "model" for rule in rules for p in rule.patterns)

    def decide(self, facts: Facts) -> Decision:
        """allow, ask or deny, with the rule that decided."""
        if facts.kind == "model" and not self._models:
            return ALLOW
        against = [rule for rule in self.rules if rule.decision != "allow" and rule.stands_against(facts)]
        for rule in sorted(against, key=lambda rule: rule.decision):  # deny before prompt
            return Decision("deny" if rule.decision == "deny" else "ask", f"{self.place}: {rule.name}", "site_denied")
        open_rules = [rule for rule in self.rules if rule.decision == "allow" and rule.names(facts)]
        if not open_rules:
            return Decision("deny", f"{self.place}: no rule allows {facts.name}", "site_denied")
        for need in facts.needs:
            if not any(rule.opens(facts, need) for rule in open_rules):
                return Decision("deny", f"{self.place}: no rule allows {need} to {facts.name}", "site_denied")
        return Decision("allow", f"{self.place}: {open_rules[0].name}")

    def ceiling(self) -> Remit:
        """The widest remit that the file leaves to any tool: files, network and programs."""
        grants = [p for r in self.rules if r.decision != "deny" for p in r.patterns if p.verb in _GOVERNED]
        denials = [
            p for r in self.rules if r.decision == "deny" and "*" in r.tools for p in r.patterns if p.verb in _GOVERNED
        ]
        return Remit((Layer(tuple(dict.fromkeys(grants)), tuple(dict.fromkeys(denials)), verbs=_GOVERNED),))


def load_site_policy(path: str) -> SitePolicy:
    """The policy in a file. Raises: policy_invalid, config_invalid where it cannot be read."""
    return parse_site_policy(read_bounded(path), path)


def parse_site_policy(raw: bytes, place: str) -> SitePolicy:
    """The policy in these bytes; `place` is how errors and decisions name it. Raises: policy_invalid."""
    import tomllib

    try:
        found = msgspec.convert(tomllib.loads(raw.decode()), _File)
        rules = tuple(_parsed(rule, number) for number, rule in enumerate(found.rules))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError, RecursionError) as e:
        raise Invalid("policy_invalid", f"{place}: {str(e) or 'nested too deeply'}") from None
    except RemitError as e:
        raise Invalid("policy_invalid", f"{place}: {e.message}") from None
    return SitePolicy(rules, place)


def _parsed(rule: _Rule, number: int) -> SiteRule:
    read: Any = parse_grant if rule.decision == "allow" else parse_denial
    texts = [f"model:{glob}" for glob in rule.models]
    texts += [f"shell:{command}" for command in rule.commands]
    texts += [f"net:{address}" for address in rule.egress]
    for entry in rule.filesystem:
        access, colon, glob = entry.partition(":")
        verbs = (f"fs.{access}",) if colon and access in ("read", "write") else ("fs.read", "fs.write")
        texts += [f"{verb}:{glob if len(verbs) == 1 else entry}" for verb in verbs]
    patterns = tuple(read(text) for text in texts)
    if any(p.bounds is not UNBOUNDED for p in patterns):
        raise Invalid("policy_invalid", f"rule {number + 1}: a site rule has no bounds; write it without `where`")
    tools = (rule.tool,) if isinstance(rule.tool, str) else rule.tool
    return SiteRule(rule.decision, rule.name or f"rule {number + 1}", tools, patterns)
