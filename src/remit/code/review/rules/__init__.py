"""The rules, one a file; this folder is the registry."""
