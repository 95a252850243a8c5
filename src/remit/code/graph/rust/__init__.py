"""Rust: `lowering` makes facts of a file, `crates` finds modules and names, `bodies` types expressions and names calls.

Names are dotted: `crate.module.Type.method`; the root is `crate`, or the package's name where a tree has several
packages. Calls inside closures belong to the function that holds them. A method of an unknown type is not told.
"""
