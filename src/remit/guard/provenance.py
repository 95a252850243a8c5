"""Where values came from: every typed value that a run has seen, with the label of the field that held it.

The idea: the label of a value is looked up by the whole value, and equal values share the worst label
that any of them had, so nothing can be laundered by finding it a second time. A handle (`{{value:ID}}`)
stands for one field of one result and keeps exactly that field's label; the model that passes it on need
not have read it.

Invariants: labels only get worse; a value that nobody has seen has no label; once the store is full or a
result could not be read whole, only the user's prompt and the configuration prove anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec import Struct

from remit.core.label_file import INTEGRITY_OF, UNLISTED, Field, LabelFile, Path, ToolLabels, find, parse_path
from remit.core.labels import INTEGRITY, USER, Label, join
from remit.core.prompt_values import PromptValues
from remit.core.text_records import read_records
from remit.core.typed_values import MAX_TEXT, canonical, fits, number, quoted_spans, tokens, words
from remit.errors import Invalid

MAX_VALUES: Final = 100_000  # typed values of one run
MAX_LEAVES: Final = 50_000  # fields of one run
NOTHING: Final = frozenset(("", "null", "done"))  # what a tool without a result is shown as; it says nothing
MAX_READERS: Final = 1_000  # names that one slot of a template stands for
_SLOT: Final = re.compile(r"\{(arg|field)\.([^}]+)\}")
_encode: Final = msgspec.json.Encoder().encode
HANDLE: Final = re.compile(r"\{\{value:([\w./-]{1,80})\}\}")


class Leaf(Struct, frozen=True, gc=False):
    """One field of one result."""

    id: str
    tool: str
    path: Path
    value: Any
    label: Label
    kind: str
    named: bool
    """whether the prompt names all that the read was asked with: the user chose this source"""


class Call:
    """One call as the flow rule sees it: its arguments without handles, and the fields that handles stood for."""

    __slots__ = ("arguments", "digest", "handed", "labels", "tool")

    def __init__(
        self, tool: str, labels: ToolLabels, arguments: Mapping[str, Any], used: list[Leaf], digest: str
    ) -> None:
        self.tool = tool
        self.labels = labels
        self.arguments = arguments
        self.digest = digest
        self.handed = {canonical(leaf.value): leaf for leaf in used}
        """by key of the value: what a handle stood for"""

    @property
    def deed(self) -> tuple[str, ...]:
        """What a second call must differ in: everything, but where an amount is given only the call's target."""
        rules = self.labels.arguments
        if not any(rule.role == "quantity" for rule in rules.values()):
            return (self.tool, self.digest)
        targets = [n for n in sorted(self.arguments) if n not in rules or rules[n].role == "authority"]
        return (self.tool, *(f"{n}={canonical(self.arguments[n])}" for n in targets))


_ENTRY: Final[Mapping[str, Any]] = {}  # by identity: the value of a mapping whose keys are data


class _Record:
    """The fields that stand together in one mapping (or one value that stands alone)."""

    __slots__ = ("leaves",)

    def __init__(self) -> None:
        self.leaves: list[Leaf] = []


