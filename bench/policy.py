"""How long one check of a remit takes: `python bench/policy.py` prints one JSON line a set of rules.

Sets: `few` = what an ordinary run holds; `mixed` = 200 rules over all verbs; `same_verb` = 200 rules of one verb;
`no_fixed_text` = 200 path globs that an index cannot sort (the worst case); `bounded` = mixed, with counters.
Every need is new (nothing answered from a cache of earlier matches) unless `warm` is true.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count

from remit.core import needs
from remit.core.effects import Need
from remit.core.remit import Remit

SAMPLES = 4000
_number = count()


def few() -> Remit:
    """Three grants, one denial."""
    return Remit.allow("fs.read:**", "fs.write:out/**", "model:*").deny("fs.read:**/.env")


def mixed(bounds: str = "") -> Remit:
    """150 grants and 50 denials over the verbs."""
    grants = [f"fs.read:dir{i}/**{bounds}" for i in range(40)]
    grants += [f"fs.write:out{i}/*.txt{bounds}" for i in range(25)]
    grants += [f"net:GET,POST api{i}.example.org/v1/**{bounds}" for i in range(25)]
    grants += [f"net:*.zone{i}.example.com{bounds}" for i in range(15)]
    grants += [f"shell:prog{i} *{bounds}" for i in range(25)] + [f"tool:mcp__server{i}__*{bounds}" for i in range(20)]
    denials = [f"fs.read:**/secret{i}/**" for i in range(15)] + [f"fs.read:**/*.key{i}" for i in range(15)]
    denials += [f"net:bad{i}.example.net" for i in range(10)] + [f"shell:rm{i}" for i in range(10)]
    return Remit.allow(*grants).deny(*denials)


def same_verb() -> Remit:
    """200 rules for reading files."""
    return Remit.allow(*[f"fs.read:dir{i}/**" for i in range(150)]).deny(*[f"fs.read:**/*.k{i}" for i in range(50)])


def no_fixed_text() -> Remit:
    """200 globs that begin and end with a wildcard."""
    globs = [f"fs.read:**/part{i}/**" for i in range(150)]
    return Remit.allow(*globs).deny(*[f"fs.read:**/hidden{i}/**" for i in range(50)])


def all_needs() -> Iterator[Need]:
    """Needs of every verb, each one new."""
    while True:
        n = next(_number)
        yield needs.fs_read(f"dir{n % 160}/a/b{n}.py")
        yield needs.fs_write(f"out{n % 30}/x{n}.txt")
        yield needs.net("GET", f"https://api{n % 30}.example.org/v1/x{n}")
        yield needs.net("GET", f"https://h{n}.zone{n % 15}.example.com/")
        yield needs.shell((f"prog{n % 30}", f"a{n}"))
        yield Need("tool", f"mcp__server{n % 25}__t{n}")


def reads() -> Iterator[Need]:
    """Needs to read, each one new."""
    while True:
        n = next(_number)
        yield needs.fs_read(f"dir{n % 160}/part{n % 160}/b{n}.py")


def measure(remit: Remit, source: Callable[[], Iterator[Need]], *, warm: bool = False) -> dict[str, float]:
    """Percentiles in microseconds."""
    stream = source()
    asked = [next(stream) for _ in range(SAMPLES)]
    remit.ruling(asked[0])
    if warm:
        for need in asked:
            remit.ruling(need)
    clock = time.perf_counter_ns
    times = []
    for need in asked:
        started = clock()
        remit.ruling(need, 1)
        times.append(clock() - started)
    times.sort()
    return {"p50_us": round(times[SAMPLES // 2] / 1000, 2), "p99_us": round(times[SAMPLES * 99 // 100] / 1000, 2)}


def main() -> None:
    """Print every set."""
    for name, remit, source in (
        ("few", few(), reads), ("mixed", mixed(), all_needs), ("same_verb", same_verb(), reads),
        ("no_fixed_text", no_fixed_text(), reads), ("bounded", mixed(" where uses=1000000"), all_needs),
    ):  # fmt: skip
        rules = sum(len(layer.grants or ()) + len(layer.denials) for layer in remit.layers)
        for warm in (False, True):
            sys.stdout.write(
                json.dumps({"set": name, "rules": rules, "warm": warm, **measure(remit, source, warm=warm)})
            )
            sys.stdout.write("\n")


if __name__ == "__main__":
    main()
