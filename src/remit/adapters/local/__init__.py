"""Models in this process: a weights file of the user's own, named by its path. Nothing is ever downloaded."""
