"""The flow rule: may this call happen, given where its values come from and what has been read so far?

    authority  equals a whole value of the prompt, the configuration or a trusted field (or is a handle to one);
               once untrusted text was read, what a tool that writes gets must also be picked out by the prompt
    quantity   an authority, or a number up to an amount of the prompt while every authority is the user's
    detail     fits its kind (a date, a number, a choice): it can say nothing else
    content    goes to readers that its label allows; links in it need a trusted origin
    selector   says what is read; free

Whether the call may happen at all is fixed by trusted text too: after untrusted text was read, a tool
that writes needs a purpose that the prompt asks for, and the same call twice needs a person.

A rule that cannot be shown to hold asks a person; content that provably holds what its audience may not
read is refused. The rule knows no tool, no value and no task: all of that is in the label file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct

from remit.core.effects import Ask, Deny, Verdict
from remit.core.label_file import Argument, Path, find, parse_path
from remit.core.labels import Label
from remit.core.typed_values import canonical, fits, links, number
from remit.guard.provenance import Call, Leaf, ValueStore, fill, show_path, trusted

MAX_SHOWN: Final = 120  # characters of a value in a question
MAX_FINDINGS: Final = 8  # that one question lists
MIN_TEXT_CHARS: Final = 16  # a shorter text (`Task`, `Meeting`) is written by anybody
MIN_VALUE_CHARS: Final = 6  # a shorter typed value is found only when it is the whole content
PUBLIC: Final = "*"

_AUTHORITY: Final = Argument()
_SELECTOR: Final = Argument(role="selector")


class Finding(Struct, frozen=True):
    """One thing that trusted text does not vouch for."""

    argument: str
    """path of the argument; "" = the call itself"""
    value: str
    why: str
    source: str = ""
    """tool and field where the value was seen"""

    def __str__(self) -> str:
        where = f" (from {self.source})" if self.source else ""
        return f"{self.argument} = {self.value}: {self.why}{where}" if self.argument else self.why


def judge(store: ValueStore, call: Call) -> Verdict:
    """What the rule says of a call: None = it may happen, Ask = a person decides, Deny = never."""
    table = {parse_path(path): argument for path, argument in call.labels.arguments.items()}
    default = _SELECTOR if call.labels.effect == "read" else _AUTHORITY
    findings: list[Finding] = []
    quantities: list[tuple[str, Any, Argument]] = []
    contents: list[tuple[str, Any, Argument]] = []
    for path, value in _leaves(call.arguments, table):
        rule: Argument = find(table, path) or default
        name = show_path(path)
        if rule.role == "authority":
            findings += _authority(store, call, name, value, rule)
        elif rule.role == "quantity":
            quantities.append((name, value, rule))
        elif rule.role == "detail":
            findings += _detail(name, value, rule)
        elif rule.role == "content":
            contents.append((name, value, rule))
    findings += [f for each in quantities for f in _quantity(store, call, each, proven=not findings)]
    for name, value, rule in contents:
        findings += _links(store, call, name, value, rule)
    verdict = _audience(store, call, contents)
    if isinstance(verdict, Deny):
        return verdict
    findings += verdict
    findings += _control(store, call)
    if not findings:
        return None
    shown = "; ".join(str(f) for f in findings[:MAX_FINDINGS])
    return Ask(f"{call.tool} is not covered by what you asked for. {shown}. Allow exactly this call?", "flow")


def _leaves(arguments: Mapping[str, Any], table: Mapping[Path, Argument]) -> Iterator[tuple[Path, Any]]:
    """Every scalar of the arguments with its path; a key inside an argument that the file does not name is one too."""
    stack: list[tuple[Path, Any]] = [((str(k),), v) for k, v in reversed(list(arguments.items()))]
    while stack:
        at, item = stack.pop()
        if isinstance(item, Mapping):
            for name, value in item.items():
                step = (*at, str(name))
                stack.append((step, value))
                if not any(p[: len(step)] == step for p in table):
                    stack.append(((*at, "@key"), str(name)))
        elif isinstance(item, list | tuple):
            stack += [((*at, "[]"), each) for each in reversed(item)]
        elif item is not None:
            yield at, item


def _authority(store: ValueStore, call: Call, name: str, value: Any, rule: Argument) -> list[Finding]:
    """Why the value may not carry authority; empty = it may."""
    shown = _shown(value)
    if rule.kind != "text" and not fits(rule.kind, value):
        return [Finding(name, shown, f"is no {rule.kind}")]
    key = canonical(value)
    if store.prompt.names(value) or key in store.constants or key in {canonical(v) for v in rule.allow}:
        return []
    if rule.kind == "date" and store.prompt.names(key[:10]):
        return []  # the day is what the user fixed; the time of that day is a detail
    leaf = call.handed.get(key)
    label = leaf.label if leaf is not None else store.label_of(value)
    if label is None or (store.opaque and leaf is None):
        return [Finding(name, shown, "nothing that you trust named this value")]
    source = ", ".join(label.sources[:3])
    if not trusted(label):
        return [Finding(name, shown, "comes from untrusted data", source)]
    # A read of what a trusted party named changes nothing; which of those is read may be the model's choice.
    if call.labels.effect != "read" and store.context.untrusted and not store.selected(value):
        return [Finding(name, shown, "was chosen after untrusted data had been read", source)]
    return []


def _quantity(store: ValueStore, call: Call, argument: tuple[str, Any, Argument], *, proven: bool) -> list[Finding]:
    """A number may be worked out, up to an amount that the user wrote or picked out, when its target is the user's."""
    name, value, rule = argument
    amount = number(value)
    if amount is None:
        return [Finding(name, _shown(value), "is no number")]
    held = _authority(store, call, name, value, rule)
    if not held or (proven and Decimal(0) < amount <= store.bound()):
        return []
    return held


