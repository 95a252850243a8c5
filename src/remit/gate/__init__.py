"""The gate: the only door through which an agent changes or reads the world.

Read door.py first; it is the nine numbered blocks of DESIGN 4. Each check is one pure function in
a file of its own. The room stays below 1,000 lines.
"""
