"""Plugins: WebAssembly components of other makers, signed, vetted, and held to what manifest and user both grant."""
