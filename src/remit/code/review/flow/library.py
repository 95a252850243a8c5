"""Calls whose effect is known: containers, text, conversions, tests. Everything else is a call of something unknown."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import reduce
from typing import Any, Final

from remit.code.review import ir
from remit.code.review.flow import constants
from remit.code.review.flow.calls import special
from remit.code.review.flow.containers import CONTAINERS
from remit.code.review.flow.events import Event
from remit.code.review.flow.run import MAX_BOX, Run, checked, data_facts, facts
from remit.code.review.flow.tests import ALL, absent, every_facts, pattern_facts, prefix, same
from remit.code.review.flow.values import (
    CLEAN,
    DEFAULT,
    HOLE,
    NOTHING,
    UNKNOWN,
    Box,
    Check,
    ClassTarget,
    Facts,
    Partial,
    Value,
    join,
    join_taints,
)

_NUMBERS: Final = frozenset(("int", "float", "bool", "len", "ord", "hash", "id", "isinstance", "issubclass", "hasattr",
                             "callable", "type", "abs", "round", "sum", "parseInt", "parseFloat", "Number", "Boolean",
                             "cap", "uuid.UUID", "decimal.Decimal", "complex", "strconv.Atoi", "strconv.ParseInt",
                             "strconv.ParseFloat", "strconv.ParseBool", "strconv.ParseUint", "isNaN", "any", "all",
                             "datetime.datetime.strptime", "datetime.date.fromisoformat", "uuid.Parse", "range",
                             "zlib.crc32", "binascii.crc32",
                             "Number.parseInt", "Number.parseFloat", "ipaddress.ip_address", "time.Parse"))  # fmt: skip
"""Functions whose result cannot hold a text that harms."""
_HARMLESS_METHODS: Final = frozenset(("isdigit", "isalpha", "isalnum", "isnumeric", "isdecimal", "isidentifier",
    "count",
                                      "find", "index", "rfind", "rindex", "startswith", "endswith", "exists", "is_file",
                                      "is_dir", "hexdigest", "digest", "bit_length", "hasOwnProperty", "indexOf",
                                      "includes", "lastIndexOf", "startsWith", "endsWith", "test", "has", "toFixed",
                                      "getTime", "starts_with", "ends_with", "is_empty", "contains", "is_some",
                                      "is_none", "is_ok", "is_err", "len", "length", "timestamp", "fileno",
                                      "is_relative_to", "isspace", "isupper", "islower", "__contains__", "charCodeAt",
                                      "codePointAt", "isprintable", "isascii", "Len", "size"))  # fmt: skip
_SAME: Final = frozenset(("str", "list", "tuple", "sorted", "reversed", "set", "iter", "copy.copy", "copy.deepcopy",
                          "String", "Array.from", "bytes", "frozenset", "Object", "string", "typing.cast",
                          "structuredClone", "String.from", "Some", "Ok", "Box.new", "Arc.new", "Rc.new",
                          "dict"))  # fmt: skip
_SAME_METHODS: Final = frozenset(("to_string", "to_owned", "clone", "as_str", "unwrap", "expect", "unwrap_or_default",
                                  "into", "as_ref", "copy", "toString", "valueOf", "__str__", "as_bytes", "borrow",
                                  "to_str", "as_mut", "iter", "into_iter", "collect", "String", "Bytes", "strip",
                                  "trim",
                                  "lower", "upper", "toLowerCase", "toUpperCase"))  # fmt: skip
_CONFIG: Final = frozenset(("configparser.ConfigParser", "configparser.RawConfigParser",
    "configparser.SafeConfigParser",
                            "ConfigParser.ConfigParser"))  # fmt: skip
_WORDS: Final = frozenset(("isdigit", "isalpha", "isalnum", "isnumeric", "isdecimal", "isidentifier"))
_SAFE_NAME: Final = re.compile(r"(^|[._])(is_?)?(safe|valid|allowed|trusted|permitted|whitelisted)(_|[A-Z]|$)|"
                               r"(^|\.)is(Safe|Valid|Allowed|Trusted)|url_has_allowed_host_and_scheme|"
                               r"is_safe_url")  # fmt: skip


def known_call(run: Run, event: Event) -> Value | None:
    """The result of a call that is known, with its effect on the state; None for others."""
    box = run.box(event.receiver)
    if box is not None:
        action = CONTAINERS.get(event.method)
        if action is not None and (box.kind != "object" or box.cls is None):
            made = action(run, event, box)
            if made is not None:
                return made
    text = _text(run, event)
    if text is not None:
        return text
    made = _tested(run, event)
    if made is not None:
        return made
    return _plain(run, event)


def _plain(run: Run, event: Event) -> Value | None:
    name = event.name
    first = event.args[0] if event.args else None
    if name in _CONFIG:
        return run.new_box(Box("config"), f"{name}()")
    if name in _NUMBERS or name.rpartition("/")[2] in _NUMBERS:
        return _numeric(run, event)
    if event.method in _HARMLESS_METHODS and (event.receiver is not NOTHING):
        return Value(qual=f"{name}()")
    if name == "str" and event.args and event.args[0].ref:
        shown = special(run, event.args[0], "__str__", [])
        if shown is not None:
            return shown
    if name in _SAME and len(event.args) == 1 and not event.keywords and first is not None:
        return _copied(run, first)
    known = event.receiver.taints or event.receiver.shape is not None
    if event.method in _SAME_METHODS and event.receiver is not NOTHING and known:
        made = event.receiver.tainted(event.receiver.taints)
        made.shape = event.receiver.shape if event.method not in ("lower", "upper") else None
        made.const = event.receiver.const if not event.receiver.taints and made.shape is not None else UNKNOWN
        return made
    action = _FUNCTIONS.get(name)
    return action(run, event) if action is not None else None


def _numeric(run: Run, event: Event) -> Value:
    from remit.code.review.flow.expressions import numeric

    taints = CLEAN
    for one in event.args:
        taints = join_taints(taints, numeric(Value(taints=run.deep(one))))
    const: Any = UNKNOWN
    if event.args and event.name == "len":
        box = run.box(event.args[0])
        if box is not None and box.rest is None:
            const = len(box.items if box.items is not None else box.keys)
        elif isinstance(event.args[0].const, str | bytes):
            const = len(event.args[0].const)
    elif len(event.args) == 1 and event.name in ("int", "float", "bool", "parseInt", "Number", "strconv.Atoi"):
        const = _converted(event.name, event.args[0].const)
    return Value(const, taints)


def _converted(name: str, const: Any) -> Any:
    if (
        const is UNKNOWN
        or not isinstance(const, str | int | float | bool)
        or (isinstance(const, str) and len(const) > 40)
    ):
        return UNKNOWN
    try:
        return {"float": float, "bool": bool}.get(name, int)(const)
    except (ValueError, OverflowError):
        return UNKNOWN


def _copied(run: Run, value: Value) -> Value:
    box = run.box(value)
    if box is None:
        return value
    if value.target is not None or box.cls is not None:
        return value
    return run.new_box(Box(box.kind, list(box.items) if box.items is not None else None, dict(box.keys), box.rest))


# Text.


def _text(run: Run, event: Event) -> Value | None:
    receiver = event.receiver
    if receiver is NOTHING:
        return None
    if event.method == "format" and receiver.shape is not None:
        return _formatted(run, event)
    if event.method == "format_map" and receiver.shape is not None and event.args:
        return _formatted(run, event)
    if event.method in ("substitute", "safe_substitute") and receiver.shape is not None:
        return _substituted(run, event)
    if event.method == "join" and isinstance(receiver.const, str) and event.args:
        return _joined(run, receiver, event.args[0], event)
    if event.method == "replace" and receiver.taints and len(event.args) >= 2:
        return _replaced(run, event)
    if not receiver.taints and receiver.const is not UNKNOWN:
        const = constants.method(event.method, receiver.const, [one.const for one in event.args])
        if isinstance(const, list | tuple):
            return run.new_box(Box("list", [Value(one) for one in const[:MAX_BOX]]))
        if const is not UNKNOWN:
            return Value(const)
    return None


def _formatted(run: Run, event: Event) -> Value:
    from remit.code.review.flow.expressions import concatenated

    parts: list[Value] = []
    at = 0
    named = _named_values(run, event)
    given = list(event.args)
    for match in re.finditer(r"\{(\w*)[^{}]*\}", event.receiver.shape or ""):
        parts.append(Value((event.receiver.shape or "")[at : match.start()]))
        at = match.end()
        name = match[1]
        if name.isdigit():
            parts.append(given[int(name)] if len(name) < 4 and int(name) < len(given) else NOTHING)
        elif name:
            parts.append(named.get(name, named.get("**", NOTHING)))
        else:
            parts.append(given.pop(0) if given else NOTHING)
    parts.append(Value((event.receiver.shape or "")[at:]))
    made = concatenated(run, parts, event.span)
    return made.tainted(join_taints(made.taints, event.receiver.taints))


def _named_values(run: Run, event: Event) -> dict[str, Value]:
    """What a text is filled with by name: keywords, or a mapping as the only argument."""
    box = run.box(event.args[0]) if event.args and event.method != "format" else None
    if box is None:
        rest = {"**": event.args[0]} if event.args and event.method != "format" else {}
        return {**rest, **event.keywords}
    whole = {"**": box.rest} if box.rest is not None else {}
    return {**{str(key): one for key, one in box.keys.items()}, **whole, **event.keywords}


def _substituted(run: Run, event: Event) -> Value:
    """`Template("a $b").substitute(b=c)`."""
    from remit.code.review.flow.expressions import concatenated

    named = _named_values(run, event)
    parts: list[Value] = []
    at = 0
    shape = event.receiver.shape or ""
    for match in re.finditer(r"\$(?:(\w+)|\{(\w+)\})", shape):
        parts.extend([Value(shape[at : match.start()]), named.get(match[1] or match[2], named.get("**", NOTHING))])
        at = match.end()
    made = concatenated(run, [*parts, Value(shape[at:])], event.span)
    return made.tainted(join_taints(made.taints, event.receiver.taints))


def _joined(run: Run, separator: Value, value: Value, event: Event) -> Value:
    from remit.code.review.flow.expressions import concatenated
    from remit.code.review.flow.places import element

    box = run.box(value)
    if box is None or box.items is None or box.rest is not None:
        inner = element(run, value)
        made = concatenated(run, [inner], event.span)
        made.taints = join_taints(made.taints, run.deep(value))
        made.const, made.shape = UNKNOWN, HOLE
        return made
    parts: list[Value] = []
    for at, one in enumerate(box.items):
        parts.extend([separator, one] if at else [one])
    return concatenated(run, parts, event.span)


def _replaced(run: Run, event: Event) -> Value:
    receiver = event.receiver
    old, new = event.args[0].const, event.args[1].const
    if event.args[0].qual.startswith("RegExp") and isinstance(event.args[0].shape, str):
        old = event.args[0].shape.removeprefix("[").removesuffix("]")
    kinds = absent(old) if isinstance(old, str) and isinstance(new, str) and old not in new else frozenset()
    kinds = kinds - {"path"}
    made = receiver.tainted({token: cleared | kinds for token, cleared in receiver.taints.items()})
    made.const, made.identity, made.shape = UNKNOWN, made, None
    for one in event.args[1:2]:
        made.taints = join_taints(made.taints, run.deep(one))
    return made


# Tests.


def _tested(run: Run, event: Event) -> Value | None:
    """A call that says something of its tainted argument or receiver when it holds."""
    method, receiver = event.method, event.receiver
    made = Value(qual=f"{event.name}()")
    subject = receiver if receiver.taints else next((one for one in event.args if one.taints), NOTHING)
    if method in ("all", "every") and (said := _each(run, event, subject)):
        return checked(made, Check(said, CLEAN))
    if not subject.taints:
        return None
    if subject is receiver:
        made.check = _own_test(event, subject)
    elif method in ("match", "fullmatch", "test", "MatchString", "is_match", "Match", "search"):
        return _matched(event, subject)
    elif method in ("includes", "has", "Contains", "contains", "contains_key", "__contains__", "indexOf"):
        made.check = _contained(run, event, subject)
    elif method == "IsLocal":
        made.check = Check(facts(subject, frozenset(("path",))), CLEAN)
    elif method in ("HasPrefix", "startswith"):
        made.check = Check(prefix(subject, event.constant(1)), CLEAN)
    elif _SAFE_NAME.search(event.name):
        made.check = Check(facts(subject, ALL), CLEAN)
    return made if made.check is not None else None


def _each(run: Run, event: Event, subject: Value) -> Facts:
    """What a test of every letter says of the text."""
    if event.name == "all" and event.args:
        inner = element_source(run, event.node)
        return every_facts(run, event.node, inner) if inner.taints else CLEAN
    return every_facts(run, event.node, subject) if subject is event.receiver else CLEAN


def element_source(run: Run, node: ir.Node) -> Value:
    """The text that the comprehension of `all(... for c in text)` runs over."""
    from remit.code.review.flow.expressions import value_of

    given = node.args[0] if isinstance(node, ir.Call) and node.args else None
    return value_of(run, given.clauses[0][1]) if isinstance(given, ir.Comprehension) and given.clauses else NOTHING


def _own_test(event: Event, subject: Value) -> Check | None:
    method = event.method
    if method in _WORDS:
        return Check(facts(subject, ALL), CLEAN)
    if method in ("startswith", "startsWith", "starts_with"):
        return Check(prefix(subject, event.constant(0)), CLEAN)
    if method == "is_relative_to":
        return Check(data_facts(subject, frozenset(("path",))), CLEAN)
    if method in ("find", "indexOf", "includes", "contains", "count") and isinstance(event.constant(0), str):
        return Check(CLEAN, facts(subject, absent(event.constant(0))))
    return None


def _matched(event: Event, subject: Value) -> Value:
    pattern = event.constant(0) if event.name.startswith("re.") and len(event.args) > 1 else event.receiver.shape
    if event.method in _SEARCHES and isinstance(pattern, str) and _OTHERS.match(pattern):
        made = Value(qual=f"{event.name}()")
        made.check = Check(CLEAN, facts(subject, ALL if "." not in pattern else _NOT_PATHS))
        return made
    whole = event.method == "fullmatch"
    start = event.method in ("match", "fullmatch") or (isinstance(pattern, str) and pattern.startswith(("^", "\\A")))
    said = pattern_facts(subject, pattern, whole) if start else CLEAN
    made = Value(taints=subject.taints, qual=f"{event.name}()")
    made.check = Check(said, CLEAN)
    made.trail = subject.trail
    return made


def _contained(run: Run, event: Event, subject: Value) -> Check | None:
    if event.args and subject is event.args[0] and isinstance(event.constant(1), str):
        return Check(CLEAN, facts(subject, absent(event.constant(1))))
    if not run.deep(event.receiver):
        return Check(same(subject), CLEAN)
    return None


# Functions.


_SEARCHES: Final = frozenset(("search", "test", "MatchString", "is_match"))
_OTHERS: Final = re.compile(r"^\[\^(?:\\w|\\d|\w-\w|\w|\\-|_|-| |\\\.|\.|,|@)+\]\+?$")
"""Whatever is not one of these letters, digits and marks."""
_NOT_PATHS: Final = frozenset(("sql", "command", "code", "xss", "xpath", "ldap", "template"))


def _compile(run: Run, event: Event) -> Value | None:
    made = Value(qual=f"{event.name}()", taints=run.deep(event.args[0]) if event.args else CLEAN)
    made.shape = event.args[0].const if event.args and isinstance(event.args[0].const, str) else None
    return made


def _getattr(run: Run, event: Event) -> Value | None:
    from remit.code.review.flow.expressions import attribute

    name = event.constant(1)
    if isinstance(name, str) and event.args:
        return attribute(run, event.args[0], name, event.node)
    return None


def _setattr(run: Run, event: Event) -> Value | None:
    from remit.code.review.flow.places import set_field

    name = event.constant(1)
    if len(event.args) != 3 or not isinstance(name, str):
        return None
    set_field(run, event.args[0], name, event.args[2])
    return Value(None)


def _namedtuple(run: Run, event: Event) -> Value | None:
    """A class of named fields, made by a call."""
    name, said = event.constant(0), event.argument(1, "field_names")
    box = run.box(said) if said is not None else None
    fields = [one.const for one in box.items or ()] if box is not None else said.const if said is not None else None
    if isinstance(fields, str):
        fields = fields.replace(",", " ").split()
    if not isinstance(name, str) or not isinstance(fields, list) or not all(isinstance(one, str) for one in fields):
        return None
    made = ir.Class(event.span, name, [], [], fields=fields)
    return Value(target=ClassTarget(made, run.frame.module, run.frame), qual=f"{run.frame.module.name}.{name}")


def _partial(run: Run, event: Event) -> Value | None:
    if not event.args:
        return None
    return Value(target=Partial(event.args[0], list(event.args[1:]), dict(event.keywords)))


def _go_append(run: Run, event: Event) -> Value | None:
    if not event.args:
        return None
    box = run.box(event.args[0])
    if box is not None and box.items is not None and len(box.items) < MAX_BOX:
        return run.new_box(Box(box.kind, [*box.items, *event.args[1:]], rest=box.rest))
    rest = NOTHING
    for one in event.args:
        rest = join(rest, Value(taints=run.deep(one)))
    return run.new_box(Box("list", rest=rest))


def _enumerate(run: Run, event: Event) -> Value | None:
    box = run.box(event.args[0]) if event.args else None
    if box is None or box.items is None or box.rest is not None:
        from remit.code.review.flow.places import element

        inner = element(run, event.args[0]) if event.args else NOTHING
        return run.new_box(Box("list", rest=run.new_box(Box("tuple", [NOTHING, inner]))))
    pairs = [run.new_box(Box("tuple", [Value(at), one])) for at, one in enumerate(box.items)]
    return run.new_box(Box("list", pairs))


def _zip(run: Run, event: Event) -> Value | None:
    from remit.code.review.flow.places import element

    boxes = [run.box(one) for one in event.args]
    known = [box.items for box in boxes if box is not None and box.items is not None and box.rest is None]
    if len(known) == len(event.args):
        return run.new_box(Box("list", [run.new_box(Box("tuple", list(row))) for row in zip(*known, strict=False)]))
    return run.new_box(Box("list", rest=run.new_box(Box("tuple", [element(run, one) for one in event.args]))))


def _extreme(run: Run, event: Event) -> Value | None:
    """min and max: one of what is given."""
    from remit.code.review.flow.places import element

    found = [element(run, event.args[0])] if len(event.args) == 1 else list(event.args)
    return reduce(join, found) if found else None


def _defaultdict(run: Run, event: Event) -> Value | None:
    return run.new_box(Box("defaults", None, {DEFAULT: event.args[0]} if event.args else {}))


def _template(run: Run, event: Event) -> Value | None:
    """`string.Template(x)`."""
    if not event.args:
        return None
    made = event.args[0].tainted(event.args[0].taints)
    made.qual, made.const = "string.Template()", UNKNOWN
    return made


def _sub(run: Run, event: Event) -> Value | None:
    """`re.sub` that takes away everything but letters, digits and a few marks."""
    pattern, new = event.constant(0), event.constant(1)
    if len(event.args) < 3 or not isinstance(pattern, str) or not isinstance(new, str) or not event.args[2].taints:
        return None
    made = Value(taints=event.args[2].taints, qual="re.sub()")
    made.trail = event.args[2].trail
    if _OTHERS.match(pattern) and re.fullmatch(r"[\w ,-]*", new):
        kinds = ALL if "." not in pattern else _NOT_PATHS
        made.taints = {token: said | kinds for token, said in made.taints.items()}
    made.taints = join_taints(made.taints, run.deep(event.args[1]))
    return made


def _next(run: Run, event: Event) -> Value | None:
    from remit.code.review.flow.places import element

    return element(run, event.args[0]) if event.args else None


def _new_dict(run: Run, event: Event) -> Value | None:
    if event.args:
        return None
    return run.new_box(Box("dict", None, {k: v for k, v in event.keywords.items() if k != "**"},
                           event.keywords.get("**")))  # fmt: skip


def _new_object(run: Run, event: Event) -> Value | None:
    """An object of named fields."""
    return run.new_box(Box("object", None, {k: v for k, v in event.keywords.items() if k != "**"},
                           event.keywords.get("**")))  # fmt: skip


def _new_list(run: Run, event: Event) -> Value | None:
    return None if event.args or event.keywords else run.new_box(Box("list", []))


def _sprintf(run: Run, event: Event) -> Value | None:
    from remit.code.review.flow.expressions import concatenated, numeric

    given = list(event.args)
    if event.name.endswith("Fprintf"):
        given = given[1:]
    shape = given[0].shape if given else None
    if shape is None:
        return None
    parts: list[Value] = []
    at = 0
    values = given[1:]
    for match in re.finditer(r"%[-+#0-9.]*[a-zA-Z]", shape):
        parts.append(Value(shape[at : match.start()]))
        at = match.end()
        one = values.pop(0) if values else NOTHING
        parts.append(Value(taints=numeric(one)) if match[0][-1] in "dxXofeEgtc" else one)
    return concatenated(run, [*parts, Value(shape[at:])], event.span)


def _require(run: Run, event: Event) -> Value | None:
    """`require("module")`."""
    from remit.code.review.flow.imports import find

    name = event.constant(0)
    if not isinstance(name, str):
        return None
    return Value(qual=name, target=find(run, name, run.frame.module))


def _command(run: Run, event: Event) -> Value | None:
    """A command that is put together word by word (Rust)."""
    return run.new_box(Box("command", [event.args[0]]), f"{event.name}()") if event.args else None


def _options(run: Run, event: Event) -> Value | None:
    """An object that keeps the options it was made with."""
    return run.new_box(Box("object", None, dict(event.keywords)), f"{event.name}()")


_FUNCTIONS: Final[dict[str, Callable[[Run, Event], Value | None]]] = {
    "re.compile": _compile, "regexp.MustCompile": _compile, "regexp.Compile": _compile, "RegExp": _compile,
    "Regex.new": _compile, "regex.Regex.new": _compile, "getattr": _getattr, "setattr": _setattr,
    "collections.namedtuple": _namedtuple, "functools.partial": _partial, "append": _go_append,
    "zip": _zip, "min": _extreme, "max": _extreme, "collections.defaultdict": _defaultdict, "re.sub": _sub,
    "string.Template": _template, "enumerate": _enumerate, "next": _next, "dict": _new_dict, "list": _new_list,
    "set": _new_list,
    "collections.OrderedDict": _new_dict, "collections.deque": _new_list, "fmt.Sprintf": _sprintf, "require": _require,
    "lxml.etree.XMLParser": _options, "lxml.etree.ETCompatXMLParser": _options, "xml.sax.make_parser": _options,
    "xml.sax.expatreader.create_parser": _options, "types.SimpleNamespace": _new_object,
    "std.process.Command.new": _command, "Command.new": _command, "tokio.process.Command.new": _command,
}  # fmt: skip
