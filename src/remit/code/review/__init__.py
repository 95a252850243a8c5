"""Review of source code: rules over syntax, names and flow, in Python, JavaScript/TypeScript, Go and Rust."""
