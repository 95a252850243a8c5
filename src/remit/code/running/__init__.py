"""Running tests: which runner a folder uses, what is started, and what comes back. Nothing here starts anything."""
