"""The forms of facts of a Rust file: plain lists.

A type is ["p", segments, arguments], ["dyn", bounds], ["tuple", types], ["fn", result], ["[]", type] or ["?"];
references and lifetimes are left out. Expressions and statements: their first item is the handler's name in bodies.py.
"""

from __future__ import annotations

from typing import Any, Final

(R_USES, R_MODS, R_TYPES, R_TRAITS, R_IMPLS, R_FUNCTIONS, R_CONSTANTS, R_END, R_DOC) = range(9)
"""uses: [module, path, alias or '*', public, line]; mods: [module, name, inline]; types: [module, name, kind, line,
end, public, fields {name: type}, variants {name: fields}, generics, head, doc]; traits: [module, name, line, end,
public, supers, doc]; impls: [module, type, trait or None, generics]; constants: [module, name, type, value, line,
public]"""
(
    N_NAME, N_MODULE, N_LINE, N_END, N_SELF, N_PARAMS, N_RESULT, N_BODY, N_GENERICS, N_PUBLIC, N_HEAD, N_DOC, N_IMPL,
    N_TRAIT, N_OUTER, N_MARKS,
) = range(16)  # fmt: skip
"""N_MODULE: the inline module in the file; N_IMPL, N_TRAIT: place in R_IMPLS, R_TRAITS or -1; N_PARAMS: [pattern,
type]; N_OUTER: the function around; N_BODY None: only declared"""
UNKNOWN: Final[list[Any]] = ["?"]
