"""Go: `lowering` makes facts of a file, `resolve` types its expressions and names what they call."""
