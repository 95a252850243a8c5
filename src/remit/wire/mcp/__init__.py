"""The Model Context Protocol as data: JSON-RPC 2.0 messages, both framings, and the client's side of a session.

No sockets, no processes, no clock: `adapters/mcp` moves the bytes. `messages` serves both directions; `session` is the
client's state (request ids, negotiation, what a server may send unasked). Everything that a server sends is bounded
and strictly read; what does not fit raises Unavailable mcp_failed.

Source: MCP specification, revisions 2024-11-05, 2025-03-26, 2025-06-18, 2025-11-25 (with a handshake) and 2026-07-28
(stateless: revision, client and capabilities stand in each request's `_meta`).
"""
