"""Functions of the language that call what they are given: call, apply, bind, promises, timers, objects, emitters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from remit.code.graph.javascript import flow as f
from remit.code.graph.javascript.calls import Args, Caller, Site
from remit.code.graph.javascript.flow import Flow, Token

_SUBSCRIBE: Final = frozenset(["on", "once", "addListener", "prependListener", "addEventListener"])
_PUBLISH: Final = frozenset(["emit", "dispatchEvent"])


def load_at(token: Token, flow: Flow, key: int, into: int) -> None:
    """`into = token[key]`: by the constant texts of the key, or everything where it has none."""
    flow.each(key, _by_text, flow, token, into)
    flow.finally_(_by_unknown, flow, token, key, into)


def _by_text(text: Token, flow: Flow, token: Token, into: int) -> None:
    if text.kind == f.TEXT:
        flow.load(token, (f.KEY if token.kind == f.MAP else "") + text.name, into)
    elif text.kind == f.ANY and token.kind in (f.ARRAY, f.MAP, f.OBJECT) and len(token.fields) <= f.FEW:
        flow.all_fields(token, into)


def _by_unknown(flow: Flow, token: Token, key: int, into: int) -> None:
    unknown = not any(t.kind in (f.TEXT, f.ANY) for t in flow.values[key])
    if unknown and (
        token.kind in (f.ARRAY, f.MAP) or (token.kind in (f.OBJECT, f.INST) and len(token.fields) <= f.FEW)
    ):
        flow.all_fields(token, into)


def store_at(token: Token, flow: Flow, key: int, src: int) -> None:
    """`token[key] = src`."""
    flow.each(key, _to_text, flow, token, src)
    flow.finally_(_to_unknown, flow, token, key, src)


def _to_text(text: Token, flow: Flow, token: Token, src: int) -> None:
    if text.kind in (f.TEXT, f.ANY):
        before = f.KEY if token.kind == f.MAP else ""
        flow.store(token, before + text.name if text.kind == f.TEXT else f.REST, src)


def _to_unknown(flow: Flow, token: Token, key: int, src: int) -> None:
    if not any(t.kind in (f.TEXT, f.ANY) for t in flow.values[key]):
        flow.store(token, f.REST, src)


def contents(token: Token, flow: Caller, into: int, site: Site) -> None:
    """The values of a collection."""
    if token.kind == f.MAP:
        flow.all_fields(token, into)
    else:
        flow.iterate(token, "of", into, site)


def call_outside(flow: Caller, callee: Token, this: int, args: Args, dst: int, site: Site) -> None:
    """Call something that is not in the code base."""
    name = str(callee.name)
    if "()" not in name:
        flow.edge(site, name, "call")
    last = name.rpartition(".")[2]
    if name.startswith("util.") and last in ("inherits", "promisify"):
        TABLE["Object.setPrototypeOf" if last == "inherits" else "promisify"](flow, name, this, args, dst, site)
    elif last in _SUBSCRIBE and this >= 0 and len(args) > 1:
        flow.each(this, _subscribe, flow, args)
        flow.copy(dst, this)
    elif last in _PUBLISH and this >= 0 and args:
        flow.each(this, _publish, flow, args, site)
    else:
        _hand_over(flow, args, site)
        if not last.endswith("()"):
            flow.add(dst, flow.token(f.EXT, f"{name}()"))


def _hand_over(flow: Caller, args: Args, site: Site) -> None:
    for _, node in args:
        flow.each(node, _handed_over, flow, site)


def _handed_over(token: Token, flow: Caller, site: Site) -> None:
    """Something outside may call it: not a call that stands here, but a reference."""
    if token.kind == f.FUNC:
        flow.edge(site, token, "reference")


def _subscribe(owner: Token, flow: Flow, args: Args) -> None:
    if owner.kind in (f.INST, f.OBJECT):
        flow.each(args[0][1], _event, flow, owner, args[1][1])


def _event(event: Token, flow: Flow, owner: Token, handler: int) -> None:
    if event.kind == f.TEXT:
        flow.copy(flow.field(owner, f"\0on {event.name}"), handler)


def _publish(owner: Token, flow: Caller, args: Args, site: Site) -> None:
    if owner.kind in (f.INST, f.OBJECT):
        flow.each(args[0][1], _published, flow, owner, args[1:], site)


def _published(event: Token, flow: Caller, owner: Token, args: Args, site: Site) -> None:
    if event.kind == f.TEXT:
        handlers = flow.field(owner, f"\0on {event.name}")
        flow.each(handlers, flow.invoke, flow.single(owner), args, flow.node(), site, "callback")


def _call(flow: Caller, name: str, this: int, args: Args, dst: int, site: Site) -> None:
    own = args[0][1] if args else -1
    flow.each(this, flow.invoke, own, args[1:], dst, site)


def _apply(flow: Caller, name: str, this: int, args: Args, dst: int, site: Site) -> None:
    own = args[0][1] if args else -1
    flow.each(this, flow.invoke, own, [[1, node] for _, node in args[1:2]], dst, site)


def _bind(flow: Caller, name: str, this: int, args: Args, dst: int, site: Site) -> None:
    made = flow.token(f.BOUND, site)
    made.made_from = (this, args[0][1] if args else -1, args[1:])
    flow.add(dst, made)


def _then(flow: Caller, name: str, this: int, args: Args, dst: int, site: Site) -> None:
    """then, catch, finally: a new promise of what the callback returns."""
    made = flow.token(f.PROMISE, site)
    value, result = flow.node(), flow.node()
    flow.awaited(this, value)
    last = name.rpartition(".")[2]
    for at, (_, node) in enumerate(args[:2]):
        given: Args = [[0, value if last == "then" and not at else flow.node()]]
        flow.each(node, flow.invoke, -1, given, result, site, "callback")
    flow.settle(made, result)
    if last != "then" or not args:
        flow.copy(flow.field(made, f.VALUE), value)
    flow.add(dst, made)


def _settled(flow: Caller, name: str, this: int, args: Args, dst: int, site: Site) -> None:
    """Promise.resolve, all, race, any, allSettled."""
    made = flow.token(f.PROMISE, site)
    last = name.rpartition(".")[2]
    if last == "resolve" and args:
        flow.settle(made, args[0][1])
    elif last in ("all", "race", "any", "allSettled") and args:
        item, into = flow.node(), flow.field(made, f.VALUE)
        flow.each(args[0][1], flow.iterate, "of", item, site)
        if last.startswith("all"):
            box = flow.token(f.ARRAY, site, "all")
            flow.add(into, box)
            into = flow.field(box, f.REST)
        flow.awaited(item, into)
    flow.add(dst, made)


def _timer(flow: Caller, name: str, this: int, args: Args, dst: int, site: Site) -> None:
    for _, node in args[:1]:
        flow.each(node, flow.invoke, -1, args[2:], flow.node(), site, "callback")


def _replace(flow: Caller, name: str, this: int, args: Args, dst: int, site: Site) -> None:
    for _, node in args[1:2]:
        flow.each(node, flow.invoke, -1, [], flow.node(), site)


def _assign(flow: Caller, name: str, this: int, args: Args, dst: int, site: Site) -> None:
    if args:
        for _, source in args[1:]:
            flow.each(source, _copy_fields, flow, args[0][1])
        flow.copy(dst, args[0][1])


def _copy_fields(source: Token, flow: Flow, target: int) -> None:
    if source.kind not in (f.NATIVE, f.EXT, f.TEXT, f.ANY):
        flow.watch(source, lambda name, node: flow.each(target, flow.store, name, node) if name[:1] != "\0" else None)


def _create(flow: Caller, name: str, this: int, args: Args, dst: int, site: Site) -> None:
    made = flow.token(f.OBJECT, site, "create")
    for _, node in args[:1]:
        flow.copy(flow.parent(made), node)
    flow.add(dst, made)


def _set_prototype(flow: Caller, name: str, this: int, args: Args, dst: int, site: Site) -> None:
    """Object.setPrototypeOf, util.inherits."""
    if len(args) < 2:
        return
    child, parent = args[0][1], args[1][1]
    if name.endswith("inherits"):
        protos = flow.node(), flow.node()
        flow.each(child, flow.load, "prototype", protos[0])
        flow.each(parent, flow.load, "prototype", protos[1])
        child, parent = protos
    flow.each(child, add_parent, flow, parent)
    flow.copy(dst, child)


def add_parent(token: Token, flow: Flow, parent: int) -> None:
    """A token inherits from what a node holds."""
    if token.kind in (f.FUNC, f.OBJECT):
        flow.copy(flow.parent(token), parent)


def _define(flow: Caller, name: str, this: int, args: Args, dst: int, site: Site) -> None:
    if len(args) > 2:
        value = flow.node()
        flow.each(args[2][1], flow.load, "value", value)
        getter = flow.node()
        flow.each(args[2][1], flow.load, "get", getter)
        flow.each(getter, flow.invoke, args[0][1], [], value, site, "reference")
        flow.each(args[0][1], store_at, flow, args[1][1], value)
        flow.copy(dst, args[0][1])


def _same(flow: Caller, name: str, this: int, args: Args, dst: int, site: Site) -> None:
    if args:
        flow.copy(dst, args[0][1])


def _reflect(flow: Caller, name: str, this: int, args: Args, dst: int, site: Site) -> None:
    if name == "Reflect.construct" and args:
        flow.each(args[0][1], flow.construct, [[1, node] for _, node in args[1:2]], dst, site)
    elif name == "Reflect.apply" and len(args) > 2:
        flow.each(args[0][1], flow.invoke, args[1][1], [[1, args[2][1]]], dst, site)


def _get_prototype(flow: Caller, name: str, this: int, args: Args, dst: int, site: Site) -> None:
    for _, node in args[:1]:
        flow.each(node, _parents, flow, dst)


def _parents(token: Token, flow: Flow, dst: int) -> None:
    if token.kind in (f.INST, f.OBJECT, f.FUNC):
        flow.copy(dst, flow.parent(token))


TABLE: Final[dict[str, Callable[[Caller, str, int, Args, int, Site], None]]] = {
    "Function.prototype.call": _call, "Function.prototype.apply": _apply, "Function.prototype.bind": _bind,
    "Promise.prototype.then": _then, "Promise.prototype.catch": _then, "Promise.prototype.finally": _then,
    **dict.fromkeys([f"Promise.{n}" for n in ("resolve", "all", "race", "any", "allSettled", "reject")], _settled),
    **dict.fromkeys(["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "requestAnimationFrame",
                     "process.nextTick"], _timer),
    "String.prototype.replace": _replace, "String.prototype.replaceAll": _replace,
    "Object.assign": _assign, "Object.create": _create, "Object.setPrototypeOf": _set_prototype,
    "Object.defineProperty": _define, "Object.getPrototypeOf": _get_prototype,
    **dict.fromkeys(["Object.freeze", "Object.seal", "structuredClone", "promisify"], _same),
    "Reflect.construct": _reflect, "Reflect.apply": _reflect,
}  # fmt: skip
