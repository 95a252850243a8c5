"""Pure folds over entries, one a file: `EMPTY`, and `fold(state, entries) -> state`.

Folding a prefix and then the rest equals folding all; a state is never changed once returned.
"""
