"""Functions whose effect is known."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Final

from remit.code.review import ir
from remit.code.review.flow.events import Event
from remit.code.review.flow.run import MAX_BOX, Run
from remit.code.review.flow.values import CLEAN, DEFAULT, NOTHING, Box, ClassTarget, Partial, Value, join
from remit.code.review.flow.wording import go_join, sprintf, stripped, template


def _compile(run: Run, event: Event) -> Value | None:
    made = Value(qual=f"{event.name}()", taints=run.deep(event.args[0]) if event.args else CLEAN)
    made.shape = event.args[0].const if event.args and isinstance(event.args[0].const, str) else None
    return made


def _getattr(run: Run, event: Event) -> Value | None:
    from remit.code.review.flow.members import attribute

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


FUNCTIONS: Final[dict[str, Callable[[Run, Event], Value | None]]] = {
    "re.compile": _compile, "regexp.MustCompile": _compile, "regexp.Compile": _compile, "RegExp": _compile,
    "Regex.new": _compile, "regex.Regex.new": _compile, "getattr": _getattr, "setattr": _setattr,
    "collections.namedtuple": _namedtuple, "functools.partial": _partial, "append": _go_append,
    "strings.Join": go_join,
    "zip": _zip, "min": _extreme, "max": _extreme, "collections.defaultdict": _defaultdict, "re.sub": stripped,
    "string.Template": template, "enumerate": _enumerate, "next": _next, "dict": _new_dict, "list": _new_list,
    "set": _new_list,
    "collections.OrderedDict": _new_dict, "collections.deque": _new_list, "fmt.Sprintf": sprintf, "require": _require,
    "lxml.etree.XMLParser": _options, "lxml.etree.ETCompatXMLParser": _options, "xml.sax.make_parser": _options,
    "xml.sax.expatreader.create_parser": _options, "types.SimpleNamespace": _new_object,
    "std.process.Command.new": _command, "Command.new": _command, "tokio.process.Command.new": _command,
}  # fmt: skip
