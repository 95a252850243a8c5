"""The workspace on a disk: files beneath one folder, opened without following links (ports/tool.py Files)."""
