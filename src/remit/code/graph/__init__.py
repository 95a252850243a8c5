"""The code graph: symbols, calls and what a change touches."""
