"""Adapters: the client halves of what remit talks to, one folder a port; strangers to each other.

They import core, errors, ports and wire only, and nobody but `remit.runtime` imports them.
"""
