"""The types of Rust expressions, form by form, and the calls in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from remit.code.graph.rust import facts as r
from remit.code.graph.rust import standard
from remit.code.graph.rust.bodies import Body
from remit.code.graph.rust.facts import UNKNOWN

OPERATORS: Final = {
    "+": "add", "-": "sub", "*": "mul", "/": "div", "%": "rem", "==": "eq", "!=": "ne", "<": "lt", "<=": "le",
    ">": "gt", ">=": "ge",
}  # fmt: skip


def _block(body: Body, ir: Any) -> Any:
    body.scopes.append({})
    found: Any = ["tuple", []]
    for one in ir[1]:
        if one[0] == "let":
            got = body.value(one[3]) if one[3] is not None else UNKNOWN
            if one[4] is not None:
                body.value(one[4])
            said = body.resolved(one[2]) if one[2] is not None else UNKNOWN
            body.bind(one[1], _better(said, got))
        else:
            kind = body.value(one[1])
            found = kind if one[2] else found
    body.scopes.pop()
    return found


def _better(said: Any, got: Any) -> Any:
    """An annotation, filled up by what the value says: `Vec<_>`."""
    if said == UNKNOWN or (got[0] in ("ref", "closure")):
        return got
    if said[0] == "p" and got[0] == "p" and said[2] and UNKNOWN in said[2]:
        return [*said[:2], got[2]]
    return said


def _id(body: Body, ir: Any) -> Any:
    path = ir[1]
    if len(path) == 1:
        found = body.lookup(path[0])
        if found is not None:
            return found
    places = _functions(body, path)
    if places:
        return ["ref", places]
    crates = body.crates
    constant = crates.resolve(body.module, path, crates.constants)
    if constant is not None:
        return body.resolved(crates.constants[constant][2], constant[0])
    kind = _type_named(body, path)
    return kind if kind[0] == "N" else _type_named(body, path[:-1]) if len(path) > 1 else kind


def _type_named(body: Body, path: list[str]) -> Any:
    return body.resolved(["p", path, []]) if path else UNKNOWN


def _functions(body: Body, path: list[str]) -> list[Any]:
    """The functions that a path means: a function, or one of a type or trait."""
    crates = body.crates
    if len(path) == 1:
        nested = crates.functions.get((body.module, path[0]))
        if nested is not None:
            return [nested]
    found = crates.resolve(body.module, path, crates.functions)
    if found is not None:
        return [crates.functions[found]]
    if len(path) < 2:
        return []
    kind = _type_named(body, path[:-1])
    places, _ = body.method_of(kind, path[-1])
    if not places:
        trait = crates.resolve(body.module, path[:-1], crates.traits)
        places = crates.dispatch(trait, path[-1]) if trait is not None else []
    return list(places)


def _call(body: Body, ir: Any) -> Any:
    callee, line = ir[1], ir[3]
    function = body.value(callee)
    given = [body.value(one) for one in ir[2]]
    path = callee[1] if callee[0] == "id" else []
    if function[0] == "ref":
        return _through(body, path, function[1], given, line)
    if function[0] == "closure":
        return function[2]
    if path and path[-1] in ("Some", "Ok"):
        return standard.path("Option" if path[-1] == "Some" else "Result", *(given[:1]))
    if len(path) > 1 and path[-2] in standard.WRAPPERS | standard.CELLS and path[-1] in ("new", "clone", "from", "pin"):
        return given[0] if path[-2] in standard.WRAPPERS and given else standard.path(path[-2], *given[:1])
    if len(path) > 1 and path[-1] in ("new", "with_capacity", "default", "from") and function[0] == "p":
        return ["p", path[-2:-1], callee[2] or []]
    return function if function[0] == "N" else UNKNOWN


def _through(body: Body, path: list[str], places: list[Any], given: list[Any], line: int) -> Any:
    """A call of functions; one of a trait, called by its path, runs the method of the first argument's type."""
    trait = body.crates.facts[places[0][0]][r.R_FUNCTIONS][places[0][1]][r.N_TRAIT] if places else -1
    if (trait >= 0 or len(places) > 1) and given and given[0][0] == "N" and path:
        own, _ = body.method_of(given[0], path[-1])
        places = own or places
    found = UNKNOWN
    for place in places:
        found = body.call_function(place, given, line, len(places))
    if path[:1] == ["Self"] and found == UNKNOWN:
        return body.own
    owner = body.resolved(["p", path[:-1], []]) if len(path) > 1 else UNKNOWN
    return owner if found[0] == "T" and owner[0] == "N" else found


def _method(body: Body, ir: Any) -> Any:
    _, receiver, name, arguments, line, turbofish = ir
    kind = body.value(receiver)
    if kind[0] == "ref":
        kind = kind[2] if len(kind) > 2 else UNKNOWN
    places, _ = body.method_of(kind, name)
    if places:
        given = [kind, *(body.value(one) for one in arguments)]
        found = UNKNOWN
        for place in places:
            found = body.call_function(place, given, line, len(places))
        return kind if found == ["T", []] else found
    received = standard.callback_items(kind, name) or []
    closure = UNKNOWN
    given = []
    for one in arguments:
        if one[0] == "closure":
            closure = _run(body, one, received)
            given.append(UNKNOWN)
        else:
            given.append(body.value(one))
            if given[-1][0] == "ref":
                for place in given[-1][1]:
                    closure = body.call_function(place, received, line, len(given[-1][1]))
    if name == "collect" and turbofish:
        said = body.resolved(turbofish[0])
        return _better(said, standard.path("Vec", standard.item(kind)))
    if kind[0] == "N" and name in ("clone", "as_ref", "as_mut", "borrow", "borrow_mut", "to_owned", "unwrap", "iter"):
        return kind
    return kind if kind[0] == "T" and name in ("clone", "as_ref", "as_mut") else \
        standard.yields(kind, name, given, closure)  # fmt: skip


