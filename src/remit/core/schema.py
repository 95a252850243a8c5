"""Types to JSON Schema and back: what a function or an answer type looks like, strictly decoded.

One way for msgspec, dataclasses, TypedDict, builtins, and pydantic models when the user brings
them (recognised by their methods; pydantic is never imported here). Imported on first use only.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Any, Final

import msgspec

from remit.core.patterns import lazy
from remit.errors import Invalid

_CO_COROUTINE: Final = 0x80  # Source: CPython Include/cpython/code.h, CO_COROUTINE
_CO_VARIADIC: Final = 0x0C  # *args or **kwargs
_PARAM_LINE: Final = lazy(r"^\s{2,}(\w+)(?:\s*\([^)]*\))?:\s*(.+)$")


class Signature:
    """Schema, strict decoder and caller of one function."""

    __slots__ = ("context", "description", "fields", "fn", "is_async", "schema", "struct")

    def __init__(self, fn: Callable[..., Any], context: str, fields: tuple[str, ...], struct: type) -> None:
        self.fn = fn
        self.context = context
        self.fields = fields
        self.struct = struct
        self.is_async = bool(_code_of(fn).co_flags & _CO_COROUTINE)
        self.description, params = split_docstring(fn.__doc__ or "")
        self.schema = type_schema(struct)
        self.schema.pop("title", None)
        for name, text in params.items():
            if name in self.schema.get("properties", {}):
                self.schema["properties"][name].setdefault("description", text)

    @classmethod
    def of(cls, fn: Callable[..., Any], name: str, names: dict[str, Any] | None = None) -> Signature:
        """Read `fn`; raises schema_invalid for a parameter without a type, or one that msgspec cannot decode."""
        code = _code_of(fn)
        if code.co_flags & _CO_VARIADIC:
            raise Invalid("schema_invalid", f"tool {name} takes *args or **kwargs")
        try:
            hints = typing.get_type_hints(fn, None, names, include_extras=True)
        except (NameError, TypeError) as e:
            raise Invalid("schema_invalid", f"tool {name}: {e}") from e
        params = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        if params[:1] == ("self",):
            params = params[1:]
        defaults = _defaults(fn, code)
        context = ""
        fields: list[tuple[Any, ...]] = []
        for p in params:
            if p not in hints:
                raise Invalid("schema_invalid", f"tool {name}: parameter {p} has no type")
            if getattr(typing.get_origin(hints[p]) or hints[p], "__remit_context__", False):
                context = p
            elif p in defaults:
                fields.append((p, hints[p], _field_default(defaults[p])))
            else:
                fields.append((p, hints[p]))
        try:
            struct = msgspec.defstruct(name, fields, kw_only=True, forbid_unknown_fields=True, frozen=True)
            return cls(fn, context, tuple(f[0] for f in fields), struct)
        except TypeError as e:
            raise Invalid("schema_invalid", f"tool {name}: {e}") from e

    def decode(self, arguments: Any) -> dict[str, Any]:
        """Keyword arguments from a JSON object; raises arguments_invalid with path and expectation."""
        try:
            values: Any = msgspec.convert(arguments, self.struct, dec_hook=decode_foreign)
        except (msgspec.ValidationError, ValueError, RecursionError) as e:
            raise Invalid("arguments_invalid", str(e)[:500]) from e
        return {f: getattr(values, f) for f in self.fields}


def type_schema(kind: Any) -> dict[str, Any]:
    """The JSON Schema of a type, its own definition inlined at the top; raises TypeError for types without one."""
    if hasattr(kind, "model_json_schema"):
        return dict(kind.model_json_schema())
    schema = msgspec.json.schema(kind, schema_hook=_foreign_schema)
    ref = schema.get("$ref", "")
    if not ref:
        return schema
    definitions = schema["$defs"]
    name = ref.rsplit("/", 1)[1]
    top: dict[str, Any] = dict(definitions[name])
    # A recursive type keeps its definition; every other one loses the extra level.
    if any(f'"{ref}"' in msgspec.json.encode(d).decode() for d in definitions.values()):
        return {**top, "$defs": definitions}
    rest = {k: v for k, v in definitions.items() if k != name}
    return {**top, "$defs": rest} if rest else top


def decode_as(kind: Any, value: Any) -> Any:
    """`value` (decoded JSON) as `kind`, strictly; raises ValueError (msgspec.ValidationError is one) with the path."""
    if hasattr(kind, "model_validate"):
        return kind.model_validate(value)
    return msgspec.convert(value, kind, dec_hook=decode_foreign)


def decode_foreign(kind: type, value: Any) -> Any:
    """msgspec's hook for types of other libraries: pydantic models validate themselves."""
    validate = getattr(kind, "model_validate", None)
    if validate is None:
        raise NotImplementedError(f"cannot decode {kind.__name__}")
    return validate(value)


def encode_foreign(value: Any) -> Any:
    """msgspec's hook for encoding: pydantic models dump themselves; anything else is its text."""
    dump = getattr(value, "model_dump", None)
    return dump(mode="json") if dump is not None else str(value)


def split_docstring(doc: str) -> tuple[str, dict[str, str]]:
    """The text before `Args:` and the described parameters (Google style)."""
    head, _, tail = doc.partition("Args:")
    lines = [line.strip() for line in head.strip().splitlines()]
    params: dict[str, str] = {}
    for line in tail.splitlines():
        if line.strip() in ("Returns:", "Raises:", "Yields:", "Example:", "Examples:"):
            break
        found = _PARAM_LINE.match(line)
        if found:
            params[found[1]] = found[2].strip()
    return "\n".join(lines).strip(), params


def _foreign_schema(kind: type) -> dict[str, Any]:
    make = getattr(kind, "model_json_schema", None)
    if make is None:
        raise NotImplementedError(f"no schema for {kind.__name__}")
    return dict(make())


def _code_of(fn: Callable[..., Any]) -> Any:
    code = getattr(fn, "__code__", None) or getattr(getattr(fn, "__func__", None), "__code__", None)
    if code is None:
        raise Invalid("schema_invalid", f"{fn!r} is not a plain function or method")
    return code


def _defaults(fn: Any, code: Any) -> dict[str, Any]:
    positional = code.co_varnames[: code.co_argcount]
    values = fn.__defaults__ or ()
    found = dict(zip(positional[len(positional) - len(values) :], values, strict=True))
    return {**found, **(fn.__kwdefaults__ or {})}


def _field_default(value: Any) -> Any:
    """msgspec refuses mutable defaults unless they are empty; a factory keeps calls apart."""
    if isinstance(value, list | dict | set):
        kind, copy = type(value), value
        return msgspec.field(default_factory=lambda: kind(copy))
    return value