def _detail(name: str, value: Any, rule: Argument) -> list[Finding]:
    if rule.values is not None and canonical(value) not in {canonical(v) for v in rule.values}:
        return [Finding(name, _shown(value), "is none of the choices")]
    return [] if fits(rule.kind, value) else [Finding(name, _shown(value), f"is no {rule.kind}")]


def _links(store: ValueStore, call: Call, name: str, value: Any, rule: Argument) -> list[Finding]:
    """Links and addresses in content that no trusted value named: a reader would follow them."""
    if rule.links == "any" or not isinstance(value, str) or store.prompt.names(value):
        return []
    found = []
    for link in links(value):
        if link in store.constants or store.prompt.names(link):
            continue
        leaf = call.handed.get(link)
        label = leaf.label if leaf is not None else store.label_of(link)
        if label is None or not trusted(label) or store.opaque:
            source = "" if label is None else ", ".join(label.sources[:3])
            found.append(Finding(name, _shown(link), "is a link that nothing you trust named", source))
    return found


def _audience(store: ValueStore, call: Call, contents: list[tuple[str, Any, Argument]]) -> Deny | list[Finding]:
    """Whether who will read the content may read what it is made of."""
    if call.labels.audience is None or not contents:
        return []
    audience = {name for text in call.labels.audience for name in fill(text, {"arg": call.arguments})}
    named = all(store.prompt.names(v) for v in _slots(call)) and bool(_slots(call))
    for name, value, _ in contents:
        if store.prompt.names(value):
            continue
        for leaf in store.restricted():
            chosen = named and leaf.named  # the user named both ends: the source and who gets it
            if not chosen and _holds(call, value, leaf) and not _may_read(audience, leaf.label):
                return Deny(
                    "flow_denied",
                    "flow",
                    f"{call.tool}: {name} holds {show_path(leaf.path)} of {leaf.tool}, "
                    f"which only {', '.join(leaf.label.readers or ()) or 'nobody'} may read",
                )
        context = store.unchosen if named else store.context
        if not _may_read(audience, context):
            readers = ", ".join(context.readers or ()) or "nobody"
            return [Finding(name, _shown(value), f"was written after reading what only {readers} may read")]
    return []


def _slots(call: Call) -> list[Any]:
    """The argument values that name the audience."""
    return [v for text in call.labels.audience or () for k, v in call.arguments.items() if f"{{arg.{k}}}" in text]


def _may_read(audience: set[str], label: Label) -> bool:
    return label.readers is None or (PUBLIC not in audience and audience <= set(label.readers))


def _holds(call: Call, content: Any, leaf: Leaf) -> bool:
    """Whether content provably holds a field: a text of some length, or a typed value of any."""
    key = canonical(leaf.value)
    text = canonical(content)
    if key in call.handed and key in text:
        return True
    if leaf.kind == "text":
        return len(key) >= MIN_TEXT_CHARS and key in text
    return key == text or (len(key) >= MIN_VALUE_CHARS and key in text)


def _control(store: ValueStore, call: Call) -> list[Finding]:
    """Whether the call may happen at all once untrusted text has been read."""
    if call.labels.effect == "read" or not store.context.untrusted:
        return []
    found = []
    purpose = call.labels.purpose
    if purpose != ("*",) and not store.prompt.asks_for(purpose):
        sources = ", ".join(store.context.sources[:3])
        found.append(Finding("", "", f"your task does not ask for it, and untrusted data was read ({sources})"))
    if call.deed in store.done:
        found.append(Finding("", "", "it has already been done once"))
    return found


def _shown(value: Any) -> str:
    text = ascii(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
