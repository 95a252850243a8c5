"""The forms of facts of a JavaScript or TypeScript file: plain lists, so a store keeps them as they are.

A file is read by the names J_*, a function by the names N_*. Values flow between numbered nodes; an operation is a
list whose first item says what it does (`dst`, `src`, `base`: nodes; `args`: [spread?, node] pairs):

COPY dst src · FUNC dst function · OBJECT dst kind · CONST dst text · LOAD dst base name line function · LOAD_AT dst
base key line function · STORE base name src line function · STORE_AT base key src · ACCESSOR base name src ("get
name", "set name") · PROTO base parent · CALL dst callee this args line function · METHOD dst base name args line
function · METHOD_AT dst base key args line function · NEW dst callee args line function · ITERATE dst src kind line
function · AWAIT dst src · YIELD function src · IMPORT dst specifier name · STAR specifier · GLOBAL dst name ·
SET_GLOBAL name src · TYPED node type · IMPLEMENTS type class · USED callee line function
"""

from __future__ import annotations

from typing import Final

(J_FUNCTIONS, J_OPS, J_NODES, J_IMPORTS, J_SYMBOLS, J_END, J_DOC, J_ESM) = range(8)
"""J_IMPORTS rows: [specifier, names, line]; J_SYMBOLS rows: [kind, qual, line, end, public, head, parent, doc]"""
(
    N_NAME, N_QUAL, N_LINE, N_END, N_PARAMS, N_REST, N_THIS, N_RETURN, N_ARGUMENTS, N_FLAGS, N_OUTER, N_IDENTITY,
    N_CLASS, N_OWNER,
) = range(14)  # fmt: skip
"""N_IDENTITY: positions of parameters that it returns as they came; N_CLASS: names that a class body declares;
N_OWNER: the class function of a method, else -1"""
ASYNC: Final = 1
GENERATOR: Final = 2
ARROW: Final = 4
CLASS: Final = 8
METHOD_FLAG: Final = 16
IMPLICIT: Final = 32
"""a class without a constructor of its own"""
EXPORTS_NODE: Final = 0
MODULE_NODE: Final = 1

(
    COPY, FUNC, OBJECT, CONST, LOAD, LOAD_AT, STORE, STORE_AT, ACCESSOR, PROTO, CALL, METHOD, METHOD_AT, NEW, ITERATE,
    AWAIT, YIELD, IMPORT, STAR, GLOBAL, SET_GLOBAL, TYPED, IMPLEMENTS, USED,
) = range(24)  # fmt: skip
