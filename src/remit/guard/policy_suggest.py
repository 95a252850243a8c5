"""The smallest grants that cover what a run did: `remit policy suggest`.

Idea: every need becomes a literal grant; literals that are alike, and many, become one pattern one step wider (files of
a folder with the same ending, paths below one address, command lines with the same beginning). What was wide in the
run itself (a folder that was listed) stays as wide.

Invariants: the suggestion covers every need that it was made from (checked with the algebra itself; what a pattern
would miss is kept as a literal); sensitive files are only ever named exactly; nothing is widened to a whole workspace,
a whole host or a whole program unless the run used it so.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from remit.core.effects import Need
from remit.core.grants import Grant, parse_grant
from remit.core.sensitive import is_sensitive
from remit.errors import RemitError

MANY: Final = 3  # literals that are alike become a pattern from here on
_DEFAULT_PORTS: Final = {"https": "443", "http": "80"}
_IMPLIED: Final = ("tool", "model")


def suggest(needs: Iterable[Need], is_folder: Callable[[str], bool]) -> tuple[str, ...]:
    """Grant texts that cover the needs, sorted by verb.

    Args:
        needs: what the run used; those of `tool` and `model` are left out (listing and naming grants them).
        is_folder: whether a path of the workspace is a folder.
    """
    used = tuple(dict.fromkeys(need for need in needs if need.verb not in _IMPLIED))
    by_verb: dict[str, list[Need]] = defaultdict(list)
    for need in used:
        by_verb[need.verb].append(need)
    texts: list[str] = []
    for verb in ("fs.read", "fs.write"):
        texts += _files(verb, [n.resource for n in by_verb.pop(verb, [])], is_folder)
    texts += _addresses(by_verb.pop("net", []))
    texts += _commands(by_verb.pop("shell", []))
    texts += [f"delegate:{n.detail[0] + '@' if n.detail else ''}{n.resource}" for n in by_verb.pop("delegate", [])]
    texts += [f"{need.verb}:{need.resource}" for rest in by_verb.values() for need in rest]
    return _complete(used, texts)


def _complete(used: Sequence[Need], texts: list[str]) -> tuple[str, ...]:
    """The texts that parse, without those that others make needless, and literals for what they miss."""
    grants = [grant for grant in map(_parsed, dict.fromkeys(texts)) if grant is not None]
    for need in used:
        if not any(grant.covers(need) for grant in grants):
            literal = _parsed(f"{need.verb}:{need.resource}")
            if literal is not None and literal.covers(need):
                grants.append(literal)
    kept = list(grants)
    for grant in sorted(grants, key=lambda g: len(g.pattern), reverse=True):  # the most literal first
        rest = [other for other in kept if other is not grant]
        mine = [need for need in used if grant.covers(need)]
        if all(any(other.covers(need) for other in rest) for need in mine):
            kept = rest
    return tuple(sorted(str(grant) for grant in kept))


def uncovered(needs: Iterable[Need], texts: Iterable[str]) -> tuple[Need, ...]:
    """The needs that the suggestion cannot express (an argument that no pattern can spell)."""
    grants = [parse_grant(text) for text in texts]
    found = [n for n in needs if n.verb not in _IMPLIED and not any(grant.covers(n) for grant in grants)]
    return tuple(dict.fromkeys(found))


def _files(verb: str, paths: list[str], is_folder: Callable[[str], bool]) -> list[str]:
    texts: list[str] = []
    alike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in paths:
        if path == ".":
            texts.append(f"{verb}:**")
        elif is_sensitive(path):
            texts.append(f"{verb}:{_spelt(path)}")
        elif is_folder(path) or any(other.startswith(path + "/") for other in paths):
            texts.append(f"{verb}:{_spelt(path)}/**")
        else:
            folder, slash, name = path.rpartition("/")
            _, dot, ending = name.rpartition(".")
            alike[(folder + slash, dot + ending if dot else "")].append(path)
    for (folder, ending), found in alike.items():
        if len(found) >= MANY and ending:
            texts.append(f"{verb}:{_spelt(folder)}*{_spelt(ending)}")
        else:
            texts += [f"{verb}:{_spelt(path)}" for path in found]
    return texts


def _addresses(needs: list[Need]) -> list[str]:
    texts = []
    by_host: dict[tuple[str, str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for need in needs:
        if len(need.detail) == 5:
            method, scheme, host, port, path = need.detail
            by_host[(scheme, host, port)][path].add(method)
    for (scheme, host, port), paths in by_host.items():
        shown = f"[{host}]" if ":" in host else host
        if scheme != "https" or port != "443":
            shown = f"{scheme}://{shown}" + ("" if _DEFAULT_PORTS.get(scheme) == port else f":{port}")
        below: dict[str, list[str]] = defaultdict(list)
        for path in paths:
            below[path.rpartition("/")[0]].append(path)
        for folder, found in below.items():
            methods = sorted({method for path in found for method in paths[path]})
            prefix = "" if set(methods) <= {"GET", "HEAD"} else ",".join(methods) + " "
            if len(found) >= MANY and folder:
                texts.append(f"net:{prefix}{shown}{_spelt(folder)}/**")
            else:
                texts += [f"net:{prefix}{shown}{_spelt(path)}" for path in found]
    return texts


def _commands(needs: list[Need]) -> list[str]:
    alike: dict[tuple[str, ...], list[tuple[str, ...]]] = defaultdict(list)
    for need in needs:
        alike[need.detail[:2]].append(need.detail)
    texts = []
    for start, found in alike.items():
        if len(found) >= MANY and len(start) == 2:
            texts.append("shell:" + " ".join([*map(_word, start), "*"]))
        else:
            texts += ["shell:" + " ".join(map(_word, argv)) for argv in found]
    return texts


def _spelt(path: str) -> str:
    """A path as a glob that matches it alone, as far as globs can say so."""
    return re.sub(r"[*?\[]", "?", path)


def _word(word: str) -> str:
    """An argument as a pattern: white space cannot be spelt in one, and `where` would begin the bounds."""
    if word == "where":
        return "wher*"
    return re.sub(r"\s+", "*", word) if word else "*"


def _parsed(text: str) -> Grant | None:
    try:
        return parse_grant(text)
    except RemitError:
        return None
