"""The journal: an append-only, hash-chained event log per run. See README.md."""
