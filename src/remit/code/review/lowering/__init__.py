"""Parse trees to the program form of `ir.py`: one file a language, and what they share."""
