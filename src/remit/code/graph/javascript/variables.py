"""Scopes of a function and the versions of its variables: the last assignment wins where the order is known.

A variable has one node for everything it may ever hold (`whole`, which closures read) and a node for each version.
Branches are lowered apart and joined; a variable that an inner function assigns flows back into every version.
"""

from __future__ import annotations

from typing import Any, Final

from remit.code.graph.javascript import facts as j

Path = tuple[int, str]
MAX_NAME: Final = 200


class Variable:
    """One declared name."""

    __slots__ = ("home", "shared", "versions", "whole")

    def __init__(self, home: Function, whole: int) -> None:
        self.home = home
        self.whole = whole
        self.versions: list[int] = []
        self.shared = False


class Function:
    """The function at work: its fact, and which version of each variable holds here."""

    def __init__(self, index: int, fact: list[Any], outer: Function | None) -> None:
        self.index = index
        self.fact = fact
        self.outer = outer
        self.env: dict[Variable, int] = {}
        self.paths: dict[Path, int] = {}
        """(version of a variable, property): what was stored there last"""
        self.lambdas = 0
        self.super_node = -1


class Block:
    """One lexical scope."""

    __slots__ = ("function", "names", "outer", "top")

    def __init__(self, function: Function, outer: Block | None, top: bool) -> None:
        self.function = function
        self.outer = outer
        self.top = top
        self.names: dict[str, Variable] = {}


class Variables:
    """Nodes, operations and names of one file."""

    def __init__(self) -> None:
        self.nodes = 2
        self.ops: list[list[Any]] = []
        self.functions: list[list[Any]] = []
        self.function: Function
        self.block: Block

    def node(self) -> int:
        """A new node."""
        self.nodes += 1
        return self.nodes - 1

    def emit(self, *op: Any) -> None:
        """Note an operation."""
        self.ops.append(list(op))

    def copy(self, dst: int, src: int) -> None:
        """`src` flows to `dst`."""
        if dst != src:
            self.ops.append([j.COPY, dst, src])

    def declare(self, name: str, *, hoist: bool = False) -> Variable:
        """A name of this block, or of the function when it is hoisted."""
        block = self.block
        while hoist and not block.top and block.outer is not None:
            block = block.outer
        found = block.names.get(name)
        if found is None:
            found = block.names[name] = Variable(block.function, self.node())
        return found

    def variable(self, name: str) -> Variable | None:
        """The variable that a name means here."""
        block: Block | None = self.block
        while block is not None:
            found = block.names.get(name)
            if found is not None:
                return found
            block = block.outer
        return None

    def read(self, name: str) -> int:
        """The node of a name: its version here, everything it may hold, or a global."""
        variable = self.variable(name)
        if variable is None and name == "arguments":
            return self._arguments_node()
        if variable is None:
            dst = self.node()
            self.emit(j.GLOBAL, dst, name[:MAX_NAME])
            return dst
        if variable.home is self.function:
            return self.function.env.get(variable, variable.whole)
        return variable.whole

    def _arguments_node(self) -> int:
        """The `arguments` of the nearest function that has one."""
        function = self.function
        while function.fact[j.N_FLAGS] & j.ARROW and function.outer is not None:
            function = function.outer
        if function.fact[j.N_ARGUMENTS] < 0:
            function.fact[j.N_ARGUMENTS] = self.node()
        return int(function.fact[j.N_ARGUMENTS])

    def assign(self, name: str, src: int) -> None:
        """`name = src`."""
        variable = self.variable(name)
        if variable is None:
            self.emit(j.SET_GLOBAL, name[:MAX_NAME], src)
            return
        self.bind(variable, src)

    def bind(self, variable: Variable, src: int) -> None:
        """A new version of a variable."""
        if variable.home is not self.function:
            variable.shared = True
            self.copy(variable.whole, src)
            if variable.versions:
                self._flow_back(variable)
            return
        version = self.node()
        self.copy(version, src)
        self.copy(variable.whole, version)
        if variable.shared:
            self.copy(version, variable.whole)
        variable.versions.append(version)
        self.function.env[variable] = version

    def _flow_back(self, variable: Variable) -> None:
        for version in variable.versions:
            self.copy(version, variable.whole)
        variable.versions.clear()

    def save(self) -> tuple[dict[Variable, int], dict[Path, int]]:
        """The versions to go back to."""
        return dict(self.function.env), dict(self.function.paths)

    def restore(self, state: tuple[dict[Variable, int], dict[Path, int]]) -> None:
        """Go back."""
        self.function.env, self.function.paths = dict(state[0]), dict(state[1])

    def join(self, states: list[tuple[dict[Variable, int], dict[Path, int]]]) -> None:
        """Go on where several ways meet."""
        made: dict[Variable, int] = {}
        for variable in {v: None for env, _ in states for v in env}:
            versions = {env.get(variable, variable.whole): None for env, _ in states}
            if len(versions) == 1:
                made[variable] = next(iter(versions))
                continue
            node = self.node()
            for version in versions:
                self.copy(node, version)
            if variable.shared:
                self.copy(node, variable.whole)
            variable.versions.append(node)
            made[variable] = node
        self.function.env = made
        self.function.paths = {}
