"""Dispatchers: `local` in one process, `temporal` over a Temporal server. See ports/dispatcher.py."""
