"""The label file: what the fields of tools' results and the arguments of their calls mean. Data, no code.

One TOML (or JSON) file describes any number of tools; docs/reference/label-files.md is its reference. It
speaks of tools only, never of tasks. What it does not mention is taken at its worst: an unlisted tool
writes, its arguments carry authority, its result is untrusted.

Paths: `$` the whole value, `.` a field, `[]` the items of a list, `*` the values of a mapping, `@key` the
keys of a mapping: `$`, `[].sender`, `*.price`, `items[].tags[]`, `@key`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from remit.core.typed_values import KIND_NAMES
from remit.errors import Invalid

MAX_FILE_BYTES: Final = 1024 * 1024
MAX_PATTERN_CHARS: Final = 500
_STEP: Final = re.compile(r"\[\]|\*|@key|[^.\[\]*@]+")

Trust = Literal["trusted", "tool", "untrusted"]
Role = Literal["authority", "quantity", "content", "selector", "detail"]

# Trust of a field -> integrity of its label.
INTEGRITY_OF: Final[dict[str, str]] = {"trusted": "system", "tool": "tool", "untrusted": "untrusted"}
Path = tuple[str, ...]


class When(Struct, frozen=True, forbid_unknown_fields=True, rename={"equals": "is"}):
    """A condition on a field of the same record; it can only be met by a field that is trusted itself."""

    field: str
    equals: tuple[str, ...]
    trust: Trust
    """trust of the field where the condition holds"""


class Field(Struct, frozen=True, forbid_unknown_fields=True):
    """One field of a result."""

    trust: Trust = "untrusted"
    kind: str = "text"
    """what it holds; a value that does not fit is untrusted, whatever `trust` says"""
    readers: tuple[str, ...] | None = None
    """who may read it, `{arg.NAME}` and `{field.NAME}` filled in; absent = everyone"""
    when: When | None = None


class Argument(Struct, frozen=True, forbid_unknown_fields=True):
    """One argument of a call."""

    role: Role = "authority"
    kind: str = "text"
    values: tuple[Any, ...] | None = None
    """detail: the only values it may have"""
    allow: tuple[Any, ...] = ()
    """values that the configuration vouches for"""
    links: Literal["trusted", "any"] = "trusted"
    """content: whether links in it need a trusted origin"""


class ToolLabels(Struct, frozen=True, forbid_unknown_fields=True):
    """What remit knows of one tool."""

    effect: Literal["read", "write"] = "write"
    purpose: tuple[str, ...] = ()
    """phrases of a task that ask for this tool; ("*",) = it may always run"""
    arguments: dict[str, Argument] = {}
    returns: dict[str, Field] = {}
    audience: tuple[str, ...] | None = None
    """who reads its content arguments, `{arg.NAME}` filled in; absent = nobody outside; "*" = the public"""
    format: Literal["json", "text", "yaml", "repr", "lines"] = "json"
    """what a text result holds; not readable as that = untrusted text"""
    pattern: str = ""
    """format "lines": a regular expression whose named groups are the fields of each line's record"""

    def __post_init__(self) -> None:
        for path, field in self.returns.items():
            parse_path(path)
            _known_kind(path, field.kind)
        for path, argument in self.arguments.items():
            parse_path(path)
            _known_kind(path, argument.kind)
            if argument.role == "detail" and argument.kind == "text" and argument.values is None:
                raise ValueError(f"argument {path}: role detail needs a kind other than text, or values")
        if len(self.pattern) > MAX_PATTERN_CHARS:
            raise ValueError(f"pattern: at most {MAX_PATTERN_CHARS} characters")
        if self.pattern:
            try:
                re.compile(self.pattern)
            except re.error as e:
                raise ValueError(f"pattern: {e}") from e


class LabelFile(Struct, frozen=True, forbid_unknown_fields=True):
    """All tools of one file."""

    tools: dict[str, ToolLabels]
    version: Annotated[int, Meta(ge=1, le=1)] = 1
    values: tuple[Any, ...] = ()
    """constants of the configuration that every tool may use as authority"""


UNLISTED: Final = ToolLabels()


def decode_labels(data: bytes | str) -> LabelFile:
    """A label file from TOML or JSON, strictly; raises Invalid labels_invalid with the path of what is wrong."""
    raw = data.encode() if isinstance(data, str) else data
    if len(raw) > MAX_FILE_BYTES:
        raise Invalid("labels_invalid", f"a label file has at most {MAX_FILE_BYTES} bytes; this has {len(raw)}")
    try:
        if raw.lstrip()[:1] == b"{":
            return msgspec.json.decode(raw, type=LabelFile)
        return msgspec.toml.decode(raw, type=LabelFile)
    except (msgspec.DecodeError, ValueError, RecursionError) as e:
        raise Invalid("labels_invalid", f"the label file: {str(e)[:500]}") from e


def tool_labels(name: str, given: Any) -> ToolLabels:
    """The labels of one tool, as `@tool(labels=...)` takes them: ToolLabels or plain data of the same shape."""
    if isinstance(given, ToolLabels):
        return given
    try:
        return msgspec.convert(given, ToolLabels)
    except (msgspec.ValidationError, ValueError) as e:
        raise Invalid("labels_invalid", f"labels of tool {name}: {e}") from e


def parse_path(text: str) -> Path:
    """The steps of a path; raises ValueError for what is none."""
    if text == "$":
        return ()
    body = text[2:] if text.startswith("$.") else text
    steps = tuple(_STEP.findall(body))
    if not steps or "".join(steps) != body.replace(".", ""):
        raise ValueError(f"{text!r} is not a path; for example $, [].sender, *.price, @key")
    return steps


def find(table: dict[Path, Any], path: Path) -> Any:
    """The entry for a path, or for the nearest part of it that has one; None = none. `*` stands for any field."""
    for end in range(len(path), -1, -1):
        head = path[:end]
        found = table.get(head)
        if found is not None:
            return found
        for steps, entry in table.items():
            if len(steps) == end and all(
                s == p or (s == "*" and p not in ("[]", "@key")) for s, p in zip(steps, head, strict=True)
            ):
                return entry
    return None


def _known_kind(path: str, kind: str) -> None:
    if kind not in KIND_NAMES:
        raise ValueError(f"{path}: unknown kind {kind!r}; one of {', '.join(sorted(KIND_NAMES))}")
