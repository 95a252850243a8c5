"""Python: from text to facts (`lowering`), from facts to calls (`program`).

lowering.py, lower_expressions.py   text -> plain lists, no tree-sitter object survives
objects.py      what a variable may hold: functions, classes, instances, containers, modules, constants
cells.py        what is known across scopes, and who reads it
scope.py        what is known inside one scope, statement by statement
expressions.py, statements.py, attributes.py, calls.py, builtin_calls.py   the meaning of the language
program.py      modules, imports and the rounds until nothing new is learnt
"""
