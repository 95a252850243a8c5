"""Agents: the definition, the pure loop, and the small driver that carries out what the loop says."""
