"""JavaScript and TypeScript: from text to facts (`lowering`), from facts to calls (`program`).

facts.py        the forms of facts
variables.py    scopes and the versions of variables
lowering.py, lower_statements.py, lower_functions.py, lower_expressions.py, lower_calls.py   text -> facts
modules.py      what an import specifier means: files, package.json, tsconfig
flow.py         nodes, abstract objects and the flow between them until nothing new is learnt
calls.py        what a call does; natives.py, native_callbacks.py   what the language brings along
program.py      all files together, and the edges found; symbols.py   symbols from facts
"""
