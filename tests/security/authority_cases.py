"""Random sets of rules, chains of hand-downs and needs, from a seed; no test library, so that one command can run them.

    python tests/security/authority_cases.py --cases 10000

prints one JSON line a property: how many cases, how many needs were asked, how many were allowed somewhere (a property
over nothing would prove nothing), how many cases broke it. Exit code 1 when any did.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable

from remit.core import needs
from remit.core.effects import Need
from remit.core.remit import BOTTOM, TOP, UNSET, Layer, Remit
from remit.errors import Denied

NOW = 1_000_000
_NAMES = ("a", "b", "src", "out", ".env", "x.py", "key.pem")
_HOSTS = ("x.org", "api.x.org", "y.net", "127.0.0.1")
_BOUNDS = ("", "", "", " where uses=2", " where until=1970-01-01T00:16:39Z", " where until=1970-01-01T00:16:41Z",
           " where arg.n<=5", ' where arg.to in ["a", "b"] and bytes=100')  # fmt: skip
_DENIAL_BOUNDS = ("", "", "", " where arg.n>5", " where until=1970-01-01T00:16:41Z")
ARGUMENTS = (None, {}, {"n": 3}, {"n": 9, "to": "a"}, {"n": "5", "to": ["a", "c"]}, {"to": ["a", "b"]})


def path_glob(rng: random.Random) -> str:
    """A glob over the names that needs use."""
    parts = [rng.choice((*_NAMES, "*", "**", "?", "[ab]", "*.py")) for _ in range(rng.randint(1, 3))]
    return "/".join(parts)


def grant_text(rng: random.Random, bounds: tuple[str, ...]) -> str:
    """A grant or denial of any verb."""
    verb = rng.choice(("fs.read", "fs.read", "fs.write", "net", "shell", "tool", "model", "memory", "delegate"))
    match verb:
        case "fs.read" | "fs.write":
            text = f"{verb}:{path_glob(rng)}"
        case "net":
            host = rng.choice((*_HOSTS, "*", "*.x.org"))
            method = rng.choice(("", "POST ", "GET,POST ", "* "))
            scheme = rng.choice(("", "http://", "https://"))
            text = f"net:{method}{scheme}{host}{rng.choice(('', ':*', ':8080'))}{rng.choice(('', '/v1/**', '/v1'))}"
        case "shell":
            text = (
                f"shell:{rng.choice(('git', 'ls', '*', '/bin/rm', 'rm'))}{rng.choice(('', ' status', ' *', ' -f *'))}"
            )
        case "delegate":
            text = f"delegate:{rng.choice(('', 'a*@', 'b@'))}{rng.randint(0, 3)}"
        case _:
            text = f"{verb}:{rng.choice(('*', 'a', 'a*', 'a:b', 'a__*', '*b'))}"
    bound = rng.choice(bounds)
    return text + ("" if "bytes" in bound and verb == "delegate" else bound)


def some_need(rng: random.Random) -> Need:
    """A need of any verb."""
    path = "/".join(rng.choice(_NAMES) for _ in range(rng.randint(1, 3)))
    match rng.randrange(7):
        case 0 | 1:
            return needs.fs_read(rng.choice((path, path, ".")))
        case 2:
            return needs.fs_write(path)
        case 3:
            scheme, port = rng.choice((("https", ""), ("http", ""), ("https", ":8080")))
            url = f"{scheme}://{rng.choice((*_HOSTS, 'deep.api.x.org'))}{port}{rng.choice(('/', '/v1', '/v1/a'))}"
            return needs.net(rng.choice(("GET", "POST", "DELETE")), url)
        case 4:
            argv = (rng.choice(("git", "ls", "/bin/rm", "rm")), *rng.choice(((), ("status",), ("-f", "x"))))
            return needs.shell(argv)
        case 5:
            return Need("delegate", str(rng.randint(0, 4)), rng.choice(((), ("a1",), ("b",))))
        case _:
            return Need(rng.choice(("tool", "model", "memory")), rng.choice(("a", "ab", "a:b", "a__x", "b")))


def some_remit(rng: random.Random) -> Remit:
    """A remit of one layer, or TOP, BOTTOM, UNSET; sometimes expiring; sometimes over some verbs only."""
    kind = rng.randrange(20)
    if kind < 3:
        return (TOP, BOTTOM, UNSET)[kind]
    remit: Remit = UNSET if kind == 3 else Remit.allow(*(grant_text(rng, _BOUNDS) for _ in range(rng.randint(0, 9))))
    remit = remit.deny(*(grant_text(rng, _DENIAL_BOUNDS) for _ in range(rng.choice((0, 0, 1, 2, 9)))))
    layer = remit.layers[0]
    if kind == 4 and layer.grants is not None:
        remit = Remit((Layer(layer.grants, layer.denials, verbs=("fs.read", "net")),))
    expires = rng.choice((None, None, None, NOW - 1, NOW + 1))
    return Remit(remit.layers, remit.limits, expires)


def asked(rng: random.Random, count: int = 12) -> list[tuple[Need, object]]:
    """Needs with arguments."""
    return [(some_need(rng), rng.choice(ARGUMENTS)) for _ in range(count)]


def allowed(remit: Remit, need: Need, arguments: object) -> bool:
    """Whether the remit allows it now."""
    return remit.ruling(need, NOW, arguments).allowed


def denial_beats_grant(rng: random.Random) -> tuple[int, int, bool]:
    """A need that any denial reaches is refused, whatever grants stand beside it, in whatever order and place."""
    denials = [grant_text(rng, _DENIAL_BOUNDS) for _ in range(rng.randint(1, 12))]
    grants = [grant_text(rng, ("",)) for _ in range(rng.randint(1, 12))]
    only = Remit().deny(*denials)
    rng.shuffle(denials)
    sets = [
        Remit.allow(*grants).deny(*denials),
        Remit().deny(*denials).allow(*grants),
        TOP.meet(only),
        Remit.allow(*grants).meet(Remit().deny(*denials)),
        Remit().allow(*grants).deny(*denials[:1]).meet(Remit.allow("fs.read:**", "tool:*").deny(*denials[1:])),
    ]
    hits = 0
    pairs = asked(rng)
    for need, arguments in pairs:
        if only.ruling(need, NOW, arguments).denied:
            hits += 1
            if any(allowed(remit, need, arguments) for remit in sets):
                return len(pairs), hits, False
    return len(pairs), hits, True


def no_escalation(rng: random.Random) -> tuple[int, int, bool]:
    """Along a chain of hand-downs every remit allows a subset of the one before, and of what was requested."""
    chain = [some_remit(rng) for _ in range(rng.randint(2, 6))]
    pairs = asked(rng)
    held, hits = chain[0], sum(allowed(chain[0], *pair) for pair in pairs)
    for requested in chain[1:]:
        child = held.meet(requested)
        if rng.random() < 0.5:
            try:
                child = held.hand_down(requested, rng.choice(("a1", "b")), NOW)
            except Denied:
                break
        for need, arguments in pairs:
            if allowed(child, need, arguments):
                wanted = requested.unset or not requested.layers or allowed(requested, need, arguments)
                silent = requested.layers and all(layer.silent(need.verb) for layer in requested.layers)
                at_depth = need.verb == "delegate"  # a child's own delegate grants count from its own depth
                if not allowed(held, need, arguments) or not (wanted or silent or at_depth):
                    return len(pairs), hits, False
        held = child
    return len(pairs), hits, True


def any_grouping(rng: random.Random) -> tuple[int, int, bool]:
    """((a meet b) meet c) meet d allows what a meet (b meet (c meet d)) does, and so does its journalled form."""
    a, b, c, d = (some_remit(rng) for _ in range(4))
    left, right = a.meet(b).meet(c).meet(d), a.meet(b.meet(c.meet(d)))
    again = Remit.from_data(json.loads(json.dumps(left.data())))
    pairs = asked(rng)
    answers = [tuple(allowed(r, *pair) for pair in pairs) for r in (left, right, again)]
    hits = sum(allowed(a, *pair) for pair in pairs)
    return len(pairs), hits, answers[0] == answers[1] == answers[2]


def index_is_exact(rng: random.Random) -> tuple[int, int, bool]:
    """A remit with many rules answers as the same rules tried one by one."""
    grants = [grant_text(rng, _BOUNDS) for _ in range(40)]
    denials = [grant_text(rng, _DENIAL_BOUNDS) for _ in range(10)]
    many: Remit = Remit.allow(*grants).deny(*denials)
    layer = many.layers[0]
    pairs, hits = asked(rng), 0
    for need, arguments in pairs:
        denied = any(d.denies(need, NOW, arguments) for d in layer.denials)
        granted = any(g.covers(need) and not g.within(NOW, arguments) for g in layer.grants or ())
        hits += granted
        if allowed(many, need, arguments) != (granted and not denied):
            return len(pairs), hits, False
    return len(pairs), hits, True


PROPERTIES: dict[str, Callable[[random.Random], tuple[int, int, bool]]] = {
    each.__name__: each for each in (denial_beats_grant, no_escalation, any_grouping, index_is_exact)
}


def prove(name: str, cases: int, seed: int = 1) -> dict[str, object]:
    """Run one property; `failed` lists the seeds of cases that broke it."""
    needs_asked = hits = 0
    failed = []
    for case in range(cases):
        asked_here, hits_here, holds = PROPERTIES[name](random.Random(f"{name}/{seed}/{case}"))
        needs_asked += asked_here
        hits += hits_here
        if not holds:
            failed.append(f"{name}/{seed}/{case}")
    return {"property": name, "cases": cases, "needs": needs_asked, "hits": hits, "failed": failed}


def main() -> int:
    """Print every property."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    results = [prove(name, given.cases, given.seed) for name in PROPERTIES]
    for result in results:
        sys.stdout.write(json.dumps(result) + "\n")
    return 1 if any(result["failed"] for result in results) else 0


if __name__ == "__main__":
    raise SystemExit(main())
