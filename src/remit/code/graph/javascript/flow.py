"""Nodes, abstract objects, and the flow between them (inclusion constraints, solved as they are found).

A node holds tokens: functions, objects by the place that makes them, one instance a class, things of the language
or from outside, constant texts (they are keys). What is decided by absence (a property that the object itself does
not have, an unknown key) waits in `late` until nothing else flows, so the result depends on the facts alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from remit.code.graph.javascript.members import MEMBERS, STRINGS

MAX_VALUES: Final = 64
"""Tokens in one node; what comes after is not followed."""
FEW: Final = 12
"""Values under unknown keys that are taken for any key; more mean nothing."""
MAX_TEXTS: Final = 12
"""Constant texts in one node; with more the key is unknown."""
MAX_PARTS: Final = 8
"""Dots in the name of something outside."""
FUNC, OBJECT, ARRAY, INST, PROMISE, GENERATOR, MAP, SET, NATIVE, EXT, TEXT, ANY, BOUND, INTERFACE, RESOLVE, MODULE = (
    "func", "object", "array", "inst", "promise", "generator", "map", "set", "native", "ext", "text", "any", "bound",
    "interface", "resolve", "module",
)  # fmt: skip
_DEFAULTS: Final = {
    FUNC: "Function.prototype", BOUND: "Function.prototype", ARRAY: "Array.prototype", PROMISE: "Promise.prototype",
    GENERATOR: "Generator.prototype", MAP: "Map.prototype", SET: "Set.prototype",
}  # fmt: skip
VALUE: Final = "\0value"
YIELDED: Final = "\0yield"
REST: Final = "*"
KEY: Final = "key:"
"""Before the keys of a Map: they are no properties."""


class Token(int):
    """One abstract object; its number is its hash, so sets iterate alike in every process."""

    kind: str
    name: Any
    file: str
    fact: list[Any]
    base: int
    """the first node of its file, for a function"""
    fields: dict[str, int]
    watchers: list[Callable[[str, int], None]]
    parent: int
    """the node of its prototypes, -1 before there is one"""
    made_from: Any


Handler = Callable[..., None]


class Flow:
    """The state of a solution."""

    def __init__(self, max_steps: int) -> None:
        self.tokens: dict[tuple[Any, ...], Token] = {}
        self.values: list[set[Token]] = []
        self.waiting: list[set[Token]] = []
        self.next: list[dict[int, None]] = []
        self.uses: list[list[tuple[Handler, tuple[Any, ...]]]] = []
        self.texts: dict[int, int] = {}
        self.queue: deque[int] = deque()
        self.news: deque[tuple[Handler, tuple[Any, ...]]] = deque()
        """calls that wait so that none stands inside another"""
        self.late: deque[tuple[Handler, tuple[Any, ...]]] = deque()
        self.last: deque[tuple[Handler, tuple[Any, ...]]] = deque()
        self.found: dict[tuple[Token, str], int] = {}
        self.globals: dict[str, int] = {}
        self.singles: dict[Token, int] = {}
        self.steps = 0
        self.max_steps = max_steps

    def node(self) -> int:
        """A new node."""
        self.values.append(set())
        self.waiting.append(set())
        self.next.append({})
        self.uses.append([])
        return len(self.values) - 1

    def token(self, kind: str, *key: Any) -> Token:
        """The token of this kind with this key; its name is the first part of the key."""
        found = self.tokens.get((kind, *key))
        if found is None:
            found = self.tokens[(kind, *key)] = Token(len(self.tokens) + 1)
            found.kind = kind
            found.name = key[0]
            found.file = ""
            found.fields = {}
            found.watchers = []
            found.parent = -1
            found.made_from = None
        return found

    def add(self, node: int, token: Token) -> None:
        """A token reaches a node."""
        self.flow(node, {token})

    def flow(self, node: int, tokens: set[Token]) -> None:
        """Tokens reach a node."""
        have = self.values[node]
        new = tokens - have
        if not new or len(have) > MAX_VALUES:
            return
        if any(token.kind == TEXT for token in new):
            new = self._few_texts(node, new)
        have |= new
        if not self.waiting[node]:
            self.queue.append(node)
        self.waiting[node] |= new

    def _few_texts(self, node: int, new: set[Token]) -> set[Token]:
        kept: set[Token] = set()
        count = self.texts.get(node, 0)
        for token in sorted(new):
            if token.kind == TEXT:
                count += 1
                if count > MAX_TEXTS:
                    kept.add(self.token(ANY, ""))
                    continue
            kept.add(token)
        self.texts[node] = count
        return kept - self.values[node]

    def copy(self, dst: int, src: int) -> None:
        """Everything in `src` reaches `dst`."""
        if dst != src and dst not in self.next[src]:
            self.next[src][dst] = None
            if self.values[src]:
                self.flow(dst, self.values[src])

    def each(self, node: int, handler: Handler, *payload: Any) -> None:
        """Call `handler(token, *payload)` for every token that a node has or will have."""
        self.uses[node].append((handler, payload))
        for token in sorted(self.values[node] - self.waiting[node]):
            self.news.append((handler, (token, *payload)))

    def later(self, handler: Handler, *payload: Any) -> None:
        """Call `handler(*payload)` when nothing else flows."""
        self.late.append((handler, payload))

    def finally_(self, handler: Handler, *payload: Any) -> None:
        """Call `handler(*payload)` when also nothing waits for `later`."""
        self.last.append((handler, payload))

    def run(self) -> bool:
        """Let everything flow; False when the bound was reached."""
        while self.news or self.queue or self.late or self.last:
            while self.news:
                handler, payload = self.news.popleft()
                handler(*payload)
                self.steps += 1
                if self.steps > self.max_steps:
                    return False
            if not self.queue:
                waiting = self.late or self.last
                for _ in range(len(waiting)):
                    handler, payload = waiting.popleft()
                    handler(*payload)
                continue
            node = self.queue.popleft()
            new, self.waiting[node] = self.waiting[node], set()
            for dst in self.next[node]:
                self.flow(dst, new)
            uses = self.uses[node]
            self.steps += len(new) * len(uses) + len(self.next[node]) + 1
            ordered = sorted(new)
            for at in range(len(uses)):
                handler, payload = uses[at]
                for token in ordered:
                    handler(token, *payload)
            if self.steps > self.max_steps:
                return False
        return True

    def field(self, token: Token, name: str) -> int:
        """The node of a property that the object itself has."""
        found = token.fields.get(name)
        if found is None:
            found = token.fields[name] = self.node()
            for watcher in token.watchers:
                self.news.append((watcher, (name, found)))
        return found

    def watch(self, token: Token, watcher: Callable[[str, int], None]) -> None:
        """Call `watcher(name, node)` for every property, also future ones."""
        token.watchers.append(watcher)
        self.news.extend((watcher, (name, node)) for name, node in token.fields.items())

    def parent(self, token: Token) -> int:
        """The node of its prototypes."""
        if token.parent < 0:
            token.parent = self.field(token.made_from, "prototype") if token.kind == INST else self.node()
        return token.parent

    def lookup(self, token: Token, name: str) -> int:
        """The node of a property, also inherited."""
        found = self.found.get((token, name))
        if found is not None:
            return found
        made = self.found[token, name] = self.node()
        if token.kind == EXT:
            if str(token.name).count(".") < MAX_PARTS:
                self.add(made, self.token(EXT, f"{token.name}.{name}"))
        elif token.kind == NATIVE:
            self._of_native(token, name, made)
        elif token.kind == TEXT:
            if name in STRINGS:
                self.add(made, self.token(NATIVE, f"String.prototype.{name}"))
        elif token.kind != ANY:
            self.copy(made, self.field(token, name))
            if token.kind not in (ARRAY, MAP) or name.isdigit() or name.startswith(KEY):
                self.finally_(self._of_unknown_keys, token, name, made)
            self.later(self._inherited, token, name, made)
        return made

    def _of_native(self, token: Token, name: str, made: int) -> None:
        if token.name in ("globalThis", "window", "global", "self"):
            self.copy(made, self.global_node(name))
            return
        self.copy(made, self.field(token, name))
        known = not token.name.endswith(".prototype") or name in MEMBERS.get(token.name, ())
        if known and token.name.count(".") < 3:
            self.add(made, self.token(NATIVE, f"{token.name}.{name}"))

    def _of_unknown_keys(self, token: Token, name: str, made: int) -> None:
        """What was stored under keys that nobody knows, where it is little enough to mean something."""
        rest = token.fields.get(REST)
        if rest is None:
            self.watch(token, lambda other, _: self.finally_(self._of_unknown_keys, token, name, made)
                       if other == REST else None)  # fmt: skip
        elif token.kind in (ARRAY, MAP) or (not self.values[token.fields[name]] and len(self.values[rest]) <= FEW):
            self.copy(made, rest)

    def _inherited(self, token: Token, name: str, made: int) -> None:
        """The object itself has no such property: its prototypes may have it."""
        if self.values[token.fields[name]]:
            return
        if token.kind in (INST, FUNC, OBJECT, MODULE, INTERFACE):
            self.each(self.parent(token), self._from_parent, name, made)
        native = _DEFAULTS.get(token.kind, "Object.prototype")
        if native != "Object.prototype" or name in MEMBERS[native]:
            self.copy(made, self.lookup(self.token(NATIVE, native), name))

    def _from_parent(self, parent: Token, name: str, made: int) -> None:
        self.copy(made, self.lookup(parent, name))

    def all_fields(self, token: Token, into: int) -> None:
        """Everything that the object itself holds, the contents of an array too."""
        self.watch(token, lambda name, node: self.copy(into, node) if name[:1] not in ("\0", "@") and
                   name not in ("prototype", "constructor") else None)  # fmt: skip

    def load(self, token: Token, name: str, into: int) -> None:
        """`into = token.name`."""
        self.copy(into, self.lookup(token, name))

    def store(self, token: Token, name: str, src: int) -> None:
        """`token.name = src`."""
        if token.kind == NATIVE and token.name in ("globalThis", "window", "global", "self"):
            self.copy(self.global_node(name), src)
        elif token.kind not in (EXT, TEXT, ANY):
            self.copy(self.field(token, name), src)

    def global_node(self, name: str) -> int:
        """The node of a global name."""
        found = self.globals.get(name)
        if found is None:
            found = self.globals[name] = self.node()
            if name in MEMBERS["globalThis"]:
                self.add(found, self.token(NATIVE, name))
        return found

    def single(self, token: Token) -> int:
        """The node that holds this token alone."""
        found = self.singles.get(token)
        if found is None:
            found = self.singles[token] = self.node()
            self.add(found, token)
        return found
