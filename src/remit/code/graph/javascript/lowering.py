"""JavaScript and TypeScript text as facts (their forms: facts.py).

Bodies of functions are lowered after the code around them, so they see every name that is declared there. A file
with a syntax error is not lowered in part: it is reported as not read, with its line.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from remit.code.graph.javascript import facts as j
from remit.code.graph.javascript.lower_calls import Calls
from remit.code.graph.javascript.lower_functions import Functions
from remit.code.graph.javascript.lower_statements import Statements
from remit.code.graph.javascript.variables import Block, Function, Variables
from remit.code.graph.python.lowering import first_error

MIN_MINIFIED: Final = 5_000
MAX_MEAN_LINE: Final = 300
"""Bytes of a line on average. Source: people's own files stay below 60 (packages of the npm registry)."""


def lower(source: bytes, parser: Any) -> tuple[list[Any] | None, str]:
    """The facts of a text, or None and why it was not read."""
    if len(source) > MIN_MINIFIED and len(source) > MAX_MEAN_LINE * (source.count(b"\n") + 1):
        return None, "minified: its source is elsewhere"
    if source.startswith(b"#!"):
        source = b"//" + source[2:]
    root = parser.parse(source).root_node
    if root.has_error:
        return None, f"syntax error at line {first_error(root)}"
    try:
        return _File().module(root), ""
    except RecursionError:
        return None, "nested too deep"


class _File(Statements, Functions, Calls):
    """Lowers one file."""

    def __init__(self) -> None:
        Variables.__init__(self)
        self.pending: deque[tuple[Function, Block, Any, str]] = deque()
        self.imports: list[list[Any]] = []
        self.symbols: list[list[Any]] = []
        self.esm = False
        self.prefix = ""

    def module(self, root: Any) -> list[Any]:
        """All facts of the file."""
        fact = ["", "", 1, root.end_point[0] + 1, [], -1, j.EXPORTS_NODE, self.node(), -1, 0, -1, [], [], -1]
        self.functions.append(fact)
        self.function = Function(0, fact, None)
        self.block = Block(self.function, None, True)
        for name, node in (("exports", j.EXPORTS_NODE), ("module", j.MODULE_NODE)):
            self.block.names[name] = variable = self.declare(name)
            self.copy(variable.whole, node)
        self.statements(root)
        while self.pending:
            function, block, node, prefix = self.pending.popleft()
            self.function, self.block, self.prefix = function, block, prefix
            self.body(node)
        return [self.functions, self.ops, self.nodes, self.imports, self.symbols, root.end_point[0] + 1,
                self.comment_before(root), self.esm]  # fmt: skip