def _run(body: Body, closure: Any, received: list[Any]) -> Any:
    """The body of a closure, with what it receives."""
    body.scopes.append({})
    for at, (pattern, kind) in enumerate(closure[1]):
        said = body.resolved(kind)
        body.bind(pattern, said if said != UNKNOWN else received[at] if at < len(received) else UNKNOWN)
    found = body.value(closure[2])
    body.scopes.pop()
    return found


def _closure(body: Body, ir: Any) -> Any:
    return ["closure", ir[1], _run(body, ir, [])]


def _field(body: Body, ir: Any) -> Any:
    kind = body.value(ir[1])
    if kind[0] == "tuple" and ir[2].isdigit():
        return kind[1][int(ir[2])] if int(ir[2]) < len(kind[1]) else UNKNOWN
    return body._field_of([], kind, ir[2]) if kind[0] == "N" else UNKNOWN


def _unwrap(body: Body, ir: Any) -> Any:
    return standard.item(body.value(ir[1]))


def _cast(body: Body, ir: Any) -> Any:
    body.value(ir[1])
    return body.resolved(ir[2])


def _index(body: Body, ir: Any) -> Any:
    kinds = [body.value(one) for one in ir[1]]
    kind = kinds[0] if kinds else UNKNOWN
    if kind[0] == "p" and kind[1][-1] in ("HashMap", "BTreeMap"):
        return kind[2][1] if len(kind[2]) > 1 else UNKNOWN
    return standard.item(kind)


def _tuple(body: Body, ir: Any) -> Any:
    return ["tuple", [body.value(one) for one in ir[1]]]


def _array(body: Body, ir: Any) -> Any:
    kinds = [body.value(one) for one in ir[1]]
    return ["[]", next((k for k in kinds if k != UNKNOWN), UNKNOWN)]


def _operator(body: Body, ir: Any) -> Any:
    kinds = [body.value(one) for one in ir[2]]
    name = OPERATORS.get(ir[1], "")
    places, _ = body.method_of(kinds[0], name) if name else ([], None)
    for place in places:
        body.edge(place, ir[3], len(places), "operator")
    return body.result_of(places[0], kinds) if places else kinds[0]


def _set(body: Body, ir: Any) -> Any:
    got = body.value(ir[2])
    if ir[1][0] == "id" and len(ir[1][1]) == 1 and got != UNKNOWN:
        name = ir[1][1][0]
        for scope in reversed(body.scopes):
            if name in scope:
                scope[name] = got if scope[name] == UNKNOWN else scope[name]
                break
    else:
        body.value(ir[1])
    return ["tuple", []]


def _struct(body: Body, ir: Any) -> Any:
    for one in ir[2]:
        body.value(one)
    kind = body.resolved(ir[1])
    if kind[0] != "N" and ir[1][0] == "p":
        kind = body.resolved(["p", ir[1][1][:-1], []]) if len(ir[1][1]) > 1 else kind
    return kind


def _if(body: Body, ir: Any) -> Any:
    body.scopes.append({})
    body.value(ir[1])
    found = body.value(ir[2])
    body.scopes.pop()
    other = body.value(ir[3]) if ir[3] is not None else UNKNOWN
    return found if found not in (UNKNOWN, ["tuple", []]) else other


def _is(body: Body, ir: Any) -> Any:
    body.bind(ir[1], body.value(ir[2]))
    return UNKNOWN


def _match(body: Body, ir: Any) -> Any:
    kind = body.value(ir[1])
    found = UNKNOWN
    for pattern, guard, value in ir[2]:
        body.scopes.append({})
        body.bind(pattern, kind)
        if guard is not None:
            body.value(guard)
        got = body.value(value)
        found = got if found in (UNKNOWN, ["tuple", []]) else found
        body.scopes.pop()
    return found


def _for(body: Body, ir: Any) -> Any:
    kind = body.value(ir[2])
    body.scopes.append({})
    places, _ = body.method_of(kind, "next")
    item = standard.item(body.result_of(places[0], [kind])) if places else standard.item(kind)
    for place in places:
        body.edge(place, body.fact[r.N_LINE], len(places), "operator")
    body.bind(ir[1], item)
    body.value(ir[3])
    body.scopes.pop()
    return UNKNOWN


def _many(body: Body, ir: Any) -> Any:
    for one in ir[1]:
        body.value(one)
    return UNKNOWN


def _return(body: Body, ir: Any) -> Any:
    body.value(ir[1])
    return UNKNOWN


def _macro(body: Body, ir: Any) -> Any:
    kinds = []
    for block in ir[2]:
        for one in block[1] if block[0] == "block" else [["e", block, False]]:
            inner = one[1]
            if one[0] == "e" and inner[0] == "call" and inner[1][0] == "id" and inner[1][1] == ["m"]:
                kinds += [body.value(given) for given in inner[2]]
            else:
                body.value(["block", [one]])
    return standard.path("Vec", *kinds[:1]) if ir[1] == "vec" else UNKNOWN


HANDLERS: Final[dict[str, Callable[[Body, Any], Any]]] = {
    "block": _block, "id": _id, "call": _call, "method": _method, "closure": _closure, "field": _field,
    "unwrap": _unwrap, "cast": _cast, "index": _index, "tuple": _tuple, "array": _array, "operator": _operator,
    "set": _set, "struct": _struct, "if": _if, "is": _is, "match": _match, "for": _for, "many": _many, "ret": _return,
    "macro": _macro,
}  # fmt: skip
