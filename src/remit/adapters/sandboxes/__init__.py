"""Sandboxes for programs: a file a mechanism. See README.md beside this file."""
