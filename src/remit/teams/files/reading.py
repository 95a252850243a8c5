"""A workflow file's text as plain data: bounded in size and depth, without aliases, tags or repeated keys.

YAML is parsed with the safe loader's own events and nodes; nothing in a file can name a Python object, and an anchor
(with which a small file unfolds into a large one) is refused.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final

from remit.errors import Invalid

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 30
MAX_VALUES: Final = 20_000
_PLAIN: Final = ("str", "int", "float", "bool", "null", "seq", "map")


def read_file(path: str | Path) -> Any:
    """The data of a .yaml, .yml or .toml file; raises team_invalid with the place."""
    where = Path(path)
    if where.suffix not in (".yaml", ".yml", ".toml"):
        raise Invalid(
            "team_invalid", f"{where.name}: not a workflow file", hint="Its name ends in .yaml, .yml or .toml."
        )
    try:
        if where.stat().st_size > MAX_BYTES:
            raise Invalid("team_invalid", f"{where.name}: more than {MAX_BYTES} bytes", hint="Split it.")
        text = where.read_text(encoding="utf-8")
    except OSError as e:
        raise Invalid("team_invalid", f"{where.name}: {e.strerror}", hint="Name a file that can be read.") from None
    except UnicodeDecodeError:
        raise Invalid("team_invalid", f"{where.name}: not UTF-8", hint="Save it as UTF-8.") from None
    return read_toml(text, where.name) if where.suffix == ".toml" else read_yaml(text, where.name)


def read_toml(text: str, name: str) -> Any:
    """TOML as data; raises team_invalid."""
    try:
        found = tomllib.loads(text)
    except (ValueError, RecursionError) as e:  # ValueError: TOMLDecodeError, and a number of 5,000 digits
        raise Invalid("team_invalid", f"{name}: {str(e)[:200]}", hint="Correct the TOML.") from None
    _bounded(found, name)
    return found


def read_yaml(text: str, name: str) -> Any:
    """YAML as data; raises team_invalid for what is no plain data."""
    import yaml  # 15 ms, and most programs read no workflow

    if len(text.encode()) > MAX_BYTES:
        raise Invalid("team_invalid", f"{name}: more than {MAX_BYTES} bytes", hint="Split it.")
    try:
        depth = 0
        for seen, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
            if seen > MAX_VALUES:
                raise _refused(name, event.start_mark, f"more than {MAX_VALUES} values", "Split it.")
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise _refused(name, event.start_mark, "an anchor or alias", "Write the value out.")
            tag = getattr(event, "tag", None)
            if tag not in (None, "!"):
                raise _refused(name, event.start_mark, f"the tag {tag[:40]}", "Leave it out.")
            if depth > MAX_DEPTH:
                raise _refused(name, event.start_mark, f"deeper than {MAX_DEPTH} levels", "Make it flatter.")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        found = None if node is None else _value(node, name, yaml.SafeLoader(""))
    except yaml.YAMLError as e:
        mark = getattr(e, "problem_mark", None)
        why = getattr(e, "problem", None) or str(e)
        raise _refused(name, mark, f"{str(why)[:150]}", "Correct the YAML.") from None
    except ValueError as e:  # a number of 5,000 digits, a date that is none
        raise Invalid("team_invalid", f"{name}: {str(e)[:150]}", hint="Correct the value.") from None
    _bounded(found, name)
    return found


def _value(node: Any, name: str, loader: Any) -> Any:
    """A YAML node as data: the core schema's scalars only, text everywhere else."""
    import yaml

    if isinstance(node, yaml.ScalarNode):
        kind = node.tag.rsplit(":", 1)[-1]
        if kind not in _PLAIN:
            return node.value  # a date, a merge key or the like: text here
        return loader.construct_object(node)
    if isinstance(node, yaml.SequenceNode):
        return [_value(each, name, loader) for each in node.value]
    made: dict[Any, Any] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _refused(name, key.start_mark, "a key that is no text", "Use text as keys.")
        if key.value in made:
            raise _refused(name, key.start_mark, f"the key {key.value[:60]} stands twice", "Keep one of them.")
        made[key.value] = _value(value, name, loader)
    return made


def _bounded(value: Any, name: str) -> None:
    stack, seen = [(value, 0)], 0
    while stack:
        each, depth = stack.pop()
        seen += 1
        if depth > MAX_DEPTH or seen > MAX_VALUES:
            raise Invalid("team_invalid", f"{name}: too deep or too much", hint=f"At most {MAX_DEPTH} levels.")
        if isinstance(each, str) and ("\0" in each or any("\ud800" <= c <= "\udfff" for c in each)):
            raise Invalid("team_invalid", f"{name}: {each[:60]!a} holds what is no character", hint="Leave it out.")
        if isinstance(each, dict):
            stack += [(key, depth) for key in each]
            stack += [(v, depth + 1) for v in each.values()]
        elif isinstance(each, list):
            stack += [(v, depth + 1) for v in each]


def _refused(name: str, mark: Any, why: str, hint: str) -> Invalid:
    place = f", line {mark.line + 1}" if mark is not None else ""
    return Invalid("team_invalid", f"{name}{place}: {why}", hint=hint)
