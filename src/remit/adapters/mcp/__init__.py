"""MCP servers as tools: the client half. See README.md."""
