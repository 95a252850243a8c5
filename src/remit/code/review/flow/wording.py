"""Methods and functions of texts."""

from __future__ import annotations

import re

from remit.code.review.flow import constants
from remit.code.review.flow.checks import NOT_PATHS, OTHERS
from remit.code.review.flow.events import Event
from remit.code.review.flow.run import MAX_BOX, Run
from remit.code.review.flow.tests import ALL, absent
from remit.code.review.flow.values import HOLE, NOTHING, UNKNOWN, Box, Value, join_taints


def text_method(run: Run, event: Event) -> Value | None:
    """A method of a text, or of texts that are joined; None when it is not known."""
    receiver = event.receiver
    if receiver is NOTHING:
        return None
    made = _filled(run, event)
    if made is not None:
        return made
    if event.method == "replace" and receiver.taints and len(event.args) >= 2:
        return _replaced(run, event)
    if receiver.taints or receiver.const is UNKNOWN:
        return None
    const = constants.method(event.method, receiver.const, [one.const for one in event.args])
    if isinstance(const, list | tuple):
        return run.new_box(Box("list", [Value(one) for one in const[:MAX_BOX]]))
    return None if const is UNKNOWN else Value(const)


def _filled(run: Run, event: Event) -> Value | None:
    """A text whose places are filled, or the texts of a list in a row."""
    receiver = event.receiver
    if event.method == "join" and isinstance(receiver.const, str) and event.args:
        return _joined(run, receiver, event.args[0], event)
    if receiver.ref and (event.method == "join" or (event.method == "concat" and not event.args)):
        return _joined(run, event.args[0] if event.args else Value(""), receiver, event)
    if receiver.shape is None:
        return None
    if event.method == "format" or (event.method == "format_map" and event.args):
        return _formatted(run, event)
    return _substituted(run, event) if event.method in ("substitute", "safe_substitute") else None


def _formatted(run: Run, event: Event) -> Value:
    from remit.code.review.flow.texts import concatenated

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
    from remit.code.review.flow.texts import concatenated

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
    from remit.code.review.flow.places import element
    from remit.code.review.flow.texts import concatenated

    box = run.box(value)
    if box is not None and box.items and box.rest is not None:
        known = [one for at, inner in enumerate(box.items) for one in ([separator, inner] if at else [inner])]
        return concatenated(run, [*known, Value(taints=run.deep(box.rest))], event.span)
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


def template(run: Run, event: Event) -> Value | None:
    """`string.Template(x)`."""
    if not event.args:
        return None
    made = event.args[0].tainted(event.args[0].taints)
    made.qual, made.const = "string.Template()", UNKNOWN
    return made


def go_join(run: Run, event: Event) -> Value | None:
    """`strings.Join(texts, separator)`."""
    return _joined(run, event.args[1], event.args[0], event) if len(event.args) == 2 else None


def sprintf(run: Run, event: Event) -> Value | None:
    """`fmt.Sprintf(form, ...)`: numbers lose what a text may hold."""
    from remit.code.review.flow.texts import concatenated, numeric

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


def stripped(run: Run, event: Event) -> Value | None:
    """`re.sub` that takes away everything but letters, digits and a few marks."""
    pattern, new = event.constant(0), event.constant(1)
    if len(event.args) < 3 or not isinstance(pattern, str) or not isinstance(new, str) or not event.args[2].taints:
        return None
    made = Value(taints=event.args[2].taints, qual="re.sub()")
    made.trail = event.args[2].trail
    if OTHERS.match(pattern) and re.fullmatch(r"[\w ,-]*", new):
        kinds = ALL if "." not in pattern else NOT_PATHS
        made.taints = {token: said | kinds for token, said in made.taints.items()}
    made.taints = join_taints(made.taints, run.deep(event.args[1]))
    return made
