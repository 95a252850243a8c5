"""What a call does: arguments to parameters, `this`, what comes back, and the edge that remains."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from remit.code.graph.javascript import facts as j
from remit.code.graph.javascript import flow as f
from remit.code.graph.javascript.flow import Flow, Token

Args = list[list[int]]
"""[1 for `...`, node] of each argument"""
MAX_ARGUMENTS: Final = 64


class Site(NamedTuple):
    """A place that calls."""

    file: str
    function: int
    line: int
    op: int
    """its number in the file: one place, several callees"""


class Caller(Flow):
    """A flow that knows calls."""

    def __init__(self, max_steps: int) -> None:
        super().__init__(max_steps)
        self.edges: dict[Site, dict[tuple[Token | str, str], None]] = {}
        self.outcomes: dict[Token, int] = {}
        self.done: set[tuple[Any, ...]] = set()

    def edge(self, site: Site, callee: Token | str, reason: str) -> None:
        """Note a call."""
        self.edges.setdefault(site, {})[callee, reason] = None

    def invoke(self, callee: Token, this: int, args: Args, dst: int, site: Site, reason: str = "call") -> None:
        """Call one token."""
        key = (callee, this if callee.kind in (f.FUNC, f.NATIVE) else len(args), dst, site, reason)
        if key in self.done or len(self.done) > self.max_steps:
            return
        self.done.add(key)
        if callee.kind == f.FUNC:
            self._function(callee, this, args, dst, site, reason)
        elif callee.kind == f.BOUND and len(args) <= MAX_ARGUMENTS:
            target, bound_this, before = callee.made_from
            own = this if bound_this < 0 else bound_this
            self.each(target, self.invoke, own, [*before, *args], dst, site, reason)
        elif callee.kind == f.NATIVE:
            from remit.code.graph.javascript.natives import call_native

            call_native(self, callee.name, this, args, dst, site)
        elif callee.kind == f.RESOLVE:
            for _, node in args[:1]:
                self.settle(callee.made_from, node)
        elif callee.kind == f.EXT:
            from remit.code.graph.javascript.native_callbacks import call_outside

            call_outside(self, callee, this, args, dst, site)

    def _function(self, callee: Token, this: int, args: Args, dst: int, site: Site, reason: str) -> None:
        fact, base = callee.fact, callee.base
        if this >= 0 and not fact[j.N_FLAGS] & j.ARROW:
            self.copy(base + fact[j.N_THIS], this)
        if fact[j.N_FLAGS] & j.IMPLICIT:
            self.each(self.parent(callee), self.invoke, this, args, dst, site, reason)
            return
        self.edge(site, callee, reason)
        self._bind(callee, args)
        self.copy(dst, self.outcome(callee))
        for at in fact[j.N_IDENTITY]:
            if at < len(args) and not any(spread for spread, _ in args[: at + 1]):
                self.copy(dst, args[at][1])
            else:
                self.copy(dst, base + fact[j.N_PARAMS][at])

    def _bind(self, callee: Token, args: Args) -> None:
        fact, base = callee.fact, callee.base
        params = [base + node for node in fact[j.N_PARAMS]]
        rest = self._box(callee, fact[j.N_REST], "rest")
        whole = self._box(callee, fact[j.N_ARGUMENTS], "arguments")
        at = 0
        for spread, node in args[:MAX_ARGUMENTS]:
            if spread:
                self.each(node, self._spread, params, rest, whole, at)
                continue
            if at < len(params):
                self.copy(params[at], node)
            elif rest is not None:
                self.copy(self.field(rest, str(at - len(params))), node)
            if whole is not None:
                self.copy(self.field(whole, str(at)), node)
            at += 1

    def _box(self, callee: Token, node: int, name: str) -> Token | None:
        if node < 0:
            return None
        box = self.token(f.ARRAY, callee, name)
        self.add(callee.base + node, box)
        return box

    def _spread(self, token: Token, params: list[int], rest: Token | None, whole: Token | None, start: int) -> None:
        def place(name: str, node: int) -> None:
            known = start + int(name) if name.isdigit() and len(name) < 4 else -1
            if known > MAX_ARGUMENTS:
                name = f.REST
            for at, param in enumerate(params):
                if at == known or (name == f.REST and at >= start):
                    self.copy(param, node)
            for box, first in ((rest, len(params)), (whole, 0)):
                if box is not None and first <= known <= MAX_ARGUMENTS:
                    self.copy(self.field(box, str(known - first)), node)
                elif box is not None and name == f.REST:
                    self.copy(self.field(box, f.REST), node)

        if token.kind == f.ARRAY:
            self.watch(token, place)
        elif token.kind in (f.GENERATOR, f.SET):
            place(f.REST, self.field(token, f.YIELDED if token.kind == f.GENERATOR else f.VALUE))

    def outcome(self, callee: Token) -> int:
        """The node of what a call of it yields: a promise, a generator, or what it returns."""
        found = self.outcomes.get(callee)
        if found is not None:
            return found
        flags, returned = callee.fact[j.N_FLAGS], callee.base + callee.fact[j.N_RETURN]
        if flags & j.GENERATOR:
            found = self.single(self.token(f.GENERATOR, callee))
            self.copy(self.field(self.token(f.GENERATOR, callee), "\0returned"), returned)
        elif flags & j.ASYNC:
            found = self.single(self.token(f.PROMISE, callee))
            self.settle(self.token(f.PROMISE, callee), returned)
        else:
            found = returned
        self.outcomes[callee] = found
        return found

    def settle(self, promise: Token, src: int) -> None:
        """A promise is kept with a value, or with what another promise is kept with."""
        self.awaited(src, self.field(promise, f.VALUE))

    def awaited(self, src: int, dst: int) -> None:
        """`dst = await src`."""
        self.each(src, self._awaited, dst)

    def _awaited(self, token: Token, dst: int) -> None:
        if token.kind == f.PROMISE:
            self.copy(dst, self.field(token, f.VALUE))
        else:
            self.add(dst, token)

    def construct(self, callee: Token, args: Args, dst: int, site: Site) -> None:
        """`new callee(...)`."""
        if callee.kind == f.FUNC:
            made = self.token(f.INST, callee)
            made.made_from = callee
            this = self.single(made)
            self.copy(dst, this)
            returned = self.node()
            self.invoke(callee, this, args, returned, site)
            self.each(returned, self._instead, dst)
        elif callee.kind == f.BOUND and len(args) <= MAX_ARGUMENTS:
            target, _, before = callee.made_from
            self.each(target, self.construct, [*before, *args], dst, site)
        elif callee.kind == f.NATIVE:
            from remit.code.graph.javascript.natives import construct_native

            construct_native(self, callee.name, args, dst, site)
        elif callee.kind == f.EXT:
            self.invoke(callee, -1, args, dst, site)

    def _instead(self, token: Token, dst: int) -> None:
        """A constructor may return another object."""
        if token.kind not in (f.TEXT, f.ANY):
            self.add(dst, token)

    def iterate(self, token: Token, kind: str, dst: int, site: Site) -> None:
        """What iterating over a token yields; `kind`: of, await, in, `at N`, `from N`."""
        if kind == "in":
            return
        if token.kind == f.ARRAY:
            self._elements(token, kind, dst)
        elif token.kind == f.GENERATOR:
            self.awaited(self.field(token, f.YIELDED), dst) if kind == "await" else \
                self.copy(dst, self.field(token, f.YIELDED))  # fmt: skip
        elif token.kind == f.SET:
            self.copy(dst, self.field(token, f.VALUE))
        elif token.kind == f.MAP:
            pair = self.token(f.ARRAY, token, "pair")
            self.copy(self.field(pair, "0"), self.field(token, "\0key"))
            self.all_fields(token, self.field(pair, "1"))
            self.add(dst, pair)
        elif token.kind in (f.INST, f.OBJECT):
            self._by_protocol(token, dst, site)

    def _elements(self, token: Token, kind: str, dst: int) -> None:
        def place(name: str, node: int) -> None:
            word, _, number = kind.partition(" ")
            known = int(name) if name.isdigit() and len(name) < 9 else -1
            if name == f.REST or (known >= 0 and (word in ("of", "await") or (word == "at" and known == int(number))
                                                  or (word == "from" and known >= int(number)))):  # fmt: skip
                if kind == "await":
                    self.awaited(node, dst)
                else:
                    self.copy(dst, node)

        self.watch(token, place)

    def _by_protocol(self, token: Token, dst: int, site: Site) -> None:
        """An object with Symbol.iterator: a generator method, or an object with `next`."""
        iterator = self.node()
        self.each(self.lookup(token, "@@iterator"), self.invoke, self.single(token), [], iterator, site)
        self.each(iterator, self._steps, dst, site)

    def _steps(self, iterator: Token, dst: int, site: Site) -> None:
        if iterator.kind in (f.INST, f.OBJECT):
            step = self.node()
            self.each(self.lookup(iterator, "next"), self.invoke, self.single(iterator), [], step, site)
            self.each(step, self.load, "value", dst)
        else:
            self.iterate(iterator, "of", dst, site)
