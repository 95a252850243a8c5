"""Abstract interpretation: constants, containers, objects and taint, through calls and across files."""