class ValueStore:
    """The values of one run. Made for a prompt and the labels of the run's tools; fed with every result."""

    __slots__ = (
        "_index",
        "_labels",
        "_numeric",
        "_tables",
        "_worst",
        "conceal",
        "constants",
        "context",
        "done",
        "leaves",
        "opaque",
        "prompt",
        "unchosen",
    )

    def __init__(self, labels: LabelFile, prompt: str | PromptValues, *, conceal: bool = False) -> None:
        self._labels = labels
        self.prompt = PromptValues(prompt) if isinstance(prompt, str) else prompt
        self.constants = frozenset(canonical(v) for v in labels.values)
        self.context: Label = USER
        """what the planner has read so far, joined"""
        self.unchosen: Label = USER
        """the part of `context` whose source the prompt does not name"""
        self.leaves: dict[str, Leaf] = {}
        """fields by handle"""
        self.opaque = False
        """whether something was read that could not be kept value by value"""
        self.conceal = conceal
        """whether the planner gets handles in place of untrusted fields"""
        self.done: set[tuple[str, ...]] = set()
        """what calls that have happened did (`Call.deed`)"""
        self._worst: dict[str, Label] = {}
        self._index: dict[tuple[str, Path, str], set[str]] = {}
        self._tables: dict[str, dict[Path, Field]] = {}
        self._numeric: set[tuple[str, Path]] = set()

    def labels_of(self, tool: str) -> ToolLabels:
        """What the label file says of a tool; the worst for one that it does not list."""
        return self._labels.tools.get(tool, UNLISTED)

    def take(self, call: Call, text: str, key: str) -> tuple[str, Label]:
        """Take in a result as its text; returns what the planner reads of it and the label of that.

        Args:
            key: prefix of the handles, unique in the run.
        """
        if text in NOTHING:
            return text, USER
        labels, tool, arguments = call.labels, call.tool, call.arguments
        structured = labels.format == "lines" or any(p not in ("$", "@key") for p in labels.returns)
        value = read_records(text, labels.format, labels.pattern) if structured and labels.format != "text" else text
        table = self._table(call)
        if value is None:
            value, table = text, {}  # not what the file says it is: the whole is untrusted text
        if len(text) > MAX_TEXT:
            self.opaque = True
        brought = USER
        hidden: dict[int, Leaf] = {}
        for record in self._read(tool, table, arguments, value, key):
            for leaf in record.leaves:
                if self.conceal and leaf.label.untrusted:
                    hidden[id(leaf.value)] = leaf
                else:
                    brought = join(brought, leaf.label)
            self._anchor(record)
        self._reached(brought, named=self._named(arguments))
        return (_concealed(value, hidden) if hidden else text), brought

    def take_whole(self, tool: str, text: str, label: Label) -> Label:
        """Take in a result that has one label as a whole; its typed values count against, never for, a value."""
        if label.untrusted:
            self._note_text(text, Label("untrusted", label.readers, label.sources or (f"tool:{tool}",)))
            if len(text) > MAX_TEXT:
                self.opaque = True
        self._reached(label, named=False)
        return label

    def performed(self, call: Call) -> None:
        """A call happened: a second one like it asks, and what it wrote is no better than what the writer had read."""
        self.done.add(call.deed)
        if self.context.untrusted and call.labels.effect != "read":
            self._note_text(" ".join(_strings(call.arguments)), self.context)

    def _reached(self, label: Label, *, named: bool) -> None:
        self.context = join(self.context, label)
        if not named:
            self.unchosen = join(self.unchosen, label)

    def _named(self, arguments: Mapping[str, Any]) -> bool:
        return all(self.prompt.names(v) for v in arguments.values() if isinstance(v, str) and v)

    def label_of(self, value: Any) -> Label | None:
        """The worst label that this value had in any field; None = nobody has seen it."""
        return self._worst.get(canonical(value))

    def selected(self, value: Any) -> bool:
        """Whether the prompt picks this value out: by a word of it, exactly one value of that field is found."""
        key = canonical(value)
        return any(keys == {key} for keys in self._index.values() if key in keys)

    def bound(self) -> Decimal:
        """The largest amount that the prompt writes out, or that stands in a record which it picks out; 0 = none."""
        found = [number(key) for field, keys in self._index.items() if field[:2] in self._numeric for key in keys]
        return max([*self.prompt.amounts, *(n for n in found if n is not None)], default=Decimal(0))

    def restricted(self) -> Iterator[Leaf]:
        """Fields that not everyone may read."""
        return (leaf for leaf in self.leaves.values() if leaf.label.readers is not None)

    def resolve(self, value: Any, used: list[Leaf]) -> Any:
        """`value` with its handles replaced by what they stand for; adds the fields to `used`."""
        if isinstance(value, str) and "{{value:" in value:
            whole = HANDLE.fullmatch(value)
            if whole is not None:
                used.append(self._leaf(whole[1]))
                return used[-1].value

            def text_of(hit: re.Match[str]) -> str:
                used.append(self._leaf(hit[1]))
                return str(used[-1].value)

            return HANDLE.sub(text_of, value)
        if isinstance(value, dict):
            return {k: self.resolve(v, used) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [self.resolve(v, used) for v in value]
        return value

    def _leaf(self, handle: str) -> Leaf:
        leaf = self.leaves.get(handle)
        if leaf is None:
            raise Invalid("arguments_invalid", f"there is no value {{{{value:{handle}}}}} in this run")
        return leaf

    def _table(self, call: Call) -> dict[Path, Field]:
        table = self._tables.get(call.tool)
        if table is None:
            table = {parse_path(path): field for path, field in call.labels.returns.items()}
            self._tables[call.tool] = table
        return table

    def _read(
        self, tool: str, table: dict[Path, Field], arguments: Mapping[str, Any], value: Any, key: str
    ) -> list[_Record]:
        records: list[_Record] = []
        named = self._named(arguments)
        stack: list[tuple[Path, Any, _Record | None, Mapping[Any, Any]]] = [((), value, None, {})]
        while stack:
            path, item, record, fields = stack.pop()
            if item is None:
                continue
            if isinstance(item, dict):
                inner = record if record is not None and fields is _ENTRY else _Record()
                records.append(inner)
                for name, each in item.items():
                    step = (*path, str(name))
                    if any(p[: len(step)] == step for p in table):
                        stack.append((step, each, inner, item))
                        continue
                    entry = _Record()  # a key that the file does not name is data, and what it leads to is a record
                    records.append(entry)
                    stack += [(step, each, entry, _ENTRY), ((*path, "@key"), str(name), entry, _ENTRY)]
                continue
            if isinstance(item, list | tuple):
                stack += [((*path, "[]"), each, record, fields) for each in reversed(item)]
                continue
            if record is None:
                record = _Record()
                records.append(record)
            record.leaves.append(self._keep(tool, table, path, item, (arguments, fields, key, named)))
        return records

    def _keep(self, tool: str, table: dict[Path, Field], path: Path, item: Any, of: tuple[Any, Any, str, bool]) -> Leaf:
        arguments, fields, key, named = of
        field = find(table, path) or Field()
        trust = INTEGRITY_OF[_trust(field, table, path, fields) if fits(field.kind, item) else "untrusted"]
        readers = None if field.readers is None else _filled(field.readers, arguments, fields)
        label = Label(trust, readers, (f"{tool}:{show_path(path)}",))
        leaf = Leaf(f"{key}.{len(self.leaves)}", tool, path, item, label, field.kind, named)
        if len(self.leaves) >= MAX_LEAVES:
            self.opaque = True
            return leaf
        self.leaves[leaf.id] = leaf
        if field.kind == "number":
            self._numeric.add((tool, path))
        self._note(canonical(item), leaf.label)
        if isinstance(item, str):
            self._note_text(item, leaf.label)
        return leaf

    def _note_text(self, text: str, label: Label) -> None:
        """Of a trusted text only typed tokens are values; of an untrusted one every word counts against."""
        for token in tokens(text):
            if label.untrusted or token.kind not in ("word", "number", "time", "street", "postal"):
                self._note(token.key, label)
        for start, end in quoted_spans(text[:MAX_TEXT]):
            self._note(canonical(text[start:end]), label)

    def _note(self, key: str, label: Label) -> None:
        held = self._worst.get(key)
        if held is None and len(self._worst) >= MAX_VALUES:
            self.opaque = True
        else:
            self._worst[key] = label if held is None else join(held, label)

    def _anchor(self, record: _Record) -> None:
        """Index the record under every word of the prompt that its trusted fields hold."""
        anchors = set()
        for leaf in record.leaves:
            if leaf.label.untrusted:
                continue
            key = canonical(leaf.value).casefold()
            if key in self.prompt.anchors and number(key) is None:
                anchors.add(key)
            # Whoever picks an address picks the words in it: only names and texts are looked into.
            if isinstance(leaf.value, str) and leaf.kind in ("text", "name", "file"):
                anchors |= {w.casefold() for w in words(leaf.value)} & self.prompt.anchors
        for leaf in record.leaves:
            for anchor in anchors:
                self._index.setdefault((leaf.tool, leaf.path, anchor), set()).add(canonical(leaf.value))


def show_path(path: Path) -> str:
    """A path as the label file writes it."""
    return ".".join(path).replace(".[]", "[]") or "$"


def trusted(label: Label) -> bool:
    """Whether a value of this label may carry authority."""
    return INTEGRITY[label.integrity] >= INTEGRITY["tool"]


def _trust(field: Field, table: dict[Path, Field], path: Path, fields: Mapping[str, Any]) -> str:
    """The field's trust, or that of its condition where a trusted field of the record meets it."""
    when = field.when
    if when is None or when.field not in fields:
        return field.trust
    other = find(table, (*path[:-1], when.field))
    value = fields[when.field]
    vouched = other is not None and other.trust != "untrusted" and other.when is None and fits(other.kind, value)
    return when.trust if vouched and canonical(value) in {canonical(v) for v in when.equals} else field.trust


def _filled(readers: tuple[str, ...], arguments: Mapping[str, Any], fields: Mapping[str, Any]) -> tuple[str, ...]:
    """Reader names with `{arg.NAME}` and `{field.NAME}` filled in; a list gives a name for each item."""
    return tuple(sorted({name for text in readers for name in fill(text, {"arg": arguments, "field": fields})}))


def fill(text: str, sources: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The names that a template stands for; what is missing fills in nothing, so the template names nobody."""
    names = [""]
    for i, part in enumerate(_SLOT.split(text)):
        if i % 3 == 0:
            names = [n + part for n in names]
        elif i % 3 == 2:
            value = sources.get(_SLOT.split(text)[i - 1], {}).get(part)
            items = value if isinstance(value, list | tuple) else [] if value is None else [value]
            names = [n + canonical(item) for n in names for item in items[:MAX_READERS]]
    return names


def _concealed(value: Any, hidden: Mapping[int, Leaf]) -> str:
    """The result as JSON text, with a handle in place of each hidden field."""

    def shown(item: Any) -> Any:
        leaf = hidden.get(id(item))
        if leaf is not None and leaf.value is item:
            return f"{{{{value:{leaf.id}}}}}"
        if isinstance(item, dict):
            return {shown(k): shown(v) for k, v in item.items()}
        return [shown(v) for v in item] if isinstance(item, list | tuple) else item

    found = shown(value)
    return found if isinstance(found, str) else _encode(found).decode()


def _strings(value: Any) -> Iterator[str]:
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, Mapping):
            stack += [*item.keys(), *item.values()]
        elif isinstance(item, list | tuple):
            stack += item
