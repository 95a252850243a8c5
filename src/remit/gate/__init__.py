"""The gate: the only door to the world. Read door.py first: the nine numbered blocks; each check is a file."""
