"""What the language's own functions do with functions and containers that are given to them.

A callback that runs before the native returns is called from where the native is called; one that runs later
(timers, promises) too, with the reason `callback`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from remit.code.graph.javascript import flow as f
from remit.code.graph.javascript import native_callbacks as c
from remit.code.graph.javascript.calls import Args, Caller, Site
from remit.code.graph.javascript.flow import Token

Native = Callable[[Caller, str, int, Args, int, Site], None]


def call_native(flow: Caller, name: str, this: int, args: Args, dst: int, site: Site) -> None:
    """Call something of the language."""
    flow.edge(site, f"<builtin>.{name.replace('.prototype', '')}", "call")
    method = _TABLE.get(name)
    if method is not None:
        method(flow, name, this, args, dst, site)
    elif name in ("String", "Number", "Boolean", "Symbol", "BigInt"):
        return
    elif name[:1].isupper() and "." not in name:
        construct_native(flow, name, args, dst, site)


def construct_native(flow: Caller, name: str, args: Args, dst: int, site: Site) -> None:
    """`new Name(...)` of the language."""
    if name == "Promise":
        made = flow.token(f.PROMISE, site)
        resolve = flow.token(f.RESOLVE, site)
        resolve.made_from = made
        flow.add(dst, made)
        done, failed = flow.single(resolve), flow.single(flow.token(f.RESOLVE, site, "reject"))
        flow.tokens[f.RESOLVE, site, "reject"].made_from = flow.token(f.PROMISE, site, "rejected")
        if args:
            flow.each(args[0][1], flow.invoke, -1, [[0, done], [0, failed]], flow.node(), site)
    elif name in ("Map", "WeakMap", "Set", "WeakSet", "Array"):
        kind = {"Map": f.MAP, "WeakMap": f.MAP, "Array": f.ARRAY}.get(name, f.SET)
        made = flow.token(kind, site)
        flow.add(dst, made)
        for _, node in args[:1] if name != "Array" else ():
            flow.each(node, _fill, flow, made, site)
        for _, node in args if name == "Array" else ():
            flow.store(made, f.REST, node)
    elif name == "Proxy" and args:
        flow.copy(dst, args[0][1])
    elif name == "Object":
        flow.add(dst, flow.token(f.OBJECT, site, "new"))
        for _, node in args[:1]:
            flow.copy(dst, node)
    else:
        flow.add(dst, flow.token(f.EXT, name))


def _fill(source: Token, flow: Caller, made: Token, site: Site) -> None:
    """`new Set(values)`, `new Map(pairs)`."""
    if made.kind == f.SET:
        flow.iterate(source, "of", flow.field(made, f.VALUE), site)
        return
    pairs = flow.node()
    flow.iterate(source, "of", pairs, site)
    flow.each(pairs, flow.load, "0", flow.field(made, "\0key"))
    flow.each(pairs, flow.load, "1", flow.field(made, f.REST))


def _array_callback(flow: Caller, name: str, this: int, args: Args, dst: int, site: Site) -> None:
    """forEach, map, filter, find, some, every, flatMap, sort."""
    method = name.rpartition(".")[2]
    item, result = flow.node(), flow.node()
    flow.each(this, flow.iterate, "of", item, site)
    made = flow.token(f.ARRAY, site, method)
    second = [0, item] if "ort" in method else [0, flow.node()]
    if args:
        own = args[1][1] if len(args) > 1 else -1
        flow.each(args[0][1], flow.invoke, own, [[0, item], second, [0, this]], result, site)
    if method == "map":
        flow.copy(flow.field(made, f.REST), result)
    elif method == "flatMap":
        flow.each(result, flow.iterate, "of", flow.field(made, f.REST), site)
    elif method in ("filter", "toSorted"):
        flow.copy(flow.field(made, f.REST), item)
    elif method.startswith("find") and "Index" not in method:
        flow.copy(dst, item)
    elif method == "sort":
        flow.copy(dst, this)
    if method in ("map", "flatMap", "filter", "toSorted"):
        flow.add(dst, made)


def _reduce(flow: Caller, name: str, this: int, args: Args, dst: int, site: Site) -> None:
    item, result = flow.node(), flow.node()
    flow.each(this, flow.iterate, "of", item, site)
    flow.copy(result, args[1][1] if len(args) > 1 else item)
    if args:
        flow.each(args[0][1], flow.invoke, -1, [[0, result], [0, item]], result, site)
    flow.copy(dst, result)


def _array_add(flow: Caller, name: str, this: int, args: Args, dst: int, site: Site) -> None:
    """push, unshift, fill, splice."""
    given = args[2:] if name.endswith("splice") else args
    for spread, node in given:
        src = node
        if spread:
            src = flow.node()
            flow.each(node, flow.iterate, "of", src, site)
        flow.each(this, flow.store, f.REST, src)
    if name.endswith(("splice", "fill")):
        flow.copy(dst, this)


def _array_take(flow: Caller, name: str, this: int, args: Args, dst: int, site: Site) -> None:
    """pop, shift, at."""
    flow.each(this, flow.iterate, "of", dst, site)


def _array_copy(flow: Caller, name: str, this: int, args: Args, dst: int, site: Site) -> None:
    """slice, concat, reverse, flat, values, Array.from, Object.values."""
    made = flow.token(f.ARRAY, site, name)
    into = flow.field(made, f.REST)
    if name.startswith("Array.prototype"):
        flow.each(this, flow.iterate, "of", into, site)
    for spread, node in args if name.endswith("concat") or not name.startswith("Array.prototype") else ():
        if name == "Array.of" or (name.endswith("concat") and not spread):
            flow.copy(into, node)
        if name != "Array.of":
            flow.each(node, flow.iterate, "of", into, site)
        if name == "Array.from":
            break
    if name == "Array.from" and len(args) > 1:
        item = flow.node()
        flow.each(args[0][1], flow.iterate, "of", item, site)
        flow.each(args[1][1], flow.invoke, -1, [[0, item]], into, site)
    if name.endswith("flat"):
        flow.each(into, flow.iterate, "of", into, site)
    flow.add(dst, made)


def _values(flow: Caller, name: str, this: int, args: Args, dst: int, site: Site) -> None:
    """Object.values, Object.entries and their kin of Map, Set and Array."""
    made = flow.token(f.ARRAY, site, name)
    into = flow.field(made, f.REST)
    pairs = name.endswith("entries")
    if pairs:
        pair = flow.token(f.ARRAY, site, "pair")
        flow.add(into, pair)
        into = flow.field(pair, "1")
    if name.startswith("Object."):
        for _, node in args[:1]:
            flow.each(node, flow.all_fields, into)
    else:
        flow.each(this, c.contents, flow, into, site)
    flow.add(dst, made)


def _map_get(flow: Caller, name: str, this: int, args: Args, dst: int, site: Site) -> None:
    if args:
        flow.each(this, c.load_at, flow, args[0][1], dst)


def _map_set(flow: Caller, name: str, this: int, args: Args, dst: int, site: Site) -> None:
    if len(args) > 1:
        flow.each(this, c.store_at, flow, args[0][1], args[1][1])
        flow.each(this, flow.store, "\0key", args[0][1])
    flow.copy(dst, this)


def _set_add(flow: Caller, name: str, this: int, args: Args, dst: int, site: Site) -> None:
    for _, node in args[:1]:
        flow.each(this, flow.store, f.VALUE, node)
    flow.copy(dst, this)


def _each_of_collection(flow: Caller, name: str, this: int, args: Args, dst: int, site: Site) -> None:
    item = flow.node()
    flow.each(this, c.contents, flow, item, site)
    for _, node in args[:1]:
        flow.each(node, flow.invoke, -1, [[0, item], [0, flow.node()], [0, this]], flow.node(), site)


def _generator_next(flow: Caller, name: str, this: int, args: Args, dst: int, site: Site) -> None:
    made = flow.token(f.OBJECT, site, "step")
    flow.each(this, flow.load, f.YIELDED, flow.field(made, "value"))
    flow.add(dst, made)


_A: Final = "Array.prototype."
_TABLE: Final[dict[str, Native]] = {
    **dict.fromkeys([_A + n for n in (
        "forEach", "map", "filter", "find", "findIndex", "findLast", "findLastIndex", "some", "every", "flatMap",
        "sort", "toSorted")], _array_callback),
    **dict.fromkeys([_A + "reduce", _A + "reduceRight"], _reduce),
    **dict.fromkeys([_A + n for n in ("push", "unshift", "fill", "splice")], _array_add),
    **dict.fromkeys([_A + n for n in ("pop", "shift", "at")], _array_take),
    **dict.fromkeys([*(_A + n for n in ("slice", "concat", "reverse", "flat", "toReversed", "toSpliced", "with")),
                     "Array.from", "Array.of"], _array_copy),
    **dict.fromkeys(["Object.values", "Object.entries", _A + "values", _A + "entries", "Map.prototype.values",
                     "Map.prototype.entries", "Set.prototype.values", "Set.prototype.entries"], _values),
    "Map.prototype.get": _map_get, "Map.prototype.set": _map_set, "Set.prototype.add": _set_add,
    "Map.prototype.forEach": _each_of_collection, "Set.prototype.forEach": _each_of_collection,
    "Generator.prototype.next": _generator_next,
    **c.TABLE,
}  # fmt: skip
