"""Conformance suites: one a port, shipped in the wheel, so that outsiders can test their own adapters."""
