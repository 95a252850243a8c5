"""The typed state of a graph: its fields, their types, defaults and reducers, and how updates are applied.

Inside a run the state is a dict of values; a node gets a fresh object of the user's own type, so what a
node does to it counts only when the node returns it. A field that several nodes of one step write needs a
reducer, `Annotated[list[str], operator.add]` or `Graph(reducers=...)`: a function of (old, new).
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from remit.core.schema import decode_foreign
from remit.errors import Invalid

Reducer = Callable[[Any, Any], Any]
MISSING: Final = object()
_TEXT_FIELDS: Final = ("task", "input", "question", "topic", "text")


class Field:
    """One field of the state."""

    __slots__ = ("default", "factory", "kind", "name", "plain", "reducer")

    def __init__(self, name: str, kind: Any, default: Any, factory: Any, reducer: Reducer | None) -> None:
        self.name = name
        self.kind = kind
        self.default = default
        self.factory = factory
        self.reducer = reducer
        self.plain = kind if isinstance(kind, type) and kind in (str, int, bool, float) else None
        """the type, where an exact match needs no conversion"""

    def first(self) -> Any:
        """The value before anybody wrote it; MISSING where there is none."""
        if self.factory is not MISSING:
            return self.factory()
        if self.default is not MISSING:
            return self.default
        if self.reducer is not None:  # an accumulator begins empty
            kind = typing.get_origin(self.kind) or self.kind
            if kind in (list, dict, set, str, int, float, tuple):
                return kind()
        return MISSING


class StateType:
    """What a graph knows of its state type.

    Args:
        kind: a msgspec Struct, a dataclass, a TypedDict, or dict (then anything goes, and nothing is checked).
        reducers: by field; they stand above those of annotations.
    """

    def __init__(self, kind: Any, reducers: Mapping[str, Reducer] | None = None) -> None:
        self.kind = kind
        self.open = kind is dict
        self.is_dict = self.open or typing.is_typeddict(kind)
        if not (self.is_dict or dataclasses.is_dataclass(kind) or _is_struct(kind)) or not isinstance(kind, type):
            raise Invalid(
                "graph_invalid",
                f"state: {kind!r:.80} is no state type",
                hint="Give a msgspec Struct, a dataclass or a TypedDict.",
            )
        self.name = kind.__name__
        self.fields = {} if self.open else _fields(kind)
        self.reducers: dict[str, Reducer] = {f.name: f.reducer for f in self.fields.values() if f.reducer is not None}
        for name, reducer in (reducers or {}).items():
            if not self.open and name not in self.fields:
                raise Invalid("graph_invalid", f"reducers: {self.name} has no field {name}", hint=self._names())
            if not callable(reducer):
                raise Invalid(
                    "graph_invalid", f"reducers: {name} is no function", hint="Give a function of (old, new)."
                )
            self.reducers[name] = reducer
            if name in self.fields:
                self.fields[name].reducer = reducer

    def _names(self) -> str:
        return f"Its fields: {', '.join(self.fields)}"

    def begin(self, given: Any) -> dict[str, Any]:
        """The first values: what was given over the defaults; raises state_invalid."""
        values = {n: v for n, f in self.fields.items() if (v := f.first()) is not MISSING}
        for name, value in self._given(given).items():
            values[name] = self.checked(name, value, "input")
        required = () if self.is_dict else [n for n in self.fields if n not in values]
        if required:
            raise Invalid("state_invalid", f"input: {self.name} needs {', '.join(required)}",
                          hint="Give them to run(), or give the fields defaults.")  # fmt: skip
        return values

    def _given(self, given: Any) -> Mapping[str, Any]:
        if given is None:
            return {}
        if isinstance(given, Mapping):
            return given
        if not self.is_dict and isinstance(given, self.kind):
            return {n: getattr(given, n) for n in self.fields}
        if isinstance(given, str):
            for name in _TEXT_FIELDS:
                if name in self.fields and self.fields[name].kind is str:
                    return {name: given}
            texts = [f.name for f in self.fields.values() if f.kind is str]
            if len(texts) == 1:
                return {texts[0]: given}
        raise Invalid("state_invalid", f"input: a {type(given).__name__} is no {self.name}",
                      hint=f"Give a mapping of its fields: {', '.join(self.fields)}")  # fmt: skip

    def make(self, values: dict[str, Any]) -> Any:
        """A fresh object of the user's type."""
        return dict(values) if self.is_dict else self.kind(**values)

    def update_of(self, returned: Any, before: dict[str, Any], where: str) -> dict[str, Any]:
        """What a node's return value writes, checked; raises state_invalid with the node's name."""
        if returned is None:
            return {}
        if isinstance(returned, Mapping):
            given: Mapping[str, Any] = returned
            if self.is_dict and len(returned) == len(before) and returned.keys() == before.keys():
                given = {n: v for n, v in returned.items() if v is not before[n]}
        elif not self.is_dict and type(returned) is self.kind:
            given = {n: v for n in self.fields if (v := getattr(returned, n)) is not before.get(n, MISSING)}
        else:
            raise Invalid("state_invalid", f"{where} returned {type(returned).__name__}",
                          hint=f"Return a mapping of fields, {self.name}, Go(route, ...) or None.")  # fmt: skip
        return {n: self.checked(n, v, where) for n, v in given.items()}

    def checked(self, name: str, value: Any, where: str) -> Any:
        """`value` when it fits the field; raises state_invalid."""
        field = self.fields.get(name)
        if field is None:
            if self.open:
                return value
            raise Invalid("state_invalid", f"{where} wrote {name}, which {self.name} has not", hint=self._names())
        if type(value) is field.plain:
            return value
        try:
            return msgspec.convert(value, field.kind, dec_hook=decode_foreign)
        except (msgspec.ValidationError, ValueError, TypeError) as e:
            raise Invalid("state_invalid", f"{where} wrote {name}: {str(e)[:200]}") from None

    def apply(self, values: dict[str, Any], updates: list[tuple[str, dict[str, Any]]]) -> None:
        """Write the updates of one step, in the order of its nodes; two writers of a field need a reducer."""
        if len(updates) == 1:
            reducers = self.reducers
            if not reducers:
                values.update(updates[0][1])
                return
        writer: dict[str, str] = {}
        for node, update in updates:
            for name, value in update.items():
                reducer = self.reducers.get(name)
                if reducer is not None:
                    values[name] = reducer(values[name], value) if name in values else value
                    continue
                other = writer.setdefault(name, node)
                if other != node:
                    raise Invalid("state_invalid", f"{other} and {node} both wrote {name} in one step",
                                  hint=f"Give {name} a reducer, or let one come after the other.")  # fmt: skip
                values[name] = value

    def decode(self, update: dict[str, Any]) -> dict[str, Any]:
        """An update as the journal holds it, in the fields' own types."""
        return {n: self.checked(n, v, "the journal") for n, v in update.items()}


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _fields(kind: Any) -> dict[str, Field]:
    try:
        hints = typing.get_type_hints(kind, include_extras=True)
    except (NameError, TypeError) as e:
        raise Invalid("graph_invalid", f"state {kind.__name__}: {e}", hint="Give it types that can be resolved.") from e
    found = {}
    for name, (default, factory) in _defaults(kind, hints).items():
        hint = hints[name]
        while typing.get_origin(hint) in (typing.Required, typing.NotRequired):
            hint = typing.get_args(hint)[0]
        reducer = None
        if typing.get_origin(hint) is typing.Annotated:
            reducer = next((m for m in hint.__metadata__ if callable(m) and not isinstance(m, type)), None)
            hint = typing.get_args(hint)[0]
        found[name] = Field(name, hint, default, factory, reducer)
    return found


def _defaults(kind: Any, hints: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """(default, factory) by field; MISSING where there is none."""
    if _is_struct(kind):
        return {f.name: _known(f.default, f.default_factory, msgspec.NODEFAULT) for f in msgspec.structs.fields(kind)}
    if dataclasses.is_dataclass(kind):
        missing = dataclasses.MISSING
        return {f.name: _known(f.default, f.default_factory, missing) for f in dataclasses.fields(kind) if f.init}
    return {name: (MISSING, MISSING) for name in hints}


def _known(default: Any, factory: Any, none: Any) -> tuple[Any, Any]:
    return (MISSING if default is none else default), (MISSING if factory is none else factory)
